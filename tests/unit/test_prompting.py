"""Marks in a prompt: what they mean, and that no text breaks them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import prompting
from engine.errors import BadInput
from engine.prompting import Part, Piece, Stage
from nodes.load import Loaded, load_model
from nodes.text import count_tokens, encode_text

MARKS = st.text("ab (((:|)))[[]]\\0.51 BREAK", max_size=60)
PLAIN = st.text(max_size=60).filter(lambda text: not set("()[]\\") & set(text) and "BREAK" not in text)


def said(text: str) -> list[Part]:
    """What a prompt says that does not change."""
    [stage] = prompting.stages(text)
    [turn] = stage.turns
    return turn


def words(text: str) -> list[tuple[float, list[str]]]:
    """When a prompt says what, without weights and parts."""
    return [
        (
            stage.since,
            ["".join(piece.text for part in turn for piece in part).strip() for turn in stage.turns],
        )
        for stage in prompting.stages(text)
    ]


def weights(text: str) -> dict[str, float]:
    return {piece.text.strip(): round(piece.weight, 6) for part in said(text) for piece in part}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a (red:1.2) circle", {"a": 1, "red": 1.2, "circle": 1}),
        ("a (red) circle", {"a": 1, "red": 1.1, "circle": 1}),
        ("a ((red)) circle", {"a": 1, "red": 1.21, "circle": 1}),
        ("a [red] circle", {"a": 1, "red": round(1 / 1.1, 6), "circle": 1}),
        ("(a (red:2):1.5)", {"a": 1.5, "red": 3}),
        ("(a [b]:1.1)", {"a": 1.1, "b": 1}),
        ("(red: 1.3 ) (blue:.5) (green:2.)", {"red": 1.3, "": 1, "blue": 0.5, "green": 2}),
        ("(red:-1)", {"red": -1}),
        ("(red:0)", {"red": 0}),
        ("(red:big)", {"red:big": 1.1}),
        ("[red:big]", {"red:big": round(1 / 1.1, 6)}),
        ("(red:1.2 circle)", {"red:1.2 circle": 1.1}),
        (r"\(red\) (circle\):1.3)", {"(red)": 1, "circle)": 1.3}),
        (r"C:\pictures \\(a)", {"C:\\pictures \\": 1, "a": 1.1}),
        (":) and :(", {":) and :(": 1}),
        ("(a [b) c]", {"a [b": 1.1, "c]": 1}),
        ("(a:99999999999999999999)", {"a": 100}),
    ],
)
def test_brackets_weigh_words(text: str, wanted: dict[str, float]) -> None:
    assert weights(text) == wanted


def test_break_begins_a_new_part_also_inside_brackets() -> None:
    assert said("a BREAK b") == [[Piece("a")], [Piece("b")]]
    assert said("(a\nBREAK\nb:2) c") == [[Piece("a", 2.0)], [Piece("b", 2.0), Piece(" c")]]
    assert said("BREAK a BREAK BREAK b BREAK") == [[Piece("a")], [Piece("b")]]
    assert said("BREAKING the day") == [[Piece("BREAKING the day")]]
    assert said("BREAK") == [[]]


def test_words_switch_at_a_part_of_the_steps_or_at_a_step() -> None:
    assert words("a [cat:dog:0.5]") == [(0, ["a cat"]), (0.5, ["a dog"])]
    assert words("[cat:0.25]") == [(0, [""]), (0.25, ["cat"])]
    assert words("[cat::0.25]") == [(0, ["cat"]), (0.25, [""])]
    assert words("[cat:dog:10]") == [(0, ["cat"]), (10, ["dog"])]
    assert words("[a:[b:c:0.8]:0.4]") == [(0, ["a"]), (0.4, ["b"]), (0.8, ["c"])]
    assert words("[a:b:0.5] [c:d:0.2]") == [(0, ["a c"]), (0.2, ["a d"]), (0.5, ["b d"])]
    assert words("[cat:dog:0]") == [(0, ["dog"])]
    assert words("[cat:dog:1.0]") == [(0, ["cat"])]
    assert words("[a:b:c:0.5]") == [(0, ["a:b:c:0.5"])]


def test_words_take_turns_at_each_step() -> None:
    assert words("a [cat|dog]") == [(0, ["a cat", "a dog"])]
    assert words("[a|b|]") == [(0, ["a", "b", ""])]
    assert words("[a|b] [c|d|e]") == [(0, ["a c", "b d", "a e", "b c", "a d", "b e"])]
    assert words("[[a|b]:c:0.5]") == [(0, ["a", "b"]), (0.5, ["c"])]
    assert words("[a|a]") == [(0, ["a"])]
    assert words("a|b") == [(0, ["a|b"])]


def test_weights_reach_into_what_changes() -> None:
    before, after = prompting.stages("([cat:(dog:2):0.5]:1.5)")
    assert (before.turns, after.turns) == ([[[Piece("cat", 1.5)]]], [[[Piece("dog", 3.0)]]])


def test_a_switch_is_seen_from_the_step_after_that_part() -> None:
    assert [prompting.begins(since, 20) for since in (0.0, 0.5, 0.99, 1.0, 10.0)] == [0, 10, 19, 1, 10]


@given(MARKS)
def test_no_text_is_refused_for_its_marks(text: str) -> None:
    tree = prompting.parse(text)
    for turn in range(3):
        assert all(abs(piece.weight) <= 100 for part in prompting.parts(tree, 0.5, turn) for piece in part)


@given(PLAIN)
def test_a_text_without_marks_is_one_piece_as_it_stands(text: str) -> None:
    assert prompting.stages(text) == [Stage(0.0, [prompting.literal(text) if text else [[]]])]


@given(st.text(max_size=40))
def test_escaped_marks_are_ordinary_characters(text: str) -> None:
    plain = text.replace("BREAK", "")
    escaped = "".join("\\" + letter if letter in "()[]:|\\" else letter for letter in plain)
    assert said(escaped) == ([[Piece(plain)]] if plain else [[]])


@given(st.floats(0.1, 3), st.floats(0.1, 3))
def test_weights_multiply_when_nested(inner: float, outer: float) -> None:
    [[piece]] = said(f"((red:{inner:.3f}):{outer:.3f})")
    assert piece.weight == pytest.approx(float(f"{inner:.3f}") * float(f"{outer:.3f}"))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("[a:b:0.5] [c:d:10]", "one kind of switch"),
        ("[a|b] [a|b|c] [a|b|c|d|e] [a|b|c|d|e|f|g]", "at most 200"),
        ("".join(f"[a:b:0.{number}]" for number in range(10, 90)) + "[a|b|c]", "at most 200"),
    ],
)
def test_what_changes_in_no_order_or_too_often_is_refused(text: str, want: str) -> None:
    with pytest.raises(BadInput, match=want):
        prompting.stages(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "(" * 10_000 + "]" * 10_000,
        "[" * 5_000 + "a:" * 5_000 + ":0.5]" * 1_000,
        "([:|" * 3_000 + ")]" * 4_000,
    ],
)
def test_no_text_is_slow(text: str) -> None:
    started = time.process_time()
    prompting.stages(text)
    assert time.process_time() - started < 5


# -- what a text encoder makes of it


@pytest.fixture(scope="module")
def model() -> Loaded:
    return load_model("starter")


def read(model: Loaded, text: str, **options: Any) -> Any:
    return encode_text(model.text_encoder, text, **options).embeds


@pytest.mark.model
def test_weights_of_1_and_marks_that_are_off_change_no_bit(model: Loaded) -> None:
    plain = read(model, "a red circle")
    np.testing.assert_array_equal(read(model, "a (red:1) (circle:1.0)"), plain)
    np.testing.assert_array_equal(
        read(model, r"a \(red\) circle"), read(model, "a (red) circle", marks="off")
    )
    np.testing.assert_array_equal(read(model, "a BREAK b", marks="off"), read(model, "a break b"))
    assert not encode_text(model.text_encoder, "[a:b:0.5]", marks="off").stages


@pytest.mark.model
@pytest.mark.parametrize("marks", ["a1111", "comfyui"])
def test_a_weight_moves_its_word_and_more_of_it_moves_it_further(model: Loaded, marks: Any) -> None:
    plain = read(model, "a red circle on a blue background")
    far = []
    for weight in (1.1, 1.5, 2.0):
        moved = np.abs(read(model, f"a (red:{weight}) circle on a blue background", marks=marks) - plain)
        assert moved[2].max() > 3 * np.delete(moved, 2, 0).max()  # after the start token and "a"
        far.append(moved[2].max())
    assert far == sorted(far)


@pytest.mark.model
def test_weighing_as_comfyui_does_goes_on_from_the_empty_prompt(model: Loaded) -> None:
    plain, empty = read(model, "red"), read(model, "")
    np.testing.assert_allclose(
        read(model, "(red:1.5)", marks="comfyui")[1],
        empty[1] + 1.5 * (plain[1] - empty[1]),
        rtol=1e-5,
        atol=1e-6,
    )


def test_weighing_as_a1111_does_keeps_the_mean_where_there_is_one() -> None:
    import torch

    from nodes._lib.weighing import weighed

    generator = torch.Generator().manual_seed(1)
    high = torch.randn(77, 32, generator=generator) + 1
    low = high - high.mean()
    nothing = lambda: torch.zeros(77, 32)  # noqa: E731
    assert weighed(high, [1.0, 2.0], "a1111", nothing).mean() == pytest.approx(float(high.mean()), rel=1e-5)
    torch.testing.assert_close(weighed(low, [1.0, 2.0], "a1111", nothing)[2], low[2] * 2)
    torch.testing.assert_close(weighed(low, [1.0, 2.0], "a1111", nothing)[5], low[5])
    assert weighed(high, [1.0, 1.0], "a1111", nothing) is high


@pytest.mark.model
def test_a_break_reads_each_side_alone(model: Loaded) -> None:
    np.testing.assert_array_equal(
        read(model, "red BREAK a blue circle"),
        np.concatenate([read(model, "red"), read(model, "a blue circle")]),
    )


@pytest.mark.model
def test_a_prompt_that_changes_carries_all_its_readings(model: Loaded) -> None:
    found = encode_text(model.text_encoder, "a [red|blue] [circle:square:0.5]")
    texts = [[["a red circle", "a blue circle"], ["a red square", "a blue square"]][i] for i in range(2)]
    assert [stage.since for stage in found.stages] == [0, 0.5]
    for stage, wanted in zip(found.stages, texts, strict=True):
        for turn, text in zip(stage.turns, wanted, strict=True):
            np.testing.assert_array_equal(turn.embeds, read(model, text))
    np.testing.assert_array_equal(found.embeds, read(model, "a red circle"))


@pytest.mark.model
def test_tokens_are_counted_without_marks_and_cut_into_parts(model: Loaded) -> None:
    encoder = model.text_encoder
    assert count_tokens(encoder, "a (red:1.2) circle") == (3, 1, ["a", "red", "circle"])
    assert count_tokens(encoder, "") == (0, 1, [])
    assert count_tokens(encoder, "a BREAK red").parts == 2
    assert count_tokens(encoder, "red " * 76)[:2] == (76, 2)
    assert count_tokens(encoder, "[a:a red circle:0.5]").tokens == 3
    assert count_tokens(encoder, "(red)", marks="off").pieces == ["(", "red", ")"]
