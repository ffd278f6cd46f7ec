"""What comes along to begin with: shipped workflows by section, each with a picture that it made."""

from __future__ import annotations

from functools import cache

import msgspec
from aiohttp import web
from msgspec import Struct

from engine.errors import NotFound
from web.browser import BUILT
from web.route import Route, answer

KEPT = {"Cache-Control": "public, max-age=604800", "Content-Type": "image/webp"}


class Template(Struct, frozen=True):
    """A shipped workflow, as the docs tell of it."""

    name: str
    title: str
    section: str
    says: str
    """What it is for."""
    pictured: bool


class Templates(Struct, frozen=True):
    """In the order of the docs."""

    templates: list[Template]


async def templates(request: web.Request) -> web.StreamResponse:
    """List the shipped workflows by section, with what each is for."""
    return answer(shelf())


async def picture(request: web.Request) -> web.StreamResponse:
    """Fetch a small picture of what a shipped workflow made."""
    name = request.match_info["name"]
    if not any(one.name == name and one.pictured for one in shelf().templates):
        raise NotFound(f"There is no picture of {name}.")
    return web.FileResponse(BUILT / "templates" / f"{name}.webp", headers=KEPT)


@cache
def shelf() -> Templates:
    """As they were put together when the app was built; none without it."""
    try:
        return msgspec.json.decode((BUILT / "templates.json").read_bytes(), type=Templates)
    except FileNotFoundError:
        return Templates([])


ROUTES = (
    Route("GET", "/api/templates", templates, "workflows", answer=Templates),
    Route("GET", "/api/templates/{name}/picture", picture, "workflows", media="image/webp"),
)
