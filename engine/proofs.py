"""Asks after what was made: its receipt, whether it comes out the same again, why its steps ran."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from engine.artifacts import Folder
from engine.assets import Assets
from engine.assignment import Assignment, Outcome
from engine.dispatch import Dispatch
from engine.errors import Conflict, NotFound, Problem, TesseraError
from engine.evaluations import Evaluations
from engine.events import Job, Request, StepReport
from engine.jobs import ULID, Jobs
from engine.papers import Kept, Papers
from engine.ports import JsonValue
from engine.receipt import Difference, Receipt, causes, differences, read
from engine.requests import Desk
from engine.safety import limit_of
from engine.types import Artifact
from engine.verify import Verdict, compare, judge

READ: dict[str, Any] = {
    "tessera": 1,
    "title": "What a file says of itself",
    "steps": {"read": {"node": "read_receipt"}},
    "inputs": {"file": {"to": ["read.file"]}},
    "outputs": {name: f"read.{name}" for name in ("receipt", "workflow", "settings", "look")},
}


class RunFailed(TesseraError):
    """The run failed."""

    code = "run_failed"


class Told(Struct):
    """A receipt, and on whose word."""

    receipt: Receipt
    by: Literal["engine", "file"]
    """`engine` kept it when it made the file; a `file` says it of itself, which anybody can write."""


class Reason(Struct):
    """Why a step ran, or did not have to."""

    step: str
    node: str
    cache: str
    calls: int
    hits: int
    seconds: float
    sentence: str


class Reasons(Struct):
    """Why every step of a run ran, or did not have to."""

    run: str
    state: str
    sentence: str
    steps: list[Reason]


class Compared(Struct):
    """What two receipts do not have in common, causes before what came of them."""

    equal: bool
    sentence: str
    differences: list[Difference] = field(default_factory=list)


class Proofs:
    """What can be asked of runs that are over and files that are made."""

    def __init__(
        self,
        desk: Desk,
        jobs: Jobs,
        assets: Assets,
        papers: Papers,
        evaluations: Evaluations,
        dispatch: Dispatch,
        store: Folder,
    ) -> None:
        self.desk = desk
        self.jobs = jobs
        self.assets = assets
        self.papers = papers
        self.evaluations = evaluations
        self.dispatch = dispatch
        self.store = store

    async def receipt(self, id: str, owner: str | None = "local") -> Told:
        """The receipt of a run or a file; of a file that was not made here, what it says of itself."""
        if ULID.fullmatch(id):
            job = await self.jobs.get(id, owner)
            receipt = read(job.receipt)
            receipt.run = receipt.run or id
            return Told(receipt, "engine")
        return await self.receipt_of_file(id, owner)

    async def receipt_of_file(self, id: str, owner: str | None = "local") -> Told:
        """What the engine kept of how it made a file, or else what the file says of itself."""
        file = await self.assets.get(id, owner)
        try:
            told = Told((await self.papers.get(id)).receipt, "engine")
        except NotFound:
            found = await self.told(file)
            if not found["receipt"] and not found["settings"]:
                raise
            told = Told(said_by_file(found), "file")
        told.receipt.scores = [msgspec.to_builtins(score) for score in await self.evaluations.of(id, owner)]
        return told

    async def recipe(self, id: str, owner: str | None = "local") -> Kept:
        """The workflow that made a file and what it was given; of a file from elsewhere, what is in it."""
        file = await self.assets.get(id, owner)
        try:
            return await self.papers.get(id)
        except NotFound:
            return self.kept_in(await self.told(file))

    async def where(self, sha256: str, owner: str) -> tuple[str | None, bool]:
        """The id under which the owner has a file, and whether it has a receipt."""
        id = self.assets.id_of(owner, sha256)
        if await self.file(id, owner) is None:
            return None, False
        return id, bool(await self.papers.having([id]))

    async def difference(self, first: str, second: str, owner: str | None = "local") -> Compared:
        """What the receipts of two runs or files do not have in common."""
        one, two = await self.receipt(first, owner), await self.receipt(second, owner)
        return compared(one.receipt, two.receipt)

    async def why(self, id: str, owner: str | None = "local") -> Reasons:
        """Why every step of a run ran."""
        job = await self.jobs.get(id, owner)
        return reasons(job)

    # -- again

    async def verify(self, id: str, owner: str | None = "local") -> Verdict:
        """Make a finished run or a file again without the cache, and compare."""
        if not ULID.fullmatch(id) and (file := await self.file(id, owner)) is not None:
            return await self.verify_file(id, file, owner)
        job = await self.jobs.get(id, owner)
        if job.state != "done":
            raise Conflict(f"Run {id} is {job.state}.", remedy="Only a run that is done can be verified.")
        outcome = await self.again(job, await self.jobs.answers(id))
        return compare(id, job.receipt, outcome.receipt)

    async def file(self, id: str, owner: str | None) -> Artifact | None:
        try:
            return await self.assets.get(id, owner)
        except NotFound:
            return None

    async def verify_file(self, id: str, file: Artifact, owner: str | None) -> Verdict:
        """Make a file again, by the receipt that was kept or the one in it."""
        who = owner or "local"
        await asyncio.to_thread(self.store.get, file.sha256)  # Damaged if somebody has changed it there
        try:
            kept = await self.papers.get(id)
        except NotFound:
            found = await self.told(file)
            kept, was = self.kept_in(found), str(found["look"])
        else:
            was = kept.receipt.looks.get(file.sha256, "")
        job = await self.job(kept, who)
        outcome = await self.again(job, kept.answers)
        place = kept.receipt.step
        papers = [p for p in outcome.papers if not place or place in (p.receipt.step, *p.files.values())]
        made = [
            paper.receipt.looks[sha256]
            for paper in papers
            for sha256, where in paper.files.items()
            if not place or place in (where, paper.receipt.step)
        ]
        now = papers[0].receipt if papers and kept.receipt.steps else read(outcome.receipt)
        return judge(id, {file.name or "file": was in made}, kept.receipt, now)

    def kept_in(self, found: dict[str, Any]) -> Kept:
        """What a file says of how to make it again."""
        if not found["workflow"]:
            remedy = 'Only files saved with the metadata "full" say it; others at most their inputs.'
            raise NotFound("The file does not say by which workflow it was made.", remedy=remedy)
        receipt = said_by_file(found)
        return Kept(receipt, str(found["workflow"]).encode(), receipt.inputs, receipt.targets, {})

    async def job(self, kept: Kept, owner: str) -> Job:
        """The run that made a file, as if it were asked for anew: checked, and held to today's policy."""
        ids = {id: await self.named(sha256, owner) for id, sha256 in kept.receipt.files.items()}
        document = replaced(json.loads(kept.document), ids)
        inputs = replaced(kept.inputs, ids)
        mode = min(kept.receipt.mode, limit_of(self.desk.settings, owner)[0])
        asked = Request(document, inputs, kept.targets, mode=mode, explain=kept.receipt.explain)
        [job] = await self.desk.jobs(asked, owner)
        return job

    async def named(self, sha256: str, owner: str) -> str:
        """The id under which the owner has a file that went in."""
        id = self.assets.id_of(owner, sha256)
        if await self.file(id, owner) is None:
            gone = f"A file that it was made from is not here; its SHA-256 is {sha256}."
            raise NotFound(gone, remedy="Upload it, and verify again.")
        return id

    async def again(self, job: Job, answers: dict[str, str]) -> Outcome:
        """Run it beside the queue, with nothing from the cache."""
        outcome = await self.dispatch.once(
            Assignment(
                f"verify-{self.jobs.new_id()}",
                job.owner,
                job.document,
                inputs=job.inputs,
                targets=job.targets,
                files=job.files,
                answers=answers,
                fresh=True,
                mode=job.mode,
                explain=job.explain,
            )
        )
        if outcome.state != "done":
            problem = outcome.problem or Problem("failed")
            raise RunFailed(f"The repetition did not finish: {problem.sentence()}", problems=(problem,))
        return outcome

    async def told(self, file: Artifact) -> dict[str, Any]:
        """What a file says of itself; a worker reads it, for it may be anything."""
        document = msgspec.json.encode(READ)
        name = "file"
        work = Assignment(
            f"read-{self.jobs.new_id()}", "local", document, inputs={"file": name}, files={name: file}
        )
        outcome = await self.dispatch.once(work)
        if outcome.state != "done":
            raise NotFound("The file cannot be read.", problems=(outcome.problem or Problem("failed"),))
        return outcome.outputs


