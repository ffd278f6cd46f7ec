"""Previews wait for their checker, and drawing does not; what nobody let out stays."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engine.cache import Cached
from engine.config import Settings
from engine.digest import digest, digest_of_list
from engine.errors import GateClosed
from engine.gate import Glimpses, Vouched
from engine.planner import Planner
from engine.policy import guard_for
from engine.registry import Registry
from engine.safety import rules_of
from engine.types import Artifact, Image
from engine.workflow import parse
from tests.gatekeepers import BAD, GOOD, Log, gated, shades
from tests.planned import PLANNER, plan
from tests.toys import step, workflow

CHECK = Planner(gated()).shape("check_safety")


def flat(shade: int) -> Image:
    return Image(np.full((8, 8, 3), shade, np.uint8))


def test_drawing_goes_on_while_a_slow_checker_looks_and_the_newest_preview_counts() -> None:
    Log.now = log = Log()
    log.slow = threading.Event()
    shown: list[tuple[str, set[int]]] = []
    with ThreadPoolExecutor(1) as pool:
        glimpses = Glimpses(
            CHECK, lambda place, image: shown.append((place, shades(image))), contextvars.copy_context(), pool
        )
        glimpses.offer("a", flat(GOOD))
        assert log.began.wait(10)
        for shade in (1, 2, BAD, 3):
            glimpses.offer("a", flat(shade))
        glimpses.offer("b", flat(BAD))
        assert shown == []
        log.slow.set()
    assert shown == [("a", {GOOD}), ("a", {3})]
    assert log.looked == 3


def test_a_preview_that_cannot_be_checked_is_not_shown() -> None:
    Log.now = log = Log()
    log.broken = True
    shown: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        for check in (CHECK, None):
            glimpses = Glimpses(check, lambda place, _: shown.append(place), contextvars.copy_context(), pool)
            glimpses.offer("a", flat(GOOD))
    assert shown == []


def test_only_plain_data_and_what_was_let_out_may_leave() -> None:
    vouched, one, other = Vouched(), flat(1), flat(2)
    vouched.add(Cached((one, other), (digest(one), digest(other))), 0)
    assert vouched.may_leave(one)
    assert vouched.may_leave([one, one])
    assert vouched.may_leave({"a": [1, "two", None]})
    assert not vouched.may_leave(other)
    assert not vouched.may_leave([one, other])
    assert not vouched.may_leave({"a": [other]})
    assert not vouched.may_leave(one, digest_of_list([b"another mark"]))


def test_without_a_node_that_looks_nothing_leaves_that_may_show_anything() -> None:
    known = Planner(Registry())
    guard = guard_for(0, rules_of(Settings()), known.shape)
    assert guard is not None
    numbers = plan(workflow({"out": "a.out"}, a=step("add", a=1, b=2)))
    assert len(guard.plan(numbers).steps) == 1
    with pytest.raises(GateClosed, match="No node here"):
        guard.plan(plan(workflow({"out": "a.out"}, a=step("painted", level=1))))


def test_effects_that_only_note_something_are_no_exits() -> None:
    guard = guard_for(0, rules_of(Settings()), Planner(Registry.core()).shape)
    assert guard is not None
    document = workflow({"s": "r.value"}, r=step("record_score", metric="sharpness", value=1.0, picture="x"))
    files = {"x": Artifact("0" * 64, "image/png", 1)}
    noted = PLANNER.plan(parse(document), files=files)
    assert [one.id for one in guard.plan(noted).steps] == ["r"]
