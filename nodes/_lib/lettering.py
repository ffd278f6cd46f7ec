"""Words drawn into pictures, with the typefaces that OpenCV carries within itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

from engine.types import Image
from nodes._lib import pictures, planes
from nodes._lib.colours import Rgba, channels_for
from nodes._lib.geometry import anchored
from nodes._lib.planes import Floats

FACES = {"sans": "sans", "italic": "italic", "plain": "uni"}
WEIGHTS = {"regular": 400, "bold": 800}
LEADING = 1.25
"""From one line to the next, in heights of the letters."""


class Ink(NamedTuple):
    colour: Rgba
    outline: Rgba
    border: int
    """Pixels of the outline."""


class Spot(NamedTuple):
    """Where the words stand, how far from the edge, and how their lines are aligned."""

    anchor: str
    margin: int
    align: str


class Style:
    """How letters look."""

    def __init__(self, size: int, face: str = "sans", weight: str = "regular") -> None:
        self.size, self.weight = size, WEIGHTS[weight]
        self.face: Any = cv2.FontFace(FACES[face])

    def width(self, text: str) -> int:
        """Pixels that a line takes."""
        if not text:
            return 0
        _, _, wide, _ = cv2.getTextSize((1 << 14, 1 << 14), text, (0, 0), self.face, self.size, self.weight)
        return int(wide)

    @property
    def leading(self) -> int:
        return round(self.size * LEADING)


def written(image: Image, lines: list[str], style: Style, ink: Ink, spot: Spot) -> Image:
    """The lines on the picture, which is untouched but for where they stand."""
    cover = drawn(lines, style, spot.align, ink.border)
    box = thickened(cover, ink.border)
    left, top = corner(image, cover, style, ink.border, spot)
    (x, width), (y, height) = (
        overlap(left, box.shape[1], image.width),
        overlap(top, box.shape[0], image.height),
    )
    part = np.s_[y - top : y - top + height, x - left : x - left + width]
    here = np.s_[y : y + height, x : x + width]
    channels = image.pixels.shape[2]
    for colour in (ink.colour, *([ink.outline] if ink.border else [])):
        channels = max(channels, channels_for((*colour[:3], 1.0), channels))
    pixels = pictures.with_channels(image.pixels, channels).copy()
    found = planes.widened(planes.floats(Image(pixels[here])), 4)
    before = found
    if ink.border:
        found = painted(found, box[part], ink.outline)
    found = painted(found, cover[part], ink.colour)
    touched = (box[part] > 0)[..., None]
    pixels[here] = np.where(
        touched,
        planes.stored(found[..., :channels], pixels.dtype),
        planes.stored(before[..., :channels], pixels.dtype),
    )
    return Image(pixels)


def corner(image: Image, cover: Floats, style: Style, border: int, spot: Spot) -> tuple[int, int]:
    """Where the canvas of the letters begins in the picture; its empty rim may stick out."""
    rim, inset = rim_of(style, border), spot.margin + border
    high, wide = (side - 2 * rim for side in cover.shape[:2])
    left, top = anchored(spot.anchor, image.width - 2 * inset - wide, image.height - 2 * inset - high)
    return inset - rim + left, inset - rim + top


def overlap(start: int, length: int, limit: int) -> tuple[int, int]:
    """The part of a stretch that lies between 0 and the limit, as start and length."""
    begin = max(0, start)
    return begin, max(0, min(start + length, limit) - begin)


def rim_of(style: Style, border: int) -> int:
    """Empty pixels around letters: they lean and swing out of their boxes."""
    return border + style.size // 4 + 1


def painted(pixels: Floats, cover: Floats, colour: Rgba) -> Floats:
    """A colour laid over pixels (× 4) as far as it covers them."""
    alpha = (cover * np.float32(colour[3]))[..., None]
    above = np.array([*colour[:3], 1.0], np.float32) * alpha
    return planes.straight(above + planes.premultiplied(pixels) * (1 - alpha))


def wrapped(text: str, width: int, style: Style) -> list[str]:
    """Lines that fit: broken between words, and within one only if it alone is too long."""
    return [line for paragraph in text.splitlines() for line in broken(paragraph.split(), width, style)]


def broken(words: list[str], width: int, style: Style) -> Iterator[str]:
    line = ""
    for word in words:
        joined = f"{line} {word}" if line else word
        if style.width(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        *full, line = pieces(word, width, style)
        yield from full
    yield line


def pieces(word: str, width: int, style: Style) -> list[str]:
    """A word cut where it must be."""
    found, rest = [], word
    while len(rest) > 1 and style.width(rest) > width:
        fits, over = 1, len(rest)  # so many letters fit, and so many do not
        while over - fits > 1:
            middle = (fits + over) // 2
            fits, over = (middle, over) if style.width(rest[:middle]) <= width else (fits, middle)
        found.append(rest[:fits])
        rest = rest[fits:]
    return [*found, rest]


def drawn(lines: list[str], style: Style, align: str, border: int = 0) -> Floats:
    """How much of each pixel the letters cover: height × width, 0..1, with a border of so many pixels."""
    widths = [style.width(line) for line in lines]
    rim = rim_of(style, border)
    width = max([*widths, 1]) + 2 * rim
    height = len(lines) * style.leading + 2 * rim
    canvas = np.zeros((height, width, 3), np.uint8)
    for index, (line, wide) in enumerate(zip(lines, widths, strict=True)):
        spare = max(widths) - wide
        left = rim + {"left": 0, "centre": spare // 2, "right": spare}[align]
        base = rim + index * style.leading + style.size
        if line:
            cv2.putText(canvas, line, (left, base), (255, 255, 255), style.face, style.size, style.weight)
    return (canvas[..., 0] / np.float32(255)).astype(np.float32)


def thickened(cover: Floats, by: int) -> Floats:
    """The same letters, so many pixels fatter on every side."""
    if not by:
        return cover
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    found: Floats = cv2.dilate(cover, disc)
    return found
