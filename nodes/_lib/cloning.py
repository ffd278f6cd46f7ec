"""A piece of one picture in another, its colours fitted so that no seam shows (Poisson image editing)."""

from __future__ import annotations

import cv2
import numpy as np

from engine.types import Image
from nodes._lib import blending, pictures, planes
from nodes._lib.planes import Floats

WAYS = {"normal": cv2.NORMAL_CLONE, "mixed": cv2.MIXED_CLONE}


def cloned(image: Image, patch: Image, mask: Floats, left: int, top: int, how: str) -> Image:
    """The patch where the mask (height × width × 1, as large as it) is half or more; nothing else changes."""
    place = blending.meeting(image, patch, left, top)
    if place is None:
        return image
    across = slice(place.from_left, place.from_left + place.width)
    down = slice(place.from_top, place.from_top + place.height)
    marked = mask[down, across, 0] >= 0.5
    if patch.pixels.shape[2] == 4:
        marked = marked & (planes.floats(patch)[down, across, 3] >= 0.5)
    box = cv2.boundingRect(marked.astype(np.uint8))
    if not (box[2] and box[3]):
        return image
    there = pictures.cut(image, place.left, place.top, place.width, place.height)
    ground = pictures.with_channels(pictures.bytes_of(there), 3)
    piece = pictures.with_channels(pictures.bytes_of(patch)[down, across], 3)
    middle = box[0] + box[2] // 2, box[1] + box[3] // 2
    piece, ground = np.ascontiguousarray(piece), np.ascontiguousarray(ground)
    fitted = cv2.seamlessClone(piece, ground, marked.astype(np.uint8) * 255, middle, WAYS[how])
    channels = image.pixels.shape[2]
    pixels = image.pixels.copy()
    inside = pixels[place.top : place.top + place.height, place.left : place.left + place.width]
    colours = fitted[..., : min(channels, 3)] / (1 if pixels.dtype == np.uint8 else np.float32(255))
    inside[..., : min(channels, 3)][marked] = colours[marked]
    return Image(pixels)
