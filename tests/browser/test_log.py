"""What a run did, line by line, and what a node does, at work."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_gallery import PATIENCE, TILE

pytestmark = pytest.mark.asyncio(loop_scope="session")
HEADERS = {"Content-Type": "application/json"}


async def test_the_log_tells_what_each_node_did_and_what_went_wrong(page: Page) -> None:
    steps = {
        "plain": TILE["steps"]["plain"],
        "cut": {
            "node": "crop",
            "values": {"width": 500, "height": 5},
            "wires": {"image": "plain.out"},
        },
        "save": {"node": "save_image", "wires": {"image": "cut.out"}},
    }
    broken = {"tessera": 1, "title": "Too wide", "steps": steps, "outputs": {"picture": "save.out"}}
    await page.request.put("/api/workflows/too_wide", data=json.dumps(broken), headers=HEADERS)
    await page.goto("/graph/too_wide")
    await expect(page.get_by_role("article", name="Crop")).to_be_visible()
    await page.keyboard.press("Alt+l")
    log = page.get_by_role("region", name="Log")
    await expect(log.get_by_text("Nothing was run in this window yet.")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    card = page.get_by_role("article", name="Crop")
    await expect(card.get_by_role("alert")).to_be_visible(timeout=PATIENCE)
    lines = log.get_by_role("log", name="Lines")
    await expect(lines).to_contain_text("Begun.")
    await expect(lines.get_by_role("button", name="plain", exact=True).first).to_be_visible()
    await log.get_by_role("button", name="Close the log").click()
    await card.get_by_role("button", name="Log").click()
    await expect(log.get_by_label("Lines of which node")).to_have_value("cut")
    await log.get_by_label("Which lines").select_option("Errors")
    await expect(lines).to_contain_text("at most the 96 that the picture has")
    await expect(lines).not_to_contain_text("Begun.")
    await page.reload()
    await expect(card).to_be_visible()
    await page.get_by_role("button", name="Log").first.click()
    await expect(lines).to_contain_text("at most the 96 that the picture has")


async def test_a_node_explains_itself_and_shows_where_it_is_at_work(page: Page) -> None:
    await page.request.put("/api/workflows/tile", data=json.dumps(TILE), headers=HEADERS)
    await page.goto("/graph/tile")
    await page.get_by_role("article", name="Solid").click()
    inspector = page.get_by_role("complementary", name="Inspector")
    await expect(inspector.get_by_text("A picture of one colour.")).to_be_visible()
    await expect(inspector.get_by_text("whole number, 1 to 16,384, needed").first).to_be_visible()
    await inspector.get_by_role("button", name="Open it in a new tab").click()
    await expect(page).to_have_url(re.compile(r"/graph/(?!tile)\w+"))
    await expect(page.get_by_role("tab", name="Tile", exact=True)).to_be_visible()
    await expect(inspector.get_by_role("heading", name="Solid")).to_be_visible()
