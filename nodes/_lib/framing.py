"""Frames around what was found in a picture, each with its name."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.types import Box, Image
from nodes._lib import lettering, pictures, planes
from nodes._lib.colours import Rgba, pixel

if TYPE_CHECKING:
    from engine.types import Array

THICK = 160
"""Parts of the shorter side that the line of a frame takes one of."""
LETTERS = 6
"""Heights of letters, in lines."""
SMALLEST = 10
"""Pixels that letters must have to be read."""
TURN = 0.618034
"""Of the circle of hues from one name to the next: by the golden section no two are near."""


def framed(image: Image, boxes: Sequence[Box], line: float, names: bool) -> Image:
    """The picture with a frame around each box, in one colour for each name; the first lies on top."""
    found = dict.fromkeys(box.label for box in boxes)
    inks = {label: ink(place) for place, label in enumerate(found)}
    thick = max(1, round(min(image.width, image.height) / THICK * line))
    style = lettering.Style(max(SMALLEST, thick * LETTERS), weight="bold")
    pixels = pictures.with_channels(image.pixels, max(3, image.pixels.shape[2])).copy()
    for box in reversed(boxes):
        frame(pixels, box, inks[box.label], thick)
        if names and (text := told(box)):
            plate(pixels, box, inks[box.label], text, style)
    return Image(pixels)


def ink(place: int) -> Rgba:
    """A bright colour, far from that of its neighbours."""
    red, green, blue = colorsys.hsv_to_rgb(place * TURN % 1, 0.85, 1.0)
    return red, green, blue, 1.0


def told(box: Box) -> str:
    """What it is and how sure that is; nothing of one that was drawn by hand."""
    return f"{box.label} {box.score:.0%}".strip() if box.label or box.score < 1 else ""


def frame(pixels: Array, box: Box, colour: Rgba, thick: int) -> None:
    """Four lines right within the edges of a box."""
    height, width, channels = pixels.shape
    left, right = sorted(min(max(round(x), 0), width) for x in (box.left, box.left + box.width))
    top, bottom = sorted(min(max(round(y), 0), height) for y in (box.top, box.top + box.height))
    paint = pixel(colour, channels, pixels.dtype)
    pixels[top : min(top + thick, bottom), left:right] = paint
    pixels[max(bottom - thick, top) : bottom, left:right] = paint
    pixels[top:bottom, left : min(left + thick, right)] = paint
    pixels[top:bottom, max(right - thick, left) : right] = paint


def plate(pixels: Array, box: Box, colour: Rgba, text: str, style: lettering.Style) -> None:
    """Black letters on the colour: above the box, or within it where there is no room above."""
    height, width, channels = pixels.shape
    rim = lettering.rim_of(style, 0)
    cover = lettering.drawn([text], style, "left")[rim // 2 : -rim // 2, rim // 2 : -rim // 2]
    high, wide = min(cover.shape[0], height), min(cover.shape[1], width)
    left = min(max(round(box.left), 0), width - wide)
    above = round(box.top) - high
    top = min(above if above >= 0 else max(round(box.top), 0), height - high)
    on = np.array(colour[:channels], np.float32) * (1 - cover[:high, :wide, None])
    on[..., 3:] = 1
    pixels[top : top + high, left : left + wide] = planes.stored(on, pixels.dtype)
