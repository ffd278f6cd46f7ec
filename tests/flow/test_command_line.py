"""The command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.config import ROOT
from tests.serving import Server, environment

SUM = {
    "tessera": 1,
    "steps": {"sum": {"node": "add", "values": {"a": 2, "b": 40}}},
    "inputs": {"a": {"to": ["sum.a"]}},
    "outputs": {"answer": "sum.out"},
}


class Shell:
    """A folder in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"

    def start(self, *words: object, **settings: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "server.py"), *map(str, words)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(self.data, **settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: object, **settings: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        with self.start(*words, **settings) as process:
            try:
                out, err = process.communicate(timeout=120)
            finally:
                process.kill()
        return process.returncode, out, err

    def save(self, document: dict[str, Any], name: str = "sum.json") -> Path:
        path = self.folder / name
        path.write_text(json.dumps(document), "utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, Server]]:
    """A shell in whose data folder a server runs."""
    shell = Shell(tmp_path_factory.mktemp("served"))
    with Server(shell.data) as server:
        yield shell, server


def sentences(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def test_a_workflow_runs_without_a_server(shell: Shell) -> None:
    code, out, err = shell.run("run", shell.save(SUM), "--set", "a=3")
    assert (code, out) == (0, "answer: 43.0\n")
    assert err.count("is done") == 1


@pytest.mark.model
def test_a_picture_is_written_in_the_format_asked_for(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    code, out, _ = shell.run(
        "run", "text_to_image", "--set", "prompt=a red circle", "--set", "steps=2", "--out", "a/circle.jpg"
    )
    assert (code, out) == (0, "a/circle.jpg\n")
    with Image.open(shell.folder / "a" / "circle.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (128, 128))


@pytest.mark.model
def test_a_picture_is_written_with_its_explanation(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    shell.run("run", "text_to_image", "--set", "steps=2", "--set", "seed=4", "--out", "plain.png")
    code, out, _ = shell.run(
        "run", "text_to_image", "--set", "steps=2", "--set", "seed=4", "--explain", "--out", "told.png"
    )
    assert (code, out.split()) == (0, ["told.png", "told-2.json", "told-3.png"])
    one, other = [Image.open(shell.folder / f"{name}.png").tobytes() for name in ("plain", "told")]
    assert one == other
    assert json.loads((shell.folder / "told-2.json").read_text("utf-8"))["tessera"] == "explanation"
    code, _, err = shell.run("run", "batch", "--explain")
    assert (code, "a step that draws a list" in err) == (1, True)


def test_a_saved_picture_is_a_workflow_to_run(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    steps = {
        "plain": {"node": "solid", "values": {"width": 9, "height": 5, "colour": "red"}},
        "save": {"node": "save_image", "values": {"metadata": "full"}, "wires": {"image": "plain.out"}},
    }
    inputs = {"width": {"to": ["plain.width"]}, "colour": {"to": ["plain.colour"]}}
    document = {"tessera": 1, "steps": steps, "inputs": inputs, "outputs": {"picture": "save.out"}}
    file = shell.save(document, "plain.json")
    assert shell.run("run", file, "--set", "width=12", "--out", "first.png")[0] == 0
    assert shell.run("run", "first.png", "--out", "again.png")[0] == 0
    assert shell.run("run", "first.png", "--set", "colour=blue", "--out", "blue.png")[0] == 0
    first, again, blue = (Image.open(shell.folder / f"{name}.png") for name in ("first", "again", "blue"))
    assert first.size == again.size == blue.size == (12, 5)
    assert [picture.getpixel((3, 3)) for picture in (first, again, blue)] == [
        (255, 0, 0),
        (255, 0, 0),
        (0, 0, 255),
    ]
    code, out, _ = shell.run("verify", "first.png")
    assert (code, out.startswith("Equal")) == (0, True)
    code, out, _ = shell.run("receipt", "first.png")
    assert code == 0
    assert re.search(r"inputs\n +width +12\n", out)
    assert re.search(r"save +save_image \d", out)
    code, out, _ = shell.run("why", "first.png", "blue.png")
    assert (code, "inputs.colour: red / blue" in out) == (0, True)
    told = PngInfo()
    for key, value in first.info.items():
        told.add_itxt(str(key), str(value))
    blue.save(shell.folder / "forged.png", pnginfo=told)
    code, out, _ = shell.run("verify", "forged.png")
    assert (code, out.startswith("Different")) == (3, True)
    Image.new("RGB", (4, 4)).save(shell.folder / "silent.png")
    code, _, err = shell.run("run", "silent.png")
    assert (code, 'the metadata "full"' in err) == (1, True)


def test_the_servers_folder_is_used_through_the_server(served: tuple[Shell, Server]) -> None:
    shell, server = served
    code, out, _ = shell.run("run", shell.save(SUM), "--count", 2, "--json")
    assert code == 0
    runs = json.loads(out)["runs"]
    assert [run["outputs"] for run in runs] == [{"answer": 42.0}] * 2
    assert {run["id"] for run in runs} <= {run["id"] for run in server.get("/api/runs")["runs"]}


def test_every_problem_of_a_file_is_listed(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    steps = {
        "one": {"node": "ad"},
        "two": {"node": "add", "values": {"a": "x", "c": 1}, "wires": {"b": "one.out"}},
    }
    file = shell.save({"tessera": 1, "steps": steps, "outputs": {"out": "two.out"}}, "bad.json")
    code, out, _ = shell.run("validate", file)
    assert code == 1
    assert {"one", "two.a", "two.c"} <= {line.split(": ")[1] for line in sentences(out)[:-1]}
    code, out, _ = shell.run("validate", file, "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    assert shell.run("validate", shell.save(SUM))[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "no_such_workflow"), 1, "no_such_workflow"),
        (("run", "sum.json", "--set", "a=[]"), 1, "a"),
        (("run", "sum.json", "--set", "a=@nowhere.png"), 1, "nowhere.png"),
        (("run", "missing.json"), 1, "missing.json"),
        (("validate", "missing.json"), 1, "missing.json"),
        (("nodes", "sampel"), 1, "sample"),
        (("verify", "no-such-run"), 1, "no-such-run"),
        (("run",), 2, "FILE|NAME"),
        (("run", "sum.json", "--set", "a"), 2, "INPUT=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_sentence_and_a_code(
    served: tuple[Shell, Server], words: tuple[str, ...], code: int, said: str
) -> None:
    shell, _ = served
    shell.save(SUM)
    ended, out, err = shell.run(*words)
    assert (ended, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert code == 2 or len(sentences(err)) == 1


def test_nodes_are_listed_and_described(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    assert any(line.startswith("sample ") for line in sentences(shell.run("nodes")[1]))
    code, out, _ = shell.run("nodes", "sample")
    assert code == 0
    assert "strength" in out
    assert json.loads(shell.run("nodes", "sample", "--json")[1])["id"] == "sample"


def test_the_starter_model_is_listed(shell: Shell) -> None:
    assert "starter" in shell.run("models")[1]
    assert "starter" in {model["name"] for model in json.loads(shell.run("models", "--json")[1])}


@pytest.mark.model
def test_a_finished_run_is_verified(served: tuple[Shell, Server]) -> None:
    shell, server = served
    run = server.run("text_to_image", steps=2)
    code, out, err = shell.run("verify", run["id"])
    assert code == 0, out + err
    assert out.startswith("Equal")
    code, out, _ = shell.run("why", run["id"])
    assert (code, out.count("\n") - 1) == (0, len(run["steps"]))
    receipt = json.loads(shell.run("receipt", run["outputs"]["picture"]["id"], "--json")[1])
    assert receipt["seeds"] == {"sample.seed": receipt["inputs"]["seed"]}
    assert receipt["sampling"]["sample"]["method"] == "euler"
    assert set(receipt["models"]) == {"starter"}
    assert {"device", "dtype", "threads", "torch", "instructions"} <= set(receipt["environment"])


def test_the_doctor_finds_this_machine_well(served: tuple[Shell, Server]) -> None:
    shell, server = served
    code, out, _ = shell.run("doctor", "--json", port=server.url.rpartition(":")[2])
    findings = json.loads(out)
    assert {finding["name"] for finding in findings} >= {"python", "device", "memory", "port", "weights"}
    assert [finding for finding in findings if finding["state"] == "bad"] == []
    assert code == 0


def test_a_second_server_on_one_folder_is_refused(served: tuple[Shell, Server]) -> None:
    shell, server = served
    code, out, err = shell.run("serve", "--port", 0)
    assert (code, out) == (1, "")
    assert server.url in err
    assert len(sentences(err)) == 1


def test_a_port_in_use_is_refused_before_anything_is_made(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = shell.run("serve", "--port", port)
    assert (code, out) == (1, "")
    assert f"--port {port + 1}" in err
    assert len(sentences(err)) == 1
    assert not shell.data.exists()


def test_a_wrong_setting_is_named(shell: Shell) -> None:
    code, _, err = shell.run("serve", device="abacus")
    assert code == 1
    assert "abacus" in err or "device" in err


@pytest.mark.model
def test_interrupting_a_run_cancels_it(served: tuple[Shell, Server]) -> None:
    shell, server = served
    with shell.start("run", "text_to_image", "--set", "steps=150", "--set", "seed=99") as process:
        while not (running := server.get("/api/runs?state=running")["runs"]):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert server.finished(running[0]["id"])["state"] == "cancelled"


@pytest.mark.model
def test_stopping_the_server_drains_and_loses_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        ids = [server.submit("text_to_image", seed=seed, steps=4) for seed in range(3)]
        assert server.stop(signal.SIGINT) == 0
        server.start()
        runs = [server.finished(id) for id in ids]
    assert [run["state"] for run in runs] == ["done"] * 3
    assert [run["outputs"]["picture"]["width"] for run in runs] == [128] * 3


def test_a_polite_kill_stops_an_idle_server_at_once(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        assert server.stop(signal.SIGTERM, seconds=10) == 0
