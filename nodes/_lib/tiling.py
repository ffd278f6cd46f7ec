"""A picture in tiles that overlap, and one picture of them again, without seams."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import BadInput
from engine.types import Image
from nodes._lib import pictures, planes
from nodes._lib.blending import faded
from nodes._lib.planes import Floats

if TYPE_CHECKING:
    from engine.types import Array
    from nodes.compose import Tiling


def starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: evenly spread, each at least `overlap` into the next."""
    count = 1 if side <= tile else -(-(side - overlap) // (tile - overlap))
    return [(side - tile) * index // (count - 1) for index in range(count)] if count > 1 else [0]


def cut(image: Image, tiling: Tiling) -> list[Image]:
    """The tiles row by row."""
    return [
        pictures.cut(image, left, top, tiling.tile_width, tiling.tile_height)
        for top in tiling.tops
        for left in tiling.lefts
    ]


def merged(tiles: list[Image], tiling: Tiling) -> Image:
    """Each tile faded in over those before it; where they agree nothing changes, to the bit."""
    across = scale_of(tiles[0].width, tiling.tile_width, "width")
    down = scale_of(tiles[0].height, tiling.tile_height, "height")
    lefts = [round(left * across) for left in tiling.lefts]
    tops = [round(top * down) for top in tiling.tops]
    width, height = tiles[0].width, tiles[0].height
    channels = max(tile.pixels.shape[2] for tile in tiles)
    exact = all(tile.pixels.dtype == np.uint8 for tile in tiles)
    dtype = np.dtype(np.uint8 if exact else np.float32)
    canvas: Array = np.zeros((tops[-1] + height, lefts[-1] + width, channels), dtype)
    for row, top in enumerate(tops):
        fade_down = ramp(height, tops[row - 1] + height - top if row else 0)[:, None]
        for column, left in enumerate(lefts):
            fade = fade_down * ramp(width, lefts[column - 1] + width - left if column else 0)[None]
            there = canvas[top : top + height, left : left + width]
            tile = pictures.with_channels(tiles[row * len(lefts) + column].pixels, channels)
            there[...] = planes.stored(faded(there, tile, fade[..., None]), dtype)
    return Image(canvas)


def ramp(length: int, overlap: int) -> Floats:
    """From almost 0 to almost 1 over the overlap, then 1."""
    found: Floats = np.minimum((np.arange(length, dtype=np.float32) + 0.5) / max(overlap, 1), 1)
    return found if overlap else np.ones(length, np.float32)


def scale_of(side: int, was: int, name: str) -> Fraction:
    """By how much the tiles were enlarged since they were cut."""
    scale = Fraction(side, was)
    if scale.denominator > 8 or scale > 16:
        raise BadInput(
            "tiles",
            got=f"tiles with a {name} of {side}",
            want=f"{was}, as they were cut, or a simple multiple of it",
            remedy="Scale every tile by the same factor.",
        )
    return scale
