"""Runs jobs in this process: plans them, gives them their surroundings, packs up what they made."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import msgspec

from engine import artifacts, credentials, insight, memory, models, packs, policy, safety, vault
from engine.assignment import Assignment, Outcome, Say
from engine.cache import Cache
from engine.config import Settings
from engine.digest import digest
from engine.errors import Problem, TesseraError
from engine.events import JobState, StepReport
from engine.flights import Flights
from engine.gate import Glimpses, rehearse
from engine.lineage import Around, Lineage, files_in, workflow_digest
from engine.machine import OWN_MEMORY, cores, environment, epoch, prepare, surroundings, warm
from engine.outward import artifact_of, outward
from engine.plan import From, Plan
from engine.planner import Planner, flows_in, packs_named
from engine.ports import JsonValue
from engine.receipt import facts, portable
from engine.registry import Failed, Pack, Registry
from engine.run import Ending, Listener, Run
from engine.types import Artifact, Image, Score, Value
from engine.workflow import Workflow, parse

PLANS = 64
"""Plans kept, so that running a workflow again costs no planning."""


class Runner:
    """Everything that jobs of one process share: nodes, cache, weights, lanes."""

    def __init__(self, settings: Settings, registry: Registry, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.core = registry
        self.store = artifacts.Folder(settings.data / "artifacts")
        self.models = models.Models.of(settings)
        self.vault = vault.Vault.of(settings)
        self.cache = Cache(
            settings.data / "cache",
            registry.classes,
            memory_limit=settings.cache_memory,
            disk_limit=settings.cache_limit,
            alone=True,  # a data folder has one owner, and that one worker
        )
        self.rules = safety.rules_of(settings)
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="looks")
        slots = {"gpu": 1, "cpu": max(2, cores()), "io": 32}
        self.flights = Flights(self.cache, classes=registry.classes, slots=slots, vault=self.vault)
        self.environment = surroundings()
        self.flights.surroundings = {"cpu": as_json(self.environment)}
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

    @cached_property
    def credentials(self) -> credentials.Credentials:
        return credentials.Credentials.of(self.settings)

    # -- the public verbs

    async def run(self, assignment: Assignment) -> Outcome:
        """Run a job to its end. What goes wrong is in the outcome, never raised."""
        began = time.perf_counter()
        self._coming.add(assignment.job)
        try:
            outcome = await self._run(assignment)
        except TesseraError as error:
            outcome = Outcome(assignment.job, "failed", problem=self.vault.clean(error.problems[0]))
        except Exception as error:
            outcome = Outcome(assignment.job, "failed", problem=self.flights.explain(error, ""))
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
                await asyncio.to_thread(contextvars.copy_context().run, self._rehearse)

    def close(self) -> None:
        self._looks.shutdown(wait=False, cancel_futures=True)
        self.flights.close()
        self.cache.close()

    # -- one job

    async def _run(self, work: Assignment) -> Outcome:
        work.mode = min(work.mode, safety.limit_of(self.settings, work.owner)[0])
        guard = policy.guard_for(work.mode, self.rules, self._planner.shape)
        plan, workflow = await self._plan(work, guard)
        if work.job not in self._unwanted and (
            on_device(plan) or (guard is not None and made_by_packs(plan))
        ):
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
            guard=guard,
        )
        lineage = self.lineage(work, workflow, plan, run)
        run.tell_receipt = lambda step: portable(lineage.of(step))
        if guard is not None and guard.closed:
            job.glimpses = Glimpses(guard.picture, job.show_preview, ambient, self._looks)
        self.runs[work.job] = run
        if work.job in self._unwanted:
            run.cancel()
        ending = await run.finish()
        outcome = await asyncio.to_thread(self._pack, work, lineage, run, ending)
        await self.cache.flushed()
        return outcome

    async def _plan(self, work: Assignment, guard: policy.Guard | None) -> tuple[Plan, Workflow]:
        files = sorted(a.sha256 for a in work.files.values())
        mark = digest([work.document, repr(work.inputs), work.targets, files, work.mode, work.explain])
        if (known := self._plans.get(mark)) is not None and not known[0].packs:
            self._plans.move_to_end(mark)
            return known
        workflow = parse(work.document, limit=self.settings.document_limit)
        async with self._importing:  # two imports of one pack at once would each drop the other's modules
            await self._import_packs(workflow)
        plan = self._planner.plan(workflow, inputs=work.inputs, targets=work.targets, files=work.files)
        if work.explain:
            plan = insight.explained(plan, self._planner.shape)
        plan = policy.apply(plan, policy.limits_of(self.settings))
        if guard is not None:
            plan = guard.plan(plan)
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
        self.environment = environment(residency.device, residency.dtype)
        self.flights.surroundings["gpu"] = as_json(self.environment)
        if residency.device != "cpu" and self.settings.cpu_fallback:
            spare = memory.Residency(self.core.loaders, self.models, device="cpu", dtype="auto")
            self.flights.fall_back = lambda: memory.current.set(spare)
        if residency.device in OWN_MEMORY:
            turns = memory.Residency.of(self.settings, self.core.loaders, self.models, turns=True)
            self.flights.take_turns = lambda: memory.current.set(turns)
        self.flights.memory = residency

    def _rehearse(self) -> None:
        """Bring up whoever checks in the mode of this server."""
        guard = policy.guard_for(self.settings.mode, self.rules, self._planner.shape)
        if guard is not None:
            safety.current.set(self.rules)
            models.current.set(self.models)
            memory.current.set(self.residency)
            rehearse(guard, self.rules)

    def _surround(self, work: Assignment, workflow: Workflow) -> None:
        """Set what the job's nodes find around them."""
        output = None if work.fresh else self.settings.data / "output"
        artifacts.surround(self.store, output, origin_of(work, workflow, self.settings))
        vault.current.set(self.vault)
        safety.current.set(self.rules)
        credentials.current.set(self.credentials)
        models.current.set(self.models)
        models.met.set({})
        if self.flights.memory is not None:
            memory.current.set(self.residency)

    # -- what came of it

    def _pack(self, work: Assignment, lineage: Lineage, run: Run, ending: Ending) -> Outcome:
        """Outputs as data, their pictures kept; runs in a thread."""
        outcome = Outcome(work.job, state_of(run, ending), steps=ending.steps, questions=ending.questions)
        made: dict[str, tuple[str, str]] = {}
        for effect in ending.effects:
            if not run.lets_out(effect.value):
                continue
            collect(effect.value, outcome)
            made |= {file.sha256: (effect.step, effect.place) for file in files_in([effect.value])}
        for name, value in ending.values.items():
            if not run.lets_out(value, ending.marks[name]):
                outcome.state, outcome.problem = "failed", unchecked(name)
                continue
            files: list[Artifact] = []
            outcome.outputs[name] = outward(value, self.store, files)
            outcome.artifacts += files
            if isinstance(source := run.plan.outputs[name], From):
                step = run.plan.steps[source.step].id
                made = {file.sha256: (step, step) for file in files} | made
        for question in ending.questions:
            outcome.artifacts += question.pictures
        if outcome.state == "failed" and outcome.problem is None:
            stops = [s for s in ending.stops.values() if s.state == "failed"]
            failed = [r.problem for r in ending.steps.values() if isinstance(r.problem, Problem)]
            outcome.problem = failed[0] if failed else stops[0].problem if stops else None
        outcome.receipt = facts(lineage.whole(ending.values))
        outcome.papers = lineage.papers(made)
        return outcome

    def lineage(self, work: Assignment, workflow: Workflow, plan: Plan, run: Run) -> Lineage:
        """Who can tell what made the outputs: enough to make them again, or to say what differs."""
        torch = self.flights.memory is not None and on_device(plan)
        around = Around(
            run=work.job,
            title=workflow.title,
            workflow=workflow_digest(work.document),
            mode=work.mode,
            explain=work.explain,
            inputs=typed_values(workflow) | work.inputs,
            targets=work.targets,
            files=work.files,
            environment=self.environment if torch else surroundings(),
        )
        named = self.models if torch else None
        met = run.ambient[models.met]
        return Lineage(plan, run, around, named=named, met=met, store=self.store)


