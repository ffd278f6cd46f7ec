"""Why a picture looks as it does: which of its words was heeded where."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from engine import explained
from engine.errors import NotFound
from engine.service import Engine
from web import views
from web.route import Route, answer, engine, owner
from web.views import FileView


class WordView(Struct):
    """A word of the prompt."""

    word: str
    score: float
    """The part of all that was heeded of words."""
    heatmap: FileView
    """Where it was heeded, white where most."""


class LeftOutView(Struct):
    """What a picture would be without a word."""

    word: str
    difference: float
    """The mean distance of the colours in Lab."""


class ExplanationView(Struct):
    """Which word of a prompt was heeded where in a picture."""

    picture: str
    """The id of the picture."""
    report: FileView
    """This, as it was saved."""
    text: str
    words: list[WordView]
    rest: float
    """The part of the attention that no word had."""
    overlay: FileView
    """The picture and all words on a sheet."""
    guidance: list[float]
    """How far the prompt moved each step, if that is known."""
    left_out: list[LeftOutView]
    """How different the picture would be without each word, if that was tried."""
    made: dict[str, str]
    """By what, and how."""
    layers: list[str]
    """The layers that were looked at."""
    verdicts: list[dict[str, Any]]
    """What checkers said of the picture, as its receipt has it."""


async def explanation(request: web.Request) -> web.StreamResponse:
    """Tell which word of the prompt was heeded where in a picture, if that was saved with it."""
    id, whose = request.match_info["id"], owner(request)
    here = engine(request)
    report, said = await explained.explanation(here.assets, here.store, id, whose)

    async def file(sha256: Any) -> FileView:
        named = here.assets.id_of(whose, str(sha256))
        return views.file_named(named, await here.artifact(named, owner=whose))

    try:
        words = [{**word, "heatmap": await file(word["heatmap"])} for word in said["words"]]
        told = {
            "left_out": [], **said, "picture": id, "words": words, "overlay": await file(said["overlay"]),
            "report": views.file_named(report.id, report.artifact),
            "verdicts": await verdicts(here, id),
        }  # fmt: skip
        return answer(msgspec.convert(told, ExplanationView))
    except (KeyError, TypeError, msgspec.ValidationError):
        raise NotFound("The explanation of this picture cannot be read.", remedy="Make it again.") from None


async def verdicts(here: Engine, id: str) -> list[dict[str, Any]]:
    try:
        return (await here.proofs.papers.get(id)).receipt.verdicts
    except NotFound:
        return []


ROUTES = (Route("GET", "/api/artifacts/{id}/explanation", explanation, "artifacts", ExplanationView),)
