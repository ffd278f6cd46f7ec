"""Workflow × registry → Plan, or all its problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from engine import ports
from engine.compile import Compile
from engine.errors import Invalid, Problem, shown
from engine.node import RESERVED, NodeSpec, input_schema
from engine.plan import Plan, Shape
from engine.ports import JsonValue
from engine.registry import Registry
from engine.scope import FLOW, GROUP, Typed, lay_out
from engine.types import Artifact
from engine.workflow import DEPTH_LIMIT, Group, NamedInput, Step, Workflow, nearest, shape, split


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
        typed, problems = self.named_inputs(workflow, inputs or {})
        pinned = {**flows_in(workflow), **(flows or {})}
        scope = lay_out(workflow, pinned, typed)
        work = Compile(self, scope, files or {}, named=packs_named(workflow, pinned.values()))
        plan = work.compile(targets)
        problems += work.blocking
        if problems:
            raise Invalid(problems)
        return plan

    def named_inputs(
        self, workflow: Workflow, inputs: Mapping[str, JsonValue]
    ) -> tuple[dict[tuple[str, str], Typed], list[Problem]]:
        """Values given to the named inputs, by the step inputs they go to."""
        typed: dict[tuple[str, str], Typed] = {}
        problems: list[Problem] = []
        for name in inputs.keys() - workflow.inputs.keys():
            remedy = nearest(name, workflow.inputs) or "This workflow has no named inputs."
            problems.append(Problem("unknown_input", input=name, got=shown(inputs[name]), remedy=remedy))
        for name, target in workflow.inputs.items():
            for to in target.to:
                if (problem := self.misled(workflow, name, to)) is not None:
                    problems.append(problem)
                elif name in inputs:
                    typed[split(to)] = Typed(inputs[name], name)
            if name in inputs and (want := beyond(target, inputs[name])):
                problems.append(Problem("bad_value", input=name, got=shown(inputs[name]), want=want))
        return typed, problems

    def misled(self, workflow: Workflow, name: str, to: str) -> Problem | None:
        """What is wrong with the place that a named input goes to, if anything."""
        step, port = split(to)
        if step not in workflow.steps:
            remedy = nearest(step, workflow.steps)
            return Problem("unknown_step", input=name, got=to, want="step.input", remedy=remedy)
        found = self.shape(workflow.steps[step].node)
        if found is not None and not present(port, workflow.steps[step], found):
            return Problem("unknown_input", input=name, got=to, remedy=nearest(port, found.inputs))
        return None

    def artifact_ids(self, workflow: Workflow, inputs: Mapping[str, JsonValue]) -> set[str]:
        """Artifact ids that a request mentions, so that their owner can be asked for."""
        found: set[str] = set()
        for step in every_step(workflow, flows_in(workflow).values()):
            shape = self.shape(step.node)
            if shape is None or shape.artifacts:
                for name, value in step.values.items():
                    if shape is None or name in shape.artifacts:
                        found.update(strings(value))
        for value in inputs.values():
            found.update(text for text in strings(value) if len(text) <= 64)
        return found


def beyond(target: NamedInput, value: JsonValue) -> str:
    """What a named input wants, if a number is not within its own limits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if target.least is not None and value < target.least:
        return f"at least {target.least:g}"
    if target.most is not None and value > target.most:
        return f"at most {target.most:g}"
    return ""


def present(port: str, step: Step, found: Shape) -> bool:
    """Whether a step has this input, by its name of today or of the version it was saved in."""
    old = step.version and step.version < found.spec.version
    before = {name for u in found.spec.upgrades for name in (*u.rename, *u.drop)} if old else set()
    return port in found.inputs or port in before


def strings(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def flows_in(workflow: Workflow) -> dict[str, Workflow]:
    """The saved workflows that were put into the document when it was queued."""
    pinned = workflow.needs.workflows
    return {name: shape(p.document) for name, p in pinned.items() if p.document is not None}


def every_step(workflow: Workflow, flows: Iterable[Workflow]) -> Iterator[Step]:
    """The steps of a workflow, of its groups, and of the saved workflows that it uses."""
    for part in (workflow, *flows):
        yield from part.steps.values()
        for group in part.groups.values():
            yield from group.steps.values()


def packs_named(workflow: Workflow, flows: Iterable[Workflow]) -> frozenset[str]:
    """The packs whose nodes a workflow names: those that a worker imports for it."""
    named = {s.node.split("/")[0] for s in every_step(workflow, flows) if "/" in s.node}
    return frozenset(named - {*RESERVED})


def signature(workflow: Workflow, planner: Planner) -> dict[str, Any]:
    """A workflow as a function: named inputs as JSON schemas, which are required, and its outputs."""
    inputs: dict[str, Any] = {}
    required: list[str] = []
    for name, target in workflow.inputs.items():
        schema: dict[str, Any] = {}
        needed = False
        for to in reversed(target.to):
            for node, port_name, given in behind(to, workflow, workflow.groups, flows_in(workflow)):
                shape = planner.shape(node)
                port = shape.inputs.get(port_name) if shape else None
                if port is not None:
                    schema = input_schema(port)
                    if given is not UNSET:
                        schema["default"] = given
                    needed = needed or "default" not in schema
        if target.title:
            schema["title"] = target.title
        if target.help:
            schema["description"] = target.help
        if target.least is not None:
            schema["minimum"] = target.least
        if target.most is not None:
            schema["maximum"] = target.most
        inputs[name] = schema
        if needed:
            required.append(name)
    return {
        "title": workflow.title,
        "inputs": inputs,
        "required": required,
        "outputs": output_types(workflow, planner),
    }


Behind = tuple[str, str, JsonValue | UnsetType]
"""A node, one of its inputs, and what is typed there."""


def behind(
    to: str,
    part: Workflow | Group,
    groups: Mapping[str, Group],
    flows: Mapping[str, Workflow],
    depth: int = 0,
) -> list[Behind]:
    """The inputs of nodes that an address leads to, through groups and saved workflows."""
    name, _, port = to.rpartition(".")
    step = part.steps.get(name)
    if step is None or depth > DEPTH_LIMIT:
        return []
    typed = step.values.get(port, UNSET)
    inner: Group | Workflow | None
    if step.node.startswith(GROUP):
        inner = groups.get(step.node.removeprefix(GROUP))
    elif step.node.startswith(FLOW):
        inner = flows.get(step.node.removeprefix(FLOW))
        groups = inner.groups if inner else {}
    else:
        return [(step.node, port, typed)]
    target = inner.inputs.get(port) if inner else None
    if inner is None or target is None:
        return []
    found = [end for each in target.to for end in behind(each, inner, groups, flows, depth + 1)]
    return [(node, name, value if typed is UNSET else typed) for node, name, value in found]


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
