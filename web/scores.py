"""How good pictures are: have them scored, read their scores, and list files by them."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from aiohttp import web
from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.assets import AssetKind
from engine.errors import Invalid, Problem, shown
from engine.evaluate import Evaluate
from engine.evaluations import Evaluation, Order, Ranked, Wanted
from engine.events import FINAL, Job, JobState
from web import views
from web.route import (
    KEY,
    WAIT,
    Param,
    Route,
    answer,
    body,
    engine,
    idempotency_key,
    owner,
    seconds,
    whole,
)
from web.views import FileView

PAGE = 200
DATA = re.compile(r"data:image/[\w.+-]+(?:;[\w.+-]+=[\w.+-]*)*(;base64)?,", re.IGNORECASE)


class Scored(Struct):
    """A picture and what was measured of it."""

    id: str
    url: str
    scores: dict[str, float]


class Evaluated(Struct):
    """The run that scores, and once it is done the scores, in the order of the pictures."""

    run: str
    url: str
    state: JobState
    pictures: list[Scored]
    error: dict[str, str] | None


class Kept(FileView, kw_only=True):
    """A file with what is known of it."""

    kind: AssetKind
    run: str
    """The run that made it last; empty for an upload."""
    created: float
    """Seconds since 1970."""
    scores: dict[str, float]
    """The newest of each metric."""


class KeptList(Struct):
    """Files in the order that was asked for; `next` is what to give as `before` to get those after them."""

    artifacts: list[Kept]
    next: str | None


class ScoreList(Struct):
    """Every score of a file, the newest first."""

    scores: list[Evaluation]


async def evaluate(request: web.Request) -> web.StreamResponse:
    """Score pictures: how well they fit a prompt, how like a reference they are, how sharp, how colourful."""
    asked, wait, key = await body(request, Evaluate), seconds(request), idempotency_key(request)
    images = [await kept(request, each, f"images[{place}]") for place, each in enumerate(asked.images)]
    reference = asked.reference and await kept(request, asked.reference, "reference")
    asked = replace(asked, images=images, reference=reference)
    job = await engine(request).evaluate(asked, owner=owner(request), key=key)
    job = await engine(request).wait(job.id, wait) if wait else job
    found = evaluated(job, images)
    return answer(found, 200 if wait and job.state in FINAL else 202, {"Location": found.url})


async def kept(request: web.Request, picture: str, place: str) -> str:
    """The id of a picture, which is kept first if it came along."""
    head = DATA.match(picture)
    if head is None:
        return picture
    try:
        data = unquote_to_bytes(picture[head.end() :])
        data = base64.b64decode(data, validate=True) if head[1] else data
    except (binascii.Error, ValueError):
        want = "base64 after the comma"
        raise Invalid([Problem("bad_data_url", input=place, got=shown(picture), want=want)]) from None
    return await engine(request).add_artifact(data, owner=owner(request))


def evaluated(job: Job, images: list[str]) -> Evaluated:
    pictures = [
        Scored(id, views.url_of_file(id), {metric: values[place] for metric, values in job.outputs.items()})
        for place, id in enumerate(images if job.outputs else ())
    ]
    error = views.plain(job.problem) if job.problem else None
    return Evaluated(job.id, views.url_of(job.id), job.state, pictures, error)


async def listing(request: web.Request) -> web.StreamResponse:
    """List files, newest first or by a score."""
    wanted = wanted_by(request)
    found = await engine(request).evaluations.artifacts(owner(request), wanted)
    last = found[-1].asset.id if len(found) == wanted.limit else None
    return answer(KeptList([shown_kept(one) for one in found], last))


def wanted_by(request: web.Request) -> Wanted:
    query = request.query
    metric, order = query.get("metric", ""), chosen(request, "order", Order)
    least, most = (number(request, name) for name in ("least", "most"))
    needs = next((name for name in ("least", "most") if name in query), "order" if order else "")
    if needs and order != "newest" and not metric:
        raise Invalid([Problem("missing_parameter", input="metric", want=f"the score that `{needs}` means")])
    return Wanted(
        kind=chosen(request, "kind", AssetKind),
        run=request.query.get("run"),
        metric=metric,
        order=order or ("highest" if metric else "newest"),
        least=least,
        most=most,
        before=query.get("before", ""),
        limit=whole(request, "limit", 50, low=1, high=PAGE),
    )


def chosen(request: web.Request, name: str, menu: Any) -> Any:
    """One of a few words from the query."""
    raw = request.query.get(name)
    if raw is not None and raw not in get_args(menu):
        want = "one of " + ", ".join(get_args(menu))
        raise Invalid([Problem("bad_parameter", input=name, got=shown(raw), want=want)])
    return raw


def number(request: web.Request, name: str) -> float | None:
    """A number from the query."""
    raw = request.query.get(name)
    try:
        value = None if raw is None else float(raw)
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise Invalid([Problem("bad_parameter", input=name, got=shown(raw), want="a number")])
    return value


def shown_kept(one: Ranked) -> Kept:
    asset = one.asset
    file = asdict(views.file_named(asset.id, asset.artifact))
    return Kept(**file, kind=asset.kind, run=asset.job, created=asset.created, scores=one.scores)


async def scores(request: web.Request) -> web.StreamResponse:
    """List every score of a file: what was measured, when, by which run and model, and against what."""
    return answer(ScoreList(await engine(request).evaluations.of(request.match_info["id"], owner(request))))


LIST = (
    Param("metric", "Only files with this score, the highest first."),
    Param("order", "`highest`, `lowest` or `newest`."),
    Param("least", "Only files whose score is at least this.", "number"),
    Param("most", "Only files whose score is at most this.", "number"),
    Param("kind", "`output`: only what runs made; `input`: only uploads."),
    Param("run", "Only what this run made."),
    Param("before", "Only files that come after this one in that order."),
    Param("limit", f"How many, 1 to {PAGE}.", "integer"),
)
ROUTES = (
    Route(
        "POST",
        "/api/evaluate",
        evaluate,
        "scores",
        answer=Evaluated,
        body=Evaluate,
        status=202,
        params=(WAIT, KEY),
    ),
    Route("GET", "/api/artifacts", listing, "scores", answer=KeptList, params=LIST),
    Route("GET", "/api/artifacts/{id}/scores", scores, "scores", answer=ScoreList),
)
