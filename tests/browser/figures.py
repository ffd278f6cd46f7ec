"""What the browser app costs, measured in a page: a drag, memory after runs, a reload in mid-run."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from playwright.async_api import Page, expect

from tests.browser import large
from tests.serving import Server

PATIENCE = 90_000  # ms for a run on a busy machine
DRAGGED = 80  # frames
JITLESS = "--js-flags=--jitless"
"""So that the machine code, which V8 makes of what runs often, is not taken for something that is kept."""
RECORD = """() => {
    window.frames_seen = []
    let last = performance.now()
    const next = (now) => { window.frames_seen.push(now - last); last = now; requestAnimationFrame(next) }
    requestAnimationFrame(next)
}"""
NEAREST = """([x, y]) => {
    const far = ([left, top]) => Math.hypot(left - x, top - y)
    const heads = [...document.querySelectorAll('.react-flow__node header')].map((head) => {
        const { left, top, width, height } = head.getBoundingClientRect()
        return [left + width / 2, top + height / 2]
    })
    return heads.sort((one, other) => far(one) - far(other))[0]
}"""
NEXT_FRAME = "new Promise(done => requestAnimationFrame(done))"
DICE: dict[str, Any] = {
    "title": "Dice",
    "steps": {"roll": {"node": "random_number", "values": {"seed": 1}}},
    "outputs": {"number": "roll.out"},
}
GRAIN: dict[str, Any] = {
    "title": "Grain",
    "steps": {
        "plain": {"node": "solid", "values": {"width": 64, "height": 64, "colour": "teal"}},
        "grain": {"node": "add_noise", "values": {"seed": 1}, "wires": {"image": "plain.out"}},
        "save": {"node": "save_image", "wires": {"image": "grain.out"}},
    },
    "outputs": {"picture": "save.out"},
}
"""Another picture each time, without a model."""


async def frame_of_a_drag(page: Page, site: Server, count: int) -> float:
    """The 95th of a hundred frames, in ms, while a card of a graph of so many is dragged at full size."""
    put(site, f"large_{count}", large.workflow(count))
    await page.goto(f"/graph/large_{count}")
    await expect(page.get_by_label("Title", exact=True)).to_have_value(f"{count} steps")
    pane = await page.get_by_role("region", name="Workflow").bounding_box()
    assert pane
    x, y = pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2
    await page.mouse.move(x, y)
    while not (near := await page.evaluate(NEAREST, [x, y])):
        await page.mouse.wheel(0, -400)
        await page.evaluate(NEXT_FRAME)
    await page.mouse.click(*near)
    await page.keyboard.press(".")
    chosen = page.locator(".react-flow__node.selected header")
    await chosen.hover()
    box = await chosen.bounding_box()
    assert box
    x, y = box["x"] + 60, box["y"] + 10
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.evaluate(RECORD)
    for turn in range(DRAGGED):
        await page.mouse.move(x + 2 * (turn % 40), y + turn)
        await page.evaluate(NEXT_FRAME)
    frames: list[float] = await page.evaluate("window.frames_seen")
    await page.mouse.up()
    return sorted(frames)[int(0.95 * len(frames))]


async def heap_after(page: Page, site: Server, workflow: dict[str, Any], *counts: int) -> list[float]:
    """MB that scripts hold once so many runs were made in one page, after collecting what is garbage."""
    put(site, "over_and_over", workflow)
    await page.goto("/graph/over_and_over")
    await page.get_by_label("Ways to run").click()
    await page.get_by_role("radio", name="One more").check()
    await page.keyboard.press("Escape")
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    made, found = 0, []
    for count in counts:
        for _ in range(count - made):
            await one_run(page)
        made = count
        await asyncio.sleep(1.5)  # addresses of pictures are given back a second after their last use
        await session.send("HeapProfiler.collectGarbage")
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        found.append(next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize") / 1e6)
    return found


async def one_run(page: Page) -> None:
    """Run what is open, to its end."""
    async with page.expect_response(lambda one: one.request.method == "POST") as answer:
        await page.keyboard.press("Control+Enter")
    run = (await (await answer.value).json())["id"]
    await page.request.get(f"/api/runs/{run}?wait=60")


async def seconds_until_all_is_back(page: Page) -> float:
    """From a reload in the middle of a run until its step, its way and its preview are seen again."""
    await page.goto("/graph/text_to_image")
    canvas = page.get_by_role("region", name="Workflow")
    steps = canvas.get_by_role("textbox", name="Steps")
    await steps.fill("150")
    await steps.press("Enter")
    await page.get_by_role("button", name="Roll a new seed").first.click()
    await page.keyboard.press("Control+Enter")
    preview = page.get_by_role("img", name="What is being made")
    await expect(preview).to_be_visible(timeout=PATIENCE)
    began = time.perf_counter()
    await page.reload(wait_until="commit")
    await preview.wait_for()
    way = canvas.get_by_role("article", name="Sample", exact=True).locator("header").get_by_text("%")
    await way.wait_for()
    stop = page.get_by_role("button", name="Stop")
    await stop.wait_for()
    took = time.perf_counter() - began
    await expect(page.get_by_role("link", name="Queue: 1 not finished")).to_be_visible()
    await stop.click()
    await expect(stop).to_be_hidden()
    return took


def put(site: Server, name: str, workflow: dict[str, Any]) -> None:
    body = json.dumps({"tessera": 1, **workflow}).encode()
    assert site.ask("PUT", f"/api/workflows/{name}", body).status in (200, 201)
