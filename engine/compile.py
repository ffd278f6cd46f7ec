"""One scope typed step by step: every wire fitted, every value converted, every problem noted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

import msgspec
from msgspec import UNSET, Struct

from engine import pieces, ports
from engine.errors import Problem, shown
from engine.node import InputPort
from engine.plan import Body, Branch, Const, From, Handed, Plan, PlanStep, Shape, Source, holds, named
from engine.ports import ARTIFACT, SECRET, ListOf, Piece, PortType, Scalar, Var
from engine.registry import Entry, Registry
from engine.scope import Feed, Flat, Given, Lost, PieceOf, Scope, Typed, Wire
from engine.types import Artifact
from engine.variables import has_var, type_of, unbound, widened, widens
from engine.wires import Bound, Fit, fit, lists, same, substitute
from engine.workflow import Step, nearest, renamed_output, upgrade


class Shapes(Protocol):
    """Where nodes are looked up: the planner."""

    registry: Registry

    def shape(self, id: str) -> Shape | None: ...


class Made(Struct):
    """A flat step once it is typed."""

    index: int
    types: tuple[PortType | None, ...]
    """None where a problem hides the type."""


Seen = tuple[From | Handed | Const, PortType | None]
"""A source and the type of its values."""


class Compile:
    """One scope on its way to a plan."""

    def __init__(
        self,
        shapes: Shapes,
        scope: Scope,
        files: Mapping[str, Artifact],
        given: Sequence[PortType] = (),
        *,
        named: Collection[str] = (),
        compiled: Compiled | None = None,
    ) -> None:
        self.shapes = shapes
        self.scope = scope
        self.files = files
        self.given = tuple(given)
        self.named = named
        """Packs that the workflow names: a worker imports no others, so no others may convert."""
        self.compiled: Compiled = {} if compiled is None else compiled
        self.steps: list[PlanStep] = []
        self.made: dict[str, Made] = {}
        self.gone: dict[str, str] = {}
        """Muted steps and those that need one, with the reason."""
        self.passed: dict[Wire, Feed] = {}
        """Outputs of bypassed steps, by what passes through."""
        self.found: list[tuple[str, Problem]] = []
        self.warnings: list[Problem] = []
        self.blocking: list[Problem] = []
        self.packs: set[str] = set()
        self.plan: Plan

    def inner(self, scope: Scope, given: Sequence[PortType]) -> Compile:
        """A piece of graph of this scope, compiled."""
        inner = Compile(self.shapes, scope, self.files, given, named=self.named, compiled=self.compiled)
        inner.compile()
        return inner

    def compile(self, targets: Sequence[str] | None = None) -> Plan:
        scope = self.scope
        self.found += scope.problems
        for id in self.order():
            self.type_step(scope.flats[id])
        ends, outputs, types = self.ends(targets)
        wanted = self.reachable(ends)
        nothing = not outputs and all(id in self.gone for id in ends)
        if scope.parent is None and nothing and (ends or not targets):
            remedy = "Add a step that saves something, name an output, or give targets."
            self.found.append(("", Problem("nothing_to_run", remedy=remedy)))
        within = {"", *wanted, *(around for id in wanted for around in groups_around(id))}
        for id, problem in self.found:
            (self.blocking if id in within or scope.parent else self.warnings).append(problem)
        if scope.parent is None:
            self.warnings += self.unreached(wanted)
        self.plan = Plan(
            tuple(self.steps),
            tuple(self.made[id].index for id in ends if id in self.made),
            outputs,
            types,
            tuple(self.warnings),
            len(scope.takes),
            frozenset(self.packs),
        )
        return self.plan

    # -- order

    def order(self) -> list[str]:
        """Steps after what feeds them; cycles are problems, named step by step, and left out."""
        before = {id: self.before(flat) for id, flat in self.scope.flats.items()}
        try:
            return list(TopologicalSorter(before).static_order())
        except CycleError:
            looped = self.cycles(before)
        rest = {id: needs for id, needs in before.items() if id not in looped}
        straight = {id: [b for b in needs if b not in looped] for id, needs in rest.items()}
        return list(TopologicalSorter(straight).static_order())

    def cycles(self, before: Mapping[str, Sequence[str]]) -> set[str]:
        """Note each knot of steps that wait for each other; all steps in one."""
        import networkx as nx  # takes as long to import as the rest of the server, and is needed only here

        graph = nx.DiGraph((source, id) for id, needs in before.items() for source in needs)
        looped: set[str] = set()
        for part in nx.strongly_connected_components(graph):
            some = next(iter(part))
            if len(part) > 1 or graph.has_edge(some, some):
                looped |= part
                edges = nx.find_cycle(graph.subgraph(part))
                path = " → ".join([edge[0] for edge in edges] + [edges[-1][1]])
                remedy = "Cut one of these wires; to go round on purpose use repeat or while."
                problem = Problem("cycle", step=edges[0][0], got=shown(path, 2000), remedy=remedy)
                self.found.append((min(part), problem))
        return looped

    def before(self, flat: Flat) -> list[str]:
        flats = self.scope.flats
        found: list[str] = []
        for feed in flat.feeds.values():
            if isinstance(feed, Wire):
                if feed.step in flats:
                    found.append(feed.step)
            elif isinstance(feed, PieceOf):
                found += [wire.step for wire in feed.scope.captured if wire.step in flats]
        return found

    # -- types

    def type_step(self, flat: Flat) -> None:
        shape = self.shapes.shape(flat.step.node)
        if shape is None:
            near = self.shapes.registry.nearest(flat.step.node) if len(self.found) < GUESSED else []
            remedy = f"Did you mean {' or '.join(near)}?" if near else "Install the pack that has it."
            self.problem(flat, "unknown_node", got=flat.step.node, remedy=remedy)
            return
        if flat.step.version and flat.step.version < shape.spec.version:
            flat = self.upgraded(flat, shape)
        elif flat.step.version > shape.spec.version:
            want = f"version {shape.spec.version} or older"
            remedy = "Update Tessera or the pack."
            self.problem(flat, "newer_version", got=f"version {flat.step.version}", want=want, remedy=remedy)
        if flat.step.off:
            self.switch_off(flat, shape)
            return
        for name in flat.feeds:
            if name not in shape.inputs:
                self.problem(flat, "unknown_input", name, remedy=nearest(name, shape.inputs))
        bound: Bound = {}
        sources: dict[str, Source] = {}
        maps: list[int] = []
        for index, port in enumerate(shape.spec.inputs):
            if shape.eager[index]:
                how = self.eager(flat, shape, port, bound, sources)
                if how == "map":
                    maps.append(index)
        for index, port in enumerate(shape.spec.inputs):
            if not shape.eager[index]:
                pieces.lazy(self, flat, port, bound, sources)
        if flat.id in self.gone:
            return
        if shape.generic:
            self.settle_variables(shape, bound, sources)
        types = self.outputs(flat, shape, bound, mapped=bool(maps))
        if shape.entry.pack:
            self.packs.add(shape.entry.pack)
        needs = {s.step for s in sources.values() if isinstance(s, From)}
        inputs = tuple(sources.get(name) or MISSING for name in shape.names)
        self.made[flat.id] = Made(len(self.steps), types)
        known = tuple(t or Scalar("json") for t in types)
        checks = tuple(i for i in shape.limited if isinstance(inputs[i], (From, Handed)))
        self.steps.append(PlanStep(flat.id, shape, inputs, tuple(maps), tuple(sorted(needs)), known, checks))

    def settle_variables(self, shape: Shape, bound: Bound, sources: dict[str, Source]) -> None:
        """What was connected while a variable stood for less, as what it stands for now that all is known."""
        if all(name in sources for name in shape.names):  # nothing but empty lists says what it stands for
            for port in shape.spec.inputs:
                for name in unbound(port.type, bound):
                    bound[name] = Scalar("json")
        for port in shape.spec.inputs:
            if has_var(port.type) and (source := sources.get(port.name)) is not None:
                sources[port.name] = self.widen(source, port.type, bound)

    def widen(self, source: Source, target: PortType, bound: Bound) -> Source:
        """The same source, with whole numbers as floats where these are wanted."""
        if isinstance(target, Piece):
            target = target.gives
        if isinstance(source, Branch):
            plain = self.widen(source.source, target, bound)
            return Branch(plain) if isinstance(plain, (From, Handed)) else plain
        if isinstance(source, Body):
            return pieces.widen(self, source, target, bound)
        if isinstance(source, Const):
            return Const(widened(source.value)) if widens(Scalar("int"), target, bound) else source
        return msgspec.structs.replace(source, widen=widens(self.type_behind(source), target, bound))

    def type_behind(self, source: From | Handed) -> PortType:
        if isinstance(source, From):
            return self.steps[source.step].types[source.port]
        return self.given[source.index]

    def upgraded(self, flat: Flat, shape: Shape) -> Flat:
        """Values and wires of an old step under the names its node has now."""
        old = flat.step
        values = {name: feed.value for name, feed in flat.feeds.items() if isinstance(feed, Typed)}
        wires = {name: name for name, feed in flat.feeds.items() if not isinstance(feed, Typed)}
        new = upgrade(msgspec.structs.replace(old, values=values, wires=wires), shape.spec)
        named = {name: feed.named for name, feed in flat.feeds.items() if isinstance(feed, Typed)}
        typed: dict[str, Feed] = {
            name: Typed(value, named.get(name, "")) for name, value in new.values.items()
        }
        wired = {name: flat.feeds[before] for name, before in new.wires.items()}
        return Flat(flat.id, old, typed | wired)

    def switch_off(self, flat: Flat, shape: Shape) -> None:
        """Mute drops the step; bypass lets the first fitting input through to each output."""
        if flat.step.off == "mute":
            self.gone[flat.id] = "it is muted"
            return
        for port in shape.spec.outputs:
            for p in shape.spec.inputs:
                feed = self.through(flat.feeds.get(p.name))
                if isinstance(feed, (Wire, Given, Typed)) and same(p.type, port.type, {}):
                    self.passed[Wire(flat.id, port.name)] = feed
                    break
        self.gone[flat.id] = "it is bypassed and has no input of that type"

    def through(self, feed: Feed | None) -> Feed | None:
        """What really comes along a wire that passes bypassed steps."""
        while isinstance(feed, Wire) and feed in self.passed:
            feed = self.passed[feed]
        return feed

    def eager(
        self, flat: Flat, shape: Shape, port: InputPort, bound: Bound, sources: dict[str, Source]
    ) -> Fit | None:
        """Settle one input whose value must be there before the node starts."""
        feed = self.through(flat.feeds.get(port.name))
        if isinstance(feed, Typed):
            self.typed(flat, port, feed, bound, sources)
            return None
        if isinstance(feed, Lost):
            return None
        seen = self.look(feed, flat, port) if feed is not None else None
        if feed is None or (seen is None and isinstance(feed, Wire) and feed.step in self.gone):
            if port.default is not UNSET:
                sources[port.name] = shape.defaults[port.name]
                if isinstance(port.type, Var) and port.type.name not in bound:
                    bound[port.type.name] = type_of(port.default)
            elif isinstance(feed, Wire):
                self.gone[flat.id] = f"it needs {feed.step}"
            else:
                self.missing(flat, port)
            return None
        if seen is None:
            return None
        return self.connect(flat, port, seen, bound, sources)

    def connect(
        self, flat: Flat, port: InputPort, seen: Seen, bound: Bound, sources: dict[str, Source]
    ) -> Fit | None:
        source, kind = seen
        if kind is None:
            return None
        if isinstance(source, Const):
            sources[port.name] = source
            return "as is"
        how = fit(kind, port.type, bound)
        if how is None:
            entry = self.shapes.registry.conversion(kind, substitute(port.type, bound), self.named)
            if entry is not None:
                source, kind = self.convert(flat, port, entry, source, kind)
                how = fit(kind, port.type, bound)
        if how is None:
            feed = flat.feeds[port.name]
            whence = f" from {feed.step}.{feed.port}" if isinstance(feed, Wire) else ""
            want = ports.words(substitute(port.type, bound))
            remedy = "Connect an output of that type, or put a node between that makes one."
            got = ports.words(kind) + whence
            self.problem(flat, "wrong_type", port.name, got=got, want=want, remedy=remedy)
            return None
        widen = widens(kind, port.type, bound)
        if isinstance(source, From):
            sources[port.name] = From(source.step, source.port, how, widen)
        else:
            sources[port.name] = Handed(source.index, how, widen)
        return how

    def convert(
        self, flat: Flat, port: InputPort, entry: Entry, source: From | Handed, kind: PortType
    ) -> tuple[From, PortType]:
        """Put a conversion on the wire, as a step of its own that the run reports."""
        shape = self.shapes.shape(entry.spec.id)
        assert shape is not None
        if entry.pack:
            self.packs.add(entry.pack)
        index = len(self.steps)
        mapped = isinstance(kind, ListOf)
        how: Fit = "map" if mapped else "as is"
        out = shape.spec.outputs[0].type
        out = ListOf(out) if mapped else out
        fed = From(source.step, source.port, how) if isinstance(source, From) else Handed(source.index, how)
        needs = (source.step,) if isinstance(source, From) else ()
        id = f"{flat.id}.{port.name}:{entry.spec.id}"
        self.steps.append(PlanStep(id, shape, (fed,), (0,) if mapped else (), needs, (out,)))
        return From(index, 0), out

    def look(self, feed: Feed, flat: Flat, port: InputPort) -> Seen | None:
        """The source behind a wire and its type; None when there is none to be had."""
        if isinstance(feed, Given):
            return Handed(feed.index), self.given[feed.index]
        if isinstance(feed, PieceOf):
            self.problem(flat, "wrong_type", port.name, got="a piece of graph", want=ports.words(port.type))
            return None
        if not isinstance(feed, Wire):
            return None
        made = self.made.get(feed.step)
        if made is None:
            return None
        shape = self.steps[made.index].shape
        name = renamed_output(feed.port, self.scope.flats[feed.step].step.version, shape.spec)
        index = shape.outputs.get(name)
        if index is None:
            got, remedy = f"{feed.step}.{feed.port}", nearest(feed.port, shape.outputs)
            self.problem(flat, "unknown_output", port.name, got=got, remedy=remedy)
            return None
        return From(made.index, index), made.types[index]

    def typed(
        self, flat: Flat, port: InputPort, feed: Typed, bound: Bound, sources: dict[str, Source]
    ) -> None:
        """Convert a typed-in value, or say what is wrong with it."""
        value, kind = feed.value, port.type
        if value is None and ports.optional(kind):
            sources[port.name] = Const(None)
            return
        if has_var(kind):
            if not (value == [] and lists(kind)) and fit(type_of(value), kind, bound) != "as is":
                self.bad_value(flat, port, feed)
                return
            sources[port.name] = Const(value)
            return
        if not ports.typeable(kind):
            self.bad_value(flat, port, feed, "Connect a wire: this input cannot be typed in.")
            return
        try:
            value = ports.convert(value, kind)
        except (msgspec.ValidationError, OverflowError):
            self.bad_value(flat, port, feed)
            return
        if holds(kind, ARTIFACT) and value is not None:
            value = self.artifacts(flat, port, feed, value)
        if holds(kind, SECRET):
            value = named(value)
        sources[port.name] = Const(value)

    def artifacts(self, flat: Flat, port: InputPort, feed: Typed, value: object) -> object:
        """Artifact ids become the artifacts they name."""
        if isinstance(value, list):
            return [self.artifacts(flat, port, feed, item) for item in value]
        if isinstance(value, str) and value in self.files:
            return self.files[value]
        where = ("", feed.named) if feed.named else (flat.id, port.name)
        remedy = "Upload the file first and give the id of the answer."
        problem = Problem(
            "unknown_artifact", *where, got=shown(value), want="the id of an artifact of yours", remedy=remedy
        )
        self.found.append((flat.id, problem))
        return value

    def bad_value(self, flat: Flat, port: InputPort, feed: Typed, remedy: str = "") -> None:
        where = ("", feed.named) if feed.named else (flat.id, port.name)
        want = ports.words(port.type)
        if isinstance(feed.value, str) and isinstance(port.type, ports.Menu):
            remedy = remedy or nearest(feed.value, [str(o) for o in port.type.options])
        got, remedy = shown(feed.value), remedy or "Change the value, or connect a wire that gives one."
        if holds(port.type, SECRET):  # somebody may have pasted the secret itself: it is not repeated
            got, want = "what is no name", "the name of a secret, in capitals"
        self.found.append((flat.id, Problem("bad_value", *where, got=got, want=want, remedy=remedy)))

    def missing(self, flat: Flat, port: InputPort) -> None:
        remedy = "Type a value or connect a wire." if ports.typeable(port.type) else "Connect a wire."
        self.problem(flat, "missing_input", port.name, want=ports.words(port.type), remedy=remedy)

    def outside(self, wire: Wire) -> Feed:
        """A wire that a piece of graph captures, as this scope sees it."""
        return wire if wire.step in self.scope.flats else self.scope.capture(wire)

    # -- ends

    def outputs(self, flat: Flat, shape: Shape, bound: Bound, *, mapped: bool) -> tuple[PortType | None, ...]:
        types: list[PortType | None] = []
        for port in shape.spec.outputs:
            kind = substitute(port.type, bound)
            nested = (isinstance(kind, ListOf) and (mapped or isinstance(kind.item, ListOf)))  # fmt: skip
            if nested:
                remedy = "There is one plural: give this step single values, or put it into a group for each."
                self.problem(flat, "nested_list", got=f"lists of {ports.words(kind)}", remedy=remedy)
                types.append(None)
            else:
                types.append(None if has_var(kind) else ListOf(kind) if mapped else kind)
        return tuple(types)

    def ends(
        self, targets: Sequence[str] | None
    ) -> tuple[list[str], dict[str, From | Handed | Const], dict[str, PortType]]:
        """Where the run starts from, and what it gives."""
        outputs: dict[str, From | Handed | Const] = {}
        types: dict[str, PortType] = {}
        whole = Flat("", NO_STEP, {})
        if targets is None:
            for name, feed in self.scope.outputs.items():
                self.end(name, feed, whole, outputs, types)
            effects = [flat.id for flat in self.scope.flats.values() if self.is_effect(flat)]
            named = [f.step for f in self.scope.outputs.values() if isinstance(f, Wire)]
            return list(dict.fromkeys([*effects, *named])), outputs, types
        chosen: list[str] = []
        for target in targets:
            within = [id for id in self.scope.flats if id.startswith(f"{target}/")]
            if target not in self.scope.flats and within:  # a group: everything in it
                chosen += within
                continue
            if target not in self.scope.flats:
                remedy = nearest(target, self.scope.flats)
                self.found.append(
                    ("", Problem("unknown_target", input="targets", got=shown(target), remedy=remedy))
                )
                continue
            chosen.append(target)
            shape = self.shapes.shape(self.scope.flats[target].step.node)
            for port in shape.spec.outputs if shape else ():
                self.end(f"{target}.{port.name}", Wire(target, port.name), whole, outputs, types)
        for name, feed in self.scope.outputs.items():
            if isinstance(feed, Wire) and feed.step in chosen:
                self.end(name, feed, whole, outputs, types)
        return chosen, outputs, types

    def end(
        self,
        name: str,
        feed: Feed,
        whole: Flat,
        outputs: dict[str, From | Handed | Const],
        types: dict[str, PortType],
    ) -> None:
        through = self.through(feed)
        if isinstance(through, Typed):
            outputs[name], types[name] = Const(through.value), type_of(through.value)
            return
        if isinstance(through, Wire) and (reason := self.gone.get(through.step)):
            remedy = "It has no value in this run; switch the step on to have it."
            got = f"{through.step}.{through.port}: {reason}"
            self.warnings.append(Problem("no_value", input=name, got=got, remedy=remedy))
            return
        seen = self.look(through, whole, InputPort(name, Scalar("json"))) if through is not None else None
        if seen is not None and seen[1] is not None:
            outputs[name], types[name] = seen[0], seen[1]

    def is_effect(self, flat: Flat) -> bool:
        shape = self.shapes.shape(flat.step.node)
        return shape is not None and shape.spec.kind == "effect"

    def reachable(self, ends: Sequence[str]) -> set[str]:
        """Every step that a run from these ends can come to."""
        waiting, wanted = list(ends), set(ends)
        while waiting:
            flat = self.scope.flats.get(waiting.pop())
            for source in self.before(flat) if flat else ():
                if source not in wanted:
                    wanted.add(source)
                    waiting.append(source)
        return wanted

    def unreached(self, wanted: set[str]) -> list[Problem]:
        """Steps with outputs that nothing uses: a warning, since nothing of theirs will run."""
        remedy = "Connect it to something that is saved or named as an output, or delete it."
        return [
            Problem("unreachable", step=flat.id, remedy=remedy)
            for flat in self.scope.flats.values()
            if flat.id not in wanted
            and flat.id not in self.gone
            and (shape := self.shapes.shape(flat.step.node)) is not None
            and shape.spec.outputs
        ]

    def problem(
        self, flat: Flat, code: str, input: str = "", *, got: str = "", want: str = "", remedy: str = ""
    ) -> None:
        feed = flat.feeds.get(input)
        step = flat.id
        if isinstance(feed, Typed) and feed.named:
            step, input = "", feed.named
        self.found.append((flat.id, Problem(code, step, input, got, want, remedy)))


def groups_around(id: str) -> list[str]:
    """The steps that are the groups in which a step was laid out."""
    parts = id.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


Compiled = dict[tuple[int, tuple[PortType, ...]], "Compile"]
"""Pieces of graph by scope and what they are given, so that nested ones are compiled once for each."""
GUESSED = 100
"""Problems from which on nobody is told what they may have meant."""
MISSING = Const(None)
"""Stands where an input has a problem; such a plan is never run."""
NO_STEP = Step("")
