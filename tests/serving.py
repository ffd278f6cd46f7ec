"""A real server in a process of its own, for tests that start, ask, kill and restart it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from engine.config import ROOT

Json = dict[str, Any]


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    data: bytes

    def json(self) -> Any:
        return json.loads(self.data)


class Server:
    """`python server.py serve` on a free port. Use it in a `with`: at the end the process is gone."""

    def __init__(self, data: Path, *arguments: str, **settings: str) -> None:
        self.data = data
        self.log: Path | None = None
        """Where it and its worker say what happens; left out, where we do."""
        self.url = ""
        self.pid = 0
        serve = ("serve", "--json", "--port", "0", *arguments)
        self._command = [sys.executable, str(ROOT / "server.py"), *serve]
        self._environment = environment(data, **settings)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it says where it is."""
        with self.log.open("a") if self.log else nullcontext() as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self.data.parent,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, f"the server ended with {self._process.wait()}"
        self.url, self.pid = json.loads(said)["url"], self._process.pid

    def kill(self) -> None:
        """kill -9. The worker must find out by itself."""
        if self._process is not None:
            self._process.kill()
            self._ended(self._process)

    def stop(self, number: int = signal.SIGINT, seconds: float = 60) -> int:
        """Ask it to stop; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(seconds)
        return self._ended(self._process)

    def _ended(self, process: subprocess.Popen[str]) -> int:
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request; a refusal is an answer like any other."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", **named} if data is not None else named
        request = Request(self.url + path, data, sent, method=method)
        try:
            with urlopen(request, timeout=120) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, dict(refusal.headers), refusal.read())

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.data
        return answer.json()

    def submit(self, workflow: str | Json, **inputs: object) -> str:
        """Queue a run; its id."""
        answer = self.ask("POST", "/api/runs", {"workflow": workflow, "inputs": inputs})
        assert answer.status == 202, answer.data
        return str(answer.json()["id"])

    def finished(self, run: str, rounds: int = 4) -> Json:
        """The run once it is over; each round waits up to 30 s."""
        document: Json = {}
        for _ in range(rounds):
            document = self.get(f"/api/runs/{run}?wait=30")
            if document["state"] in ("done", "failed", "cancelled"):
                break
        return document

    def run(self, workflow: str | Json, **inputs: object) -> Json:
        """Submit and wait; the run document."""
        return self.finished(self.submit(workflow, **inputs))


def environment(data: Path, **settings: str) -> dict[str, str]:
    """Ours, without settings of the developer, and with a data folder of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    return (
        clean
        | {"TESSERA_DATA": str(data), "TESSERA_WARM": "false", "TESSERA_MODE": "2"}
        | {f"TESSERA_{k.upper()}": v for k, v in settings.items()}
    )
