"""Colours by name and by hex text, the main ones of a picture, and what people call them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import ImageColor

from engine.errors import BadInput
from engine.types import Image
from nodes._lib import planes
from nodes._lib.planes import Floats

if TYPE_CHECKING:
    from engine.types import Array

Rgba = tuple[float, float, float, float]
"""Red, green, blue and alpha, 0..1."""

SAMPLE = 20_000
"""Pixels that are looked at to find the main colours; more changes them by less than can be seen."""

# -- one colour


def rgba(text: str, place: str = "colour") -> Rgba:
    """What a text such as "#ff8800" or "orange" means."""
    if text.lower() == "transparent":
        return 0.0, 0.0, 0.0, 0.0
    try:
        found = ImageColor.getcolor(text, "RGBA")
    except ValueError:
        near = difflib.get_close_matches(text.lower(), [*ImageColor.colormap, "transparent"], 2)
        meant = f"Did you mean {' or '.join(near)}?" if near else "Write it like #ff8800."
        raise BadInput(place, got=text, want="a colour", remedy=meant) from None
    red, green, blue, alpha = (value / 255 for value in found)  # type: ignore[union-attr]  # four of them, by the mode
    return red, green, blue, alpha


def hex_of(colour: Array) -> str:
    """Three values in 0..1 as a text."""
    red, green, blue = (int(value) for value in np.rint(np.clip(colour[:3], 0, 1) * 255))
    return f"#{red:02x}{green:02x}{blue:02x}"


def channels_for(colour: Rgba, channels: int) -> int:
    """How many channels a picture of so many needs to hold this colour too."""
    red, green, blue, alpha = colour
    if channels == 4 or alpha < 1:
        return 4
    return 3 if channels == 3 or not red == green == blue else 1


def pixel(colour: Rgba, channels: int, dtype: np.dtype[Any]) -> Array:
    """One pixel of this colour."""
    return planes.stored(np.array(colour[:channels], np.float64), dtype)


# -- the main colours of a picture


def main_colours(image: Image, count: int) -> tuple[Floats, list[float]]:
    """Up to `count` colours (count × 3) and how much of the picture each takes, the largest first.

    K-means in Lab, where distances are as eyes see them. What is transparent does not count.
    """
    found = sampled(image)
    if not len(found):
        return np.zeros((0, 3), np.float32), []
    labels = clustered(lab(found[None])[0], count)
    groups = [found[labels == label] for label in range(labels.max() + 1)]
    groups = sorted((group for group in groups if len(group)), key=len, reverse=True)
    means = np.stack([group.mean(0, dtype=np.float64) for group in groups]).astype(np.float32)
    return means, [len(group) / len(found) for group in groups]


def sampled(image: Image) -> Floats:
    """Pixels of the picture that can be seen, evenly over it: count × 3."""
    stride = max(1, int((image.width * image.height / SAMPLE) ** 0.5))
    colours, alpha = planes.split(Image(image.pixels[stride // 2 :: stride, stride // 2 :: stride]))
    colours = planes.widened(colours, 3)
    return colours[alpha[..., 0] > 0.5] if alpha is not None else colours.reshape(-1, 3)


def clustered(points: Floats, count: int) -> Array:
    """To which of up to `count` clusters each point belongs; the same points give the same answer."""
    chance = np.random.default_rng(0)
    centres = [points[chance.integers(len(points))]]
    far = ((points - centres[0]) ** 2).sum(1)
    labels = np.zeros(len(points), np.int32)
    while len(centres) < count and far.max() > 1e-6:
        centres.append(points[chance.choice(len(points), p=far / far.sum(dtype=np.float64))])
        distance = ((points - centres[-1]) ** 2).sum(1)
        labels[distance < far] = len(centres) - 1
        far = np.minimum(far, distance)
    if len(centres) == 1:
        return labels
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 0.1)
    start = np.ascontiguousarray(labels[:, None])
    _, found, _ = cv2.kmeans(points, len(centres), start, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(found)[:, 0]


def lab(colours: Floats) -> Floats:
    """L 0..100, a and b about -100..100; rows × width × 3."""
    found: Floats = cv2.cvtColor(np.ascontiguousarray(colours), cv2.COLOR_RGB2LAB)
    return found


def from_lab(values: Floats) -> Floats:
    found: Floats = np.clip(cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_LAB2RGB), 0, 1)
    return found


# -- what people call them

NAMES = {
    "black": "#000000 #181818", "dark gray": "#3c3c3c #505050", "gray": "#808080 #999999",
    "light gray": "#bcbcbc #d4d4d4", "white": "#ffffff #f2f2f2",
    "red": "#ff0000 #dc2828 #b41414", "dark red": "#7a0000 #5a1010", "pink": "#ffb0c4 #ff69b4 #f49ac2",
    "orange": "#ff8c00 #ffa030 #e87020", "brown": "#8b4513 #6b4423 #5a3a1e",
    "beige": "#e8d8b8 #d2b48c #f5e6cc",
    "yellow": "#ffff00 #ffd820 #e6c820", "olive": "#808000 #6b6b23",
    "green": "#00c000 #3ca03c #28c850 #50b450", "dark green": "#005a00 #1e4620 #2d5a2d",
    "light green": "#90ee90 #b4e6a0 #a0f050", "turquoise": "#40e0d0 #20a0a0 #008080",
    "cyan": "#00ffff #28d2e6", "light blue": "#add8e6 #87ceeb #a0c8f0",
    "blue": "#0000ff #2850dc #3c78d8 #1e90ff", "dark blue": "#00008b #14285a #1e3250",
    "purple": "#800080 #8c3cc8 #6a3d9a",
    "light purple": "#c8a0dc #d8bfd8 #b496f0", "magenta": "#ff00ff #dc28c8",
}  # fmt: skip
"""Examples of what each name means; a colour is called what its nearest example is."""


def called(colours: Floats) -> list[str]:
    """The plain name of each colour (count × 3)."""
    if not len(colours):
        return []
    names = [name for name, examples in NAMES.items() for _ in examples.split()]
    known = [rgba(text)[:3] for examples in NAMES.values() for text in examples.split()]
    there = lab(np.array(known, np.float32)[None])[0]
    here = lab(colours[None])[0]
    nearest = ((here[:, None] - there[None]) ** 2).sum(2).argmin(1)
    return [names[int(index)] for index in nearest]
