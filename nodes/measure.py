"""Numbers about pictures: how bright, how rich in contrast, how sharp, how colourful."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.node import node
from engine.types import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Measures(NamedTuple):
    brightness: float
    contrast: float
    sharpness: float
    saturation: float


@node(category="image")
def measure_picture(image: Image) -> Measures:
    """How bright, rich in contrast, sharp and colourful a picture is, each from 0 to 1.

    Brightness is the mean of the luma, contrast its spread (1: half black, half white), sharpness the mean
    step between neighbouring pixels, saturation the mean distance of the strongest from the weakest colour.
    """
    import numpy as np

    pixels = image.pixels
    scale = 255.0 if pixels.dtype == np.uint8 else 1.0
    colours = pixels[..., :3].astype(np.float64) / scale  # height × width × (1 or 3)
    luma = colours @ np.array([0.299, 0.587, 0.114]) if colours.shape[2] == 3 else colours[..., 0]
    return Measures(
        brightness=float(luma.mean()),
        contrast=min(2 * float(luma.std()), 1.0),
        sharpness=(mean_step(colours, 0) + mean_step(colours, 1)) / 2,
        saturation=float((colours.max(axis=2) - colours.min(axis=2)).mean()),
    )


@node(category="scores")
def colourfulness(image: Image) -> float:
    """How colourful a picture looks, by the formula of Hasler and Süsstrunk: 0 is grey.

    About 15 is slightly colourful, 45 quite, 82 highly and 109 extremely so, as people judged. Where a
    picture is transparent it does not count less.
    """
    import numpy as np

    pixels = image.pixels
    if pixels.shape[2] == 1:
        return 0.0
    scale = 1.0 if pixels.dtype == np.uint8 else 255.0
    red, green, blue = np.moveaxis(pixels[..., :3].astype(np.float64) * scale, 2, 0)
    warm, cold = red - green, (red + green) / 2 - blue
    return float(np.hypot(warm.std(), cold.std()) + 0.3 * np.hypot(warm.mean(), cold.mean()))


def mean_step(colours: NDArray[np.float64], axis: int) -> float:
    """The mean difference of neighbours along an axis; a picture one pixel wide has none."""
    import numpy as np

    return float(np.abs(np.diff(colours, axis=axis)).mean()) if colours.shape[axis] > 1 else 0.0
