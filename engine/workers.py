"""Hosts of a runner: this process, or a child process that may be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from engine.assignment import Assignment, Outcome, Say
from engine.config import ROOT, Settings
from engine.events import StepReport
from engine.outward import preview_jpeg
from engine.registry import Registry
from engine.runner import Runner
from engine.types import Image

log = logging.getLogger("tessera.worker")

FRAME_LIMIT = 512 * 1024**2
RESTART_PAUSE = 0.2
"""Seconds before a new worker follows one that died; twice as long each time it dies before it is ready."""
LONGEST_PAUSE = 30.0
LOOK = 1.0
"""Seconds between looks at the memory of a busy worker, to be able to say how much it had when it died."""


class Hears(Protocol):
    """Who listens to a worker: the service. Everything is called on the loop."""

    def on_steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None: ...

    def on_preview(self, job: str, step: str, jpeg: bytes) -> None: ...

    def on_outcome(self, outcome: Outcome) -> None: ...

    def on_remember(self, job: str, path: str, index: int, data: bytes) -> Awaitable[None]: ...

    def on_death(self, lease: str, jobs: set[str], cause: str, deliberate: bool) -> Awaitable[None]: ...


class Host(Protocol):
    """A place where jobs run. It is given jobs and says what becomes of them."""

    lease: str
    busy: set[str]

    async def open(self) -> None: ...

    async def start(self, assignment: Assignment, lease: str) -> bool: ...

    def forget(self, sha256: str) -> None: ...

    def cancel(self, job: str) -> None: ...

    def raise_priority(self, job: str, priority: int) -> None: ...

    def status(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...


# -- in this process


class Here(Say):
    """Runs jobs in this process: tests, the command line, notebooks."""

    def __init__(self, settings: Settings, registry: Registry, hears: Hears) -> None:
        self.settings = settings
        self.lease = "here"
        self.busy: set[str] = set()
        self.hears = hears
        self.runner = Runner(settings, registry, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Nothing to bring up."""

    async def start(self, assignment: Assignment, lease: str) -> bool:
        self.busy.add(assignment.job)
        task = asyncio.create_task(self._run(assignment))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def forget(self, sha256: str) -> None:
        self.runner.cache.forget_artifact(sha256)

    async def _run(self, assignment: Assignment) -> None:
        outcome = await self.runner.run(assignment)
        self.busy.discard(assignment.job)
        self.hears.on_outcome(outcome)

    def cancel(self, job: str) -> None:
        self.runner.cancel(job)
        # A thread cannot be ended: a node that does not listen keeps its slot, and the job lets go of it.
        self._loop.call_later(self.settings.cancel_grace, self.busy.discard, job)

    def raise_priority(self, job: str, priority: int) -> None:
        self.runner.raise_priority(job, priority)

    def status(self) -> dict[str, Any]:
        return {"state": "ready", "kind": "this process", "busy": len(self.busy)}

    async def close(self) -> None:
        for job in list(self.busy):
            self.runner.cancel(job)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.settings.cancel_grace)
        for task in list(self._tasks):
            task.cancel()
        self.runner.close()

    # what the runner says

    def steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None:
        self.hears.on_steps(job, reports, progress)

    def preview(self, job: str, step: str, image: Image) -> None:
        jpeg = preview_jpeg(image)
        self._loop.call_soon_threadsafe(self.hears.on_preview, job, step, jpeg)

    async def remember(self, job: str, path: str, index: int, data: bytes) -> None:
        await self.hears.on_remember(job, path, index, data)


# -- messages between the server and a child process


class Setup(Struct, tag="setup"):
    settings: bytes


class Start(Struct, tag="start"):
    assignment: Assignment


class Cancel(Struct, tag="cancel"):
    job: str


class Hurry(Struct, tag="hurry"):
    job: str
    priority: int


class Forget(Struct, tag="forget"):
    sha256: str


class Acknowledge(Struct, tag="ack"):
    number: int


class Ready(Struct, tag="ready"):
    pid: int


class Told(Struct, tag="told"):
    job: str
    reports: dict[str, StepReport]
    progress: float


class Pictured(Struct, tag="pictured"):
    job: str
    step: str
    jpeg: bytes


class Remember(Struct, tag="remember"):
    number: int
    job: str
    path: str
    index: int
    data: bytes


class Ended(Struct, tag="ended"):
    outcome: Outcome


Down = Setup | Start | Cancel | Hurry | Forget | Acknowledge
Up = Ready | Told | Pictured | Remember | Ended


def framed(message: Down | Up) -> bytes:
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(4, "big") + data


def packed(settings: Settings) -> bytes:
    return msgspec.msgpack.encode(settings, enc_hook=str)


