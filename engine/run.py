"""Evaluate a Plan: settle what is asked for, in the order its wires allow."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from engine.cache import Cached
from engine.flights import ASKING, CANCELLED, SKIPPED, Call, Flights, Result, Stop, explain
from engine.codecs import decode, encode
from engine.digest import digest, digest_of_list
from engine.errors import BadInput, Cancelled, NodeFailed, Parked, Problem, TesseraError
from engine.events import CacheUse, Question, StepReport
from engine.node import Declared
from engine.plan import Body, Branch, Const, From, Handed, Plan, PlanStep, Source
from engine.ports import ListOf
from engine.types import Artifact, Image, Value
from engine.workflow import CALL_LIMIT, DEPTH_LIMIT

SLICE = 0.01
"""Seconds of trivial calls before the loop gets a turn."""
WEIGHTS = {"inline": 0.02, "io": 1.0, "cpu": 1.0, "gpu": 10.0}
"""What a step of each lane counts in a run's progress."""

Pair = tuple[Any, bytes]
"""A value and its digest."""


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


class Ending(Struct):
    """How a run ended: every end's value, or why it has none."""

    values: dict[str, Any]
    stops: dict[str, Stop]
    steps: dict[str, StepReport]
    questions: list[Question] = field(default_factory=list)
    effects: list[Any] = field(default_factory=list)
    """What effect steps returned, in the order of the plan."""


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
        call_limit: int = CALL_LIMIT,
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
        self.reports: dict[str, StepReport] = {}
        self.questions: dict[str, Question] = {}
        self.stopped = False
        self.ready: deque[tuple[Frame, int]] = deque()
        self._left = call_limit
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Result]] = set()
        self._changed: set[str] = set()
        self._pumping = False
        self._weight_done = 0.0
        self._weight_all = 0.0
        self._told = 0.0

    # -- the public verbs

    async def finish(self) -> Ending:
        """Run to the end."""
        frame = Frame(self, self.plan, [], "")
        ends = sorted({*self.plan.targets, *(s.step for s in self.plan.outputs.values() if isinstance(s, From))})
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
                self.settle(frame, index, Stop("failed", explain(error, step.id)))
            turns += 1
            if not turns & 31 and time.perf_counter() > until:
                self._loop.call_soon(self._pump)
                return
        self._pumping = False

    def spend(self) -> None:
        """Count a call against the limit of the run."""
        self._left -= 1
        if self._left < 0:
            raise TesseraError("The run made too many calls.", remedy="Shorten its loops, or raise the limit.")

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
        self._weight_all += WEIGHTS[step.shape.spec.lane]
        return report

    def settle(self, frame: Frame, index: int, result: Result) -> None:
        """A step has its result: tell the report and everybody who reads it."""
        step = frame.plan.steps[index]
        report = self.reports[step.id]
        if type(result) is Stop:
            if report.state != "failed":
                report.state = result.state
            if result.problem is not None and result.state == "failed":
                report.problem = result.problem
        elif report.state not in ("failed", "asking"):
            report.state = "done"
        self._weight_done += WEIGHTS[step.shape.spec.lane]
        self._changed.add(step.id)
        frame.settle(index, result)

    def count(self, step: PlanStep, use: CacheUse, seconds: float, why: str) -> None:
        report = self.reports[step.id]
        if use == "ran":
            report.calls += 1
            report.seconds += seconds
            report.why = why or report.why
        else:
            report.hits += 1
        if use == "ran" or not report.calls:
            report.cache = use
        self._changed.add(step.id)

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
            float(r.progress) for r in list(self.reports.values()) if r.state == "running" and isinstance(r.progress, float)
        )
        all = self._weight_all or 1.0
        return min(1.0, (self._weight_done + partial * WEIGHTS["gpu"]) / all)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self.tell()

    def tell(self) -> None:
        """Send on what changed."""
        if self._changed:
            changed, self._changed = self._changed, set()
            self.listener.steps({id: self.reports[id] for id in changed}, self.progress)

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
        stops: dict[str, Stop] = {}
        for name, source in self.plan.outputs.items():
            got = frame.read(source)
            if isinstance(got, Stop):
                stops[name] = got
            else:
                values[name] = got[0]
        effects: list[Any] = []
        for index in ends:
            result = frame.results[index]
            step = frame.plan.steps[index]
            if isinstance(result, Stop):
                stops.setdefault(step.id, result)
            elif result is not None and step.shape.spec.kind == "effect":
                effects.extend(result.values)
        for report in self.reports.values():
            if report.state in ("waiting", "running"):
                report.state = "cancelled" if self.stopped else "skipped"
        self.tell()
        return Ending(values, stops, self.reports, list(self.questions.values()), effects)


