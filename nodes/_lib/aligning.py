"""Faces turned upright and cut out as a network wants to see them, and put back where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Box, Face

if TYPE_CHECKING:
    from nodes._lib.masking import Plane
    from nodes._lib.planes import Floats

Matrix = NDArray[np.float64]
"""2 × 3: where a pixel of one picture lies in another."""

TEMPLATE = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.19360),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
) / np.float64(512)
"""Where the marks of a face lie in FFHQ's pictures of faces, for a side of 1: the mean of many faces."""
FRAME = (0.192, 0.22, 0.615)
"""Left, top and side of the square around a face there, as face finders draw it."""
SOFT = (0.04, 0.2)
"""Between these parts of the side the restored face takes over from what surrounds it."""


def onto(face: Box, side: int) -> Matrix:
    """From the picture to a square with the face upright in its middle."""
    marks = face.marks if isinstance(face, Face) else None
    if marks is None:
        left, top, size = (value * side for value in FRAME)
        scale = size / max(face.width, face.height)
        middle = face.left + face.width / 2, face.top + face.height / 2
        return np.array(
            [
                (scale, 0, left + size / 2 - scale * middle[0]),
                (0, scale, top + size / 2 - scale * middle[1]),
            ]
        )
    return similarity(np.asarray(marks, np.float64), TEMPLATE * side)


def similarity(points: Matrix, wanted: Matrix) -> Matrix:
    """The turn, scale and shift that bring points nearest to others."""
    one, two = points @ (1, 1j), wanted @ (1, 1j)
    off = one - one.mean()
    turn = (off.conj() * (two - two.mean())).sum() / (abs(off) ** 2).sum()
    shift = two.mean() - turn * one.mean()
    return np.array([(turn.real, -turn.imag, shift.real), (turn.imag, turn.real, shift.imag)])


def cut(colours: Floats, matrix: Matrix, side: int) -> Floats:
    """The square that lies there; beyond the picture it is mirrored."""
    left, top, right, bottom = reach(matrix, side, 8, colours)
    part = colours[top:bottom, left:right]
    found = warped(part, shifted(matrix, left, top), (side, side))
    return np.clip(found, 0, 1)


def put(
    canvas: Floats, face: Floats, matrix: Matrix, side: int, strength: float
) -> tuple[slice, slice, Plane]:
    """Lay a square back, larger or as large as it was cut; gives the place and how much of it changed."""
    left, top, right, bottom = reach(matrix, side, 0, canvas)
    size = right - left, bottom - top
    back = cv2.invertAffineTransform(shifted(matrix, left, top) * 1.0)
    larger = face.shape[0] / side
    back = back @ np.vstack([resizing(1 / larger, 1 / larger), (0, 0, 1)])
    cover = warped(soft(face.shape[0])[..., None], back, size, cv2.BORDER_CONSTANT)[..., 0]
    weights: Plane = np.clip(cover, 0, 1) * np.float32(strength)
    there = canvas[top:bottom, left:right]
    there += (np.clip(warped(face, back, size), 0, 1) - there) * weights[..., None]
    return slice(top, bottom), slice(left, right), weights


def soft(side: int) -> Plane:
    """1 in the middle of a square, 0 at its rim."""
    at = (np.arange(side) + 0.5) / side
    way = np.clip((np.minimum(at, 1 - at) - SOFT[0]) / (SOFT[1] - SOFT[0]), 0, 1)
    line = (way * way * (3 - 2 * way)).astype(np.float32)
    return np.asarray(line[:, None] * line)


def reach(matrix: Matrix, side: int, margin: int, colours: Floats) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a square covers in the picture, with a margin around it."""
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([(x, y, 1) for x in (-0.5, side - 0.5) for y in (-0.5, side - 0.5)]) @ back.T
    low, high = np.floor(corners.min(0)) - margin, np.ceil(corners.max(0)) + 1 + margin
    height, width = colours.shape[:2]
    left, top = (int(np.clip(value, 0, end - 1)) for value, end in zip(low, (width, height), strict=True))
    right = int(np.clip(high[0], left + 1, width))
    return left, top, right, int(np.clip(high[1], top + 1, height))


def shifted(matrix: Matrix, left: int, top: int) -> Matrix:
    """The same from a picture that was cut at this corner."""
    return np.column_stack([matrix[:, :2], matrix[:, :2] @ (left, top) + matrix[:, 2]])


def resizing(across: float, down: float) -> Matrix:
    """From the pixels of a picture to those of one scaled by this."""
    return np.array([(across, 0, (across - 1) / 2), (0, down, (down - 1) / 2)])


def warped(
    pixels: Floats, matrix: Matrix, size: tuple[int, int], border: int = cv2.BORDER_REFLECT_101
) -> Floats:
    """Moved into a frame; what gets much smaller is averaged first, so that nothing of it is skipped."""
    height, width = pixels.shape[:2]
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 0.75 and min(width, height) * scale >= 1:
        small = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA).reshape(small[1], small[0], -1)
        back = cv2.invertAffineTransform(resizing(small[0] / width, small[1] / height))
        matrix = matrix @ np.vstack([back, (0, 0, 1)])
    options: Any = {"flags": cv2.INTER_CUBIC, "borderMode": border}
    found: Floats = cv2.warpAffine(pixels, matrix, size, **options).reshape(size[1], size[0], -1)
    return found