class JobListener(Listener):
    """Passes what one run says on to the host."""

    def __init__(self, job: str, runner: Runner) -> None:
        self.job = job
        self.runner = runner
        self.glimpses: Glimpses | None = None
        """Who looks at previews first, in Safe mode."""

    def steps(self, reports: dict[str, StepReport], progress: float) -> None:
        self.runner.say.steps(self.job, reports, progress)

    def preview(self, step: str, image: Image) -> None:
        (self.glimpses.offer if self.glimpses else self.show_preview)(step, image)

    def show_preview(self, step: str, image: Image) -> None:
        self.runner.say.preview(self.job, step, image)

    async def remember(self, path: str, index: int, data: bytes) -> None:
        await self.runner.say.remember(self.job, path, index, data)
        output = self.runner.settings.data / "output"
        await asyncio.to_thread(artifacts.effect_over, output, f"{self.job}|{path}|{index}")

    async def show(self, pictures: Sequence[Value]) -> list[Artifact]:
        return [await asyncio.to_thread(artifact_of, picture, self.runner.store) for picture in pictures]


def state_of(run: Run, ending: Ending) -> JobState:
    states = {stop.state for stop in ending.stops.values()}
    if run.stopped:
        return "cancelled"
    if "failed" in states or ("skipped" in states - {"asking"} and "asking" not in states):
        return "failed"
    if "asking" in states:
        return "waiting"
    return "cancelled" if "cancelled" in states else "done"


def unchecked(name: str) -> Problem:
    """Says that an output stays here because nobody looked at it."""
    remedy = "Give it out as a picture, or run it in a mode that lets it out."
    return Problem("gate_closed", input=name, got="an output that was not checked", remedy=remedy)


def on_device(plan: Plan) -> bool:
    """Whether anything in it uses torch on the device, also within a loop."""
    return any(step.shape.spec.lane == "gpu" for step in plan.every_step())


def made_by_packs(plan: Plan) -> bool:
    """Whether an effect of a pack may give something that has to be looked at."""
    shapes = {id(step.shape): step.shape for step in plan.every_step()}.values()
    return any(
        s.spec.kind == "effect" and s.entry.pack and policy.may_show(port.type, also_json=True)
        for s in shapes
        for port in s.spec.outputs
    )


def collect(value: Any, outcome: Outcome) -> None:
    items = value if isinstance(value, list) else [value]
    outcome.artifacts += [item for item in items if isinstance(item, Artifact)]
    outcome.scores += [item for item in items if isinstance(item, Score)]


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


def as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
