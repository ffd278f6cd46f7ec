"""One call: from memory or disk, joined in flight, or run in a lane with the out-of-memory ladder."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import itertools
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from engine.artifacts import effect, voucher
from engine.cache import Cache, Cached, mentions
from engine.calls import Call, arguments, explain, perform, perform_async, settle
from engine.codecs import encode
from engine.context import Context
from engine.digest import call_key, digest
from engine.errors import Cancelled, Parked, Problem
from engine.events import CacheUse, StepState
from engine.ladder import Memory, Rung, ladder, too_little
from engine.lanes import Lanes, Ticket
from engine.machine import is_out_of_memory
from engine.plan import Shape
from engine.types import Image, Value
from engine.vault import EMPTY, Vault, revealed

RAN_OUT = "it ran out of memory"


class Stop(Struct, frozen=True):
    """Why a call or step has no value."""

    state: StepState
    problem: Problem | None = None


CANCELLED = Stop("cancelled")
ASKING = Stop("asking")
SKIPPED = Stop("skipped")
Result = Cached | Stop


class Flown(NamedTuple):
    """What came of a call."""

    result: Result
    use: CacheUse
    seconds: float = 0.0
    why: str = ""
    """Why it had to run."""
    fallback: str = ""
    """How it had to run for lack of memory; empty for as it is."""


class Caller(Protocol):
    """The run that a call belongs to."""

    id: str
    owner: str
    priority: int
    ambient: contextvars.Context

    def on_progress(self, path: str, fraction: float) -> None: ...

    def on_preview(self, path: str, image: Image) -> None: ...

    def receipt(self, path: str) -> str: ...


class Flight:
    """A call under way, and everybody who waits for it."""

    def __init__(self, call: Call, caller: Caller, ticket: Ticket, fresh: bool = False) -> None:
        self.call = call
        self.fresh = fresh
        self.caller = caller
        self.ticket = ticket
        self.callers: list[tuple[Caller, str]] = []
        """Who waits, each with the path of the step that does."""
        self.landed: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.cancelled = threading.Event()
        self.granted = False
        self.task: asyncio.Task[None] | None = None
        self.seconds = 0.0
        self.why = ""
        self.fallback = ""

    def progress(self, fraction: float) -> None:
        """Tell everybody who waits; comes from the node's thread."""
        for caller, path in list(self.callers):
            caller.on_progress(path, fraction)

    def preview(self, image: Image) -> None:
        for caller, path in list(self.callers):
            caller.on_preview(path, image)


