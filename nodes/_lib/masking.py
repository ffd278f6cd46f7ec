"""Masks drawn, grown, softened, cleaned and read from pictures: height × width, float32, 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Box, Image, Mask
from nodes._lib import colours, pictures, planes
from nodes._lib.blending import strips

if TYPE_CHECKING:
    from engine.types import Array

Plane = NDArray[np.float32]

ROWS = 8
"""Lines that each row of pixels is cut into: how finely slanted edges are smoothed."""
STRIDE = 8
"""Radius by which soft masks grow at a time."""


def plane(mask: Mask) -> Plane:
    return np.asarray(mask.pixels, np.float32)


# -- shapes


def polygon(width: int, height: int, points: Sequence[tuple[float, float]]) -> Plane:
    """How much of each pixel lies inside, by the even-odd rule; points are in pixels from the top left."""
    mask = np.zeros((height, width), np.float32)
    x, y = np.array(points, np.float64).T
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    level = y == y1
    slope = np.where(level, 0, (x1 - x) / np.where(level, 1, y1 - y))
    first = max(0, math.floor(y.min()))
    last = min(height, math.ceil(y.max()))
    step = max(1, min(planes.STRIP // 8 // max(width, len(x) * ROWS), 4096))
    for top in range(first, last, step):
        rows = min(step, last - top)
        lines = top + (np.arange(rows * ROWS)[:, None] + 0.5) / ROWS
        crossed = (y <= lines) != (y1 <= lines)
        most = int(crossed.sum(1).max(initial=0))
        if not most:
            continue
        edges = np.where(crossed, x + (lines - y) * slope, np.inf)
        edges = np.sort(np.partition(edges, most - 1, axis=1)[:, :most], axis=1)
        band = np.zeros((rows * ROWS, width), np.float32)
        for pair in range(0, most, 2):
            band += covered(width, edges[:, pair], edges[:, pair + 1])
        mask[top : top + rows] = band.reshape(rows, ROWS, width).mean(1)
    return np.clip(mask, 0, 1)


def covered(width: int, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> Plane:
    """How much of each pixel of a row lies between the start and the end."""
    columns = np.arange(width)[None]
    left = np.maximum(columns, np.minimum(starts, width)[:, None])
    right = np.minimum(columns + 1, np.minimum(ends, width)[:, None])
    found: Plane = np.clip(right - left, 0, 1).astype(np.float32)
    return found


def rectangle(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def ellipse(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """As a polygon of so many corners that even a very large one looks round."""
    angles = np.linspace(0, 2 * math.pi, 720, endpoint=False)
    x, y = (left + right) / 2, (top + bottom) / 2
    return [
        (x + math.cos(a) * (right - left) / 2, y + math.sin(a) * (bottom - top) / 2) for a in angles.tolist()
    ]


def boxes(width: int, height: int, found: Sequence[Box], shape: str, grow: float) -> Plane:
    """1 within rectangles or the ellipses in them, each larger by a part of its size."""
    mask = np.zeros((height, width), np.float32)
    outline = ellipse if shape == "ellipse" else rectangle
    for box in found:
        wide, high = box.width * grow / 2, box.height * grow / 2
        sides = box.left - wide, box.top - high, box.left + box.width + wide, box.top + box.height + high
        merge(mask, outline(*sides))
    return mask


def merge(mask: Plane, points: Sequence[tuple[float, float]]) -> None:
    """Add what lies inside an outline, looking only at the part of the mask around it."""
    x, y = zip(*points, strict=True)
    left, top = max(0, math.floor(min(x))), max(0, math.floor(min(y)))
    part = mask[top : max(top, math.ceil(max(y))), left : max(left, math.ceil(max(x)))]
    if part.size:
        height, width = part.shape
        inside = polygon(width, height, [(x - left, y - top) for x, y in points])
        np.maximum(part, inside, out=part)


def turned(points: Sequence[tuple[float, float]], degrees: float) -> list[tuple[float, float]]:
    """Clockwise about the middle of their frame."""
    if not degrees:
        return list(points)
    middle_x = (min(x for x, _ in points) + max(x for x, _ in points)) / 2
    middle_y = (min(y for _, y in points) + max(y for _, y in points)) / 2
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    away = ((x - middle_x, y - middle_y) for x, y in points)
    return [(middle_x + x * cosine - y * sine, middle_y + x * sine + y * cosine) for x, y in away]


def linear(width: int, height: int, degrees: float, start: float, end: float) -> Plane:
    """From 0 at `start` to 1 at `end`, fractions of the way across in that direction (0 to the right)."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x = (np.arange(width) + 0.5 - width / 2) * cosine
    y = (np.arange(height) + 0.5 - height / 2) * sine
    reach = (abs(width * cosine) + abs(height * sine)) / 2
    way = (x[None] + y[:, None]) / reach / 2 + 0.5
    return stepped(way.astype(np.float32), start, end)


def radial(width: int, height: int, x: float, y: float, inner: float, outer: float) -> Plane:
    """From 1 within `inner` to 0 beyond `outer`, in shorter sides, about a point in fractions."""
    across = (np.arange(width) + 0.5 - x * width) / min(width, height)
    down = (np.arange(height) + 0.5 - y * height) / min(width, height)
    far = np.hypot(across[None], down[:, None]).astype(np.float32)
    return 1 - stepped(far, inner, outer)


def stepped(values: Plane, start: float, end: float) -> Plane:
    """0 at the start and 1 at the end; a hard edge where both are the same."""
    if start == end:
        return (values >= start).astype(np.float32)
    found: Plane = np.clip((values - start) / (end - start), 0, 1).astype(np.float32)
    return found


# -- edges


