"""An engine in this process with small nodes, and the steps that its tests take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.events import Job, Request
from engine.flights import Flights
from engine.registry import Registry
from engine.run import Run
from engine.service import Engine
from engine.workers import Here
from tests.toys import Diary, Doc, Wire, all_nodes, step, workflow

NODES = all_nodes()
SOON = 30.0
"""Seconds after which something that should happen will not."""

CHAIN = workflow(
    {"out": "d.out"},
    a=step("work", name="a", value=1),
    b=step("work", name="b", value=Wire("a.out")),
    c=step("work", name="c", value=Wire("a.out")),
    d=step("plus", a=Wire("b.out"), b=Wire("c.out")),
)
WIDE = workflow(
    {"left": "e.out", "right": "f.out"},
    a=step("work", name="a"), b=step("work", name="b"),
    c=step("work", name="c", value=Wire("a.out")), d=step("work", name="d", value=Wire("b.out")),
    e=step("work", name="e", value=Wire("c.out")), f=step("work", name="f", value=Wire("d.out")),
)  # fmt: skip


@asynccontextmanager
async def opened(folder: Path, registry: Registry = NODES, **changes: Any) -> AsyncIterator[Engine]:
    async with Engine.local(folder / "data", registry=registry, packs=folder / "packs", **changes) as engine:
        yield engine


async def submit(engine: Engine, document: Doc | str, owner: str = "local", **given: Any) -> Job:
    fields = {name: given.pop(name) for name in ("targets", "priority", "count", "hold") if name in given}
    [job] = await engine.submit(Request(document, given, **fields), owner=owner)
    return job


async def ended(engine: Engine, job: Job, seconds: float = SOON) -> Job:
    """The job once it is over, or waits for a person."""
    found = await engine.wait(job.id, seconds)
    assert found.state not in ("queued", "running"), f"still {found.state}"
    return found


async def run(engine: Engine, document: Doc | str, owner: str = "local", **given: Any) -> Job:
    return await ended(engine, await submit(engine, document, owner, **given))


async def opens(diary: Diary, name: str) -> None:
    """Wait until a node opens this gate."""
    assert await asyncio.to_thread(diary.gate(name).wait, SOON), f"{name} never came"


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds of which nobody tells us."""
    async with asyncio.timeout(SOON):
        while not holds():
            await asyncio.sleep(0.005)


def flights_of(engine: Engine) -> Flights:
    """The calls of the worker in this process."""
    assert isinstance(engine.dispatch.host, Here)
    return engine.dispatch.host.runner.flights


def runs_of(engine: Engine) -> dict[str, Run]:
    assert isinstance(engine.dispatch.host, Here)
    return engine.dispatch.host.runner.runs


def use(job: Job) -> dict[str, str]:
    """Where the result of each step came from."""
    return {id: report.cache for id, report in job.steps.items()}
