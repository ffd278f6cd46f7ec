"""Create and what belongs to it: prompts counted, apps published, masks painted, models missing, a phone."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import keep
from tests.hub import hub, safetensors
from tests.serving import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.model]
PATIENCE = 90_000  # ms for a picture on a busy machine
GREETING = {
    "tessera": 1,
    "title": "Greeting card",
    "steps": {
        "card": {"node": "gradient", "values": {"width": 96, "height": 64, "colours": ["navy", "teal"]}},
        "written": {
            "node": "draw_text",
            "values": {"text": "Hello", "size": 16},
            "wires": {"image": "card.out"},
        },
        "save": {"node": "save_image", "values": {"name": "card"}, "wires": {"image": "written.out"}},
    },
    "inputs": {},
    "outputs": {"picture": "save.out"},
    "published": False,
}
INKED = {
    "tessera": 1,
    "steps": {
        "model": {"node": "load_model"},
        "ink": {"node": "use_lora", "values": {"lora": "ink"}, "wires": {"model": "model.denoiser"}},
    },
}


async def called(line: str) -> Any:
    """What a terminal is answered."""
    process = await asyncio.create_subprocess_shell(f"{line} -s", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return json.loads(said)


async def test_the_prompt_says_how_long_it_is_and_weights_do_not_count(page: Page) -> None:
    await page.goto("/")
    prompt = page.get_by_label("Prompt", exact=True)
    await prompt.fill("a happy cat")
    await expect(page.get_by_text("5 / 77 tokens")).to_be_visible()
    await prompt.press("Control+ArrowUp")
    await expect(prompt).to_have_value("a happy (cat:1.05)")
    await expect(page.get_by_text("5 / 77 tokens")).to_be_visible()
    await prompt.fill("cat " * 80)
    await expect(page.get_by_text("84 / 154 tokens")).to_be_visible()


async def test_another_app_is_chosen_by_its_picture(page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("button", name="App: Text to image").click()
    apps = page.get_by_role("dialog", name="Apps")
    await apps.get_by_label("Find an app").fill("quote sentence")
    await apps.get_by_role("button", name="Words as a picture").click()
    await expect(page.get_by_role("button", name="App: Words as a picture")).to_be_visible()
    await page.get_by_role("button", name="Make").click()
    made = page.get_by_role("region", name="Result").get_by_role("img").first
    await expect(made).to_be_visible(timeout=PATIENCE)
    await expect(page.get_by_role("region", name="Today").get_by_role("button").first).to_be_visible()


async def test_a_workflow_is_published_and_called_with_curl(page: Page, site: Server) -> None:
    assert site.ask("PUT", "/api/workflows/greeting", GREETING).status == 201
    await page.goto("/graph/greeting")
    await page.get_by_role("tab", name="Exposed").click()
    await page.get_by_label("Add an input to the form").select_option("written.text")
    await page.get_by_label("Add an input to the form").select_option("card.width")
    panel = page.get_by_role("tabpanel", name="Inspector").or_(page.get_by_label("Inspector"))
    await panel.first.get_by_text("written.text").click()
    await page.get_by_label("Label of text").fill("What it says")
    await panel.first.get_by_text("card.width").click()
    await page.get_by_label("Section of width").fill("Size")
    await page.get_by_label("width at most").fill("200")
    await page.get_by_role("button", name="Publish").click()
    line = await page.get_by_test_id("curl").inner_text()
    assert (await called(line))["outputs"]["picture"]["width"] == 96
    beyond = line.split(" -d ")[0] + " -d '{\"width\": 500}'"
    assert (await called(beyond))["problems"][0]["want"] == "at most 200"
    await page.get_by_role("link", name="Its form on Create").click()
    await expect(page.get_by_label("What it says")).to_have_value("Hello")
    await expect(page.get_by_role("group").filter(has_text="Size")).to_be_visible()
    await page.goto("/graph/greeting")
    await page.get_by_role("tab", name="Exposed").click()
    await page.get_by_role("button", name="Unpublish").click()
    await expect(page.get_by_role("button", name="Publish", exact=True)).to_be_enabled()
    assert site.ask("POST", "/api/apps/greeting", {}).status == 404


async def test_a_mask_is_painted_over_a_result_and_drawn_anew(page: Page, site: Server) -> None:
    made = site.run("quote_card")
    await page.goto("/")
    await page.get_by_role("complementary", name="Made before").get_by_role("button").first.click()
    await page.get_by_role("button", name="Mask").click()
    painter = page.get_by_role("dialog", name="Paint a mask")
    sheet = painter.get_by_label("The mask")
    box = await sheet.bounding_box()
    assert box
    mouse = page.mouse
    await mouse.move(box["x"] + 40, box["y"] + 40)
    await mouse.down()
    await mouse.move(box["x"] + box["width"] / 2, box["y"] + 60, steps=5)
    await mouse.up()
    await painter.get_by_role("button", name="Invert").click()
    await painter.get_by_role("button", name="Undo").click()
    await painter.get_by_label("Soft edge").fill("4")
    await keep(page, "a_mask_is_painted")
    await painter.get_by_role("button", name="Use the mask").click()
    await expect(page.get_by_role("button", name="App: Draw anew what is painted over")).to_be_visible()
    await expect(page.get_by_role("img", name="What was chosen")).to_have_count(2)
    await page.get_by_text("Advanced").click()
    await page.get_by_label("Steps", exact=True).fill("2")
    await page.get_by_label("Prompt", exact=True).fill("stars on purple")
    await page.get_by_label("Prompt", exact=True).press("Enter")
    await expect(page.get_by_role("img", name="stars on purple")).to_be_visible(timeout=PATIENCE)
    assert made["state"] == "done"


async def test_a_node_s_picture_is_erased_where_it_is_painted_and_keeps_its_colours(
    page: Page, site: Server, tmp_path: Path
) -> None:
    file = tmp_path / "blue.png"
    Image.new("RGB", (40, 30), (10, 90, 200)).save(file)
    erased = {"tessera": 1, "steps": {"open": {"node": "load_image"}}}
    assert site.ask("PUT", "/api/workflows/erased", erased).status == 201
    await page.goto("/graph/erased")
    card = page.get_by_role("article", name="Load image")
    await card.locator("input[type=file]").set_input_files(file)
    await card.get_by_role("button", name="Paint a mask").click()
    painter = page.get_by_role("dialog", name="Paint a mask")
    await painter.get_by_label("The mask").click()
    await painter.get_by_role("button", name="Use the mask").click()
    await expect(painter).to_have_count(0)
    await page.keyboard.press("Control+s")
    await expect(page.get_by_role("button", name="Saved")).to_be_visible()
    id = site.get("/api/workflows/erased")["steps"]["open"]["values"]["image"]
    found = Image.open(io.BytesIO(site.ask("GET", f"/api/artifacts/{id}").data))
    assert (found.mode, found.size, found.getpixel((0, 0))) == ("RGBA", (40, 30), (10, 90, 200, 255))
    assert found.getpixel((20, 15)) == (10, 90, 200, 0)


@pytest.mark.expects("the server responded with a status of")
async def test_a_missing_model_says_what_it_is_and_where_from(page: Page) -> None:
    await page.goto("/?workflow=pixel_art")
    missing = page.get_by_role("region", name="What is missing")
    await expect(missing.get_by_role("heading", name="pixel-art-xl")).to_be_visible()
    await expect(missing).to_contain_text("huggingface.co/nerijs/pixel-art-xl")
    await expect(page.get_by_role("button", name="needs sdxl")).to_be_disabled()
    await page.goto("/graph/pixel_art")
    await page.get_by_role("tab", name="Issues").click()
    await expect(page.get_by_role("region", name="What is missing")).to_contain_text("lcm-lora-sdxl")
    await page.goto("/models")
    await expect(page.get_by_role("row", name="starter-xl model")).to_be_visible()


async def test_a_missing_model_is_fetched_by_one_button(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    async with hub() as source:
        source.put("org/style", **{"ink.safetensors": safetensors("lora_up", size=300_000)})
        monkeypatch.setenv("HF_ENDPOINT", source.url)
        with Server(tmp_path / "data", fetch_to=str(tmp_path / "models")) as server:
            assert server.ask("PUT", "/api/workflows/inked", INKED).status == 201
            context = await chromium.new_context(base_url=server.url)
            page = await context.new_page()
            await page.goto("/graph/inked")
            await page.get_by_role("tab", name="Issues").click()
            missing = page.get_by_role("region", name="What is missing")
            await missing.get_by_label("Nobody here knows where it comes from").fill("org/style")
            await missing.get_by_role("button", name="Ask").click()
            button = missing.get_by_role("button", name="Get ink")
            await expect(button).to_contain_text("300 kB, mit")
            await keep(page, "a_missing_model")
            await button.click()
            await expect(missing).to_have_count(0)
            await page.goto("/models")
            await expect(page.get_by_role("row", name="ink lora 300 kB")).to_be_visible()
            await context.close()


async def test_a_picture_that_is_dropped_goes_into_the_form(page: Page) -> None:
    await page.goto("/?workflow=image_to_image")
    file = "docs/images/sign_and_read.png"
    await page.get_by_label("Picture", exact=True).set_input_files(file)
    await expect(page.get_by_role("img", name="What was chosen")).to_be_visible()
    await page.get_by_role("button", name="Take it away").click()
    await expect(page.get_by_role("img", name="What was chosen")).to_have_count(0)
    await page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(8, 8)
            canvas.getContext('2d').fillRect(0, 0, 8, 8)
            const data = new DataTransfer()
            data.items.add(new File([await canvas.convertToBlob()], 'pasted.png', { type: 'image/png' }))
            document.querySelector('h1').dispatchEvent(
                new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))
        }"""
    )
    await expect(page.get_by_role("img", name="What was chosen")).to_be_visible()


