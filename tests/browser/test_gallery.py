"""What was made, found again: looked at, sorted out, and used for the next one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 90_000  # ms until a worker on a busy machine has made its first picture
TILE: dict[str, Any] = {
    "tessera": 1,
    "title": "Tile",
    "steps": {
        "plain": {"node": "solid", "values": {"width": 96, "height": 64, "colour": "red"}},
        "save": {"node": "save_image", "values": {"metadata": "full"}, "wires": {"image": "plain.out"}},
    },
    "inputs": {"prompt": {"to": ["plain.colour"], "title": "Prompt"}},
    "outputs": {"picture": "save.out"},
}


async def made(page: Page, colours: list[str]) -> list[str]:
    """Pictures of these colours, the last one newest; their ids."""
    headers, ids = {"Content-Type": "application/json"}, []
    await page.request.put("/api/workflows/tile", data=json.dumps(TILE), headers=headers)
    for colour in colours:
        asked = json.dumps({"workflow": "tile", "inputs": {"prompt": colour}})
        answer = await page.request.post("/api/runs?wait=60", data=asked, headers=headers, timeout=PATIENCE)
        ids.append((await answer.json())["outputs"]["picture"]["id"])
    return ids


async def test_a_picture_is_found_and_its_settings_go_back_to_create(page: Page) -> None:
    await made(page, ["teal", "olive"])
    await page.goto("/gallery")
    pictures = page.get_by_role("list", name="Made here")
    await page.get_by_label("Search the gallery").fill("tea")
    await expect(pictures.get_by_role("button")).to_have_count(1)
    await page.get_by_label("Filter by workflow").select_option("tile")
    await expect(page.get_by_text("1 picture", exact=True)).to_be_visible()
    await pictures.get_by_role("button", name="teal").click()
    details = page.get_by_role("complementary", name="Details")
    await expect(details.get_by_text("96 × 64")).to_be_visible()
    await expect(details.get_by_text("PNG")).to_be_visible()
    await details.get_by_role("button", name="Reuse all").click()
    form = page.get_by_role("form", name="What to make")
    await expect(form.get_by_text("Tile", exact=True).first).to_be_visible()
    await expect(form.get_by_label("Prompt", exact=True)).to_have_value("teal")


async def test_a_picture_goes_on_in_an_app_that_takes_one(page: Page) -> None:
    [id] = await made(page, ["salmon"])
    await page.goto("/gallery?text=salmon")
    pictures = page.get_by_role("list", name="Made here")
    await pictures.get_by_role("button", name="salmon").first.click()
    details = page.get_by_role("complementary", name="Details")
    await details.get_by_role("button", name="Use as input").click()
    apps = page.get_by_role("dialog", name="Go on with this picture")
    await apps.get_by_role("button", name="Image to image", exact=True).wait_for()
    await apps.get_by_label("Find an app").fill("outline")
    await apps.get_by_role("button", name="A line drawing", exact=True).click()
    form = page.get_by_role("form", name="What to make")
    await expect(form.get_by_text("A line drawing", exact=True).first).to_be_visible()
    await expect(form.get_by_role("img", name="What was chosen")).to_have_attribute("src", re.compile(id))


async def test_stars_tags_and_a_delete_that_is_taken_back(page: Page) -> None:
    await made(page, ["navy", "purple"])
    await page.goto("/gallery?text=navy")
    pictures = page.get_by_role("list", name="Made here")
    await pictures.get_by_role("button", name="navy").click()
    await page.get_by_role("button", name="Star", exact=True).click()
    await page.get_by_label("Add a tag", exact=True).fill("night")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Take the tag night away")).to_be_visible()
    await page.goto("/gallery?starred=true")
    await page.get_by_label("Filter by tag").select_option("night")
    tile = pictures.get_by_role("button", name="navy, starred")
    await expect(pictures.get_by_role("button")).to_have_count(1)
    await tile.focus()
    await page.keyboard.press("Delete")
    await expect(page.get_by_text("No picture fits.")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(tile).to_be_visible()
    await tile.focus()
    await page.keyboard.press("Delete")
    await page.get_by_role("button", name="Trash (1)").click()
    await pictures.get_by_role("button", name="navy").click()
    await page.get_by_role("button", name="Bring back").click()
    await expect(page.get_by_text("The trash is empty.")).to_be_visible()


async def test_two_pictures_are_compared_and_looked_into_by_keyboard(page: Page) -> None:
    await made(page, ["maroon", "silver"])
    await page.goto("/gallery")
    pictures = page.get_by_role("list", name="Made here")
    await pictures.get_by_role("button", name="silver").first.focus()
    await page.keyboard.press("x")
    await page.keyboard.press("ArrowRight")
    await expect(pictures.get_by_role("button", name="maroon").first).to_be_focused()
    await page.keyboard.press("x")
    await page.get_by_role("button", name="Compare").click()
    slider = page.get_by_role("slider", name="How much of the left picture is shown")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(slider).to_have_value("0")
    await expect(page.get_by_role("img", name="Right: silver")).to_be_visible()
    await page.keyboard.press("Escape")
    await pictures.get_by_role("button", name="silver").first.focus()
    await page.keyboard.press("Space")
    near = page.get_by_role("dialog", name="silver")
    await expect(near).to_be_visible()
    await page.keyboard.press("1")
    await expect(near.get_by_label("Size")).to_have_text("100 %")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("dialog", name="maroon")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


DROP = """async ([url, name]) => {
    const data = new DataTransfer()
    const bytes = await (await fetch(url)).blob()
    data.items.add(new File([bytes], name, { type: 'image/png' }))
    const place = document.querySelector('main')
    place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
}"""


async def test_a_dropped_picture_brings_its_workflow_back(page: Page) -> None:
    [id] = await made(page, ["gold"])
    await page.goto("/graph")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(page.get_by_role("tab", name="Nodes")).to_be_visible()
    await page.evaluate(DROP, [f"/api/artifacts/{id}", "gold.png"])
    await expect(canvas.get_by_role("article", name="Solid")).to_be_visible()
    await expect(canvas.get_by_role("article", name="Save image")).to_be_visible()


async def test_a_picture_is_put_onto_the_graph_and_dragged_onto_its_node(page: Page) -> None:
    gold, _ = await made(page, ["gold", "tomato"])
    await page.goto("/graph")
    canvas = page.get_by_role("region", name="Workflow")
    await page.get_by_role("tab", name="Pictures").click()
    await page.get_by_role("button", name="Add: tomato").first.click()
    card = canvas.get_by_role("article", name="Load image")
    await expect(card.get_by_role("img", name="What was chosen")).to_be_visible()
    await page.get_by_role("button", name="Add: gold").first.drag_to(card.get_by_role("img"))
    await expect(card.get_by_role("img")).to_have_attribute("src", re.compile(gold))


@pytest.mark.model
async def test_a_picture_says_which_word_was_heeded_where(page: Page) -> None:
    asked = {"workflow": "text_to_image", "inputs": {"prompt": "a yellow lemon", "steps": 4}}
    headers = {"Content-Type": "application/json"}
    await page.request.post("/api/runs?wait=60", data=json.dumps(asked), headers=headers, timeout=PATIENCE)
    await page.goto("/gallery?text=lemon")
    await page.get_by_role("button", name="a yellow lemon").click()
    details = page.get_by_role("complementary", name="Details")
    await details.get_by_role("button", name="Explain").click()
    explain = details.get_by_role("button", name="Explain", exact=True)
    await expect(details.get_by_role("button", name="Being explained…")).to_be_visible()
    await expect(explain).to_be_visible(timeout=PATIENCE)
    await explain.click()
    words = page.get_by_role("list", name="Words of the prompt")
    await words.get_by_role("button", name="lemon").click()
    await expect(page.get_by_role("img", name="Where “lemon” was heeded")).to_be_visible()
