"""A small hub of models on this machine, which really serves bytes, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Any, NamedTuple

from aiohttp import web

from engine.fetch import Job, fetch
from engine.remote import Remote
from engine.sources import Asked, Offer, offer

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin", ".pth", ".onnx")


class Seen(NamedTuple):
    """A request as it came."""

    path: str
    range: str
    authorization: str


class Hub:
    """Repositories as names and bytes. What it gets wrong is set from outside."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.files: dict[str, bytes] = {}
        """What lies at /files/NAME, as on any web server."""
        self.about: dict[str, Any] = {"cardData": {"license": "mit"}}
        self.listed: Callable[[dict[str, Any]], None] = lambda sibling: None
        """Changes what is said of a file."""
        self.breaks = 0
        """Connections that break half-way before one holds."""
        self.served: Callable[[bytes], bytes] = lambda data: data
        """Changes the bytes that are sent."""
        self.ranges = True
        self.away: dict[str, str] = {}
        """Paths that redirect elsewhere."""
        self.token = ""
        self.code = ""
        """What it says of a refusal."""
        self.slow = False
        """Send half of a file, and then nothing until `drop`."""
        self.seen: list[Seen] = []
        self.url = ""
        self._dropped = asyncio.Event()

    async def drop(self) -> None:
        """Break every connection that hangs."""
        self._dropped.set()

    def put(self, repo: str, **files: bytes) -> None:
        self.repos.setdefault(repo, {}).update(files)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = request.headers
        self.seen.append(Seen(request.path, headers.get("Range", ""), headers.get("Authorization", "")))
        if request.path in self.away:
            raise web.HTTPFound(self.away[request.path])
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized(headers={"X-Error-Code": self.code} if self.code else None)
        parts = request.path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.describe("/".join(parts[2:4]))
        if parts[0] == "files":
            return await self.send(request, self.files[parts[-1]])
        if parts[0] == "cdn":
            return await self.send(request, self.stored()[parts[1]])
        data = self.repos.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        if data is None:
            raise web.HTTPNotFound
        if request.path.endswith(LARGE):
            raise web.HTTPFound(f"/cdn/{sha256(data)}?signature=secret")
        return await self.send(request, data)

    def stored(self) -> dict[str, bytes]:
        return {sha256(data): data for files in self.repos.values() for data in files.values()}

    def describe(self, repo: str) -> web.Response:
        if repo not in self.repos:
            raise web.HTTPNotFound
        siblings = [self.sibling(name, data) for name, data in self.repos[repo].items()]
        return web.json_response({"id": repo, "sha": REVISION, "siblings": siblings, **self.about})

    def sibling(self, name: str, data: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git(data)}
        if name.endswith(LARGE):
            found["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
        self.listed(found)
        return found

    async def send(self, request: web.Request, data: bytes) -> web.StreamResponse:
        data = self.served(data)
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.ranges else 0
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(data) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        await response.prepare(request)
        middle = start + max(1, (len(data) - start) // 2)
        await response.write(data[start:middle])
        if self.breaks > 0 or self.slow:
            self.breaks -= 1
            assert request.transport is not None
            if self.slow:
                await self._dropped.wait()
            request.transport.abort()
            return response
        await response.write(data[middle:])
        return response


@asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    """One that listens on a free port."""
    found = Hub()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    served = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await served.setup()
    try:
        await web.TCPSite(served, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{served.addresses[0][1]}"
        yield found
    finally:
        await served.cleanup()


async def asked(site: Hub, what: str, **more: Any) -> Offer:
    """What the hub offers under a name or an address."""
    return await asyncio.to_thread(offer, Asked(what, **more), Remote(site.url, site.token))


async def bring(site: Hub, top: Path, what: str, **more: Any) -> str:
    """Its place in the models folder, once it is there."""
    return await took(site, top, await asked(site, what, **more))


async def took(site: Hub, top: Path, offered: Offer, stop: Signal | None = None) -> str:
    """Where an offer came to lie."""
    job = Job(offered, top, Remote(site.url, site.token), lambda *_: None, stop or Signal(), patience=0.01)
    return await asyncio.to_thread(fetch, job)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def safetensors(*names: str, size: int = 1000) -> bytes:
    """A file with a tensor of each name, as large as is said."""
    count = size // 4
    entries = {
        name: {"dtype": "F32", "shape": [count], "data_offsets": [i * count * 4, (i + 1) * count * 4]}
        for i, name in enumerate(names)
    }
    head = json.dumps(entries).encode()
    body = b"".join(struct.pack("<f", i) * count for i in range(len(names)))
    return len(head).to_bytes(8, "little") + head + body
