"""A picture's colours apart from its transparency: change them, and leave the rest as it was, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.types import Image, Mask
from nodes._lib import pictures

if TYPE_CHECKING:
    from engine.types import Array

Floats = NDArray[np.float32]
"""Height × width × channels, 0..1."""

STRIP = 2**20
"""Pixels that are changed at a time, so that a large picture costs little more memory than itself."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue look (Rec. 601)."""


def floats(image: Image) -> Floats:
    return pictures.floats(image).astype(np.float32, copy=False)


def widened(pixels: Floats, channels: int) -> Floats:
    """With 1, 3 or 4 channels."""
    return pictures.with_channels(pixels, channels).astype(np.float32, copy=False)


def luma(colours: Floats) -> Floats:
    """How bright each pixel looks: one channel of one or three."""
    return colours if colours.shape[2] == 1 else (colours @ LUMA)[..., None]


def split(image: Image) -> tuple[Floats, Floats | None]:
    """The colours, one channel or three, and the alpha if there is one."""
    pixels = floats(image)
    return (pixels[..., :3], pixels[..., 3:]) if pixels.shape[2] == 4 else (pixels, None)


def visible(image: Image) -> Floats:
    """The colours as they look on white: one channel or three."""
    colours, alpha = split(image)
    return colours if alpha is None else colours * alpha + (1 - alpha)


def joined(colours: Array, alpha: Array | None, like: Image) -> Image:
    """A picture in the number format of another."""
    if alpha is not None:
        colours = np.concatenate([pictures.with_channels(colours, 3), alpha], 2)
    return Image(stored(colours, like.pixels.dtype))


def stored(values: Array, dtype: np.dtype[Any]) -> Array:
    """Floats in a picture's number format."""
    clipped = np.clip(values, 0, 1)
    return np.rint(clipped * 255).astype(np.uint8) if dtype == np.uint8 else clipped.astype(np.float32)


def premultiplied(pixels: Floats) -> Floats:
    """Colours weighted by alpha: what is transparent must not bleed into its neighbours."""
    return np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], 2)


def straight(pixels: Floats) -> Floats:
    """The opposite of `premultiplied`; where nothing can be seen the colour is black."""
    alpha = pixels[..., 3:]
    seen = np.where(alpha > 0, alpha, np.float32(1))
    return np.concatenate([np.clip(pixels[..., :3] / seen, 0, 1), alpha], 2)


def recoloured(image: Image, change: Callable[[Floats], Floats], mask: Mask | None = None) -> Image:
    """Colours changed pixel by pixel; transparency stays, and so does what the mask does not name.

    `change` takes and gives rows × width × channels; grey may become coloured, or colours grey.
    """
    weights = mask_for(image, mask)
    rows = max(1, STRIP // max(1, image.width))
    strips = []
    for top in range(0, image.height, rows):
        part = Image(image.pixels[top : top + rows])
        colours, alpha = split(part)
        changed = change(colours)
        if weights is not None:
            changed = mixed(colours, changed, weights[top : top + rows])
        strips.append(joined(changed, alpha, part).pixels)
    return Image(np.concatenate(strips))


def within(image: Image, changed: Image, mask: Mask | None) -> Image:
    """The changed picture where the mask says so, else the one before it."""
    weights = mask_for(image, mask)
    if weights is None:
        return changed
    before, after = floats(image), floats(changed)
    if before.shape[2] != 4 and after.shape[2] != 4:
        return Image(stored(mixed(before, after, weights), image.pixels.dtype))
    before, after = widened(before, 4), widened(after, 4)
    both = straight(mixed(premultiplied(before), premultiplied(after), weights))
    found = np.where(weights == 0, before, np.where(weights == 1, after, both))
    return Image(stored(found, image.pixels.dtype))


def mixed(before: Floats, after: Floats, weights: Floats | np.float32) -> Floats:
    """Exactly the one where the weight is 0 and the other where it is 1."""
    channels = max(before.shape[2], after.shape[2])
    found: Floats = widened(before, channels) * (1 - weights) + widened(after, channels) * weights
    return found


def mask_for(image: Image, mask: Mask | None) -> Floats | None:
    """The mask as height × width × 1, if it is as large as the picture."""
    if mask is None:
        return None
    height, width = mask.pixels.shape
    if (width, height) != (image.width, image.height):
        raise BadInput(
            "mask",
            got=f"{width} × {height}",
            want=f"{image.width} × {image.height}, as large as the picture",
            remedy="Resize the mask, or make it from this picture.",
        )
    return np.clip(mask.pixels, 0, 1).astype(np.float32)[..., None]
