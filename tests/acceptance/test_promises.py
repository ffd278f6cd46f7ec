"""What the README promises, shown over HTTP against a real server process."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from engine.config import ROOT
from tests.serving import Json, Server, environment

COLOURS = {
    "red": (214, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 215, 50),
    "green": (50, 165, 70),
    "blue": (40, 95, 215),
    "purple": (125, 60, 175),
    "pink": (248, 140, 185),
    "white": (246, 246, 246),
    "black": (28, 28, 32),
    "cyan": (70, 205, 220),
}
SHAPES = ("circle", "square", "triangle", "star", "heart")
PAIRS = [(a, b) for n, a in enumerate(COLOURS) for b in list(COLOURS)[n + 1 :: 2]][:20]
EDGE = 5  # pixels of the border that show the background alone
DIFFERENT = 75  # sum over the three channels, between the background and a thing on it
GRACE = 1.0
DEAF = '''
"""A node that does not listen."""
import time
from engine.node import node

@node(category="test", kind="source")
def sleep(seconds: float = 60.0) -> float:
    """Sleep without ever asking whether to stop."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1)
    return seconds
'''

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server


def ran(run: Json) -> set[str]:
    """The steps of a run that were really computed."""
    return {name for name, step in run["steps"].items() if step["calls"]}


def colours_of(picture: bytes) -> tuple[str, str]:
    """Of the thing in the picture, and of what is behind it."""
    with Image.open(io.BytesIO(picture)) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(float)
    border = np.ones(pixels.shape[:2], bool)
    border[EDGE:-EDGE, EDGE:-EDGE] = False
    behind = np.median(pixels[border], axis=0)
    thing = pixels[np.abs(pixels - behind).sum(2) > DIFFERENT]
    return nearest(np.median(thing, axis=0)), nearest(behind)


def nearest(colour: Any) -> str:
    return min(COLOURS, key=lambda name: float(((colour - COLOURS[name]) ** 2).sum()))


@pytest.mark.parametrize("number", range(20))
def test_the_colours_in_the_picture_are_the_asked_ones(server: Server, number: int) -> None:
    (thing, behind), shape = PAIRS[number], SHAPES[number % len(SHAPES)]
    prompt = f"a {thing} {shape} on a {behind} background".replace("a orange", "an orange")
    run = server.run("text_to_image", prompt=prompt, seed=number)
    assert run["state"] == "done", run["error"]
    assert colours_of(server.ask("GET", run["outputs"]["picture"]["url"]).data) == (thing, behind)


def test_one_value_edited_runs_exactly_its_cone(server: Server) -> None:
    first = server.run("text_to_image", prompt="a green heart on a white background", seed=100)
    again = server.run("text_to_image", prompt="a green heart on a white background", seed=100)
    edited = server.run("text_to_image", prompt="a green heart on a white background", seed=101)
    worded = server.run("text_to_image", prompt="a green star on a white background", seed=101)
    assert {"words", "sample", "decode", "save"} <= ran(first)
    assert ran(again) <= {"save"}
    assert ran(edited) == {"sample", "decode", "save"}
    assert ran(worded) == {"words", "sample", "decode", "save"}
    assert "seed" in edited["steps"]["sample"]["why"]


def test_after_a_kill_and_a_restart_the_same_request_computes_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        first = server.run("text_to_image", seed=5)
        server.kill()
        server.start()
        again = server.run("text_to_image", seed=5)
    assert first["id"] != again["id"]
    assert ran(again) <= {"save"}
    assert again["outputs"]["picture"]["sha256"] == first["outputs"]["picture"]["sha256"]


def test_killed_while_sampling_no_job_is_lost_and_none_runs_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(tmp_path / "data") as server:
        ids = [server.submit("text_to_image", seed=seed, steps=40) for seed in range(6)]
        sampling(server, ids)
        worker = psutil.Process(server.get("/api/info")["worker"]["pid"])
        server.kill()
        worker.wait(10)
        began = time.monotonic()
        server.start()
        runs = [server.finished(id) for id in ids]
        seconds = time.monotonic() - began
        events = server.ask("GET", "/api/runs?limit=200").json()["runs"]
    assert [run["state"] for run in runs] == ["done"] * 6
    assert sorted(run["id"] for run in events) == sorted(ids)
    assert len(list((tmp_path / "data" / "output").rglob("*.png"))) == 6
    with capsys.disabled():
        print(f"\nsix jobs done {seconds:.1f} s after the restart")


def sampling(server: Server, ids: list[str]) -> None:
    """Wait until one of the runs is in the middle of its work."""
    while True:
        runs = [server.get(f"/api/runs/{id}") for id in ids]
        if any(run["steps"].get("sample", {}).get("state") == "running" for run in runs):
            return
        assert any(run["state"] in ("queued", "running") for run in runs), "too late: all are over"


def test_a_deaf_node_is_cancelled_and_its_neighbour_is_done(tmp_path: Path) -> None:
    packs = tmp_path / "packs" / "deaf"
    packs.mkdir(parents=True)
    (packs / "__init__.py").write_text(DEAF, "utf-8")
    asleep = {"tessera": 1, "steps": {"bed": {"node": "deaf/sleep"}}, "outputs": {"slept": "bed.out"}}
    with Server(tmp_path / "data", packs=str(packs.parent), cancel_grace=str(GRACE)) as server:
        deaf = server.submit(asleep)
        while server.get(f"/api/runs/{deaf}")["steps"].get("bed", {}).get("state") != "running":
            assert server.get(f"/api/runs/{deaf}")["state"] in ("queued", "running")
        neighbour = server.submit("text_to_image", seed=1)
        worker = psutil.Process(server.get("/api/info")["worker"]["pid"])
        assert server.ask("DELETE", f"/api/runs/{deaf}").status == 200
        worker.wait(GRACE + 2)
        assert server.finished(neighbour)["state"] == "done"
        assert server.finished(deaf)["state"] == "cancelled"


def test_listening_to_other_machines_without_a_token_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "server.py"), "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(
        command, env=environment(tmp_path / "data"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "TESSERA_TOKEN" in done.stderr


def test_with_a_token_nothing_answers_without_it(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--host", "0.0.0.0", token="secret") as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        for path in ("/api/health", "/api/nodes", "/api/openapi.json", "/metrics", "/docs"):
            assert server.ask("GET", path).status == 401
            assert server.ask("GET", path, Authorization="Bearer secret").status == 200
