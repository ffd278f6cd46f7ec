"""From a workflow to a plan, or to all of its problems at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cache import Cache
from engine.errors import Invalid, Problem
from engine.flights import Flights
from engine.plan import Body, Branch, Const, From, Plan, PlanStep
from engine.planner import Planner, signature
from engine.ports import ListOf, Scalar, words
from engine.registry import Entry, Registry
from engine.run import Run
from engine.types import Artifact
from engine.workflow import parse, shape
from tests.toys import Doc, Wire, all_nodes, fresh, group, step, workflow

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


# -- lists


def test_a_list_into_one_maps_and_one_into_a_list_wraps() -> None:
    made = plan(
        workflow(
            {"mapped": "map.out", "wrapped": "wrap.out"},
            two=step("twins", value=3),
            map=step("whole", a=Wire("two.out")),
            one=step("plus", a=1),
            wrap=step("numbers", items=Wire("one.out")),
        )
    )
    assert planned(made, "map").maps == (0,)
    assert made.types["mapped"] == ListOf(Scalar("int"))
    assert source(made, "wrap.items") == From(source(made, "wrap.items").step, 0, "wrap", True)


def test_lists_of_lists_are_refused() -> None:
    document = workflow({"out": "b.out"}, a=step("twins", value=3), b=step("twins", value=Wire("a.out")))
    found = problem(document)
    assert (found.code, found.step) == ("nested_list", "b")


def test_a_step_that_is_mapped_keeps_its_single_values_single() -> None:
    made = plan(
        workflow({"out": "m.out"}, l=step("twins", value=1), m=step("plus", a=Wire("l.out"), b=5))
    )
    assert planned(made, "m").maps == (0,)


# -- variables, widening, conversions


def test_a_variable_is_the_same_type_everywhere() -> None:
    document = workflow(
        {"out": "s.out"}, t=step("thing"), n=step("plus", a=1),
        s=step("same", a=Wire("t.out"), b=Wire("n.out")),
    )  # fmt: skip
    found = problem(document)
    assert (found.step, found.input, found.want) == ("s", "b", "Thing")


def test_the_variable_of_an_output_is_filled_in() -> None:
    document = workflow({"out": "s.out"}, t=step("tool"), s=step("same", a=Wire("t.out"), b=Wire("t.out")))
    assert words(plan(document).types["out"]) == "list of Tool"


def test_a_variable_takes_the_common_ancestor_of_what_comes() -> None:
    document = workflow(
        {"out": "s.out"}, a=step("tool"), b=step("thing"),
        s=step("same", a=Wire("a.out"), b=Wire("b.out")),
    )  # fmt: skip
    assert words(plan(document).types["out"]) == "list of Thing"


@pytest.mark.parametrize(("a", "b"), [("w.out", "f.out"), ("f.out", "w.out")])
def test_whole_numbers_beside_numbers_become_numbers(a: str, b: str) -> None:
    made = plan(
        workflow(
            {"out": "s.out"}, w=step("plus", a=1), f=step("half", a=1), s=step("same", a=Wire(a), b=Wire(b))
        )
    )
    assert made.types["out"] == ListOf(Scalar("float"))
    assert source(made, "s.a" if a == "w.out" else "s.b").widen


def test_a_typed_in_whole_number_beside_a_number_becomes_one_too() -> None:
    made = plan(workflow({"out": "s.out"}, f=step("half", a=1), s=step("same", a=3, b=Wire("f.out"))))
    assert repr(given_to(made, "s.a")) == "3.0"


def test_a_list_typed_in_where_one_value_is_wanted_is_refused() -> None:
    assert problem(workflow({"out": "s.out"}, s=step("same", a=[1], b=2))).code == "bad_value"


def test_one_value_typed_in_where_a_list_is_wanted_is_refused() -> None:
    assert problem(workflow({"out": "s.out"}, s=step("reverse", items=1))).code == "bad_value"


def test_a_mixed_list_of_numbers_is_one_of_numbers() -> None:
    made = plan(workflow({"out": "s.out"}, s=step("reverse", items=[1, 2.5])))
    assert repr(given_to(made, "s.items")) == "[1.0, 2.5]"


def test_an_empty_list_goes_with_any_other() -> None:
    document = workflow(
        {"out": "c.out"}, t=step("thing"), c=step("concatenate", a=[], b=Wire("t.out"))
    )
    assert words(plan(document).types["out"]) == "list of Thing"
    assert words(plan(workflow({"out": "r.out"}, r=step("reverse", items=[]))).types["out"]) == "list of JSON"


def test_a_conversion_stands_on_the_wire_as_a_step() -> None:
    made = plan(workflow({"out": "l.out"}, t=step("tool", size=4), l=step("look", at=Wire("t.out"))))
    assert [s.id for s in made.steps] == ["t", "l.at:thing_as_picture", "l"]


def test_a_list_is_converted_item_by_item() -> None:
    document = workflow(
        {"out": "l.out"}, t=step("thing"), s=step("same", a=Wire("t.out"), b=Wire("t.out")),
        l=step("look", at=Wire("s.out")),
    )  # fmt: skip
    made = plan(document)
    assert planned(made, "l.at:thing_as_picture").maps == (0,)
    assert planned(made, "l").maps == (0,)


def test_only_conversions_of_packs_that_the_workflow_names_are_put_in() -> None:
    """A worker imports only the packs that a document names, and must come to the same plan."""
    entries = [
        Entry(e.spec, "pack" if e.spec.converts else "", "", e.declared) for e in REGISTRY.nodes.values()
    ]
    planner = Planner(Registry(entries, classes=REGISTRY.classes))
    document = workflow({"out": "l.out"}, t=step("thing"), l=step("look", at=Wire("t.out")))
    with pytest.raises(Invalid):
        planner.plan(parse(document))


# -- mute and bypass


CHAIN = {
    "a": step("plus", a=1),
    "b": step("plus", a=Wire("a.out"), b=10),
    "c": step("plus", a=Wire("b.out"), b=100),
}


def switched(off: str, outputs: dict[str, str] | None = None, **more: Doc) -> Doc:
    return workflow(outputs or {"out": "c.out"}, **{**CHAIN, "b": {**CHAIN["b"], "off": off}, **more})


def test_a_bypassed_step_lets_its_input_through() -> None:
    made = plan(switched("bypass"))
    assert [s.id for s in made.steps] == ["a", "c"]
    assert source(made, "c.a").step == 0


def test_a_muted_step_takes_those_along_that_need_it() -> None:
    found = problem(switched("mute"))
    assert found.code == "nothing_to_run"


def test_what_a_muted_step_leaves_runs_and_the_rest_is_told() -> None:
    made = plan(switched("mute", {"out": "c.out", "first": "a.out"}))
    assert [s.id for s in made.steps] == ["a"]
    assert set(made.outputs) == {"first"}
    assert ("no_value", "", "out") in places(made.warnings)


def test_an_optional_input_of_a_muted_step_takes_its_default() -> None:
    steps = {"a": step("plus", a=1, off="mute"), "b": step("plus", a=2, b=Wire("a.out"))}
    assert given_to(plan(workflow({"out": "b.out"}, **steps)), "b.b") == 0


def test_a_bypassed_step_without_an_input_of_that_type_is_gone() -> None:
    document = workflow(
        {"out": "b.out", "fine": "c.out"}, c=step("plus", a=1),
        a=step("thing", off="bypass"), b=step("weigh", a=Wire("a.out")),
    )  # fmt: skip
    assert [s.id for s in plan(document).steps] == ["c"]


def test_typed_in_values_pass_a_bypass_too() -> None:
    document = workflow({"out": "a.out"}, a=step("plus", a=5, off="bypass"))
    made = plan(document)
    assert made.outputs == {"out": Const(5)}


@pytest.mark.parametrize("off", ["mute", "bypass"])
def test_a_group_is_switched_off_as_one(off: str) -> None:
    inner = group({"x": step("plus", b=1), "y": step("plus", a=Wire("x.out"))}, {"value": "x.a"}, "y.out")
    document = workflow(
        {"out": "end.out", "a": "a.out"}, groups={"g": inner}, a=step("plus", a=1),
        g=step("group/g", value=Wire("a.out"), off=off), end=step("whole", a=Wire("g.out")),
    )  # fmt: skip
    assert [s.id for s in plan(document).steps] == (["a"] if off == "mute" else ["a", "end"])


@pytest.mark.parametrize("off", ["mute", "bypass"])
def test_a_piece_of_graph_may_capture_what_is_switched_off(off: str) -> None:
    document = workflow(
        {"out": "loop.out", "fine": "a.out"},
        groups={"g": group({"s": step("plus", b=Wire("b.out"))}, {"value": "s.a"}, "s.out")},
        **{**CHAIN, "b": {**CHAIN["b"], "off": off}},
        loop=step("repeat", body=Wire("#g"), start=1, times=2),
    )
    made = plan(document)
    if off == "mute":
        assert "loop" not in [s.id for s in made.steps]
    else:
        assert source(made, "loop.body").captured == (From(0, 0),)


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


MAKERS = ("plus", "half", "whole", "numbers", "same", "twins", "limited", "parts", "thing", "tool", "look",
          "weigh", "choose", "repeat", "each", "gather", "concatenate", "reverse", "pick", "add", "round",
          "join_two", "cross_product")  # fmt: skip
TYPED = st.sampled_from([1, 3, 0.5, True, "x", None, [1, 2], [0.5], [], ["a"]])


@st.composite
def graphs(draw: st.DrawFn) -> Doc:
    """Steps that are fed at random from earlier ones, by values, and by one group with a random body."""
    known = [name for name in MAKERS if PLANNER.spec(name) is not None]
    inner_nodes = st.sampled_from(["plus", "half", "whole", "same", "thing", "weigh", "reverse"])

    def some(name: str, node: str, wires: list[str], piece: str) -> Doc:
        spec = PLANNER.spec(node)
        assert spec is not None
        given: Doc = {}
        for port in spec.inputs:
            choices = [*(["wire"] * 3 if wires else []), "value", *([] if port.required else ["none"])]
            if spec.steers and port.name in ("body",):
                choices = ["piece"]
            match draw(st.sampled_from(choices)):
                case "wire":
                    given[port.name] = Wire(draw(st.sampled_from(wires)))
                case "value":
                    given[port.name] = draw(TYPED)
                case "piece":
                    given[port.name] = Wire(piece)
        return step(node, **given)

    def outs(name: str, node: str) -> list[str]:
        spec = PLANNER.spec(node)
        return [f"{name}.{port.name}" for port in spec.outputs] if spec else []

    wires: list[str] = []
    steps: Doc = {}
    for index in range(draw(st.integers(1, 7))):
        node = draw(st.sampled_from(known))
        steps[f"s{index}"] = some(f"s{index}", node, wires, "#g")
        wires += outs(f"s{index}", node)
    inner: Doc = {}
    inside: list[str] = ["s0.out"] if "s0.out" in wires and draw(st.booleans()) else []
    for index in range(draw(st.integers(1, 3))):
        node = draw(inner_nodes)
        inner[f"i{index}"] = some(f"i{index}", node, inside, "#g")
        inside = [*inside, *outs(f"i{index}", node)]
    taken = draw(st.sampled_from([{}, {"v": f"i0.{next(iter(inner['i0'].get('values', {'a': 0})), 'a')}"}]))
    groups = {"g": group(inner, taken, inside[-1])}
    outputs = {f"o{i}": wire for i, wire in enumerate(wires)}
    return workflow(outputs, groups=groups, **steps)


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
