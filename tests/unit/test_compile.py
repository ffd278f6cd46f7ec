"""One scope typed step by step: lists, variables, conversions, what is switched off."""

from __future__ import annotations

import pytest

from engine.errors import Invalid
from engine.plan import Const, From
from engine.planner import Planner
from engine.ports import ListOf, Scalar, words
from engine.registry import Entry, Registry
from engine.workflow import parse
from tests.planned import REGISTRY, given_to, places, plan, planned, problem, source
from tests.toys import Doc, Wire, group, step, workflow

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
    made = plan(workflow({"out": "m.out"}, l=step("twins", value=1), m=step("plus", a=Wire("l.out"), b=5)))
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
    document = workflow({"out": "c.out"}, t=step("thing"), c=step("concatenate", a=[], b=Wire("t.out")))
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
