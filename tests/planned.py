"""Plans of the small nodes, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from engine.errors import Invalid, Problem
from engine.plan import Plan, PlanStep
from engine.planner import Planner
from engine.workflow import parse
from tests.toys import Doc, all_nodes

REGISTRY = all_nodes()
PLANNER = Planner(REGISTRY)


def plan(document: Doc, **inputs: Any) -> Plan:
    return PLANNER.plan(parse(document), inputs=inputs)


def problems(document: Doc, targets: list[str] | None = None, **inputs: Any) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        PLANNER.plan(parse(document), inputs=inputs, targets=targets)
    return list(caught.value.problems)


def problem(document: Doc, **inputs: Any) -> Problem:
    [found] = problems(document, **inputs)
    return found


def places(found: Iterable[Problem]) -> set[tuple[str, str, str]]:
    return {(p.code, p.step, p.input) for p in found}


def planned(plan: Plan, id: str) -> PlanStep:
    return next(s for s in plan.steps if s.id == id)


def source(plan: Plan, place: str) -> Any:
    id, _, port = place.rpartition(".")
    made = planned(plan, id)
    return made.sources[made.shape.names.index(port)]


def given_to(plan: Plan, place: str) -> Any:
    return source(plan, place).value
