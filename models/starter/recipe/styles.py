"""Styles: the same picture as if drawn with a pencil, or by night in neon."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from .canvas import Field, Picture

_PAPER = np.asarray((250, 246, 234), np.float32)
_GRAPHITE = np.asarray((52, 52, 60), np.float32)
_NIGHT = np.asarray((10, 6, 30), np.float32)


def pencil(picture: Picture) -> Picture:
    """Gray lines and hatching on paper."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    shade = np.clip(0.95 - gray, 0, 1) * 0.62 * _hatching(picture.shape[0])
    dark = np.maximum(np.clip(1.9 * _lines(picture), 0, 0.95), shade)[..., None]
    return np.asarray(np.clip(_PAPER + dark * (_GRAPHITE - _PAPER), 0, 255), np.uint8)


def neon(picture: Picture) -> Picture:
    """Outlines glowing in their own colours in the dark."""
    bright = cv2.dilate(picture, np.ones((3, 3), np.uint8)).astype(np.float32)
    middle = bright.mean(2, keepdims=True)
    vivid = np.clip(bright + 0.9 * (bright - middle) + 30, 0, 255)
    lit = np.clip(2.6 * _lines(picture), 0, 1)[..., None] * vivid
    glow = cv2.GaussianBlur(lit, (0, 0), picture.shape[0] / 40) * 1.3
    dark = _NIGHT + 0.16 * picture.astype(np.float32)
    return np.asarray(np.clip(dark + lit + glow, 0, 255), np.uint8)


STYLES: dict[str, Callable[[Picture], Picture]] = {"pencil": pencil, "neon": neon}


def _lines(picture: Picture) -> Field:
    """How much colour changes around each pixel, 0 to 1."""
    soft = cv2.GaussianBlur(picture, (0, 0), 0.6)
    rise = cv2.morphologyEx(soft, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray(np.clip(rise.max(2).astype(np.float32) / 255 - 0.06, 0, 1), np.float32)


@lru_cache(2)
def _hatching(size: int) -> Field:
    """Slanted strokes, 0.45 to 1."""
    y, x = np.mgrid[:size, :size].astype(np.float32) * np.float32(128 / size)
    return np.asarray(0.72 + 0.28 * np.sin((x + y) * np.float32(2 * np.pi / 7)), np.float32)
