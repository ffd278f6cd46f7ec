"""What is made of how much each word was heeded: scores, heat, and pictures that show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from engine.types import Image
from nodes._lib import colours, geometry, lettering, pictures, planes
from nodes._lib.planes import Floats

if TYPE_CHECKING:
    from engine.types import Array

PAPER, INK, FAINT = (0.055, 0.06, 0.075), (0.96, 0.96, 0.97, 1.0), (0.62, 0.64, 0.68, 1.0)
GAP = 14
BAR = 4
"""Pixels between panels, and the height of the bar that shows a score."""


def scores(maps: Array) -> list[float]:
    """The part of what is heeded of all words that each of them has."""
    each = np.asarray(maps, np.float64).mean((1, 2))
    return [float(one) for one in each / max(float(each.sum()), 1e-12)]


def heat(maps: Array, contrast: bool) -> Floats:
    """Maps that each sum up to 1, or are 0 everywhere.

    With `contrast` only what a word has more of than words have on average: what all words share, such as
    the pull of a picture's middle, says nothing of any of them (the redundant part that CLIP Surgery, Li et
    al. 2023, takes away in the same manner).
    """
    found = summing_to_one(np.asarray(maps, np.float32))
    if contrast and len(found) > 1:
        found = summing_to_one(np.clip(found - found.mean(0), 0, None))
    return found


def summing_to_one(maps: Floats) -> Floats:
    total = maps.sum((1, 2), keepdims=True)
    found: Floats = np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)
    return found


def over(plane: Floats, width: int, height: int) -> Floats:
    """Heat as large as a picture, 0 to 1; 1 where it is hottest."""
    fine = np.clip(cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC), 0, None)
    found: Floats = fine / max(float(fine.max()), 1e-12)
    return found.astype(np.float32)


def glowing(plane: Floats) -> Floats:
    """Heat as colours, black where there is none: height × width × 3."""
    levels = np.rint(plane * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    found: Floats = (colours / 255).astype(np.float32)
    return found


def lit(image: Image, plane: Floats) -> Image:
    """A picture that is dim and grey where there is no heat, and aglow where there is."""
    heat = over(plane, image.width, image.height)[..., None]
    own = planes.floats(pictures.rgb(image))
    grey = np.repeat(planes.luma(own), 3, 2) * 0.35
    seen = grey + 0.45 * (own - grey) * np.sqrt(heat)
    found = seen * (1 - 0.5 * heat) + glowing(heat[..., 0]) * 0.8 * np.sqrt(heat)
    return Image(planes.stored(np.clip(found, 0, 1).astype(np.float32), np.dtype(np.uint8)))


class Panel(NamedTuple):
    """A picture with words below it, and how long the bar between them is, 0 to 1."""

    image: Image
    left: str
    right: str = ""
    bar: float | None = None


def sheet(panels: Sequence[Panel], side: int, columns: int) -> Image:
    """Panels on dark paper, each picture's longer side that long."""
    cells = [drawn(panel, side) for panel in panels]
    high, wide = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    columns = -(-len(cells) // rows)  # as even as they go
    paper = ground(rows * (high + GAP) + GAP, columns * (wide + GAP) + GAP)
    for number, cell in enumerate(cells):
        y, x = (
            GAP + at * (size + GAP) for at, size in zip(divmod(number, columns), (high, wide), strict=True)
        )
        paper[y : y + high, x : x + wide] = cell
    return Image(paper)


def ground(height: int, width: int) -> Array:
    paper = np.broadcast_to(np.array(PAPER, np.float32), (height, width, 3))
    return planes.stored(np.ascontiguousarray(paper), np.dtype(np.uint8))


def drawn(panel: Panel, side: int) -> Array:
    scale = side / max(panel.image.width, panel.image.height)
    width, height = (max(1, round(length * scale)) for length in (panel.image.width, panel.image.height))
    picture = pictures.rgb(geometry.scaled(panel.image, width, height, "lanczos"))
    style = lettering.Style(max(11, side // 14), weight="bold")
    strip = ground(BAR + style.leading + 10, width)
    if panel.bar is not None:
        strip[3 : 3 + BAR, : max(1, round(width * panel.bar))] = glow_of(panel.bar)
    words = Image(strip)
    for text, colour, corner in ((panel.left, INK, "bottom left"), (panel.right, FAINT, "bottom right")):
        ink = lettering.Ink(colour, (0.0, 0.0, 0.0, 1.0), 0)
        words = lettering.written(words, [text], style, ink, lettering.Spot(corner, 2, "left"))
    return np.concatenate([pictures.bytes_of(picture), words.pixels])


def glow_of(level: float) -> Array:
    """A colour of the glow that can be seen on dark paper."""
    colour = glowing(np.array([[0.35 + 0.55 * level]], np.float32))[0, 0]
    return np.asarray(np.rint(colour * 255), np.uint8)


def apart(one: Image, other: Image) -> float:
    """How far two pictures of one size are apart to the eye: the mean distance of their colours in Lab."""
    both = [colours.lab(planes.floats(pictures.rgb(image))) for image in (one, other)]
    return float(np.linalg.norm(both[0] - both[1], axis=2).mean())


def glow(plane: Floats, width: int, height: int) -> Image:
    """Heat from 0 to 1 in colours, as large as a picture."""
    fine = cv2.resize(plane.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return Image(np.rint(glowing(np.clip(fine, 0, 1)) * 255).astype(np.uint8))


def grey(plane: Floats, width: int, height: int) -> Image:
    """Heat as a grey picture, white where it is hottest."""
    return Image(np.rint(over(plane, width, height) * 255).astype(np.uint8)[..., None])
