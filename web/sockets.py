"""Live clients: one bounded queue each, progress coalesced, and the log for whoever fell behind."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web
from msgspec import Struct

from engine.errors import TesseraError
from engine.events import Event, Preview
from engine.service import Engine
from web.route import Param, Route, engine, owner, whole

Item = Event | Preview
Batch = tuple[list[Item], bool]
"""What is to be sent next, and whether it is news: False while the log is being replayed."""

QUEUE_BYTES = 4 * 1024**2
QUEUE_ITEMS = 4096
LOG_PAGE = 100
TICK = 0.02  # seconds between two batches: what comes faster than 50 a second is seen by nobody
QUIET = 15.0  # seconds without news after which a sign of life is sent
STUCK = 30.0  # seconds a client may take to make room for one message
HEARTBEAT = 20.0
MAX_CLIENTS = 256
MAX_MESSAGE = 4096
TOO_SLOW = 4008
PASSING = ("progress", "preview", "model.progress")
PREVIEW_HEAD = struct.Struct(">BBH")  # version 1, kind 1, length of the JSON header
log = logging.getLogger("tessera.web")


class Line(Struct):
    """An event as clients see it."""

    seq: int
    kind: str
    at: float
    job: str
    data: dict[str, Any]


class Outbox:
    """What one client has yet to be sent. It never grows past its bounds.

    Progress and previews replace the older one of their step where it stands. When stored events are too
    many, all is forgotten and `behind` set: the client is then served from the log, at its own pace.
    """

    def __init__(self, owner: str, job: str = "") -> None:
        self.owner, self.job = owner, job
        self.behind = True
        self._items: dict[object, tuple[Item, int]] = {}
        self._bytes = 0
        self._news = asyncio.Event()

    def put(self, item: Item) -> None:
        """Take in what the engine says, if it concerns this client. Never blocks."""
        if item.owner not in ("", self.owner) or (self.job and item.job != self.job):
            return
        if self.behind:
            self._news.set()
            return
        key = key_of(item)
        older, known = self._items.get(key, (None, 0))
        item = merged(older, item)
        size = size_of(item)
        full = older is None and len(self._items) >= QUEUE_ITEMS
        if full or self._bytes + size - known > QUEUE_BYTES:
            if stored(item):
                self.fall_behind()
            return
        self._items[key] = (item, size)
        self._bytes += size - known
        self._news.set()

    def take(self) -> list[Item]:
        """Everything that waits, in order."""
        items = [item for item, _ in self._items.values()]
        self._items.clear()
        self._bytes = 0
        self._news.clear()
        return items

    def fall_behind(self) -> None:
        self.take()
        self.behind = True
        self._news.set()

    async def news(self) -> None:
        """Return when there is something to send, or after a while of silence."""
        try:
            async with asyncio.timeout(QUIET):
                await self._news.wait()
        except TimeoutError:
            return


class Clients:
    """Who follows the engine right now; more than a few hundred are refused."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def joined(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= MAX_CLIENTS:
            raise Busy(remedy="Close some of the pages that are open.")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def leave(self) -> None:
        """End all of them: the server is going down."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Busy(TesseraError):
    """Too many clients are connected at once."""

    status = 503
    code = "busy"


CLIENTS: web.AppKey[Clients] = web.AppKey("clients", Clients)


async def follow(engine: Engine, *, owner: str, after: int, job: str = "") -> AsyncGenerator[Batch, None]:
    """Everything after a sequence number, for ever: from the log while behind, as it happens when level.

    An empty batch comes when the client is level with the log, and then after each while of silence.
    """
    outbox = Outbox(owner, job)
    engine.subscribe(outbox.put)
    sent = after
    try:
        while True:
            if outbox.behind:
                outbox.behind = False  # from here on the outbox keeps what the log may not show yet
                async for page in replay(engine, owner, sent, job):
                    sent = page[-1].seq
                    yield list(page), False
            batch = newer(outbox.take(), sent)
            sent = max((item.seq for item in batch if stored(item)), default=sent)
            yield batch, not outbox.behind
            await asyncio.sleep(TICK)
            if not outbox.behind:
                await outbox.news()
    finally:
        engine.unsubscribe(outbox.put)


async def replay(engine: Engine, owner: str, after: int, job: str) -> AsyncIterator[list[Event]]:
    while page := await engine.events(after, owner=owner, job=job, limit=LOG_PAGE):
        yield page
        if len(page) < LOG_PAGE:
            return
        after = page[-1].seq


def newer(items: Sequence[Item], sent: int) -> list[Item]:
    """What is left to send after the log was read to `sent`: progress of before that is no news either."""
    last = max((i for i, item in enumerate(items) if stored(item) and item.seq <= sent), default=-1)
    return list(items[last + 1 :])


async def live(request: web.Request) -> web.StreamResponse:
    """Follow everything over a websocket: stored events from a sequence number on, progress, previews."""
    after = min(whole(request, "after", engine(request).last_seq), engine(request).last_seq)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, compress=True)
    if not socket.can_prepare(request).ok:
        raise web.HTTPUpgradeRequired
    with request.app[CLIENTS].joined():
        await socket.prepare(request)
        writer = asyncio.create_task(write(request, socket, after))
        try:
            async for _ in socket:
                pass  # clients have nothing to say here; reading answers pings and notices when they go
        except asyncio.CancelledError:
            await socket.close(code=WSCloseCode.GOING_AWAY, drain=False)
            raise
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
    return socket


async def write(request: web.Request, socket: web.WebSocketResponse, after: int) -> None:
    """Send batch by batch; a client that takes none for long is cut off, and may come back."""
    try:
        await socket.send_str(f'{{"kind":"hello","seq":{after}}}')
        for preview in engine(request).previews(owner(request)):
            async with asyncio.timeout(STUCK):
                await send(socket, preview)
        async with aclosing(follow(engine(request), owner=owner(request), after=after)) as batches:
            async for batch, _ in batches:
                for item in batch:
                    async with asyncio.timeout(STUCK):
                        await send(socket, item)
    except ConnectionError:
        return
    except TimeoutError:
        await cut_off(request, socket, TOO_SLOW)
    except Exception:
        log.exception("A websocket could not be served")
        await cut_off(request, socket, WSCloseCode.INTERNAL_ERROR)


async def cut_off(request: web.Request, socket: web.WebSocketResponse, code: int) -> None:
    try:
        async with asyncio.timeout(1):
            await socket.close(code=code, drain=False)
    except TimeoutError:
        pass
    if request.transport is not None:
        request.transport.abort()


async def send(socket: web.WebSocketResponse, item: Item) -> None:
    if isinstance(item, Preview):
        await socket.send_bytes(frame(item))
    else:
        await socket.send_str(encoded(item).decode())


def encoded(event: Event) -> bytes:
    """An event as JSON."""
    return msgspec.json.encode(line_of(event))


def line_of(event: Event) -> Line:
    return Line(event.seq, event.kind, event.at, event.job, event.data)


def frame(preview: Preview) -> bytes:
    """A preview as one binary message: version, kind, length of the header; the header as JSON; the JPEG."""
    head = msgspec.json.encode(
        {"job": preview.job, "step": preview.step, "seq": preview.seq, "mime": "image/jpeg"}
    )
    return PREVIEW_HEAD.pack(1, 1, len(head)) + head + preview.data


def stored(item: Item) -> bool:
    """Whether the log has it."""
    return isinstance(item, Event) and item.seq > 0 and item.kind not in PASSING


def merged(older: Item | None, item: Item) -> Item:
    """The newer of two, with how far the steps are that only the older one names."""
    if isinstance(older, Event) and isinstance(item, Event) and item.kind == "progress":
        steps = {**older.data["steps"], **item.data["steps"]}
        return msgspec.structs.replace(item, data={**item.data, "steps": steps})
    return item


def key_of(item: Item) -> object:
    """What an item replaces: its run's older progress, its step's older preview; a stored event nothing."""
    if isinstance(item, Preview):
        return ("preview", item.job, item.step)
    return item.seq if stored(item) else (item.kind, item.job, item.data.get("id"))


def size_of(item: Item) -> int:
    """About how many bytes it keeps in memory."""
    if isinstance(item, Preview):
        return len(item.data) + 200
    return 200 + len(encoded(item))


AFTER = Param("after", "Replay the log after this sequence number; left out, only what is new.", "integer")
ROUTES = (Route("GET", "/ws", live, "events", status=101, media="", params=(AFTER,)),)
