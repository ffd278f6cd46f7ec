"""A judge without training: what colour, form and place the shapes of a picture have."""

from functools import lru_cache

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .canvas import Field, Picture
from .palette import COLOURS, PALETTE
from .scene import SPAN
from .shapes import SHAPES, outline

Mask = NDArray[np.bool_]

_APART = 60.0  # distance in sRGB from the background at which something begins
_SMALLEST = 0.006  # of the picture


class Seen(Struct, frozen=True):
    """A shape found in a picture."""

    shape: str
    colour: str
    x: float  # 0 to 1, of its middle
    y: float
    area: float
    likeness: float  # overlap with the ideal shape


class Verdict(Struct, frozen=True):
    """What is seen in a picture of shapes, the largest first."""

    background: str
    shapes: tuple[Seen, ...]


def judge(picture: Picture) -> Verdict:
    """Look at a picture of shapes on a plain background."""
    pixels = cv2.GaussianBlur(picture, (0, 0), 0.6).astype(np.float32)
    wall = _wall(pixels)
    away = np.linalg.norm(pixels - wall, axis=2)
    found = [_look(pixels, wall, region) for region in _regions(away > _APART)]
    shapes = sorted((one for one in found if one), key=lambda one: -one.area)
    return Verdict(nearest(np.median(wall.reshape(-1, 3), 0)), tuple(shapes))


def nearest(colour: Field) -> str:
    """The name of a colour."""
    names = np.asarray([PALETTE[name] for name in COLOURS], np.float32)
    return COLOURS[int(((_space(names) - _space(colour)) ** 2).sum(-1).argmin())]


def _space(colour: Field) -> Field:
    """Colours with lightness counting less than hue, as light falls unevenly."""
    light = colour.mean(-1, keepdims=True)
    return np.asarray(np.concatenate([(colour - light) * 1.6, light], -1), np.float32)


def _wall(pixels: Field) -> Field:
    """The background without what stands before it: a smooth surface fitted to what agrees with the rim."""
    size = pixels.shape[0]
    line = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1).reshape(-1, 6)[::7]
    every = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1).reshape(-1, 6)
    values = pixels.reshape(-1, 3)[::7]
    rim = np.maximum(np.abs(terms[:, 1]), np.abs(terms[:, 2])) > 0.93
    middle = np.median(values[rim], 0)
    used = np.linalg.norm(values - middle, axis=1) < 70
    for limit in (55, 40, 30):
        if used.sum() < 40:
            return np.broadcast_to(middle, pixels.shape).astype(np.float32)
        fit = np.linalg.lstsq(terms[used], values[used], rcond=None)[0]
        used = np.linalg.norm(values - terms @ fit, axis=1) < limit
    return np.asarray((every @ fit).reshape(pixels.shape), np.float32)


def _regions(mask: Mask) -> list[Mask]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    smallest = _SMALLEST * mask.size
    return [labels == index for index in range(1, count) if stats[index, cv2.CC_STAT_AREA] >= smallest]


def _look(pixels: Field, wall: Field, region: Mask) -> Seen | None:
    """Name a region: its colour from its core, its form without the shadow."""
    core = cv2.erode(region.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    inside = core if core.sum() > 20 else region
    colour = np.median(pixels[inside], 0)
    behind = np.median(wall[region], 0)
    way = colour - behind
    along = ((pixels - behind) @ way) / max(1.0, float(way @ way))
    form = region & (along > 0.5)
    if form.sum() < _SMALLEST * region.size * 0.5:
        return None
    likeness = {shape: _overlap(form, ideal) for shape, ideal in _ideals().items()}
    best = max(likeness, key=lambda shape: likeness[shape])
    rows, columns = np.nonzero(form)
    size = form.shape[0]
    return Seen(
        best, nearest(colour), columns.mean() / size, rows.mean() / size, float(form.mean()), likeness[best]
    )


def _overlap(form: Mask, ideal: Mask) -> float:
    shown = _framed(form)
    return float((shown & ideal).sum() / max(1, (shown | ideal).sum()))


def _framed(form: Mask) -> Mask:
    """A form stretched to a frame of 32 x 32."""
    rows, columns = np.flatnonzero(form.any(1)), np.flatnonzero(form.any(0))
    cut = form[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    return np.asarray(cv2.resize(cut, (32, 32), interpolation=cv2.INTER_LINEAR) > 0.5)


@lru_cache(1)
def _ideals() -> dict[str, Mask]:
    ideals = {}
    for shape in SHAPES:
        page = np.zeros((128, 128), np.uint8)
        cv2.fillPoly(page, [np.round(outline(shape, SPAN / 2, SPAN / 2, 50)).astype(np.int32)], 1)
        ideals[shape] = _framed(page > 0)
    return ideals
