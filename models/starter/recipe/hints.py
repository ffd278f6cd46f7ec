"""Hints: the pictures of edges, depth and limbs that steer a ControlNet, as preprocessors draw them."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import Field, Picture
from .scene import SPAN, Point

# of the 18 joints of OpenPose, in COCO's 17; its neck lies between the shoulders
_NECK = -1
_FROM_COCO = (0, _NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
# pairs of joints: shoulders, arms, right leg, left leg, head
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7),
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_HUES = tuple(
    tuple(round(255 * part) for part in colorsys.hsv_to_rgb(index / 18, 1, 1)) for index in range(18)
)
_LIMB = 0.6  # brightness of a limb, so that joints stand out
_FINE = 4  # sub-pixels along each side of a pixel
_THICK = 2.0  # of a limb, in units of a 128 x 128 picture


def canny(picture: Picture, low: float = 60, high: float = 140) -> Picture:
    """White edges on black."""
    lines = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), low, high)
    return np.asarray(cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB))


def depth(near: Field) -> Picture:
    """Gray, the nearest white and the farthest black."""
    lowest, highest = float(near.min()), float(near.max())
    gray = (near - lowest) * (255 / max(1e-6, highest - lowest))
    return np.repeat(np.round(gray).astype(np.uint8)[..., None], 3, 2)


def pose(
    people: Sequence[Sequence[Point | None]], size: int = 128, *, span: float = SPAN, thick: float = _THICK
) -> Picture:
    """Coloured limbs and joints on black, from COCO's 17 keypoints in a picture `span` wide."""
    page = np.zeros((size * _FINE, size * _FINE, 3), np.uint8)
    scale = size * _FINE / span
    width = max(1, round(thick * _FINE * size / SPAN))
    for points in people:
        joints = [_joint(points, index, scale) for index in _FROM_COCO]
        for (a, b), hue in zip(_LIMBS, _HUES, strict=False):
            start, end = joints[a], joints[b]
            if start and end:
                cv2.line(page, start, end, tuple(round(_LIMB * part) for part in hue), width, cv2.LINE_8)
        for joint, hue in zip(joints, _HUES, strict=True):
            if joint:
                cv2.circle(page, joint, max(1, round(width * 0.55)), hue, -1, cv2.LINE_8)
    return np.asarray(cv2.resize(page, (size, size), interpolation=cv2.INTER_AREA))


def _joint(points: Sequence[Point | None], index: int, scale: float) -> tuple[int, int] | None:
    """A joint on the fine page, or nothing where it was not seen."""
    seen = [points[5], points[6]] if index == _NECK else [points[index]]
    known = [point for point in seen if point is not None]
    if len(known) < len(seen):
        return None
    x, y = (sum(values) / len(known) * scale for values in zip(*known, strict=True))
    return round(x), round(y)
