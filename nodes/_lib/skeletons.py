"""People as joints: read from what was typed in, and drawn as ControlNets of kind pose were shown them."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine.errors import BadInput
from engine.types import Image, Pose

if TYPE_CHECKING:
    from engine.types import Array

JOINTS = 17
"""COCO's: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right."""
NECK = -1
OPENPOSE = (0, NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""The 18 joints of OpenPose in terms of those 17; its neck lies between the shoulders."""
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7),
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""Pairs of OpenPose's joints: shoulders, arms, right leg, left leg, head."""
HUES = tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(i / 18, 1, 1)) for i in range(18))
"""Of the limbs and of the joints, as OpenPose's drawings have them."""
DIM = 0.6
"""Brightness of a limb, so that joints stand out."""
THICK = 1 / 64
"""Of a limb, in parts of the longer side: 8 pixels of 512, as ControlNets were shown it."""
FINEST, PAGE = 4, 4096
"""Sub-pixels along each side of a pixel, and pixels along a side of the fine page, at most."""
MOST = 200
"""People in a picture at most."""
FAR = 8.0
"""How far out of the picture a joint may lie, in sides."""
LIKE_THIS = (
    "Give 17 or 18 joints for each person: [x, y] in parts of the picture, or null where none is seen."
)


# -- drawing


def drawn(people: Sequence[Pose], width: int, height: int, least: float, line: float) -> Image:
    """Coloured limbs and joints on black; joints of a lower score are left out, and limbs without an end."""
    longest = max(width, height)
    fine = max(1, min(FINEST, PAGE // longest))
    page = np.zeros((height * fine, width * fine, 3), np.uint8)
    thick = max(1, round(line * THICK * longest * fine))
    for pose in people:
        scale = (width * fine / pose.width, height * fine / pose.height)
        figure(page, [joint(pose, index, scale, least) for index in OPENPOSE], thick)
    return Image(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA) if fine > 1 else page)


def figure(page: Array, joints: Sequence[tuple[int, int] | None], thick: int) -> None:
    for (a, b), hue in zip(LIMBS, HUES, strict=False):
        start, end = joints[a], joints[b]
        if start and end:
            dim = tuple(round(DIM * part) for part in hue)
            cv2.line(page, start, end, dim, thick, cv2.LINE_8)
    for place, hue in zip(joints, HUES, strict=True):
        if place:
            cv2.circle(page, place, max(1, round(thick * 0.55)), hue, -1, cv2.LINE_8)


def joint(pose: Pose, index: int, scale: tuple[float, float], least: float) -> tuple[int, int] | None:
    """A joint on the fine page, or nothing where it was not seen."""
    wanted = [5, 6] if index == NECK else [index]
    if any(pose.scores[one] < least for one in wanted):
        return None
    x, y = np.asarray(pose.joints, np.float64)[wanted].mean(0)
    return round(float(x) * scale[0]), round(float(y) * scale[1])


# -- what is typed in, and written out


def read(value: object, width: int, height: int) -> list[Pose]:
    """The people of a list, or of a file as OpenPose writes it."""
    if isinstance(value, dict):
        return [pose_of(points, width, height) for points in openpose(value)]
    if not isinstance(value, list) or len(value) > MOST:
        raise wrong(value, f"a list of at most {MOST} people")
    return [pose_of(person, width, height) for person in value]


def openpose(value: dict[str, object]) -> list[list[object]]:
    """The points of each person, in parts of the canvas that the file names."""
    across, down, people = (value.get(name) for name in ("canvas_width", "canvas_height", "people"))
    sides = [side for side in (across, down) if isinstance(side, (int, float)) and side > 0]
    if len(sides) < 2 or not isinstance(people, list) or len(people) > MOST:
        raise wrong(sorted(value), "canvas_width, canvas_height and people")
    found: list[list[object]] = []
    for person in people:
        flat = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        if not isinstance(flat, list) or len(flat) != 54 or not all(map(number, flat)):
            raise wrong(flat, "54 numbers as pose_keypoints_2d: x, y and score of 18 joints")
        rows = [flat[i : i + 3] for i in range(0, 54, 3)]
        found.append([[x / sides[0], y / sides[1], score] if score > 0 else None for x, y, score in rows])
    return found


def pose_of(value: object, width: int, height: int) -> Pose:
    """A person's joints, checked one by one; OpenPose's neck is left out, as the shoulders give it."""
    if not isinstance(value, list) or len(value) not in (JOINTS, len(OPENPOSE)):
        raise wrong(f"{len(value)} joints" if isinstance(value, list) else value, "17 or 18 joints")
    rows = [point_of(point) for point in value]
    if len(rows) == len(OPENPOSE):
        rows = [rows[OPENPOSE.index(index)] for index in range(JOINTS)]
    table = np.array(rows, np.float32)
    return Pose(table[:, :2] * np.array([width, height], np.float32), table[:, 2], width, height)


def point_of(value: object) -> tuple[float, float, float]:
    """x, y and score; a joint that is not seen has the score 0."""
    if value is None:
        return 0.0, 0.0, 0.0
    if isinstance(value, list) and len(value) in (2, 3) and all(map(number, value)):
        x, y, score = (float(part) for part in (*value, 1.0)[:3])
        if max(abs(x), abs(y)) <= FAR and 0 <= score <= 1:
            return x, y, score
    raise wrong(value, f"[x, y] or [x, y, score] with numbers from -{FAR:g} to {FAR:g}")


def written(people: Sequence[Pose]) -> list[list[list[float] | None]]:
    """The people as they can be typed in again."""
    return [
        [
            [round(float(x) / pose.width, 4), round(float(y) / pose.height, 4), round(float(score), 3)]
            if score > 0
            else None
            for (x, y), score in zip(pose.joints, pose.scores, strict=True)
        ]
        for pose in people
    ]


def number(value: object) -> bool:
    return type(value) in (int, float)


def wrong(got: object, want: str) -> BadInput:
    return BadInput("people", got=got, want=want, remedy=LIKE_THIS)
