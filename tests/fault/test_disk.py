"""A full disk pauses the queue and says so; with room again everything goes on, and nothing was lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import DiskFull
from engine.events import Event, Request
from engine.jobs import Jobs
from engine.service import Engine
from tests.fault.trouble import Diary, chore, expected, install
from tests.serving import Server

SOON = 20.0
MANY = 2**30


def test_without_room_nothing_starts_and_a_restart_with_room_runs_everything(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "diary.txt")
    packs = str(install(tmp_path))
    with Server(tmp_path / "data", packs=packs, disk_reserve=str(2**60)) as server:
        ids = [server.submit(chore(number, diary)) for number in range(3)]
        paused = until_paused(server)
        assert "bytes left" in paused
        assert server.get("/api/health")["queue"] == "paused"
        assert {server.get(f"/api/runs/{id}")["state"] for id in ids} == {"queued"}
        assert not diary.lines("begin")
    with Server(tmp_path / "data", packs=packs, disk_reserve="1") as server:
        runs = [server.finished(id) for id in ids]
        assert [run["error"] for run in runs] == [None] * 3
        assert [run["outputs"]["sum"] for run in runs] == [expected(number)[0] for number in range(3)]
        assert server.get("/api/health")["queue"] == "running"
        assert len(list((tmp_path / "data" / "output").iterdir())) == 3


def until_paused(server: Server) -> str:
    end = time.monotonic() + SOON
    while not (paused := str(server.get("/api/info")["queue"]["paused"])):
        assert time.monotonic() < end
        time.sleep(0.05)
    return paused


async def test_when_the_database_can_grow_no_more_jobs_under_way_are_finished_later(tmp_path: Path) -> None:
    """SQLite itself is told that the disk is full, while jobs run; what they came to is not forgotten."""
    diary = Diary(tmp_path / "diary.txt")
    async with Engine.local(tmp_path / "data", packs=install(tmp_path)) as engine:
        heard: list[str] = []
        engine.subscribe(lambda item: heard.append(item.kind) if isinstance(item, Event) else None)
        jobs = {number: await submit(engine, number, diary, seconds=1.0) for number in range(3)}
        await until(lambda: len(diary.lines("begin")) >= 2)
        await fill(engine.jobs_store)
        with suppress(DiskFull):  # a few more may still fit into pages that are there already
            for number in range(3, 100):
                jobs[number] = await submit(engine, number, diary, seconds=0.05)
        assert len(jobs) < 100
        await until(lambda: not engine.dispatch.host.busy)
        while "is full" not in (await engine.info())["queue"]["paused"]:  # a line that still fits may lift it
            await asyncio.sleep(0.02)
        await write(engine.jobs_store, f"PRAGMA max_page_count = {MANY}")
        for number, id in jobs.items():
            job = await asyncio.wait_for(engine.wait(id), SOON)
            assert (job.state, job.outputs["sum"]) == ("done", expected(number)[0])
        await until(lambda: not engine.dispatch.paused)
        assert "queue.paused" in heard
        assert "queue.resumed" in heard
        assert sorted(line.about for line in diary.lines("told")) == sorted(f"job{number}" for number in jobs)
        assert len(list((tmp_path / "data" / "output").iterdir())) == len(jobs)


async def submit(engine: Engine, number: int, diary: Diary, seconds: float) -> str:
    [job] = await engine.submit(Request(chore(number, diary, seconds=seconds)))
    return job.id


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not true():
            await asyncio.sleep(0.02)


async def write(jobs: Jobs, statement: str, *values: object) -> None:
    await jobs._db.write(lambda db: db.execute(statement, values).fetchall())


async def fill(jobs: Jobs) -> None:
    """Let the database grow no further, and use up what is free in it."""
    await write(jobs, "CREATE TABLE ballast (data BLOB)")
    await write(jobs, "PRAGMA max_page_count = 1")  # as low as it goes: the pages there are
    for size in (4000, 40):
        with suppress(DiskFull):
            while True:
                await write(jobs, "INSERT INTO ballast VALUES (zeroblob(?))", size)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a disk")
def test_a_disk_that_fills_up_while_jobs_run_loses_none_of_them(tmp_path: Path, small_disk: Path) -> None:
    diary = Diary(tmp_path / "diary.txt")
    data, ballast = small_disk / "data", small_disk / "ballast"
    with Server(data, packs=str(install(tmp_path)), disk_reserve=str(1024**2)) as server:
        server.run(chore(100, diary))
        ids = [server.submit(chore(number, diary, seconds=0.6)) for number in range(6)]
        fill_file(ballast)
        until_paused(server)
        assert server.ask("POST", "/api/runs", {"workflow": chore(7, diary)}).status in (202, 507)
        ballast.unlink()
        runs = [server.finished(id) for id in ids]
        assert [run["outputs"]["sum"] for run in runs] == [expected(number)[0] for number in range(6)]
        assert not server.get("/api/info")["queue"]["paused"]
        names = sorted(path.name for path in (data / "output").iterdir() if path.name != "job7_00001.png")
        assert names == sorted(f"job{number}_00001.png" for number in (*range(6), 100))


def fill_file(path: Path) -> None:
    """Write until the disk takes no more."""
    with open(path, "wb", buffering=0) as file:
        for size in (1024**2, 4096):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
