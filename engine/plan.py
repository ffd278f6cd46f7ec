"""Plan: what a run evaluates, as data. Nothing in it depends on the document's layout."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct

from engine.digest import digest, key_prefix
from engine.errors import Problem
from engine.ports import ARTIFACT, SECRET, Class, Either, ListOf, Piece, PortType, Scalar
from engine.registry import Entry
from engine.types import Secret
from engine.variables import has_var
from engine.wires import Fit

# What feeds an input of a planned step.


class Const(Struct, gc=False):
    """A typed-in value, already converted."""

    value: Any
    digest: bytes = b""


class From(Struct, gc=False, frozen=True):
    """An output of an earlier step of the same plan."""

    step: int
    port: int
    how: Fit = "as is"
    widen: bool = False
    """Whole numbers become floats on the way."""


class Handed(Struct, gc=False, frozen=True):
    """A value handed in by the caller of a piece of graph."""

    index: int
    how: Fit = "as is"
    widen: bool = False


class Branch(Struct, frozen=True):
    """A wire that is computed only when the node awaits it."""

    source: From | Handed


class Body(Struct, frozen=True):
    """A closed piece of graph; `captured` are the values it needs from around it."""

    plan: Plan
    captured: tuple[From | Handed | Const, ...]


Source = Const | From | Handed | Branch | Body


class Shape:
    """A node as the planner and the run use it: looked up once, not per step."""

    __slots__ = (
        *("artifacts", "defaults", "eager", "eager_names", "entry", "generic", "seeds"),
        *(
            "inputs",
            "is_async",
            "limited",
            "names",
            "outputs",
            "scalar",
            "secrets",
            "single",
            "spec",
            "trivial",
        ),
    )

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.spec = entry.spec
        self.inputs = {p.name: p for p in self.spec.inputs}
        self.names = tuple(self.inputs)
        self.eager = tuple(not isinstance(p.type, Piece) for p in self.spec.inputs)
        self.eager_names = tuple(n for n, e in zip(self.names, self.eager, strict=True) if e)
        spec = self.spec
        self.is_async = entry.declared is not None and inspect.iscoroutinefunction(entry.declared.run)
        self.secrets = frozenset(p.name for p in self.spec.inputs if holds(p.type, SECRET))
        plain = not (self.is_async or spec.steers or self.secrets)
        self.trivial = spec.lane == "inline" and spec.kind == "pure" and plain
        """Whether it runs at once, on the loop: a sum, a text joined."""
        self.outputs = {p.name: i for i, p in enumerate(self.spec.outputs)}
        self.single = self.names_single()
        left_out = {p.name: p.default for p in self.spec.inputs if p.default is not UNSET}
        for name in self.secrets & left_out.keys():
            left_out[name] = named(left_out[name])
        self.defaults = {name: Const(value, digest(value)) for name, value in left_out.items()}
        self.generic = any(has_var(p.type) for p in self.spec.inputs)
        self.limited = frozenset(i for i, p in enumerate(self.spec.inputs) if has_limits(p.type))
        self.scalar = all(isinstance(p.type, Scalar) for p in spec.outputs)
        """Whether it gives numbers and texts alone: no file, no model."""
        self.seeds = tuple(i for i, p in enumerate(spec.inputs) if p.ui.get("x-widget") == "seed")
        self.artifacts = frozenset(p.name for p in self.spec.inputs if holds(p.type, ARTIFACT))

    def names_single(self) -> bool:
        """One port called `out`: the function returns the value itself, not a tuple of fields."""
        return len(self.spec.outputs) == 1 and self.spec.outputs[0].name == "out"

    def prefix(self, epoch: str) -> bytes:
        """The part of its call keys that all calls share; `epoch` is what else changes its results."""
        return key_prefix(self.spec.id, self.spec.version, self.eager_names, f"{self.entry.epoch}|{epoch}")


class PlanStep(Struct):
    """One step, ready to run."""

    id: str
    shape: Shape
    sources: tuple[Source, ...]
    """One per input, in the order of the node's ports."""
    maps: tuple[int, ...]
    """Inputs whose lists are gone through item by item."""
    needs: tuple[int, ...]
    """Steps that must be done before this one starts."""
    types: tuple[PortType, ...]
    """Of the outputs, with variables filled in."""
    checks: tuple[int, ...] = ()
    """Wired inputs with limits: a type fits a wire before the run, a value only during it."""
    guards: bool = False
    """A check that no workflow names: the policy put it in."""


class Limits(Struct, frozen=True):
    """What a run may use."""

    steps: int = 50_000
    """Steps of the plan, with every group laid out."""
    calls: int = 1_000_000
    """Calls of the run, all turns of all loops together."""
    seconds: float = 0.0
    """From its start; 0 sets no limit."""


class Plan(Struct):
    """What to run, in an order that works; nothing in it depends on the document's names or layout."""

    steps: tuple[PlanStep, ...]
    targets: tuple[int, ...]
    outputs: dict[str, From | Handed | Const]
    types: dict[str, PortType]
    """Of the named outputs."""
    warnings: tuple[Problem, ...] = ()
    takes: int = 0
    """How many values a piece of graph is called with, not counting captured ones."""
    packs: frozenset[str] = frozenset()
    limits: Limits = Limits()

    @property
    def ends(self) -> list[int]:
        """The steps that a run starts from: its targets, and what its outputs read."""
        return sorted({*self.targets, *(s.step for s in self.outputs.values() if isinstance(s, From))})

    def every_step(self) -> Iterator[PlanStep]:
        """Its steps, and those of the pieces of graph in it."""
        waiting = [self]
        while waiting:
            plan = waiting.pop()
            yield from plan.steps
            for step in plan.steps:
                waiting += [source.plan for source in step.sources if isinstance(source, Body)]


def holds(t: PortType, name: str) -> bool:
    """Whether values of the class of this name may stand here."""
    match t:
        case Class(ancestry=ancestry):
            return name in ancestry
        case ListOf(item=item):
            return holds(item, name)
        case Either(options=options):
            return any(holds(o, name) for o in options)
        case _:
            return False


def named(value: Any) -> Any:
    """Names of secrets, as typed in, as what goes to a node."""
    if isinstance(value, list):
        return [named(item) for item in value]
    return Secret(value) if isinstance(value, str) else value


def has_limits(t: PortType) -> bool:
    """Whether some values of the Python type are not values of the port type."""
    match t:
        case Scalar():
            return t != Scalar(t.name)
        case ListOf(item=item):
            return has_limits(item)
        case Either(options=options):
            return any(has_limits(o) for o in options)
        case _:
            return False
