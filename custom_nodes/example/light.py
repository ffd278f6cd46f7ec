"""Light that falls off, as through an old lens."""

from __future__ import annotations

from typing import Annotated

from engine.node import node
from engine.types import Image, Strength, slider

Reach = Annotated[
    float,
    slider(0, 1, "How far the light stays full: 0 in the centre alone, 1 up to the corners."),
]


@node(category="image/light")
def vignette(image: Image, strength: Strength = 0.5, reach: Reach = 0.4) -> Image:
    """Darken a picture towards its corners.

    `strength` is how dark the corners get: 0 changes nothing, 1 makes them black. Transparency stays.
    """
    import numpy as np  # inside: describing this pack must stay fast

    height, width = image.pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    distance = np.hypot(x, y) / np.sqrt(2)  # 0 in the centre, 1 in the corners
    fall = np.clip((distance - reach) / max(1 - reach, 1e-6), 0, 1)
    light = 1 - strength * fall**2 * (3 - 2 * fall)  # smooth at both ends, so no ring shows
    colours = 1 if image.pixels.shape[2] == 1 else 3
    pixels = image.pixels.astype(np.float64)
    pixels[:, :, :colours] *= light[:, :, None]
    if image.pixels.dtype == np.uint8:
        pixels = np.rint(pixels)
    return Image(pixels.astype(image.pixels.dtype))
