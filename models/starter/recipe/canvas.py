"""Painting: from a scene to its picture, masks, depth and edges, at any size."""

from functools import lru_cache

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .outline import floats
from .scene import SPAN, Outline, Paint, Point, Scene, Stroke

Picture = NDArray[np.uint8]  # (size, size, 3), sRGB
Field = NDArray[np.float32]

_FINE = 4  # sub-pixels along each side of a pixel: 17 levels of coverage
_FIXED = 4  # fractional bits of the coordinates given to the filler
_SUN, _SHADE = floats((255, 248, 225)), floats((14, 10, 44))


class Patch(Struct, frozen=True):
    """Where a stroke falls on the canvas, and how much it covers there."""

    rows: slice
    columns: slice
    cover: Field  # (rows, columns), 0 to 1
    across: Field  # (1, columns), -1 to 1 over the stroke's own width
    down: Field  # (rows, 1), -1 to 1 over its height


class Truth(Struct, frozen=True):
    """Where everything of a scene is in its picture."""

    owner: NDArray[np.int16]  # (size, size), index of the visible thing, -1 for surroundings
    near: Field  # (size, size), 0 far to 1 near
    boxes: tuple[tuple[int, int, int, int] | None, ...]  # left, top, right, bottom; None when hidden

    def mask(self, thing: int) -> NDArray[np.bool_]:
        """The visible pixels of a thing."""
        return np.asarray(self.owner == thing)


def paint(scene: Scene, size: int = 128) -> Picture:
    """The picture of a scene."""
    canvas = np.zeros((size, size, 3), np.float32)
    for index, stroke in enumerate(scene.strokes):
        patch = _patch(stroke, size)
        if patch is not None:
            _lay(canvas, patch, stroke.paint, scene.light, scene.seed + index)
    if scene.vignette:
        canvas *= 1 - scene.vignette * _corners(size)
    return np.asarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))


def truth(scene: Scene, size: int = 128) -> Truth:
    """Where everything of a scene is."""
    owner = np.full((size, size), -1, np.int16)
    near = np.zeros((size, size), np.float32)
    for stroke in scene.strokes:
        patch = None if stroke.ghost else _patch(stroke, size)
        if patch is None:
            continue
        solid = patch.cover > 0.5
        owner[patch.rows, patch.columns][solid] = stroke.thing
        far, close = stroke.near
        depth = np.broadcast_to(far + (close - far) * (patch.down + 1) / 2, solid.shape)
        near[patch.rows, patch.columns][solid] = depth[solid]
    return Truth(owner, near, tuple(_bounds(owner == index) for index in range(len(scene.things))))


def edges(picture: Picture) -> NDArray[np.bool_]:
    """The Canny edges of a picture."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.Canny(gray, 60, 140) > 0)


def _patch(stroke: Stroke, size: int) -> Patch | None:
    """A stroke's coverage on the part of the canvas it touches."""
    scale = size / SPAN
    lowest, highest = _extent(stroke.parts)
    margin = 2.5 * stroke.soft * scale + 1
    left, top = (int(max(0, v)) for v in np.floor(lowest * scale - margin))
    right, bottom = (int(min(size, v)) for v in np.ceil(highest * scale + margin))
    if right <= left or bottom <= top:
        return None
    cover = _coverage(stroke.parts, scale, (left, top, right, bottom))
    if stroke.soft:
        cover = cv2.GaussianBlur(cover, (0, 0), stroke.soft * scale)
    middle, half = (highest + lowest) * scale / 2, np.maximum((highest - lowest) * scale / 2, 0.5)
    across = ((np.arange(left, right, dtype=np.float32) + 0.5 - middle[0]) / half[0])[None]
    down = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - middle[1]) / half[1])[:, None]
    return Patch(slice(top, bottom), slice(left, right), cover, across, down)


def _extent(parts: tuple[Outline, ...]) -> tuple[Field, Field]:
    every = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return every.min(0), every.max(0)


def _coverage(parts: tuple[Outline, ...], scale: float, window: tuple[int, int, int, int]) -> Field:
    left, top, right, bottom = window
    fine = np.zeros(((bottom - top) * _FINE, (right - left) * _FINE), np.uint8)
    factor = np.float32(_FINE * (1 << _FIXED))
    corner = floats((left, top))
    for part in parts:
        points = ((part * np.float32(scale) - corner) * factor - (1 << (_FIXED - 1))).astype(np.int32)
        cv2.fillPoly(fine, [points], 255, cv2.LINE_8, _FIXED)
    small = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) * np.float32(1 / 255)


def _lay(canvas: Field, patch: Patch, paint: Paint, light: Point, seed: int) -> None:
    """Blend a painted patch into the canvas."""
    target = canvas[patch.rows, patch.columns]
    colour = _colours(patch, paint, light, seed)
    weight = patch.cover if paint.alpha == 1 else patch.cover * np.float32(paint.alpha)
    target += weight[..., None] * (colour - target)


def _colours(patch: Patch, paint: Paint, light: Point, seed: int) -> Field:
    base = np.asarray(paint.colour, np.float32)
    colour: Field = base
    if paint.foot is not None:
        colour = base + ((patch.down + 1) / 2)[..., None] * (np.asarray(paint.foot, np.float32) - base)
    if paint.shade or paint.stripes or paint.mottle:
        lit = _light(patch, paint, light, seed)[..., None]
        colour = colour + np.maximum(lit, 0) * (_SUN - colour) + np.minimum(lit, 0) * (colour - _SHADE)
    if paint.gloss:
        spot = (patch.across - light[0] * 0.5) ** 2 + (patch.down - light[1] * 0.5) ** 2
        colour = colour + (np.float32(paint.gloss) * np.exp(spot * -9))[..., None] * (255 - colour)
    return colour


def _light(patch: Patch, paint: Paint, light: Point, seed: int) -> Field:
    """Light (above 0) and shadow (below 0) over a patch."""
    across, down = patch.across, patch.down
    lit: Field = np.float32(paint.shade) * (across * np.float32(light[0]) + down * np.float32(light[1]))
    if paint.round:
        lit = lit * np.float32(1.5) + np.float32(paint.shade) * (
            np.float32(0.35) - np.float32(0.9) * (across**2 + down**2)
        )
    if paint.stripes:
        wave = np.sin((across + np.float32(0.6) * down) * np.float32(8)) * np.float32(3)
        lit = lit + np.float32(paint.stripes) * np.clip(wave, -1, 1)
    if paint.mottle:
        lit = lit + np.float32(paint.mottle) * _cloud(seed, lit.shape[1], lit.shape[0])
    return lit


def _cloud(seed: int, width: int, height: int) -> Field:
    knots = np.random.default_rng(seed).uniform(-1, 1, (6, 8)).astype(np.float32)
    return np.asarray(cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC))


@lru_cache(4)
def _corners(size: int) -> Field:
    """Distance from the middle, squared; 1 at the corners."""
    line = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    return floats((line[None] + line[:, None]) / 2)[..., None]


def _bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
