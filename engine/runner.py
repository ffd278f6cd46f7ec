"""Runs jobs in this process: plans them, gives them their surroundings, packs up what they made."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from engine import artifacts, memory, models, packs, policy
from engine.cache import Cache
from engine.calls import explain
from engine.codecs import encode
from engine.config import Settings
from engine.digest import digest
from engine.errors import Problem, TesseraError
from engine.events import JobState, Question, StepReport
from engine.flights import Flights
from engine.machine import cores, environment, epoch, prepare, warm
from engine.media import dimensions
from engine.plan import Const, Plan
from engine.planner import Planner, flows_in, packs_named
from engine.ports import JsonValue
from engine.registry import Failed, Pack, Registry
from engine.run import Ending, Listener, Run
from engine.types import Artifact, Image, Mask, Value
from engine.weights import Kind
from engine.workflow import Workflow, parse

PLANS = 64
"""Plans kept, so that running a workflow again costs no planning."""
PREVIEW_SIDE = 512


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


class Outcome(Struct):
    """How a job ended in a worker. In `outputs` an artifact stands as {"artifact": {…}}."""

    job: str
    state: JobState
    outputs: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepReport] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    """Everything it made that people may fetch."""
    questions: list[Question] = field(default_factory=list)
    problem: Problem | None = None
    receipt: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Say:
    """What a runner tells its host. Called on the loop; only `preview` comes from the node's thread."""

    def steps(self, job: str, reports: dict[str, StepReport], progress: float) -> None: ...

    def preview(self, job: str, step: str, image: Image) -> None: ...

    async def remember(self, job: str, path: str, index: int, data: bytes) -> None: ...


