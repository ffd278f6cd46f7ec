"""The application: an Engine in, every route out."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from engine.service import Engine
from web import (
    artifacts,
    audit,
    browser,
    drafts,
    examples,
    explained,
    gallery,
    guard,
    health,
    models,
    pages,
    palette,
    published,
    receipts,
    runs,
    scores,
    sockets,
    sweeps,
    templates,
    workflows,
)
from web.artifacts import UPLOADS, UPLOADS_AT_ONCE
from web.health import METRICS, Metrics
from web.problems import answer_problems, http_refusal, malformed, unforeseen
from web.published import DESCRIBED
from web.route import ENGINE, Route
from web.sockets import CLIENTS, Clients

ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *palette.ROUTES,
    *examples.ROUTES,
    *models.ROUTES,
    *workflows.ROUTES,
    *templates.ROUTES,
    *drafts.ROUTES,
    *runs.ROUTES,
    *receipts.ROUTES,
    *sockets.ROUTES,
    *artifacts.ROUTES,
    *explained.ROUTES,
    *scores.ROUTES,
    *gallery.ROUTES,
    *sweeps.ROUTES,
    *published.ROUTES,
    *audit.ROUTES,
    *guard.ROUTES,
    *pages.ROUTES,
    *browser.ROUTES,
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SHUTDOWN = 2.0  # seconds that answers under way have when the server stops


def build(engine: Engine) -> web.Application:
    """Everything that the engine offers, as a web application."""
    app = web.Application(
        middlewares=[health.measure, answer_problems, guard.guard],
        client_max_size=engine.settings.document_limit,
    )
    app[ENGINE] = engine
    app[CLIENTS] = Clients()
    app[METRICS] = Metrics()
    app[UPLOADS] = asyncio.Semaphore(UPLOADS_AT_ONCE)
    app[DESCRIBED] = ROUTES
    for route in ROUTES:
        for path in (route.path, *route.also):
            app.router.add_route(route.method, path, route.handler)
            if route.method == "GET" and route.media and route.media != "text/event-stream":
                app.router.add_route("HEAD", path, route.handler)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(say_goodbye)
    app.cleanup_ctx.append(health.count)
    return app


def runner(app: web.Application) -> web.AppRunner:
    """Serves the application; also what is no HTTP request at all gets a problem document."""
    return Runner(app, access_log=None, shutdown_timeout=SHUTDOWN)


class Runner(web.AppRunner):
    """An AppRunner whose connections are ours."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = Server
        return server


class Server(web.Server):
    """Makes our kind of connection."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """Answers in problem documents also where no route is reached."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read or served, and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if status >= 500:
            self.log_exception("A request could not be served", exc_info=exc)
        response = unforeseen() if status >= 500 else malformed(status)
        response.headers.update(HEADERS)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Keep the log for what is our fault: a client's garbled body is not."""
        theirs = isinstance(kw.get("exc_info"), web.RequestPayloadError)
        (self.log_debug if theirs else super().log_exception)(*args, **kw)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; one that aiohttp made becomes one of ours."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = http_refusal(resp)
        return await super().finish_response(request, resp, start_time)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "Tessera"  # not which version of what, which helps nobody but attackers


async def say_goodbye(app: web.Application) -> None:
    await app[CLIENTS].leave()
