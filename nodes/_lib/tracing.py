"""Edges, lines, blocks and surfaces found in a picture by arithmetic alone."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize
from skimage.segmentation import slic

from engine.types import Image
from nodes._lib import filters, planes
from nodes._lib.planes import Floats

Marks = NDArray[np.bool_]
"""Height × width: where something was found."""

STEP_PEAK = 0.1117
"""What the difference of two Gaussians, the wider 1.6 times the other, reaches beside a step from 0 to 1."""
LARGEST = 2**21
"""Pixels in which blocks are looked for; those of a larger picture are found in a smaller copy."""


def shown(values: NDArray[np.float32]) -> Image:
    """Height × width of 0..1 as a grey picture of three channels and 8 bits."""
    return Image(np.repeat(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)[..., None], 3, 2))


# -- edges and lines


def soft_edges(image: Image, radius: float, gain: float) -> NDArray[np.float32]:
    """How steep the colours are at each pixel; beside a step of full contrast it is `gain`."""
    found: NDArray[np.float32] = np.clip(steepness(planes.visible(image), radius) * np.float32(gain), 0, 1)
    return found


def steepness(colours: Floats, radius: float) -> NDArray[np.float32]:
    """That of the steepest channel, blurred; at an edge the height of the step."""
    down, across = slopes(blurred(colours, radius))
    found: NDArray[np.float32] = np.hypot(down, across).max(2) * np.float32(radius * math.sqrt(2 * math.pi))
    return found


def ridges(image: Image, radius: float, contrast: float, shortest: int) -> Marks:
    """Lines one pixel wide: one along each edge, a little to its darker side, and one in each dark stroke.

    A stroke has an edge on either side; with the ink between them they make one band, and that one line.
    """
    colours = planes.visible(image)
    ink = (blurred(planes.luma(colours), 1.6 * radius) - blurred(planes.luma(colours), radius))[..., 0]
    least = max(contrast, 1e-3)
    bands = standing_out(steepness(colours, radius), radius, least, 0.6)
    bands |= standing_out(ink, radius, least * STEP_PEAK, 0.4)
    thin: Marks = skeletonize(bands)  # type: ignore[no-untyped-call]  # it has no types
    return long_ones(thin, shortest)


def standing_out(values: NDArray[np.float32], radius: float, least: float, part: float) -> Marks:
    """What is at least so much, and not far below the most around it: strong edges are no wider than weak."""
    reach = 2 * math.ceil(2 * radius) + 1
    most = cv2.dilate(values, np.ones((reach, reach), np.uint8))
    found: Marks = values > np.maximum(most * np.float32(part), np.float32(least))
    return found


def long_ones(lines: Marks, shortest: int) -> Marks:
    """Without connected lines of fewer pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= shortest
    kept[0] = False
    found: Marks = kept[labels]
    return found


def strokes(lines: Marks, thickness: float) -> NDArray[np.float32]:
    """Lines drawn with a round pen, soft at its rim: 1 is ink."""
    if not lines.any():
        return np.zeros(lines.shape, np.float32)
    far = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    found: NDArray[np.float32] = np.clip(np.float32(thickness / 2 + 0.5) - far, 0, 1)
    return found


def straight_lines(image: Image, shortest: float, thickness: float) -> Image:
    """Straight pieces of edges, white on black."""
    grey = np.rint(planes.luma(planes.visible(image))[..., 0] * 255).astype(np.uint8)
    found = cv2.createLineSegmentDetector().detect(np.ascontiguousarray(grey))[0]
    page = np.zeros(grey.shape, np.uint8)
    for left, top, right, bottom in [] if found is None else found.reshape(-1, 4).tolist():
        if math.hypot(right - left, bottom - top) >= shortest:
            start, end = (round(left * 16), round(top * 16)), (round(right * 16), round(bottom * 16))
            cv2.line(page, start, end, 255, max(1, round(thickness)), cv2.LINE_AA, 4)
    return Image(np.repeat(page[..., None], 3, 2))


# -- areas


def reduced(factor: float) -> filters.Smooth:
    """Made smaller and as large as before again."""

    def smooth(pixels: Floats) -> Floats:
        height, width = pixels.shape[:2]
        size = max(1, round(width / factor)), max(1, round(height / factor))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        # cubic would overshoot, and colours weighted by alpha then shine
        found: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        return found

    return smooth


def blocks(image: Image, count: int, evenness: float) -> Image:
    """Patches of like colour, each in the mean of what can be seen in it."""
    labels = patches(image, count, evenness)
    pixels = planes.floats(image)
    colours, alpha = planes.split(image)
    weights = np.ones(labels.shape, np.float32) if alpha is None else alpha[..., 0]
    flat, total = labels.ravel(), np.bincount(labels.ravel(), weights.ravel())
    sums = [np.bincount(flat, (colours[..., c] * weights).ravel()) for c in range(colours.shape[2])]
    means = (np.stack(sums, 1) / np.maximum(total, 1e-6)[:, None]).astype(np.float32)
    return planes.joined(means[labels], None if alpha is None else pixels[..., 3:], image)


def patches(image: Image, count: int, evenness: float) -> NDArray[np.int64]:
    """To which patch each pixel belongs, counted from 0."""
    colours = planes.widened(planes.visible(image), 3)
    shrunk = max(1.0, math.sqrt(colours.shape[0] * colours.shape[1] / LARGEST))
    size = max(1, round(colours.shape[1] / shrunk)), max(1, round(colours.shape[0] / shrunk))
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA) if shrunk > 1 else colours
    found = slic(small, count, evenness, start_label=0, channel_axis=2)
    if shrunk > 1:
        across = (colours.shape[1], colours.shape[0])
        found = cv2.resize(found.astype(np.int32), across, interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, np.int64)


# -- surfaces


def normals(near: Image, relief: float, radius: float, *, left: bool, down: bool) -> Image:
    """Which way a surface faces that is as high as the picture is bright: x red, y green, towards us blue."""
    high = planes.luma(planes.visible(near))
    high = (blurred(high, radius) if radius else high) * np.float32(relief * max(near.width, near.height))
    falling, rising = slopes(high)
    facing = np.concatenate([-rising, falling, np.ones_like(high)], 2)
    facing /= np.linalg.norm(facing, axis=2, keepdims=True)
    facing *= np.array([-1 if left else 1, -1 if down else 1, 1], np.float32)
    return Image(planes.stored(facing / 2 + np.float32(0.5), near.pixels.dtype))


def slopes(pixels: Floats) -> tuple[Floats, Floats]:
    """By how much values rise from row to row and from column to column."""
    down, across = (
        np.gradient(pixels, axis=axis) if pixels.shape[axis] > 1 else np.zeros_like(pixels) for axis in (0, 1)
    )
    return down, across


def blurred(pixels: Floats, radius: float) -> Floats:
    return filters.shaped(filters.blur("gaussian", radius)(np.ascontiguousarray(pixels)), pixels)
