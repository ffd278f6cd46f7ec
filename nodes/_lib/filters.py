"""Blur, sharpness, noise and what else looks at a pixel's neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from scipy.ndimage import median_filter
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means

from engine.types import Image
from nodes._lib import pictures, planes
from nodes._lib.planes import Floats

Smooth = Callable[[Floats], Floats]
FINE = 5
"""Radius up to which the median of floats is exact; beyond it would take minutes, and is taken in 8 bits."""
ALIKE = 100.0
"""What equal pictures score in dB, where the formula has no end."""


def smoothed(image: Image, smooth: Smooth) -> Image:
    """A filter over all channels, the colours weighted by alpha: nothing bleeds out of the transparent."""
    pixels = planes.floats(image)
    if pixels.shape[2] != 4:
        return Image(planes.stored(shaped(smooth(pixels), pixels), image.pixels.dtype))
    found = planes.straight(np.clip(smooth(planes.premultiplied(pixels)), 0, 1))
    return Image(planes.stored(found, image.pixels.dtype))


def shaped(found: Floats, like: Floats) -> Floats:
    """OpenCV drops the axis of a single channel."""
    return found.reshape(like.shape)


def blur(how: str, radius: float) -> Smooth:
    whole = max(1, round(radius))

    def gaussian(pixels: Floats) -> Floats:
        side = 2 * math.ceil(3 * radius) + 1
        found: Floats = cv2.GaussianBlur(pixels, (side, side), radius, borderType=cv2.BORDER_REPLICATE)
        return found

    def box(pixels: Floats) -> Floats:
        side = 2 * whole + 1
        found: Floats = cv2.blur(pixels, (side, side), borderType=cv2.BORDER_REPLICATE)
        return found

    return {"gaussian": gaussian, "box": box}[how]


def median(image: Image, radius: int) -> Image:
    """The middle value around each pixel: specks go, edges stay."""
    side = 2 * radius + 1
    if image.pixels.dtype != np.uint8 and radius <= FINE:
        return Image(median_filter(planes.floats(image), (side, side, 1), mode="nearest"))
    pixels = pictures.bytes_of(image)
    channels = [pixels[..., c] for c in range(pixels.shape[2])]
    found = [cv2.medianBlur(np.ascontiguousarray(channel), side) for channel in channels]
    return Image(planes.stored(np.stack(found, 2) / np.float32(255), image.pixels.dtype))


def streak(length: float, degrees: float) -> Smooth:
    """Along a line through each pixel."""
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    steps = max(2, 4 * math.ceil(length) + 1)
    turn = math.radians(degrees)
    for along in np.linspace(-(length - 1) / 2, (length - 1) / 2, steps):
        x, y = reach + along * math.cos(turn), reach + along * math.sin(turn)
        left, top = math.floor(x + 1e-9), math.floor(y + 1e-9)
        right, down = max(0.0, x - left), max(0.0, y - top)
        for row, column, weight in (
            (top, left, (1 - right) * (1 - down)), (top, left + 1, right * (1 - down)),
            (top + 1, left, (1 - right) * down), (top + 1, left + 1, right * down),
        ):  # fmt: skip
            if weight > 1e-9:
                kernel[row, column] += weight
    kernel /= kernel.sum()

    def smooth(pixels: Floats) -> Floats:
        found: Floats = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        return found

    return smooth


def sharpened(image: Image, radius: float, amount: float, threshold: float) -> Image:
    """What a blur takes away, added once more; transparency stays."""
    colours, alpha = planes.split(image)
    soft = planes.floats(smoothed(Image(planes.floats(image)), blur("gaussian", radius)))[
        ..., : colours.shape[2]
    ]
    detail = colours - soft
    if alpha is not None:
        detail = np.where(alpha > 0, detail, 0)
    detail = np.where(np.abs(detail).max(2, keepdims=True) >= threshold, detail, 0)
    return planes.joined(colours + detail * np.float32(amount), alpha, image)


def noisy(image: Image, how: str, amount: float, size: float, coloured: bool, seed: int) -> Image:
    """Chance added to the colours; transparency stays."""
    colours, alpha = planes.split(image)
    if coloured:
        colours = planes.widened(colours, 3)
    shape = (image.height, image.width, 3 if coloured else 1)
    noise = chance(np.random.default_rng(seed), shape, how == "uniform", size) * np.float32(amount)
    if how == "film":  # grain shows in the midtones: black film and blank film have none
        grey = planes.luma(colours)
        noise = noise * 4 * grey * (1 - grey)
    return planes.joined(colours + noise, alpha, image)


def chance(random: np.random.Generator, shape: tuple[int, ...], even: bool, size: float) -> Floats:
    """Noise with a spread of 1 (even: from -1 to 1), its grains about `size` pixels wide."""
    if size <= 1:
        if even:
            return random.random(shape, np.float32) * 2 - 1
        return random.standard_normal(shape, np.float32)
    sharp = random.standard_normal(shape, np.float32)
    soft = shaped(blur("gaussian", size / 2)(sharp), sharp)
    soft /= max(float(soft.std()), 1e-6)
    return np.clip(soft / 2, -1, 1) if even else soft


def pixelated(size: int) -> Smooth:
    """Each block of so many pixels in its mean colour; blocks at the right and below may be smaller."""

    def smooth(pixels: Floats) -> Floats:
        rows, columns = range(0, pixels.shape[0], size), range(0, pixels.shape[1], size)
        sums = np.add.reduceat(np.add.reduceat(pixels, rows, 0, np.float64), columns, 1)
        tall, wide = (
            np.minimum(size, side - np.array(starts))
            for side, starts in ((pixels.shape[0], rows), (pixels.shape[1], columns))
        )
        means = (sums / (tall[:, None, None] * wide[None, :, None])).astype(np.float32)
        found: Floats = means.repeat(tall, 0).repeat(wide, 1)
        return found

    return smooth


def vignette(width: int, height: int, start: float) -> Floats:
    """0 up to `start` of the way from the middle to the corners, and smoothly up to 1 there."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
    far = np.hypot(x[None], y[:, None]) / math.sqrt(2)
    rise = np.clip((far - start) / max(1 - start, 1e-6), 0, 1)
    found: Floats = (rise * rise * (3 - 2 * rise)).astype(np.float32)[..., None]
    return found


