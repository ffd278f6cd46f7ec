"""A worker process: reads jobs from standard input, writes what becomes of them to standard output."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import sys
import threading
import time
from typing import IO

import msgspec

from engine.assignment import Assignment, Say
from engine.config import Settings, path_hook
from engine.events import StepReport
from engine.outward import preview_jpeg
from engine.registry import Registry
from engine.runner import Runner
from engine.types import Image
from engine.vault import leave_environment, leave_no_core, veiled
from engine.workers import (
    Acknowledge,
    Cancel,
    Down,
    Ended,
    Forget,
    Hurry,
    Pictured,
    Ready,
    Remember,
    Setup,
    Start,
    Told,
    Up,
    framed,
)

IDLE = 1.0
"""Seconds without a run after which the worker warms up."""
PREVIEW_GAP = 0.2
"""Seconds between two previews of one step, at least."""


class Pipe(Say):
    """Sends what the runner says to the server."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._shown: dict[tuple[str, str], float] = {}

    def send(self, message: Up) -> None:
        data = framed(message)
        with self._lock:
            self._out.write(data)
            self._out.flush()

    def steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None:
        self.send(Told(job, reports, progress))

    def preview(self, job: str, step: str, image: Image) -> None:
        now = time.monotonic()
        if now - self._shown.get((job, step), 0.0) >= PREVIEW_GAP:
            self._shown[job, step] = now
            self.send(Pictured(job, step, preview_jpeg(image)))

    async def remember(self, job: str, path: str, index: int, data: bytes) -> None:
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send(Remember(number, job, path, index, data))
        await waiting

    def acknowledged(self, number: int) -> None:
        if (waiting := self._waiting.pop(number, None)) is not None and not waiting.done():
            waiting.set_result(None)

    def over(self, job: str) -> None:
        """Forget when the previews of a job were shown."""
        for place in [p for p in self._shown if p[0] == job]:
            del self._shown[place]


class Worker:
    """The child's side: one runner, told what to do by the server."""

    def __init__(self, settings: Settings, pipe: Pipe) -> None:
        self.pipe = pipe
        self.runner = Runner(settings, Registry.core(), pipe)
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, message: Down) -> None:
        match message:
            case Start(assignment):
                task = asyncio.create_task(self.run(assignment))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case Cancel(job):
                self.runner.cancel(job)
            case Hurry(job, priority):
                self.runner.raise_priority(job, priority)
            case Forget(sha256):
                self.runner.cache.forget_artifact(sha256)
            case Acknowledge(number):
                self.pipe.acknowledged(number)
            case Setup():
                pass

    async def warm(self) -> None:
        """Import the model libraries while there is nothing else to do."""
        await asyncio.sleep(IDLE)
        while self.runner.runs:
            await asyncio.sleep(IDLE)
        await self.runner.warm()

    async def run(self, assignment: Assignment) -> None:
        outcome = await self.runner.run(assignment)
        self.pipe.over(assignment.job)
        self.pipe.send(Ended(outcome))


def main() -> None:
    """Serve until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    calm_collector()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a node prints goes to the log and cannot garble the messages
    source = sys.stdin.buffer
    setup = read(source)
    if not isinstance(setup, Setup):
        os._exit(2)
    settings = msgspec.msgpack.decode(setup.settings, type=Settings, dec_hook=path_hook)
    asyncio.run(serve(settings, source, Pipe(out)))


async def serve(settings: Settings, source: IO[bytes], pipe: Pipe) -> None:
    worker = Worker(settings, pipe)
    leave_environment()
    leave_no_core()
    with veiled(worker.runner.vault):
        await obey(worker, settings, source)


async def obey(worker: Worker, settings: Settings, source: IO[bytes]) -> None:
    """Do what the server says, until it is gone."""
    loop = asyncio.get_running_loop()

    def listen() -> None:
        while (message := read(source)) is not None:
            loop.call_soon_threadsafe(worker.hear, message)
        os._exit(0)  # the server is gone, and so is whoever wanted our results

    threading.Thread(target=listen, daemon=True, name="listen").start()
    worker.pipe.send(Ready(os.getpid()))
    if settings.warm:
        await worker.warm()
    await asyncio.Event().wait()


decoder: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)


def read(source: IO[bytes]) -> Down | None:
    """The next message; None at the end."""
    head = source.read(4)
    if len(head) < 4:
        return None
    body = source.read(int.from_bytes(head, "big"))
    return decoder.decode(body)


def calm_collector() -> None:
    """Plans are many small objects that last: with Python's own thresholds the collector walks them all again
    and again, which doubles what a step of a graph of 10,000 costs."""
    gc.set_threshold(5_000, 20, 100)


def die_with_parent() -> None:
    """Ask Linux to end this process with its server, also while a library holds the interpreter."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
