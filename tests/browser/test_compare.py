"""Values compared: one workflow, many runs, and the grid that stays."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_gallery import PATIENCE, made

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_inputs_are_compared_in_a_grid_that_stays_in_the_gallery(page: Page) -> None:
    await made(page, ["red"])  # so that the workflow is there, and the worker too
    await page.goto("/graph/tile")
    await page.get_by_role("region", name="Workflow").get_by_role("article", name="Solid").click()
    inspector = page.get_by_role("complementary", name="Inspector")
    await inspector.get_by_role("button", name="Compare values of Width").click()
    form = page.get_by_role("dialog", name="Compare values")
    across = form.get_by_role("group", name="Across")
    await across.get_by_label("Across: from").fill("20")
    await across.get_by_label("Across: to").fill("40")
    await expect(across).to_contain_text("20 · 30 · 40")
    await form.get_by_label("Down: which input").select_option(label="Prompt")
    await form.get_by_label("Down: one on each line").fill("crimson\nindigo")
    await expect(form.get_by_role("status")).to_contain_text("3 × 2 = 6 runs")
    await form.get_by_role("button", name="Compare").click()
    grid = page.get_by_role("region", name="Grid")
    for name in ("20", "30", "40"):
        await expect(grid.get_by_role("columnheader", name=name)).to_be_visible()
    await expect(grid.get_by_role("rowheader", name="indigo")).to_be_visible()
    last = grid.get_by_role("button", name="Width 40, Prompt indigo")
    await expect(last).to_be_visible(timeout=PATIENCE)
    await last.click()
    near = page.get_by_role("dialog", name="Width 40, Prompt indigo")
    await near.press("ArrowLeft")
    await expect(page.get_by_role("dialog", name="Width 30, Prompt indigo")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Keep as one picture").click()
    await page.get_by_role("link", name="← Comparisons").click()
    await page.get_by_role("list", name="Comparisons").get_by_role("link", name="Tile").first.click()
    await grid.get_by_role("link", name="Details: Width 20, Prompt crimson").click()
    await page.get_by_text("Receipt", exact=True).click()
    await expect(page.get_by_role("complementary", name="Details")).to_contain_text("20 × 64")
    await page.goto("/gallery?text=comparison")
    await expect(page.get_by_role("list", name="Made here").get_by_role("button").first).to_be_visible(
        timeout=PATIENCE
    )


async def test_a_comparison_is_cancelled_as_a_whole_and_forgotten(page: Page) -> None:
    ask = {"node": "ask", "values": {"question": "Which?", "options": ["left", "right"]}}
    asking = {"tessera": 1, "title": "Which", "steps": {"ask": ask}, "outputs": {"choice": "ask.choice"}}
    headers = {"Content-Type": "application/json"}
    await page.request.put("/api/workflows/which", data=json.dumps(asking), headers=headers)
    await page.goto("/graph/which")
    await expect(page.get_by_role("article", name="Ask")).to_be_visible()
    await page.keyboard.press("Alt+x")
    form = page.get_by_role("dialog", name="Compare values")
    await form.get_by_label("Across: one on each line").fill("This?\nThat?\n\nThose?")
    await expect(form.get_by_role("status")).to_contain_text("3 runs")
    await form.get_by_role("button", name="Compare").click()
    await expect(page.get_by_text("3 of 3 to go")).to_be_visible()
    await page.get_by_role("button", name="Cancel all").click()
    await expect(page.get_by_role("region", name="Grid").get_by_text("cancelled")).to_have_count(3)
    await page.get_by_role("button", name="Delete").click()
    await expect(page).to_have_url(re.compile("/comparisons$"))
    await expect(page.get_by_text("The comparison is gone")).to_be_visible()
