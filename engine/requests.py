"""A request checked and made self-contained: what is queued never changes under its feet."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import itertools
import math
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from engine import insight, policy, safety
from engine.assets import Assets
from engine.canonical import Raw
from engine.config import Settings
from engine.errors import Invalid, NotFound, Problem
from engine.events import Job, Request
from engine.library import Library
from engine.plan import Plan
from engine.planner import Planner
from engine.ports import JsonValue
from engine.scope import FLOW
from engine.types import MAX_SEED, Artifact
from engine.workflow import DEPTH_LIMIT, Workflow, read, settle_seeds, shape

MOST = 100
"""Runs that one request may ask for."""
LARGE = 50
"""Steps from which a plan is made in a thread, so that the loop stays responsive."""


class Desk:
    """Takes requests: loads what they name, checks them, and writes jobs."""

    def __init__(self, planner: Planner, library: Library, assets: Assets, config: Settings) -> None:
        self.planner = planner
        self.library = library
        self.assets = assets
        self.settings = config
        self.document_limit = config.document_limit
        self.limits = policy.limits_of(config)

    async def jobs(self, request: Request, owner: str, *, drawn: list[int] | None = None) -> list[Job]:
        """The jobs that a request asks for, checked; Invalid with every problem.

        `drawn` has the seeds that were drawn so far, where several requests are to have the same.
        """
        if not 1 <= request.count <= MOST:
            raise Invalid([Problem("bad_value", input="count", got=str(request.count), want=f"1 to {MOST}")])
        mode = safety.mode_for(self.settings, owner, request.mode)
        raw, name = await self.document(request.workflow, owner)
        workflow = shape(raw)
        files = await self.files(workflow, request.inputs, owner)
        jobs: list[Job] = []
        drawn = [] if drawn is None else drawn
        for turn in range(request.count):
            document, inputs = self.settle(raw, workflow, request.inputs, turn, drawn)
            if not turn:
                plan = await self.plan(
                    shape(document), inputs, request.targets, files, explain=request.explain
                )
            jobs.append(
                Job(
                    id="",
                    owner=owner,
                    document=msgspec.json.encode(document),
                    title=workflow.title,
                    workflow=name,
                    inputs=inputs,
                    targets=request.targets,
                    files=files,
                    state="held" if request.hold else "queued",
                    priority=request.priority,
                    warnings=list(plan.warnings),
                    mode=mode,
                    explain=request.explain,
                )
            )
        return jobs

    async def check(
        self,
        given: str | Raw | bytes,
        inputs: Mapping[str, JsonValue] | None,
        targets: list[str] | None,
        owner: str,
    ) -> tuple[list[Problem], list[Problem]]:
        """Every problem and every warning, without running anything."""
        try:
            raw, _ = await self.document(given, owner)
            workflow = shape(raw)
            files = await self.files(workflow, inputs or {}, owner)
            document, settled = self.settle(raw, workflow, inputs or {}, 0, [])
            plan = await self.plan(shape(document), settled, targets, files)
        except Invalid as error:
            return list(error.problems), []
        return [], list(plan.warnings)

    async def document(self, given: str | Raw | bytes, owner: str) -> tuple[Raw, str]:
        """The document of a request with the saved workflows it uses inside it, and its name."""
        name = ""
        if isinstance(given, str):
            name, given = given, (await self.library.get(given, owner))[0]
        raw = read(given, limit=self.document_limit) if isinstance(given, bytes) else given
        if isinstance(given, dict):  # from a decoded body: check what only the text parser checks
            raw = read(plain_json(given), limit=self.document_limit)
        return await self.pinned(raw, owner), name

    async def pinned(self, raw: Raw, owner: str) -> Raw:
        """Put every saved workflow that is used as a node into the document."""
        found: dict[str, Any] = {}
        waiting = sorted(flows_named(raw))
        stated = pins(raw)
        for _ in range(DEPTH_LIMIT):
            missing = [name for name in waiting if name not in found]
            if not missing:
                break
            waiting = []
            for name in missing:
                inner = await self.saved(name, owner, stated.get(name, ""))
                if inner is not None:
                    digest, document = inner
                    found[name] = {"digest": digest, "document": document}
                    waiting += flows_named(document)
        if not found:
            return raw
        needs = raw.get("needs", {})
        known = needs.get("workflows", {}) if isinstance(needs, dict) else None
        if not isinstance(known, dict):
            return raw  # its form is refused in a moment
        return {**raw, "needs": {**needs, "workflows": {**known, **found}}}

    async def saved(self, name: str, owner: str, pin: str) -> tuple[str, Raw] | None:
        """A saved workflow, in the version that is pinned if one is."""
        try:
            document, _ = await self.library.get(name, owner)
        except (NotFound, Invalid):
            return None  # the planner names it as unknown
        digest = hashlib.sha256(document).hexdigest()
        if pin and pin != digest:
            for version in await self.library.versions(name, owner):
                if version["etag"] == pin[:32]:
                    older, _ = await self.library.get(name, owner, version["version"])
                    return pin, read(older)
            remedy = "Save the workflow again to use the present version."
            raise Invalid(
                [Problem("changed_workflow", got=name, want=f"the version {pin[:12]}…", remedy=remedy)]
            )
        return digest, read(document)

    async def files(
        self, workflow: Workflow, inputs: Mapping[str, JsonValue], owner: str
    ) -> dict[str, Artifact]:
        """The artifacts that a request names, as far as they are this owner's."""
        found: dict[str, Artifact] = {}
        for id in self.planner.artifact_ids(workflow, inputs):
            try:
                found[id] = await self.assets.get(id, owner)
            except NotFound:
                continue  # the planner says which input names it
        return found

    async def plan(
        self,
        workflow: Workflow,
        inputs: Mapping[str, JsonValue],
        targets: list[str] | None,
        files: Mapping[str, Artifact],
        *,
        explain: bool = False,
    ) -> Plan:
        def plan() -> Plan:
            made = self.planner.plan(workflow, inputs=inputs, targets=targets, files=files)
            if explain:
                made = insight.explained(made, self.planner.shape)
            return policy.apply(made, self.limits)

        return await asyncio.to_thread(plan) if len(workflow.steps) > LARGE else plan()

    def settle(
        self, raw: Raw, workflow: Workflow, inputs: Mapping[str, JsonValue], turn: int, drawn: list[int]
    ) -> tuple[Raw, dict[str, JsonValue]]:
        """The document and inputs with random seeds drawn (once per request) and moved on by `turn`."""

        places = itertools.count()

        def draw() -> int:
            if (place := next(places)) == len(drawn):  # the same seeds again in the next turn, one further
                drawn.append(secrets.randbelow(MAX_SEED + 1))
            return drawn[place]

        changed, settled = settle_seeds(workflow, inputs, self.planner.spec, draw=draw, offset=turn)
        if not changed:
            return raw, settled
        document: Raw = copy.deepcopy({name: raw[name] for name in ("steps", "groups") if name in raw})
        for (group, step, port), seed in changed.items():
            part = document["groups"][group] if group else document
            part["steps"][step].setdefault("values", {})[port] = seed
        return {**raw, **document}, settled


