"""What holds for every plan: names change no key, and what is accepted never fails for a type."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cache import Cache
from engine.errors import Invalid, Problem
from engine.flights import Flights
from engine.ports import Piece, PortType
from engine.run import Run
from engine.wires import fit
from tests.planned import PLANNER, REGISTRY, plan
from tests.toys import Doc, Wire, fresh, group, step, workflow

# -- keys


def in_memory() -> Flights:
    cache = Cache(None, REGISTRY.classes, 1_000_000, 0)
    return Flights(cache, classes=REGISTRY.classes, slots={"cpu": 2, "io": 2, "gpu": 1})


def keys_of(document: Doc) -> dict[str, list[bytes]]:
    """The call keys of every step by the text its `name` has: what a step does, not how it is called."""
    flights = in_memory()
    found: dict[str, list[bytes]] = {}
    key = flights.key

    def noted(shape: Any, digests: Any) -> bytes:
        made = key(shape, digests)
        found.setdefault(shape.spec.id, []).append(made)
        return made

    flights.key = noted  # type: ignore[method-assign]  # the only place that sees every key
    fresh()

    async def run() -> None:
        await Run(plan(document), flights).finish()

    asyncio.run(run())
    flights.close()
    return {node: sorted(keys) for node, keys in found.items()}


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NAMES, min_size=4, max_size=4, unique=True), st.permutations(range(4)), st.integers())
def test_renaming_reordering_and_moving_change_no_key(names: list[str], order: list[int], x: int) -> None:
    def document(names: Iterable[str], order: Iterable[int], layout: object) -> Doc:
        a, b, c, d = names
        steps = [
            (a, step("work", name="first", value=1)),
            (b, {"wires": {"a": f"{a}.out"}, "values": {"b": 2}, "node": "plus"}),
            (c, step("same", a=Wire(f"{a}.out"), b=Wire(f"{b}.out"))),
            (d, step("numbers", items=Wire(f"{c}.out"))),
        ]
        return {"layout": layout, **workflow({"out": f"{d}.out"}, **dict(steps[i] for i in order))}

    before = keys_of(document("abcd", range(4), {}))
    assert keys_of(document(names, order, {"x": x})) == before


# -- what is accepted never fails for a type


PLAIN = ("plus", "half", "whole", "numbers", "same", "twins", "limited", "parts", "thing", "tool", "look",
         "weigh", "gather", "concatenate", "reverse", "pick", "add", "join_two", "cross_product",
         "count")  # fmt: skip
STEERING = ("choose", "repeat", "each", "while", "retry")
TYPED = st.sampled_from([1, 3, 0.5, True, "x", None, [1, 2], [0.5], [], ["a"]])


class Growth:
    """A document that grows step by step, and stays one that is accepted."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.steps: Doc = {}
        self.groups: Doc = {}
        self.wires: dict[str, PortType | None] = {}
        """What may be wired, and its type where that is known."""

    def document(self, steps: Doc) -> Doc:
        outputs = {wire.replace(".", "-"): wire for wire in [*self.wires, *outs(steps, self.steps)]}
        return workflow(outputs, groups=self.groups, **steps)

    def add(self, node: str) -> None:
        """Feed a step at random; if that is refused there is no such step."""
        steps = {**self.steps, f"s{len(self.steps)}": self.fed(node, self.wires)}
        document = self.document(steps)
        try:
            types = plan(document).types
        except Invalid:
            return
        self.steps = steps
        self.wires = {wire: types[name] for name, wire in document["outputs"].items()}

    def fed(self, node: str, wires: dict[str, PortType | None]) -> Doc:
        spec = PLANNER.spec(node)
        assert spec is not None
        given: Doc = {}
        for port in spec.inputs:
            sources = [Wire(wire) for wire, kind in wires.items() if kind is None or fit(kind, port.type)]
            if isinstance(port.type, Piece):
                sources = [Wire(f"#{name}") for name in self.groups]
            used = port.required or self.draw(st.booleans())
            chosen = self.draw(st.sampled_from([*sources[-8:], Ellipsis])) if used else None
            if chosen is Ellipsis:
                chosen = self.draw(TYPED)
            if chosen is not None or port.required:
                given[port.name] = chosen
        return step(node, **given)

    def add_group(self, name: str) -> None:
        """Steps that see some of what is around them, the first fed by whoever runs the group."""
        inside: Doc = {}
        around = {wire: kind for wire, kind in self.wires.items() if self.draw(st.booleans())}
        for index in range(self.draw(st.integers(1, 3))):
            known = around | dict.fromkeys(outs(inside, {}))
            inside[f"{name}{index}"] = self.fed(self.draw(st.sampled_from(PLAIN)), known)
        handed = self.draw(st.sampled_from([0, 1, 2]))
        first = PLANNER.spec(inside[f"{name}0"]["node"])
        assert first is not None
        inputs = {f"v{i}": f"{name}0.{port.name}" for i, port in enumerate(first.inputs[:handed])}
        if ends := outs(inside, {}):
            self.groups[name] = group(inside, inputs, ends[-1])


def outs(steps: Doc, but: Doc) -> list[str]:
    """Every output of these steps, as wires."""
    return [
        f"{name}.{port.name}"
        for name, made in steps.items()
        if name not in but and (spec := PLANNER.spec(made["node"])) is not None
        for port in spec.outputs
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Doc:
    growth = Growth(draw)
    for _ in range(draw(st.integers(2, 8))):
        growth.add(draw(st.sampled_from(PLAIN)))
    for name in "gh":
        growth.add_group(name)
    for _ in range(draw(st.integers(1, 6))):
        growth.add(draw(st.sampled_from(STEERING)))
    for _ in range(draw(st.integers(0, 5))):
        growth.add(draw(st.sampled_from(PLAIN)))
    return growth.document(growth.steps)


TYPE_TROUBLE = ("AssertionError", "TypeError", "AttributeError", "declared as", "KeyError")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_a_plan_that_is_accepted_never_fails_for_a_type(document: Doc) -> None:
    try:
        made = plan(document)
    except Invalid:
        return
    flights = in_memory()
    fresh()

    async def run() -> list[Problem]:
        ending = await asyncio.wait_for(Run(made, flights).finish(), 20)
        return [r.problem for r in ending.steps.values() if isinstance(r.problem, Problem)]

    failed = asyncio.run(run())
    flights.close()
    assert [p for p in failed if any(word in p.got for word in TYPE_TROUBLE)] == []
