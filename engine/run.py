"""Evaluate a Plan: settle what is asked for, in the order its wires allow."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, field

from engine.cache import Cached
from engine.digest import digest, hashed
from engine.errors import TesseraError
from engine.events import CacheUse, Question, StepReport
from engine.flights import CANCELLED, Flights, Result, Stop
from engine.frame import Frame
from engine.gate import Vouched
from engine.plan import Plan, PlanStep
from engine.policy import Guard
from engine.types import Artifact, Image, Value

SLICE = 0.01
"""Seconds of trivial calls before the loop gets a turn."""
WEIGHTS = {"inline": 0.02, "io": 1.0, "cpu": 1.0, "gpu": 10.0}
"""What a step of each lane counts in a run's progress."""
SEEDS = 1000
"""Turns of a loop whose seeds are noted."""


class Listener:
    """What a run tells its surroundings. Subclasses send it on; the run works the same if nobody does."""

    def steps(self, reports: dict[str, StepReport], progress: float) -> None:
        """Steps that changed since the last time."""

    def preview(self, step: str, image: Image) -> None:
        """A picture of work in progress; called from the node's thread."""

    async def remember(self, path: str, index: int, data: bytes) -> None:
        """Something happened in the world that a resumed job must not repeat. Returns once it is durable."""

    async def show(self, pictures: Sequence[Value]) -> list[Artifact]:
        """Keep the pictures of a question where a person can see them."""
        return []


class Effect(NamedTuple):
    """Something that a step did to the world."""

    step: str
    place: str
    """The step with the turns of the loops around it."""
    value: Any


class Ending(Struct):
    """How a run ended: every end's value, or why it has none."""

    values: dict[str, Any]
    stops: dict[str, Stop]
    steps: dict[str, StepReport]
    questions: list[Question] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    """What effects returned, as they happened."""
    marks: dict[str, bytes] = field(default_factory=dict)
    """Digests of the values."""


