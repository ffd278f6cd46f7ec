"""Pictures made larger by a network, tile by tile, so that memory does not bound their size."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from spandrel import ModelTiling

from engine.context import Context
from engine.types import Image
from nodes._lib import geometry, networks, pictures, planes, tiling
from nodes.compose import Tiling

OVERLAP = 32
"""Pixels that neighbouring tiles share."""
UNSURE = 8
"""Of these, those next to a tile's edge, which count nothing: what they depend on lies outside."""
GRID = 32
"""Tiles begin at multiples of this: networks that look through windows see the same in each of them."""
SMALLEST_TILE = 64


def passes(factor: int, wanted: float) -> int:
    """How often a network runs until a picture is as much larger as it should be."""
    count = 1
    while factor > 1 and factor**count < wanted:
        count += 1
    return count


def enlarged(net: Any, image: Image, width: int, height: int, tile: int, ctx: Context) -> Image:
    """A picture of this size: the network as often as it takes, then scaled to what is wanted."""
    count = passes(net.scale, max(width / image.width, height / image.height))
    planes_of = parts(image)
    sizes = [(image.width * net.scale**turn, image.height * net.scale**turn) for turn in range(count)]
    plans = [plan(net, *size, tile, ctx.thrift) for size in sizes]
    turns = iter(ctx.track(range(sum(len(p.lefts) * len(p.tops) for p in plans) * len(planes_of))))
    made = []
    for part in planes_of:
        for cut in plans:
            part = once(net, part, cut, turns)
        made.append(part)
    return geometry.scaled(together(made, image), width, height, "lanczos")


def parts(image: Image) -> list[Image]:
    """What the network is shown: the picture; or its colours weighted by alpha, and then the alpha."""
    pixels = image.pixels
    if pixels.shape[2] != 4:
        return [image]
    if pixels[..., 3].min() == (255 if pixels.dtype == np.uint8 else 1):
        return [Image(np.ascontiguousarray(pixels[..., :3]))]
    weighted = planes.premultiplied(planes.floats(image))
    return [Image(np.ascontiguousarray(weighted[..., :3])), Image(np.ascontiguousarray(weighted[..., 3:]))]


def together(made: list[Image], image: Image) -> Image:
    """The opposite of `parts`."""
    if len(made) == 1:
        return Image(pictures.with_channels(made[0].pixels, image.pixels.shape[2]))
    both = planes.straight(np.concatenate([planes.floats(part) for part in made], 2))
    return Image(planes.stored(both, image.pixels.dtype))


def plan(net: Any, width: int, height: int, tile: int, thrift: int) -> Tiling:
    """Where the tiles of a picture lie; one, while memory lasts, for networks that look at all of it."""
    side = max(SMALLEST_TILE, tile >> thrift)
    if net.tiling == ModelTiling.INTERNAL or (net.tiling == ModelTiling.DISCOURAGED and not thrift):
        side = max(width, height)
    (wide, lefts), (high, tops) = (along(length, side) for length in (width, height))
    return Tiling(wide, high, lefts, tops)


def along(length: int, tile: int) -> tuple[int, list[int]]:
    """How long tiles are, and where they begin; the last ends with the picture, on the grid or not."""
    if length <= tile:
        return length, [0]
    count = -(-(length - OVERLAP) // (tile - OVERLAP))
    stride = -(-(length - OVERLAP) // (count * GRID)) * GRID
    size = min(stride + OVERLAP, length)
    return size, [min(stride * index, length - size) for index in range(count)]


def once(net: Any, image: Image, cut: Tiling, turns: Iterator[int]) -> Image:
    """The whole picture through the network, in the number format that it has."""
    dtype = image.pixels.dtype

    def grown() -> Iterator[Image]:
        for piece in tiling.pieces(image, cut):
            next(turns, None)
            yield Image(planes.stored(networks.run(net, planes.floats(piece)), dtype))

    scale, channels = (Fraction(net.scale), Fraction(net.scale)), image.pixels.shape[2]
    return tiling.woven(grown(), cut, scale, channels, dtype, unsure=UNSURE * net.scale)
