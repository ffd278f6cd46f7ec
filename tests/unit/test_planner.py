"""From a workflow to a plan, or to all of its problems at once."""

from __future__ import annotations

import time

import pytest

from engine.errors import Problem
from engine.planner import Planner, signature
from engine.registry import Registry
from engine.types import Artifact
from engine.workflow import parse, shape
from tests.planned import PLANNER, given_to, places, plan, problem, problems
from tests.toys import Wire, group, step, workflow

CHAIN = {
    "a": step("plus", a=1),
    "b": step("plus", a=Wire("a.out"), b=10),
    "c": step("plus", a=Wire("b.out"), b=100),
}


# -- problems


def test_all_problems_are_told_at_once_with_place_value_and_remedy() -> None:
    found = problems(
        workflow(
            {"out": "sum.out", "gone": "nowhere.out"},
            inputs={"steps": "lim.steps"},
            typo=step("pluss", a=1),
            sum=step("plus", a="one", c=3, b=Wire("typo.out")),
            lim=step("limited", way="fats"),
            lost=step("whole", a=Wire("lim.result")),
            need=step("plus"),
            all=step("numbers", items=Wire("lost.out")),
            end=step("same", a=Wire("need.out"), b=Wire("all.out")),
            save=step("stamp", text=Wire("end.out")),
        ),
        steps=0,
        colour="red",
    )
    by_place = {(p.step, p.input): p for p in found}
    assert places(found) == {
        ("unknown_node", "typo", ""),
        ("bad_value", "sum", "a"),
        ("unknown_input", "sum", "c"),
        ("bad_value", "", "steps"),
        ("bad_value", "lim", "way"),
        ("unknown_output", "lost", "a"),
        ("missing_input", "need", "a"),
        ("unknown_step", "", "gone"),
        ("unknown_input", "", "colour"),
        ("wrong_type", "save", "text"),
    }
    assert "plus" in by_place["typo", ""].remedy
    assert by_place["sum", "a"].got == "one"
    assert by_place["sum", "a"].want == "whole number"
    assert by_place["", "steps"].want == "whole number 1 to 150"
    assert by_place["lim", "way"].remedy == "Did you mean fast?"
    assert by_place["lost", "a"].got == "lim.result"
    assert all(p.remedy or p.want for p in found)


@pytest.mark.parametrize("value", [0, 151, -1, 2.5, "20", True, None, [20], {}, 2**70])
def test_a_typed_in_value_is_of_its_type_and_range(value: object) -> None:
    assert problem(workflow({"out": "a.out"}, a=step("limited", steps=value))).code == "bad_value"


def test_a_value_is_converted_to_exactly_its_type() -> None:
    made = plan(workflow({"out": "a.out"}, a=step("half", a=1)))
    assert repr(given_to(made, "a.a")) == "1.0"


def test_what_cannot_be_typed_in_must_be_wired() -> None:
    found = problem(workflow({"out": "a.out"}, a=step("weigh", a=5)))
    assert (found.code, found.step, found.input) == ("bad_value", "a", "a")
    assert "wire" in found.remedy


def test_a_missing_input_names_what_is_wanted() -> None:
    found = problem(workflow({"out": "a.out"}, a=step("weigh")))
    assert (found.code, found.want, found.remedy) == ("missing_input", "Thing", "Connect a wire.")


def test_types_that_do_not_fit_are_named_on_both_sides() -> None:
    document = workflow({"out": "b.out"}, a=step("parts", value=1.5), b=step("whole", a=Wire("a.rest")))
    found = problem(document)
    assert (found.code, found.step, found.input) == ("wrong_type", "b", "a")
    assert (found.got, found.want) == ("number from a.rest", "whole number")


def test_an_unknown_step_is_guessed() -> None:
    steps = {"numbr": step("plus", a=1), "b": step("whole", a=Wire("number.out"))}
    found = problem(workflow({"out": "b.out"}, **steps))
    assert (found.code, found.got) == ("unknown_step", "number.out")
    assert "numbr" in found.remedy


