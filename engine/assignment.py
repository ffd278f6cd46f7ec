"""What a worker is given to do, and what it says of it: data that crosses between processes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from engine.errors import Problem
from engine.events import JobState, Question, StepReport
from engine.ports import JsonValue
from engine.receipt import Paper
from engine.types import Artifact, Image, Score


class Assignment(Struct):
    """A job as a worker is given it. The document is self-contained."""

    job: str
    owner: str
    document: bytes
    priority: int = 0
    inputs: dict[str, JsonValue] = field(default_factory=dict)
    targets: list[str] | None = None
    files: dict[str, Artifact] = field(default_factory=dict)
    remembered: list[tuple[str, int, bytes]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    """Use nothing from the cache."""
    mode: int = 0
    """How its pictures are checked: 0 Safe, 1 Research, 2 NSFW."""
    explain: bool = False
    """Whether its pictures are explained."""


class Outcome(Struct):
    """How a job ended in a worker. In `outputs` an artifact stands as {"artifact": {…}}."""

    job: str
    state: JobState
    outputs: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepReport] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    """Everything it made that people may fetch."""
    scores: list[Score] = field(default_factory=list)
    """What it measured of artifacts."""
    questions: list[Question] = field(default_factory=list)
    problem: Problem | None = None
    receipt: dict[str, Any] = field(default_factory=dict)
    papers: list[Paper] = field(default_factory=list)
    """The receipts of its artifacts."""
    seconds: float = 0.0


class Say:
    """What a runner tells its host. Called on the loop; only `preview` comes from the node's thread."""

    def steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None: ...

    def preview(self, job: str, step: str, image: Image) -> None: ...

    async def remember(self, job: str, path: str, index: int, data: bytes) -> None: ...
