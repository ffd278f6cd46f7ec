"""From the queue to a worker and back: gives jobs, hears what becomes of them, writes it down in order."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.assets import Assets
from engine.assignment import Assignment, Outcome
from engine.config import Settings
from engine.errors import DiskFull, Problem, TesseraError
from engine.evaluations import Evaluations
from engine.events import Event, Job, Preview, StepReport
from engine.jobs import Jobs
from engine.papers import Papers
from engine.workers import Host

log = logging.getLogger("tessera.dispatch")

DISK_CHECK = 2.0
"""Seconds between looks at a disk that was full."""
TOLD_GAP = 0.1
"""Seconds between two progress events of one job, at least."""


class Live(Struct):
    """A job while it runs."""

    owner: str
    lease: str
    progress: float = 0.0
    steps: dict[str, StepReport] = field(default_factory=dict)
    told: float = 0.0
    preview: Preview | None = None
    """The newest one, for whoever comes while it runs."""


class Dispatch:
    """Keeps a host busy with the queue."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        assets: Assets,
        evaluations: Evaluations,
        papers: Papers,
        tell: Callable[[Event | Preview], None],
    ) -> None:
        self.settings = settings
        self.jobs = jobs
        self.assets = assets
        self.evaluations = evaluations
        self.papers = papers
        self.live: dict[str, Live] = {}
        self.paused = ""
        """Why nothing is given out, for people; empty while the queue runs."""
        self.host: Host
        self._tell = tell
        self._wake = asyncio.Event()
        self._unwritten = 0  # writes that a full disk refused and that are tried again
        self._draining = False
        self._closing = False
        self._private: dict[str, asyncio.Future[Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    async def open(self, host: Host) -> None:
        self.host = host
        await host.open()
        self._loop = asyncio.create_task(self._give_out())
        self.wake()

    def wake(self) -> None:
        """There may be something to give out."""
        self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Give out nothing more and let what runs come to its end, for at most so long."""
        self._draining = True
        if self._loop is not None:
            self._loop.cancel()
        until = asyncio.get_running_loop().time() + seconds
        while self.host.busy and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Stop; what still runs goes back to the queue, uncounted."""
        self._draining = self._closing = True
        if self._loop is not None:
            self._loop.cancel()
        lease = self.host.lease
        await self.host.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self.jobs.give_back(lease)
        except DiskFull as error:
            log.warning("The next start gives back what ran: %s", error)

    def cancel(self, job: str) -> None:
        self.host.cancel(job)
        self.live.pop(job, None)

    async def once(self, assignment: Assignment) -> Outcome:
        """Run something beside the queue, that leaves no row."""
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._private[assignment.job] = ended
        try:
            while not await self.host.start(assignment, self.host.lease):
                pass  # the worker was replaced while we waited for it
            return await ended
        finally:
            self._private.pop(assignment.job, None)

    # -- giving out

    async def _give_out(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await self._give_one():
                    pass
            except TesseraError as error:
                await self._pause(error.code, str(error))
            except Exception:
                log.exception("The queue stumbled; it goes on.")
                asyncio.get_running_loop().call_later(DISK_CHECK, self.wake)

    async def _give_one(self) -> bool:
        host = self.host
        if self._draining or len(host.busy) >= self.settings.jobs_at_once or not await self._has_room():
            return False
        lease = host.lease
        job = await self.jobs.claim(lease, idle=not host.busy)
        if job is None:
            return False
        if job.id in host.busy:  # cancelled and retried before the worker let go of it: that wakes us again
            await self.jobs.give_back(lease, {job.id})
            return False
        await self._start(job, lease)
        return True

    async def _start(self, job: Job, lease: str) -> None:
        live = self.live[job.id] = Live(job.owner, lease)
        remembered = await self.jobs.remembered(job.id)
        answers = await self.jobs.answers(job.id)
        if self.live.get(job.id) is not live:  # cancelled in the meantime
            return
        assignment = Assignment(
            job.id,
            job.owner,
            job.document,
            job.priority,
            job.inputs,
            job.targets,
            job.files,
            [(path, index, data) for (path, index), data in remembered.items()],
            answers,
            mode=job.mode,
            explain=job.explain,
        )
        if not await self.host.start(assignment, lease):
            self.live.pop(job.id, None)
            await self.jobs.give_back(lease, {job.id})
            self.wake()
        elif self.live.get(job.id) is not live:  # cancelled while the worker came up
            self.host.cancel(job.id)
        elif limit := self.settings.time_limit:
            asyncio.get_running_loop().call_later(limit, self._expire, job.id, live)

    def _expire(self, job: str, live: Live) -> None:
        """A run used up its time: it fails, and its worker lets go of it or is ended."""
        if self.live.get(job) is not live:
            return
        want = f"at most {self.settings.time_limit:g} s"
        remedy = "Make it smaller, or raise time_limit."
        problem = Problem(
            "timeout", got=f"{self.settings.time_limit:g} s and not done", want=want, remedy=remedy
        )
        self._spawn(self._insist(lambda: self._fail(job, live, problem)))
        self.cancel(job)

    async def _fail(self, job: str, live: Live, problem: Problem) -> None:
        await self.jobs.finish(job, live.lease, "failed", steps=live.steps, problem=problem)

    async def _has_room(self) -> bool:
        """Whether the disk takes more; while it does not the queue is paused, and says so."""
        free = shutil.disk_usage(self.settings.data).free
        if free < self.settings.disk_reserve:
            want = f"{self.settings.disk_reserve:,} bytes"
            await self._pause("disk_full", f"The disk has {free:,} bytes left; the queue waits for {want}.")
            return False
        if self._unwritten:  # a short line may fit where a result does not: results first
            return False
        if self.paused:
            await self.jobs.emit(Event("queue.resumed"))  # refused while the disk is still full
            self.paused = ""
        return True

    async def _pause(self, code: str, reason: str) -> None:
        if not self.paused:
            self.paused = reason
            log.warning("The queue is paused: %s", reason)
            event = Event("queue.paused", data={"code": code, "reason": reason})
            try:
                await self.jobs.emit(event)
            except TesseraError:
                self._tell(event)  # no room even for a line of the log: say it to whoever listens now
        asyncio.get_running_loop().call_later(DISK_CHECK, self.wake)

    # -- what the worker says

    def on_steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None:
        live = self.live.get(job)
        if live is None:
            return
        news = {id: report for id, report in reports.items() if is_news(live.steps.get(id), report)}
        live.steps.update({id: msgspec.structs.replace(r) for id, r in reports.items()})
        live.progress = progress
        if news:
            data = {"progress": round(progress, 4), "steps": msgspec.to_builtins(news)}
            self._spawn(self._emit(Event("steps", owner=live.owner, job=job, data=data)))
        now = asyncio.get_running_loop().time()
        if now - live.told >= TOLD_GAP:
            live.told = now
            partial = {
                id: round(float(r.progress), 4) for id, r in reports.items() if isinstance(r.progress, float)
            }
            data = {"progress": round(progress, 4), "steps": partial}
            self._tell(Event("progress", seq=self.jobs.last_seq, owner=live.owner, job=job, data=data))

    def on_preview(self, job: str, step: str, jpeg: bytes) -> None:
        live = self.live.get(job)
        if live is not None:
            live.preview = Preview(job, step, jpeg, live.owner, self.jobs.last_seq)
            self._tell(live.preview)

    def on_outcome(self, outcome: Outcome) -> None:
        private = self._private.get(outcome.job)
        if private is not None and not private.done():
            private.set_result(outcome)
            return
        live = self.live.pop(outcome.job, None)
        stopped_by_us = self._closing and outcome.state == "cancelled"  # it goes back to the queue
        if live is not None and not stopped_by_us:
            self._spawn(self._insist(lambda: self._finish(outcome, live)))
        self.wake()

    async def _finish(self, outcome: Outcome, live: Live) -> None:
        job, lease = outcome.job, live.lease
        if outcome.state == "waiting":
            for artifact in outcome.artifacts:
                await self.assets.add(artifact, live.owner, "output", job)
            await self.jobs.park(job, lease, outcome.questions, steps=outcome.steps)
        elif outcome.problem is not None and outcome.problem.code == "disk_full":
            await self.jobs.give_back(lease, {job})
            await self._pause("disk_full", "The disk is full; the queue waits for room.")
            return
        elif outcome.state in ("done", "failed", "cancelled"):
            ids = {
                artifact.sha256: await self.assets.add(artifact, live.owner, "output", job)
                for artifact in outcome.artifacts
            }
            await self.papers.keep(job, outcome.papers, ids)
            await self.evaluations.record(outcome.scores, live.owner, job)
            receipt = {**outcome.receipt, "seconds": round(outcome.seconds, 4)}
            problem = outcome.problem
            if outcome.state == "failed" and problem is None:
                problem = Problem("failed", remedy="Look at the steps for what went wrong.")
            state: Any = outcome.state
            await self.jobs.finish(
                job,
                lease,
                state,
                outputs=outcome.outputs,
                steps=outcome.steps,
                problem=problem,
                receipt=receipt,
            )
        self.wake()

    async def on_remember(self, job: str, path: str, index: int, data: bytes) -> None:
        if job not in self._private:
            await self._insist(lambda: self.jobs.remember(job, path, index, data))

    async def on_death(self, lease: str, jobs: set[str], cause: str, deliberate: bool) -> None:
        """The worker is gone: its jobs run again, or are set aside when it was one time too many."""
        for job in jobs:
            self.live.pop(job, None)
            private = self._private.get(job)
            if private is not None and not private.done():
                private.set_result(Outcome(job, "failed", problem=Problem("worker_died", got=cause)))
        if deliberate:
            await self._insist(lambda: self.jobs.give_back(lease))
        else:
            await self._insist(lambda: self.jobs.crashed(lease, cause))
        self.wake()

    async def _insist(self, write: Callable[[], Awaitable[object]]) -> None:
        """Do a write that must not be lost: a full disk pauses the queue, then it is tried again."""
        try:
            await write()
        except DiskFull as error:
            self._unwritten += 1
            try:
                await self._again(write, error)
            finally:
                self._unwritten -= 1
            self.wake()

    async def _again(self, write: Callable[[], Awaitable[object]], error: DiskFull) -> None:
        while not self._draining:
            await self._pause(error.code, str(error))
            await asyncio.sleep(DISK_CHECK)
            try:
                await write()
                return
            except DiskFull as still:
                error = still
        raise error  # the next start finds the job running, and runs it again

    async def _emit(self, event: Event) -> None:
        await self.jobs.emit(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """In the background, but begun in order: the writer thread takes writes as they come."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("What a worker said could not be written down: %s", error)
            if isinstance(error, TesseraError) and error.code == "disk_full":
                self._spawn(self._pause("disk_full", str(error)))


def is_news(old: StepReport | None, new: StepReport) -> bool:
    """Whether the log should have it: more than how far a step is."""
    return old is None or (old.state, old.calls, old.hits) != (new.state, new.calls, new.hits)


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
