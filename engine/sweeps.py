"""Sweeps: one workflow run once for each value of one or two inputs, and kept as a comparison."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from engine.canonical import Raw
from engine.db import Database, Migration, Reading, Writing
from engine.errors import Invalid, NotFound, Problem, shown
from engine.events import FINAL, Job, Request
from engine.jobs import Jobs
from engine.ports import JsonValue
from engine.requests import MOST, Desk
from engine.safety import NSFW

KEPT = 500
"""Comparisons of one owner; the oldest go, their pictures stay."""


class Axis(Struct, frozen=True, forbid_unknown_fields=True):
    """An input of a step, and the values that it is to have one after the other."""

    to: str
    """As in a workflow: "step.input"."""
    values: Annotated[list[JsonValue], Meta(min_length=1, max_length=MOST)]
    group: str = ""
    """The group in which the step is; empty for the workflow itself."""
    title: str = ""


class SweepRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A workflow to be run for every value of one axis, or every pair of two."""

    workflow: str | dict[str, Any]
    """A name in the library, or the document itself."""
    axes: Annotated[list[Axis], Meta(min_length=1, max_length=2)]
    """The first runs across, the second down."""
    inputs: dict[str, JsonValue] = {}
    targets: list[str] | None = None
    mode: Annotated[int, Meta(ge=0, le=2)] | None = None
    """As of a run."""


class Sweep(Struct, frozen=True):
    """A comparison: what was varied, and the run of each cell, row by row."""

    id: str
    created: float
    """Seconds since 1970."""
    title: str
    workflow: str
    """The name of its workflow; empty if that was not a saved one."""
    mode: int
    axes: list[Axis]
    runs: list[str]
    """One for each cell, row by row."""


SweepList = list[Sweep]  # names of their own, because `list` is a verb below
Ids = list[str]


class Sweeps:
    """Every comparison of every owner."""

    def __init__(self, db: Database, desk: Desk, jobs: Jobs) -> None:
        self._db = db
        self._desk = desk
        self._jobs = jobs

    async def start(self, asked: SweepRequest, owner: str) -> Sweep:
        """Queue a run for each cell. Invalid with every problem: nothing is queued if one value is wrong."""
        check_size(asked.axes)
        raw, name = await self._desk.document(asked.workflow, owner)
        drawn: list[int] = []  # what is drawn at random is the same in every cell
        cells: list[Job] = []
        for values in combined(asked.axes):
            document = varied(raw, asked.axes, values)
            request = Request(document, asked.inputs, asked.targets, mode=asked.mode)
            [job] = await self._desk.jobs(request, owner, drawn=drawn)
            cells.append(msgspec.structs.replace(job, workflow=name))
            await asyncio.sleep(0)  # a hundred plans in one go would keep others waiting
        added = await self._jobs.add(cells)
        sweep = Sweep(
            id=secrets.token_hex(8),
            created=time.time(),
            title=added[0].title,
            workflow=name,
            mode=added[0].mode,
            axes=asked.axes,
            runs=[job.id for job in added],
        )
        await self._db.write(lambda db: insert(db, owner, sweep))
        return sweep

    async def get(self, id: str, owner: str, most: int = NSFW) -> Sweep:
        """One comparison, or NotFound: also if it was made above the viewer's mode."""
        sql = f"{SELECT} WHERE id = ? AND owner = ? AND mode <= ?"
        row = await self._db.read(lambda db: db.execute(sql, (id, owner, most)).fetchone())
        if row is None:
            raise NotFound(f"There is no comparison {shown(id)} in this mode.")
        return sweep_of(row)

    async def list(self, owner: str, most: int = NSFW) -> SweepList:
        """This owner's, newest first."""
        sql = f"{SELECT} WHERE owner = ? AND mode <= ? ORDER BY created DESC, id"
        rows = await self._db.read(lambda db: db.execute(sql, (owner, most)).fetchall())
        return [sweep_of(row) for row in rows]

    async def runs(self, sweep: Sweep, owner: str) -> dict[str, Job]:
        """The runs of its cells that are still known, by id."""
        return {job.id: job for job in await self._jobs.some(sweep.runs, owner)}

    async def unfinished(self, id: str, owner: str) -> Ids:
        """The ids of the runs of its cells that are not over."""
        found = await self.runs(await self.get(id, owner), owner)
        return [id for id, job in found.items() if job.state not in FINAL]

    async def delete(self, id: str, owner: str) -> None:
        """Forget that these runs belong together; what they made stays."""
        await self.get(id, owner)

        def delete(db: Writing) -> None:
            db.execute("DELETE FROM sweeps WHERE id = ? AND owner = ?", (id, owner))

        await self._db.write(delete)


