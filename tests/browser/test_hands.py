"""What the mouse does alone: text to image from nothing; and everything is undone and done again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.test_canvas import PATIENCE, Json, head, number, opened, put
from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")
PLACES = {
    "Load model": (0.03, 0.14),
    "Encode text": (0.22, 0.14),
    "Empty latent": (0.22, 0.6),
    "Sample": (0.42, 0.14),
    "Decode latent": (0.62, 0.14),
    "Save image": (0.81, 0.14),
}
"""Where the cards go, as shares of the canvas."""
WIRES = (
    ("load_model.text_encoder", "encode_text.encoder"),
    ("load_model.denoiser", "empty_latent.model"),
    ("load_model.denoiser", "sample.model"),
    ("encode_text.out", "sample.positive"),
    ("empty_latent.out", "sample.start"),
    ("load_model.vae", "decode_latent.vae"),
    ("sample.latent", "decode_latent.latent"),
    ("decode_latent.out", "save_image.image"),
)


def port(page: Page, name: str) -> Locator:
    """The end of a wire, named "step.port"."""
    step, _, end = name.partition(".")
    return page.locator(f'.react-flow__handle[data-nodeid="{step}"][data-handleid="{end}"]')


async def middle(thing: Locator) -> tuple[float, float]:
    box = await thing.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def draw(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(*end, steps=4)
    await page.mouse.up()


@pytest.mark.model
async def test_text_to_image_is_built_from_nothing_by_mouse_alone(page: Page) -> None:
    await page.goto("/graph")
    await expect(page.get_by_text("Double-click to add the first node.")).to_be_visible()
    pane = page.locator(".react-flow__pane")
    box = await pane.bounding_box()
    assert box
    await page.mouse.move(box["x"] + 9, box["y"] + 9)
    await page.mouse.wheel(0, 350)
    canvas = page.get_by_role("region", name="Workflow")
    for title, (across, down) in PLACES.items():
        await page.mouse.dblclick(box["x"] + across * box["width"], box["y"] + down * box["height"])
        await page.get_by_placeholder("Find a node").fill(title)
        found = page.get_by_role("dialog", name="Add a node").get_by_role("option")
        await found.filter(has=page.get_by_text(title, exact=True)).first.click()
        await expect(canvas.get_by_role("article", name=title, exact=True)).to_be_visible()
    for count, (source, target) in enumerate(WIRES, 1):
        await draw(page, await middle(port(page, source)), await middle(port(page, target)))
        await expect(canvas.locator(".react-flow__edge")).to_have_count(count)
    for title, field, value in (("Encode text", "Text", "a red circle"), ("Sample", "Steps", "4")):
        typed = canvas.get_by_role("article", name=title, exact=True).get_by_label(field, exact=True)
        await typed.click(click_count=3)
        await page.keyboard.type(value)
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(canvas.get_by_role("img", name="What was made")).to_be_visible(timeout=PATIENCE)


async def test_everything_that_was_done_is_undone_and_done_again_to_the_byte(
    page: Page, site: Server
) -> None:
    steps: Json = {
        "value": number(2.5),
        "whole": {"node": "round", "version": 1},
        "other": number(1),
    }
    places = {"value": {"at": [0, 0]}, "whole": {"at": [400, 0]}, "other": {"at": [0, 260]}}
    put(site, "to_undo", {"title": "Sums", "steps": steps, "layout": {"": {"steps": places}}})
    before = saved(site)
    canvas = await opened(page, "to_undo")
    async with step(page, "Move value"):
        x, y = await middle(canvas.get_by_role("article", name="Number").first.locator("header"))
        await draw(page, (x, y), (x + 40, y + 30))
    async with step(page, "Connect"):
        await draw(page, await middle(port(page, "value.out")), await middle(port(page, "whole.a")))
    async with step(page, "Set Value"):
        field = canvas.get_by_role("article", name="Number").last.get_by_label("Value", exact=True)
        await field.fill("7")
        await field.press("Enter")
    await head(canvas, "Round")
    for keys, label in {
        "Control+m": "Mute",
        "Alt+c": "Collapse",
        "ArrowDown": "Move",
        "Control+g": "Frame",
        "Control+d": "Paste",
        "Delete": "Delete",
    }.items():
        async with step(page, label):
            await page.keyboard.press(keys)
    async with step(page, "Title"):
        await page.get_by_role("textbox", name="Title", exact=True).fill("More sums")
        await canvas.locator(".react-flow__pane").click(position={"x": 300, "y": 400})
    async with step(page, "Lay out"):
        await page.keyboard.press("Shift+l")
    async with step(page, "Group"):
        await page.keyboard.press("Control+a")
        await page.keyboard.press("Control+Shift+e")
    after = await save(page, site)
    assert after != before
    await all_of(page, "Undo", 12)
    assert await save(page, site) == before
    await all_of(page, "Redo", 12)
    assert await save(page, site) == after


@asynccontextmanager
async def step(page: Page, label: str) -> AsyncIterator[None]:
    """Something that is one step to be undone."""
    yield
    await expect(page.get_by_role("button", name="Undo")).to_have_attribute("title", f"Undo: {label}")


async def all_of(page: Page, way: str, count: int) -> None:
    button = page.get_by_role("button", name=way)
    for _ in range(count):
        await button.click()
    await expect(button).to_be_disabled()


async def save(page: Page, site: Server) -> str:
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("button", name="Saved")).to_be_visible()
    return saved(site)


def saved(site: Server) -> str:
    return json.dumps(json.loads(site.ask("GET", "/api/workflows/to_undo").data))