class Frame:
    """One evaluation of a plan: a run's steps, or one turn of a piece of graph."""

    __slots__ = ("depth", "handed", "path", "plan", "readers", "results", "run", "unmet", "waiters")

    def __init__(self, run: Run, plan: Plan, handed: list[Pair], path: str, depth: int = 0) -> None:
        self.run = run
        self.plan = plan
        self.handed = handed
        self.path = path
        """Where this frame is, with the turns of loops: what remembered effects are filed under."""
        self.depth = depth
        count = len(plan.steps)
        self.results: list[Result | None] = [None] * count
        self.unmet = [-1] * count
        """Inputs not settled yet; -1 until somebody asks for the step."""
        self.readers: list[list[int]] = [[] for _ in range(count)]
        self.waiters: dict[int, list[asyncio.Future[None]]] = {}

    def demand(self, ends: Sequence[int]) -> None:
        """Ask for steps and everything that must be done before them."""
        stack = [end for end in ends if self.unmet[end] < 0]
        steps, results, unmet, ready = self.plan.steps, self.results, self.unmet, self.run.ready
        while stack:
            index = stack.pop()
            if unmet[index] >= 0:
                continue
            step = steps[index]
            count = 0
            for need in step.needs:
                if results[need] is None:
                    count += 1
                    self.readers[need].append(index)
                    if unmet[need] < 0:
                        stack.append(need)
            unmet[index] = count
            self.run.want(step)
            if not count:
                ready.append((self, index))
        self.run.pump_soon()

    async def settled(self, ends: Sequence[int]) -> None:
        """Return once every one of these steps has its result."""
        self.demand(ends)
        loop = asyncio.get_running_loop()
        for end in ends:
            if self.results[end] is None:
                waiter = loop.create_future()
                self.waiters.setdefault(end, []).append(waiter)
                await waiter

    def settle(self, index: int, result: Result) -> None:
        self.results[index] = result
        unmet = self.unmet
        for reader in self.readers[index]:
            unmet[reader] -= 1
            if not unmet[reader]:
                self.run.ready.append((self, reader))
        if self.readers[index]:
            self.run.pump_soon()
        for waiter in self.waiters.pop(index, ()):
            if not waiter.done():
                waiter.set_result(None)

    def read(self, source: Source) -> Pair | Stop:
        """The value behind a source whose step is settled."""
        kind = type(source)
        if kind is Const:
            if not source.digest:
                source.digest = digest(source.value)
            return source.value, source.digest
        if kind is From:
            result = self.results[source.step]
            if type(result) is not Cached:
                return result if isinstance(result, Stop) else SKIPPED
            value, mark = result.values[source.port], result.digests[source.port]
        elif kind is Handed:
            value, mark = self.handed[source.index]
        else:
            raise TypeError("a piece of graph has no value of its own")
        if source.widen:
            value = widened(value)
            mark = digest(value)
        if source.how == "wrap":
            value, mark = [value], digest_of_list([mark])
        return value, mark

    def start(self, index: int) -> None:
        """Every input of this step is settled: run it, or say why not."""
        run, step = self.run, self.plan.steps[index]
        if run.stopped:
            run.settle(self, index, CANCELLED)
            return
        shape = step.shape
        values: list[Any] = []
        digests: list[bytes] = []
        for source, eager in zip(step.sources, shape.eager, strict=True):
            if eager:
                got = self.read(source)
                if type(got) is Stop:
                    run.settle(self, index, ASKING if got.state == "asking" else SKIPPED)
                    return
                values.append(got[0])
                digests.append(got[1])
            else:
                values.append(None)
        declared = shape.entry.declared
        assert declared is not None
        if step.maps or shape.spec.steers or shape.spec.asks or shape.spec.kind != "pure":
            run.task(self, index, self.work(step, declared, values, digests))
            return
        key = run.flights.key(shape, digests)
        if not run.fresh and (known := run.flights.cache.peek(key)) is not None:
            run.count(step, "memory", 0.0, "")
            run.settle(self, index, known)
            return
        run.spend()
        call = Call(shape, declared, step.id, values, digests, key)
        if shape.spec.lane == "inline" and not inspect.iscoroutinefunction(declared.run):
            result, use, seconds, why = run.flights.at_once(call, fresh=run.fresh)
            run.count(step, use, seconds, why)
            run.settle(self, index, result)
            return
        run.begin(step)
        run.task(self, index, self.fly(step, call))

    async def fly(self, step: PlanStep, call: Call) -> Result:
        """A single call in a lane."""
        result, use, seconds, why = await self.run.flights.fly(call, self.run, fresh=self.run.fresh)
        self.run.count(step, use, seconds, why)
        return result

    async def work(
        self, step: PlanStep, declared: Declared, values: list[Any], digests: list[bytes]
    ) -> Result:
        """A step that is mapped, steers, asks, or touches the world."""
        self.run.begin(step)
        try:
            if step.maps:
                return await self.mapped(step, declared, values, digests)
            return await self.call(step, declared, values, digests, 0)
        except Exception as error:
            return Stop("failed", explain(error, step.id))

    async def mapped(
        self, step: PlanStep, declared: Declared, values: list[Any], digests: list[bytes]
    ) -> Result:
        """Once per item of the lists that feed single inputs."""
        names = step.shape.names
        lengths = {names[i]: len(values[i]) for i in step.maps}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            remedy = "Make the lists equally long, or use cross_product."
            raise BadInput(f"{step.id}.{names[step.maps[0]]}", got=got, want="lists of one length", remedy=remedy)
        count = next(iter(lengths.values()))
        eager = [i for i, e in enumerate(step.shape.eager) if e]
        spot = {index: place for place, index in enumerate(eager)}
        results: list[Result] = []
        flights: list[Coroutine[Any, Any, Result]] = []
        for turn in range(count):
            one, marks = list(values), list(digests)
            for i in step.maps:
                one[i] = values[i][turn]
                marks[spot[i]] = digest(one[i])
            flights.append(self.call(step, declared, one, marks, turn))
        results = await asyncio.gather(*flights) if flights else []
        return merged(results, len(step.shape.spec.outputs))

    async def call(
        self, step: PlanStep, declared: Declared, values: list[Any], digests: list[bytes], turn: int
    ) -> Result:
        """One call of a step, whatever its kind."""
        run, shape = self.run, step.shape
        spec = shape.spec
        run.spend()
        if spec.steers or spec.asks:
            return await self.steer(step, declared, values, turn)
        path = self.path + step.id
        if spec.kind == "pure":
            call = Call(shape, declared, step.id, values, digests, run.flights.key(shape, digests))
            if not run.fresh and (known := run.flights.cache.peek(call.key or b"")) is not None:
                run.count(step, "memory", 0.0, "")
                return known
        elif spec.kind == "source" and declared.fingerprint is not None:
            mark = await self.fingerprint(declared, shape.names, values)
            key = run.flights.key(shape, [*digests, digest(mark)])
            call = Call(shape, declared, step.id, values, digests, key)
        else:
            if (kept := run.remembered.get((path, turn))) is not None:
                run.count(step, "disk", 0.0, "")
                return recalled(kept, run.flights.classes)
            call = Call(shape, declared, step.id, values, digests, None)
        result = await self.fly(step, call)
        if call.key is None and isinstance(result, Cached):
            await run.listener.remember(path, turn, encode(list(result.values)).data)
        return result

    async def fingerprint(self, declared: Declared, names: Sequence[str], values: list[Any]) -> str:
        """What the world looks like to a source; in a thread, since it may read files."""
        assert declared.fingerprint is not None
        arguments = dict(zip(names, values, strict=True))
        ambient = self.run.ambient.copy()
        return str(await asyncio.to_thread(ambient.run, lambda: declared.fingerprint(**arguments)))  # type: ignore[misc]

    # -- steps that await pieces of graph

    async def steer(self, step: PlanStep, declared: Declared, values: list[Any], turn: int) -> Result:
        """A branch, a loop, or a question: it runs on the loop and holds no lane."""
        run, shape = self.run, step.shape
        arguments = dict(zip(shape.names, values, strict=True))
        place = f"{self.path}{step.id}" + (f"#{turn}" if step.maps else "")
        for name, source, eager in zip(shape.names, step.sources, shape.eager, strict=True):
            if not eager:
                arguments[name] = self.awaitable(source, f"{place}.{name}")
        if declared.answer:
            arguments[declared.answer] = self.asker(place)
        began = time.perf_counter()
        try:
            value = await declared.run(**arguments)
        except Stopped as stopped:
            return stopped.stop
        except Parked:
            return ASKING
        except Cancelled:
            return CANCELLED
        call = Call(shape, declared, step.id, values, [], None)
        result = run.flights.settle(call, value)
        run.count(step, "ran", time.perf_counter() - began, "")
        return result

    def awaitable(self, source: Source, place: str) -> Callable[..., Awaitable[Any]]:
        """The function through which a node awaits a branch or a piece of graph."""
        if isinstance(source, Body):
            return self.body(source, place)
        plain = source.source if isinstance(source, Branch) else source

        async def lazy() -> Any:
            if isinstance(plain, From):
                await self.settled([plain.step])
            return value_of(self.read(plain))

        return lazy

    def body(self, source: Body, place: str) -> Callable[..., Awaitable[Any]]:
        turns = 0

        async def body(*given: Any) -> Any:
            nonlocal turns
            path, turns = f"{place}[{turns}]/", turns + 1
            if self.depth >= DEPTH_LIMIT:
                raise TesseraError("Pieces of graph are nested too deeply.")
            self.run.spend()
            handed: list[Pair] = [(value, digest(value)) for value in given[: source.plan.takes]]
            await self.settled([s.step for s in source.captured if isinstance(s, From)])
            for captured in source.captured:
                handed.append(pair_of(self.read(captured)))
            inner = Frame(self.run, source.plan, handed, path, self.depth + 1)
            await inner.settled(source.plan.targets)
            for target in source.plan.targets:
                value_of_result(inner.results[target])
            return value_of(inner.read(next(iter(source.plan.outputs.values()))))

        return body

    def asker(self, place: str) -> Callable[..., Awaitable[str]]:
        run, asked = self.run, 0

        async def answer(question: str, options: Sequence[str], pictures: Sequence[Value] = ()) -> str:
            nonlocal asked
            call, asked = (f"{place}#{asked}" if asked else place), asked + 1
            if call in run.answers:
                return run.answers[call]
            run.questions[call] = Question(call, question, list(options), await run.listener.show(pictures))
            raise Parked

        return answer


