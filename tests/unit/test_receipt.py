"""A receipt: read whatever its age, compared with another, and judged against its repetition."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from engine.looks import look
from engine.pictures import picture_bytes
from engine.receipt import Made, Parent, Receipt, causes, differences, portable, read
from engine.types import Image
from engine.verify import judge
from nodes._lib.animation import animated
from nodes._lib.films import filmed

THEN = Receipt(
    form=1,
    nodes={"draw": 1, "blur": 1},
    models={"starter": "aa"},
    inputs={"seed": 7, "size": 64},
    seeds={"draw.seed": 7},
    environment={"device": "cpu", "threads": 1, "torch": "2.14", "opencv": "5.0"},
    steps={
        "draw": Made("draw", lane="gpu", gave="1", values={"seed": 7, "size": 64}),
        "blur": Made("blur", lane="cpu", gave="2"),
    },
    outputs={"picture": "22"},
)


def now(**changes: object) -> Receipt:
    """A deep copy, with changes."""
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(THEN), type=Receipt)
    return msgspec.structs.replace(copy, **changes)


def gave(draw: str, blur: str, **more: object) -> dict[str, Made]:
    return {
        "draw": Made("draw", lane="gpu", gave=draw, values={"seed": 7, "size": 64}),
        "blur": Made("blur", lane="cpu", gave=blur),
    }


def test_a_receipt_of_before_there_were_steps_is_still_read() -> None:
    old = {
        "nodes": {"add": 2}, "packs": {"mine": "ab"}, "outputs": {"sum": "cd"}, "models": {"starter": "ee"},
        "environment": {"torch": "2.14.1", "threads": 2}, "fallbacks": {"s": "thrift 1"}, "seconds": 1.5,
    }  # fmt: skip
    found = read(old)
    assert (found.form, found.nodes, found.packs, found.steps) == (0, {"add": 2}, {"mine": "ab"}, {})
    assert found.environment == {"torch": "2.14.1", "threads": 2}
    assert read({}) == Receipt()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"environment": {**THEN.environment, "threads": 4}}, "environment.threads"),
        ({"environment": {**THEN.environment, "device": "H200"}}, "environment.device"),
        ({"environment": {**THEN.environment, "torch": "2.15"}}, "environment.torch"),
        ({"models": {"starter": "bb"}}, "models.starter"),
        ({"nodes": {"draw": 2, "blur": 1}}, "nodes.draw"),
        ({"fallbacks": {"draw": "thrift 1"}}, "fallbacks.draw"),
        ({"environment": {**THEN.environment, "threads": 4}, "models": {"starter": "bb"}}, "models.starter"),
    ],
)
def test_the_first_step_that_differs_is_named_with_what_explains_it(
    changed: dict[str, object], field: str
) -> None:
    verdict = judge("run", {"picture": False}, THEN, now(steps=gave("x", "y"), **changed))
    assert (verdict.equal, verdict.step, verdict.field) == (False, "draw", field)
    assert f"gave something else is draw (draw). What explains it: {field}" in verdict.sentence


def test_a_step_without_torch_is_not_explained_by_threads() -> None:
    other = {**THEN.environment, "threads": 4}
    verdict = judge("run", {"picture": False}, THEN, now(steps=gave("1", "y"), environment=other))
    assert (verdict.step, verdict.field) == ("blur", "")
    assert "not as repeatable as it says" in verdict.sentence
    assert "environment.threads: 1 then, 4 now" in verdict.sentence
    verdict = judge(
        "run", {"picture": False}, THEN, now(steps=gave("1", "y"), environment={**other, "opencv": "5.1"})
    )
    assert verdict.field == "environment.opencv"


def test_a_result_from_the_cache_is_judged_by_the_machine_that_computed_it() -> None:
    """The run had one thread, but what it took from the cache was computed by four."""
    then = now()
    then.steps["draw"].elsewhere = {"threads": 4}
    verdict = judge("run", {"picture": False}, then, now(steps=gave("x", "y")))
    assert (verdict.step, verdict.field) == ("draw", "environment.threads")
    assert verdict.differs == ["environment.threads: 4 then, 1 now"]


def test_two_receipts_differ_in_causes_before_results_and_an_input_counts_once() -> None:
    other = now(inputs={"seed": 8, "size": 64}, seeds={"draw.seed": 8}, outputs={"picture": "33"})
    other.steps["draw"].values["seed"] = 8
    other.steps["draw"].gave = "9"
    found = differences(THEN, other)
    assert [d.field for d in found] == [
        "inputs.seed", "seeds.draw.seed", "steps.draw.values.seed", "gave.draw", "outputs.picture",
    ]  # fmt: skip
    assert [(d.field, d.first, d.second) for d in causes(found)] == [("inputs.seed", 7, 8)]
    assert differences(THEN, now(run="other", seconds=9.0)) == []


def test_what_only_one_receipt_has_is_named() -> None:
    other = now()
    del other.steps["blur"]
    assert [d.field for d in causes(differences(THEN, other))] == ["steps.blur.node"]


def test_what_a_file_holds_does_not_change_from_run_to_run() -> None:
    again = now(run="another", seconds=3.0)
    again.steps["draw"] = Made(
        "draw", lane="gpu", gave="1", values={"seed": 7, "size": 64}, cache="disk", hits=1
    )
    assert portable(THEN) == portable(again)
    assert "run" not in json.loads(portable(again))
    named = portable(now(parents=[Parent("ab", "image/png", "me and my dog.png")]))
    assert '"sha256":"ab"' in named
    assert "dog" not in named


# -- looks


def noise(seed: int = 0, channels: int = 3) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 256, (8, 12, channels), np.uint8))


def test_a_look_is_what_is_seen_whatever_else_a_file_holds() -> None:
    plain = look(picture_bytes(noise()))
    assert plain.startswith("pixels:")
    assert look(picture_bytes(noise(), metadata={"parameters": "x"})) == plain
    assert look(picture_bytes(noise(), "tiff")) == plain
    assert look(picture_bytes(noise(), "webp", lossless=True)) == plain
    opaque = Image(np.dstack([noise().pixels, np.full((8, 12), 255, np.uint8)]))
    assert look(picture_bytes(opaque)) == plain
    assert look(picture_bytes(noise(1))) != plain


def moving(second: int, seconds: float, format: str = "webp") -> str:
    frames, durations = [noise(), noise(second)], [0.1, seconds]
    data = animated(frames, durations, format, loop=0, quality=90, lossless=True, metadata={})
    return look(data)


def test_every_frame_and_its_time_are_looked_at() -> None:
    found = moving(1, 0.1)
    assert found.startswith("frames:")
    assert moving(1, 0.1, "png") == found
    assert moving(1, 0.3) != found
    assert moving(2, 0.1) != found


def test_a_film_is_looked_at_frame_by_frame() -> None:
    def film(second: int, metadata: dict[str, str]) -> str:
        frames = [noise(), noise(second)]
        return look(filmed(frames, [0.1, 0.1], quality=90, metadata=metadata))

    assert film(1, {}).startswith("frames:")
    assert film(1, {"parameters": "x"}) == film(1, {}) != film(2, {})


def test_what_is_no_picture_is_its_bytes() -> None:
    assert look(b"words") != look(b"other words")
    assert look(b"words").startswith("bytes:")
    assert look(picture_bytes(noise())[:60]).startswith("bytes:")


def test_what_a_check_found_is_no_cause() -> None:
    first, second = (Receipt(inputs={"x": x}, verdicts=[{"step": "a", "score": x}]) for x in (1, 2))
    found = differences(first, second)
    assert {one.field for one in found} == {"inputs.x", "verdicts[0].score"}
    assert [one.field for one in causes(found)] == ["inputs.x"]
