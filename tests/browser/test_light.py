"""What the app weighs, whom it asks, and that it works where a proxy puts it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page, Request, WebSocket, expect

from tests.serving import Server
from web.browser import BUILT

pytestmark = pytest.mark.asyncio(loop_scope="session")
KB = 1024
PREFIX = "/tessera"
HOP = {"Connection", "Transfer-Encoding", "Content-Length", "Content-Encoding", "Host"}


@pytest.mark.parametrize(("path", "most"), [("/", 120), ("/graph/text_to_image", 300)])
async def test_a_page_keeps_to_its_weight(page: Page, path: str, most: int) -> None:
    """All scripts and styles that the page loads, as they travel to a browser that unpacks gzip."""
    names: set[str] = set()
    page.on("request", lambda request: names.update(asset(request)))
    await page.goto(path)
    await expect(page.get_by_role("heading", level=1)).to_be_attached()
    await page.wait_for_load_state("networkidle")
    assert names
    weight = sum(packed(name) for name in names)
    assert weight <= most * KB, f"{weight / KB:.0f} KB: {sorted(names)}"


async def test_no_page_asks_another_host(page: Page, site: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/graph/text_to_image", "/gallery", "/queue", "/models", "/settings"):
        await page.goto(path)
        await page.wait_for_load_state("networkidle")
    own = (site.url, site.url.replace("http", "ws", 1), "blob:", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


@pytest.mark.model
async def test_create_works_behind_a_prefix_and_hears_of_its_run(page: Page, site: Server) -> None:
    async with behind(site.url) as address:
        heard: list[str] = []
        page.on("websocket", lambda socket: listen(socket, heard))
        await page.goto(f"{address}/")
        prompt = page.get_by_label("Prompt", exact=True)
        await prompt.fill("a boat behind a prefix")
        await prompt.press("Enter")
        await expect(page.get_by_role("img", name="a boat behind a prefix")).to_be_visible(timeout=90_000)
        assert heard[0] == f"{address}/ws".replace("http", "ws", 1)
        assert any('"job.state"' in said and '"done"' in said for said in heard[1:])
        await page.get_by_role("link", name="Queue", exact=True).click()
        await expect(page).to_have_url(re.compile(f"{PREFIX}/queue$"))
        await page.goto("about:blank")  # its websocket ends before the proxy does


def listen(socket: WebSocket, heard: list[str]) -> None:
    """Its address, and then what comes over it."""
    heard.append(socket.url)
    socket.on("framereceived", lambda data: heard.append(data) if isinstance(data, str) else None)


def asset(request: Request) -> set[str]:
    return set(re.findall(r"/assets/([\w.-]+\.(?:js|css))$", request.url))


def packed(name: str) -> int:
    file = BUILT / "assets" / name
    compressed = file.with_name(f"{name}.gz")
    return (compressed if compressed.is_file() else file).stat().st_size


@asynccontextmanager
async def behind(url: str) -> AsyncIterator[str]:
    """The server under a path of another, as a reverse proxy shows it."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def passed(request: web.Request) -> web.StreamResponse:
            to = url + request.raw_path.removeprefix(PREFIX)
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await joined(session, request, to)
            kept = {key: value for key, value in request.headers.items() if key not in HOP | {"Origin"}}
            async with session.request(request.method, to, headers=kept, data=await request.read()) as answer:
                back = {
                    key: value
                    for key, value in answer.headers.items()
                    if key not in HOP - {"Content-Encoding"}
                }
                return web.Response(status=answer.status, body=await answer.read(), headers=back)

        app = web.Application()
        app.router.add_route("*", PREFIX + "/{rest:.*}", passed)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            await runner.cleanup()


async def joined(session: aiohttp.ClientSession, request: web.Request, to: str) -> web.StreamResponse:
    """Pass on what the server says over its websocket; the app only listens."""
    here = web.WebSocketResponse()
    await here.prepare(request)
    async with session.ws_connect(to) as there:
        async for message in there:
            if here.closed:
                break
            if message.type is aiohttp.WSMsgType.TEXT:
                await here.send_str(message.data)
            else:
                await here.send_bytes(message.data)
    return here
