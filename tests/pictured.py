"""Pictures and masks of every kind, for tests of what nodes do with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from engine.types import Image, Mask

few = settings(max_examples=25, deadline=None)
"""For laws: the first call also imports the libraries, so no call has a deadline."""

STILL: list[Any] = ["png", "jpeg", "webp", "avif", "tiff"]
MOVING: list[Any] = ["gif", "webp", "png", "avif", "mp4"]
"""Formats of files."""
KINDS = [(channels, dtype) for dtype in (np.uint8, np.float32) for channels in (1, 3, 4)]


def noise(width: int = 12, height: int = 8, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> Image:
    """A picture of chance, read-only as on a wire."""
    chance = np.random.default_rng(seed)
    shape = (height, width, channels)
    pixels = (
        chance.integers(0, 256, shape, np.uint8) if dtype == np.uint8 else chance.random(shape, np.float32)
    )
    return on_wire(pixels)


def photo(width: int = 64, height: int = 48) -> Image:
    """A picture whose colours change softly."""
    y, x = np.mgrid[:height, :width]
    return Image(np.stack([x * 3, y * 4, 255 - x * 2 - y], 2).clip(0, 255).astype(np.uint8))


def moving(count: int = 4, channels: int = 3) -> list[Image]:
    """A square that walks, in few colours."""
    frames = []
    for index in range(count):
        pixels = np.zeros((24, 32, channels), np.uint8)
        pixels[..., 2] = 90
        if channels == 4:
            pixels[..., 3] = 0
        pixels[8:16, 4 + 5 * index : 12 + 5 * index] = (230, 120, 10, 255)[:channels]
        if channels == 4:
            pixels[pixels[..., 3] == 0] = 0
        frames.append(Image(pixels))
    return frames


def plain(colour: tuple[float, ...], width: int = 12, height: int = 8, dtype: Any = np.uint8) -> Image:
    """One colour all over."""
    return on_wire(np.full((height, width, len(colour)), colour, dtype))


def on_wire(pixels: Any) -> Image:
    pixels.flags.writeable = False
    return Image(pixels)


def mask_of(rows: Any) -> Mask:
    pixels = np.array(rows, np.float32)
    pixels.flags.writeable = False
    return Mask(pixels)


def half(width: int = 12, height: int = 8) -> Mask:
    """Changes the right half."""
    return mask_of(np.repeat((np.arange(width) >= width // 2)[None].astype(float), height, 0))


@st.composite
def pictures(draw: st.DrawFn, least: int = 1, most: int = 20) -> Image:
    channels, dtype = draw(st.sampled_from(KINDS))
    sides = st.integers(least, most)
    return noise(draw(sides), draw(sides), channels, dtype, draw(st.integers(0, 1000)))


def same(a: Image, b: Image) -> bool:
    """Bit for bit, in the same number format."""
    return a.pixels.dtype == b.pixels.dtype and np.array_equal(a.pixels, b.pixels)
