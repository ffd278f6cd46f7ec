"""Runs and artifacts as clients see them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType

from engine.errors import Problem
from engine.events import Job, JobState, Question, StepReport
from engine.service import Engine
from engine.types import Artifact


class FileView(Struct):
    """A picture, clip, sound or file."""

    id: str
    url: str
    mime: str
    bytes: int
    sha256: str
    name: str
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET


class StepView(Struct):
    """How one step of a run stands."""

    state: str
    cache: str | None
    """ran, memory, disk, flight or skipped; null until it is known."""
    calls: int
    """Calls that ran; more than one for mapped lists and loops."""
    hits: int
    """Calls that were answered from what is known."""
    seconds: float
    why: str
    """Why it ran."""
    verdicts: list[dict[str, Any]]
    """Of a check: what was found, and what was done about it."""
    progress: float | UnsetType = UNSET
    problem: dict[str, str] | UnsetType = UNSET


class QuestionView(Struct):
    """What a waiting run asks a person; the answer goes to `url`."""

    call: str
    url: str
    question: str
    options: list[str]
    pictures: list[FileView]


class RunSummary(Struct):
    """A run as it stands in a list."""

    id: str
    url: str
    state: JobState
    title: str
    workflow: str
    inputs: dict[str, Any]
    targets: list[str] | None
    priority: int
    position: float
    """Among runs of one priority, the lower one's turn is sooner."""
    mode: int
    """How its pictures are checked: 0 Safe, 1 Research, 2 NSFW."""
    explain: bool
    """Whether its pictures are explained."""
    progress: float
    outputs: dict[str, Any]
    """By name: a picture, clip, sound or file as {id, url, …}, lists as lists, JSON as itself."""
    error: dict[str, str] | None
    created: float
    """Seconds since 1970."""
    started: float | None
    finished: float | None


class Run(RunSummary):
    """A run with everything that is known of it."""

    steps: dict[str, StepView]
    questions: list[QuestionView]
    warnings: list[dict[str, str]]
    attempts: int
    receipt: dict[str, Any]
    """What made the outputs: versions, model hashes, device, dtype."""


class Submitted(Run):
    """The first run of a request, with the ids of all its runs."""

    runs: list[str]


def summary(engine: Engine, job: Job) -> RunSummary:
    return RunSummary(**summary_fields(engine, job))


def run(engine: Engine, job: Job) -> Run:
    return Run(**run_fields(engine, job))


def submitted(engine: Engine, job: Job, ids: list[str]) -> Submitted:
    return Submitted(**run_fields(engine, job), runs=ids)


def file(engine: Engine, artifact: Artifact, owner: str) -> FileView:
    return file_named(engine.artifact_id(artifact, owner), artifact)


def file_named(id: str, artifact: Artifact) -> FileView:
    return FileView(
        id=id,
        url=url_of_file(id),
        mime=artifact.mime,
        bytes=artifact.bytes,
        sha256=artifact.sha256,
        name=artifact.name,
        width=artifact.width or UNSET,
        height=artifact.height or UNSET,
    )


def output(engine: Engine, value: Any, owner: str) -> Any:
    """An output of the worker, with its artifacts named for their owner."""
    if isinstance(value, list):
        return [output(engine, item, owner) for item in value]
    if isinstance(value, dict) and value.keys() == {"artifact"}:
        try:
            return file(engine, msgspec.convert(value["artifact"], Artifact), owner)
        except msgspec.ValidationError:
            return value  # somebody's own JSON that happens to look like one
    return value


def summary_fields(engine: Engine, job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "url": url_of(job.id),
        "state": job.state,
        "title": job.title,
        "workflow": job.workflow,
        "inputs": job.inputs,
        "targets": job.targets,
        "priority": job.priority,
        "position": job.position,
        "mode": job.mode,
        "explain": job.explain,
        "progress": job.progress,
        "outputs": {name: output(engine, value, job.owner) for name, value in job.outputs.items()},
        "error": plain(job.problem) if job.problem else None,
        "created": job.created,
        "started": job.started or None,
        "finished": job.finished or None,
    }


def run_fields(engine: Engine, job: Job) -> dict[str, Any]:
    return summary_fields(engine, job) | {
        "steps": {id: step(report) for id, report in job.steps.items()},
        "questions": [question(engine, job, asked) for asked in job.questions],
        "warnings": [plain(problem) for problem in job.warnings],
        "attempts": job.attempts,
        "receipt": job.receipt,
    }


def step(report: StepReport) -> StepView:
    return StepView(
        state=report.state,
        cache=report.cache or None,
        calls=report.calls,
        hits=report.hits,
        seconds=report.seconds,
        why=report.why,
        verdicts=report.verdicts,
        progress=report.progress,
        problem=UNSET if report.problem is UNSET else plain(report.problem),
    )


def question(engine: Engine, job: Job, asked: Question) -> QuestionView:
    return QuestionView(
        call=asked.call,
        url=f"{url_of(job.id)}/answers/{quote(asked.call, safe='')}",
        question=asked.question,
        options=asked.options,
        pictures=[file(engine, picture, job.owner) for picture in asked.pictures],
    )


def plain(problem: Problem) -> dict[str, str]:
    """A problem with all its six fields, also the empty ones."""
    found: dict[str, str] = msgspec.structs.asdict(problem)
    return found


def url_of_file(id: str) -> str:
    return f"/api/artifacts/{quote(id, safe='')}"


def url_of(run: str) -> str:
    return f"/api/runs/{quote(run, safe='')}"
