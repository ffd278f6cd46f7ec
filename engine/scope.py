"""Names become edges: groups and saved workflows are laid out flat, pieces of graph are closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine.errors import Problem
from engine.workflow import DEPTH_LIMIT, STEP_LIMIT, Group, Step, Workflow, nearest, split

GROUP, FLOW, PIECE = "group/", "flow/", "#"
GUESSED = 100


class Wire(Struct, frozen=True):
    """A wire by its source: a step of this scope and one of its outputs."""

    step: str
    port: str


class Given(Struct, frozen=True):
    """A value that the caller of this piece of graph hands in."""

    index: int


class Typed(Struct, frozen=True):
    """A value somebody typed in, and the named input it came through, if any."""

    value: Any
    named: str = ""


class PieceOf(Struct, frozen=True):
    """A piece of graph, laid out."""

    scope: Scope


class Lost(Struct, frozen=True):
    """A wire that leads nowhere; the problem is already noted."""


Feed = Wire | Given | Typed | PieceOf | Lost


class Flat(Struct):
    """A step with its place in the flat graph and what feeds each of its inputs."""

    id: str
    step: Step
    feeds: dict[str, Feed]


class Scope:
    """The steps that are evaluated together: the whole workflow, or one piece of graph of it."""

    def __init__(self, parent: Scope | None, depth: int) -> None:
        self.parent = parent
        self.depth = depth
        self.budget: list[int] = [STEP_LIMIT] if parent is None else parent.budget
        """Steps that may still be laid out, in all scopes together."""
        self.flats: dict[str, Flat] = {}
        self.takes: list[str] = []
        """Names of the values the caller hands in."""
        self.captured: dict[Wire, int] = {}
        """Wires from outside, by the index of the given value they become."""
        self.outputs: dict[str, Feed] = {}
        self.problems: list[tuple[str, Problem]] = []
        """Found while naming, each with the step it belongs to ("" for the whole)."""

    def guess(self, name: str, known: Iterable[str]) -> str:
        """What somebody may have meant; not for the hundredth mistake of one document."""
        return nearest(name, known) if len(self.problems) < GUESSED else ""

    def capture(self, wire: Wire) -> Given:
        if wire not in self.captured:
            self.captured[wire] = len(self.captured)
        return Given(len(self.takes) + self.captured[wire])


class Names(Struct):
    """Where a name is looked up: one level of steps, then the level around it."""

    scope: Scope
    steps: Mapping[str, Step]
    groups: Mapping[str, Group]
    flows: Mapping[str, Workflow]
    prefix: str = ""
    outer: Names | None = None
    fed: Mapping[str, Mapping[str, Any]] = {}
    """Inputs of steps here that are fed from around the group: a Feed, or Later, by step and input."""
    within: tuple[str, ...] = ()
    """The groups and workflows around this level."""
    inside: Mapping[str, tuple[Names, Mapping[str, str]]] = {}
    """Steps that are groups, by their own level and outputs."""


def lay_out(
    workflow: Workflow, flows: Mapping[str, Workflow], typed: Mapping[tuple[str, str], Typed]
) -> Scope:
    """The whole workflow as one flat scope."""
    scope = Scope(None, 0)
    names = Names(scope, workflow.steps, workflow.groups, flows, fed=by_step(typed.items()))
    fill(names)
    for name, wire in workflow.outputs.items():
        scope.outputs[name] = follow(wire, names, "", name)
    return scope


def by_step(fed: Iterable[tuple[tuple[str, str], Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (step, port), source in fed:
        found.setdefault(step, {})[port] = source
    return found


def fill(top: Names) -> None:
    """Lay out this level and every group within it, without recursion over siblings or depth."""
    scope, waiting = top.scope, [top]
    levels: list[Names] = []
    while waiting:
        names = waiting.pop()
        levels.append(names)
        scope.budget[0] -= len(names.steps)
        if len(names.within) > DEPTH_LIMIT or scope.budget[0] < 0:
            scope.problems.append(("", too_much(names)))
            return
        names.inside = {}
        for name, step in names.steps.items():
            if step.node.startswith((GROUP, FLOW)):
                inner = enter(name, step, names)
                if inner is not None:
                    waiting.append(inner)
            else:
                scope.flats[names.prefix + name] = Flat(names.prefix + name, step, {})
    for names in levels:
        for name, step in names.steps.items():
            if name not in names.inside and (flat := scope.flats.get(names.prefix + name)) is not None:
                feed(flat, name, step, names)


def too_much(names: Names) -> Problem:
    place = names.prefix.rstrip("/")[:200]
    if len(names.within) > DEPTH_LIMIT:
        return Problem("too_deep", step=place, want=f"at most {DEPTH_LIMIT} levels")
    return Problem("too_many_steps", step=place, want=f"at most {STEP_LIMIT:,} with every group laid out")


def enter(name: str, step: Step, names: Names) -> Names | None:
    """The level inside a step that is a group or a saved workflow."""
    here, called = names.prefix + name, step.node.split("/", 1)[1]
    groups, flows, outer = names.groups, names.flows, None
    inner: Group | Workflow | None
    if step.node in names.within:
        remedy = "A group cannot contain itself; use repeat or while."
        names.scope.problems.append((here, Problem("recursive", step=here, got=step.node, remedy=remedy)))
        return None
    if step.node.startswith(GROUP):
        inner, outer, known = names.groups.get(called), names, list(names.groups)
    else:
        inner, known = names.flows.get(called), list(names.flows)
        if inner is not None:
            groups = inner.groups
    if inner is None:
        code = "unknown_group" if step.node.startswith(GROUP) else "unknown_workflow"
        names.scope.problems.append(
            (here, Problem(code, step=here, got=called, remedy=names.scope.guess(called, known)))
        )
        return None
    within = (*names.within, step.node)
    level = Names(names.scope, inner.steps, groups, flows, here + "/", outer, within=within)
    for given in {**step.values, **step.wires}:
        if given not in inner.inputs:
            remedy = names.scope.guess(given, inner.inputs)
            problem = Problem("unknown_input", step=here, input=given, remedy=remedy)
            names.scope.problems.append((here, problem))
    fed: list[tuple[tuple[str, str], Any]] = []
    for given, target in inner.inputs.items():
        source = pending(name, given, step, names)
        fed += [(split(to), source) for to in target.to if source is not None]
    check_targets(inner, names, here)
    level.fed = by_step(fed)
    if step.off:
        level.steps = {
            key: Step(s.node, s.version, s.values, s.wires, s.off or step.off)
            for key, s in inner.steps.items()
        }
    assert isinstance(names.inside, dict)
    names.inside[name] = (level, inner.outputs)
    return level


def check_targets(inner: Group | Workflow, names: Names, here: str) -> None:
    """Every input of a group goes to a step in it."""
    for given, target in inner.inputs.items():
        for to in target.to:
            if (step := split(to)[0]) not in inner.steps:
                remedy = names.scope.guess(step, inner.steps)
                problem = Problem("unknown_step", here, given, got=to, want="step.input", remedy=remedy)
                names.scope.problems.append((here, problem))


class Later(Struct, frozen=True):
    """A wire into a group, followed once every level is laid out."""

    wire: str
    names: Names
    step: str
    input: str


def pending(name: str, given: str, step: Step, names: Names) -> Any:
    """What feeds an input of a group node, as far as it is known before all levels are laid out."""
    if given in (fed := names.fed.get(name, {})):
        return fed[given]
    if given in step.wires:
        return Later(step.wires[given], names, names.prefix + name, given)
    return Typed(step.values[given]) if given in step.values else None


def feed(flat: Flat, name: str, step: Step, names: Names) -> None:
    """Settle what feeds each input of one step; a wire wins over a typed value."""
    feeds: dict[str, Feed] = {port: Typed(value) for port, value in step.values.items()}
    fed = names.fed.get(name, {})
    for port, wire in step.wires.items():
        if port not in fed:
            feeds[port] = follow(wire, names, flat.id, port)
    for port, source in fed.items():
        feeds[port] = settle(source)
    flat.feeds = feeds


def settle(source: Any) -> Feed:
    while isinstance(source, Later):
        source = follow(source.wire, source.names, source.step, source.input)
    found: Feed = source
    return found


def follow(wire: str, names: Names, step: str, port: str) -> Feed:
    """The feed that a wire of this level means."""
    if wire.startswith(PIECE):
        return piece(wire[1:], names, step, port)
    reading = names.scope
    source, output = split(wire)
    level: Names | None = names
    passed: set[tuple[str, str]] = set()
    while level is not None:
        if source not in level.steps:
            level = level.outer
            continue
        if source not in level.inside:
            return reach(Wire(level.prefix + source, output), level.scope, reading)
        inner, outputs = level.inside[source]
        if output not in outputs:
            remedy = names.scope.guess(output, outputs)
            note(names, step, Problem("unknown_output", step=step, input=port, got=wire, remedy=remedy))
            return Lost()
        if (place := (inner.prefix, output)) in passed:  # an output of a group that is that output itself
            remedy = "Give the group's output a step inside the group."
            note(names, step, Problem("cycle", step=step, input=port, got=wire, remedy=remedy))
            return Lost()
        passed.add(place)
        source, output = split(outputs[output])
        level = inner
    remedy = names.scope.guess(source, (name for name in names.steps if names.prefix + name != step))
    problem = Problem("unknown_step", step=step, input=port, got=wire, want="step.output", remedy=remedy)
    note(names, step, problem)
    return Lost()


def reach(wire: Wire, home: Scope, reading: Scope) -> Feed:
    """A wire as seen from the scope that reads it: captured once per scope it crosses."""
    if home is reading:
        return wire
    reading.capture(wire)
    middle = reading.parent
    while middle is not None and middle is not home:
        middle.capture(wire)
        middle = middle.parent
    return reading.capture(wire)


def piece(called: str, names: Names, step: str, port: str) -> Feed:
    """Lay out a group as a closed piece of graph."""
    group = names.groups.get(called)
    if group is None:
        remedy = names.scope.guess(called, names.groups)
        note(names, step, Problem("unknown_group", step=step, input=port, got=f"#{called}", remedy=remedy))
        return Lost()
    scope = Scope(names.scope, names.scope.depth + 1)
    itself = GROUP + called
    if itself in names.within or not group.outputs:
        code = "recursive" if group.outputs else "no_output"
        remedy = (
            "A group cannot contain itself; use repeat." if group.outputs else "Give the group an output."
        )
        note(names, step, Problem(code, step=step, input=port, got=f"#{called}", remedy=remedy))
        return Lost()
    check_targets(group, names, step)
    scope.takes = list(group.inputs)
    fed = by_step(
        (split(to), Given(index)) for index, target in enumerate(group.inputs.values()) for to in target.to
    )
    within = (*names.within, itself)
    prefix = f"{step}/{called}/"
    inner = Names(scope, group.steps, names.groups, names.flows, prefix, names, fed, within)
    fill(inner)
    for name, wire in group.outputs.items():
        scope.outputs[name] = follow(wire, inner, step, name)
    return PieceOf(scope)


def note(names: Names, step: str, problem: Problem) -> None:
    names.scope.problems.append((step, problem))


def scopes(root: Scope) -> Iterator[Scope]:
    """This scope and every piece of graph in it."""
    waiting = [root]
    while waiting:
        scope = waiting.pop()
        yield scope
        for flat in scope.flats.values():
            waiting.extend(f.scope for f in flat.feeds.values() if isinstance(f, PieceOf))
