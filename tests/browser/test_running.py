"""What is seen of a run on the canvas: its end by Stop, an error mended by hand, parts of it, its turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import WINDOW, keep
from tests.browser.test_canvas import PATIENCE, head, number, opened, put
from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")
Json = dict[str, Any]
SUM = {"node": "add", "version": 1, "values": {"b": 1}, "wires": {"a": "one.out"}}
LONG: Json = {
    "tessera": 1,
    "title": "A long count",
    "steps": {
        "one": number(1),
        "many": {
            "node": "repeat",
            "values": {"times": 9},
            "wires": {"body": "#round", "start": "one.out"},
        },
    },
    "groups": {
        "round": {
            "steps": {"turns": {"node": "repeat", "values": {"times": 100_000}, "wires": {"body": "#turn"}}},
            "inputs": {"so_far": {"to": ["turns.start"]}},
            "outputs": {"so_far": "turns.out"},
        },
        "turn": {
            "steps": {"add": {"node": "add", "values": {"b": 1}}},
            "inputs": {"so_far": {"to": ["add.a"]}},
            "outputs": {"so_far": "add.out"},
        },
    },
    "outputs": {"sum": "many.out"},
}
"""Nine hundred thousand additions: half a minute, and ended before."""


def card(canvas: Locator, name: str) -> Locator:
    return canvas.get_by_role("article", name=name, exact=True)


def last_run(page: Page) -> Locator:
    return page.get_by_role("region", name="Last run")


@pytest.mark.model
async def test_a_run_that_is_stopped_says_so_at_every_node_and_the_next_one_runs(page: Page) -> None:
    canvas = await opened(page, "text_to_image")
    steps = card(canvas, "Sample").get_by_label("Steps", exact=True)
    await steps.fill("150")
    await page.get_by_role("button", name="Roll a new seed").first.click()
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(card(canvas, "Sample").locator("header")).to_contain_text("%", timeout=PATIENCE)
    await expect(page.get_by_role("img", name="What is being made")).to_be_visible(timeout=PATIENCE)
    await page.keyboard.press("Control+Alt+Enter")
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    await expect(page.get_by_role("img", name="What is being made")).to_have_count(0)
    for title in ("Sample", "Decode latent", "Save image"):
        await expect(card(canvas, title).locator("header")).to_contain_text("stopped")
        await expect(card(canvas, title).locator("header")).not_to_contain_text("%")
    await head(canvas, "Sample")
    await expect(last_run(page)).to_contain_text("cancelled")
    await keep(page, "a_run_that_is_stopped")
    await steps.fill("2")
    await steps.press("Control+Enter")
    await expect(canvas.get_by_role("img", name="What was made")).to_be_visible(timeout=PATIENCE)
    await expect(card(canvas, "Sample").locator("header")).to_contain_text(" s")


async def test_an_error_goes_when_the_right_value_is_typed(page: Page, site: Server) -> None:
    share = {"node": "divide", "version": 1, "values": {"b": 0}, "wires": {"a": "one.out"}}
    put(site, "to_type", {"steps": {"one": number(6), "share": share}, "outputs": {"x": "share.out"}})
    canvas = await opened(page, "to_type")
    await page.keyboard.press("Control+Enter")
    wrong = card(canvas, "Divide").get_by_role("alert")
    await expect(wrong).to_contain_text("Nothing can be divided by 0.")
    await expect(card(canvas, "Divide")).to_contain_text("failed")
    await keep(page, "an_error_at_its_node")
    field = card(canvas, "Divide").get_by_label("B", exact=True)
    await field.fill("3")
    await field.press("Enter")
    await expect(wrong).to_have_count(0)
    await expect(card(canvas, "Divide")).not_to_contain_text("failed")
    await page.keyboard.press("Control+Enter")
    await head(canvas, "Divide")
    await expect(last_run(page)).to_contain_text("Ran in")
    assert site.get("/api/runs?limit=1")["runs"][0]["outputs"] == {"x": 2}


async def test_a_run_to_what_is_selected_leaves_the_rest_alone(page: Page, site: Server) -> None:
    steps = {
        "one": number(5.25),
        "more": SUM,
        "whole": {"node": "round", "version": 1, "wires": {"a": "more.out"}},
        "aside": {"node": "absolute", "version": 1, "wires": {"a": "one.out"}},
    }
    put(site, "to_part", {"steps": steps, "outputs": {"x": "whole.out", "y": "aside.out"}})
    canvas = await opened(page, "to_part")
    await head(canvas, "Add")
    await page.get_by_role("button", name="Run to what is selected").first.click()
    await expect(last_run(page)).to_contain_text("Ran in")
    for title in ("Round", "Absolute"):
        await head(canvas, title)
        await expect(last_run(page)).to_have_count(0)
    await page.keyboard.press("Alt+Enter")
    await expect(last_run(page)).to_contain_text("Ran in")
    run = site.get("/api/runs?limit=1")["runs"][0]["id"]
    assert set(site.get(f"/api/runs/{run}")["steps"]) == {"one", "aside"}


async def test_a_run_that_is_held_waits_and_one_goes_before_all_that_wait(
    chromium: Browser, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", jobs_at_once="1") as server:
        put(
            server,
            "sum",
            {"title": "Sum", "steps": {"one": number(1), "sum": SUM}, "outputs": {"x": "sum.out"}},
        )
        page = await chromium.new_page(base_url=server.url, viewport=WINDOW)
        long = server.submit(LONG)
        canvas = await opened(page, "sum")
        value = card(canvas, "Number").get_by_label("Value", exact=True)
        stop = page.get_by_role("button", name="Stop")
        asked = (
            ("1", "Control+Enter", "next in line"),
            ("2", "Control+Enter", "2nd in line"),
            ("3", "Control+Shift+Enter", "next in line"),
        )
        for given, keys, place in asked:
            await value.fill(given)
            await value.press(keys)
            await expect(stop).to_contain_text(place)
        await page.get_by_role("link", name="Queue: 4 not finished").click()
        waiting = page.get_by_role("region", name="Waiting").get_by_role("listitem")
        await waiting.first.get_by_role("button", name="Hold Sum").click()
        await expect(waiting.first).to_contain_text("Held back")
        await keep(page, "a_run_that_is_held")
        server.ask("DELETE", f"/api/runs/{long}")
        await expect(waiting).to_have_count(1)
        await waiting.first.get_by_role("button", name="Release Sum").click()
        await expect(waiting).to_have_count(0)
        await page.close()
