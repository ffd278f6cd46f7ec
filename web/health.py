"""How the server is: alive, made of what, and in figures for Prometheus."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine.events import FINAL, JOB_STATES, Event, Preview
from engine.service import VERSION
from web.problems import Handler
from web.route import ENGINE, Route, answer, engine
from web.sockets import CLIENTS

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
STREAMS = ("/ws", "/api/runs/{id}/events")
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Health(Struct):
    """The server answers. Whether there is a worker does not matter to it."""

    status: str
    version: str
    worker: str
    queue: str


async def health(request: web.Request) -> web.StreamResponse:
    """Say that the server answers, worker or not."""
    dispatch = engine(request).dispatch
    queue = "paused" if dispatch.paused else "running"
    return answer(Health("ok", VERSION, dispatch.host.status()["state"], queue))


async def info(request: web.Request) -> web.StreamResponse:
    """Tell versions, devices, the worker, the queue and the room on the disk."""
    return answer(await engine(request).info())


async def metrics(request: web.Request) -> web.StreamResponse:
    """Count everything, for Prometheus."""
    found = request.app[METRICS]
    found.look((await engine(request).info())["queue"], clients=len(request.app[CLIENTS]))
    return web.Response(body=generate_latest(found.registry), headers={"Content-Type": TEXT})


class Metrics:
    """The figures of one server, counted as events and answers go by."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = Gauge("tessera_jobs", "Runs by state.", ["state"], registry=self.registry)
        self.finished = Counter(
            "tessera_jobs_finished", "Runs that ended, by how.", ["state"], registry=self.registry
        )
        self.steps = Counter(
            "tessera_steps",
            "Finished steps by where the result came from.",
            ["cache"],
            registry=self.registry,
        )
        self.events = Counter("tessera_events", "Events by kind.", ["kind"], registry=self.registry)
        self.clients = Gauge(
            "tessera_live_clients", "Open websockets and event streams.", registry=self.registry
        )
        self.requests = Histogram(
            "tessera_request_seconds",
            "Time to answer a request.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=LATENCIES,
        )

    def on(self, event: Event | Preview) -> None:
        """Count what the engine says."""
        if isinstance(event, Preview):
            self.events.labels("preview").inc()
            return
        self.events.labels(event.kind).inc()
        if event.kind == "job.state" and event.data.get("state") in FINAL:
            self.finished.labels(event.data["state"]).inc()
        if event.kind == "steps":
            self.count_steps(event.data.get("steps", {}))

    def count_steps(self, reports: dict[str, dict[str, Any]]) -> None:
        for report in reports.values():
            if report.get("state") == "done" and report.get("cache"):
                self.steps.labels(report["cache"]).inc()

    def look(self, queue: dict[str, Any], *, clients: int) -> None:
        """Take the figures that are read, not counted."""
        for state in JOB_STATES:
            self.jobs.labels(state).set(queue[state])
        self.clients.set(clients)


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Time every answer; streams have no duration worth knowing."""
    began = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "none"
    if route not in STREAMS:
        seconds = time.perf_counter() - began
        method = request.method if resource else "none"
        request.app[METRICS].requests.labels(method, route, str(response.status)).observe(seconds)
    return response


async def count(app: web.Application) -> AsyncIterator[None]:
    """Listen to the engine while the server is up."""
    app[ENGINE].subscribe(app[METRICS].on)
    yield
    app[ENGINE].unsubscribe(app[METRICS].on)


ROUTES = (
    Route("GET", "/api/health", health, "service", answer=Health),
    Route("GET", "/api/info", info, "service", answer=dict[str, Any]),
    Route("GET", "/metrics", metrics, "service", media="text/plain"),
)
