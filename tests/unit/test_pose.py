"""Poses: what is typed in is drawn where it says, as the ControlNets of the family were shown it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recipe import hints as recipe
from recipe.control import people
from recipe.draw import draw

from engine.errors import BadInput
from engine.types import Pose
from nodes._lib.skeletons import HUES, OPENPOSE
from nodes.pose import draw_pose, pose_from_points, pose_to_points

STANDING: list[Any] = [
    [0.5, 0.16], [0.52, 0.14], [0.48, 0.14], [0.55, 0.15], [0.45, 0.15],
    [0.6, 0.28], [0.4, 0.28], [0.64, 0.44], [0.36, 0.44], [0.66, 0.58], [0.34, 0.58],
    [0.56, 0.58], [0.44, 0.58], [0.57, 0.76], [0.43, 0.76], [0.57, 0.94], [0.43, 0.94],
]  # fmt: skip
PUBLISHED = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip


def standing(width: int = 128, height: int = 128, **changed: Any) -> list[Pose]:
    person = list(STANDING)
    for place, point in changed.items():
        person[int(place[1:])] = point
    return pose_from_points([person], width, height)


def test_the_colours_are_those_that_openpose_publishes() -> None:
    assert HUES == PUBLISHED


def test_a_drawing_is_the_one_that_the_starter_controlnet_learnt_from() -> None:
    seed = next(seed for seed in range(50) if draw(seed).kind == "person")
    points = people(draw(seed))[0]
    person = [None if point is None else [point[0] / 128, point[1] / 128] for point in points]
    found = draw_pose(pose_from_points([person], 128, 128)).pixels
    np.testing.assert_array_equal(found, recipe.pose([points]))


def test_each_joint_has_its_colour_where_it_is() -> None:
    found = draw_pose(standing(200, 400), 200, 400).pixels
    assert found.shape == (400, 200, 3)
    for joint, coco in enumerate(OPENPOSE):
        if coco >= 5:
            x, y = round(STANDING[coco][0] * 200), round(STANDING[coco][1] * 400)
            assert np.abs(found[y, x].astype(int) - HUES[joint]).max() < 60, joint


def test_a_joint_that_is_not_seen_takes_its_limbs_along() -> None:
    whole, without = draw_pose(standing()), draw_pose(standing(j9=None))
    x, y = round(0.66 * 128), round(0.58 * 128)
    assert whole.pixels[y, x].any()
    assert not without.pixels[y, x].any()
    unsure = standing(j9=[0.66, 0.58, 0.2])
    assert np.array_equal(draw_pose(unsure).pixels, without.pixels)
    assert np.array_equal(draw_pose(unsure, least=0.1).pixels, whole.pixels)


def test_a_drawing_of_another_size_shows_the_same_pose() -> None:
    small: Any = draw_pose(standing()).pixels
    large: Any = draw_pose(standing(), 256, 256).pixels
    halved = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 1
    assert np.count_nonzero(draw_pose(standing(), line=2).pixels) > 1.5 * np.count_nonzero(small)


def test_several_people_are_drawn_and_nobody_is_black() -> None:
    moved = [[x / 2, y] for x, y in STANDING]
    both = pose_from_points([moved, [[x + 0.5, y] for x, y in moved]], 128, 128)
    found = draw_pose(both).pixels
    assert found[:, :64].any()
    assert found[:, 64:].any()
    assert not draw_pose([], 64, 32).pixels.any()
    with pytest.raises(BadInput, match="a width and a height"):
        draw_pose([])


def test_what_is_written_down_can_be_read_again() -> None:
    poses = standing(640, 480, j3=None, j4=[0.45, 0.15, 0.5])
    before: Any = poses[0].joints
    written: Any = pose_to_points(poses)
    assert written[0][0] == [0.5, 0.16, 1.0]
    assert written[0][3] is None
    [again] = pose_from_points(written, 640, 480)
    after: Any = again.joints
    np.testing.assert_allclose(after, before, atol=0.05)
    np.testing.assert_array_equal(again.scores, poses[0].scores)


def test_files_of_openpose_mean_the_same() -> None:
    neck = [0.5, 0.28]
    eighteen = [neck if index < 0 else STANDING[index] for index in OPENPOSE]
    flat = [value for x, y in eighteen for value in (x * 768, y * 512, 1.0)]
    file = {"canvas_width": 768, "canvas_height": 512, "people": [{"pose_keypoints_2d": flat}]}
    wanted = draw_pose(standing())
    for given in ([eighteen], file):
        found = draw_pose(pose_from_points(given, 128, 128))
        np.testing.assert_array_equal(found.pixels, wanted.pixels)
    flat[3 * 7 : 3 * 7 + 3] = [0, 0, 0]
    unseen = draw_pose(pose_from_points(file, 128, 128))
    np.testing.assert_array_equal(unseen.pixels, draw_pose(standing(j9=None)).pixels)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("two people", "a list of at most"),
        ([[[0.5, 0.5]]], "17 or 18 joints"),
        ([[[0.5, "top"], *STANDING[1:]]], r"\[x, y\] or"),
        ([[[100, 200], *STANDING[1:]]], "from -8 to 8"),
        ({"people": []}, "canvas_width"),
        ({"canvas_width": 1, "canvas_height": 1, "people": [{"pose_keypoints_2d": [1]}]}, "54 numbers"),
    ],
)
def test_what_is_no_pose_is_refused(given: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        pose_from_points(given)
