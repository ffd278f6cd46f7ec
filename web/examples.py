"""Nodes at work: which shipped workflows use a node, found by reading them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import cache

from aiohttp import web
from msgspec import Struct

from engine.config import ROOT
from engine.errors import TesseraError
from engine.workflow import Group, Workflow, parse
from web.route import Route, answer, engine
from web.templates import Template, shelf

MOST = 4


class Examples(Struct, frozen=True):
    """Shipped workflows in which a node is at work: those with a picture first, the smallest first."""

    examples: list[Template]


async def examples(request: web.Request) -> web.StreamResponse:
    """List a few shipped workflows in which a node is at work."""
    spec = engine(request).node(request.match_info["id"])
    found = await asyncio.to_thread(at_work)
    return answer(Examples(found.get(spec.id, [])))


@cache
def at_work() -> dict[str, list[Template]]:
    """The best examples of every node, by its id."""
    told = {one.name: one for one in shelf().templates}
    found: dict[str, list[tuple[bool, int, str, Template]]] = defaultdict(list)
    for path in sorted((ROOT / "workflows").rglob("*.json")):
        try:
            workflow = parse(path.read_bytes())
        except TesseraError:
            continue  # somebody is just editing it: it is no example
        title = workflow.title or path.stem
        template = told.get(path.stem) or Template(path.stem, title, "", "", pictured=False)
        parts: list[Workflow | Group] = [workflow, *workflow.groups.values()]
        steps = [step for part in parts for step in part.steps.values()]
        for node in {step.node for step in steps}:
            found[node].append((not template.pictured, len(steps), path.stem, template))
    return {node: [template for *_, template in sorted(uses)[:MOST]] for node, uses in found.items()}


ROUTES = (Route("GET", "/api/nodes/{id:.+}/examples", examples, "nodes", answer=Examples),)
