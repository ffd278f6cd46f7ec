"""The renderer: pictures, captions and the truth about them."""

from collections import Counter

import numpy as np
import pytest
from recipe.canvas import edges, paint, truth
from recipe.draw import CAPTIONS, KINDS, draw
from recipe.palette import COLOURS
from recipe.scene import Kind
from recipe.shapes import HELD_OUT, SHAPES


def test_the_same_seed_draws_the_same_picture() -> None:
    first, again, other = draw(7), draw(7), draw(8)
    assert first.captions == again.captions
    assert np.array_equal(paint(first), paint(again))
    assert not np.array_equal(paint(first), paint(other))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_captions_and_things_in_sight(kind: Kind) -> None:
    for seed in range(12):
        scene = draw(seed, kind)
        assert len(scene.captions) == CAPTIONS
        assert all(caption.strip() for caption in scene.captions)
        boxes = truth(scene).boxes
        assert len(boxes) == len(scene.things)
        assert kind == "land" or all(box is not None for box in boxes)


def test_kinds_come_in_their_shares() -> None:
    seen = Counter(draw(seed).kind for seed in range(600))
    for kind, (_, share) in KINDS.items():
        assert abs(seen[kind] / 600 - share) < 0.07


def test_a_plain_caption_names_the_colours_of_what_is_shown() -> None:
    for seed in range(60):
        scene = draw(seed, "shapes")
        assert all(f"{thing.colour} {thing.name}" in scene.captions[0] for thing in scene.things)
        assert f"{scene.facts['background']} background" in scene.captions[0]


def test_a_larger_picture_shows_the_same_scene() -> None:
    for kind in KINDS:
        scene = draw(3, kind)
        small, large = paint(scene), paint(scene, 256)
        halved = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
        assert np.abs(halved - small).mean() < 2.5


def test_a_mask_has_the_colour_of_its_thing() -> None:
    from recipe.judge import nearest

    right = []
    for seed in range(40):
        scene = draw(seed, "shapes")
        picture, where = paint(scene).astype(np.float32), truth(scene)
        right += [
            nearest(np.median(picture[where.mask(index)], 0)) == thing.colour
            for index, thing in enumerate(scene.things)
        ]
    assert np.mean(right) > 0.97


def test_boxes_are_tight_around_masks() -> None:
    scene = draw(5, "object")
    where = truth(scene)
    for index, box in enumerate(where.boxes):
        assert box is not None
        left, top, right, bottom = box
        inside = where.mask(index)[top:bottom, left:right]
        assert inside.sum() == where.mask(index).sum()
        assert inside[0].any()
        assert inside[-1].any()


def test_ground_comes_nearer_and_things_stand_before_it() -> None:
    for seed in range(10):
        scene = draw(seed, "land")
        near = truth(scene).near
        assert near.min() >= 0
        assert near.max() <= 1
        assert near[-4:].mean() > near[:20].mean() + 0.2


def test_keypoints_lie_on_the_person() -> None:
    on = []
    for seed in range(20):
        scene = draw(seed, "person")
        mask = truth(scene).mask(0)
        joints = scene.things[0].keypoints
        assert len(joints) == 17
        on += [mask[int(y), int(x)] for x, y in joints[5:] if 0 <= x < 128 and 0 <= y < 128]
    assert np.mean(on) > 0.95


def test_landmarks_lie_on_the_face() -> None:
    for seed in range(20):
        scene = draw(seed, "face")
        face = truth(scene).mask(0)
        assert len(scene.things[0].landmarks) == 5
        assert all(face[int(y), int(x)] for x, y in scene.things[0].landmarks)


def test_edges_follow_outlines() -> None:
    scene = draw(11, "shapes")
    found = edges(paint(scene))
    mask = truth(scene).mask(0)
    rim = mask ^ np.roll(mask, 1, 0) | mask ^ np.roll(mask, 1, 1)
    near_rim = rim | np.roll(rim, 2, 0) | np.roll(rim, -2, 0) | np.roll(rim, 2, 1) | np.roll(rim, -2, 1)
    assert 0.002 < found.mean() < 0.2
    assert (found & near_rim).sum() > 0.2 * rim.sum()


def test_training_never_shows_the_held_out_pairs() -> None:
    shown = {(thing.colour, thing.name) for seed in range(400) for thing in draw(seed, "shapes").things}
    assert not shown & HELD_OUT
    assert len(shown) > 0.85 * (len(COLOURS) * len(SHAPES) - len(HELD_OUT))
    assert {shape for _, shape in HELD_OUT} == set(SHAPES)
