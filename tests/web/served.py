"""A real server on a free port, over an engine whose worker runs in this process."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from engine.service import Engine
from web.app import build, runner
from web.route import Route

Json = dict[str, Any]


class Answer(Struct):
    """What the server said."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def codes(self) -> list[str]:
        """The codes of a problem document's problems."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        return [problem["code"] for problem in self.json["problems"]]


class Site:
    """A server and one client of it."""

    def __init__(self, engine: Engine, session: aiohttp.ClientSession, served: web.AppRunner) -> None:
        self.engine = engine
        self.session = session
        self.stop = served.cleanup
        port = served.addresses[0][1]
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def ask(self, method: str, path: str, body: object = None, /, **options: Any) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        if body is not None:
            headers = {"Content-Type": "application/json", **options.pop("headers", {})}
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            options |= {"headers": headers, "data": io.BytesIO(data)}
        address = URL(self.url + path, encoded=True)  # as it is: %2f stays %2f
        async with self.session.request(method, address, **options) as answer:
            return Answer(answer.status, CIMultiDict(answer.headers), await answer.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: object = None, /, **options: Any) -> Answer:
        return await self.ask("POST", path, body, **options)

    async def run(self, workflow: Json, **inputs: Any) -> Json:
        """Run a workflow to its end; the run document."""
        answer = await self.post("/api/runs?wait=60", {"workflow": workflow, "inputs": inputs})
        assert answer.status in (200, 202), answer.body
        found: Json = answer.json
        return found

    async def raw(self, data: bytes) -> bytes:
        """Send bytes as they are on a connection of their own; the answer, as it is."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                return head + await (reader.readexactly(int(length[1])) if length else reader.read())
        finally:
            writer.close()


@asynccontextmanager
async def serving(*routes: Route, **settings: Any) -> AsyncIterator[Site]:
    """A server with these settings, and perhaps further routes, while it is needed."""
    async with Engine.local(**settings) as engine:
        app = build(engine)
        for route in routes:
            app.router.add_route(route.method, route.path, route.handler)
        served = runner(app)
        await served.setup()
        try:
            await web.TCPSite(served, "127.0.0.1", 0).start()
            async with aiohttp.ClientSession() as session:
                yield Site(engine, session, served)
        finally:
            await served.cleanup()


def sum_of(a: float = 1, b: float = 2) -> Json:
    """A workflow with inputs `a` and `b` and the output `sum`."""
    return {
        "tessera": 1,
        "title": "Sum",
        "steps": {"add": {"node": "add", "version": 1, "values": {"a": a, "b": b}}},
        "inputs": {"a": {"to": ["add.a"], "title": "First"}, "b": {"to": ["add.b"]}},
        "outputs": {"sum": "add.out"},
    }


def chain(length: int, start: float = 0) -> Json:
    """A workflow that counts from `start` in as many steps."""
    steps: Json = {"s0": {"node": "add", "version": 1, "values": {"a": start, "b": 1}}}
    for i in range(1, length):
        steps[f"s{i}"] = {"node": "add", "version": 1, "values": {"b": 1}, "wires": {"a": f"s{i - 1}.out"}}
    return {"tessera": 1, "steps": steps, "outputs": {"count": f"s{length - 1}.out"}}


def question() -> Json:
    """A workflow that asks a person."""
    return {
        "tessera": 1,
        "steps": {
            "ask": {
                "node": "ask",
                "version": 1,
                "values": {"question": "Which?", "options": ["left", "right"]},
            }
        },
        "outputs": {"choice": "ask.choice"},
    }


def png(width: int = 8, height: int = 8) -> bytes:
    """A picture, red."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = (b"\0" + b"\xff\0\0" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
