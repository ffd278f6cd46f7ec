"""Invisible watermarks: a number that a picture carries, and finding it again."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Image, slider

Number = Annotated[
    int, Meta(ge=0, le=2**32 - 1, description="What to write: a number of yours for the picture.")
]
Strength = Annotated[float, slider(0.25, 6, "How strong the pattern is, in grey levels of 255.", step=0.05)]


class Found(NamedTuple):
    found: bool
    number: int
    strength: float
    scale: float


@node(category="image")
def watermark(image: Image, number: Number = 1, strength: Strength = 1.5) -> Image:
    """Hide a number in a picture, where nobody sees it and `read_watermark` finds it again.

    It survives JPEG, resizing between half and double size, and cropping, the better the larger the picture.
    It does not survive turning, stretching to other proportions, or somebody who knows how it is made. Put it
    after everything else that changes the picture. More `strength` lasts longer and shows sooner.
    """
    from nodes._lib import watermarking

    if min(image.width, image.height) < watermarking.TILE:
        got, want = f"{image.width} × {image.height}", f"at least {watermarking.TILE} pixels a side"
        raise BadInput("image", got=got, want=want, remedy="Enlarge it first.")
    return watermarking.marked(image, number, strength)


@node(category="image")
def read_watermark(image: Image) -> Found:
    """Find the number that `watermark` hid in a picture, also after JPEG, resizing or cropping.

    `strength` is how far the pattern stands out, in standard deviations: 5 is faint and 10 clear. `scale` is
    its size over that at which it was marked. A picture without a mark gives `found` false and 0.
    """
    from nodes._lib import watermarking

    mark = watermarking.find(watermarking.light_of(image))
    if mark is None:
        return Found(False, 0, 0.0, 1.0)
    return Found(True, mark.number, mark.strength, mark.scale)
