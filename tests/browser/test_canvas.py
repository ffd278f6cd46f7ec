"""What hands do on the canvas: draw, wire, group, mend, undo."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import figures, large
from tests.browser.conftest import browser, keep
from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")
Json = dict[str, Any]
FRAME = 17  # ms, so that one that was missed decides nothing
PATIENCE = 90_000  # ms for a picture on a busy machine
WIRED = {
    "Encode text": {"Encoder": "Load"},
    "Empty latent": {"Model": "Load"},
    "Sample": {"Model": "Load", "Positive": "Encode", "Start": "Empty"},
    "Decode latent": {"Vae": "Load", "Latent": "Sample"},
    "Auto contrast": {"Image": "Decode"},
    "Sharpen": {"Image": "Auto"},
    "Vignette": {"Image": "Sharpen"},
    "Grayscale": {"Image": "Vignette"},
    "Save image": {"Image": "Grayscale"},
}


def number(value: float) -> Json:
    return {"node": "number", "version": 1, "values": {"value": value}}


def put(site: Server, name: str, workflow: Json) -> None:
    body = json.dumps({"tessera": 1, **workflow}).encode()
    assert site.ask("PUT", f"/api/workflows/{name}", body).status in (200, 201)


async def opened(page: Page, name: str) -> Locator:
    await page.goto(f"/graph/{name}")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(canvas.get_by_role("article").first).to_be_visible()
    return canvas


async def head(canvas: Locator, name: str) -> None:
    """Select the card of this title by its header."""
    await canvas.get_by_role("article", name=name, exact=True).locator("header").first.click()


async def test_steps_become_a_group_that_opens_and_closes(page: Page, site: Server) -> None:
    sums = {
        "one": number(2),
        "twice": {"node": "multiply", "version": 1, "wires": {"a": "one.out", "b": "one.out"}},
        "last": {"node": "round", "version": 1, "wires": {"a": "twice.out"}},
    }
    put(site, "to_group", {"title": "Sums", "steps": sums, "outputs": {"sum": "last.out"}})
    canvas = await opened(page, "to_group")
    await head(canvas, "Multiply")
    await page.keyboard.press("Control+Shift+E")
    group = canvas.get_by_role("article", name="group", exact=True)
    await group.locator("header").dblclick()
    await expect(page.get_by_label("Title of the group")).to_be_visible()
    await expect(canvas.get_by_text("Takes")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(group).to_be_visible()
    await head(canvas, "group")
    await page.keyboard.press("Shift+Delete")
    await expect(canvas.get_by_role("article", name="Multiply")).to_be_visible()
    for _ in range(2):
        await page.keyboard.press("Control+z")
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()


async def test_a_loop_shows_what_it_hands_in_and_what_it_reaches_out_for(page: Page) -> None:
    canvas = await opened(page, "loop_example")
    loop = canvas.get_by_role("article", name="Repeat")
    for port in ("savings", "year", "growth", "rise", "payment"):
        await expect(loop.get_by_text(port, exact=True).first).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await head(canvas, "Repeat")
    await expect(page.get_by_role("region", name="Last run")).to_contain_text("Ran in", timeout=30_000)
    await loop.get_by_role("button", name="Open").click()
    await expect(canvas.get_by_text("growth (outside)")).to_be_visible()
    await expect(canvas.get_by_role("article", name="Add").first).to_be_visible()


@pytest.mark.expects("422")
async def test_an_error_stands_at_its_node_with_a_button_that_mends_it(page: Page, site: Server) -> None:
    steps = {"value": number(2.7), "whole": {"node": "round", "version": 1}}
    put(site, "to_mend", {"steps": steps, "outputs": {"whole": "whole.out"}})
    canvas = await opened(page, "to_mend")
    await page.keyboard.press("Control+Enter")
    await canvas.get_by_role("button", name="Connect value").click()
    await page.keyboard.press("Control+Enter")
    await head(canvas, "Round")
    await expect(page.get_by_role("region", name="Last run")).to_contain_text("Ran in", timeout=30_000)


async def test_a_wire_let_go_on_the_empty_canvas_finds_its_node(page: Page, site: Server) -> None:
    put(site, "to_draw", {"steps": {"value": number(2.7)}})
    canvas = await opened(page, "to_draw")
    port = canvas.locator(".react-flow__handle.source").first
    await port.hover()
    box = await port.bounding_box()
    assert box
    await page.mouse.down()
    await page.mouse.move(box["x"] + 60, box["y"] + 120, steps=4)
    await page.mouse.up()
    await page.get_by_placeholder("What should the wire go to?").fill("round")
    await page.keyboard.press("Enter")
    await expect(canvas.locator(".react-flow__edge")).to_have_count(1)
    await page.keyboard.press("Control+z")
    await expect(canvas.locator(".react-flow__edge")).to_have_count(0)
    await page.keyboard.press("Control+Shift+z")
    await expect(canvas.locator(".react-flow__edge")).to_have_count(1)


async def test_anything_is_found_by_its_name(page: Page, site: Server) -> None:
    put(site, "to_find", {"steps": {"value": number(1)}})
    canvas = await opened(page, "to_find")
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("What do you want to do").fill("empty latent")
    await page.keyboard.press("Enter")
    await expect(canvas.get_by_role("article", name="Empty latent")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys and mouse")).to_contain_text("Hold Y and drag")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Control+g")
    await expect(canvas.get_by_role("region", name="Frame Frame")).to_be_visible()


@pytest.mark.model
async def test_ten_nodes_are_built_from_nothing_and_run_by_keyboard_alone(page: Page) -> None:
    await page.goto("/graph")
    await expect(page.get_by_text("Double-click to add the first node.")).to_be_visible()
    for title in ("Load model", *WIRED):
        await page.keyboard.press("Control+k")
        await page.keyboard.type(title)
        await expect(page.get_by_role("dialog").get_by_role("option", selected=True)).to_contain_text(title)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("tab", name="Outline").focus()
    await page.keyboard.press("Enter")
    outline = page.get_by_role("list", name="Steps in the order they run")
    for title, wired in WIRED.items():
        step = outline.get_by_role("listitem").filter(has=page.locator("strong", has_text=title))
        await step.locator("summary").focus()
        await page.keyboard.press("Enter")
        for name, source in wired.items():
            field = step.get_by_label(f"{name}: comes from")
            await field.focus()
            await page.keyboard.type(source)
            await expect(field.locator("option:checked")).to_contain_text(source)
    await outline.get_by_role("textbox", name="Text").focus()
    await page.keyboard.type("a red circle")
    await page.keyboard.press("Control+Enter")
    made = page.get_by_role("region", name="Workflow").get_by_role("img", name="What was made")
    await expect(made).to_be_visible(timeout=PATIENCE)


async def test_steps_are_copied_into_another_tab_with_their_wires(page: Page, site: Server) -> None:
    steps = {"value": number(2.7), "whole": {"node": "round", "version": 1, "wires": {"a": "value.out"}}}
    put(site, "to_copy", {"steps": steps})
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await opened(page, "to_copy")
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Control+c")
    other = await page.context.new_page()
    await other.goto("/graph")
    await expect(other.get_by_text("Double-click to add the first node.")).to_be_visible()
    await other.keyboard.press("Control+v")
    await expect(other.locator(".react-flow__node")).to_have_count(2)
    await expect(other.locator(".react-flow__edge")).to_have_count(1)
    await other.close()


async def test_a_node_dropped_on_a_wire_goes_into_it_and_y_cuts(page: Page, site: Server) -> None:
    steps = {
        "value": number(2.7),
        "whole": {"node": "round", "version": 1, "wires": {"a": "value.out"}},
        "less": {"node": "absolute", "version": 1},
    }
    places = {"value": {"at": [0, 0]}, "whole": {"at": [700, 0]}, "less": {"at": [360, 260]}}
    put(site, "to_drop", {"steps": steps, "layout": {"": {"steps": places}}})
    canvas = await opened(page, "to_drop")
    wires = canvas.locator(".react-flow__edge")
    card = canvas.get_by_role("article", name="Absolute").locator("header")
    await card.hover()
    box = await card.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    scale = box["width"] / 260
    await page.mouse.down()
    await page.mouse.move(x, y - 250 * scale, steps=6)
    await page.mouse.up()
    await expect(wires).to_have_count(2)
    await page.keyboard.down("y")
    await page.mouse.move(x + 165 * scale, y - 300 * scale)
    await page.mouse.down()
    await page.mouse.move(x + 165 * scale, y, steps=4)
    await page.mouse.up()
    await page.keyboard.up("y")
    await expect(wires).to_have_count(1)


async def test_two_thousand_nodes_open_and_move_like_a_hundred(page: Page, site: Server) -> None:
    spans = {}
    for count in (100, 2000):
        put(site, f"large_{count}", large.workflow(count))
    await page.goto("/graph/to_copy")
    for count in (100, 2000, 100, 2000):
        began = time.perf_counter()
        await page.evaluate(f"history.pushState(null, '', '/graph/large_{count}')")
        await expect(page.get_by_label("Title", exact=True)).to_have_value(f"{count} steps")
        await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        spans[count] = time.perf_counter() - began
    assert spans[2000] < 6 * spans[100] + 1, spans
    frames = {count: await figures.frame_of_a_drag(page, site, count) for count in (100, 2000)}
    assert frames[2000] < 2 * frames[100] + FRAME, frames


async def test_forty_runs_in_one_page_leave_nothing_in_its_memory(site: Server) -> None:
    """`make bench` makes two hundred."""
    async with browser(figures.JITLESS) as plain:
        page = await plain.new_page(base_url=site.url)
        early, late = await figures.heap_after(page, site, figures.DICE, 10, 40)
        await keep(page, "forty_runs_in_one_page")
    assert late < 1.05 * early, f"{early:.1f} MB, then {late:.1f}"