def said_by_file(found: dict[str, Any]) -> Receipt:
    """The receipt in a file; of one that has none, what its inputs tell."""
    try:
        receipt = read(found["receipt"] or {})
    except msgspec.ValidationError:
        raise NotFound("The receipt in the file cannot be read.", remedy="It was changed.") from None
    declared = json.loads(found["workflow"]).get("inputs", {}) if found["workflow"] else found["settings"]
    receipt.inputs = {name: value for name, value in found["settings"].items() if name in declared}
    return receipt


def replaced(value: JsonValue, ids: dict[str, str]) -> Any:
    """Plain data with the ids of files exchanged for those they have here."""
    if isinstance(value, dict):
        return {key: replaced(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, ids) for item in value]
    return ids.get(value, value) if isinstance(value, str) else value


def compared(first: Receipt, second: Receipt) -> Compared:
    """Two receipts side by side."""
    found = differences(first, second)
    if not found:
        return Compared(True, "The receipts say the same.")
    names = [difference.field for difference in causes(found)]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if not names:
        return Compared(False, "What came out differs, though the receipts name no cause.", found)
    verb = "things were" if len(names) > 1 else "thing was"
    return Compared(False, f"{len(names)} {verb} different: {shown}.", found)


def reasons(job: Job) -> Reasons:
    """The cache's reasons, step by step, in the order in which the steps depend on each other."""
    receipt = read(job.receipt)
    steps = []
    for id in dict.fromkeys([id for id in receipt.steps if id in job.steps] + list(job.steps)):
        report = job.steps[id]
        node = receipt.steps[id].node if id in receipt.steps else ""
        use = (report.cache, report.calls, report.hits, round(report.seconds, 4))
        steps.append(Reason(id, node, *use, sentence(report)))
    ran = [step for step in steps if step.calls]
    known = sum(1 for step in steps if step.hits and not step.calls)
    spent = sum(step.seconds for step in ran)
    said = f"{len(ran)} of {len(steps)} steps ran, in {spent:.2f} s; {known} were known already."
    return Reasons(job.id, job.state, said, steps)


def sentence(report: StepReport) -> str:
    """Why a step ran, or what saved it from that."""
    if report.state not in ("done", "running"):
        return f"is {report.state}"
    if not report.calls:
        return KNOWN.get(report.cache, "was not needed")
    again = f"; {report.hits} more were known" if report.hits else ""
    often = f" {report.calls} times" if report.calls > 1 else ""
    why = f": {report.why}" if report.why else ""
    return f"ran{often}{why}{again}"


KNOWN = {
    "memory": "was known, in memory",
    "disk": "was known, on disk",
    "flight": "joined an equal call of another run",
    "skipped": "was not needed",
}
