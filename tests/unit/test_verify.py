"""A recorded run beside its repetition."""

from __future__ import annotations

from typing import Any

from engine.verify import compare

BEFORE: dict[str, Any] = {
    "nodes": {"sample": 1, "add": 2},
    "packs": {},
    "models": {"starter": "aa"},
    "environment": {"torch": "2.14", "device": "cpu"},
    "outputs": {"picture": "11", "number": "22"},
}


def test_the_same_again_is_equal() -> None:
    verdict = compare("run", BEFORE, dict(BEFORE))
    assert (verdict.equal, verdict.differs) == (True, [])
    assert verdict.outputs == {"picture": True, "number": True}


def test_an_output_that_differs_is_named_with_what_may_be_the_reason() -> None:
    after = {**BEFORE, "outputs": {"picture": "12", "number": "22"}, "models": {"starter": "bb"}}
    after["environment"] = {"torch": "2.15", "device": "cpu"}
    verdict = compare("run", BEFORE, after)
    assert not verdict.equal
    assert verdict.outputs == {"picture": False, "number": True}
    assert verdict.differs == ["models.starter: aa then, bb now", "environment.torch: 2.14 then, 2.15 now"]


def test_what_is_new_or_gone_differs_too() -> None:
    after = {**BEFORE, "nodes": {"sample": 1, "subtract": 1}, "outputs": {"picture": "11"}}
    verdict = compare("run", BEFORE, after)
    assert verdict.outputs == {"picture": True, "number": False}
    assert verdict.differs == ["nodes.add: 2 then, None now", "nodes.subtract: None then, 1 now"]


def test_other_surroundings_may_give_the_same() -> None:
    verdict = compare("run", BEFORE, {**BEFORE, "environment": {"torch": "2.15", "device": "cpu"}})
    assert verdict.equal
    assert verdict.differs == ["environment.torch: 2.14 then, 2.15 now"]


def test_nothing_to_compare_is_not_equal_and_says_so() -> None:
    verdict = compare("run", {}, {})
    assert not verdict.equal
    assert "nothing to compare" in verdict.sentence


def test_the_verdict_is_a_sentence() -> None:
    assert compare("run", BEFORE, BEFORE).sentence.startswith("Equal: picture, number")
    after = {**BEFORE, "outputs": {"picture": "12", "number": "22"}}
    assert "Different: picture." in compare("run", BEFORE, after).sentence