def test_nothing_to_run_is_refused() -> None:
    assert problem(workflow(a=step("plus", a=1))).code == "nothing_to_run"
    assert problem(workflow()).code == "nothing_to_run"


def test_a_step_of_a_newer_version_is_refused() -> None:
    found = problem(workflow({"out": "a.out"}, a=step("plus", version=2, a=1)))
    assert (found.code, found.got, found.want) == ("newer_version", "version 2", "version 1 or older")


def test_a_named_input_that_leads_nowhere_is_a_problem_even_if_it_is_not_given() -> None:
    document = workflow({"out": "a.out"}, inputs={"x": "b.a", "y": "a.z"}, a=step("plus", a=1))
    assert places(problems(document)) == {("unknown_step", "", "x"), ("unknown_input", "", "y")}


def test_an_unknown_artifact_is_named_by_the_input_it_came_through() -> None:
    document = workflow({"out": "load.image"}, inputs={"picture": "load.image"}, load=step("load_image"))
    assert problem(document, picture="nope").input == "picture"
    file = Artifact("0" * 64, "image/png", 1)
    made = PLANNER.plan(parse(document), inputs={"picture": "nope"}, files={"nope": file})
    assert given_to(made, "load.image") is file


# -- cycles and order


def test_cycles_are_named_step_by_step_and_all_at_once() -> None:
    found = problems(
        workflow(
            {"out": "end.out"},
            a=step("plus", a=Wire("b.out")),
            b=step("plus", a=Wire("c.out")),
            c=step("plus", a=Wire("a.out")),
            me=step("plus", a=Wire("me.out")),
            end=step("plus", a=Wire("a.out"), b=Wire("me.out")),
        )
    )
    told = {p.got for p in found}
    assert {p.code for p in found} == {"cycle"}
    assert "me → me" in told
    [ring] = told - {"me → me"}
    names = ring.split(" → ")
    assert (set(names), len(names), names[0]) == ({"a", "b", "c"}, 4, names[-1])
    assert "repeat" in found[0].remedy


def test_a_cycle_that_nothing_needs_is_only_a_warning() -> None:
    document = workflow(
        {"out": "fine.out"}, fine=step("plus", a=1),
        a=step("plus", a=Wire("b.out")), b=step("plus", a=Wire("a.out")),
    )  # fmt: skip
    assert "cycle" in {p.code for p in plan(document).warnings}


def test_a_group_that_needs_the_step_that_awaits_it_is_a_cycle() -> None:
    document = workflow(
        {"out": "loop.out"},
        groups={"g": group({"s": step("plus", a=Wire("loop.out"))}, {}, "s.out")},
        loop=step("repeat", body=Wire("#g"), start=1),
    )
    assert problem(document).code == "cycle"


def test_what_is_not_reached_is_a_warning_also_with_its_problems() -> None:
    document = workflow({"out": "a.out"}, a=step("plus", a=1), b=step("whole", a="x"), c=step("note"))
    assert places(plan(document).warnings) == {("bad_value", "b", "a"), ("unreachable", "b", "")}


def test_ten_thousand_steps_in_a_chain_have_a_plan() -> None:
    steps = {f"s{i}": step("plus", a=Wire(f"s{i - 1}.out")) for i in range(1, 10_000)}
    backwards = dict(reversed(steps.items()))
    made = plan(workflow({"out": "s9999.out"}, s0=step("plus", a=1), **backwards))
    assert [s.id for s in made.steps] == [f"s{i}" for i in range(10_000)]


def test_ten_thousand_mistakes_are_told_in_a_moment() -> None:
    steps = {f"s{i}": step("pluss", a=Wire(f"nowhere{i}.out")) for i in range(10_000)}
    outputs = {f"o{i}": f"s{i}.out" for i in range(10_000)}
    began = time.process_time()
    assert len(problems(workflow(outputs, **steps))) == 20_000
    assert time.process_time() - began < 20  # comparing every name with every other takes minutes


