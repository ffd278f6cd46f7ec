"""Arithmetic nodes as plain functions."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.types import MAX_SEED
from nodes import maths

numbers = st.floats(allow_nan=True, allow_infinity=True)
extremes = st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 0.5, -8.0, 2.0**60])
TWO = [
    maths.add, maths.subtract, maths.multiply, maths.divide, maths.modulo, maths.power, maths.minimum,
    maths.maximum, maths.interpolate, maths.clamp, maths.remap, maths.random_number,
]  # fmt: skip
ONE = [
    maths.number, maths.absolute, maths.negate, maths.square_root, maths.round_, maths.floor, maths.ceiling,
    maths.to_whole_number,
]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "inputs", "result"),
    [
        (maths.add, (1.5, 2), 3.5),
        (maths.subtract, (1, 2.5), -1.5),
        (maths.multiply, (3, 0.5), 1.5),
        (maths.divide, (1, 4), 0.25),
        (maths.modulo, (-1, 3), 2.0),
        (maths.power, (2, 10), 1024.0),
        (maths.power, (-2, 3), -8.0),
        (maths.power, (0, 0), 1.0),
        (maths.minimum, (2, -1), -1.0),
        (maths.maximum, (2, -1), 2.0),
        (maths.absolute, (-2,), 2.0),
        (maths.negate, (2,), -2.0),
        (maths.square_root, (9,), 3.0),
        (maths.round_, (2.5,), 2.0),
        (maths.round_, (3.14159, 2), 3.14),
        (maths.round_, (1234.0, -2), 1200.0),
        (maths.floor, (-0.5,), -1.0),
        (maths.ceiling, (0.2,), 1.0),
        (maths.clamp, (5, 0, 1), 1.0),
        (maths.interpolate, (10, 20, 0.25), 12.5),
        (maths.remap, (5, 0, 10, 0, 100), 50.0),
        (maths.remap, (5, 10, 0, 0, 100), 50.0),
        (maths.sum_of, ([0.1] * 10,), 1.0),
        (maths.sum_of, ([],), 0.0),
        (maths.mean_of, ([1, 2, 6],), 3.0),
        (maths.mean_of, ([1e308, 1e308],), 1e308),
        (maths.largest_of, ([1, 3, 2],), 3.0),
        (maths.smallest_of, ([2, 1, 3],), 1.0),
    ],
)
def test_a_node_computes_what_its_name_says(
    node: Callable[..., float], inputs: tuple[object, ...], result: float
) -> None:
    found = node(*inputs)
    assert found == pytest.approx(result, rel=1e-12)
    assert type(found) is float


@pytest.mark.parametrize(
    ("node", "inputs", "place"),
    [
        (maths.divide, (1, 0), "b"),
        (maths.modulo, (1, 0), "b"),
        (maths.power, (0, -1), "b"),
        (maths.power, (-8, 1 / 3), "b"),
        (maths.power, (10, 400), "b"),
        (maths.multiply, (1e200, 1e200), "b"),
        (maths.add, (10**400, 1), "b"),
        (maths.square_root, (-1,), "a"),
        (maths.clamp, (0, 1, 0), "low"),
        (maths.remap, (1, 2, 2), "from_high"),
        (maths.to_whole_number, (1e300,), "a"),
        (maths.to_whole_number, (math.inf,), "a"),
        (maths.number, (math.nan,), "value"),
        (maths.mean_of, ([],), "numbers"),
        (maths.largest_of, ([],), "numbers"),
        (maths.smallest_of, ([],), "numbers"),
        (maths.sum_of, ([1e308, 1e308],), "numbers"),
        (maths.random_number, (1, 0), "low"),
        (maths.random_whole_number, (1, 0), "low"),
    ],
)
def test_what_has_no_result_is_refused_with_its_place_and_a_remedy(
    node: Callable[..., float], inputs: tuple[object, ...], place: str
) -> None:
    with pytest.raises(BadInput) as caught:
        node(*inputs)
    (problem,) = caught.value.problems
    assert problem.input == place
    assert problem.got
    assert problem.want
    assert problem.remedy


@pytest.mark.parametrize("node", TWO, ids=lambda node: node.__name__)
@given(a=numbers | extremes, b=numbers | extremes)
@example(a=1e308, b=1e308)
@example(a=-1e308, b=0.5)
def test_no_infinity_and_no_nan_leaves_a_node_of_two_numbers(
    node: Callable[[float, float], float], a: float, b: float
) -> None:
    with contextlib.suppress(BadInput):
        assert math.isfinite(node(a, b))


@pytest.mark.parametrize("node", ONE, ids=lambda node: node.__name__)
@given(a=numbers | extremes)
@example(a=math.nan)
def test_no_infinity_and_no_nan_leaves_a_node_of_one_number(node: Callable[[float], float], a: float) -> None:
    try:
        assert math.isfinite(node(a))
    except BadInput:
        assert a < 0 or abs(a) > MAX_SEED or math.isnan(a)


@pytest.mark.parametrize(
    ("how", "expected"), [("nearest", -2), ("down", -3), ("up", -2), ("towards zero", -2)]
)
def test_a_number_becomes_whole_in_the_way_asked_for(how: maths.Rounding, expected: int) -> None:
    found = maths.to_whole_number(-2.5, how)
    assert found == expected
    assert type(found) is int


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("=", [False, True, False]),
        ("!=", [True, False, True]),
        (">=", [False, True, True]),
        (">", [False, False, True]),
    ],
)
def test_compare_knows_every_operator_of_its_menu(operator: maths.Operator, expected: list[bool]) -> None:
    assert [maths.compare(a, 2, operator) for a in (1, 2, 3)] == expected


@pytest.mark.parametrize(("a", "b"), [(False, False), (False, True), (True, False), (True, True)])
def test_logic_is_logic(a: bool, b: bool) -> None:
    assert maths.both(a, b) is (a and b)
    assert maths.either(a, b) is (a or b)
    assert maths.not_(a) is (not a)


def test_constants_give_what_was_typed_in() -> None:
    assert maths.number(1.5) == 1.5
    assert maths.whole_number(-3) == -3
    assert maths.seed(7) == 7
    assert maths.truth(False) is False


def test_chance_is_settled_by_the_seed_alone() -> None:
    # these values are part of every saved result: another Python must draw the same
    assert maths.random_number(0, 1, 42) == 0.6394267984578837
    assert [maths.random_whole_number(1, 6, seed) for seed in range(8)] == [6, 1, 6, 2, 2, 4, 5, 2]


@given(low=st.integers(-MAX_SEED, MAX_SEED), width=st.integers(0, 10), seed=st.integers(0, MAX_SEED))
def test_a_random_whole_number_keeps_its_limits(low: int, width: int, seed: int) -> None:
    high = min(low + width, MAX_SEED)
    assert low <= maths.random_whole_number(low, high, seed) <= high


@given(low=numbers, high=numbers, seed=st.integers(0, MAX_SEED))
def test_a_random_number_keeps_its_limits(low: float, high: float, seed: int) -> None:
    try:
        assert low <= maths.random_number(low, high, seed) <= high
    except BadInput:
        assert not low <= high or math.isinf(low) or math.isinf(high)


def test_every_turn_of_a_loop_gets_a_seed_of_its_own_within_the_limit() -> None:
    assert [maths.next_seed(7, turn) for turn in range(3)] == [8, 9, 10]
    assert maths.next_seed(MAX_SEED, 0) == 0
