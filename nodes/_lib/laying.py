"""Pictures in a row, figures cut out of their ground, and plain ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.types import Image, Mask
from nodes._lib import geometry, pictures, planes
from nodes._lib.colours import Rgba, channels_for, pixel

if TYPE_CHECKING:
    from engine.types import Array

SHARES = {"start": 0.0, "centre": 0.5, "end": 1.0}


def plain(width: int, height: int, colour: Rgba, like: Image) -> Image:
    """One colour, in another picture's number format; grey if the picture and the colour are."""
    channels = channels_for(colour, min(3, like.pixels.shape[2]))
    canvas: Array = np.empty((height, width, channels), like.pixels.dtype)
    canvas[...] = pixel(colour, channels, canvas.dtype)
    return Image(canvas)


def cut_out(image: Image, mask: Mask) -> Image:
    """Transparent where the mask is 1, as well as where it was; the colours stay."""
    weights = planes.mask_for(image, mask)
    if weights is None or not weights.any():
        return image
    colours, alpha = planes.split(image)
    seen = 1 - weights if alpha is None else alpha * (1 - weights)
    return planes.joined(colours, seen, image)


def covering(image: Image, width: int, height: int) -> Image:
    """Scaled to fill that size, its proportions kept, and what is over cut off evenly."""
    scale = max(width / image.width, height / image.height)
    wide, high = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    return geometry.framed(geometry.scaled(image, wide, high, "lanczos"), (width, height), (0, 0, 0, 1))[0]


def in_a_row(images: list[Image], direction: str, gap: int, ground: Rgba, align: str) -> Image:
    """Side by side or one below the other, as they are, on a colour."""
    across = direction == "right"
    channels = max(channels_for(ground, image.pixels.shape[2]) for image in images)
    exact = all(image.pixels.dtype == np.uint8 for image in images)
    width, height = row_size(images, direction, gap)
    canvas: Array = np.empty((height, width, channels), np.uint8 if exact else np.float32)
    canvas[...] = pixel(ground, channels, canvas.dtype)
    at = 0
    for image in images:
        aside = (canvas.shape[0] - image.height) if across else (canvas.shape[1] - image.width)
        aside = int(aside * SHARES[align])
        left, top = (at, aside) if across else (aside, at)
        pixels = image.pixels if exact else planes.floats(image)
        canvas[top : top + image.height, left : left + image.width] = pictures.with_channels(pixels, channels)
        at += (image.width if across else image.height) + gap
    return Image(canvas)


def row_size(images: list[Image], direction: str, gap: int) -> tuple[int, int]:
    """Width and height of the row."""
    gaps = gap * (len(images) - 1)
    if direction == "right":
        return sum(image.width for image in images) + gaps, max(image.height for image in images)
    return max(image.width for image in images), sum(image.height for image in images) + gaps


def matched(images: list[Image], direction: str) -> list[Image]:
    """All as high (or as wide, in a column) as the first, their proportions kept."""
    first = images[0]
    if direction == "right":
        sizes = [(max(1, round(i.width * first.height / i.height)), first.height) for i in images]
    else:
        sizes = [(first.width, max(1, round(i.height * first.width / i.width))) for i in images]
    return [geometry.scaled(i, *size, "lanczos") for i, size in zip(images, sizes, strict=True)]
