"""Pictures laid over each other: the blend modes that every image editor has, by the W3C's formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.types import Image
from nodes._lib import pictures, planes
from nodes._lib.planes import Floats

if TYPE_CHECKING:
    from engine.types import Array

Mix = Callable[[Floats, Floats], Floats]
"""The colour of a layer (second) on a ground (first); both opaque, the same channels."""


class Placed(NamedTuple):
    """Where a layer meets the picture below: its corner in each of them, and the size of what they share."""

    left: int
    top: int
    from_left: int
    from_top: int
    width: int
    height: int


def laid_over(
    below: Image, layer: Image, left: int, top: int, mode: str, opacity: float, mask: Floats | None
) -> Image:
    """The layer on the picture, at that place; what sticks out is cut off.

    `mask` is height × width × 1 and as large as the layer. Where the layer does not show the picture below
    keeps its bits.
    """
    place = meeting(below, layer, left, top)
    channels = 4 if below.pixels.shape[2] == 4 else max(below.pixels.shape[2], min(3, layer.pixels.shape[2]))
    dtype = number_format(below, layer)
    canvas = in_format(pictures.with_channels(below.pixels, channels), dtype)
    if place is None:
        return Image(canvas)
    canvas = canvas.copy() if canvas is below.pixels else canvas
    for start, rows in strips(place.width, place.height):
        y, x = place.top + start, place.left
        under = canvas[y : y + rows, x : x + place.width]
        y, x = place.from_top + start, place.from_left
        over = layer.pixels[y : y + rows, x : x + place.width]
        cover = np.full((rows, place.width, 1), opacity, np.float32)
        if mask is not None:
            cover *= mask[y : y + rows, x : x + place.width]
        under[...] = planes.stored(over_ground(under, over, mode, cover), dtype)
    return Image(canvas)


def crossfaded(a: Image, b: Image, mode: str, amount: float, mask: Floats | None) -> Image:
    """From `a` (amount 0) to `b` laid on it in that mode (amount 1); "normal" goes to `b` alone."""
    channels = max(a.pixels.shape[2], b.pixels.shape[2])
    dtype = number_format(a, b)
    whole = np.empty((a.height, a.width, channels), dtype)
    for start, rows in strips(a.width, a.height):
        part = slice(start, start + rows)
        weight: Floats = np.full((rows, a.width, 1), amount, np.float32)
        if mask is not None:
            weight *= mask[part]
        before, after = pictures.with_channels(a.pixels[part], channels), b.pixels[part]
        if mode == "normal":
            mixed = faded(before, pictures.with_channels(after, channels), weight)
        else:
            mixed = over_ground(before, after, mode, weight)
        whole[part] = planes.stored(mixed, dtype)
    return Image(whole)


def over_ground(below: Array, layer: Array, mode: str, cover: Floats) -> Floats:
    """One strip of a layer on the ground: Porter and Duff's "over", with the colours of the mode.

    colour = (1 - s) ground + s ((1 - ground's alpha) layer + ground's alpha mode(ground, layer)),
    where s is the layer's share of the alpha that comes out.
    """
    channels = below.shape[2]
    ground, ground_alpha = planes.split(Image(below))
    colours, alpha = planes.split(Image(layer))
    colours = pictures.with_channels(colours, ground.shape[2]).astype(np.float32, copy=False)
    cover = cover if alpha is None else cover * alpha
    blended = colours if mode == "normal" else MODES[mode](ground, colours)
    if ground_alpha is None:
        return lerp(ground, blended, cover)[..., :channels]
    out_alpha = cover + ground_alpha * (1 - cover)
    share = cover / where(out_alpha > 0, out_alpha, np.float32(1))
    shown = blended if mode == "normal" else lerp(colours, blended, ground_alpha)
    return np.concatenate([lerp(ground, shown, share), np.where(cover > 0, out_alpha, ground_alpha)], 2)


def faded(a: Array, b: Array, weight: Floats) -> Floats:
    """One strip from `a` to `b`; each colour counts as much as its alpha, so nothing dark shines through."""
    before, before_alpha = planes.split(Image(a))
    after, after_alpha = planes.split(Image(b))
    if before_alpha is None or after_alpha is None:
        return lerp(before, after, weight)
    alpha = lerp(before_alpha, after_alpha, weight)
    share = weight * after_alpha / where(alpha > 0, alpha, np.float32(1))
    share = where((before_alpha == after_alpha) | (alpha == 0), weight, share)
    return np.concatenate([lerp(before, after, share), alpha], 2)


def lerp(a: Floats, b: Floats, weight: Floats) -> Floats:
    """From one to the other: exact at both ends, and where both are the same."""
    return where(weight >= 1, b, a + (b - a) * weight)


def where(condition: NDArray[np.bool_], yes: Floats, no: Floats | np.float32) -> Floats:
    """One or the other, in the floats that they are."""
    found: Floats = np.where(condition, yes, no)
    return found


def meeting(below: Image, layer: Image, left: int, top: int) -> Placed | None:
    """The part of the picture that the layer covers."""
    start_x, start_y = max(0, left), max(0, top)
    end_x, end_y = min(below.width, left + layer.width), min(below.height, top + layer.height)
    if start_x >= end_x or start_y >= end_y:
        return None
    return Placed(start_x, start_y, start_x - left, start_y - top, end_x - start_x, end_y - start_y)


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and rows of pieces small enough to be worked on in floats."""
    rows = max(1, planes.STRIP // max(1, width))
    return ((top, min(rows, height - top)) for top in range(0, height, rows))


def number_format(a: Image, b: Image) -> np.dtype[np.generic]:
    """8 bits if both have them."""
    both = a.pixels.dtype == np.uint8 and b.pixels.dtype == np.uint8
    return np.dtype(np.uint8 if both else np.float32)


def in_format(pixels: Array, dtype: np.dtype[np.generic]) -> Array:
    return pixels if pixels.dtype == dtype else planes.floats(Image(pixels))


# -- modes that look at each channel by itself: `below` and `layer` in 0..1


def screen(below: Floats, layer: Floats) -> Floats:
    return below + layer - below * layer


def hard_light(below: Floats, layer: Floats) -> Floats:
    twice = 2 * layer
    return np.where(layer <= 0.5, below * twice, screen(below, twice - 1))


def soft_light(below: Floats, layer: Floats) -> Floats:
    root = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
    darker = below - (1 - 2 * layer) * below * (1 - below)
    return np.where(layer <= 0.5, darker, below + (2 * layer - 1) * (root - below))


def colour_dodge(below: Floats, layer: Floats) -> Floats:
    rest = np.where(layer < 1, 1 - layer, np.float32(1))
    bright: Floats = np.where(layer < 1, np.minimum(below / rest, 1), np.float32(1))
    return np.where(below == 0, np.float32(0), bright)


def colour_burn(below: Floats, layer: Floats) -> Floats:
    return 1 - colour_dodge(1 - below, 1 - layer)


# -- modes that take hue, saturation and luminosity apart

WEIGHTS = np.array([0.3, 0.59, 0.11], np.float32)
"""Of red, green and blue in luminosity, as the formulas of these modes have them."""


def with_luminosity(colours: Floats, luminosity: Floats) -> Floats:
    """The colours made so light; what falls out of 0..1 is drawn towards grey."""
    moved = colours + (luminosity - colours @ WEIGHTS[:, None])
    low, high = moved.min(2, keepdims=True), moved.max(2, keepdims=True)
    below, above = luminosity - low, high - luminosity
    moved = np.where(
        low < 0, luminosity + (moved - luminosity) * luminosity / np.where(below > 0, below, 1), moved
    )
    over = (moved - luminosity) * (1 - luminosity) / np.where(above > 0, above, 1)
    return np.clip(np.where(high > 1, luminosity + over, moved), 0, 1).astype(np.float32)


def with_saturation(colours: Floats, saturation: Floats) -> Floats:
    """The colours with their channels spread so far; grey has no spread to widen."""
    low = colours.min(2, keepdims=True)
    spread = colours.max(2, keepdims=True) - low
    return np.where(spread > 0, (colours - low) / np.where(spread > 0, spread, 1) * saturation, np.float32(0))


def luminosity_of(colours: Floats) -> Floats:
    found: Floats = colours @ WEIGHTS[:, None]
    return found


def saturation_of(colours: Floats) -> Floats:
    found: Floats = colours.max(2, keepdims=True) - colours.min(2, keepdims=True)
    return found


def whole_colours(mix: Mix) -> Mix:
    """A mode that needs three channels, for grey pictures too."""

    def mixed(below: Floats, layer: Floats) -> Floats:
        grey = below.shape[2] == 1
        three = [pictures.with_channels(pixels, 3) for pixels in (below, layer)]
        found = mix(three[0].astype(np.float32, copy=False), three[1].astype(np.float32, copy=False))
        return found[..., :1] if grey else found

    return mixed


MODES: dict[str, Mix] = {
    "multiply": lambda below, layer: below * layer,
    "screen": screen,
    "overlay": lambda below, layer: hard_light(layer, below),
    "soft light": soft_light,
    "hard light": hard_light,
    "darken": lambda below, layer: np.minimum(below, layer),
    "lighten": lambda below, layer: np.maximum(below, layer),
    "difference": lambda below, layer: np.abs(below - layer),
    "exclusion": lambda below, layer: below + layer - 2 * below * layer,
    "colour dodge": colour_dodge,
    "colour burn": colour_burn,
    "add": lambda below, layer: np.minimum(below + layer, 1),
    "subtract": lambda below, layer: np.maximum(below - layer, 0),
    "hue": whole_colours(
        lambda below, layer: with_luminosity(
            with_saturation(layer, saturation_of(below)), luminosity_of(below)
        )
    ),
    "saturation": whole_colours(
        lambda below, layer: with_luminosity(
            with_saturation(below, saturation_of(layer)), luminosity_of(below)
        )
    ),
    "colour": whole_colours(lambda below, layer: with_luminosity(layer, luminosity_of(below))),
    "luminosity": whole_colours(lambda below, layer: with_luminosity(below, luminosity_of(layer))),
}
