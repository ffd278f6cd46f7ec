"""Pixels in the shape that is wanted: channels, number format; and sheets of several pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as pil
from PIL import ImageDraw, ImageFont

from engine.types import Image

if TYPE_CHECKING:
    from engine.types import Array

GAP = 4
"""Pixels between the pictures of a sheet."""
LINE = 16
"""Pixels that a caption takes."""


def floats(image: Image) -> Array:
    """Height × width × channels, float32 in 0..1."""
    if image.pixels.dtype == np.uint8:
        return image.pixels.astype(np.float32) / np.float32(255)
    return image.pixels.astype(np.float32)


def bytes_of(image: Image) -> Array:
    """Height × width × channels, uint8."""
    if image.pixels.dtype == np.uint8:
        return image.pixels
    return np.rint(np.clip(image.pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def rgb(image: Image) -> Image:
    """Three channels: grey in each, transparency left out."""
    return Image(with_channels(image.pixels, 3))


def with_channels(pixels: Array, channels: int) -> Array:
    """The same picture with 1, 3 or 4 channels; alpha that is added is opaque."""
    have = pixels.shape[2]
    if have == channels:
        return pixels
    if channels == 3:
        return pixels[..., :3] if have == 4 else np.repeat(pixels, 3, 2)
    colour = with_channels(pixels, 3)
    opaque = np.full((*pixels.shape[:2], 1), 255 if pixels.dtype == np.uint8 else 1, pixels.dtype)
    return np.concatenate([colour, opaque], 2)


def cut(image: Image, left: int, top: int, width: int, height: int) -> Image:
    return Image(np.ascontiguousarray(image.pixels[top : top + height, left : left + width]))


def inverted(image: Image) -> Image:
    """Every colour its opposite; transparency stays."""
    pixels = image.pixels.copy()
    colours = pixels[..., :3] if pixels.shape[2] == 4 else pixels
    colours[...] = (255 if pixels.dtype == np.uint8 else 1) - colours
    return Image(pixels)


def sheet(images: Sequence[Image], columns: int, captions: Sequence[str]) -> Image:
    """Pictures on white, each in the middle of a cell as large as the largest, with its caption."""
    wide, high = max(i.width for i in images), max(i.height for i in images)
    under = LINE if any(captions) else 0
    rows = -(-len(images) // columns)
    size = columns * (wide + GAP) + GAP, rows * (high + under + GAP) + GAP
    paper = pil.new("RGB", size, "white")
    for index, image in enumerate(images):
        x = GAP + index % columns * (wide + GAP)
        y = GAP + index // columns * (high + under + GAP)
        paste(paper, image, x + (wide - image.width) // 2, y + (high - image.height) // 2)
        if under and index < len(captions):
            write(paper, captions[index], x, y + high + 1, wide)
    return Image(np.asarray(paper))


def paste(paper: Any, image: Image, x: int, y: int) -> None:
    pixels = bytes_of(image)
    alpha = pil.fromarray(np.ascontiguousarray(pixels[..., 3])) if pixels.shape[2] == 4 else None
    paper.paste(pil.fromarray(np.ascontiguousarray(with_channels(pixels, 3))), (x, y), alpha)


def write(paper: Any, text: str, x: int, y: int, width: int) -> None:
    """One line, shortened to fit."""
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    line = " ".join(text.split())
    while line and pen.textlength(line, font) > width:
        line = line[:-2].rstrip() + "…" if len(line) > 2 else ""
    pen.text((x, y), line, "black", font)
