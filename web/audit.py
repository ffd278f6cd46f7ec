"""The log as evidence, over HTTP, for whoever runs this server: exported, verified, sealed."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from engine.audit import Noted, Report, Sealed, exported
from web.route import Param, Route, admin, answer, body, engine, whole
from web.sockets import STUCK

LINES = "application/x-ndjson"
DAY = 86_400


class Older(Struct, forbid_unknown_fields=True):
    """Which lines to seal away."""

    days: Annotated[float, Meta(ge=0, le=36_500)]


async def export(request: web.Request) -> web.StreamResponse:
    """Export the log as JSON lines, each chained to the one before."""
    admin(request)
    after = whole(request, "after", 0)
    response = web.StreamResponse(headers={"Content-Type": LINES})
    await response.prepare(request)
    async for page in engine(request).audit.lines(after):
        async with asyncio.timeout(STUCK):
            await response.write(exported(page))
    await response.write_eof()
    return response


async def verify(request: web.Request) -> web.StreamResponse:
    """Follow the chain of the log: finds an edit, a gap, another order, and that a noted line is gone."""
    admin(request)
    return answer(await engine(request).audit.verify(await body(request, Noted)))


async def seal(request: web.Request) -> web.StreamResponse:
    """Delete lines older than so many days; the log keeps how they ended, so that the rest stays provable."""
    admin(request)
    older = await body(request, Older)
    sealed = await engine(request).audit.seal(time.time() - older.days * DAY)
    return answer(sealed or Sealed(0, 0, ""))


AFTER = Param("after", "Only lines after this number.", "integer")
ROUTES = (
    Route("GET", "/api/audit", export, "audit", media=LINES, params=(AFTER,)),
    Route("POST", "/api/audit/verify", verify, "audit", answer=Report, body=Noted),
    Route("POST", "/api/audit/seal", seal, "audit", answer=Sealed, body=Older),
)
