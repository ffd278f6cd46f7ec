"""One evaluation of a plan: a run's steps, or one turn of a piece of graph."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine import ports
from engine.cache import Cached
from engine.calls import Call
from engine.codecs import decode, encode
from engine.digest import digest, digest_of_list
from engine.errors import BadInput, Cancelled, NodeFailed, Parked, Problem, TesseraError, shown
from engine.events import Question
from engine.flights import ASKING, CANCELLED, SKIPPED, Result, Stop
from engine.node import Declared
from engine.plan import Body, Branch, Const, From, Handed, Plan, PlanStep, Source
from engine.policy import holds_value, is_own_effect
from engine.types import Value
from engine.variables import widened
from engine.workflow import DEPTH_LIMIT

if TYPE_CHECKING:
    from engine.run import Run

Pair = tuple[Any, bytes]
"""A value and its digest."""


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
        stack = [end for end in reversed(ends) if self.unmet[end] < 0]
        steps, results, unmet, ready = self.plan.steps, self.results, self.unmet, self.run.ready
        while stack:
            index = stack.pop()
            if unmet[index] >= 0:
                continue
            step = steps[index]
            count = 0
            for need in reversed(step.needs):
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
        if isinstance(source, From):
            result = self.results[source.step]
            if not isinstance(result, Cached):
                return result or SKIPPED
            value, mark = result.values[source.port], result.digests[source.port]
        elif isinstance(source, Const):
            if not source.digest:
                source.digest = digest(source.value)
            return source.value, source.digest
        elif isinstance(source, Handed):
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
                if isinstance(got, Stop):
                    run.settle(self, index, ASKING if got.state == "asking" else SKIPPED)
                    return
                values.append(got[0])
                digests.append(got[1])
            else:
                values.append(None)
        if step.checks and (refused := out_of_limits(step, values)) is not None:
            run.settle(self, index, Stop("failed", refused))
            return
        declared = shape.entry.declared
        assert declared is not None
        if step.maps or shape.spec.steers or shape.spec.asks or shape.spec.kind != "pure":
            run.task(self, index, self.work(step, declared, values, digests))
            return
        key = run.flights.key(shape, digests)
        if not run.fresh and (known := run.flights.cache.peek(key)) is not None:
            run.count(step, "memory")
            run.settle(self, index, known)
            return
        run.spend()
        call = Call(shape, declared, step.id, values, digests, key)
        if shape.trivial:
            flown = run.flights.at_once(call, fresh=run.fresh)
            run.count(step, *flown[1:])
            run.settle(self, index, flown.result)
            return
        run.begin(step)
        run.task(self, index, self.fly(step, call))

    async def fly(self, step: PlanStep, call: Call) -> Result:
        """A single call in a lane."""
        flown = await self.run.flights.fly(call, self.run, fresh=self.run.fresh)
        self.run.count(step, *flown[1:])
        result = flown.result
        if flown.use == "flight" and isinstance(result, Stop) and result.problem is not None:
            return Stop(result.state, msgspec.structs.replace(result.problem, step=step.id))
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
            return Stop("failed", self.run.flights.explain(error, step.id))

    async def mapped(
        self, step: PlanStep, declared: Declared, values: list[Any], digests: list[bytes]
    ) -> Result:
        """Once per item of the lists that feed single inputs."""
        names = step.shape.names
        lengths = {names[i]: len(values[i]) for i in step.maps}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            remedy = "Make the lists equally long, or use cross_product."
            raise BadInput(
                f"{step.id}.{names[step.maps[0]]}", got=got, want="lists of one length", remedy=remedy
            )
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
                run.count(step, "memory")
                return known
        elif spec.kind == "source" and declared.fingerprint is not None:
            mark = await self.fingerprint(declared, shape.names, values)
            key = run.flights.key(shape, [*digests, digest(mark)])
            call = Call(shape, declared, step.id, values, digests, key)
        else:
            if (kept := run.remembered.get((path, turn))) is not None:
                run.count(step, "disk")
                known = recalled(kept, run.flights.classes)
                return await self.happened(step, path, turn, known, vouch=False)
            call = Call(shape, declared, step.id, values, digests, None, f"{path}|{turn}")
        result = await self.fly(step, call)
        if call.key is None and isinstance(result, Cached):
            await run.listener.remember(path, turn, encode(list(result.values)).data)
            return await self.happened(step, path, turn, result)
        return result

    async def happened(
        self, step: PlanStep, path: str, turn: int, result: Cached, *, vouch: bool = True
    ) -> Result:
        """Note what a step did to the world: what a pack's gave is looked at; ours made it of what was.

        So is what was done before, maybe in a higher mode; then nothing vouches for ours either.
        """
        run, given = self.run, list(result.values)
        if vouch and is_own_effect(step.shape):
            run.vouched.add(result)
        elif step.shape.spec.kind == "effect" and run.guard is not None:
            for port, value in enumerate(given):
                if not holds_value(value):
                    continue
                if isinstance(checked := await run.check(path, value), Stop):
                    return checked
                given[port] = checked.values[0]
        run.done(step, path, turn, result._replace(values=tuple(given)))
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
        run.count(step, "ran", time.perf_counter() - began)
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
            handed += [pair_of(self.read(captured)) for captured in source.captured]
            inner = Frame(self.run, source.plan, handed, path, self.depth + 1)
            await inner.settled(source.plan.ends)
            self.run.turned(inner)
            for end in source.plan.ends:
                value_of_result(inner.results[end])
            return value_of(inner.read(next(iter(source.plan.outputs.values()))))

        return body

    def asker(self, place: str) -> Callable[..., Awaitable[str]]:
        run, asked = self.run, 0

        async def answer(question: str, options: Sequence[str], pictures: Sequence[Value] = ()) -> str:
            nonlocal asked
            call, asked = (f"{place}#{asked}" if asked else place), asked + 1
            if call in run.answers:
                return run.answers[call]
            scrub = run.flights.vault.scrub
            seen = [await self.checked(place, picture) for picture in pictures]
            shown = await run.listener.show(seen)
            run.questions[call] = Question(call, scrub(question), [*map(scrub, options)], shown)
            raise Parked

        return answer

    async def checked(self, place: str, picture: Value) -> Value:
        """A picture as a person may see it."""
        if self.run.guard is None:
            return picture
        result = await self.run.check(place, picture)
        value_of_result(result)
        assert isinstance(result, Cached)
        found: Value = result.values[0]
        return found


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


def out_of_limits(step: PlanStep, values: Sequence[Any]) -> Problem | None:
    """What is wrong with a value that came along a wire, if anything."""
    for index in step.checks:
        port = step.shape.spec.inputs[index]
        for value in values[index] if index in step.maps else [values[index]]:
            if isinstance(value, Value):
                continue
            try:
                ports.convert(value, port.type)
            except msgspec.ValidationError:
                want = ports.words(port.type)
                return Problem(
                    "bad_value", step.id, port.name, shown(value), want, "Look at the step that gives it."
                )
    return None


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