class Stopped(NodeFailed):
    """A piece of graph that a node awaited has no value; the node may catch this and go on."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.problem.sentence() if stop.problem else "")
        self.stop = stop


def value_of(got: Pair | Stop) -> Any:
    return pair_of(got)[0]


def pair_of(got: Pair | Stop) -> Pair:
    """The value, or the reason there is none as what a steering node sees."""
    if isinstance(got, Stop):
        value_of_result(got)
        raise Stopped(got)
    return got


def value_of_result(result: Result | None) -> None:
    """Raise what stopped a step; do nothing if it has its value."""
    if isinstance(result, Stop):
        if result.state == "asking":
            raise Parked
        if result.state == "cancelled":
            raise Cancelled
        raise Stopped(result)


def widened(value: Any) -> Any:
    if type(value) is int:
        return float(value)
    return [float(v) if type(v) is int else v for v in value] if isinstance(value, list) else value


def merged(results: Sequence[Result], ports: int) -> Result:
    """The results of a mapped step as lists; the first that stopped stops them all."""
    for state in ("cancelled", "failed", "asking", "skipped"):
        for turn, result in enumerate(results):
            if isinstance(result, Stop) and result.state == state:
                return indexed(result, turn)
    done = [r for r in results if isinstance(r, Cached)]
    values = tuple([r.values[port] for r in done] for port in range(ports))
    digests = tuple(digest_of_list([r.digests[port] for r in done]) for port in range(ports))
    return Cached(values, digests)


def indexed(stop: Stop, turn: int) -> Stop:
    if stop.problem is None:
        return stop
    p = stop.problem
    return Stop(stop.state, Problem(p.code, f"{p.step}[{turn}]", p.input, p.got, p.want, p.remedy))


def recalled(data: bytes, classes: Mapping[str, type[Value]]) -> Cached:
    values = tuple(decode(data, classes))
    return Cached(values, tuple(digest(v) for v in values))
