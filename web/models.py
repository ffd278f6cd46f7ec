"""The models of this machine, and those that can be fetched."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from engine import tokens
from engine.config import Settings
from engine.fetches import Agreed, Fetching
from engine.known import KNOWN, Known
from engine.models import Models as Shelf
from engine.sources import Asked
from engine.tokens import Count
from engine.weights import on_disk
from web.route import Param, Route, answer, body, engine

KIND = Param("kind", "Only models of this kind.")


class Model(Struct):
    """A model on this machine."""

    name: str
    kind: str
    layout: str
    bytes: int
    source: str
    part_of: str
    """The model that it is a part of, which can be loaded alone; empty for a model of its own."""


class Short(Struct):
    """A well-known model, and the short name that fetches it."""

    name: str
    kind: str
    source: str
    """The page where it is published."""
    licence: str
    """Empty where only its source says it."""
    bytes: int
    """0 where only its source says it."""


class Text(Struct, forbid_unknown_fields=True):
    """A prompt to be measured."""

    text: str
    model: str = "starter"


class Models(Struct):
    """What is here, and what could be."""

    models: list[Model]
    known: list[Short]
    bytes: int
    """What these models take on disk together: what several of them share is counted once."""


class Offered(Struct):
    """A model that can be fetched, as its source announces it."""

    name: str
    kind: str
    source: str
    revision: str
    licence: str
    bytes: int
    files: int
    gated: bool
    converted: bool
    """Comes as a pickle, and is converted here."""
    place: str
    """Where it will lie, within the models folder."""


class FetchList(Struct):
    """Newest first."""

    fetches: list[Fetching]


async def models(request: web.Request) -> web.StreamResponse:
    """List the models on this machine, and the short names of those that can be fetched."""
    wanted = request.query.get("kind")
    found = await engine(request).models()
    here = [
        Model(file.name, file.kind, file.layout, file.bytes, file.source, file.part_of)
        for file in found
        if wanted in (None, file.kind)
    ]
    paths = [file.path for file in found if wanted in (None, file.kind)]
    known = [
        Short(name, one.kind, page_of(one), one.licence, one.bytes)
        for name, one in KNOWN.items()
        if wanted in (None, one.kind)
    ]
    return answer(Models(here, known, await asyncio.to_thread(on_disk, paths)))


def page_of(short: Known) -> str:
    """Where a person can read about it."""
    return f"https://huggingface.co/{short.hub}" if short.hub else short.url


async def count(request: web.Request) -> web.StreamResponse:
    """Count the tokens of a prompt, marks understood, as the model's own tokenizer does."""
    asked = await body(request, Text)
    return answer(await asyncio.to_thread(counted, engine(request).settings, asked))


def counted(settings: Settings, asked: Text) -> Count:
    return tokens.count(Shelf.of(settings).find(asked.model), asked.text)


async def offer(request: web.Request) -> web.StreamResponse:
    """Ask the source of a model for its size and licence, without fetching it."""
    found = await engine(request).fetches.offer(await body(request, Asked))
    view = Offered(
        found.name, found.kind, found.source, found.revision, found.licence, found.bytes, len(found.pieces),
        found.gated, found.pickled, found.place,
    )  # fmt: skip
    return answer(view)


async def fetch(request: web.Request) -> web.StreamResponse:
    """Start to fetch a model whose licence was read."""
    started = await engine(request).fetches.start(await body(request, Agreed))
    return answer(plain(started), 202, {"Location": f"/api/models/fetch/{started.id}"})


async def fetches(request: web.Request) -> web.StreamResponse:
    """List what is being fetched, and what was since the server started."""
    return answer({"fetches": [plain(one) for one in engine(request).fetches.list()]})


async def fetched(request: web.Request) -> web.StreamResponse:
    """Say how far one fetch is."""
    return answer(plain(engine(request).fetches.get(request.match_info["id"])))


async def stop(request: web.Request) -> web.StreamResponse:
    """Stop fetching; what came is kept, and fetching it again goes on from there."""
    engine(request).fetches.stop(request.match_info["id"])
    return web.Response(status=204)


def plain(found: Fetching) -> dict[str, Any]:
    """A fetch as clients see it, its problem with all fields."""
    problem = msgspec.structs.asdict(found.problem) if found.problem else None
    return {**msgspec.structs.asdict(found), "problem": problem}


ROUTES = (
    Route("GET", "/api/models", models, "models", answer=Models, params=(KIND,)),
    Route("POST", "/api/tokens", count, "models", answer=Count, body=Text),
    Route("POST", "/api/models/offer", offer, "models", answer=Offered, body=Asked),
    Route("POST", "/api/models/fetch", fetch, "models", answer=Fetching, body=Agreed, status=202),
    Route("GET", "/api/models/fetch", fetches, "models", answer=FetchList),
    Route("GET", "/api/models/fetch/{id}", fetched, "models", answer=Fetching),
    Route("DELETE", "/api/models/fetch/{id}", stop, "models", status=204, media=""),
)
