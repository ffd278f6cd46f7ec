"""Drafts over HTTP: what editors have open, kept every few seconds."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Struct

from engine.drafts import Draft
from web.route import Param, Route, answer, document, engine, owner

OF = Param("name", "The workflow that it is of; left out, one that was never saved.")
BASE = Param("base", "The ETag of the version that it began with.")
ONLY = Param("name", "Only drafts of this workflow.")


class DraftList(Struct):
    """Drafts, newest first."""

    drafts: list[Draft]


async def listing(request: web.Request) -> web.StreamResponse:
    """List what editors have open and nobody saved."""
    return answer(DraftList(await engine(request).drafts.list(owner(request), request.query.get("name"))))


async def load(request: web.Request) -> web.StreamResponse:
    """Fetch a draft: the document as the editor left it."""
    data = await engine(request).drafts.get(draft_id(request), owner(request))
    return web.Response(body=data, content_type="application/json")


async def keep(request: web.Request) -> web.StreamResponse:
    """Keep a draft, finished or not; the workflow of its name stays as it is."""
    name, base = request.query.get("name", ""), request.query.get("base", "").strip('"')
    data = await document(request)
    return answer(
        await engine(request).drafts.put(draft_id(request), owner(request), data, name=name, base=base)
    )


async def drop(request: web.Request) -> web.StreamResponse:
    """Drop a draft; one that is gone already is no error."""
    await engine(request).drafts.delete(draft_id(request), owner(request))
    return web.Response(status=204)


def draft_id(request: web.Request) -> str:
    return request.match_info["id"]


ROUTES = (
    Route("GET", "/api/drafts", listing, "drafts", answer=DraftList, params=(ONLY,)),
    Route("GET", "/api/drafts/{id}", load, "drafts", answer=dict[str, Any]),
    Route("PUT", "/api/drafts/{id}", keep, "drafts", answer=Draft, body=dict[str, Any], params=(OF, BASE)),
    Route("DELETE", "/api/drafts/{id}", drop, "drafts", status=204, media=""),
)