def check_size(axes: list[Axis]) -> None:
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST:
        raise Invalid(
            [Problem("too_many_runs", input="axes", got=str(count), want=f"at most {MOST} runs at once")]
        )
    places = [(axis.group, axis.to) for axis in axes]
    if len(set(places)) < len(places):
        want = "two inputs that differ"
        raise Invalid([Problem("asked_twice", input="axes", got=axes[0].to, want=want)])


def combined(axes: list[Axis]) -> Iterator[tuple[JsonValue, ...]]:
    """The values of every cell, in the order of the axes: row by row, so the first axis runs fastest."""
    for values in itertools.product(*(axis.values for axis in reversed(axes))):
        yield values[::-1]


def varied(raw: Raw, axes: list[Axis], values: tuple[JsonValue, ...]) -> Raw:
    """The document with these values typed in; the given one stays as it is."""
    for axis, value in zip(axes, values, strict=True):
        raw = with_value(raw, axis, value)
    return raw


def with_value(raw: Raw, axis: Axis, value: JsonValue) -> Raw:
    if axis.group:
        groups = raw.get("groups")
        inner = groups.get(axis.group) if isinstance(groups, dict) else None
        if not isinstance(inner, dict):
            raise nowhere(axis, f"There is no group {shown(axis.group)}.")
        return {**raw, "groups": {**raw["groups"], axis.group: in_graph(inner, axis, value)}}
    return in_graph(raw, axis, value)


def in_graph(graph: Raw, axis: Axis, value: JsonValue) -> Raw:
    name, _, port = axis.to.rpartition(".")
    steps = graph.get("steps")
    step = steps.get(name) if isinstance(steps, dict) else None
    if not isinstance(step, dict):
        raise nowhere(axis, "")
    if port in (step.get("wires") or {}):
        raise nowhere(axis, "A wire feeds it: take that away, or choose what feeds it.")
    values = {**(step.get("values") or {}), port: value}
    return {**graph, "steps": {**graph["steps"], name: {**step, "values": values}}}


def nowhere(axis: Axis, remedy: str) -> Invalid:
    want = "an input of a step, as step.input, that no wire feeds"
    return Invalid([Problem("bad_axis", input="axes", got=shown(axis.to), want=want, remedy=remedy)])


def insert(db: Writing, owner: str, sweep: Sweep) -> None:
    axes, runs = msgspec.json.encode(sweep.axes), msgspec.json.encode(sweep.runs)
    row = (sweep.id, owner, sweep.created, sweep.title, sweep.workflow, sweep.mode, axes, runs)
    db.execute("INSERT INTO sweeps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute(TOO_MANY, (owner, owner, KEPT))


def sweep_of(row: Any) -> Sweep:
    id, created, title, workflow, mode, axes, runs = row
    varied, made = msgspec.json.decode(axes, type=list[Axis]), msgspec.json.decode(runs, type=list[str])
    return Sweep(id, created, title, workflow, mode, varied, made)


SELECT = "SELECT id, created, title, workflow, mode, axes, runs FROM sweeps"
TOO_MANY = """DELETE FROM sweeps WHERE owner = ? AND id IN
    (SELECT id FROM sweeps WHERE owner = ? ORDER BY created DESC LIMIT -1 OFFSET ?)"""


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE sweeps (
            id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, title TEXT NOT NULL,
            workflow TEXT NOT NULL, mode INTEGER NOT NULL, axes BLOB NOT NULL, runs BLOB NOT NULL)
            WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX sweeps_owner ON sweeps (owner, created)")


MIGRATIONS: tuple[Migration, ...] = (("sweeps 1", create),)
