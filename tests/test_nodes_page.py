"""The page that lists every node says what the nodes themselves say."""

from __future__ import annotations

import sys
from itertools import groupby

from engine.config import ROOT
from engine.node import InputPort, NodeSpec, OutputPort
from engine.ports import NAMES, Class, Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var
from engine.registry import Registry

PAGE = ROOT / "docs" / "nodes.md"
HEAD = """# Nodes

Every node that comes with Tessera, by category: what it does, and `inputs → outputs`. A `?` marks an input
that may be left out; `T`, `A` and `B` stand for any type, the same in and out. `server.py nodes NAME` tells
the rest: defaults, limits and the whole help. Every node is at work in at least one of the
[example workflows](workflows.md); how to write your own is told in [Writing nodes](writing-nodes.md).

This page is written from the nodes by `python -m tests.test_nodes_page`.
"""


def test_the_page_of_nodes_is_what_the_nodes_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.test_nodes_page"


def page() -> str:
    specs = [entry.spec for entry in Registry.core().nodes.values() if "/" not in entry.spec.id]
    specs.sort(key=lambda spec: (spec.category, spec.id))
    return HEAD + "".join(
        f"\n## {category.capitalize()}\n\n| node | what it does | inputs → outputs |\n|---|---|---|\n"
        + "".join(map(row, members))
        for category, members in groupby(specs, key=lambda spec: spec.category)
    )


def row(spec: NodeSpec) -> str:
    takes = ", ".join(map(taken, spec.inputs)) or "nothing"
    gives = ", ".join(map(given, spec.outputs)) or "nothing"
    summary = spec.help.partition("\n")[0]
    return "| " + " | ".join(cell(text) for text in (f"`{spec.id}`", summary, f"{takes} → {gives}")) + " |\n"


def taken(port: InputPort) -> str:
    return f"*{port.name}*{'' if port.required else '?'} {kind(port.type)}"


def given(port: OutputPort) -> str:
    return f"*{port.name}* {kind(port.type)}"


def kind(t: PortType) -> str:
    """The type in a word or two: limits and choices are told by `server.py nodes NAME`."""
    match t:
        case Scalar(name=name):
            return NAMES[name]
        case Menu():
            return "choice"
        case Class():
            return t.name
        case Var(name=name):
            return name
        case ListOf(item=item):
            return f"list of {kind(item)}"
        case Either(options=options):
            return " or ".join(kind(o) for o in options if not isinstance(o, Nothing))
        case Piece(takes=takes, gives=gives):
            return f"group ({', '.join(map(kind, takes))}) → {kind(gives)}" if takes else kind(gives)
        case Nothing():
            return "nothing"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written.\n")