def plain_json(raw: Raw) -> bytes:
    """Plain data as JSON; NaN, which msgspec would write as null, is refused."""
    waiting: list[Any] = [raw]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (dict, list)):
            waiting += item.values() if isinstance(item, dict) else item
        elif type(item) is float and not math.isfinite(item):
            raise Invalid([Problem("not_finite", got=str(item), want="a finite number")])
    return msgspec.json.encode(raw)


def flows_named(raw: Raw) -> set[str]:
    """Names of the saved workflows that a document uses as nodes."""
    parts = [raw, *(raw.get("groups") or {}).values()] if isinstance(raw.get("groups", {}), dict) else [raw]
    names: set[str] = set()
    for part in parts:
        steps = part.get("steps") if isinstance(part, dict) else None
        for step in steps.values() if isinstance(steps, dict) else ():
            node = step.get("node") if isinstance(step, dict) else None
            if isinstance(node, str) and node.startswith(FLOW):
                names.add(node.removeprefix(FLOW))
    return names


def pins(raw: Raw) -> dict[str, str]:
    """The digests of used workflows that the document states."""
    needs = raw.get("needs")
    stated = needs.get("workflows") if isinstance(needs, dict) else None
    if not isinstance(stated, dict):
        return {}
    return {n: str(p["digest"]) for n, p in stated.items() if isinstance(p, dict) and p.get("digest")}
