"""Engine: submit, watch, cancel, describe. All that the web, the command line and the tests use.

(signatures first; see the methods)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.config import Settings
from engine.errors import Problem
from engine.events import Event, Job, JobState, Preview, Request
from engine.node import NodeSpec
from engine.types import Artifact


class Library:
    """Saved workflows (`engine.library`): shipped ones and the users' own, every version kept."""

    async def names(self, owner: str) -> list[dict[str, Any]]: ...
    # [{name, title, etag, shipped: bool, saved: float, inputs: {..}, outputs: {..}}]
    async def get(self, name: str, owner: str, version: int | None = None) -> tuple[bytes, str]: ...
    # the canonical document and its etag (sha256 hex[:32]); NotFound
    async def put(self, name: str, owner: str, document: bytes, if_match: str | None = None) -> str: ...
    # → new etag; Stale if if_match differs; Invalid when it does not parse (unknown nodes are allowed)
    async def delete(self, name: str, owner: str, if_match: str | None = None) -> None: ...
    async def versions(self, name: str, owner: str) -> list[dict[str, Any]]: ...


class Engine:
    settings: Settings
    library: Library

    @classmethod
    @asynccontextmanager
    async def local(cls, data: Path | None = None, **settings: Any) -> AsyncIterator[Engine]:
        """An engine whose worker runs in this process (tests, command line, notebooks). No data folder given:
        a temporary one that is removed at the end."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Engine]:
        """An engine with a child worker process: what the server uses."""

    # -- run
    async def submit(self, request: Request, *, owner: str = "local", key: str = "") -> list[Job]:
        """Check and queue; `key` is an idempotency key: the same key and request give the same jobs (Conflict
        if the request differs). Raises Invalid with all problems."""

    async def run(self, workflow: str | dict[str, Any], **inputs: Any) -> dict[str, Any]:
        """Submit, wait, and return the named outputs as values (pictures as Artifact). Raises what failed."""

    async def check(self, workflow: str | dict[str, Any] | bytes, inputs: dict[str, Any] | None = None,
                    targets: list[str] | None = None, owner: str = "local") -> tuple[list[Problem], list[Problem]]:
        """(problems, warnings), without running anything."""

    async def job(self, id: str, *, owner: str | None = "local") -> Job: ...        # NotFound
    async def jobs(self, *, owner: str | None = "local", state: JobState | None = None,
                   before: str = "", limit: int = 50) -> list[Job]: ...             # newest first
    async def wait(self, id: str, seconds: float | None = None) -> Job:
        """Return when the job is final or waits for a person, or after that many seconds."""
    async def cancel(self, id: str, *, owner: str | None = "local") -> Job: ...
    async def retry(self, id: str, *, owner: str | None = "local") -> Job: ...      # failed/cancelled → queued
    async def hold(self, id: str, *, owner: str | None = "local") -> Job: ...       # queued → held
    async def release(self, id: str, *, owner: str | None = "local") -> Job: ...    # held → queued
    async def move(self, id: str, *, priority: int | None = None, before: str | None = None,
                   owner: str | None = "local") -> Job: ...
    async def answer(self, id: str, call: str, choice: str, *, owner: str | None = "local") -> Job: ...

    # -- watch
    async def events(self, after: int, *, owner: str | None = None, job: str = "", limit: int = 1000) -> list[Event]:
        """Stored events after a sequence number."""
    def subscribe(self, listener) -> None:
        """listener(event: Event | Preview) is called on the loop, at once, must not block. `unsubscribe` ends it."""
    def unsubscribe(self, listener) -> None: ...
    @property
    def last_seq(self) -> int: ...

    # -- describe
    def palette(self) -> dict[str, Any]:
        """{"nodes": [...], "failed": [...]} as GET /api/nodes answers it."""
    def info(self) -> dict[str, Any]: ...
        # {version, python, data: {free_bytes}, worker: {state, pid, device, torch...}, queue: {state, paused_reason, counts}}
    def node(self, id: str) -> NodeSpec: ...

    # -- artifacts
    async def add_artifact(self, data: bytes, *, name: str = "", owner: str = "local") -> str:
        """Keep an upload, typed by its content; the artifact's id. TooLarge, Unsupported."""
    async def artifact(self, id: str, *, owner: str | None = "local") -> Artifact: ...   # NotFound
    async def artifact_path(self, id: str, *, size: int = 0, owner: str | None = "local") -> tuple[Path, Artifact]:
        """The file on disk (or its thumbnail of at most `size` pixels) to be streamed."""
    async def delete_artifact(self, id: str, *, owner: str | None = "local") -> None: ...
    def artifact_id(self, artifact: Artifact, owner: str) -> str: ...
