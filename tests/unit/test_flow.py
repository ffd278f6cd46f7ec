"""Branches, loops, lists and questions as plain functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from engine.context import Answer
from engine.errors import BadInput, Cancelled, Parked
from engine.types import MAX_SEED, Image, Value
from nodes import flow


class Branch:
    """A piece of graph that counts how often it was awaited."""

    def __init__(self, value: str) -> None:
        self.value, self.calls = value, 0

    async def __call__(self) -> str:
        self.calls += 1
        return self.value


async def add_turn(value: int, turn: int) -> int:
    return value + turn


@pytest.mark.parametrize("condition", [True, False])
async def test_choose_awaits_the_chosen_branch_only(condition: bool) -> None:
    yes, no = Branch("yes"), Branch("no")
    assert await flow.choose(condition, yes, no) == ("yes" if condition else "no")
    assert (yes.calls, no.calls) == (int(condition), int(not condition))


async def test_repeat_hands_each_result_to_the_next_turn() -> None:
    async def body(value: str, turn: int) -> str:
        return f"{value}{turn}"

    assert await flow.repeat(body, "x", 3) == "x012"


async def test_repeating_no_time_gives_the_start() -> None:
    assert await flow.repeat(add_turn, 5, 0) == 5


async def test_each_keeps_the_order_of_the_items_and_runs_them_side_by_side() -> None:
    started: list[int] = []
    all_started = asyncio.Event()

    async def body(item: int) -> int:
        started.append(item)
        if len(started) == 3:
            all_started.set()
        await all_started.wait()  # one after another would wait for ever
        return item * 10

    assert await asyncio.wait_for(flow.each(body, [3, 1, 2]), 10) == [30, 10, 20]


async def test_each_of_nothing_is_nothing() -> None:
    assert await flow.each(add_one, []) == []


async def add_one(item: int) -> int:
    return item + 1


@pytest.mark.parametrize("failure", [BadInput("x"), Cancelled()], ids=["an error", "a cancel"])
async def test_when_one_item_fails_the_others_are_finished_first(failure: BaseException) -> None:
    finished: list[int] = []

    async def body(item: int) -> int:
        if item == 0:
            raise failure
        await asyncio.sleep(0)
        finished.append(item)
        return item

    with pytest.raises(type(failure)):
        await flow.each(body, [1, 0, 2])
    assert sorted(finished) == [1, 2]


async def test_an_item_that_failed_is_said_before_one_that_waits_for_a_person() -> None:
    async def body(item: int) -> int:
        raise BadInput("x") if item else Parked()

    with pytest.raises(BadInput):
        await flow.each(body, [0, 1])


async def test_cancelling_each_stops_all_of_its_items() -> None:
    stopped: list[int] = []

    async def body(item: int) -> int:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(item)
        return item

    running = asyncio.ensure_future(flow.each(body, [1, 2]))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(stopped) == [1, 2]


async def under_ten(value: int) -> bool:
    return value < 10


async def double(value: int, turn: int) -> int:
    return value * 2


async def test_while_goes_on_as_long_as_the_condition_holds() -> None:
    assert await flow.while_(double, under_ten, 1, 100) == 16
    assert await flow.while_(double, under_ten, 1, 4) == 16


async def test_while_may_take_no_turn_at_all() -> None:
    assert await flow.while_(double, under_ten, 10, 1) == 10


async def test_a_loop_that_does_not_end_says_so() -> None:
    with pytest.raises(BadInput) as error:
        await flow.while_(double, under_ten, 1, 3)
    assert error.value.problems[0].input == "most"


async def test_retry_gives_the_first_good_result() -> None:
    tries: list[int] = []

    async def body(turn: int) -> int:
        tries.append(turn)
        return turn * 3

    async def good(value: int) -> bool:
        return value > 5

    assert await flow.retry(body, good, 10) == 6
    assert tries == [0, 1, 2]
    with pytest.raises(BadInput) as error:
        await flow.retry(body, good, 2)
    assert error.value.problems[0].input == "most"


def test_gather_lists_what_is_wired_in_order() -> None:
    assert flow.gather("x") == ["x"]
    assert flow.gather(3, None, 0, h=1) == [3, 0, 1]


def test_typed_lists_are_themselves() -> None:
    assert flow.list_of_numbers([1.5]) == [1.5]
    assert flow.list_of_whole_numbers([3, 1]) == [3, 1]
    assert flow.list_of_texts(["a"]) == ["a"]


def test_ranges_count_and_reach_both_ends() -> None:
    assert flow.range_(7, 3) == [7, 8, 9]
    assert flow.range_(0, 3, -2) == [0, -2, -4]
    assert flow.range_(count=0) == []
    assert flow.number_range(0, 1, 5) == [0, 0.25, 0.5, 0.75, 1]
    assert flow.number_range(2, 9, 1) == [2]
    assert flow.number_range(count=0) == []
    assert flow.number_range(-1e308, 1e308, 3) == [-1e308, 0, 1e308]


@pytest.mark.parametrize(
    "make",
    [
        lambda: flow.range_(count=100_001),
        lambda: flow.number_range(count=100_001),
        lambda: flow.range_(MAX_SEED, 2),
        lambda: flow.concatenate([0] * 60_000, [0] * 60_000),
        lambda: flow.cross_product([0] * 1000, [0] * 1000),
    ],
    ids=["range", "number_range", "too far", "concatenate", "cross_product"],
)
def test_no_list_and_no_range_grows_beyond_the_limit(make: Callable[[], object]) -> None:
    with pytest.raises(BadInput):
        make()


def test_items_are_picked_from_both_ends() -> None:
    assert [flow.pick(["a", "b", "c"], index) for index in (0, 2, -1, -3)] == ["a", "c", "c", "a"]


@pytest.mark.parametrize(("items", "index"), [(["a"], 1), (["a"], -2), ([], 0)])
def test_an_item_that_is_not_there_is_refused(items: list[str], index: int) -> None:
    with pytest.raises(BadInput) as error:
        flow.pick(items, index)
    assert error.value.problems[0].input == "index"


def test_lists_are_counted_cut_joined_turned_and_sorted() -> None:
    assert flow.count([1, 2]) == 2
    assert flow.take([1, 2, 3, 4], 2, 1) == [2, 3]
    assert flow.take([1], 5) == [1]
    assert flow.concatenate([1], [2, 3]) == [1, 2, 3]
    assert flow.reverse([1, 2]) == [2, 1]
    assert flow.sort_numbers([2, 1, 3]) == [1, 2, 3]
    assert flow.sort_numbers([2, 1, 3], descending=True) == [3, 2, 1]


def test_items_are_ranked_by_their_scores() -> None:
    assert flow.rank(["a", "b", "c", "d"], [1.0, 3.0, 3.0, 2.0]) == (
        ["b", "c", "d", "a"],
        [3, 3, 2, 1],
        [1, 2, 3, 0],
    )
    assert flow.rank(["a", "b", "c"], [1.0, 3.0, 1.0], ascending=True).items == ["a", "c", "b"]
    assert flow.rank([], []).items == []
    with pytest.raises(BadInput, match=r"scores.*2, one for each item"):
        flow.rank(["a", "b"], [1.0])


def test_a_cross_product_pairs_all_with_all_the_second_fastest() -> None:
    crossed = flow.cross_product(["a", "b"], [1, 2, 3])
    assert crossed.a == ["a", "a", "a", "b", "b", "b"]
    assert crossed.b == [1, 2, 3, 1, 2, 3]
    assert flow.cross_product([], [1]) == ([], [])


def person(choice: str) -> tuple[list[tuple[str, list[str], int]], Answer]:
    """Somebody who always gives one answer, and the questions they were asked."""
    asked: list[tuple[str, list[str], int]] = []

    async def answer(question: str, options: Sequence[str], pictures: Sequence[Value]) -> str:
        asked.append((question, list(options), len(pictures)))
        return choice

    return asked, answer


def shade(value: int) -> Image:
    return Image(np.full((4, 4, 3), value, np.uint8))


async def test_a_person_is_asked_and_the_answer_goes_on() -> None:
    asked, answer = person("no")
    assert await flow.ask("Well?", ["yes", "no"], [shade(1)], answer) == ("no", 1)
    assert asked == [("Well?", ["yes", "no"], 1)]


async def test_without_a_person_the_first_option_is_taken() -> None:
    assert await flow.ask("Well?", ["yes", "no"]) == ("yes", 0)


@pytest.mark.parametrize("options", [[], ["a", "a"]])
async def test_a_question_needs_options_that_differ(options: list[str]) -> None:
    with pytest.raises(BadInput, match="options"):
        await flow.ask("Well?", options)


async def test_an_answer_that_is_no_option_is_refused() -> None:
    _, answer = person("maybe")
    with pytest.raises(BadInput, match="maybe"):
        await flow.ask("Well?", ["yes", "no"], None, answer)


async def test_a_person_picks_one_of_several_pictures() -> None:
    asked, answer = person("2")
    images = [shade(1), shade(2), shade(3)]
    assert await flow.pick_with_me(images, answer=answer) is images[1]
    assert asked == [("Which picture do you like best?", ["1", "2", "3"], 3)]
    with pytest.raises(BadInput, match="images"):
        await flow.pick_with_me([], answer=answer)


def test_a_note_does_nothing() -> None:
    flow.note("remember the milk")
