"""A number hidden in a picture: a faint pattern all over it, found again by its correlation.

Spread spectrum (Cox, Kilian, Leighton, Shamoon, 1997) in the brightness, as a tile that repeats. Folding the
picture onto one tile adds the pattern up and averages the picture away, and a correlation by way of Fourier's
transform finds where the tile begins, as in JAWS (Kalker, Depovere, Haitsma, Maes, 1999): no original is
needed, and a crop costs only strength.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from engine.types import Image
from nodes._lib import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]
    Bits = NDArray[np.uint8]
    Waves = NDArray[np.complex128]

TILE = 64
"""Side of the tile, in pixels."""
BITS, CHECK = 32, 24
"""Of the number, and of the checksum behind it."""
BAND = (0.045, 0.2)
"""Waves per pixel: slower ones are the picture's own, faster ones go when it is compressed or shrunk."""
SHARE = 0.2
"""The part of the power that goes into the pattern that says where the tile begins."""
SEED = 0x7E55E8A
LARGEST = 1024
"""Pixels of a side that are looked at: more add nothing."""
ROUGH = 256
FOUND = 4.2
"""Standard deviations that a peak must stand out by, to be worth reading."""
DOUBTFUL = 12
"""Bits that are tried both ways, three at a time, if the checksum does not fit."""
SCALES = (0.5, 2.0)


class Mark(NamedTuple):
    """A number that was found, and how well."""

    number: int
    strength: float
    """Standard deviations by which the pattern stands out."""
    scale: float
    """The size of the picture, over what it was when it was marked."""


class Patterns(NamedTuple):
    start: Array  # tile × tile
    bits: Array  # bits × tile × tile; all of them and `start` at right angles, and of length 1


@cache
def patterns() -> Patterns:
    """Noise within the band, from a fixed seed."""
    rng = np.random.default_rng(SEED)
    noise = rng.standard_normal((1 + BITS + CHECK, TILE, TILE))
    spectra = np.fft.fft2(noise) * in_band()
    flat = np.fft.ifft2(spectra).real.reshape(len(noise), -1)
    straight = np.linalg.qr(flat.T)[0].T.reshape(noise.shape)
    return Patterns(straight[0], straight[1:])


@cache
def in_band() -> NDArray[np.bool_]:
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE)))
    return np.asarray((waves >= BAND[0]) & (waves <= BAND[1]))


def tile(number: int) -> Array:
    """The pattern of a number, with a standard deviation of 1."""
    found = patterns()
    signs = np.where(code(number), 1.0, -1.0) * np.sqrt((1 - SHARE) / (BITS + CHECK))
    both = found.start * np.sqrt(SHARE) + np.tensordot(signs, found.bits, 1)
    return np.asarray(both * TILE)


def code(number: int) -> Bits:
    """A number and its checksum, bit by bit."""
    data = number.to_bytes(BITS // 8, "big")
    data += (zlib.crc32(data) >> 8).to_bytes(CHECK // 8, "big")
    return np.unpackbits(np.frombuffer(data, np.uint8))


def marked(image: Image, number: int, strength: float) -> Image:
    """The picture with the number in it; what is transparent stays so."""
    pixels = np.asarray(pictures.floats(image) * 255, np.float32)
    colours = pixels[..., :3] if pixels.shape[2] == 4 else pixels
    colours += pattern(number, light_of(image), strength)[..., None].astype(np.float32)
    if image.pixels.dtype == np.uint8:
        return Image(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))
    return Image(np.clip(pixels / 255, 0, 1).astype(image.pixels.dtype))


def light_of(image: Image) -> Array:
    """Its brightness, 0 to 255."""
    colours = pictures.floats(image)[..., :3]
    light = (
        colours @ np.array([0.299, 0.587, 0.114], np.float32) if colours.shape[2] == 3 else colours[..., 0]
    )
    return np.ascontiguousarray(light * 255, np.float32)


def pattern(number: int, light: Array, strength: float) -> Array:
    """What to add to the brightness: fainter where the picture is smooth and the eye would see it."""
    height, width = light.shape
    across = tile(number)[np.arange(height)[:, None] % TILE, np.arange(width) % TILE]
    mean = cv2.blur(light, (9, 9))
    rough = np.sqrt(np.maximum(cv2.blur(light * light, (9, 9)) - mean * mean, 0))
    return np.asarray(across * strength * (0.8 + np.minimum(rough / 16, 1.8)))


def find(light: Array) -> Mark | None:
    """The number in a picture's brightness, whatever its size is now; None if there is none."""
    light = middle(light, LARGEST)
    clean = flattened(light)
    if (mark := read(clean, 1.0)) is not None:
        return mark
    for scale in likely(clean):
        if (mark := read(scaled(clean, scale), scale)) is not None:
            return mark
    return None


def flattened(light: Array) -> Array:
    """What is left without the picture: its fine structure, everywhere as strong, edges cut off."""
    fine = light - cv2.GaussianBlur(light, (0, 0), 3)
    power = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 6)) + 1.0
    return np.asarray(np.clip(fine / power, -2, 2), np.float32)


