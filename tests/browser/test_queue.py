"""What somebody does with runs: order, hold, cancel and retry them, and see them again after a reload."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import figures
from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATIENCE = 60_000  # ms on a busy machine


def sum_of(title: str) -> dict[str, object]:
    steps = {"add": {"node": "add", "version": 1, "values": {"a": 1, "b": 2}}}
    return {"tessera": 1, "title": title, "steps": steps, "outputs": {"sum": "add.out"}}


def broken() -> dict[str, object]:
    first = {"node": "add", "version": 1, "values": {"a": 1, "b": 2}}
    bad = {"node": "divide", "version": 1, "values": {"b": 0}, "wires": {"a": "first.out"}}
    steps = {"first": first, "bad": bad}
    return {"tessera": 1, "title": "A broken sum", "steps": steps, "outputs": {"x": "bad.out"}}


def held(site: Server, *titles: str) -> list[str]:
    asked = [{"workflow": sum_of(title), "hold": True} for title in titles]
    return [site.ask("POST", "/api/runs", body).json()["id"] for body in asked]


async def names(rows: Locator) -> list[str | None]:
    return [await row.get_attribute("aria-label") for row in await rows.all()]


async def test_what_waits_is_ordered_by_keys_and_by_dragging(page: Page, site: Server) -> None:
    held(site, "Sum one", "Sum two", "Sum three")
    await page.goto("/queue")
    rows = page.get_by_role("region", name="Waiting").get_by_role("listitem").filter(has_text="Sum")
    await expect(rows).to_have_count(3)
    await page.get_by_role("button", name="Move Sum three").focus()
    await page.keyboard.press("Home")
    await expect(rows.first).to_have_accessible_name("Sum three")
    await expect(page.get_by_role("button", name="Move Sum three")).to_be_focused()
    grip = await page.get_by_role("button", name="Move Sum two").bounding_box()
    first = await rows.first.bounding_box()
    assert grip is not None
    assert first is not None
    await page.mouse.move(grip["x"] + 9, grip["y"] + 9)
    await page.mouse.down()
    await page.mouse.move(first["x"] + 30, first["y"] + 9, steps=4)
    await page.mouse.up()
    await expect(rows.first).to_have_accessible_name("Sum two")
    await page.reload()
    await expect(rows.first).to_have_accessible_name("Sum two")
    assert await names(rows) == ["Sum two", "Sum three", "Sum one"]
    await page.get_by_role("button", name="Cancel Sum two").click()
    await page.get_by_role("button", name="Release Sum three").click()
    await page.get_by_role("button", name="Cancel Sum one").click()
    ended = page.get_by_role("region", name="Finished").get_by_role("listitem")
    await expect(ended.filter(has_text="Sum three").filter(has_text="Done")).to_be_visible()
    await expect(ended.filter(has_text="Sum two").filter(has_text="Cancelled")).to_be_visible()


async def test_a_failed_run_opens_at_the_step_that_failed(page: Page, site: Server) -> None:
    site.ask("POST", "/api/runs?wait=30", {"workflow": broken()})
    await page.goto("/queue")
    row = page.get_by_role("region", name="Finished").get_by_role("listitem", name="A broken sum")
    await expect(row).to_contain_text("Nothing can be divided by 0.")
    await row.get_by_role("button", name="Open at failing node").click()
    await expect(page.get_by_role("heading", name="Divide")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("bad")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(canvas.get_by_text("failed", exact=True)).to_be_visible()


@pytest.mark.model
async def test_a_reload_in_the_middle_of_a_run_shows_all_of_it_again(page: Page) -> None:
    assert await figures.seconds_until_all_is_back(page) < 5, "a second where nothing else runs"
    await page.goto("/queue")
    row = page.get_by_role("region", name="Finished").get_by_role("listitem").first
    await expect(row).to_contain_text("Cancelled")
