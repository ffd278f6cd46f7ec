"""Styles: the same picture as if drawn with a pencil, or by night in neon."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Field, Picture

_PAPER = np.asarray((250, 246, 234), np.float32)
_GRAPHITE = np.asarray((52, 52, 60), np.float32)
_NIGHT = np.asarray((10, 6, 30), np.float32)


def pencil(picture: Picture) -> Picture:
    """Broad gray lines on paper, with a soft shade."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    shade = 0.5 * np.clip(0.9 - cv2.GaussianBlur(gray, (0, 0), picture.shape[0] / 90), 0, 1)
    dark = np.maximum(np.clip(2.2 * _lines(picture), 0, 0.92), shade)[..., None]
    return np.asarray(np.clip(_PAPER + dark * (_GRAPHITE - _PAPER), 0, 255), np.uint8)


def neon(picture: Picture) -> Picture:
    """Outlines glowing in their own colours in the dark."""
    size = picture.shape[0]
    bright = cv2.GaussianBlur(cv2.dilate(picture, _disc(size)), (0, 0), size / 64).astype(np.float32)
    middle = bright.mean(2, keepdims=True)
    vivid = np.clip(bright + 0.8 * (bright - middle) + 20, 0, 255)
    lit = np.clip(2.2 * _lines(picture), 0, 1)[..., None] * vivid
    glow = cv2.GaussianBlur(lit, (0, 0), size / 24) * 0.8
    dark = _NIGHT + 0.22 * picture.astype(np.float32)
    return np.asarray(np.clip(np.maximum(dark, lit) + glow, 0, 255), np.uint8)


STYLES: dict[str, Callable[[Picture], Picture]] = {"pencil": pencil, "neon": neon}


def _lines(picture: Picture) -> Field:
    """How much colour changes around each pixel, 0 to 1, in lines that the autoencoder can carry."""
    size = picture.shape[0]
    rise = cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, _disc(size)).max(2).astype(np.float32)
    soft = cv2.GaussianBlur(rise / 255, (0, 0), size / 160)
    return np.asarray(np.clip(soft - 0.08, 0, 1), np.float32)


def _disc(size: int) -> NDArray[np.uint8]:
    """What lines are drawn with: a tip of a thirtieth of the picture."""
    wide = max(3, size // 30 | 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide)), np.uint8)
