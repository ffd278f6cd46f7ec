"""Pictures turned, padded and scaled, with no dark fringes where they are transparent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as pil

from engine.types import Image, Mask
from nodes._lib import pictures, planes
from nodes._lib.colours import Rgba, channels_for, pixel
from nodes._lib.planes import Floats

if TYPE_CHECKING:
    from engine.types import Array

FILTERS = {
    "lanczos": pil.Resampling.LANCZOS,
    "bicubic": pil.Resampling.BICUBIC,
    "bilinear": pil.Resampling.BILINEAR,
    "area": pil.Resampling.BOX,
    "nearest": pil.Resampling.NEAREST,
}
PLACES = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}


def anchored(anchor: str, spare_width: int, spare_height: int) -> tuple[int, int]:
    """How much of the spare room lies to the left and on top: "bottom right" has all of it there."""
    across = next((PLACES[word] for word in anchor.split() if word in ("left", "right")), 0.5)
    down = next((PLACES[word] for word in anchor.split() if word in ("top", "bottom")), 0.5)
    return math.floor(spare_width * across), math.floor(spare_height * down)


def scaled(image: Image, width: int, height: int, filter: str) -> Image:
    """Scaled with the colours weighted by alpha; the same size is the same picture."""
    if (width, height) == (image.width, image.height):
        return image
    dtype = image.pixels.dtype
    if image.pixels.shape[2] != 4:
        exact = dtype == np.uint8
        planar = image.pixels if exact else image.pixels.astype(np.float32)
        found = resampled(planar, width, height, filter)
        return Image(found if exact else planes.stored(found, dtype))
    weighted = planes.premultiplied(planes.floats(image))  # unclipped below: sharp filters swing beyond 1
    return Image(planes.stored(planes.straight(resampled(weighted, width, height, filter)), dtype))


def resampled(pixels: Array, width: int, height: int, filter: str) -> Any:
    """Channel by channel, in 8 bits or in float."""
    channels = [pil.fromarray(np.ascontiguousarray(pixels[..., c])) for c in range(pixels.shape[2])]
    return np.stack([np.asarray(c.resize((width, height), FILTERS[filter])) for c in channels], 2)


def flipped(image: Image, across: bool) -> Image:
    return Image(np.ascontiguousarray(image.pixels[:, ::-1] if across else image.pixels[::-1]))


def turned_size(width: int, height: int, degrees: float) -> tuple[int, int]:
    """The smallest frame that holds a picture turned by this."""
    if degrees % 180 == 0:
        return width, height
    if degrees % 90 == 0:
        return height, width
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    wide, high = width * cosine + height * sine, width * sine + height * cosine
    return math.ceil(wide - 1e-6), math.ceil(high - 1e-6)


def turned(image: Image, degrees: float, size: tuple[int, int], fill: Rgba) -> tuple[Image, Mask]:
    """Turned clockwise about its middle in a frame of this size; the mask is 1 where the frame is empty."""
    if degrees % 90 == 0:
        whole = Image(np.ascontiguousarray(np.rot90(image.pixels, round(-degrees / 90) % 4)))
        return framed(whole, size, fill)
    width, height = size
    matrix = cv2.getRotationMatrix2D(((image.width - 1) / 2, (image.height - 1) / 2), -degrees, 1)
    matrix[:, 2] += ((width - image.width) / 2, (height - image.height) / 2)
    cover = np.ones((image.height, image.width, 1), np.float32)
    covered = np.clip(warped(cover, matrix, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT), 0, 1)
    pixels = planes.premultiplied(planes.widened(planes.floats(image), 4))
    picture = warped(pixels, matrix, size, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    ground = planes.premultiplied(np.array(fill, np.float32)[None, None])
    both = planes.straight(picture * covered + ground * (1 - covered))
    found = both[..., : channels_for(fill, image.pixels.shape[2])]
    return Image(planes.stored(found, image.pixels.dtype)), Mask(1 - covered[..., 0])


def warped(pixels: Floats, matrix: Any, size: tuple[int, int], how: int, border: int) -> Floats:
    found: Floats = cv2.warpAffine(pixels, matrix, size, flags=how, borderMode=border)
    return found.reshape(size[1], size[0], pixels.shape[2])


def framed(image: Image, size: tuple[int, int], fill: Rgba, anchor: str = "centre") -> tuple[Image, Mask]:
    """In a frame of this size: what sticks out is cut off, what is empty is filled and marked."""
    over = max(0, image.width - size[0]), max(0, image.height - size[1])
    room = max(0, size[0] - image.width), max(0, size[1] - image.height)
    if any(over):
        corner = anchored(anchor, *over)
        image = pictures.cut(image, *corner, image.width - over[0], image.height - over[1])
    across, down = anchored(anchor, *room)
    return padded(image, (across, down, room[0] - across, room[1] - down), "colour", fill)


def padded(
    image: Image, sides: tuple[int, int, int, int], how: str, fill: Rgba, feather: int = 0
) -> tuple[Image, Mask]:
    """With so many pixels more on the left, top, right and bottom, and where those are."""
    left, top, right, bottom = sides
    mask = added(image.width, image.height, sides, feather)
    if not any(sides):
        return image, mask
    room = ((top, bottom), (left, right), (0, 0))
    if how != "colour":
        mode: Any = how
        return Image(np.pad(image.pixels, room, mode)), mask
    channels = channels_for(fill, image.pixels.shape[2])
    canvas = np.empty((image.height + top + bottom, image.width + left + right, channels), image.pixels.dtype)
    canvas[...] = pixel(fill, channels, image.pixels.dtype)
    inside = pictures.with_channels(image.pixels, channels)
    canvas[top : top + image.height, left : left + image.width] = inside
    return Image(canvas), mask


def added(width: int, height: int, sides: tuple[int, int, int, int], feather: int) -> Mask:
    """1 on what is new; over the outermost `feather` pixels of the old, next to it, down to 0."""
    left, top, right, bottom = sides
    across, down = (
        np.maximum(
            ramp(size, feather) if before else np.zeros(size, np.float32),
            ramp(size, feather)[::-1] if after else np.zeros(size, np.float32),
        )
        for size, before, after in ((width, left, right), (height, top, bottom))
    )
    mask = np.ones((height + top + bottom, width + left + right), np.float32)
    mask[top : top + height, left : left + width] = np.maximum(across[None], down[:, None])
    return Mask(mask)


def ramp(size: int, feather: int) -> Floats:
    """From almost 1 to 0 within so many pixels."""
    found: Floats = np.clip(1 - np.arange(1, size + 1) / (feather + 1), 0, 1).astype(np.float32)
    return found


def content(mask: Mask) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what a mask marks, the last two just outside it."""
    seen = np.asarray(mask.pixels, np.float32) > 0
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cut_mask(mask: Mask, left: int, top: int, width: int, height: int) -> Mask:
    found: Array = np.ascontiguousarray(mask.pixels[top : top + height, left : left + width])
    return Mask(found)
