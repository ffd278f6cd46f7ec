"""The app in another language, and what can be done on a page, found on all of them."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")
GERMAN = """localStorage.setItem('tessera.settings', '{"version":1,"language":"de"}')"""


async def test_the_app_speaks_german_on_create_and_on_the_graph(page: Page) -> None:
    await page.add_init_script(GERMAN)
    await page.goto("/")
    await expect(page.get_by_role("button", name="Erstellen")).to_be_enabled()
    await expect(page.get_by_role("form", name="Was entstehen soll")).to_contain_text("Enter startet.")
    await page.get_by_role("link", name="Graph", exact=True).click()
    await page.goto("/graph/text_to_image")
    await expect(page.get_by_role("button", name="Ausführen", exact=True)).to_be_visible()
    await page.get_by_role("article", name="Sample").locator("strong").click()
    await page.get_by_role("toolbar", name="Auswahl").get_by_role("button", name="Umgehen").click()
    undo = page.get_by_role("button", name="Rückgängig")
    await expect(undo).to_have_attribute("title", "Rückgängig: Umgehen")
    await page.get_by_role("tab", name="Versionen").click()
    await page.get_by_role("button", name="Wie mitgeliefert").click()
    await expect(page.get_by_role("list", name="Was seitdem anders ist")).to_contain_text(
        "sample ist umgangen, es war eingeschaltet."
    )
    await undo.click()
    await expect(page.get_by_text("Nichts ist anders.")).to_be_visible()


async def test_the_palette_and_the_list_of_keys_are_on_every_page(page: Page) -> None:
    await page.goto("/gallery")
    await expect(page.get_by_role("heading", name="Gallery")).to_be_attached()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("queue")
    found = page.get_by_role("dialog").get_by_role("option", selected=True)
    await expect(found).to_contain_text("Go to the queue")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    await page.keyboard.press("Shift+?")
    keys = page.get_by_role("dialog", name="Keys and mouse")
    await expect(keys.get_by_role("region", name="Gallery")).to_contain_text("Star or not")
    await keys.get_by_role("button", name="Close").click()
    await expect(keys).to_be_hidden()