class Child:
    """Runs jobs in a child process. It lives as long as its process: importing torch may block any beat."""

    def __init__(self, settings: Settings, hears: Hears) -> None:
        self.settings = settings
        self.hears = hears
        self.lease = ""
        self.busy: set[str] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._count = 0
        self._ready = asyncio.Event()
        self._closing = False
        self._deliberate = False
        self._keeper: asyncio.Task[None] | None = None
        self._looker: asyncio.Task[None] | None = None
        self._graces: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._failures = 0
        self._cause = ""

    async def open(self) -> None:
        """Start the process and keep one running until `close`."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())
        self._looker = asyncio.create_task(self._look())

    async def start(self, assignment: Assignment, lease: str) -> bool:
        """Give a job to the process with that lease; False if it is gone meanwhile."""
        await self._ready.wait()
        if lease != self.lease:
            return False
        self.busy.add(assignment.job)
        self._send(Start(assignment))
        return True

    def forget(self, sha256: str) -> None:
        self._send(Forget(sha256))

    def cancel(self, job: str) -> None:
        """Ask the job to stop; a process that has not let go of it after the grace period is ended."""
        if job in self.busy and job not in self._graces:
            self._send(Cancel(job))
            loop = asyncio.get_running_loop()
            self._graces[job] = loop.call_later(self.settings.cancel_grace, self._end_for, job)

    def raise_priority(self, job: str, priority: int) -> None:
        self._send(Hurry(job, priority))

    def status(self) -> dict[str, Any]:
        state = "ready" if self._ready.is_set() else "starting"
        pid = self._process.pid if self._process else 0
        told = {"state": state, "kind": "child process", "pid": pid, "busy": len(self.busy)}
        return {**told, "last_end": self._cause} if self._cause else told

    async def close(self) -> None:
        self._closing = True
        for grace in self._graces.values():
            grace.cancel()
        for task in (self._keeper, self._looker):
            if task is not None:
                task.cancel()
        if self._process is not None and self._process.returncode is None:
            self._end()
            await self._process.wait()

    # -- the process

    async def _spawn(self) -> None:
        self._count += 1
        self._deliberate = False
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "engine.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,  # Ctrl+C is for the server, which then drains
        )
        self.lease = f"child-{self._process.pid}-{self._count}"
        self._send(Setup(packed(self.settings)))

    async def _keep(self) -> None:
        """Listen to the process; when it ends say so and start the next."""
        while True:
            process = self._process
            assert process is not None
            await self._listen(process)
            code = await process.wait()
            self._ready.clear()
            jobs, self.busy = self.busy, set()
            for grace in self._graces.values():
                grace.cancel()
            self._graces.clear()
            cause = death(code, self._bytes)
            lease, deliberate = self.lease, self._deliberate
            if not deliberate:
                self._cause = cause
                log.warning("The worker ended: %s.", cause)
                await asyncio.sleep(min(LONGEST_PAUSE, RESTART_PAUSE * 2**self._failures))
                self._failures += 1
            await self._spawn()
            self._in_background(self.hears.on_death(lease, jobs, cause, deliberate))

    async def _look(self) -> None:
        """Remember how much memory the process had last."""
        import psutil

        while True:
            await asyncio.sleep(LOOK)
            if self.busy and self._process is not None:
                with contextlib.suppress(psutil.Error):
                    self._bytes = psutil.Process(self._process.pid).memory_info().rss

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        decoder = msgspec.msgpack.Decoder(Up)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await process.stdout.readexactly(4), "big")
                if size > FRAME_LIMIT:
                    log.error("The worker sent %d bytes at once; it is ended.", size)
                    process.kill()
                    return
                self._hear(decoder.decode(await process.stdout.readexactly(size)))

    def _hear(self, message: Up) -> None:
        match message:
            case Ready():
                self._failures = 0
                self._ready.set()
            case Told(job, reports, progress):
                self.hears.on_steps(job, reports, progress)
            case Pictured(job, step, jpeg):
                self.hears.on_preview(job, step, jpeg)
            case Remember(number, job, path, index, data):
                self._in_background(self._remember(number, job, path, index, data))
            case Ended(outcome):
                self.busy.discard(outcome.job)
                if (grace := self._graces.pop(outcome.job, None)) is not None:
                    grace.cancel()
                self.hears.on_outcome(outcome)

    async def _remember(self, number: int, job: str, path: str, index: int, data: bytes) -> None:
        await self.hears.on_remember(job, path, index, data)
        self._send(Acknowledge(number))

    def _send(self, message: Down) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(framed(message))

    def _end_for(self, job: str) -> None:
        """A node ignores its cancel: end the process it is in."""
        self._graces.pop(job, None)
        if job in self.busy:
            log.warning(
                "A cancelled job did not stop within %.1f s; its worker is ended.", self.settings.cancel_grace
            )
            self._end()

    def _end(self) -> None:
        self._deliberate = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _in_background(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        coroutine: Coroutine[Any, Any, None] = run()
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def death(code: int, had: int) -> str:
    """Why a process ended, for people; `had` is its memory when last seen, in bytes."""
    if code >= 0:
        return f"it exited with code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
    text = f"it was killed by signal {-code} ({name})"
    if -code != 9:
        return text
    import psutil

    all = psutil.virtual_memory().total
    if had < all / 2:
        return f"{text}, by a person or by the system"
    of = f"{had / 1e9:.1f} of {all / 1e9:.1f} GB"
    return f"{text} while it held {of} of memory; the system does that when memory runs out"
