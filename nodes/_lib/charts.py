"""Pictures made of nothing but colours: plain ones, gradients, swatches, histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from engine.types import Image
from nodes._lib import lettering, pictures, planes
from nodes._lib.colours import Rgba, hex_of, pixel
from nodes._lib.planes import Floats

SWATCH = 96
"""Pixels of a swatch each way; its hex text stands below."""
BINS = 256
PAPER = 0.07
MARGIN = 16
"""Pixels around a curve."""


def solid(width: int, height: int, colour: Rgba) -> Image:
    one = pixel(colour, 3 if colour[3] == 1 else 4, np.dtype(np.uint8))
    return Image(np.ascontiguousarray(np.broadcast_to(one, (height, width, len(one)))))


def gradient(width: int, height: int, colours: Sequence[Rgba], shape: str, degrees: float) -> Image:
    """Through the colours at equal distances, without a grey fringe where they become transparent."""
    stops = planes.premultiplied(np.array(colours, np.float32)[None])[0]
    at = radial(width, height) if shape == "radial" else linear(width, height, degrees)
    places = np.linspace(0, 1, len(stops))
    mixed = np.stack([np.interp(at, places, stops[:, c]) for c in range(4)], 2).astype(np.float32)
    found = planes.straight(mixed)
    opaque = all(colour[3] == 1 for colour in colours)
    return Image(planes.stored(found[..., :3] if opaque else found, np.dtype(np.uint8)))


def linear(width: int, height: int, degrees: float) -> Floats:
    """0 on the first edge and 1 on the last, along a direction that turns clockwise from left to right."""
    turn = math.radians(degrees)
    x, y = np.linspace(-0.5, 0.5, width) * (width - 1), np.linspace(-0.5, 0.5, height) * (height - 1)
    reach = abs((width - 1) * math.cos(turn)) + abs((height - 1) * math.sin(turn))
    along = x[None] * math.cos(turn) + y[:, None] * math.sin(turn)
    return np.clip(along / max(reach, 1e-9) + 0.5, 0, 1).astype(np.float32)


def radial(width: int, height: int) -> Floats:
    """0 in the middle, 1 in the corners."""
    x, y = (np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in (width, height))
    far = np.hypot(x[None], y[:, None]) / max(1e-9, math.hypot(x[-1], y[-1]))
    return far.astype(np.float32)


def swatches(colours: Floats) -> Image:
    """A card with the colours side by side and the text of each below."""
    style = lettering.Style(18)
    cards = []
    for colour in colours:
        card = np.ones((SWATCH + style.leading + 8, SWATCH, 3), np.float32)
        card[:SWATCH] = colour
        words = lettering.drawn([hex_of(colour)], style, "left")
        y, x = SWATCH + 2 - style.size // 4, max(0, (SWATCH - words.shape[1]) // 2)
        put = words[:, (words.shape[1] - SWATCH) // 2 :][:, :SWATCH] if words.shape[1] > SWATCH else words
        put = put[: card.shape[0] - y]
        card[y : y + put.shape[0], x : x + put.shape[1]] *= 1 - put[..., None]
        cards.append(card)
    return Image(planes.stored(np.concatenate(cards, 1), np.dtype(np.uint8)))


def histogram(image: Image, height: int, log: bool) -> Image:
    """Dark on the left, bright on the right, two pixels for each of 256 steps; colours add up to white."""
    pixels = pictures.bytes_of(image)
    opaque = np.full(pixels.shape[:2], 255, np.uint8)
    alpha = np.asarray(pixels[..., 3] if pixels.shape[2] == 4 else opaque, np.uint8) > 0
    channels = pictures.with_channels(pixels, 3)
    counts = np.stack([np.bincount(channels[..., c][alpha], minlength=BINS) for c in range(3)], 1).astype(
        float
    )
    shown = np.log1p(counts) if log else counts
    top = shown[1:-1].max() or shown.max() or 1  # what is clipped to black or white would dwarf the rest
    bars = np.repeat(np.clip(shown / top, 0, 1), 2, axis=0)  # 512 × 3
    level = 1 - (np.arange(height) + 0.5) / height
    filled = level[:, None, None] < bars[None]
    return Image(planes.stored(np.where(filled, 1, PAPER).astype(np.float32), np.dtype(np.uint8)))


def curve(values: Sequence[float], width: int, height: int) -> Image:
    """Falling numbers as dots on a line, by their logarithms, with the first and the last one written."""
    style = lettering.Style(12)
    pixels = np.full((height, width, 3), round(PAPER * 255), np.uint8)
    levels = np.log([max(value, 1e-6) for value in values])
    spread = max(float(levels.max() - levels.min()), 1e-6)
    x = np.linspace(MARGIN, width - 1 - MARGIN, len(values))
    y = MARGIN + (levels.max() - levels) / spread * (height - 1 - 2 * MARGIN)
    dots = np.stack([x, y], 1).round().astype(np.int32)
    cv2.polylines(pixels, [dots[:, None]], False, (110, 110, 110), 1, cv2.LINE_AA)
    for dot in dots:
        cv2.circle(pixels, (int(dot[0]), int(dot[1])), 3, (255, 170, 60), -1, cv2.LINE_AA)
    ink = lettering.Ink((1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0), 0)
    first = lettering.written(
        Image(pixels), [f"{values[0]:.3g}"], style, ink, lettering.Spot("top left", 4, "left")
    )
    return lettering.written(
        first, [f"{values[-1]:.3g}"], style, ink, lettering.Spot("bottom right", 4, "right")
    )
