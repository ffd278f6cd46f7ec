"""The colours a picture is made of."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta

from engine.node import node
from engine.types import Image

Colours = Annotated[int, Meta(ge=1, le=16, description="How many colours to find.")]


class Palette(NamedTuple):
    """A node with several outputs returns a NamedTuple: its fields are the ports."""

    colours: list[str]
    swatch: Image


@node(category="image/colour")
def palette(image: Image, count: Colours = 5) -> Palette:
    """Find the main colours of a picture, the most frequent first.

    `colours` are written like #ff8800; there are fewer than asked for where the picture has fewer. `swatch`
    shows them side by side, 64 pixels each.
    """
    import numpy as np
    from PIL import Image as Picture

    pixels = image.pixels[:, :, :3]
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    reduced = Picture.fromarray(rgb).quantize(count, method=Picture.Quantize.MEDIANCUT)
    indices, counts = np.unique(np.asarray(reduced), return_counts=True)
    table = np.array(reduced.getpalette(), dtype=np.uint8).reshape(-1, 3)
    found = table[indices[np.argsort(-counts, kind="stable")]]  # (colours, 3)
    return Palette(
        colours=["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in found],
        swatch=Image(np.repeat(np.repeat(found[None], 64, axis=0), 64, axis=1)),
    )
