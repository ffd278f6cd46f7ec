"""Runs over HTTP: asked for, watched, steered and answered."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Struct

from engine.errors import Invalid, Problem, shown
from engine.events import FINAL, JOB_STATES, Event, Job, Request
from engine.verify import Verdict
from web import views
from web.problems import Handler
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
    parse_whole,
    seconds,
    whole,
)
from web.sockets import CLIENTS, STUCK, Line, encoded, follow, line_of, stored
from web.views import Run, RunSummary, Submitted

PAGE = 200
LINES = 1000


class RunList(Struct):
    """Runs, newest first; `next` is what to give as `before` to get those after them."""

    runs: list[RunSummary]
    next: str | None


class RunLog(Struct):
    """What the log says of a run, oldest first; `next` is what to give as `after` to get those after them."""

    events: list[Line]
    next: int | None


class Move(Struct, forbid_unknown_fields=True):
    """How a waiting run should be ordered anew."""

    priority: Annotated[int, Meta(ge=-100, le=100)] | None = None
    before: str | None = None
    """The id of the run it should come before."""
    after: str | None = None
    """Or that of the run it should come after."""


class Choice(Struct, forbid_unknown_fields=True):
    """A person's answer: one of the options."""

    choice: str


async def start(request: web.Request) -> web.StreamResponse:
    """Run a workflow, by its name in the library or as a document."""
    return await submit(request, await body(request, Request))


async def submit(request: web.Request, asked: Request) -> web.StreamResponse:
    """Queue it; answer at once, or when it is finished within the time the client would wait."""
    wait, key = seconds(request), idempotency_key(request)
    jobs = await engine(request).submit(asked, owner=owner(request), key=key)
    job = await engine(request).wait(jobs[0].id, wait) if wait else jobs[0]
    document = views.submitted(engine(request), job, [each.id for each in jobs])
    return answer(document, 200 if wait and job.state in FINAL else 202, {"Location": document.url})


async def show(request: web.Request) -> web.StreamResponse:
    """Show a run; with `wait`, as soon as it is finished or asks something."""
    wait, job = seconds(request), await named(request)
    if wait and job.state not in FINAL:
        job = await engine(request).wait(job.id, wait)
    return shown_run(request, job)


async def listing(request: web.Request) -> web.StreamResponse:
    """List runs, newest first."""
    state = request.query.get("state")
    if state is not None and state not in JOB_STATES:
        want = "one of " + ", ".join(JOB_STATES)
        raise Invalid([Problem("bad_parameter", input="state", got=shown(state), want=want)])
    limit = whole(request, "limit", 50, low=1, high=PAGE)
    jobs = await engine(request).jobs(
        owner=owner(request),
        state=state,
        before=request.query.get("before", ""),
        limit=limit,
    )
    runs = [views.summary(engine(request), job) for job in jobs]
    return answer(RunList(runs, jobs[-1].id if len(jobs) == limit else None))


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel a run."""
    return shown_run(request, await engine(request).cancel(run_id(request), owner=owner(request)))


async def move(request: web.Request) -> web.StreamResponse:
    """Change a waiting run's priority, or put it before or after another."""
    asked = await body(request, Move)
    if asked.priority is None and asked.before is None and asked.after is None:
        raise Invalid([Problem("nothing_asked", input="body", want="`priority`, `before` or `after`")])
    if asked.before is not None and asked.after is not None:
        raise Invalid([Problem("asked_twice", input="after", want="`before` or `after`, not both")])
    job = await engine(request).move(
        run_id(request),
        priority=asked.priority,
        before=asked.before,
        after=asked.after,
        owner=owner(request),
    )
    return shown_run(request, job)


async def retry(request: web.Request) -> web.StreamResponse:
    """Run a failed or cancelled run again; what it had finished is not done again."""
    return shown_run(request, await engine(request).retry(run_id(request), owner=owner(request)))


async def hold(request: web.Request) -> web.StreamResponse:
    """Keep a queued run from starting."""
    return shown_run(request, await engine(request).hold(run_id(request), owner=owner(request)))


async def release(request: web.Request) -> web.StreamResponse:
    """Let a held run start."""
    return shown_run(request, await engine(request).release(run_id(request), owner=owner(request)))


async def workflow(request: web.Request) -> web.StreamResponse:
    """Fetch the workflow as it was run: the document itself, inputs apart."""
    job = await named(request)
    return web.Response(body=job.document, content_type="application/json")


