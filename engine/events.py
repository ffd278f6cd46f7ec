"""Everything a run says, as data: requests, states, reports, and what is stored of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from engine.errors import Problem
from engine.ports import JsonValue
from engine.types import Artifact

JobState = Literal["queued", "held", "running", "waiting", "done", "failed", "cancelled"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
FINAL: frozenset[JobState] = frozenset(("done", "failed", "cancelled"))
StepState = Literal["waiting", "running", "done", "failed", "cancelled", "skipped", "asking"]
CacheUse = Literal["ran", "memory", "disk", "flight", "skipped"]


class Request(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody wants run."""

    workflow: str | dict[str, Any]
    """A name in the library, or the document itself."""
    inputs: dict[str, JsonValue] = field(default_factory=dict)
    targets: list[str] | None = None
    """Steps to run to; left out, every effect and every named output."""
    priority: int = 0
    """-100 to 100; higher runs sooner."""
    count: int = 1
    """How many runs; each further one adds one to every seed input."""
    hold: bool = False
    mode: Annotated[int, Meta(ge=0, le=2)] | None = None
    """0 Safe, 1 Research, 2 NSFW; left out, the server's default. More than it allows is refused."""
    explain: bool = False
    """Whether to tell of each picture which word was heeded where; the picture stays the same."""


class StepReport(Struct, omit_defaults=True):
    """How one step of a run stands."""

    state: StepState = "waiting"
    cache: CacheUse | Literal[""] = ""
    calls: int = 0
    """Calls that ran; more than one for mapped lists and loops."""
    hits: int = 0
    """Calls answered from memory, disk or a flight."""
    seconds: float = 0.0
    why: str = ""
    """Why it ran."""
    fallback: str = ""
    """How it had to run for lack of memory; empty for as it is."""
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    """Of a check: what was found, and what was done about it, one for each call."""
    progress: float | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class FileOut(Struct, omit_defaults=True):
    """A picture, clip, sound or file as a client sees it."""

    id: str
    url: str
    mime: str
    bytes: int
    sha256: str
    name: str = ""
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET


class Question(Struct, omit_defaults=True):
    """What a waiting job asks a person."""

    call: str
    """Names the asking call, `step` or `step#index`: the last part of the answer's address."""
    question: str
    options: list[str]
    pictures: list[Artifact] = field(default_factory=list)


class Job(Struct):
    """One row of the queue: what is asked, by whom, and how it stands. Rows are never deleted on claim."""

    id: str
    owner: str
    document: bytes
    """The workflow as canonical JSON."""
    title: str = ""
    workflow: str = ""
    """Its name in the library, or empty."""
    inputs: dict[str, JsonValue] = field(default_factory=dict)
    """As given, with random seeds resolved."""
    targets: list[str] | None = None
    files: dict[str, Artifact] = field(default_factory=dict)
    """Artifact ids used by the request, resolved for its owner."""
    mode: int = 0
    """How its pictures are checked: 0 Safe, 1 Research, 2 NSFW."""
    explain: bool = False
    """Whether its pictures are explained."""
    state: JobState = "queued"
    priority: int = 0
    position: float = 0.0
    """Order among equals; moved by `before`."""
    progress: float = 0.0
    attempts: int = 0
    """How often it was claimed."""
    crashes: int = 0
    """Workers that died under it: after one it runs alone, after three it is set aside."""
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    outputs: dict[str, Any] = field(default_factory=dict)
    """Name to an Out of the worker, see `run.Outcome`."""
    steps: dict[str, StepReport] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    problem: Problem | None = None
    """Why it failed."""
    receipt: dict[str, Any] = field(default_factory=dict)
    """What made the outputs: node versions, model hashes, device, dtype, library versions."""
    warnings: list[Problem] = field(default_factory=list)


class Event(Struct, omit_defaults=True):
    """One line of the log. Stored events have a sequence number; progress and previews carry the last one."""

    kind: str
    """job.created, job.state, job.moved, steps, progress, preview, artifact.created, artifact.scored,
    artifact.changed, artifact.deleted, workflow.saved, workflow.deleted, model.fetch, model.progress, answer,
    queue.paused, queue.resumed, packs, audit.began, audit.sealed"""
    seq: int = 0
    at: float = 0.0
    owner: str = ""
    job: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Preview(Struct):
    """A small picture of work in progress; never stored."""

    job: str
    step: str
    data: bytes
    """JPEG"""
    owner: str = ""
    seq: int = 0


def builtins(value: object) -> Any:
    """A Struct as plain JSON-able data."""
    return msgspec.to_builtins(value)
