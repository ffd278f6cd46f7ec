"""A real server, and Debian's Chromium with a page on it that may say nothing is wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, ViewportSize, async_playwright

from engine.config import ROOT
from tests.serving import Server

SHOTS = ROOT / "build" / "screenshots"
"""Where every journey leaves a picture of its end."""
WINDOW = ViewportSize(width=1360, height=820)
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the starter model that all journeys share, as many people would."""
    with Server(tmp_path_factory.mktemp("browser") / "data", warm="true", mode="0") as server:
        yield server


@asynccontextmanager
async def browser(*more: str) -> AsyncIterator[Browser]:
    """Debian's Chromium, with these flags as well."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "The journeys need Chromium: apt install chromium"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *more])
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, site: Server, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page in a window of its own. What it throws, or warns of on its console, fails the journey."""
    context = await chromium.new_context(viewport=WINDOW, base_url=site.url, reduced_motion="reduce")
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
    yield page
    await keep(page, request.node.name)
    await context.close()
    expected = request.node.get_closest_marker("expects")
    wanted = expected.args if expected else ()
    assert [one for one in troubles if not any(word in one for word in wanted)] == []


async def keep(page: Page, name: str) -> Path:
    """A picture of what is on the screen."""
    path = SHOTS / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        await page.screenshot(path=path)
    except Error:
        return path  # the journey closed its own page
    return path
