"""Groups and saved workflows are laid out flat."""

from __future__ import annotations

import pytest

from engine.plan import From
from engine.workflow import parse
from tests.planned import PLANNER, given_to, places, plan, problem, problems, source
from tests.toys import Doc, Wire, group, step, workflow

# -- groups and saved workflows


def test_a_group_is_laid_out_flat() -> None:
    inner = group({"x": step("plus"), "y": step("plus", a=Wire("x.out"))}, {"value": "x.a y.b"}, "y.out")
    document = workflow(
        {"out": "two.out"}, groups={"g": inner},
        one=step("group/g", value=3), two=step("group/g", value=Wire("one.out")),
    )  # fmt: skip
    made = plan(document)
    assert [s.id for s in made.steps] == ["one/x", "one/y", "two/x", "two/y"]
    assert source(made, "two/x.a") == From(1, 0)


def test_groups_stand_in_groups_and_see_what_is_around_them() -> None:
    groups = {
        "outer": group({"i": step("group/inner"), "o": step("plus", a=Wire("i.out"))}, {}, "o.out"),
        "inner": group({"x": step("plus", a=Wire("top.out"))}, {}, "x.out"),
    }
    made = plan(workflow({"out": "g.out"}, groups=groups, top=step("plus", a=1), g=step("group/outer")))
    assert [s.id for s in made.steps] == ["top", "g/i/x", "g/o"]


def test_a_problem_in_a_group_names_the_step_in_it() -> None:
    inner = group({"x": step("whole")}, {"value": "x.a nope.a", "other": "x.b"}, "x.out")
    document = workflow({"out": "g.out"}, groups={"g": inner}, g=step("group/g", value="x", colour=1))
    assert places(problems(document)) == {
        ("bad_value", "g/x", "a"), ("unknown_step", "g", "value"), ("unknown_input", "g", "colour"),
    }  # fmt: skip


def test_an_unknown_group_or_workflow_is_guessed() -> None:
    inner = group({"x": step("plus", a=1)}, {}, "x.out")
    document = workflow(
        {"a": "a.out", "b": "b.out", "c": "c.out"}, groups={"lines": inner},
        a=step("group/line"), b=step("flow/nope"), c=step("each", body=Wire("#liens"), items=[1]),
    )  # fmt: skip
    found = {p.code: p.remedy for p in problems(document)}
    assert {"unknown_group", "unknown_workflow"} <= set(found)
    assert "lines" in found["unknown_group"]


@pytest.mark.parametrize(
    "groups",
    [
        {"g": group({"x": step("group/g")}, {}, "x.out")},
        {"g": group({"x": step("group/h")}, {}, "x.out"), "h": group({"x": step("group/g")}, {}, "x.out")},
        {"g": group({"x": step("repeat", body=Wire("#g"), start=1)}, {}, "x.out")},
    ],
    ids=["itself", "in turn", "as a piece"],
)
def test_recursion_is_refused_with_the_remedy(groups: Doc) -> None:
    document = workflow({"out": "a.out"}, groups=groups, a=step("group/g"))
    found = [p for p in problems(document) if p.code == "recursive"]
    assert found
    assert "repeat" in found[0].remedy


def test_an_output_of_a_group_that_is_that_output_is_refused() -> None:
    loop = {"steps": {}, "outputs": {"out": "a.out"}}
    found = problems(workflow({"out": "a.out"}, groups={"g": loop}, a=step("group/g")))
    assert "cycle" in {p.code for p in found}


def test_a_saved_workflow_is_a_node() -> None:
    saved = workflow(
        {"sum": "g.out"}, groups={"mine": group({"x": step("plus", b=1)}, {"v": "x.a"}, "x.out")},
        inputs={"start": "g.v"}, g=step("group/mine"),
    )  # fmt: skip
    document = workflow({"out": "f.sum"}, f=step("flow/saved", start=4))
    made = PLANNER.plan(parse(document), flows={"saved": parse(saved)})
    assert [s.id for s in made.steps] == ["f/g/x"]
    assert given_to(made, "f/g/x.a") == 4


def test_a_pinned_workflow_comes_with_the_document() -> None:
    saved = workflow({"sum": "x.out"}, x=step("plus", a=1))
    pin = {"workflows": {"saved": {"digest": "0", "document": saved}}}
    document = {**workflow({"out": "f.sum"}, f=step("flow/saved")), "needs": pin}
    assert [s.id for s in plan(document).steps] == ["f/x"]


def test_a_malformed_pinned_workflow_is_refused() -> None:
    pin = {"workflows": {"saved": {"document": {"steps": 5}}}}
    assert problem({**workflow({"out": "f.sum"}, f=step("flow/saved")), "needs": pin}).code == "malformed"
