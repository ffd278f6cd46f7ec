"""What the engine itself costs: graphs of additions, planned and run in this process."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from engine.assignment import Assignment, Outcome, Say
from engine.cache import Cache
from engine.child import calm_collector
from engine.config import settings
from engine.flights import Flights
from engine.planner import Planner
from engine.registry import Registry
from engine.run import Run
from engine.runner import Runner
from engine.workflow import parse
from tests.bench.table import REPEATS, Row, growth
from tests.graphs import chain, layered, wide
from tests.serving import Json

SIZES = (10, 100, 1000, 10_000)
SHAPES: dict[str, Callable[[int, float], Json]] = {"chain": chain, "wide": wide, "layered": layered}
SLOTS = {"gpu": 1, "cpu": 2, "io": 32}
COST, EXPONENT, RESUBMITTED = 50.0, 1.1, 25.0


async def graphs() -> list[Row]:
    """Microseconds of CPU per no-op node: parsed, planned, keyed, run; and how that grows."""
    calm_collector()
    registry = Registry.core()
    rows: list[Row] = []
    for name, shape in SHAPES.items():
        points = []
        for size in SIZES:
            costs = [await in_memory(registry, shape(size, turn * 1e7)) for turn in range(REPEATS)]
            points.append((float(size), statistics.median(costs)))
        for count, seconds in points[-2:]:
            what = f"{name} of {count:,.0f}: CPU per node, parsed, planned and run"
            rows.append(Row("1", what, seconds / count * 1e6, "µs", COST))
        rows.append(Row("1", f"{name}, 10 to 10,000: growth exponent", growth(points), "", EXPONENT))
        whole = [await as_job(registry, shape(1000, turn * 1e7)) for turn in range(REPEATS)]
        what = f"{name} of 1,000: the same with receipt, reports and results on disk"
        rows.append(Row("1", what, statistics.median(whole) / 1000 * 1e6, "µs"))
    return rows


async def in_memory(registry: Registry, document: Json) -> float:
    """Seconds of CPU from the bytes of a document to the values of its outputs; nothing on disk."""
    data = msgspec.json.encode(document)
    flights = Flights(Cache(None, registry.classes, 2**30, 0), classes=registry.classes, slots=SLOTS)
    gc.collect()
    began = time.process_time()
    plan = Planner(registry).plan(parse(data))
    ending = await Run(plan, flights).finish()
    seconds = time.process_time() - began
    assert ending.values.keys() == document["outputs"].keys()
    flights.close()
    return seconds


async def as_job(registry: Registry, document: Json) -> float:
    """Seconds of CPU of a whole job in a worker, until its results are on disk."""
    async with running(registry) as runner:
        began = time.process_time()
        await outcome(runner, document)
        return time.process_time() - began


async def edits() -> list[Row]:
    """A thousand steps again: all of them known, one of them edited, all of them moved and renamed."""
    calm_collector()
    registry = Registry.core()
    document = chain(1000)
    edited = chain(1000)
    edited["steps"]["s400"]["values"]["b"] = 1.5
    text = msgspec.json.encode(document).replace(b'"s', b'"r').replace(b'"rteps"', b'"steps"')
    renamed = msgspec.json.decode(text) | {"layout": {"r7": {"x": 1, "y": 2}}}
    async with running(registry) as runner:
        await outcome(runner, document)
        again, anew = [], []
        for turn in range(REPEATS):
            seconds, known = await again_after(runner, document)
            again.append(seconds)
            respaced = document | {"title": f"Turn {turn}"}  # other bytes, so it is planned anew
            anew.append((await again_after(runner, respaced))[0])
        cone = await outcome(runner, edited)
        moved = await outcome(runner, renamed)
    kept, planned = statistics.median(again) * 1e3, statistics.median(anew) * 1e3
    return [
        Row("2", "1,000 cached steps resubmitted, in the engine: CPU", kept, "ms", RESUBMITTED),
        Row("2", "the same when it has to be planned anew: CPU", planned, "ms"),
        Row("2", "1,000 cached steps resubmitted: calls", calls(known), "", 0),
        Row("2", "step 400 of 1,000 edited: calls besides the 600 below it", calls(cone) - 600, "", 0),
        Row("2", "all steps renamed and moved: calls", calls(moved), "", 0),
    ]


async def again_after(runner: Runner, document: Json) -> tuple[float, Outcome]:
    """Seconds of CPU to run it again, and what came of that."""
    gc.collect()
    began = time.process_time()
    found = await outcome(runner, document)
    return time.process_time() - began, found


class Quiet(Say):
    """A host that does not listen."""


@asynccontextmanager
async def running(registry: Registry) -> AsyncIterator[Runner]:
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(settings(data=Path(folder)), registry, Quiet())
        try:
            yield runner
        finally:
            runner.close()


async def outcome(runner: Runner, document: Json, id: str = "job") -> Outcome:
    found = await runner.run(Assignment(id, "local", msgspec.json.encode(document)))
    assert found.state == "done", found.problem
    return found


def calls(found: Outcome) -> int:
    return sum(report.calls for report in found.steps.values())
