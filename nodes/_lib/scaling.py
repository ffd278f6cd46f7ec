"""Latents made larger or smaller, with their masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from torch.nn import functional

from engine.types import Latent
from nodes._lib.arrays import array, tensor

if TYPE_CHECKING:
    from engine.types import Array

WAYS = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic", "area": "area"}
EVEN = 2
"""Sides found by a factor are multiples of so many cells, which every family can draw."""


def sides(latent: Latent, factor: float, width: int | None, height: int | None) -> tuple[int, int]:
    """Rows and columns that are wanted."""
    rows, columns = latent.samples.shape[-2:]
    if width or height:
        scale = width / (columns * latent.factor) if width else (height or 0) / (rows * latent.factor)
        high = height // latent.factor if height else even(rows * scale)
        return high, width // latent.factor if width else even(columns * scale)
    return even(rows * factor), even(columns * factor)


def even(side: float) -> int:
    return max(EVEN, round(side / EVEN) * EVEN)


def scaled(latent: Latent, high: int, wide: int, way: str) -> Latent:
    """The latent with so many rows and columns; the same one if it has them already."""
    if latent.samples.shape[-2:] == (high, wide):
        return latent
    mask = None if latent.mask is None else resized(latent.mask[None], high, wide, "bilinear")[0].clip(0, 1)
    hole = None if latent.hole is None else resized(latent.hole, high, wide, way)
    samples = resized(latent.samples, high, wide, way)
    return msgspec.structs.replace(latent, samples=samples, mask=mask, hole=hole)


def resized(planes: Array, high: int, wide: int, way: str) -> Array:
    """Planes × rows × columns."""
    smooth = {"antialias": True, "align_corners": False} if way in ("bilinear", "bicubic") else {}
    return array(functional.interpolate(tensor(planes)[None], (high, wide), mode=WAYS[way], **smooth)[0])