class Flights:
    """Runs the calls of every job of one worker."""

    def __init__(
        self,
        cache: Cache,
        *,
        classes: Mapping[str, type[Value]],
        slots: Mapping[str, int],
        vault: Vault = EMPTY,
    ) -> None:
        self.cache = cache
        self.classes = classes
        self.vault = vault
        self.memory: Memory | None = None
        """Weights in memory, once anything needs some."""
        self.fall_back: Callable[[], object] | None = None
        """Run in a call's own context, makes what follows use the CPU; None where that is not allowed."""
        self.take_turns: Callable[[], object] | None = None
        """Run in a call's own context, leaves weights in the machine's memory; None where that is no gain."""
        self.numerics = ""
        """What changes the results of nodes that use torch: its version, the device and the precision."""
        self.surroundings: dict[str, str] = {}
        """By lane, what results are marked with, so that a receipt is true also of what the cache gave."""
        self._prefixes: dict[tuple[int, str], tuple[Shape, bytes]] = {}
        self._lanes = Lanes(slots)
        self._pools: dict[str, Executor] = {
            lane: ThreadPoolExecutor(count, thread_name_prefix=lane) for lane, count in slots.items()
        }
        self._tickets = itertools.count(1)
        self._granted: dict[int, asyncio.Future[None]] = {}
        self._joinable: dict[bytes, Flight] = {}
        self._aloft: dict[int, Flight] = {}

    def explain(self, error: BaseException, path: str) -> Problem:
        """An error of a node as a problem that tells no secret."""
        return self.vault.clean(explain(error, path))

    def forget_shapes(self) -> None:
        """The nodes have changed: what was looked up about them is of no more use."""
        self._prefixes.clear()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    # -- keys

    def key(self, shape: Shape, digests: Sequence[bytes]) -> bytes:
        """The key of a call of this node on inputs of these digests."""
        place = (id(shape), self.numerics)
        known = self._prefixes.get(place)
        if known is None:  # the shape itself is kept, so that its id stays its own
            known = self._prefixes[place] = (shape, shape.prefix(self.epoch(shape)))
        return call_key(known[1], list(digests))

    def epoch(self, shape: Shape) -> str:
        """What besides inputs and version changes the result: a pack's source, the numerics under torch."""
        return f"{self.numerics}|{shape.entry.epoch}" if shape.spec.lane == "gpu" else shape.entry.epoch

    # -- trivial calls

    def at_once(self, call: Call, *, fresh: bool = False) -> Flown:
        """Run an inline call on the loop, unless its result is known."""
        if not fresh and call.key is not None and (known := self.cache.fetch(call.key)) is not None:
            return Flown(known, "disk")
        began = time.perf_counter()
        try:
            result = self.settle(call, perform(call, arguments(call, Context())))
        except Exception as error:
            return Flown(Stop("failed", self.explain(error, call.path)), "ran", time.perf_counter() - began)
        seconds = time.perf_counter() - began
        return Flown(result, "ran", seconds, self.keep(call, result, seconds))

    # -- calls in lanes

    async def fly(self, call: Call, caller: Caller, *, fresh: bool = False) -> Flown:
        """Join an equal call in flight, or find its result on disk, or start it.

        Cancelling the task that awaits this only leaves the flight; the last to leave ends it.
        """
        key = None if fresh else call.key
        if key is not None and (flight := self._joinable.get(key)) is not None:
            return await self.join(flight, caller, call.path)
        if key is not None and (known := await self.from_disk(key)) is not None:
            return Flown(known, "disk")
        if key is not None:  # while we looked on disk another may have come to its end, or begun
            if (known := self.cache.peek(key)) is not None:
                return Flown(known, "memory")
            if (flight := self._joinable.get(key)) is not None:
                return await self.join(flight, caller, call.path)
        flight = self.start(call, caller, fresh)
        result = await self.aboard(flight, caller, call.path)
        return Flown(result, "ran", flight.seconds, flight.why, flight.fallback)

    async def join(self, flight: Flight, caller: Caller, path: str) -> Flown:
        result = await self.aboard(flight, caller, path)
        return Flown(result, "flight", fallback=flight.fallback)

    async def from_disk(self, key: bytes) -> Cached | None:
        return await asyncio.get_running_loop().run_in_executor(self._pools["io"], self.cache.fetch, key)

    def start(self, call: Call, caller: Caller, fresh: bool = False) -> Flight:
        lane = call.shape.spec.lane
        ticket = Ticket(
            next(self._tickets), "io" if lane == "inline" else lane, caller.owner, caller.priority
        )
        flight = Flight(call, caller, ticket, fresh)
        if call.key is not None:
            self._joinable[call.key] = flight
        self._aloft[ticket.id] = flight
        flight.task = asyncio.get_running_loop().create_task(self.pilot(flight))
        return flight

    async def aboard(self, flight: Flight, caller: Caller, path: str) -> Result:
        """Wait for a flight; it takes the highest priority of those who wait."""
        flight.callers.append((caller, path))
        self._lanes.hurry(flight.ticket.id, caller.priority)
        try:
            return await asyncio.shield(flight.landed)
        finally:
            flight.callers.remove((caller, path))
            if not flight.callers and not flight.landed.done():
                self.abandon(flight)

    def abandon(self, flight: Flight) -> None:
        """The last who waited is gone: stop the call, and let nobody else join it."""
        flight.cancelled.set()
        self.close_doors(flight)
        if flight.task is not None and (not flight.granted or flight.call.shape.is_async):
            flight.task.cancel()

    def close_doors(self, flight: Flight) -> None:
        key = flight.call.key
        if key is not None and self._joinable.get(key) is flight:
            del self._joinable[key]

    def abandoned(self, caller: Caller) -> list[Flight]:
        """Calls that this run started, nobody wants any more, and that have not stopped yet."""
        return [f for f in self._aloft.values() if f.caller is caller and f.cancelled.is_set()]

    async def pilot(self, flight: Flight) -> None:
        """Take a slot, run the call, land with whatever comes of it."""
        result: Result = CANCELLED
        try:
            await self.take_slot(flight)
            try:
                began = time.perf_counter()
                result = await self.climb(flight)
                flight.seconds = time.perf_counter() - began
            finally:
                self.grant(self._lanes.done(flight.ticket.id))
        except asyncio.CancelledError:
            pass
        except Exception as error:
            result = Stop("failed", self.explain(error, flight.call.path))
        finally:
            self._aloft.pop(flight.ticket.id, None)
            self.close_doors(flight)
            if not flight.landed.done():
                flight.landed.set_result(result)

    async def take_slot(self, flight: Flight) -> None:
        id = flight.ticket.id
        granted = self._granted[id] = asyncio.get_running_loop().create_future()
        self.grant(self._lanes.ask(flight.ticket))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.grant(self._lanes.done(id))
            self._lanes.drop(id)
            raise
        finally:
            self._granted.pop(id, None)
        flight.granted = True

    def grant(self, ids: list[int]) -> None:
        """Tell those who got a slot; one who is gone by now gives it back."""
        waiting = list(ids)
        while waiting:
            id = waiting.pop()
            granted = self._granted.get(id)
            if granted is None or granted.done():
                waiting += self._lanes.done(id)
            else:
                granted.set_result(None)

    # -- the ladder

    async def climb(self, flight: Flight) -> Result:
        """Run; out of memory: free and retry, then in turns, with more thrift, on the CPU, then say so."""
        call = flight.call
        last: BaseException | None = None
        for rung in self.rungs(call):
            if rung.evict and self.memory is not None:
                self.memory.evict(all=True)
            tried = self.on_rung(call, rung)
            if (known := self.known_on(rung, tried, flight)) is not None:
                flight.why, flight.fallback = f"{RAN_OUT}, then was known with {rung.how}", rung.how
                return known
            began = time.perf_counter()
            try:
                result = await self.attempt(flight, rung)
            except Cancelled:
                return CANCELLED
            except Parked:
                return ASKING
            except Exception as error:
                if not is_out_of_memory(error):
                    return Stop("failed", self.explain(error, call.path))
                last = error.with_traceback(None)
                continue
            flight.why = self.keep(tried, result, time.perf_counter() - began)
            if rung.how:
                flight.why, flight.fallback = f"{flight.why}; {RAN_OUT}, then ran with {rung.how}", rung.how
            return result
        return Stop("failed", self.explain(too_little(last, self.memory), call.path))

    def rungs(self, call: Call) -> list[Rung]:
        return ladder(call.shape.spec.lane, self.fall_back is not None, self.take_turns is not None)

    def known_on(self, rung: Rung, tried: Call, flight: Flight) -> Cached | None:
        """What an earlier call gave on this rung."""
        if not rung.name or tried.key is None or flight.fresh:
            return None
        return self.cache.fetch(tried.key)

    def on_rung(self, call: Call, rung: Rung) -> Call:
        """The call under a key of its own, so that a fallback never poses as the real thing."""
        if not rung.name or call.key is None:
            return call
        key = call_key(call.key, [digest(rung.name)])
        return Call(call.shape, call.declared, call.path, call.values, call.digests, key)

    async def attempt(self, flight: Flight, rung: Rung) -> Cached:
        call, caller = flight.call, flight.caller
        ambient = caller.ambient.copy()
        told: set[str] = set()
        ambient.run(revealed.set, told)
        if call.place:
            ambient.run(effect.set, f"{caller.id}|{call.place}")
            ambient.run(voucher.set, functools.partial(caller.receipt, call.path))
        for wanted, begin in ((rung.turns, self.take_turns), (rung.cpu, self.fall_back)):
            if wanted and begin is not None:
                ambient.run(begin)
        context = Context(
            progress=flight.progress,
            preview=flight.preview,
            cancelled=flight.cancelled.is_set,
            thrift=rung.thrift,
        )
        given = arguments(call, context)
        loop = asyncio.get_running_loop()
        if call.shape.is_async:
            value = await loop.create_task(perform_async(call, given), context=ambient)
            return self.marked(call, self.settle(call, value, told))
        work = functools.partial(ambient.run, self.in_thread, call, given, told)
        return await asyncio.shield(loop.run_in_executor(self._pools[flight.ticket.lane], work))

    def in_thread(self, call: Call, given: dict[str, Any], told: Collection[str]) -> Cached:
        return self.marked(call, self.settle(call, perform(call, given), told))

    def settle(self, call: Call, value: Any, told: Collection[str] = ()) -> Cached:
        """What the function returned, checked: also that none of the secrets it was told is in it."""
        result = settle(call, value, self.classes)
        if told:
            self.vault.refuse(encode(list(result.values)).data, call.shape.spec.id)
        return result

    def marked(self, call: Call, result: Cached) -> Cached:
        """The result with a note of what it was computed in."""
        return result._replace(made=self.surroundings.get(call.shape.spec.lane, ""))

    def keep(self, call: Call, result: Cached, seconds: float) -> str:
        """Put a result into the cache; why it had to be computed."""
        shape, spec = call.shape, call.shape.spec
        if call.key is None:
            return {"effect": "it changes the world", "source": "it reads the world"}.get(spec.kind, "")
        epoch = self.epoch(shape)
        inputs = dict(zip(shape.eager_names, call.digests, strict=False))
        why = self.cache.why(spec.id, spec.version, call.path, epoch, inputs)
        self.cache.keep(
            call.key,
            result,
            node=spec.id,
            version=spec.version,
            step=call.path,
            epoch=epoch,
            inputs=inputs,
            seconds=seconds,
            artifacts=mentions(call.values) if shape.artifacts else (),
        )
        return why
