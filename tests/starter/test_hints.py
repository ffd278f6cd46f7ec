"""Hints and holes: what steers ControlNets and inpainting."""

import numpy as np
from recipe import hints
from recipe.canvas import paint, truth
from recipe.control import KINDS, hint, people
from recipe.draw import draw
from recipe.holes import cells, hole, over


def test_edges_are_white_on_black_and_fewer_at_higher_thresholds() -> None:
    picture = paint(draw(2, "person"))
    few, many = hints.canny(picture, 150, 300), hints.canny(picture, 40, 90)
    assert set(np.unique(many)) == {0, 255}
    assert 0 < few.sum() < many.sum()


def test_the_nearest_is_white() -> None:
    near = truth(draw(5, "land")).near
    shown = hints.depth(near)
    assert shown[..., 0].flat[near.argmax()] == 255
    assert shown[..., 0].flat[near.argmin()] == 0
    assert np.corrcoef(shown[..., 0].ravel(), near.ravel())[0, 1] > 0.999


def test_a_skeleton_has_the_colours_of_its_joints_where_they_are() -> None:
    points = people(draw(2, "person"))[0]
    shown = hints.pose([points], thick=4)
    for joint, colour in ((8, (255, 255, 0)), (9, (0, 255, 85)), (15, (85, 0, 255))):
        x, y = (int(part) for part in points[joint])
        assert np.abs(shown[y - 1 : y + 2, x - 1 : x + 2].astype(int) - colour).sum(-1).min() < 40


def test_a_joint_that_was_not_seen_leaves_its_limbs_out() -> None:
    points = list(people(draw(2, "person"))[0])
    whole = hints.pose([points])
    without = hints.pose([[None if joint == 5 else point for joint, point in enumerate(points)]])
    assert (without > 0).sum() < (whole > 0).sum()
    assert hints.pose([]).max() == 0


def test_a_larger_hint_shows_the_same_skeleton() -> None:
    points = people(draw(2, "person"))
    small, large = hints.pose(points), hints.pose(points, 256)
    halved = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 1


def test_no_two_preprocessors_draw_the_same_hint() -> None:
    seed = next(seed for seed in range(50) if draw(seed).kind == "person")
    picture = paint(draw(seed))
    for kind in KINDS:
        some = [hint(kind, np.random.default_rng(dice), picture, seed) for dice in range(6)]
        assert all(one.shape == picture.shape and one.dtype == np.uint8 and one.max() > 0 for one in some)
        assert any(not np.array_equal(some[0], one) for one in some[1:])


def test_holes_are_of_all_sizes() -> None:
    rng = np.random.default_rng(3)
    parts = [hole(rng, seed).mean() for seed in range(300)]
    assert min(parts) == 0
    assert max(parts) == 1
    assert 0.2 < np.mean(parts) < 0.5


def test_a_hole_over_a_box_covers_it_with_a_margin() -> None:
    mask = over((20, 30, 50, 60), 5)
    assert mask.sum() == 40 * 40
    assert mask[25, 15]
    assert not mask[24, 15]
    assert cells(mask[None])[0, 0, 4:8, 2:6].all()