class Runner:
    """Everything that jobs of one process share: nodes, cache, weights, lanes."""

    def __init__(self, settings: Settings, registry: Registry, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.core = registry
        self.store = artifacts.Folder(settings.data / "artifacts")
        self.models = models.Models.of(settings)
        self.cache = Cache(
            settings.data / "cache",
            registry.classes,
            memory_limit=settings.cache_memory,
            disk_limit=settings.cache_limit,
            alone=True,  # a data folder has one owner, and that one worker
        )
        slots = {"gpu": 1, "cpu": max(2, cores()), "io": 32}
        self.flights = Flights(self.cache, classes=registry.classes, slots=slots)
        self.runs: dict[str, Run] = {}
        self._coming: set[str] = set()
        """Jobs that are planned, or wait for torch."""
        self._unwanted: set[str] = set()
        """Those of them that were cancelled."""
        self._planner = Planner(registry)
        self._packs: dict[str, Pack] = {}
        self._plans: OrderedDict[bytes, tuple[Plan, Workflow]] = OrderedDict()
        self._numbers: asyncio.Lock = asyncio.Lock()
        self._importing: asyncio.Lock = asyncio.Lock()

    # -- the public verbs

    async def run(self, assignment: Assignment) -> Outcome:
        """Run a job to its end. What goes wrong is in the outcome, never raised."""
        began = time.perf_counter()
        self._coming.add(assignment.job)
        try:
            outcome = await self._run(assignment)
        except TesseraError as error:
            outcome = Outcome(assignment.job, "failed", problem=error.problems[0])
        except Exception as error:
            outcome = Outcome(assignment.job, "failed", problem=explain(error, ""))
        finally:
            for known in (self._coming, self._unwanted):
                known.discard(assignment.job)
            self.runs.pop(assignment.job, None)
        outcome.seconds = time.perf_counter() - began
        return outcome

    def cancel(self, job: str) -> None:
        if (run := self.runs.get(job)) is not None:
            run.cancel()
        elif job in self._coming:
            self._unwanted.add(job)

    def raise_priority(self, job: str, priority: int) -> None:
        if (run := self.runs.get(job)) is not None:
            run.raise_priority(priority)

    async def warm(self) -> None:
        """Import what a first picture needs, so that nobody waits for it."""
        await self._numerics()
        # transformers breaks when two threads import it: a run waits, or goes first
        async with self._numbers:
            if not self.runs and not self._coming:
                await asyncio.to_thread(warm)

    def close(self) -> None:
        self.flights.close()
        self.cache.close()

    # -- one job

    async def _run(self, work: Assignment) -> Outcome:
        plan, workflow = await self._plan(work)
        if work.job not in self._unwanted and on_device(plan):
            await self._numerics()
        job = JobListener(work.job, self)
        ambient = contextvars.copy_context()
        ambient.run(self._surround, work, workflow)
        run = Run(
            plan,
            self.flights,
            id=work.job,
            owner=work.owner,
            priority=work.priority,
            listener=job,
            remembered={(path, index): data for path, index, data in work.remembered},
            answers=work.answers,
            ambient=ambient,
            previews=self.settings.previews,
            fresh=work.fresh,
        )
        self.runs[work.job] = run
        if work.job in self._unwanted:
            run.cancel()
        ending = await run.finish()
        outcome = await asyncio.to_thread(self._pack, work, plan, run, ending)
        await self.cache.flushed()
        return outcome

    async def _plan(self, work: Assignment) -> tuple[Plan, Workflow]:
        mark = digest(
            [work.document, repr(work.inputs), work.targets, sorted(a.sha256 for a in work.files.values())]
        )
        if (known := self._plans.get(mark)) is not None and not known[0].packs:
            self._plans.move_to_end(mark)
            return known
        workflow = parse(work.document, limit=self.settings.document_limit)
        async with self._importing:  # two imports of one pack at once would each drop the other's modules
            await self._import_packs(workflow)
        plan = self._planner.plan(workflow, inputs=work.inputs, targets=work.targets, files=work.files)
        plan = policy.apply(plan, policy.limits_of(self.settings))
        self._plans[mark] = (plan, workflow)
        if len(self._plans) > PLANS:
            self._plans.popitem(last=False)
        return plan, workflow

    async def _import_packs(self, workflow: Workflow) -> None:
        """Import the packs that this workflow names, as their source is now."""
        before = dict(self._packs)
        for name in sorted(packs_named(workflow, flows_in(workflow).values())):
            path = packs.locate(self.settings.packs, name)
            loaded = None if path is None else await asyncio.to_thread(packs.load, path)
            if isinstance(loaded, Failed):
                remedy = "Mend it; the next run tries again."
                raise TesseraError(f"The pack {name} did not load: {loaded.reason}", remedy=remedy)
            if loaded is None:
                self._packs.pop(name, None)
            else:
                self._packs[name] = loaded
        if self._packs != before:
            registry = self.core.with_packs(self._packs.values())
            self._planner = Planner(registry)
            self._plans.clear()
            self.flights.forget_shapes()
            self.flights.classes = self.cache.classes = registry.classes

    async def _numerics(self) -> None:
        """Bring up torch, once, the first time a plan needs it."""
        async with self._numbers:
            if self.flights.memory is None:
                await asyncio.to_thread(self._bring_up_torch)

    def _bring_up_torch(self) -> None:
        prepare(self.settings.threads)
        residency = memory.Residency.of(self.settings, self.core.loaders, self.models)
        self.residency = residency
        self.flights.numerics = epoch(residency.device, residency.dtype)
        if residency.device != "cpu" and self.settings.cpu_fallback:
            spare = memory.Residency(self.core.loaders, self.models, device="cpu", dtype="auto")
            self.flights.fall_back = lambda: memory.current.set(spare)
        self.flights.memory = residency

    def _surround(self, work: Assignment, workflow: Workflow) -> None:
        """Set what the job's nodes find around them."""
        output = None if work.fresh else self.settings.data / "output"
        artifacts.surround(self.store, output, origin_of(work, workflow, self.settings))
        models.current.set(self.models)
        models.met.set({})
        if self.flights.memory is not None:
            memory.current.set(self.residency)

    # -- what came of it

    def _pack(self, work: Assignment, plan: Plan, run: Run, ending: Ending) -> Outcome:
        """Outputs as data, their pictures kept; runs in a thread."""
        outcome = Outcome(work.job, state_of(run, ending), steps=ending.steps, questions=ending.questions)
        for name, value in ending.values.items():
            outcome.outputs[name] = self.outward(value, outcome.artifacts)
        for value in ending.effects:
            collect(value, outcome.artifacts)
        for question in ending.questions:
            outcome.artifacts += question.pictures
        if outcome.state == "failed":
            stops = [s for s in ending.stops.values() if s.state == "failed"]
            failed = [r.problem for r in ending.steps.values() if isinstance(r.problem, Problem)]
            outcome.problem = failed[0] if failed else stops[0].problem if stops else None
        outcome.receipt = self.receipt(plan, run, ending)
        return outcome

    def outward(self, value: Any, made: list[Artifact]) -> Any:
        """A value as an answer carries it: plain JSON, or an artifact."""
        if isinstance(value, list):
            return [self.outward(item, made) for item in value]
        if isinstance(value, Value):
            artifact = self.artifact_of(value)
            made.append(artifact)
            return {"artifact": msgspec.to_builtins(artifact)}
        return value

    def artifact_of(self, value: Value) -> Artifact:
        if isinstance(value, Artifact):
            return value
        if isinstance(value, (Image, Mask)):
            data, mime = picture_png(value), "image/png"
        else:
            encoded = encode(value)
            data, mime = encoded.data, encoded.mime
        sides = dimensions(data) if mime.startswith("image/") else (0, 0)
        return Artifact(self.store.put(data), mime, len(data), type(value).__name__.lower(), *sides)

    def receipt(self, plan: Plan, run: Run, ending: Ending) -> dict[str, Any]:
        """What made the outputs: enough to make them again, or to say what differs."""
        nodes = {s.shape.spec.id: s.shape.spec.version for s in plan.every_step()}
        epochs = {s.shape.entry.pack: s.shape.entry.epoch for s in plan.every_step() if s.shape.entry.pack}
        found: dict[str, Any] = {"nodes": nodes, "packs": epochs, "outputs": {}}
        found["outputs"] = {name: digest(value).hex() for name, value in ending.values.items()}
        if ending.effects and not ending.values:  # sorted, since branches may overtake each other
            found["outputs"]["effects"] = digest(sorted(digest(value) for value in ending.effects)).hex()
        if fallbacks := {id: step.fallback for id, step in ending.steps.items() if step.fallback}:
            found["fallbacks"] = fallbacks
        if self.flights.memory is not None and on_device(plan):
            found["environment"] = environment(self.residency.device, self.residency.dtype)
            found["models"] = self.models_used(plan) | (run.ambient.get(models.met) or {})
        return found

    def models_used(self, plan: Plan) -> dict[str, str]:
        """Name and content hash of every model a step loads by name."""
        used: dict[str, str] = {}
        for step in plan.every_step():
            for port, source in zip(step.shape.spec.inputs, step.sources, strict=True):
                if port.ui.get("x-widget") == "model" and isinstance(source, Const) and source.value:
                    kind = msgspec.convert(port.ui["x-kind"], Kind)
                    file = self.models.find(str(source.value), kind)
                    used[file.name] = self.models.sha256(file)
        return used


class JobListener(Listener):
    """Passes what one run says on to the host."""

    def __init__(self, job: str, runner: Runner) -> None:
        self.job = job
        self.runner = runner

    def steps(self, reports: dict[str, StepReport], progress: float) -> None:
        self.runner.say.steps(self.job, reports, progress)

    def preview(self, step: str, image: Image) -> None:
        self.runner.say.preview(self.job, step, image)

    async def remember(self, path: str, index: int, data: bytes) -> None:
        await self.runner.say.remember(self.job, path, index, data)
        output = self.runner.settings.data / "output"
        await asyncio.to_thread(artifacts.effect_over, output, f"{self.job}|{path}|{index}")

    async def show(self, pictures: Sequence[Value]) -> list[Artifact]:
        return [await asyncio.to_thread(self.runner.artifact_of, picture) for picture in pictures]


def state_of(run: Run, ending: Ending) -> JobState:
    states = {stop.state for stop in ending.stops.values()}
    if run.stopped:
        return "cancelled"
    if "failed" in states or ("skipped" in states - {"asking"} and "asking" not in states):
        return "failed"
    if "asking" in states:
        return "waiting"
    return "cancelled" if "cancelled" in states else "done"


def on_device(plan: Plan) -> bool:
    """Whether anything in it uses torch on the device, also within a loop."""
    return any(step.shape.spec.lane == "gpu" for step in plan.every_step())


def collect(value: Any, made: list[Artifact]) -> None:
    items = value if isinstance(value, list) else [value]
    made += [item for item in items if isinstance(item, Artifact)]


def picture_png(value: Image | Mask) -> bytes:
    from engine.pictures import picture_bytes

    return picture_bytes(value if isinstance(value, Image) else Image(value.pixels[:, :, None]), "png")


def origin_of(work: Assignment, workflow: Workflow, settings: Settings) -> dict[str, Any]:
    """What a saved picture may say about how it was made, for the policy to choose from."""
    return {
        "metadata": settings.metadata,
        "title": workflow.title,
        "inputs": {**typed_values(workflow), **work.inputs},
        "workflow": work.document.decode("utf-8", "replace"),
    }


def typed_values(workflow: Workflow) -> dict[str, JsonValue]:
    """What the document itself gives its named inputs."""
    found: dict[str, JsonValue] = {}
    for name, target in workflow.inputs.items():
        step, _, port = (target.to or ["."])[0].rpartition(".")
        if step in workflow.steps and port in workflow.steps[step].values:
            found[name] = workflow.steps[step].values[port]
    return found


def preview_jpeg(image: Image) -> bytes:
    """A preview as JPEG, its longer side at most PREVIEW_SIDE pixels."""
    import io

    import numpy as np
    from PIL import Image as Pil

    pixels = image.pixels
    if pixels.dtype != np.uint8:
        pixels = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    picture = Pil.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3])
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=80)
    return out.getvalue()


def document_digest(document: bytes) -> str:
    """How a saved workflow is pinned."""
    return hashlib.sha256(document).hexdigest()
