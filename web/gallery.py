"""The gallery over HTTP: what was made, found and sorted out by people."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import asdict

from engine.errors import Invalid, NotFound, Problem
from engine.gallery import Change, Filters, Item, Kind, Wanted
from engine.safety import mode_for
from engine.service import Engine
from web import views
from web.route import Param, Route, answer, body, engine, flag, owner, whole
from web.scores import chosen, number
from web.views import FileView

PAGE = 200
MOST_AT_ONCE = 1000


class MadeView(FileView, kw_only=True):
    """A picture, clip or sound that a run made."""

    run: str
    """The run that made it last."""
    created: float
    """Seconds since 1970."""
    mode: int
    """In which it was made: 0 Safe, 1 Research, 2 NSFW."""
    workflow: str
    """The name of its workflow; empty if that was not a saved one."""
    title: str
    prompt: str
    """The words that say what is to be seen, as far as one can tell."""
    starred: bool
    tags: list[str]
    trashed: float | None
    """When it was thrown away."""
    explained: bool
    """Whether its run kept a report, which most likely explains it."""


class MadeList(Struct):
    """A page of the gallery, newest first."""

    items: list[MadeView]
    next: str | None
    """What to give as `before` to get those after them."""
    total: int | None
    """How many there are; told with the first page only."""
    hidden: int | None
    """How many more were made above the viewer's mode; told with the first page only."""


class Changed(Struct):
    """How many files there were to change."""

    changed: int


class Emptied(Struct):
    """How many files were deleted for good."""

    deleted: int


class Recipe(Struct):
    """How to make a file again."""

    name: str
    """Of the workflow in the library; empty if it was not a saved one, or came out of the file itself."""
    workflow: dict[str, Any]
    inputs: dict[str, Any]
    seeds: dict[str, Any]
    """By step and input, as they were used."""


async def search(request: web.Request) -> web.StreamResponse:
    """Find what was made by its words, model, workflow, tag, day, mode or star; newest first."""
    found = await engine(request).gallery.search(owner(request), wanted_by(request))
    following = str(found.next) if found.next else None
    return answer(MadeList([view(item) for item in found.items], following, found.total, found.hidden))


async def filters(request: web.Request) -> web.StreamResponse:
    """List the workflows, models and tags of what was made, the most frequent first."""
    return answer(await engine(request).gallery.filters(owner(request), viewer(request)))


async def show(request: web.Request) -> web.StreamResponse:
    """Tell what the gallery knows of one file."""
    id = request.match_info["id"]
    return answer(view(await engine(request).gallery.get(owner(request), id, viewer(request))))


async def change(request: web.Request) -> web.StreamResponse:
    """Star, tag, throw away or bring back some files."""
    asked = await body(request, Change)
    if len(asked.ids) > MOST_AT_ONCE:
        want = f"at most {MOST_AT_ONCE}"
        raise Invalid([Problem("too_many", input="ids", got=str(len(asked.ids)), want=want)])
    return answer(Changed(await engine(request).gallery.change(owner(request), asked)))


async def empty(request: web.Request) -> web.StreamResponse:
    """Delete for good what lies in the trash, with the receipts and cached results of it."""
    return answer(Emptied(await engine(request).retention.empty(time.time() + 1, owner(request))))


async def recipe(request: web.Request) -> web.StreamResponse:
    """Fetch the workflow that made a file, and what it was given: enough to draw or make it again."""
    id, here = request.match_info["id"], engine(request)
    kept = await here.proofs.recipe(id, owner(request))
    name = await name_of(here, id, owner(request))
    return answer(Recipe(name, msgspec.json.decode(kept.document), kept.inputs, kept.receipt.seeds))


async def name_of(here: Engine, id: str, owner: str) -> str:
    try:
        return (await here.gallery.get(owner, id)).workflow
    except NotFound:
        return ""


def wanted_by(request: web.Request) -> Wanted:
    query = request.query
    return Wanted(
        **{name: query.get(name, "") for name in ("text", "model", "workflow", "tag")},
        since=number(request, "since"),
        until=number(request, "until"),
        mode=whole(request, "made_in", 0, high=2) if "made_in" in query else None,
        most=viewer(request),
        starred=flag(request, "starred"),
        kind=chosen(request, "kind", Kind),
        trash=flag(request, "trash"),
        before=whole(request, "before", 0),
        limit=whole(request, "limit", 60, low=1, high=PAGE),
    )


def viewer(request: web.Request) -> int:
    """The mode of whoever looks: at most the one that is allowed here."""
    asked = whole(request, "mode", 0, high=2) if "mode" in request.query else None
    return mode_for(engine(request).settings, owner(request), asked)


def view(item: Item) -> MadeView:
    known = {name: getattr(item, name) for name in KNOWN}
    file = asdict(views.file_named(item.id, item.artifact))
    return MadeView(**file, **known, trashed=item.trashed or None)


KNOWN = ("run", "created", "mode", "workflow", "title", "prompt", "starred", "tags", "explained")
VIEWER = Param("mode", "The viewer's mode: nothing above it is shown. 0, 1 or 2.", "integer")
SEARCH = (
    Param("text", "Words of its prompt, inputs, model, workflow, name or tags; the beginning is enough."),
    Param("model", "Only what this model took part in."),
    Param("workflow", "Only what this workflow of the library made."),
    Param("tag", "Only what has this tag."),
    Param("since", "Only what was made at this time or later, in seconds since 1970.", "number"),
    Param("until", "Only what was made before this time.", "number"),
    Param("made_in", "Only what was made in this mode: 0, 1 or 2.", "integer"),
    VIEWER,
    Param("starred", "Only what has a star.", "boolean"),
    Param("kind", "`picture`, `clip` or `sound`."),
    Param("trash", "What was thrown away, instead of the rest.", "boolean"),
    Param("before", "`next` of the page before."),
    Param("limit", f"How many, 1 to {PAGE}.", "integer"),
)
ROUTES = (
    Route("GET", "/api/gallery", search, "gallery", MadeList, params=SEARCH),
    Route("PATCH", "/api/gallery", change, "gallery", Changed, Change),
    Route("GET", "/api/gallery/filters", filters, "gallery", Filters, params=(VIEWER,)),
    Route("DELETE", "/api/gallery/trash", empty, "gallery", Emptied),
    Route("GET", "/api/gallery/{id}", show, "gallery", MadeView, params=(VIEWER,)),
    Route("GET", "/api/artifacts/{id}/recipe", recipe, "receipts", Recipe),
)
