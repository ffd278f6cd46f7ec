"""Every row is chained to the one before: an edit, a gap and another order show, also after sealing."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path

import pytest

from engine import jobs as jobs_of
from engine.audit import Audit, Checker, Noted, Report, exported, imported
from engine.db import Database
from engine.errors import Conflict
from engine.events import Event, Job
from engine.jobs import Jobs
from engine.log import create


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Jobs, Audit]]:
    db = await Database.open(path, jobs_of.MIGRATIONS)
    try:
        jobs = Jobs(db)
        await jobs.open()
        yield jobs, Audit(db)
    finally:
        await db.close()


async def written(path: Path, count: int = 9) -> None:
    """A log of some lines, each with something of its own."""
    async with opened(path) as (jobs, _):
        for number in range(count):
            kind = "steps" if number % 3 else "job.state"
            data = {"number": number, "of": "é" * number}
            await jobs.emit(Event(kind, owner=f"o{number}", job=f"j{number}", data=data))


def change(path: Path, *statements: str) -> None:
    """Somebody has got at the file."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


async def report(path: Path, noted: Noted | None = None) -> Report:
    async with opened(path) as (_, audit):
        return await audit.verify(noted)


async def export(path: Path, after: int = 0) -> bytes:
    async with opened(path) as (_, audit):
        return b"".join([exported(page) async for page in audit.lines(after)])


