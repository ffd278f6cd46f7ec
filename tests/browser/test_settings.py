"""What somebody sets for themselves holds at once, and is still so the next day."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_colours_and_language_change_at_once_and_stay(page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("radiogroup", name="Theme").get_by_text("Light").click()
    await page.get_by_role("radiogroup", name="Language").get_by_text("Deutsch").click()
    await expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.reload()
    await expect(page.get_by_role("link", name="Galerie")).to_be_visible()
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(244, 244, 246)"


async def test_a_key_that_is_taken_says_whose_it_is_and_can_be_taken_over(page: Page) -> None:
    await page.goto("/settings")
    change = page.get_by_role("button", name="Change the keys of Mute")
    await change.click()
    await page.keyboard.press("Control+b")
    await expect(page.get_by_role("alert")).to_contain_text("Ctrl+B belongs to Bypass.")
    await page.get_by_role("button", name="Take it over").click()
    muted = page.get_by_role("listitem").filter(has=change)
    await expect(muted).to_contain_text("Ctrl+B")
    await page.get_by_role("button", name="Reset all keys").click()
    await expect(muted).to_contain_text("Ctrl+M")


async def test_own_keys_work_on_the_canvas_and_links_are_drawn_as_chosen(page: Page) -> None:
    kept = '{"version":1,"links":"straight","keys":{"undo":["u"]}}'
    await page.add_init_script(f"localStorage.setItem('tessera.settings', '{kept}')")
    await page.goto("/graph/text_to_image")
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_have_value("Text to image")
    await title.fill("Another")
    await title.blur()
    await page.keyboard.press("u")
    await expect(title).to_have_value("Text to image")
    path = await page.locator(".react-flow__edge-path").first.get_attribute("d")
    assert path
    assert "C" not in path