def grown(mask: Plane, radius: int) -> Plane:
    """Wider by so many pixels all around; a negative radius makes it narrower. The frame is no edge."""
    if radius < 0:
        return 1 - grown(1 - mask, -radius)
    if radius == 0:
        return mask
    if is_hard(mask):
        if not mask.any():
            return mask
        away = cv2.distanceTransform((mask < 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.where(away <= radius + 0.25, np.float32(1), np.float32(0))
    for left in range(radius, 0, -STRIDE):
        mask = np.asarray(cv2.dilate(mask, disc(min(left, STRIDE))), np.float32)
    return mask


def is_hard(mask: Plane) -> bool:
    return bool(((mask == 0) | (mask == 1)).all())


def disc(radius: int) -> Any:
    reach = np.arange(-radius, radius + 1)
    return (np.hypot(reach[None], reach[:, None]) <= radius + 0.25).astype(np.uint8)


def feathered(mask: Plane, radius: int, side: str) -> Plane:
    """The edge spread over `radius` pixels to each side, or over twice that to one side of where it was."""
    if radius == 0:
        return mask
    if side == "inside":
        return np.minimum(mask, blurred(grown(mask, -radius), radius))
    if side == "outside":
        return np.maximum(mask, blurred(grown(mask, radius), radius))
    return blurred(mask, radius)


def blurred(mask: Plane, radius: int) -> Plane:
    size = 2 * radius + 1
    soft = cv2.GaussianBlur(mask, (size, size), radius / 2, borderType=cv2.BORDER_REPLICATE)
    return np.where(soft > 1 - 1e-6, np.float32(1), np.maximum(soft, 0))  # the weights sum to not quite 1


# -- two masks

COMBINED: dict[str, Callable[[Plane, Plane], Plane]] = {
    "union": lambda a, b: np.maximum(a, b),
    "intersect": lambda a, b: np.minimum(a, b),
    "subtract": lambda a, b: np.maximum(a - b, 0),
    "xor": lambda a, b: np.abs(a - b),
    "add": lambda a, b: np.minimum(a + b, 1),
    "multiply": lambda a, b: a * b,
}

# -- regions


def kept(mask: Plane, count: int, smallest: int) -> Plane:
    """Only the largest regions (0: however many there are), and none smaller than so many pixels.

    A region is what hangs together where the mask is at least half; its soft edge goes with it.
    """
    solid = (mask >= 0.5).astype(np.uint8)
    found, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")
    good = [int(index) + 1 for index in (order[:count] if count else order) if areas[index] >= smallest]
    if not good:
        return np.zeros_like(mask)
    if len(good) == found - 1:
        return mask
    return np.where(nearest_in(solid, np.isin(labels, good)), mask, np.float32(0))


def filled(mask: Plane, largest: int) -> Plane:
    """Holes up to so many pixels (0: of any size) closed; what touches the frame is no hole."""
    hollow = (mask < 0.5).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(hollow, connectivity=4)
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    areas = stats[:, cv2.CC_STAT_AREA]
    holes = [
        label
        for label in range(1, len(areas))
        if (not largest or areas[label] <= largest) and label not in set(np.unique(frame).tolist())
    ]
    if not holes:
        return mask
    return np.where(nearest_in(hollow, np.isin(labels, holes)), np.float32(1), mask)


def nearest_in(solid: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the solid pixel nearest to each pixel is a chosen one."""
    if not chosen.any():
        return chosen
    _, labels = cv2.distanceTransformWithLabels(
        1 - solid, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(labels.max()) + 1, bool)
    table[labels[chosen]] = True
    found: NDArray[np.bool_] = table[labels]
    return found


# -- from pictures


def by_colour(image: Image, colour: colours.Rgba, tolerance: float, softness: float) -> Plane:
    """1 where a colour is as near as the tolerance in Lab, down to 0 where it is `softness` further."""
    wanted = colours.lab(np.array(colour[:3], np.float32)[None, None])
    mask = np.empty((image.height, image.width), np.float32)
    for top, rows in strips(image.width, image.height):
        here, alpha = planes.split(Image(image.pixels[top : top + rows]))
        seen = colours.lab(pictures.with_channels(here, 3).astype(np.float32))
        far = np.sqrt(((seen - wanted) ** 2).sum(2))
        near = 1 - stepped(far, tolerance, tolerance + softness) if softness else far <= tolerance
        mask[top : top + rows] = near * (1 if alpha is None else alpha[..., 0])
    return mask


def by_channel(image: Image, channel: str) -> Plane:
    """Brightness, saturation, or one of the colours, as a mask."""
    shades, _ = planes.split(image)
    if channel == "brightness":
        return np.clip(planes.luma(shades)[..., 0], 0, 1)
    if channel == "saturation":
        return np.asarray(np.ptp(shades, axis=2))
    return np.clip(shades[..., ("red", "green", "blue").index(channel) % shades.shape[2]], 0, 1)


def transparency(image: Image) -> Plane:
    """1 where nothing can be seen."""
    if image.pixels.shape[2] != 4:
        return np.zeros(image.pixels.shape[:2], np.float32)
    return np.asarray(1 - planes.floats(image)[..., 3])


def opacity(mask: Array, dtype: np.dtype[Any]) -> Any:
    """The alpha channel of a picture that is transparent where the mask is 1: height × width × 1."""
    return planes.stored(1 - mask[..., None], dtype)


def tinted(image: Image, mask: Mask, colour: colours.Rgba, strength: float) -> Image:
    """The picture with a colour over what is marked; its transparency stays."""
    paint = np.array(colour[:3], np.float32)
    shown = Image(pictures.with_channels(image.pixels, max(3, image.pixels.shape[2])))
    weights = Mask(plane(mask) * np.float32(strength))
    return planes.recoloured(shown, lambda there: np.broadcast_to(paint, there.shape), weights)
