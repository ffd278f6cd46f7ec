"""Pictures of other programs, dropped: what they say of themselves is taken over."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image, PngImagePlugin
from playwright.async_api import Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")
SAYS = """a castle on a hill
Negative prompt: blurry
Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234567890, Size: 512x768, \
Model hash: 879db523c3, Model: dreamshaper_8, Clip skip: 2, Version: v1.6.0"""
DROP = """async ([data, name]) => {
    const given = new DataTransfer()
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
    given.items.add(new File([bytes], name, { type: 'image/png' }))
    const place = document.querySelector('main')
    place.dispatchEvent(new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true }))
}"""


def picture() -> str:
    """A PNG as Automatic1111 saves it, as base64."""
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", SAYS)
    data = io.BytesIO()
    Image.new("RGB", (16, 24), "teal").save(data, "PNG", pnginfo=text)
    return base64.b64encode(data.getvalue()).decode()


async def test_its_settings_fill_the_form_of_create(page: Page) -> None:
    await page.goto("/?workflow=text_to_image")
    form = page.get_by_role("form", name="What to make")
    prompt = form.get_by_label("Prompt", exact=True)
    await expect(prompt).to_be_visible()
    await page.evaluate(DROP, [picture(), "castle.png"])
    await expect(prompt).to_have_value("a castle on a hill")
    said = page.get_by_role("status").filter(has_text="Taken from the picture")
    await expect(said).to_contain_text("prompt, what to avoid, steps, guidance, seed, size, sampler")
    await expect(said).to_contain_text("dreamshaper_8 (that model is not here)")
    await expect(said).to_contain_text("Clip skip 2")
    await form.get_by_text("Advanced").click()
    await expect(form.get_by_label("Steps", exact=True)).to_have_value("25")
    await expect(form.get_by_label("Seed", exact=True)).to_have_value("1234567890")
    await said.get_by_role("button", name="Use the picture instead").click()
    await expect(form.get_by_text("Image to image", exact=True).first).to_be_visible()


async def test_on_the_graph_it_opens_text_to_image_filled_in(page: Page) -> None:
    await page.goto("/graph")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(page.get_by_role("tab", name="Nodes")).to_be_visible()
    await page.evaluate(DROP, [picture(), "castle.png"])
    sample = canvas.get_by_role("article", name="Sample")
    await expect(sample.get_by_label("Guidance")).to_have_value("6.5")
    await expect(sample.get_by_label("Seed", exact=True)).to_have_value("1234567890")
    await sample.click()
    inspector = page.get_by_role("complementary", name="Inspector")
    await expect(inspector.get_by_label("Spacing", exact=True)).to_contain_text("karras")
    await expect(page.get_by_role("status").filter(has_text="schedule")).to_be_visible()
