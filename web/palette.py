"""The nodes that can be used, and the packs that could not be loaded."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from web.route import Route, engine, matches, quoted


class Palette(Struct):
    """Every node with its ports, and every pack that failed with the reason."""

    nodes: list[dict[str, Any]]
    failed: list[dict[str, Any]]


async def nodes(request: web.Request) -> web.StreamResponse:
    """List every node with its help, inputs and outputs, and the packs that failed to load."""
    data = msgspec.json.encode(engine(request).palette())
    etag = hashlib.sha256(data).hexdigest()[:32]
    if matches(request, etag):
        return web.Response(status=304, headers=quoted(etag))
    response = web.Response(
        body=data,
        content_type="application/json",
        headers={**quoted(etag), "Cache-Control": "private, no-cache"},
    )
    response.enable_compression()
    return response


ROUTES = (Route("GET", "/api/nodes", nodes, "nodes", answer=Palette),)
