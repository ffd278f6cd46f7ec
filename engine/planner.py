"""Workflow × registry → Plan, or all its problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from engine.compile import Compile
from engine.errors import Invalid, Problem, shown
from engine.node import NodeSpec
from engine.plan import Plan, Shape
from engine.ports import JsonValue
from engine.registry import Registry
from engine.scope import Typed, lay_out
from engine.types import Artifact
from engine.workflow import Workflow, nearest


class Planner:
    """Plans workflows against one registry; keeps what it looked up about each node."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._shapes: dict[str, Shape] = {}

    def shape(self, id: str) -> Shape | None:
        """What the planner knows of a node."""
        found = self._shapes.get(id)
        if found is None and (entry := self.registry.get(id)) is not None:
            found = self._shapes[id] = Shape(entry)
        return found

    def spec(self, id: str) -> NodeSpec | None:
        found = self.shape(id)
        return found.spec if found else None

    def plan(
        self,
        workflow: Workflow,
        *,
        inputs: Mapping[str, JsonValue] | None = None,
        targets: Sequence[str] | None = None,
        files: Mapping[str, Artifact] | None = None,
        flows: Mapping[str, Workflow] | None = None,
    ) -> Plan:
        """The plan of a run, or Invalid with every problem of what it would run."""
        typed, problems = named_inputs(workflow, inputs or {})
        pinned = {**flows_in(workflow), **(flows or {})}
        scope = lay_out(workflow, pinned, typed)
        work = Compile(self, scope, files or {}, ())
        plan = work.compile(targets)
        problems += work.blocking
        if problems:
            raise Invalid(problems)
        return plan

    def artifact_ids(self, workflow: Workflow, inputs: Mapping[str, JsonValue]) -> set[str]:
        """Artifact ids that a request mentions, so that their owner can be asked for."""
        found: set[str] = set()
        parts = [workflow.steps, *(g.steps for g in workflow.groups.values())]
        for flow in flows_in(workflow).values():
            parts += [flow.steps, *(g.steps for g in flow.groups.values())]
        for steps in parts:
            for step in steps.values():
                shape = self.shape(step.node)
                if shape is None or shape.artifacts:
                    for name, value in step.values.items():
                        if shape is None or name in shape.artifacts:
                            found.update(strings(value))
        for value in inputs.values():
            found.update(text for text in strings(value) if len(text) <= 64)
        return found


def strings(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def flows_in(workflow: Workflow) -> dict[str, Workflow]:
    """The saved workflows that were put into the document when it was queued."""
    pinned = workflow.needs.workflows
    return {name: msgspec.convert(p.document, Workflow) for name, p in pinned.items() if p.document}


def named_inputs(
    workflow: Workflow, inputs: Mapping[str, JsonValue]
) -> tuple[dict[tuple[str, str], Typed], list[Problem]]:
    """Values given to the named inputs, by the step inputs they go to."""
    typed: dict[tuple[str, str], Typed] = {}
    problems: list[Problem] = []
    for name, value in inputs.items():
        target = workflow.inputs.get(name)
        if target is None:
            remedy = nearest(name, workflow.inputs) or "This workflow has no named inputs."
            problems.append(Problem("unknown_input", input=name, got=shown(value), remedy=remedy))
            continue
        for to in target.to:
            step, _, port = to.rpartition(".")
            typed[step, port] = Typed(value, name)
    for name, target in workflow.inputs.items():
        for to in target.to:
            step = to.rpartition(".")[0]
            if step not in workflow.steps:
                remedy = nearest(step, workflow.steps)
                problems.append(Problem("unknown_step", input=name, got=to, want="step.input", remedy=remedy))
    return typed, problems
