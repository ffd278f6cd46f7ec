"""What captions claim, whether it is true, and captions that are wrong in one word."""

from itertools import pairwise
from random import Random

import pytest
from recipe.claims import claims, fits, marks, truth
from recipe.draw import KINDS, draw
from recipe.scene import Kind
from recipe.shapes import HELD_OUT
from recipe.swaps import altered


@pytest.mark.parametrize("kind", KINDS)
def test_every_plain_caption_is_understood_and_true(kind: Kind) -> None:
    for seed in range(80):
        scene = draw(seed, kind)
        for caption in scene.captions[:2]:
            said = claims(caption)
            assert said is not None, caption
            assert fits(said, truth(scene)), caption
            assert all(marks(said, truth(scene)).values()), caption


@pytest.mark.parametrize("kind", KINDS)
def test_the_caption_of_another_scene_is_hardly_ever_true(kind: Kind) -> None:
    scenes = [draw(seed, kind) for seed in range(120)]
    true = [fits(claims(other.captions[0]) or {}, truth(scene)) for scene, other in pairwise(scenes)]
    assert sum(true) <= 3


def test_a_wrong_word_costs_the_mark_of_its_aspect_alone() -> None:
    scene = next(
        scene
        for scene in (draw(seed, "object") for seed in range(99))
        if scene.facts["place"] == "on the left" and "background" in scene.captions[0]
    )
    true, said = truth(scene), scene.captions[0]
    wrong = marks(claims(said.replace("on the left", "on the right")), true)
    assert wrong == {"colour": True, "object": True, "place": False}
    missing = marks(claims(said.replace(" on the left", "")), true)
    assert missing == {"colour": True, "object": True, "place": False}
    assert not any(marks(None, true).values())
    assert claims("a red star blue on the") is None


def test_what_may_be_left_out_may_be_left_out() -> None:
    scene = next(scene for scene in (draw(seed, "person") for seed in range(99)) if not scene.facts["place"])
    facts = scene.facts
    where = scene.captions[0].split(" on ")[-1] if facts["background"] != "outdoors" else ""
    short = f"a person {facts['pose']} in a {facts['shirt']} shirt on {where}"
    if where:
        assert all(marks(claims(short.replace("a orange", "an orange")), truth(scene)).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_lie_is_a_caption_that_is_not_true(kind: Kind) -> None:
    pairs = {f"{colour} {shape}" for colour, shape in HELD_OUT}
    understood = []
    for seed in range(30):
        scene = draw(seed, kind)
        lies = altered(Random(seed), scene.captions[0], kind, 12)
        assert len({*lies, scene.captions[0]}) == len(lies) + 1
        for lie in lies:
            said = claims(lie)
            understood.append(said is not None)
            assert said is None or not fits(said, truth(scene)) or " and " in lie, lie
            assert not any(pair in lie for pair in pairs), lie
            assert " a orange" not in lie
            assert " an red" not in lie
    assert sum(understood) > 0.9 * len(understood) > 200


def test_lies_are_the_same_for_the_same_luck() -> None:
    caption = "a red circle above a blue square on a white background"
    assert altered(Random(1), caption, "shapes", 5) == altered(Random(1), caption, "shapes", 5)
    exchanged = "a blue circle above a red square on a white background"
    assert exchanged in altered(Random(2), caption, "shapes", 99)