def middle(light: Array, side: int) -> Array:
    height, width = light.shape
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return np.ascontiguousarray(light[top : top + side, left : left + side], np.float32)


def scaled(clean: Array, scale: float) -> Array:
    """As large as it was when it was marked."""
    size = round(clean.shape[1] / scale), round(clean.shape[0] / scale)
    return np.asarray(cv2.resize(clean, size, interpolation=cv2.INTER_CUBIC), np.float32)


def folded(clean: Array) -> Array:
    """The mean of all the tiles of a picture; the last ones may be cut."""
    height, width = clean.shape
    padded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.float32)
    padded[:height, :width] = clean
    total = padded.reshape(padded.shape[0] // TILE, TILE, -1, TILE).sum((0, 2))
    return np.asarray(total / np.sqrt(height * width))


def whitened(one: Array) -> Waves:
    """The spectrum of a tile within the band, with all waves as strong: only where they lie counts."""
    spectrum = np.fft.fft2(one)
    return np.asarray(np.where(in_band(), spectrum / (np.abs(spectrum) + 1e-9), 0))


def peak(spectrum: Waves) -> tuple[float, int, int]:
    """Where the tile begins, and how far that stands out."""
    match = np.fft.ifft2(spectrum * np.conj(np.fft.fft2(patterns().start))).real
    at = int(match.argmax())
    return float((match.flat[at] - match.mean()) / match.std()), at // TILE, at % TILE


def likely(clean: Array) -> Iterator[float]:
    """Sizes at which the pattern may stand out, the best first."""
    small = middle(clean, ROUGH)
    sure = 0.35 / max(small.shape)  # a step moves the far end by a part of a wave
    steps = int(np.log(SCALES[1] / SCALES[0]) / (4 * sure)) + 1
    tried = np.geomspace(*SCALES, steps)
    heights = [peak(np.fft.fft2(folded(scaled(small, scale))) * in_band())[0] for scale in tried]
    for index in np.argsort(heights)[:-6:-1]:
        around = tried[index] * np.linspace(1 - 2.5 * sure, 1 + 2.5 * sure, 11)
        yield max(around, key=lambda scale: peak(whitened(folded(scaled(clean, scale))))[0])


def read(clean: Array, scale: float) -> Mark | None:
    """The number, if the pattern stands out and the checksum fits."""
    spectrum = whitened(folded(clean))
    strength, top, left = peak(spectrum)
    if strength < FOUND:
        return None
    shifted = np.roll(np.fft.ifft2(spectrum).real, (-top, -left), (0, 1))
    said = np.tensordot(patterns().bits, shifted, 2)
    number = decoded(said)
    return None if number is None else Mark(number, strength, scale)


def decoded(said: Array) -> int | None:
    """The number behind some bits, each said more or less loudly."""
    bits = (said > 0).astype(np.uint8)
    doubtful = np.argsort(np.abs(said))[:DOUBTFUL]
    for turned in (wrong for count in range(4) for wrong in combinations(doubtful, count)):
        tried = bits.copy()
        tried[list(turned)] ^= 1
        number = int.from_bytes(np.packbits(tried[:BITS]).tobytes(), "big")
        if np.array_equal(code(number), tried):
            return number
    return None