def test_groups_laid_out_count_against_the_limit() -> None:
    groups = {"g0": group({f"s{i}": step("plus", a=1) for i in range(10)}, {}, "s0.out")}
    for level in range(1, 8):
        inner = {f"i{i}": step(f"group/g{level - 1}") for i in range(10)}
        groups[f"g{level}"] = group(inner, {}, "i0.out")
    found = problems(workflow({"out": "a.out"}, groups=groups, a=step("group/g7")))
    assert "too_many_steps" in {p.code for p in found}


# -- targets


def test_a_run_to_a_target_needs_only_its_ancestors() -> None:
    document = workflow({"out": "c.out"}, bad=step("nope"), save=step("stamp", text="x"), **CHAIN)
    made = PLANNER.plan(parse(document), targets=["b"])
    assert [made.steps[i].id for i in made.targets] == ["b"]
    assert list(made.outputs) == ["b.out"]


def test_a_target_may_be_a_group() -> None:
    inner = group({"x": step("plus", a=1), "y": step("plus", a=Wire("x.out"))}, {}, "y.out")
    document = workflow(groups={"g": inner}, g=step("group/g"))
    made = PLANNER.plan(parse(document), targets=["g"])
    assert [made.steps[i].id for i in made.targets] == ["g/x", "g/y"]


def test_an_unknown_target_is_guessed() -> None:
    [found] = problems(workflow(**CHAIN), targets=["d"])
    assert (found.code, found.got) == ("unknown_target", "d")


# -- old steps


def test_an_old_step_is_planned_by_its_new_names() -> None:
    document = workflow(
        {"out": "s.result"},
        inputs={"x": "s.x"},
        s=step("scaled", version=1, x=5, colour="red"),
        t=step("whole", a=Wire("s.result")),
        save=step("stamp", text="t"),
    )
    made = plan(document, x=6)
    assert (given_to(made, "s.value"), given_to(made, "s.factor")) == (6, 10)
    assert made.warnings == (Problem("unreachable", "t", remedy=made.warnings[0].remedy),)


# -- as a function


def test_a_workflow_is_a_function_with_typed_inputs() -> None:
    document = workflow(
        {"out": "c.out", "all": "l.out"}, inputs={"first": "a.a", "last": "c.b", "steps": "l.steps"},
        **{**CHAIN, "a": step("plus")}, l=step("limited"),
    )  # fmt: skip
    told = signature(shape(document), PLANNER)
    assert told["required"] == ["first", "steps"]
    assert told["inputs"]["last"] == {"type": "integer", "default": 100}
    assert told["inputs"]["steps"]["maximum"] == 150
    assert told["outputs"] == {"out": "whole number", "all": "whole number"}


def test_a_named_input_that_leads_into_a_group_has_the_schema_of_what_is_inside() -> None:
    document = parse(
        {
            "steps": {
                "twice": {"node": "group/double"},
                "third": {"node": "group/double", "values": {"x": 7}},
            },
            "groups": {
                "double": {
                    "steps": {"both": {"node": "add", "values": {"b": 1}}},
                    "inputs": {"x": {"to": ["both.a"]}, "y": {"to": ["both.b"]}},
                    "outputs": {"out": "both.out"},
                }
            },
            "inputs": {
                "free": {"to": ["twice.x"]},
                "inside": {"to": ["twice.y"]},
                "around": {"to": ["third.x"]},
                "nowhere": {"to": ["twice.z"]},
            },
            "outputs": {"sum": "twice.out", "other": "third.out"},
        }
    )
    described = signature(document, Planner(Registry.core()))
    assert described["required"] == ["free"]
    assert described["inputs"]["free"]["type"] == "number"
    assert described["inputs"]["inside"]["default"] == 1
    assert described["inputs"]["around"]["default"] == 7
    assert described["inputs"]["nowhere"] == {}
