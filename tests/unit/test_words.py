"""Text nodes as plain functions."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import BadInput, Problem
from nodes import words


def problem_of(error: pytest.ExceptionInfo[BadInput]) -> Problem:
    return error.value.problems[0]


def test_texts_are_joined_with_what_stands_between_them() -> None:
    assert words.join(["a", "", "b"], ", ") == "a, , b"
    assert words.join([]) == ""
    assert words.join_two("a", "b", ", ") == "a, b"


def test_joining_two_leaves_no_separator_beside_an_empty_text() -> None:
    assert words.join_two("", "b", ", ") == "b"
    assert words.join_two("a", "", ", ") == "a"


def test_a_template_is_filled_from_wires_and_from_an_object() -> None:
    text = words.template("a {a} {thing}, {b} of {n}", "red", 3.0, values={"thing": "circle", "n": 4.5})
    assert text == "a red circle, 3 of 4.5"


def test_a_wired_name_wins_over_the_object() -> None:
    assert words.template("{a}", "wired", values={"a": "typed"}) == "wired"


def test_doubled_braces_are_braces() -> None:
    assert words.template("{{a}} {{{a}}}", "x") == "{a} {x}"


def test_any_json_value_reads_well_in_a_template() -> None:
    values = {"yes": True, "none": None, "many": ["red", 2, 0.5], "deep": {"x": 1}}
    assert words.template("{yes}|{none}|{many}|{deep}", values=values) == "true||red, 2, 0.5|x: 1"


@pytest.mark.parametrize("hostile", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>9999999}", "{}", "{0}", "{a }"])
def test_a_placeholder_is_a_name_and_never_an_expression(hostile: str) -> None:
    with pytest.raises(BadInput) as error:
        words.template(hostile, "x")
    assert problem_of(error).input == "text"
    assert "{a}" in problem_of(error).want


def test_an_unknown_placeholder_lists_the_known_ones() -> None:
    with pytest.raises(BadInput) as error:
        words.template("{color}", "x", values={"colour": "red"})
    assert problem_of(error).got == "{color}"
    assert problem_of(error).want == "a name of: {colour}, {a}"


@pytest.mark.parametrize("text", ["{", "}", "a { b", "{a} }"])
def test_a_lone_brace_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(BadInput, match=r"\{\{|\}\}"):
        words.template(text, "x")


@pytest.mark.parametrize("values", [[1], "text", 3])
def test_the_values_of_a_template_are_an_object(values: object) -> None:
    with pytest.raises(BadInput, match="values"):
        words.template("x", values=values)


@given(st.text())
def test_a_text_without_braces_is_its_own_template(text: str) -> None:
    plain = text.replace("{", "").replace("}", "")
    assert words.template(plain) == plain
    assert words.template(text.replace("{", "{{").replace("}", "}}")) == text


def test_plain_text_is_replaced_letter_by_letter() -> None:
    assert words.replace("a.b.c", ".", "*") == "a*b*c"
    assert words.replace("Red red", "red", "blue") == "Red blue"
    assert words.replace("Red red", "red", r"\1", ignore_case=True) == r"\1 \1"


@pytest.mark.parametrize(
    ("text", "find", "expected"),
    [
        ("a (b) c (d)", "(*)", "a X c X"),
        ("one two\none", "two*", "one X\none"),
        ("one: two\nx: y", "*: ", "Xtwo\nXy"),
        ("cat cut coat", "c?t", "X X coat"),
        ("a\nb", "a*b", "a\nb"),
        ("abab", "a**b", "XX"),
        ("one\n\ntwo", "*", "X\n\nX"),
        ("a.b", "a.*", "X"),
        ("axb", "a.*", "axb"),
    ],
)
def test_wildcards_find_as_little_as_will_do(text: str, find: str, expected: str) -> None:
    assert words.replace(text, find, "X", "wildcard") == expected


@given(st.text("ab\n", max_size=12), st.text("ab*?", min_size=1, max_size=6))
def test_wildcards_agree_with_the_lazy_regular_expression(text: str, find: str) -> None:
    assume(find.strip("*"))
    lazy = find.rstrip("*").replace("?", ".").replace("*", ".*?") + (".*" if find.endswith("*") else "")
    assert words.replace(text, find, "X", "wildcard") == re.sub(lazy, "X", text)


def test_no_wildcard_is_slow() -> None:
    started = time.process_time()
    assert words.replace("a" * 50_000, "*a" * 90 + "b", "", "wildcard") == "a" * 50_000
    assert time.process_time() - started < 5  # a backtracking expression would not end at all


def test_lines_are_picked_by_number() -> None:
    text = "# colours\nred\n\n  green  \nblue"
    assert [words.pick_line(text, index) for index in (0, 1, -1)] == ["red", "green", "blue"]


def test_a_seed_picks_a_line_and_always_the_same() -> None:
    text = "\n".join(f"line {i}" for i in range(10))
    picked = [words.pick_line(text, seed=seed) for seed in range(40)]
    assert picked == [words.pick_line(text, seed=seed) for seed in range(40)]
    assert len(set(picked)) > 5


@pytest.mark.parametrize(
    ("text", "index", "place"), [("red", 1, "index"), ("red", -2, "index"), (" \n#x", None, "text")]
)
def test_a_line_that_is_not_there_is_refused(text: str, index: int | None, place: str) -> None:
    with pytest.raises(BadInput) as error:
        words.pick_line(text, index)
    assert problem_of(error).input == place


def test_a_text_is_split_into_what_stands_between_separators() -> None:
    assert words.split("a\n\n b \nc") == ["a", "b", "c"]
    assert words.split("a, b,,c", ",", keep_empty=True) == ["a", "b", "", "c"]
    assert words.split(" two  words ", "") == ["two", "words"]
    assert words.split("") == []


@pytest.mark.parametrize(
    ("to", "expected"),
    [("lower", "a red dot"), ("upper", "A RED DOT"), ("title", "A Red Dot"), ("sentence", "A red dot")],
)
def test_case_is_changed_as_asked(to: words.Case, expected: str) -> None:
    assert words.change_case("a Red dot", to) == expected


def test_space_around_and_inside_a_text_goes() -> None:
    text = " \n a  \n b "
    assert words.strip(text) == "a  \n b"
    assert words.strip(text, inside=True) == "a b"


def test_questions_about_a_text_are_answered() -> None:
    assert words.length("four") == 4
    assert words.contains("A red circle", "red")
    assert not words.contains("A red circle", "RED")
    assert words.contains("A red circle", "RED", ignore_case=True)
    assert words.same_text("Straße", "STRASSE", ignore_case=True)
    assert not words.same_text("a", "A")


@pytest.mark.parametrize(
    ("number", "digits", "expected"),
    [(3.0, None, "3"), (0.25, None, "0.25"), (-0.0, None, "0"), (3.0, 2, "3.00"), (1e9, None, "1000000000")],
)
def test_a_number_is_written_in_digits(number: float, digits: int | None, expected: str) -> None:
    assert words.number_to_text(number, digits) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_and_read_again_is_the_same(number: float) -> None:
    assert words.text_to_number(words.number_to_text(number)) == number


@pytest.mark.parametrize("text", ["", "twelve", "nan", "inf", "1e999", "1_000", "0x10", "١٢", "1 2"])
def test_only_digits_are_read_as_a_number(text: str) -> None:
    with pytest.raises(BadInput, match="text"):
        words.text_to_number(text)


@pytest.mark.parametrize(
    "grow",
    [
        lambda text: words.join([text, text]),
        lambda text: words.join_two(text, text),
        lambda text: words.template("{a}{a}", text),
        lambda text: words.replace(text, "x", "y" * 100),
        lambda text: words.change_case("ß" * len(text), "upper"),
    ],
    ids=["join", "join_two", "template", "replace", "change_case"],
)
def test_no_text_grows_beyond_the_limit(grow: object) -> None:
    assert callable(grow)
    assert len(grow("x" * 1000)) > 1000
    with pytest.raises(BadInput, match="1,000,000"):
        grow("x" * 600_000)


def test_a_list_of_lines_has_a_limit_too() -> None:
    with pytest.raises(BadInput, match="100,000"):
        words.split("\n" * 200_000, keep_empty=True)
