"""Pieces of graph that a node awaits."""

from __future__ import annotations

import pytest

from engine.plan import Body, Branch, From
from engine.ports import Scalar
from tests.planned import given_to, plan, planned, problem, problems, source
from tests.toys import Doc, Wire, group, step, workflow

# -- pieces of graph


BODY = {"g": group({"s": step("plus", b=Wire("around.out"))}, {"value": "s.a"}, "s.out")}


def test_a_piece_of_graph_is_closed() -> None:
    made = plan(
        workflow(
            {"out": "loop.out"}, groups=BODY,
            around=step("plus", a=5), loop=step("repeat", body=Wire("#g"), start=1),
        )
    )  # fmt: skip
    body = source(made, "loop.body")
    assert isinstance(body, Body)
    assert body.captured == (From(0, 0),)
    assert body.plan.takes == 1


def test_a_piece_in_a_piece_captures_through_both() -> None:
    groups = {
        "outer": group({"l": step("repeat", body=Wire("#inner"), start=2)}, {}, "l.out"),
        "inner": group({"s": step("plus", b=Wire("top.out"))}, {"value": "s.a"}, "s.out"),
    }
    made = plan(
        workflow({"out": "m.out"}, groups=groups, top=step("plus", a=1),
                 m=step("repeat", body=Wire("#outer"), start=2))
    )  # fmt: skip
    outer = source(made, "m.body")
    assert outer.captured == (From(0, 0),)
    assert source(outer.plan, "m/outer/l.body").captured[0].index == 0


def test_a_wire_may_be_a_branch() -> None:
    made = plan(
        workflow({"out": "c.out"}, a=step("plus", a=1),
                 c=step("choose", condition=True, yes=Wire("a.out"), no=5))
    )  # fmt: skip
    assert source(made, "c.yes") == Branch(From(0, 0))
    assert planned(made, "c").needs == ()


def test_both_branches_are_of_one_kind() -> None:
    document = workflow(
        {"out": "c.out"}, a=step("thing"), c=step("choose", condition=True, yes=Wire("a.out"), no=5)
    )
    assert problem(document).step == "c"


@pytest.mark.parametrize(
    ("piece", "codes"),
    [
        (group({"s": step("thing")}, {}, "s.out"), {"wrong_type"}),
        (group({"s": step("plus")}, {"a": "s.a", "b": "s.b", "c": "s.b"}, "s.out"), {"wrong_type"}),
        (group({"s": step("whole", a="x")}, {}, "s.out"), {"bad_value"}),
        (group({"s": step("plus", a=1)}, {}, "t.out"), {"unknown_step"}),
        ({"steps": {"s": step("plus", a=1)}}, {"no_output"}),
    ],
    ids=["gives the wrong type", "takes too much", "has a problem", "has no such output", "gives nothing"],
)
def test_a_piece_of_graph_that_does_not_fit_is_refused(piece: Doc, codes: set[str]) -> None:
    document = workflow({"out": "l.out"}, groups={"g": piece}, l=step("repeat", body=Wire("#g"), start=1))
    assert {p.code for p in problems(document)} == codes


def test_a_piece_of_graph_is_no_value() -> None:
    document = workflow({"out": "a.out"}, groups=BODY, around=step("plus", a=1), a=step("plus", a=Wire("#g")))
    assert problem(document).got == "a piece of graph"


def test_a_loop_that_widens_its_value_is_typed_for_every_turn() -> None:
    """The first turn gets a whole number and gives a number: the next may not take it for a whole one."""
    halve = {"g": group({"h": step("half")}, {"value": "h.a"}, "h.out")}
    made = plan(workflow({"out": "l.out"}, groups=halve, l=step("repeat", body=Wire("#g"), start=1)))
    assert made.types["out"] == Scalar("float")
    assert repr(given_to(made, "l.start")) == "1.0"
    picky = {"g": group({"w": step("whole"), "h": step("half", a=Wire("w.out"))}, {"value": "w.a"}, "h.out")}
    document = workflow({"out": "l.out"}, groups=picky, l=step("repeat", body=Wire("#g"), start=1))
    assert problem(document).code == "wrong_type"


def test_loops_in_loops_that_widen_are_planned_in_a_moment() -> None:
    groups = {"g0": group({"h": step("half")}, {"value": "h.a"}, "h.out")}
    for level in range(1, 40):
        loop = step("repeat", body=Wire(f"#g{level - 1}"), start=1)
        groups[f"g{level}"] = group({"l": loop, "p": step("half")}, {"value": "p.a"}, "l.out")
    document = workflow({"out": "l.out"}, groups=groups, l=step("repeat", body=Wire("#g39"), start=1))
    assert plan(document).types["out"] == Scalar("float")