def cleaned(image: Image, how: str, strength: float) -> Image:
    """Noise away, edges kept; transparency stays."""
    colours, alpha = planes.split(image)
    if how == "bilateral":
        found = cv2.bilateralFilter(np.ascontiguousarray(colours), 9, 0.3 * strength, 3)
        return planes.joined(shaped(found, colours), alpha, image)
    flat, axis = (colours[..., 0], None) if colours.shape[2] == 1 else (colours, 2)
    found = denoise_nl_means(flat, patch_size=5, patch_distance=6, h=0.16 * strength, channel_axis=axis)
    return planes.joined(shaped(found, colours), alpha, image)


def compared(a: Image, b: Image) -> tuple[Floats, float, float, float]:
    """How far apart each pixel is, the mean of that, the PSNR in dB, and the SSIM."""
    channels = max(a.pixels.shape[2], b.pixels.shape[2])
    here, there = (planes.widened(planes.floats(image), channels) for image in (a, b))
    far = np.abs(here - there)
    square = float(np.mean(far.astype(np.float64) ** 2))
    psnr = min(ALIKE, -10 * math.log10(square)) if square else ALIKE
    window = min(7, (min(a.width, a.height) - 1) // 2 * 2 + 1)
    similar = structural_similarity(  # type: ignore[no-untyped-call]  # it has no types
        here, there, win_size=window, data_range=1.0, channel_axis=2
    )
    distance: Floats = far.mean(2, dtype=np.float32)
    return distance, float(far.mean(dtype=np.float64)), psnr, float(similar)


def heat(distance: Floats, gain: float) -> Image:
    """Black where nothing differs, through purple and orange to pale yellow."""
    levels = np.rint(np.clip(distance * np.float32(gain), 0, 1) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    colours[levels == 0] = 0
    return Image(colours)


def filled(colours: Floats, colour: list[float]) -> Floats:
    """This colour all over; grey stays one channel if the colour is grey."""
    grey = colours.shape[2] == 1 and len(set(colour)) == 1
    found: Floats = np.empty((*colours.shape[:2], 1 if grey else 3), np.float32)
    found[...] = colour[:1] if grey else colour
    return found
