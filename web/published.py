"""Saved workflows as typed functions, and the description of every route that follows from the types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from engine.errors import TesseraError
from engine.events import Request
from web.openapi import describe
from web.route import EXPLAIN, KEY, MODE, WAIT, Route, answer, content, engine, flag, owner, record, whole
from web.runs import submit
from web.views import Submitted


async def call(request: web.Request) -> web.StreamResponse:
    """Call a saved workflow with its named inputs as the body; answers the run."""
    inputs = await record(request) if await content(request) else {}
    mode = whole(request, "mode", 0, high=2) if "mode" in request.query else None
    name, explain = request.match_info["name"], flag(request, "explain")
    await engine(request).library.check_published(name, owner(request))
    return await submit(request, Request(name, inputs, mode=mode, explain=explain))


async def openapi(request: web.Request) -> web.StreamResponse:
    """Describe every route and every saved workflow as OpenAPI 3.1."""
    apps: dict[str, dict[str, Any]] = {}
    for saved in await engine(request).library.names(owner(request)):
        try:
            if saved["published"]:
                apps[saved["name"]] = await engine(request).app_schema(saved["name"], owner(request))
        except TesseraError:
            continue  # it cannot be called as it is; `check` says why
    return answer(describe(request.app[DESCRIBED], apps))


DESCRIBED: web.AppKey[Iterable[Route]] = web.AppKey("described", Iterable)
"""Every route of the application."""
INPUTS = dict[str, Any]
ROUTES = (
    Route("POST", "/api/apps/{name}", call, "apps", Submitted, INPUTS, params=(MODE, EXPLAIN, WAIT, KEY)),
    Route("GET", "/api/openapi.json", openapi, "service", answer=dict[str, Any]),
)