async def test_a_log_that_nobody_touched_is_whole_and_goes_on_being_so(tmp_path: Path) -> None:
    path = tmp_path / "db"
    await written(path)
    first = await report(path)
    assert (first.whole, first.lines, first.first, first.last, first.faults) == (True, 9, 1, 9, [])
    await written(path, 3)
    after = await report(path, Noted(first.last, first.chain))
    assert (after.whole, after.lines) == (True, 12)
    assert f"12:{after.chain}" in after.sentence


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE events SET data = '{\"number\":7}' WHERE seq = 4", "line 4, or its chain, was changed"),
        ("UPDATE events SET owner = 'me' WHERE seq = 4", "line 4, or its chain"),
        ("UPDATE events SET job = 'mine' WHERE seq = 4", "line 4, or its chain"),
        ("UPDATE events SET kind = 'answer' WHERE seq = 4", "line 4, or its chain"),
        ("UPDATE events SET at = at - 1e-6 WHERE seq = 4", "line 4, or its chain"),
        ("UPDATE events SET chain = zeroblob(32) WHERE seq = 4", "line 4, or its chain"),
        ("UPDATE events SET seq = 40 WHERE seq = 9", "line 40, or its chain, was changed, or lines after 8"),
        ("DELETE FROM events WHERE seq = 4", "lines after 3 are missing"),
        ("DELETE FROM events WHERE seq < 4", "line 4 was changed, or lines before it are missing unsealed"),
        ("DELETE FROM events WHERE seq > 7", "lines 8 to 9 are missing"),
        ("DELETE FROM events", "lines 1 to 9 are missing"),
    ],
)
async def test_an_edit_or_a_gap_is_found(tmp_path: Path, statement: str, found: str) -> None:
    path = tmp_path / "db"
    await written(path)
    change(path, statement)
    said = await report(path)
    assert not said.whole
    assert found in said.sentence


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}' WHERE kind = 'audit.sealed'",
        "UPDATE events SET data = x'00ff' WHERE kind = 'audit.sealed'",
        "UPDATE events SET chain = 99999999999999 WHERE seq = 12",
        "UPDATE events SET chain = 'none' WHERE seq = 12",
        "UPDATE events SET chain = x'ff' WHERE seq = 12",
        "UPDATE events SET data = 7 WHERE seq = 12",
        "UPDATE events SET data = x'00' WHERE seq = 12",
        "UPDATE events SET at = 'then', kind = x'ff', owner = 1, job = 2.5 WHERE seq = 12",
    ],
)
async def test_an_edit_of_any_kind_is_told_as_one(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "db"
    await written(path)
    async with opened(path) as (_, audit):
        assert await audit.seal(time.time() + 1)
    await written(path, 4)
    assert (await report(path)).whole
    change(path, statement)
    found = await report(path)
    assert not found.whole
    assert "tampered" in found.sentence


async def test_another_order_is_found(tmp_path: Path) -> None:
    path = tmp_path / "db"
    await written(path)
    change(
        path,
        "UPDATE events SET seq = 100 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 5",
        "UPDATE events SET seq = 5 WHERE seq = 100",
    )
    assert [fault.seq for fault in (await report(path)).faults[:2]] == [4, 5]


async def test_any_changed_character_of_an_export_is_found(tmp_path: Path) -> None:
    path = tmp_path / "db"
    await written(path)
    whole = await export(path)
    draw = random.Random(7)
    for _ in range(300):
        place = draw.randrange(len(whole))
        new = draw.randrange(256)
        if whole[place] == new or whole[place : place + 1] + bytes([new]) == b"eE":
            continue
        changed = whole[:place] + bytes([new]) + whole[place + 1 :]
        checker = Checker(Noted(9, json.loads(whole.splitlines()[-1])["chain"]))
        try:
            checker.take(imported(changed.splitlines()))
        except Conflict:
            continue  # no line of a log any more
        said = checker.report(9)
        assert not said.whole, (place, whole[place : place + 1], bytes([new]))


async def test_lines_cut_off_the_end_stay_missed_when_the_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "db"
    await written(path)
    change(path, "DELETE FROM events WHERE seq > 7")
    await written(path, 4)
    assert "lines 8 to 9 are missing" in (await report(path)).sentence


async def test_a_log_written_anew_is_another_than_the_one_that_was_noted(tmp_path: Path) -> None:
    path, other = tmp_path / "db", tmp_path / "other"
    await written(path)
    await written(other)
    before, forged = await report(path), await report(other)
    assert forged.whole
    assert "line 9 is not the one that was noted" in (await report(other, Noted(9, before.chain))).sentence
    assert "line 50, which was noted" in (await report(path, Noted(50, before.chain))).sentence


async def test_anybody_can_follow_an_export_with_nothing_but_sha256(tmp_path: Path) -> None:
    await written(tmp_path / "db")
    chain = "0" * 64
    for line in (await export(tmp_path / "db")).decode().splitlines():
        data = line[line.index('"data":') + 7 : -1]
        read = json.loads(line)
        told = sha256(data.encode()).hexdigest()
        row = [chain, read["seq"], read["at"], read["kind"], read.get("owner", ""), read.get("job", ""), told]
        chain = sha256(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
        assert chain == read["chain"]


async def test_what_a_deleted_run_said_of_its_steps_goes_and_the_chain_stays(tmp_path: Path) -> None:
    path = tmp_path / "db"
    async with opened(path) as (jobs, audit):
        [job] = await jobs.add([Job(id="", owner="ann", document=b"{}")])
        await jobs.emit(Event("steps", owner="ann", job=job.id, data={"steps": {"a": {"state": "done"}}}))
        await jobs.cancel(job.id)
        assert await jobs.expire(time.time() + 1)
        assert [event.kind for event in await jobs.events()] == ["job.created", "job.state"]
        said = await audit.verify()
        assert (said.whole, said.lines, said.erased) == (True, 3, 1)
    assert b'"a"' not in await export(path)
    with closing(sqlite3.connect(path)) as db, db:
        [data] = db.execute("SELECT data FROM events WHERE kind = 'job.state'").fetchone()
        erased = b"\0" + sha256(data).digest()
        db.execute("UPDATE events SET data = ? WHERE kind = 'job.state'", (erased,))
    assert "line 3 (job.state) has lost its data" in str((await report(path)).faults)


async def test_sealed_lines_go_and_the_rest_stays_provable(tmp_path: Path) -> None:
    path = tmp_path / "db"
    await written(path)
    before, old = await report(path), await export(path)
    change(path, "UPDATE migrations SET applied = 0")  # a table of no concern
    async with opened(path) as (jobs, audit):
        assert await audit.seal(time.time() - 3600) is None
        sealed = await audit.seal(time.time() + 1)
        assert sealed is not None
        assert (sealed.lines, sealed.through, sealed.chain) == (9, 9, before.chain)
        await jobs.emit(Event("packs"))
        said = await audit.verify(Noted(9, before.chain))
        assert (said.whole, said.lines, said.sealed) == (True, 2, 9)
        await jobs.emit(Event("packs"))
        assert await audit.seal(time.time() + 1)
        assert (await audit.verify()).sealed == 12
    checker = Checker()
    checker.take(imported(old.splitlines()))
    assert checker.report().chain == sealed.chain
    change(path, "UPDATE events SET data = replace(data, '12', '11')")
    assert not (await report(path)).whole


async def test_an_older_database_is_chained_with_the_gaps_it_has(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with closing(sqlite3.connect(path)) as plain, plain:
        import sqlite_utils

        plain.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied REAL NOT NULL)")
        create(sqlite_utils.Database(plain, execute_plugins=False))
        plain.execute("INSERT INTO migrations VALUES ('log 1', 0)")
        row = "INSERT INTO events (at, kind, owner, job, data) VALUES (?, 'steps', 'ann', 'j', ?)"
        plain.executemany(row, [(float(at), b'{"at":%d}' % at) for at in range(8)])
        plain.execute("DELETE FROM events WHERE seq IN (3, 4, 8)")
    async with opened(path) as (jobs, audit):
        said = await audit.verify()
        assert (said.whole, said.lines, said.last) == (True, 6, 9)
        [began] = [event for event in await jobs.events() if event.kind == "audit.began"]
        assert (began.seq, began.data) == (9, {"lines": 5, "through": 7})
        assert (await jobs.emit(Event("packs"))).seq == 10
        sealed = await audit.seal(2.5)
        assert sealed is not None
        assert sealed.through == 2
        assert (await audit.verify()).whole
    change(path, "DELETE FROM events WHERE seq = 6")
    assert not (await report(path)).whole
