"""Take the documentation's pictures of the browser app again.

python -m tests.app_pictures [NAME ...]
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.async_api import Page, ViewportSize, async_playwright, expect

from engine.config import ROOT
from tests.gallery_pictures import LARGEST
from tests.serving import Server

IMAGES = ROOT / "docs" / "images"
WINDOW = ViewportSize(width=1360, height=820)
PATIENCE = 120_000  # ms for a picture
PROMPTS = (
    "a happy orange cat with a blue hat",
    "a red house by a blue sea at sunset",
    "a woman in a green shirt waving, pink background",
    "three yellow stars on a purple background",
    "an angry robot on a green background",
    "a small boat on the sea under a yellow moon",
)
ALL_SHOWN = """[...document.images].every((image) => {
  const { top, width } = image.getBoundingClientRect()
  return image.complete || width === 0 || top > innerHeight
})"""
"""Whether every picture on the screen is there; those far below wait until they are looked at."""
Shoot = Callable[[Page], Awaitable[None]]


async def create(page: Page) -> None:
    """The first picture, from words alone."""
    await page.goto("/")
    prompt = page.get_by_label("Prompt", exact=True)
    await prompt.fill("a happy orange cat with a blue hat")
    await prompt.press("Enter")
    await expect(page.get_by_role("img", name="a happy orange cat")).to_be_visible(timeout=PATIENCE)


async def graph(page: Page) -> None:
    """The same as a graph, run."""
    await page.goto("/graph/text_to_image")
    canvas = page.get_by_role("region", name="Workflow")
    await expect(canvas.get_by_text("Encode text").first).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(canvas.get_by_role("img", name="What was made")).to_be_visible(timeout=PATIENCE)


async def gallery(page: Page) -> None:
    """What was made."""
    await page.goto("/gallery")
    await expect(page.get_by_role("list", name="Made here").get_by_role("button").nth(5)).to_be_visible()


PICTURES: dict[str, Shoot] = {"app_create": create, "app_graph": graph, "app_gallery": gallery}


async def main(names: list[str]) -> None:
    """Take those that are named, or all."""
    with TemporaryDirectory() as folder, Server(Path(folder) / "data", mode="0") as server:
        for seed, prompt in enumerate(PROMPTS, 3):
            server.run("text_to_image", prompt=prompt, seed=seed)
        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
            context = await chromium.new_context(
                viewport=WINDOW, base_url=server.url, reduced_motion="reduce"
            )
            for name in names or PICTURES:
                page = await context.new_page()
                await PICTURES[name](page)
                async with asyncio.timeout(20):
                    while not await page.evaluate(ALL_SHOWN):
                        await page.wait_for_timeout(100)
                keep(await page.screenshot(), IMAGES / f"{name}.png")
                await page.close()
            await chromium.close()


def keep(shot: bytes, path: Path) -> None:
    """Save a picture, with fewer colours if it would be too large otherwise."""
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").save(path, optimize=True)
        if path.stat().st_size > LARGEST:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size <= LARGEST, f"{path.name} has {path.stat().st_size:,} bytes"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
