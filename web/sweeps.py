"""Comparisons over HTTP: one workflow run for many values, and the grid that comes of it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from engine.errors import Conflict
from engine.events import Job
from engine.service import Engine
from engine.sweeps import Sweep, SweepRequest
from web import views
from web.gallery import VIEWER, viewer
from web.route import Route, answer, body, engine, owner
from web.views import FileView


class SweepSummary(Sweep, frozen=True):
    """A comparison as it stands in a list."""

    cover: FileView | UnsetType = UNSET
    """What its first cell made."""


class SweepList(Struct):
    """Comparisons, newest first."""

    sweeps: list[SweepSummary]


class Cell(Struct):
    """The run of one pair of values, and what it made."""

    run: str
    state: str
    """As of a run; `gone` for one that is no longer known."""
    files: list[FileView]
    error: dict[str, str] | None


class SweepView(SweepSummary, frozen=True, kw_only=True):
    """A comparison with its cells."""

    cells: list[Cell]
    """Row by row."""


async def start(request: web.Request) -> web.StreamResponse:
    """Run a workflow once for each value of one or two inputs, to be compared."""
    asked = await body(request, SweepRequest)
    sweep = await engine(request).sweeps.start(asked, owner(request))
    return answer(await whole(request, sweep), 202, {"Location": f"/api/sweeps/{sweep.id}"})


async def listing(request: web.Request) -> web.StreamResponse:
    """List the comparisons, newest first."""
    here, whose = engine(request), owner(request)
    found = await here.sweeps.list(whose, viewer(request))
    firsts = {job.id: job for job in await here.jobs_store.some([one.runs[0] for one in found], whose)}
    covers = [await files(here, one.runs[0], firsts.get(one.runs[0]), whose) for one in found]
    summaries = [
        SweepSummary(**asdict(one), cover=cover[0] if cover else UNSET)
        for one, cover in zip(found, covers, strict=True)
    ]
    return answer(SweepList(summaries))


async def show(request: web.Request) -> web.StreamResponse:
    """Show a comparison with what each of its runs made."""
    sweep = await engine(request).sweeps.get(sweep_id(request), owner(request), viewer(request))
    return answer(await whole(request, sweep))


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel all runs of a comparison that are not over."""
    here, whose = engine(request), owner(request)
    for run in await here.sweeps.unfinished(sweep_id(request), whose):
        try:
            await here.cancel(run, owner=whose)
        except Conflict:
            continue  # it came to its end meanwhile
    return await show(request)


async def forget(request: web.Request) -> web.StreamResponse:
    """Forget a comparison; its pictures stay."""
    await engine(request).sweeps.delete(sweep_id(request), owner(request))
    return web.Response(status=204)


async def whole(request: web.Request, sweep: Sweep) -> SweepView:
    here, whose = engine(request), owner(request)
    known = await here.sweeps.runs(sweep, whose)
    cells = [await cell(here, run, known.get(run), whose) for run in sweep.runs]
    cover = next((made.files[0] for made in cells if made.files), UNSET)
    return SweepView(**asdict(sweep), cover=cover, cells=cells)


async def cell(here: Engine, run: str, job: Job | None, whose: str) -> Cell:
    error = views.plain(job.problem) if job is not None and job.problem is not None else None
    return Cell(run, job.state if job else "gone", await files(here, run, job, whose), error)


async def files(here: Engine, run: str, job: Job | None, whose: str) -> list[FileView]:
    """What a run made to be seen: its outputs, or what it saved if it names none."""
    outputs = job.outputs.values() if job else ()
    named = list(seen(views.output(here, value, whose) for value in outputs))
    if named or (job and job.state != "done"):
        return named
    saved = await here.assets.of_job(run, whose)
    return list(seen(views.file_named(one.id, one.artifact) for one in saved))


def seen(values: Any) -> Any:
    """The pictures and clips among some outputs, also in lists."""
    for value in values:
        if isinstance(value, list):
            yield from seen(value)
        elif isinstance(value, FileView) and value.mime.startswith(("image/", "video/")):
            yield value


def sweep_id(request: web.Request) -> str:
    return request.match_info["id"]


ROUTES = (
    Route("POST", "/api/sweeps", start, "sweeps", answer=SweepView, body=SweepRequest, status=202),
    Route("GET", "/api/sweeps", listing, "sweeps", answer=SweepList, params=(VIEWER,)),
    Route("GET", "/api/sweeps/{id}", show, "sweeps", answer=SweepView, params=(VIEWER,)),
    Route("POST", "/api/sweeps/{id}/cancel", cancel, "sweeps", answer=SweepView, params=(VIEWER,)),
    Route("DELETE", "/api/sweeps/{id}", forget, "sweeps", status=204, media=""),
)
