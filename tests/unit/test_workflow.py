"""The workflow format: what is read, what is refused, how it is written, how old steps become new ones."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.canonical import canonical, ecmascript
from engine.errors import Invalid, Problem, TooLarge
from engine.node import NodeSpec
from engine.planner import Planner
from engine.types import MAX_SEED
from engine.workflow import (
    DEPTH_LIMIT,
    Step,
    nearest,
    parse,
    read,
    renamed_output,
    settle_seeds,
    shape,
    upgrade,
)
from tests.toys import all_nodes, group, step, workflow

PLANNER = Planner(all_nodes())


def problems(document: bytes | str | dict[str, Any]) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        parse(document)
    return list(caught.value.problems)


def codes(document: bytes | str | dict[str, Any]) -> list[str]:
    return [problem.code for problem in problems(document)]


def spec(id: str) -> NodeSpec:
    found = PLANNER.spec(id)
    assert found is not None
    return found


# -- reading


def test_the_smallest_document_is_a_workflow() -> None:
    assert parse('{"steps": {}}').steps == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b'{"steps": "\xff"}', "not_json"),
        (b'{"steps": {}} {}', "not_json"),
        (b'\xef\xbb\xbf{"steps": {}}', "not_json"),
        (b'{"steps": {"a": NaN}}', "not_json"),
        (b'{"steps": {"a": Infinity}}', "not_json"),
        (b'{"steps": {"a": 1e999}}', "not_json"),
        (b'{"steps": {"a": ' + b"9" * 5000 + b"}}", "not_json"),
        (b"[" * 100_000, "not_json"),
        ('{"steps": {"a": "\ud800"}}', "not_json"),
        (b"[]", "not_a_workflow"),
        (b"null", "not_a_workflow"),
        (b'{"steps": {}, "steps": {}}', "duplicate_key"),
        (b'{"steps": {"a": {"node": "add", "values": {"a": 1, "a": 2}}}}', "duplicate_key"),
        (b'{"x\\u0061": 1, "xa": 2, "steps": {}}', "duplicate_key"),
        (b'{"steps": {}, "layout": 9007199254740993}', "number_too_large"),
        (b'{"steps": {}, "layout": -123456789012345678901234567890}', "number_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_plain_document_is_refused(text: bytes | str, code: str) -> None:
    assert codes(text) == [code]


def test_text_that_looks_like_keys_is_no_duplicate() -> None:
    tricky = '{"steps": {"a": {"node": "note", "values": {"text": "\\"a\\": 1, \\"a\\": 2 \\\\"}}}}'
    assert parse(tricky).steps["a"].values["text"] == '"a": 1, "a": 2 \\'


def test_the_duplicate_is_named() -> None:
    assert problems('{"steps": {}, "layout": {"here": 1, "there": 2, "here": 3}}')[0].got == "here"


def test_many_duplicates_are_found_quickly() -> None:
    text = '{"steps": {}, "layout": {' + ", ".join(['"x": 1', '"y": 1'] * 100_000) + "}}"
    assert codes(text) == ["duplicate_key"]  # quadratic would take minutes


@pytest.mark.parametrize("depth", [DEPTH_LIMIT - 1, DEPTH_LIMIT + 1])
def test_nesting_has_a_limit(depth: int) -> None:
    text = '{"steps": {}, "layout": ' + "[" * depth + "]" * depth + "}"
    if depth < DEPTH_LIMIT:
        assert read(text)
    else:
        assert codes(text) == ["too_deep"]


def test_size_has_a_limit() -> None:
    with pytest.raises(TooLarge):
        read(b'{"steps": {}}', limit=5)


def test_a_number_that_a_browser_rounds_the_same_way_is_a_float() -> None:
    assert repr(read('{"steps": {}, "layout": 100000000000000000000}')["layout"]) == "1e+20"
    assert read(f'{{"steps": {{}}, "layout": {MAX_SEED}}}')["layout"] == MAX_SEED


# -- form


def test_every_malformed_part_is_named_at_once() -> None:
    found = problems(
        {
            "steps": {"good": {"node": "add"}, "one": {"node": 1}, "two": {}, "three": []},
            "groups": {"g": {"steps": {"inner": {"values": {}}}, "outputs": {"o": 1}}, "h": 3},
            "inputs": {"prompt": {"to": "words.text"}},
            "outputs": {"picture": {}},
            "needs": [],
            "title": 5,
        }
    )
    places = {(problem.step, problem.input) for problem in found}
    assert {problem.code for problem in found} == {"malformed"}
    assert places == {
        ("one", ""), ("two", ""), ("three", ""), ("g/inner", ""), ("o", "outputs"), ("h", "groups"),
        ("prompt", "inputs"), ("picture", "outputs"), ("", "needs"), ("", "title"),
    }  # fmt: skip
    assert all(problem.got for problem in found)


@pytest.mark.parametrize("section", ["steps", "groups", "inputs", "outputs"])
def test_a_section_that_is_no_object_is_named(section: str) -> None:
    [found] = problems({"steps": {}, section: [1]})
    assert (found.code, found.input, found.want) == ("malformed", section, "an object")


def test_a_document_without_steps_is_refused() -> None:
    assert problems({"title": "empty"})[0].input == "steps"


@pytest.mark.parametrize("off", ["sleep", True, 1])
def test_a_switch_has_two_words(off: object) -> None:
    assert codes({"steps": {"a": {"node": "add", "off": off}}}) == ["malformed"]


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", "a/b", "#a", "é", "a" * 65, "a\n"])
def test_a_bad_name_is_refused_wherever_it_stands(name: str) -> None:
    one = {"steps": {name: {"node": "add"}}}
    documents: list[dict[str, Any]] = [
        one,
        {"steps": {}, "groups": {name: {"steps": {}}}},
        {"steps": {}, "groups": {"g": one}},
        {"steps": {}, "inputs": {name: {"to": []}}},
        {"steps": {}, "outputs": {name: "a.out"}},
    ]
    for document in documents:
        assert codes(document) == ["bad_name"]


def test_a_newer_format_is_refused_with_the_remedy() -> None:
    [found] = problems({"tessera": 2, "steps": {}})
    assert (found.code, found.got) == ("unknown_format", "2")
    assert "Update" in found.remedy


def test_too_many_steps_are_refused() -> None:
    steps = {f"s{i}": {"node": "add"} for i in range(50_001)}
    assert codes({"steps": steps}) == ["too_many_steps"]


# -- writing


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (0.000001, "0.000001"),
        (0.0000015, "0.0000015"),
        (1e-7, "1e-7"),
        (-1.5e-7, "-1.5e-7"),
        (5e-324, "5e-324"),
        (123456789.125, "123456789.125"),
        (9007199254740991.0, "9007199254740991"),
        (9007199254740992.0, "9007199254740992"),
        (9007199254740993e3, "9007199254740993000"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (-123456789012345680000.0, "-123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_numbers_are_written_as_ecmascript_prints_them(number: float, text: str) -> None:
    assert ecmascript(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_as_it_was_written(number: float) -> None:
    raw = read(canonical({"steps": {}, "layout": number}))
    assert raw["layout"] == number


@given(st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]))
def test_floats_of_all_sizes_are_read_back_too(number: float) -> None:
    if math.isfinite(number):
        assert float(read(canonical({"steps": {}, "x": number}))["x"]) == number


def test_what_is_not_finite_is_never_written() -> None:
    with pytest.raises(Invalid):
        canonical({"steps": {}, "x": math.inf})


floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | st.integers(-MAX_SEED, MAX_SEED) | floats
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    plain | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_a_canonical_document_is_saved_byte_for_byte_as_it_was(document: dict[str, Any]) -> None:
    data = canonical({"steps": {}, **document, "layout": {}})
    assert canonical(read(data)) == data
    assert read(data) == {"steps": {}, **document, "layout": {}}


def test_the_canonical_form_is_two_spaces_line_feeds_and_the_order_given() -> None:
    raw = {"tessera": 1, "steps": {"b": {"node": "add"}, "a": {}}, "x": [], "list": [1, 2.50, "é\n\x7f"]}
    assert canonical(raw).decode() == (
        '{\n  "tessera": 1,\n  "steps": {\n    "b": {\n      "node": "add"\n    },\n    "a": {}\n  },\n'
        '  "x": [],\n  "list": [\n    1,\n    2.5,\n    "é\\n\x7f"\n  ]\n}\n'
    )


def test_what_the_engine_does_not_know_is_kept() -> None:
    raw = {
        "tessera": 1,
        "steps": {"a": {"node": "no/such_node", "values": {"x": 1}, "colour": "red"}},
        "future": {"deep": [None]},
        "layout": {"a": [1, 2]},
    }
    data = canonical(raw)
    assert shape(read(data)).steps["a"].node == "no/such_node"
    assert canonical(read(data)) == data


# -- upgrades


def test_an_old_step_becomes_what_its_node_would_save_now() -> None:
    old = Step("scaled", 1, {"colour": "red"}, {"x": "other.out"})
    assert upgrade(old, spec("scaled")) == Step("scaled", 3, {"factor": 10}, {"value": "other.out"})


def test_an_upgrade_starts_at_the_version_the_step_was_saved_in() -> None:
    old = Step("scaled", 2, {"value": 2, "colour": "red"})
    assert upgrade(old, spec("scaled")) == Step("scaled", 3, {"value": 2})


@pytest.mark.parametrize("version", [0, 3])
def test_a_present_step_stays_as_it_is(version: int) -> None:
    new = Step("scaled", version, {"x": 1})
    assert upgrade(new, spec("scaled")) is new


def test_a_value_given_is_not_replaced_by_the_old_default() -> None:
    assert upgrade(Step("scaled", 1, {"x": 1, "factor": 3}), spec("scaled")).values["factor"] == 3


def test_an_old_output_has_its_new_name() -> None:
    assert renamed_output("result", 1, spec("scaled")) == "out"
    assert renamed_output("result", 3, spec("scaled")) == "result"


# -- seeds


def seeds(document: dict[str, Any], offset: int = 0, **inputs: Any) -> tuple[dict[Any, int], dict[str, Any]]:
    drawn = iter((111, 222))
    return settle_seeds(shape(document), inputs, PLANNER.spec, draw=lambda: next(drawn), offset=offset)


def test_a_random_seed_is_drawn() -> None:
    document = workflow(sample=step("sample", seed="random"))
    assert seeds(document) == ({("", "sample", "seed"): 111}, {})


def test_a_random_seed_in_a_group_is_drawn_and_so_is_one_that_goes_to_it() -> None:
    inner = group({"s": step("sample", seed="random"), "t": step("sample")}, {"seed": "t.seed"}, "s.latent")
    steps = {"g": step("group/draw", seed="random")}
    document = workflow(inputs={"seed": "g.seed"}, groups={"draw": inner}, **steps)
    assert seeds(document) == ({("", "g", "seed"): 111, ("draw", "s", "seed"): 222}, {})
    assert seeds(document, seed="random") == ({("draw", "s", "seed"): 222}, {"seed": 111})
    assert seeds(document, offset=1, seed=5)[1] == {"seed": 6}


def test_a_group_in_itself_has_no_seed() -> None:
    inner = group({"g": step("group/draw")}, {"seed": "g.seed"}, "g.out")
    assert seeds(workflow(groups={"draw": inner}, g=step("group/draw", seed=5)), offset=1) == ({}, {})


def test_a_random_seed_may_come_by_a_named_input() -> None:
    document = workflow(inputs={"seed": "sample.seed"}, sample=step("sample", seed=7))
    assert seeds(document, seed="random") == ({}, {"seed": 111})


def test_further_runs_move_every_seed_on() -> None:
    document = workflow(
        inputs={"seed": "named.seed"},
        typed=step("sample", seed=5),
        default=step("sample"),
        named=step("sample"),
        last=step("sample", seed=MAX_SEED),
        other=step("plus", a=5),
    )
    changed, inputs = seeds(document, offset=2, seed=10)
    assert changed == {("", "typed", "seed"): 7, ("", "default", "seed"): 2, ("", "last", "seed"): 1}
    assert inputs == {"seed": 12}


def test_the_first_run_keeps_its_seeds() -> None:
    document = workflow(sample=step("sample", seed=5), text=step("note", text="random"))
    assert seeds(document) == ({}, {})


# -- guesses


def test_the_nearest_names_are_told_or_what_there_is() -> None:
    assert nearest("smaple", ["sample", "add"]) == "Did you mean sample?"
    assert nearest("xyz", ["b", "a"]) == "There is: b, a."
    assert nearest("xyz", []) == ""
