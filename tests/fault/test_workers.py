"""Nodes that do not listen, that end their process, that use up the memory: their neighbours are safe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.trouble import Diary, alone, chore, ended_within, expected, install, worker_of
from tests.serving import Json, Server

GRACE = 1.0
SOON = 15.0


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path / "diary.txt")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    packs = str(install(tmp_path))
    with Server(tmp_path / "data", packs=packs, cancel_grace=str(GRACE)) as server:
        yield server


def until(diary: Diary, what: str) -> None:
    """Wait for a line in the diary."""
    end = time.monotonic() + SOON
    while not diary.lines(what):
        assert time.monotonic() < end, f"{what} never happened"
        time.sleep(0.01)


def attempts(run: Json, diary: Diary) -> tuple[int, int]:
    return run["attempts"], len(diary.lines("crash"))


def test_a_deaf_node_is_gone_soon_after_its_cancel_and_its_neighbours_are_done(
    server: Server, diary: Diary
) -> None:
    deaf = server.submit(alone("deaf", diary, seconds=120.0))
    until(diary, "deaf")
    beside, after = server.submit(chore(1, diary, seconds=3.0)), server.submit(chore(2, diary))
    worker = worker_of(server)
    assert server.ask("DELETE", f"/api/runs/{deaf}").json()["state"] == "cancelled"
    assert ended_within(worker, GRACE + 2)
    for number, id in ((1, beside), (2, after)):
        run = server.finished(id)
        assert (run["state"], run["outputs"]["sum"]) == ("done", expected(number)[0])
    assert server.get(f"/api/runs/{deaf}")["state"] == "cancelled"
    assert [line.about for line in diary.lines("deaf")] == [str(worker.pid)]


def test_ending_a_worker_on_purpose_never_counts_against_its_other_jobs(server: Server, diary: Diary) -> None:
    """Four deaf nodes are cancelled while a patient job is under way; three crashes would set it aside."""
    patient = server.submit(chore(1, diary, seconds=60.0))
    until(diary, "begin")
    for _ in range(4):
        told = len(diary.lines("deaf"))
        deaf = server.submit(alone("deaf", diary, seconds=120.0))
        end = time.monotonic() + SOON
        while len(diary.lines("deaf")) == told:
            assert time.monotonic() < end
            time.sleep(0.01)
        worker = worker_of(server)
        server.ask("DELETE", f"/api/runs/{deaf}")
        assert ended_within(worker, GRACE + 2)
    end = time.monotonic() + SOON
    while (run := server.get(f"/api/runs/{patient}"))["state"] != "running":
        assert time.monotonic() < end
    assert run["error"] is None
    server.ask("DELETE", f"/api/runs/{patient}")
    assert server.finished(server.submit(chore(2, diary)))["state"] == "done"


@pytest.mark.parametrize(
    ("how", "cause"), [("exit", "exited with code 7"), ("segfault", "SIGSEGV"), ("kill", "SIGKILL")]
)
def test_a_job_that_kills_three_workers_is_set_aside_and_its_neighbour_is_done(
    server: Server, diary: Diary, how: str, cause: str
) -> None:
    neighbour = server.submit(chore(1, diary, seconds=2.0))
    until(diary, "begin")
    bad = server.submit(alone("crash", diary, how=how))
    run = server.finished(bad)
    assert run["state"] == "failed"
    assert run["error"]["code"] == "worker_died"
    assert cause in run["error"]["got"]
    assert "3 times" in run["error"]["got"]
    assert attempts(run, diary) == (3, 3)
    beside = server.finished(neighbour)
    assert (beside["state"], beside["outputs"]["sum"]) == ("done", expected(1)[0])
    assert server.finished(server.submit(chore(2, diary)))["state"] == "done"


def test_after_one_crash_a_job_runs_alone(server: Server, diary: Diary) -> None:
    """What runs beside the first crash is hit by it once, and never by the second or the third."""
    patient = server.submit(chore(1, diary, seconds=2.0))
    until(diary, "begin")
    bad = server.submit(alone("crash", diary, how="exit"))
    server.finished(bad)
    run = server.finished(patient)
    assert run["state"] == "done"
    assert run["attempts"] == 2
    crashes = [line.at for line in diary.lines("crash")]
    assert len(crashes) == 3
    begins, [end] = diary.lines("begin", "1"), diary.lines("slow", "1")
    assert len(begins) == 2
    assert not [crash for crash in crashes if begins[-1].at < crash < end.at]


def test_a_node_without_memory_fails_with_that_reason_and_the_next_job_succeeds(
    server: Server, diary: Diary
) -> None:
    worker = worker_of(server)
    for number in range(3):
        run = server.run(alone("hog", diary, megabytes=4096))
        assert run["state"] == "failed"
        assert run["error"]["code"] == "out_of_memory"
        assert run["error"]["step"] == "only"
        assert server.run(chore(number, diary))["state"] == "done"
    assert worker.is_running()


def test_a_worker_is_gone_within_a_second_of_its_server(server: Server, diary: Diary) -> None:
    server.submit(alone("deaf", diary, seconds=120.0))
    until(diary, "deaf")
    worker = worker_of(server)
    server.kill()
    assert ended_within(worker, 1.0)


def test_a_node_file_that_is_saved_gives_its_new_code_to_the_next_run(
    server: Server, diary: Diary, tmp_path: Path
) -> None:
    file = tmp_path / "packs" / "trouble" / "__init__.py"
    assert server.run(alone("slow", diary, number=3))["outputs"]["out"] == 9
    file.write_text(file.read_text("utf-8").replace("return number * number", "return number**3"), "utf-8")
    end = time.monotonic() + SOON
    while (run := server.run(alone("slow", diary, number=3)))["outputs"]["out"] != 27:
        assert run["state"] == "done"
        assert time.monotonic() < end