async def test_a_picture_is_made_by_touch_on_a_phone(chromium: Browser, site: Server) -> None:
    context = await chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, base_url=site.url
    )
    page = await context.new_page()
    await page.goto("/?workflow=quote_card")
    make = page.get_by_role("button", name="Make")
    await make.tap()
    shown = page.get_by_role("region", name="Result").get_by_role("img").first
    await expect(shown).to_be_visible(timeout=PATIENCE)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390, "nothing stands out at the side"
    await page.get_by_role("button", name="Mask").tap()
    sheet = page.get_by_label("The mask")
    await sheet.tap()
    await expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    await page.get_by_role("button", name="Undo").tap()
    await a_pen_draws_and_the_hand_beside_it_does_not(page, sheet)
    await keep(page, "a_mask_on_a_phone")
    await page.get_by_role("button", name="Cancel").tap()
    await keep(page, "create_on_a_phone")
    await context.close()


async def a_pen_draws_and_the_hand_beside_it_does_not(page: Page, sheet: Locator) -> None:
    box = await sheet.bounding_box()
    assert box
    cdp = await page.context.new_cdp_session(page)
    for kind, across in (("mousePressed", 30), ("mouseMoved", 60), ("mouseReleased", 60)):
        at = {"x": box["x"] + across, "y": box["y"] + 30, "button": "left", "buttons": 1, "clickCount": 1}
        await cdp.send("Input.dispatchMouseEvent", {"type": kind, "pointerType": "pen", "force": 0.6, **at})
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_enabled()
    await sheet.tap(position={"x": 90, "y": 90})
    await undo.tap()
    await expect(undo).to_be_disabled()
