"""A picture in tiles that overlap, and one picture of them again, without seams."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
    return list(pieces(image, tiling))


def pieces(image: Image, tiling: Tiling) -> Iterator[Image]:
    for top in tiling.tops:
        for left in tiling.lefts:
            yield pictures.cut(image, left, top, tiling.tile_width, tiling.tile_height)


def merged(tiles: list[Image], tiling: Tiling) -> Image:
    """Each tile faded in over those before it; where they agree nothing changes, to the bit."""
    across = scale_of(tiles[0].width, tiling.tile_width, "width")
    down = scale_of(tiles[0].height, tiling.tile_height, "height")
    channels = max(tile.pixels.shape[2] for tile in tiles)
    exact = all(tile.pixels.dtype == np.uint8 for tile in tiles)
    dtype = np.dtype(np.uint8 if exact else np.float32)
    return woven(iter(tiles), tiling, (across, down), channels, dtype)


def woven(
    tiles: Iterator[Image],
    tiling: Tiling,
    scale: tuple[Fraction, Fraction],
    channels: int,
    dtype: np.dtype[Any],
    unsure: int = 0,
) -> Image:
    """One picture of scaled tiles, each needed only once; the outermost `unsure` pixels give way."""
    lefts, width = [round(left * scale[0]) for left in tiling.lefts], round(tiling.tile_width * scale[0])
    tops, height = [round(top * scale[1]) for top in tiling.tops], round(tiling.tile_height * scale[1])
    canvas: Array = np.zeros((tops[-1] + height, lefts[-1] + width, channels), dtype)
    for row, top in enumerate(tops):
        fade = ramp(height, tops[row - 1] + height - top if row else 0, unsure)[:, None]
        there = canvas[top : top + height]
        strip = row_of(tiles, lefts, np.zeros_like(there), unsure)
        there[...] = planes.stored(faded(there, strip, fade[..., None]), dtype)
    return Image(canvas)


def row_of(tiles: Iterator[Image], lefts: list[int], strip: Array, unsure: int) -> Array:
    """A strip filled by the next tiles, each faded in over the one before it."""
    for column, left in enumerate(lefts):
        tile = pictures.with_channels(next(tiles).pixels, strip.shape[2])
        width = tile.shape[1]
        fade = ramp(width, lefts[column - 1] + width - left if column else 0, unsure)[None]
        there = strip[:, left : left + width]
        there[...] = planes.stored(faded(there, tile, fade[..., None]), strip.dtype)
    return strip


def ramp(length: int, overlap: int, unsure: int = 0) -> Floats:
    """From almost 0 to almost 1 over the overlap but for what is unsure at its ends, then 1."""
    if not overlap:
        return np.ones(length, np.float32)
    unsure = min(unsure, (overlap - 1) // 2)
    way = (np.arange(length, dtype=np.float32) + 0.5 - unsure) / (overlap - 2 * unsure)
    found: Floats = np.clip(way, 0, 1)
    return found


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
