"""What somebody does in the first minute."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.model]
PATIENCE = 90_000  # ms for a picture on a busy machine


async def test_a_first_picture_needs_only_words_and_enter(page: Page) -> None:
    await page.goto("/")
    prompt = page.get_by_label("Prompt", exact=True)
    await expect(prompt).to_be_focused()
    await prompt.fill("a happy orange cat with a blue hat")
    await prompt.press("Enter")
    await expect(page.get_by_role("img", name="a happy orange cat")).to_be_visible(timeout=PATIENCE)


async def test_the_graph_of_a_picture_has_what_it_was_made_with(page: Page) -> None:
    await page.goto("/")
    await page.get_by_label("Prompt", exact=True).fill("a green tree by the sea")
    await page.get_by_role("button", name="Make").click()
    await expect(page.get_by_role("img", name="a green tree by the sea")).to_be_visible(timeout=PATIENCE)
    await page.get_by_role("button", name="Open graph").click()
    canvas = page.get_by_role("region", name="Workflow")
    texts = canvas.get_by_role("article", name="Encode text").get_by_label("Text")
    await expect(texts.first).to_have_value("a green tree by the sea")
    picture = canvas.get_by_role("article", name="Save image").get_by_role("img")
    await expect(picture).to_be_visible()


async def test_every_page_says_that_the_checkers_only_stand_in(page: Page) -> None:
    for path in ("/", "/graph", "/gallery", "/queue", "/models", "/settings"):
        await page.goto(path)
        await expect(page.get_by_role("complementary", name="Safety")).to_contain_text("protect nobody")


async def test_a_workflow_of_the_library_runs_on_the_canvas(page: Page) -> None:
    await page.goto("/graph/text_to_image")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(canvas.get_by_text("Encode text").first).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(canvas.get_by_role("img", name="What was made")).to_be_visible(timeout=PATIENCE)