async def verify(request: web.Request) -> web.StreamResponse:
    """Do a finished run again without the cache, and say whether the same came out, or what differs."""
    verdict = await engine(request).verify(run_id(request), owner=owner(request))
    return answer(verdict)


async def choose(request: web.Request) -> web.StreamResponse:
    """Answer what a run asks; it goes on from there."""
    given = await body(request, Choice)
    call = request.match_info["call"]
    job = await engine(request).answer(run_id(request), call, given.choice, owner=owner(request))
    return shown_run(request, job)


async def events(request: web.Request) -> web.StreamResponse:
    """Follow a run by server-sent events, from a sequence number to its end."""
    last = request.headers.get("Last-Event-ID")
    after = whole(request, "after", 0) if last is None else parse_whole(last, "Last-Event-ID")
    job = await named(request)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    with request.app[CLIENTS].joined():
        await response.prepare(request)
        await narrate(request, response, job, after)
    return response


async def told(request: web.Request) -> web.StreamResponse:
    """Read what happened in a run so far: its events as they are in the log."""
    job = await named(request)
    after = whole(request, "after", 0)
    found = await engine(request).events(after, owner=owner(request), job=job.id, limit=LINES)
    lines = [line_of(event) for event in found]
    return answer(RunLog(lines, found[-1].seq if len(found) == LINES else None))


async def narrate(request: web.Request, response: web.StreamResponse, job: Job, after: int) -> None:
    """Send what happened and what happens, until the run is over."""
    over = job.state in FINAL
    async with aclosing(follow(engine(request), owner=owner(request), after=after, job=job.id)) as batches:
        async for batch, live in batches:
            for event in batch:
                if isinstance(event, Event):
                    await tell(response, sse(event))
                    if event.kind == "job.state":
                        over = event.data.get("state") in FINAL
            if live and over:
                return
            if not batch:
                await tell(response, b": still here\n\n")


async def tell(response: web.StreamResponse, line: bytes) -> None:
    """Write to a client that is given some time to take it."""
    try:
        async with asyncio.timeout(STUCK):
            await response.write(line)
    except TimeoutError:
        raise ConnectionResetError("the client takes nothing") from None


def sse(event: Event) -> bytes:
    """One server-sent event. Only stored events have an id, so that a reconnecting client misses none."""
    id = b"id: %d\n" % event.seq if stored(event) else b""
    return b"%sevent: %s\ndata: %s\n\n" % (id, event.kind.encode(), encoded(event))


async def named(request: web.Request) -> Job:
    return await engine(request).job(run_id(request), owner=owner(request))


def run_id(request: web.Request) -> str:
    return request.match_info["id"]


def shown_run(request: web.Request, job: Job) -> web.Response:
    return answer(views.run(engine(request), job))


def steering(path: str, handler: Handler) -> Route:
    return Route("POST", f"/api/runs/{{id}}/{path}", handler, "runs", answer=Run)


LIST = (
    Param("state", "Only runs in this state."),
    Param("before", "Only runs older than this one."),
    Param("limit", f"How many, 1 to {PAGE}.", "integer"),
)
SINCE = Param("after", "Only events after this sequence number.", "integer")
AFTER = (
    SINCE,
    Param("Last-Event-ID", "The same, as browsers send it when they reconnect.", where="header"),
)
ROUTES = (
    Route("POST", "/api/runs", start, "runs", answer=Submitted, body=Request, status=202, params=(WAIT, KEY)),
    Route("GET", "/api/runs", listing, "runs", answer=RunList, params=LIST),
    Route("GET", "/api/runs/{id}", show, "runs", answer=Run, params=(WAIT,)),
    Route("DELETE", "/api/runs/{id}", cancel, "runs", answer=Run),
    Route("PATCH", "/api/runs/{id}", move, "runs", answer=Run, body=Move),
    Route("GET", "/api/runs/{id}/workflow", workflow, "runs", answer=dict[str, Any]),
    steering("retry", retry),
    steering("hold", hold),
    steering("release", release),
    Route("POST", "/api/runs/{id}/verify", verify, "runs", answer=Verdict),
    Route("POST", "/api/runs/{id}/answers/{call:.+}", choose, "runs", answer=Run, body=Choice),
    Route("GET", "/api/runs/{id}/log", told, "runs", answer=RunLog, params=(SINCE,)),
    Route("GET", "/api/runs/{id}/events", events, "runs", media="text/event-stream", params=AFTER),
)
