"""Tone and colour corrections, each a function from colours to colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import map_coordinates
from skimage.exposure import equalize_hist, match_histograms

from engine.types import Image
from nodes._lib import pictures, planes
from nodes._lib.colours import from_lab, lab
from nodes._lib.planes import Floats, luma

if TYPE_CHECKING:
    from engine.types import Array
    from nodes._lib.cubes import Cube

Change = Callable[[Floats], Floats]
CHANNELS = ("red", "green", "blue")
WARMTH = 0.6
"""How many times, as a power of two, full warmth raises red and lowers blue."""

# -- pixel by pixel


def on_channel(change: Change, channel: str) -> Change:
    """The change on all colours, or on red, green or blue alone."""
    if channel == "all":
        return change

    def one(colours: Floats) -> Floats:
        at = CHANNELS.index(channel)
        found = planes.widened(colours, 3).copy()
        found[..., at] = change(found[..., at : at + 1])[..., 0]
        return found

    return one


def levels(black: float, white: float, gamma: float, low: float, high: float) -> Change:
    def change(colours: Floats) -> Floats:
        spread = np.clip((colours - np.float32(black)) / np.float32(white - black), 0, 1)
        bent = spread ** np.float32(1 / gamma)
        found: Floats = np.float32(low) + bent * np.float32(high - low)
        return found

    return change


def brightness_contrast(brightness: float, contrast: float) -> Change:
    slope = 1.0 if contrast == 0 else math.tan((contrast + 1) * math.pi / 4)

    def change(colours: Floats) -> Floats:
        lit = lightened(colours, brightness)
        return (
            lit
            if slope == 1
            else np.clip((lit - np.float32(0.5)) * np.float32(slope) + np.float32(0.5), 0, 1)
        )

    return change


def lightened(colours: Floats, amount: float) -> Floats:
    """Towards white above 0, towards black below; 0 changes no bit."""
    if amount == 0:
        return colours
    toward = np.float32(1 if amount > 0 else 0)
    found: Floats = colours + (toward - colours) * np.float32(abs(amount))
    return found


def hue_saturation(hue: float, saturation: float, lightness: float) -> Change:
    def change(colours: Floats) -> Floats:
        found = colours
        if hue % 360 and colours.shape[2] == 3:
            values = cv2.cvtColor(np.ascontiguousarray(found), cv2.COLOR_RGB2HLS)
            values[..., 0] = (values[..., 0] + hue) % 360
            found = cv2.cvtColor(values, cv2.COLOR_HLS2RGB)
        if saturation:
            grey = luma(found)
            found = np.clip(grey + (found - grey) * np.float32(1 + saturation), 0, 1)
        return lightened(found, lightness)

    return change


def temperature(warmth: float, tint: float) -> Change:
    """Gains in linear light, as a camera balances white; grey keeps its brightness."""
    gains = np.array([2 ** (WARMTH * warmth), 2 ** (-WARMTH * tint), 2 ** (-WARMTH * warmth)], np.float32)
    gains /= gains @ np.array([0.2126, 0.7152, 0.0722], np.float32)

    def change(colours: Floats) -> Floats:
        return encoded(decoded(planes.widened(colours, 3)) * gains)

    return change


def decoded(colours: Floats) -> Floats:
    """sRGB to linear light."""
    low, high = colours / 12.92, ((np.maximum(colours, 0) + 0.055) / 1.055) ** 2.4
    return np.where(colours <= 0.04045, low, high).astype(np.float32)


def encoded(light: Floats) -> Floats:
    """Linear light to sRGB."""
    light = np.clip(light, 0, 1)
    low, high = light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, low, high).astype(np.float32)


def curve(points: Sequence[tuple[float, float]]) -> Change:
    """A smooth curve through the points that never overshoots them; flat beyond the first and last."""
    xs, ys = zip(*points, strict=True)
    through = PchipInterpolator(xs, ys)

    def change(colours: Floats) -> Floats:
        found: Floats = through(np.clip(colours, xs[0], xs[-1])).astype(np.float32)
        return found

    return change


def grayscale(how: str) -> Change:
    weights = {
        "luma": planes.LUMA,
        "average": np.full(3, 1 / 3, np.float32),
        **{name: np.eye(3, dtype=np.float32)[at] for at, name in enumerate(CHANNELS)},
    }[how]

    def change(colours: Floats) -> Floats:
        return colours if colours.shape[2] == 1 else (colours @ weights)[..., None]

    return change


def posterize(steps: int) -> Change:
    def change(colours: Floats) -> Floats:
        found: Floats = np.rint(colours * np.float32(steps - 1)) / np.float32(steps - 1)
        return found

    return change


def threshold(level: float) -> Change:
    def change(colours: Floats) -> Floats:
        return (luma(colours) >= np.float32(level)).astype(np.float32)

    return change


def otsu(image: Image) -> float:
    """The brightness that parts a picture best into dark and bright."""
    grey = planes.recoloured(image, luma)
    values = pictures.bytes_of(Image(grey.pixels[..., :1]))[..., 0]
    level, _ = cv2.threshold(np.ascontiguousarray(values), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return (float(level) + 0.5) / 255


def graded(cube: Cube, strength: float) -> Change:
    """Colours looked up in a table, between its points by trilinear interpolation."""

    def change(colours: Floats) -> Floats:
        rgb = planes.widened(colours, 3)
        low, high = (np.asarray(end, np.float32) for end in (cube.low, cube.high))
        places = (rgb - low) / (high - low)
        if cube.table.ndim == 2:  # one curve for each channel
            ends = (places * (len(cube.table) - 1)).astype(np.float64)
            found = [looked_up(cube.table[:, c], ends[None, ..., c]) for c in range(3)]
        else:
            steps = np.array(cube.table.shape[2::-1]) - 1
            at = np.moveaxis((places * steps).astype(np.float64), 2, 0)[::-1]  # blue, green, red
            found = [looked_up(cube.table[..., c], at) for c in range(3)]
        return planes.mixed(rgb, np.stack(found, 2), np.float32(strength))

    return change


def looked_up(table: Array, places: Array) -> Floats:
    found: Floats = map_coordinates(table, places, order=1, mode="nearest")
    return found


# -- by what is in the picture


def auto_levels(image: Image, cutoff: float, each: bool) -> Change:
    """The darkest becomes black and the brightest white; a share at both ends does not count."""
    seen = visible(image)
    values = seen if each else seen.reshape(-1, 1)  # all alike, by the outermost: so no colour is clipped
    low, high = np.percentile(values, (cutoff, 100 - cutoff), axis=0).astype(np.float32)
    span = np.where(high > low, high - low, 1).astype(np.float32)
    start = np.where(high > low, low, 0).astype(np.float32)

    def change(colours: Floats) -> Floats:
        found: Floats = np.clip((colours - start) / span, 0, 1)
        return found

    return change


def visible(image: Image) -> Floats:
    """The colours of what is not wholly transparent: count × channels. All, if everything is."""
    colours, alpha = planes.split(image)
    if alpha is not None and (alpha > 0).any():
        return colours[alpha[..., 0] > 0]
    return colours.reshape(-1, colours.shape[2])


def equalized(image: Image, limit: float, tiles: int) -> Image:
    """Brightness spread evenly: over the whole picture, or with tiles in each part by itself (CLAHE)."""
    colours, alpha = planes.split(image)
    coloured = colours.shape[2] == 3
    values = lab(colours) if coloured else colours
    light = values[..., 0] / np.float32(100 if coloured else 1)
    if light.min() == light.max():
        return image
    if tiles:
        coarse = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)  # its limit counts for 256 steps
        even = cv2.createCLAHE(limit, (tiles, tiles)).apply(coarse) / np.float32(255)
        even += light - coarse / np.float32(255)  # what lies between the steps
    else:
        even = equalize_hist(light, nbins=4096)  # type: ignore[no-untyped-call]  # it has no types
    if not coloured:
        return planes.joined(even[..., None], alpha, image)
    values[..., 0] = even * np.float32(100)
    return planes.joined(from_lab(values), alpha, image)


def matched(image: Image, reference: Image, how: str, strength: float) -> Image:
    """The colours of a picture moved to where those of another lie."""
    colours, alpha = planes.split(image)
    grey = colours.shape[2] == 1 and reference.pixels.shape[2] == 1
    if not grey:
        colours = planes.widened(colours, 3)
    there = visible(reference)
    there = planes.widened(there[None], colours.shape[2])[0]
    seen = np.ones(colours.shape[:2], bool) if alpha is None or not alpha.any() else alpha[..., 0] > 0
    here = colours[seen]
    moved = colours.copy()
    if how == "histogram":
        moved[seen] = match_histograms(here[:, None], there[:, None], channel_axis=2)[:, 0]
    elif grey:
        moved[seen] = like(here, there)
    else:
        moved[seen] = from_lab(like(lab(here[None])[0], lab(there[None])[0])[None])[0]
    return planes.joined(planes.mixed(colours, np.clip(moved, 0, 1), np.float32(strength)), alpha, image)


def like(here: Floats, there: Floats) -> Floats:
    """The mean and the spread of the others (Reinhard's colour transfer)."""
    spread = here.std(0, dtype=np.float64)
    gain = np.where(spread > 1e-6, there.std(0, dtype=np.float64) / np.maximum(spread, 1e-6), 1)
    found: Floats = ((here - here.mean(0, dtype=np.float64)) * gain + there.mean(0, dtype=np.float64)).astype(
        np.float32
    )
    return found
