"""What a running node may say: progress, a picture, and whether to go on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from engine.context import SILENT, Context, nobody
from engine.errors import Cancelled
from engine.types import Image


def test_tracking_reports_what_is_done() -> None:
    said: list[float] = []
    assert list(Context(progress=said.append).track("abcd")) == ["a", "b", "c", "d"]
    assert said == [0.25, 0.5, 0.75, 1.0]


def test_a_total_makes_a_stream_measurable() -> None:
    said: list[float] = []
    ctx = Context(progress=said.append)
    assert list(ctx.track(iter("ab"), total=2)) == ["a", "b"]
    assert said == [0.5, 1.0]
    assert list(ctx.track(iter("ab"))) == ["a", "b"]
    assert said == [0.5, 1.0]


def test_a_cancelled_node_stops_before_the_next_item() -> None:
    done: list[int] = []
    ctx = Context(cancelled=lambda: len(done) == 2)
    with pytest.raises(Cancelled):
        done.extend(ctx.track(range(5)))
    assert done == [0, 1]


def test_progress_is_also_a_place_to_stop() -> None:
    with pytest.raises(Cancelled):
        Context(cancelled=lambda: True).progress(0.5)


def test_cancelling_passes_a_nodes_except_exception() -> None:
    def careless(ctx: Context) -> None:
        try:
            ctx.check()
        except Exception:
            pytest.fail("swallowed")

    with pytest.raises(Cancelled):
        careless(Context(cancelled=lambda: True))


def test_a_preview_reaches_whoever_watches() -> None:
    seen: list[Image] = []
    image = Image(np.zeros((2, 2, 3), np.uint8))
    Context(preview=seen.append).preview(image)
    assert seen == [image]


def test_a_node_called_plainly_talks_to_nobody() -> None:
    def items() -> Iterator[int]:
        yield from SILENT.track([1, 2])
        SILENT.progress(1.0)

    assert list(items()) == [1, 2]
    assert SILENT.thrift == 0


async def test_nobody_answers_with_the_first_option() -> None:
    assert await nobody("Which?", ["left", "right"], ()) == "left"
    assert await nobody("Which?", [], ()) == ""
