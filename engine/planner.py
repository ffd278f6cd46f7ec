"""Workflow × registry → Plan, or all its problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine import ports
from engine.compile import Compile
from engine.errors import Invalid, Problem, shown
from engine.node import NodeSpec, input_schema
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


def signature(workflow: Workflow, planner: Planner) -> dict[str, Any]:
    """A workflow as a function: named inputs as JSON schemas, which are required, and its outputs."""
    inputs: dict[str, Any] = {}
    required: list[str] = []
    for name, target in workflow.inputs.items():
        schema: dict[str, Any] = {}
        needed = False
        for to in reversed(target.to):
            step_name, _, port_name = to.rpartition(".")
            step = workflow.steps.get(step_name)
            shape = planner.shape(step.node) if step else None
            port = shape.inputs.get(port_name) if shape else None
            if step is None or port is None:
                continue
            schema = {
                **input_schema(port),
                **({"default": step.values[port_name]} if port_name in step.values else {}),
            }
            needed = needed or "default" not in schema
        if target.title:
            schema["title"] = target.title
        if target.help:
            schema["description"] = target.help
        inputs[name] = schema
        if needed:
            required.append(name)
    return {
        "title": workflow.title,
        "inputs": inputs,
        "required": required,
        "outputs": output_types(workflow, planner),
    }


def output_types(workflow: Workflow, planner: Planner) -> dict[str, str]:
    """What each named output is, as far as the node that gives it says."""
    found: dict[str, str] = {}
    for name, wire in workflow.outputs.items():
        step_name, _, port_name = wire.rpartition(".")
        step = workflow.steps.get(step_name)
        spec = planner.spec(step.node) if step else None
        port = next((p for p in spec.outputs if p.name == port_name), None) if spec else None
        found[name] = ports.words(port.type) if port else "any"
    return found
