"""Models being fetched for whoever asks: in the background, watched through events, stopped on request."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from threading import Event as Signal
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.config import Settings
from engine.errors import Conflict, NotFound, Problem, TesseraError
from engine.events import Event
from engine.fetch import Job, Stopped, check_allowed, fetch, target
from engine.remote import Remote
from engine.sources import Asked, Offer, offer
from engine.weights import Kind

FetchState = Literal["waiting", "running", "done", "failed", "stopped"]
AT_ONCE = 2
REMEMBERED = 100
OFTEN = 0.25
"""Seconds between two words about progress, at least."""
DEFECT = Problem("internal_error", remedy="The server's log says more; what came is kept for another try.")
Emit = Callable[[Event], Awaitable[object]]

log = logging.getLogger("tessera.fetches")


class Agreed(Asked, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A model to fetch, and the licence that was read."""

    licence: str
    """As the offer says it; empty where the source says none."""


class Fetching(Struct, frozen=True):
    """One model that is fetched, was, or could not be."""

    id: str
    name: str
    kind: Kind
    source: str
    licence: str
    state: FetchState
    bytes: int
    """Here already."""
    total: int
    created: float
    finished: float = 0.0
    place: str = ""
    """Where it lies now, within the models folder."""
    problem: Problem | None = None


class Fetches:
    """All of them since the start. `emit` keeps an event, `tell` only passes it on."""

    def __init__(self, settings: Settings, emit: Emit, tell: Callable[[Event], None]) -> None:
        self._settings = settings
        self._emit = emit
        self._tell = tell
        self._all: dict[str, Fetching] = {}
        self._tasks: dict[str, tuple[asyncio.Task[None], Signal]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def offer(self, asked: Asked) -> Offer:
        """What would be fetched, from its source; nothing is."""
        offered = await asyncio.to_thread(offer, asked, self._remote())
        target(offered, self._settings.fetch_to)
        return offered

    async def start(self, asked: Agreed) -> Fetching:
        """Fetch it from now on. Raises Conflict if the licence is not the one that was read."""
        check_allowed(self._settings.fetch_to)
        offered = await self.offer(asked)
        if asked.licence != offered.licence:
            raise Conflict(
                f"{offered.name} has the licence {offered.licence or '(none is said)'}.",
                remedy="Read it, and send it as `licence`.",
            )
        if any(f.source == offered.source and f.state in ("waiting", "running") for f in self._all.values()):
            raise Conflict(f"{offered.name} is being fetched already.")
        now = Fetching(
            secrets.token_hex(8), offered.name, offered.kind, offered.source, offered.licence,
            "waiting", 0, offered.bytes, time.time(),
        )  # fmt: skip
        self._remember(now)
        stop = Signal()
        task = asyncio.create_task(self._run(now.id, offered, stop))
        self._tasks[now.id] = (task, stop)
        return now

    def get(self, id: str) -> Fetching:
        if (found := self._all.get(id)) is None:
            raise NotFound("There is no such fetch.", remedy="GET /api/models/fetch lists them.")
        return found

    def list(self) -> list[Fetching]:
        """Newest first."""
        return list(self._all.values())[::-1]

    def stop(self, id: str) -> Fetching:
        """Stop it; what came is kept for another time."""
        found = self.get(id)
        if id in self._tasks:
            self._tasks[id][1].set()
        return found

    async def close(self) -> None:
        for _, stop in self._tasks.values():
            stop.set()
        await asyncio.gather(*(task for task, _ in self._tasks.values()), return_exceptions=True)

    def _remote(self) -> Remote:
        return Remote.of_environment(offline=self._settings.offline)

    def _remember(self, now: Fetching) -> None:
        self._all[now.id] = now
        over = [id for id in self._all if id not in self._tasks and id != now.id]
        for id in over[: max(0, len(self._all) - REMEMBERED)]:
            del self._all[id]

    async def _run(self, id: str, offered: Offer, stop: Signal) -> None:
        loop = asyncio.get_running_loop()
        spoken = 0.0

        def heard(done: int) -> None:
            self._all[id] = replace(self._all[id], bytes=done)
            data = {"id": id, "bytes": done, "total": offered.bytes}
            self._tell(Event("model.progress", data=data))

        def tell(done: int, total: int) -> None:
            nonlocal spoken
            if (now := time.monotonic()) - spoken >= OFTEN or done == total:
                spoken = now
                loop.call_soon_threadsafe(heard, done)

        try:
            async with self._slots:
                await self._now(id, state="running")
                job = Job(offered, self._settings.fetch_to, self._remote(), tell, stop)
                place = await asyncio.to_thread(fetch, job)
            await self._now(id, state="done", place=place, bytes=offered.bytes)
        except Stopped:
            await self._now(id, state="stopped")
        except TesseraError as error:
            await self._now(id, state="failed", problem=error.problems[0])
        except Exception:
            log.exception("%s could not be fetched", offered.source)
            await self._now(id, state="failed", problem=DEFECT)
        finally:
            del self._tasks[id]

    async def _now(self, id: str, **changed: object) -> None:
        now = replace(self._all[id], **changed)
        if now.state not in ("waiting", "running"):
            now = replace(now, finished=time.time())
        self._all[id] = now
        await self._emit(Event("model.fetch", data=msgspec.to_builtins(now)))