class Run:
    """One job on its way: frames of steps that are settled, and what they wait for."""

    def __init__(
        self,
        plan: Plan,
        flights: Flights,
        *,
        id: str = "run",
        owner: str = "local",
        priority: int = 0,
        listener: Listener | None = None,
        remembered: Mapping[tuple[str, int], bytes] | None = None,
        answers: Mapping[str, str] | None = None,
        ambient: contextvars.Context | None = None,
        previews: bool = True,
        fresh: bool = False,
        guard: Guard | None = None,
    ) -> None:
        self.plan = plan
        self.flights = flights
        self.id, self.owner, self.priority = id, owner, priority
        self.listener = listener or Listener()
        self.remembered = dict(remembered or {})
        self.answers = dict(answers or {})
        self.ambient = ambient or contextvars.copy_context()
        self.previews = previews
        self.fresh = fresh
        """Use nothing from the cache: what `verify` needs."""
        self.guard = guard
        """How what leaves is checked; None where nothing is."""
        self.vouched = Vouched()
        self.reports: dict[str, StepReport] = {}
        self.questions: dict[str, Question] = {}
        self.effects: list[Effect] = []
        self.frame: Frame | None = None
        self.turns: dict[str, int] = {}
        """What steps within loops gave in all their turns, summed up, since turns may end in any order."""
        self.drawn: dict[str, dict[str, Any]] = {}
        """The seeds that steps within loops were given: by step and input, then by the turn."""
        self.tell_receipt: Callable[[str], str] = lambda path: ""
        """What a file that a step saves may say of how it came to be."""
        self.stopped = False
        self.ready: deque[tuple[Frame, int]] = deque()
        self._left = plan.limits.calls
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Result]] = set()
        self._changed: set[str] = set()
        self._pumping = False
        self._weights: dict[str, float] = {}
        self._weight_done = 0.0
        self._weight_all = 0.0
        self._told = 0.0

    # -- the public verbs

    async def finish(self) -> Ending:
        """Run to the end."""
        frame = self.frame = Frame(self, self.plan, [], "")
        ends = self.plan.ends
        teller = self._loop.create_task(self._tell())
        try:
            await frame.settled(ends)
        finally:
            teller.cancel()
            await self._wind_up()
        return self._ending(frame, ends)

    def cancel(self) -> None:
        """Stop: what waits, at once; what runs, at its next word to the context."""
        self.stopped = True
        for task in list(self._tasks):
            task.cancel()
        self.pump_soon()

    def lets_out(self, value: Any, mark: bytes | None = None) -> bool:
        """Whether a value may leave: in Safe mode only what was checked."""
        return self.guard is None or not self.guard.closed or self.vouched.may_leave(value, mark)

    async def check(self, id: str, value: Any) -> Result:
        """Look at something that is to leave on its own; like any call it is cached, timed and reported."""
        assert self.guard is not None
        frame = Frame(self, self.guard.lone(id), [(value, digest(value))], "")
        await frame.settled([0])
        return frame.results[0] or CANCELLED

    def raise_priority(self, priority: int) -> None:
        """Let calls that have yet to start ask with this priority."""
        self.priority = priority

    # -- frames push steps here once their inputs are settled

    def pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        until = time.perf_counter() + SLICE
        ready, turns = self.ready, 0
        while ready:
            frame, index = ready.popleft()
            try:
                frame.start(index)
            except Exception as error:
                step = frame.plan.steps[index]
                self.settle(frame, index, Stop("failed", self.flights.explain(error, step.id)))
            turns += 1
            if not turns & 31 and time.perf_counter() > until:
                self._loop.call_soon(self._pump)
                return
        self._pumping = False

    def spend(self) -> None:
        """Count a call against the limit of the run."""
        self._left -= 1
        if self._left < 0:
            raise TesseraError(
                "The run made too many calls.", remedy="Shorten its loops, or raise call_limit."
            )

    def task(self, frame: Frame, index: int, work: Coroutine[Any, Any, Result]) -> None:
        """Settle a step with what this comes to, also if it is cancelled before its first line."""

        def done(task: asyncio.Task[Result]) -> None:
            self._tasks.discard(task)
            self.settle(frame, index, CANCELLED if task.cancelled() else task.result())

        task = self._loop.create_task(work, context=self.ambient.copy())
        self._tasks.add(task)
        task.add_done_callback(done)

    def want(self, step: PlanStep) -> StepReport:
        """A step is needed: from now on it counts in the progress."""
        report = self.reports.get(step.id)
        if report is None:
            report = self.reports[step.id] = StepReport()
            self._changed.add(step.id)
        self._weights[step.id] = WEIGHTS[step.shape.spec.lane]
        self._weight_all += WEIGHTS[step.shape.spec.lane]
        return report

    def settle(self, frame: Frame, index: int, result: Result) -> None:
        """A step has its result: tell the report and everybody who reads it."""
        step = frame.plan.steps[index]
        report = self.reports[step.id]
        if isinstance(result, Stop):
            if report.state != "failed":
                report.state = result.state
            if result.problem is not None and result.state == "failed":
                report.problem = result.problem
        elif report.state not in ("failed", "asking"):
            report.state = "done"
        if step.guards and not isinstance(result, Stop):
            self.vouched.add(result, 0)
            said = result.values[step.shape.outputs["verdict"]]
            report.verdicts += said if step.maps else [said]
        self._weight_done += WEIGHTS[step.shape.spec.lane]
        self._changed.add(step.id)
        frame.settle(index, result)

    def count(
        self, step: PlanStep, use: CacheUse, seconds: float = 0.0, why: str = "", fallback: str = ""
    ) -> None:
        report = self.reports[step.id]
        report.fallback = fallback or report.fallback
        if use == "ran":
            report.calls += 1
            report.seconds += seconds
            report.why = why or report.why
        else:
            report.hits += 1
        if use == "ran" or not report.calls:
            report.cache = use
        self._changed.add(step.id)

    def done(self, step: PlanStep, path: str, turn: int, result: Cached) -> None:
        """A step that is not cached gave this; of an effect it is what it did to the world."""
        if step.shape.spec.kind == "effect":
            place = f"{path}#{turn}" if step.maps else path
            self.effects += [Effect(step.id, place, value) for value in result.values]

    def turned(self, frame: Frame) -> None:
        """A turn of a piece of graph is over: note what its steps gave, and the seeds that they had."""
        for step, result in zip(frame.plan.steps, frame.results, strict=True):
            if not isinstance(result, Cached):
                continue
            mark = int.from_bytes(hashed(frame.path.encode() + b"".join(result.digests)), "big")
            self.turns[step.id] = (self.turns.get(step.id, 0) + mark) % 2**128
            for index in step.shape.seeds:
                known = self.drawn.setdefault(f"{step.id}.{step.shape.names[index]}", {})
                if len(known) < SEEDS and not isinstance(got := frame.read(step.sources[index]), Stop):
                    known[frame.path] = got[0]

    def receipt(self, path: str) -> str:
        """What a file saved by this step may say of how it came to be; asked from the node's thread."""
        return self.tell_receipt(path)

    def begin(self, step: PlanStep) -> None:
        report = self.reports[step.id]
        if report.state == "waiting":
            report.state = "running"
            self._changed.add(step.id)

    # -- what running nodes say (from any thread)

    def on_progress(self, path: str, fraction: float) -> None:
        report = self.reports.get(path)
        if report is not None:
            report.progress = min(1.0, max(0.0, fraction))
            self._changed.add(path)

    def on_preview(self, path: str, image: Image) -> None:
        if self.previews:
            self.listener.preview(path, image)

    # -- reports

    @property
    def progress(self) -> float:
        partial = sum(
            report.progress * self._weights[id]
            for id, report in self.reports.items()
            if report.state == "running" and isinstance(report.progress, float)
        )
        return min(1.0, (self._weight_done + partial) / (self._weight_all or 1.0))

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self.tell()

    def tell(self) -> None:
        """Send on what changed."""
        if self._changed:
            changed, self._changed = self._changed, set()
            # A copy: nodes note their progress from their threads, maybe in the old set just now.
            self.listener.steps({id: self.reports[id] for id in list(changed)}, self.progress)

    async def _wind_up(self) -> None:
        """Nobody needs what still runs: cancel it, and wait for this run's own abandoned calls."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if flights := self.flights.abandoned(self):
            await asyncio.wait([flight.landed for flight in flights])

    def _ending(self, frame: Frame, ends: Sequence[int]) -> Ending:
        values: dict[str, Any] = {}
        marks: dict[str, bytes] = {}
        stops: dict[str, Stop] = {}
        for name, source in self.plan.outputs.items():
            got = frame.read(source)
            if isinstance(got, Stop):
                stops[name] = got
            else:
                values[name], marks[name] = got
        for index in ends:
            if isinstance(result := frame.results[index], Stop):
                stops.setdefault(frame.plan.steps[index].id, result)
        for report in self.reports.values():
            if report.state in ("waiting", "running"):
                report.state = "cancelled" if self.stopped else "skipped"
        self.tell()
        return Ending(values, stops, self.reports, list(self.questions.values()), self.effects, marks)
