"""kill -9 of the server and of its worker at random points: nothing is lost, nothing happens twice."""

from __future__ import annotations

import io
import json
import random
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.fault.trouble import Diary, chore, expected, install
from tests.serving import Json, Server

SHARED = (0, 1, 2)
JUST_NOW = 0.5
"""Seconds before a kill in which what a node did may not have been written down yet."""


class Chaos:
    """A server under fire, the jobs it was given, and when what was killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.diary = Diary(folder / "diary.txt")
        self.server = Server(folder / "data", packs=str(install(folder)))
        self.jobs: dict[int, str] = {}
        self.kills: list[float] = []

    def submit(self, count: int) -> None:
        for number in range(len(self.jobs), len(self.jobs) + count):
            self.jobs[number] = self.server.submit(chore(number, self.diary, shared=SHARED))

    def pending(self) -> int:
        pages = [self.server.get(f"/api/runs?state={state}&limit=200") for state in ("queued", "running")]
        return sum(len(page["runs"]) for page in pages)

    def strike(self) -> None:
        """Wait a random while, then kill the server or its worker."""
        self.submit(max(0, 4 - self.pending()))
        time.sleep(self.draw.uniform(0.0, 1.2))
        if self.draw.random() < 0.5:
            self.kills.append(time.time())
            self.server.kill()
            self.server.start()
            return
        for worker in psutil.Process(self.server.pid).children():
            self.kills.append(time.time())
            worker.kill()

    def done(self, number: int) -> Json:
        """The run of a job once it is done; one that was set aside after three of our kills is retried."""
        id = self.jobs[number]
        run = self.server.finished(id)
        while run["state"] == "failed" and run["error"]["code"] == "worker_died":
            assert "3 times" in run["error"]["got"]
            self.server.ask("POST", f"/api/runs/{id}/retry", {})
            run = self.server.finished(id)
        return run

    def excused(self, first: float) -> bool:
        """Whether a kill came so soon after this that it may have to be done again."""
        return any(0 <= kill - first <= JUST_NOW for kill in self.kills)


def check(chaos: Chaos, rounds: int) -> None:
    with chaos.server as server:
        for _ in range(rounds):
            chaos.strike()
        runs = {number: chaos.done(number) for number in chaos.jobs}
        assert {run["state"] for run in runs.values()} == {"done"}
        nothing_is_lost_or_doubled(chaos, runs)
        nothing_is_wrong(chaos, runs)
        nothing_is_run_again(chaos)
        before = len(chaos.diary.lines("begin"))
        again = [server.run(chore(number, chaos.diary, shared=SHARED)) for number in chaos.jobs]
        assert [run["outputs"]["sum"] for run in again] == [runs[n]["outputs"]["sum"] for n in runs]
        assert [run["outputs"]["picture"]["sha256"] for run in again] == [
            runs[n]["outputs"]["picture"]["sha256"] for n in runs
        ]
        assert len(chaos.diary.lines("begin")) == before


def nothing_is_lost_or_doubled(chaos: Chaos, runs: dict[int, Json]) -> None:
    listed = [run["id"] for run in everything(chaos.server)]
    assert sorted(listed) == sorted(chaos.jobs.values())
    saved = Counter(path.name for path in (chaos.server.data / "output").iterdir())
    assert saved == Counter({f"job{number}_00001.png": 1 for number in runs})
    for number in runs:
        ended = [e for e in events(chaos.server, runs[number]["id"]) if e["data"].get("state") == "done"]
        assert len(ended) == 1


def nothing_is_wrong(chaos: Chaos, runs: dict[int, Json]) -> None:
    for number, run in runs.items():
        found = run["outputs"]["sum"], run["outputs"]["square"]
        assert found == expected(number, SHARED)
        picture = Image.open(io.BytesIO(chaos.server.ask("GET", run["outputs"]["picture"]["url"]).data))
        drawn = np.random.default_rng(number * number).integers(0, 256, (96, 96, 3), np.uint8)
        assert np.array_equal(np.asarray(picture), drawn)


def nothing_is_run_again(chaos: Chaos) -> None:
    """What was finished a moment before a kill at the latest is never done again."""
    for what in ("slow", "told"):
        seen: dict[str, float] = {}
        for line in chaos.diary.lines(what):
            if line.about in seen:
                assert chaos.excused(seen[line.about]), f"{what} {line.about} happened twice"
            seen[line.about] = line.at
    assert {line.about for line in chaos.diary.lines("told")} == {f"job{number}" for number in chaos.jobs}


def everything(server: Server) -> list[Json]:
    """Every run there is, page by page."""
    found: list[Json] = []
    page = server.get("/api/runs?limit=100")
    found += page["runs"]
    while page["next"]:
        page = server.get(f"/api/runs?limit=100&before={page['next']}")
        found += page["runs"]
    return found


def events(server: Server, id: str) -> list[Json]:
    """The stored events of a run that is over."""
    text = server.ask("GET", f"/api/runs/{id}/events").data.decode()
    return [json.loads(data) for data in re.findall(r"^data: ?(.*)$", text, re.MULTILINE)]


@pytest.mark.timeout(170)
def test_ten_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    check(Chaos(tmp_path, seed=1), rounds=10)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    check(Chaos(tmp_path, seed=2), rounds=100)
