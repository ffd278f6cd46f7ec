"""Graphs of additions in every shape: what the engine costs, apart from what nodes cost."""

from __future__ import annotations

from tests.serving import Json

TINY = 1e-280
"""What the sums of a layered graph start from: each layer doubles them, and a thousand must not overflow."""


def step(a: float | str, b: float | str) -> Json:
    """An addition; a number is typed in, a name is the step whose sum is wired in."""
    given = {"a": a, "b": b}
    return {
        "node": "add",
        "version": 1,
        "values": {name: value for name, value in given.items() if not isinstance(value, str)},
        "wires": {name: f"{value}.out" for name, value in given.items() if isinstance(value, str)},
    }


def document(steps: Json, output: str) -> Json:
    return {"tessera": 1, "steps": steps, "outputs": {"out": f"{output}.out"}}


def total(a: float = 1, b: float = 2) -> Json:
    """One addition, with its inputs `a` and `b` named."""
    inputs = {"a": {"to": ["s0.a"]}, "b": {"to": ["s0.b"]}}
    return document({"s0": step(a, b)}, "s0") | {"inputs": inputs}


def chain(length: int, start: float = 0) -> Json:
    """Counts from `start` in as many steps, one after another."""
    steps = {f"s{i}": step(f"s{i - 1}" if i else start, 1) for i in range(length)}
    return document(steps, f"s{length - 1}")


def wide(length: int, start: float = 0) -> Json:
    """As many steps beside each other, each of them wanted."""
    steps = {f"s{i}": step(start + i, 1) for i in range(length)}
    outputs = {f"o{i}": f"s{i}.out" for i in range(length)}
    return {"tessera": 1, "steps": steps, "outputs": outputs}


def layered(length: int, start: float = 0, across: int = 10) -> Json:
    """Layers of ten; each step reads two of the layer before. Paths multiply, steps do not."""
    steps: Json = {}
    for i in range(length):
        above, place = i - i % across - across, i % across
        if above < 0:
            steps[f"s{i}"] = step((start + i) * TINY, TINY)
        else:
            steps[f"s{i}"] = step(f"s{above + place}", f"s{above + (place + 1) % across}")
    ends = range(max(0, length - across), length)
    return {"tessera": 1, "steps": steps, "outputs": {f"o{i}": f"s{i}.out" for i in ends}}
