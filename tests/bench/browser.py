"""The browser app in Chromium: large graphs, a page that stays open, a reload in the middle of a run."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page

from tests.bench.table import Row
from tests.browser import figures
from tests.browser.conftest import WINDOW
from tests.browser.conftest import browser as chromium
from tests.serving import Server

SMALL, LARGE = 100, 2000  # nodes
EARLY, LATE = 20, 200  # runs
RELOADS = 5


@asynccontextmanager
async def window(*flags: str) -> AsyncIterator[tuple[Page, Server]]:
    """A page and the server that it shows."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data", mode="0") as server:
        async with chromium(*flags) as found:
            yield await found.new_page(base_url=server.url, viewport=WINDOW), server


async def browser() -> list[Row]:
    """Ratios where the machine would be measured otherwise."""
    async with window() as (page, server):
        frames = {count: await figures.frame_of_a_drag(page, server, count) for count in (SMALL, LARGE)}
        reloads = [await figures.seconds_until_all_is_back(page) for _ in range(RELOADS)]
    async with window(figures.JITLESS) as (page, server):
        early, late = await figures.heap_after(page, server, figures.GRAIN, EARLY, LATE)
    ratio = frames[LARGE] / frames[SMALL]
    grown = (late / early - 1) * 100
    return [
        Row("11", f"a card dragged among {LARGE:,} nodes: p95 frame against {SMALL}", ratio, "times", 2),
        Row("11", f"the same: p95 frame among {LARGE:,}", frames[LARGE], "ms"),
        Row("11", f"{LATE} runs in one page: its memory against run {EARLY}", grown, "%", 5),
        Row("11", "its memory at the end", late, "MB"),
        Row("11", "a reload in the middle of a run: all of it again", statistics.median(reloads), "s", 1),
    ]
