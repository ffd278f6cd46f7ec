"""What the right mouse button, its keys, fingers and the palette do on the canvas."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from playwright.async_api import Browser, CDPSession, FloatRect, Locator, Page, Route, ViewportSize, expect

from tests.browser.test_canvas import head, number, opened, put
from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")
WIRED = {"value": number(2.7), "whole": {"node": "round", "version": 1, "wires": {"a": "value.out"}}}
PHONE = ViewportSize(width=390, height=844)
APART = {"": {"steps": {"value": {"at": [0, 0]}, "whole": {"at": [700, 0]}}}}


async def test_nodes_added_one_after_the_other_lie_apart_and_in_view(page: Page) -> None:
    await page.goto("/graph")
    await expect(page.get_by_text("Double-click to add the first node.")).to_be_visible()
    for title in ("empty latent", "sample", "number"):
        await page.keyboard.press("Control+k")
        await page.get_by_placeholder("What do you want to do").fill(title)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("tab", name="Nodes").click()
    await page.get_by_role("searchbox", name="Find a node").fill("decode latent")
    await page.get_by_role("button", name="Decode latent").first.click()
    cards = page.get_by_role("region", name="Workflow").get_by_role("article")
    await expect(cards).to_have_count(4)
    boxes = [await box(card) for card in await cards.all()]
    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []
    canvas = await box(page.locator(".react-flow"))
    assert all(one["x"] >= canvas["x"] and one["y"] >= canvas["y"] for one in boxes[-1:])


async def test_what_is_entered_before_the_palette_is_there_is_done_when_it_is(page: Page) -> None:
    held: list[Route] = []
    await page.route("**/Overlays-*.js", lambda one: held.append(one))
    await page.goto("/graph")
    await expect(page.get_by_text("Double-click to add the first node.")).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("What do you want to do").fill("empty latent")
    await page.keyboard.press("Enter")
    for one in held:
        await one.continue_()
    await expect(page.get_by_role("article", name="Empty latent")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_menu_opens_at_the_mouse_and_by_keys_for_what_is_there(page: Page, site: Server) -> None:
    put(site, "to_ask", {"steps": WIRED, "layout": APART})
    canvas = await opened(page, "to_ask")
    menu = page.get_by_role("menu")
    await canvas.get_by_role("article", name="Round").locator("header").click(button="right")
    await menu.get_by_role("menuitemcheckbox", name="Bypass").click()
    await expect(canvas.get_by_text("bypassed")).to_be_visible()
    await expect(menu).to_have_count(0)
    await page.keyboard.press("Shift+F10")
    await expect(menu.get_by_role("menuitemcheckbox", name="Bypass")).to_be_checked()
    await page.keyboard.press("g")  # to what begins with it
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Shift+F10")
    await menu.get_by_role("menuitem", name="Align at the bottom").click()
    await menu.or_(page.locator("body")).first.press("Escape")
    wire = await middle(canvas)
    await page.mouse.click(*wire, button="right")
    await menu.get_by_role("menuitem", name="Put a node into the wire").click()
    await page.get_by_placeholder("What should stand in the wire?").fill("absolute")
    await page.keyboard.press("Enter")
    await expect(canvas.locator(".react-flow__edge")).to_have_count(2)
    await page.keyboard.press("Control+z")
    await page.mouse.click(*wire, button="right")
    await menu.get_by_role("menuitem", name="Take the wire away").click()
    await expect(canvas.locator(".react-flow__edge")).to_have_count(0)
    await page.locator(".react-flow__pane").click(button="right", position={"x": 60, "y": 60})
    await menu.get_by_role("menuitem", name="Undo").click()
    await expect(canvas.locator(".react-flow__edge")).to_have_count(1)


async def test_a_node_gets_a_title_and_a_colour(page: Page, site: Server) -> None:
    put(site, "to_name", {"steps": WIRED, "layout": APART})
    canvas = await opened(page, "to_name")
    await head(canvas, "Round")
    await page.keyboard.press("F2")
    await page.get_by_label("Title of the node").fill("To whole numbers")
    await page.keyboard.press("Enter")
    card = canvas.get_by_role("article", name="To whole numbers")
    await card.locator("header").click(button="right")
    await page.get_by_role("menuitemradio", name="Colour it blue").click()
    await expect(card).to_have_attribute("data-tinted", "true")


async def test_a_file_of_another_form_opens_as_saved_and_stays_as_it_was(page: Page, site: Server) -> None:
    steps = {"value": {"values": {"value": 2.5}, "node": "number", "version": 1}}
    text = json.dumps({"title": "By hand", "tessera": 1, "steps": steps}, separators=(", ", ":")).encode()
    assert site.ask("PUT", "/api/workflows/by_hand", text).status < 300
    await opened(page, "by_hand")
    await expect(page.get_by_role("tab", name="By hand", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Saved")).to_be_disabled()
    async with page.expect_response(lambda answer: answer.request.method == "PUT"):
        await page.keyboard.press("Control+s")
    assert site.ask("GET", "/api/workflows/by_hand").data == text


@pytest.mark.expects("422")
async def test_what_is_said_under_a_low_node_comes_into_view(page: Page, site: Server) -> None:
    steps = {"value": number(2.7), "whole": {"node": "round", "version": 1}}
    places = {"": {"steps": {"value": {"at": [0, 0]}, "whole": {"at": [300, 1600]}}}}
    put(site, "far_below", {"steps": steps, "outputs": {"whole": "whole.out"}, "layout": places})
    canvas = await opened(page, "far_below")
    await page.keyboard.press("Control+Enter")
    fix = canvas.get_by_role("button", name="Connect value")
    await expect(fix).to_be_in_viewport()
    await fix.click()
    await expect(canvas.locator(".react-flow__edge")).to_have_count(1)


async def test_two_fingers_zoom_on_cards_too_and_one_moves_the_canvas(
    chromium: Browser, site: Server
) -> None:
    near = {"": {"steps": {"value": {"at": [0, 0]}, "whole": {"at": [0, 140]}}}}
    put(site, "to_pinch", {"steps": WIRED, "layout": near})
    page = await chromium.new_page(base_url=site.url, viewport=PHONE, has_touch=True)
    canvas = await opened(page, "to_pinch")
    cdp = await page.context.new_cdp_session(page)
    card, around = (
        await box(canvas.get_by_role("article", name="Round")),
        await box(page.locator(".react-flow")),
    )
    x = around["x"] + around["width"] / 2
    first = await view(page)
    assert (await box(page.get_by_role("toolbar", name="Workflow")))["height"] < 50  # one row
    for y in (around["y"] + 40, card["y"] + card["height"] / 2):
        zoom, _ = await view(page)
        await fingers(cdp, [[(x - 40 - 8 * way, y), (x + 40 + 8 * way, y)] for way in range(6)])
        assert (await view(page))[0] > 1.3 * zoom
        await fingers(cdp, [[(x - 80 + 8 * way, y), (x + 80 - 8 * way, y)] for way in range(6)])
        assert (await view(page))[0] == pytest.approx(zoom, rel=0.01)
    top = (await view(page))[1]
    await fingers(cdp, [[(x, around["y"] + 90 - 10 * way)] for way in range(8)])
    assert (await view(page))[1] == pytest.approx(top - 70, abs=15)
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()  # no card was carried off
    assert (await view(page))[0] == pytest.approx(first[0], rel=0.02)
    await page.close()


async def test_keys_look_at_what_is_selected_and_at_everything(page: Page, site: Server) -> None:
    wide = {"": {"steps": {"value": {"at": [0, 0]}, "whole": {"at": [9000, 900]}}}}
    put(site, "to_look", {"steps": WIRED, "layout": wide})
    await page.goto("/graph/to_look")
    await expect(page.get_by_role("tab", name="to_look")).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(0)  # too far away to be more than painted
    await page.keyboard.press("Alt+ArrowRight")  # to the first
    await page.keyboard.press(".")
    await expect(page.get_by_role("article", name="Number")).to_be_in_viewport()
    await page.keyboard.press("Alt+ArrowRight")
    await expect(page.get_by_role("article", name="Round")).to_be_in_viewport()
    await page.keyboard.press("Home")
    await expect(page.get_by_role("article")).to_have_count(0)


async def view(page: Page) -> tuple[float, float]:
    """How large the canvas is shown, and how far down."""
    zoom, top = await page.locator(".react-flow__viewport").evaluate(
        "one => { const at = new DOMMatrix(getComputedStyle(one).transform); return [at.a, at.f] }"
    )
    return zoom, top


async def fingers(cdp: CDPSession, ways: list[list[tuple[float, float]]]) -> None:
    """Fingers that go down, move along these places together, and lift."""
    for index, places in enumerate(ways):
        points = [{"x": x, "y": y, "id": id} for id, (x, y) in enumerate(places)]
        kind = "touchMove" if index else "touchStart"
        await cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    await cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def box(one: Locator) -> FloatRect:
    found = await one.bounding_box()
    assert found
    return found


async def middle(canvas: Locator) -> tuple[float, float]:
    """Where the first wire is halfway."""
    x, y = await canvas.locator(".react-flow__edge-path").first.evaluate(
        """path => { const half = path.getPointAtLength(path.getTotalLength() / 2)
          const at = half.matrixTransform(path.getScreenCTM())
          return [at.x, at.y] }"""
    )
    return x, y


def overlap(one: FloatRect, other: FloatRect) -> bool:
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )
