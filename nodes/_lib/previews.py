"""What a latent roughly looks like: a linear map to colours, in place of the VAE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.types import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.types import Array

    Colours = NDArray[np.float32]

Factors = tuple[tuple[float, float, float], ...]
"""A row of red, green, blue per latent channel, then one that is added; for colours in -1..1."""


def rough(latent: Array, factors: Factors, enlarge: int = 4) -> Image:
    """A small picture of a latent: channels × height × width."""
    import numpy as np

    planes = np.asarray(latent, np.float32)
    if not factors:
        return shown(grey(planes)[..., None].repeat(3, 2), enlarge)
    table = np.asarray(factors, np.float32)
    pairs = zip(planes, table, strict=False)  # no BLAS: its threads would fight torch's
    return shown(sum((plane[..., None] * row for plane, row in pairs), table[-1]), enlarge)


def grey(planes: Colours) -> Colours:
    """Light and dark of a latent whose colours nobody has measured: its mean, as far as that spreads."""
    import numpy as np

    mean = np.asarray(planes.mean(0), np.float32)
    found: Colours = (mean - mean.mean()) / (2 * mean.std() + np.float32(1e-6))
    return found


def shown(colours: Colours, enlarge: int) -> Image:
    """Colours in -1..1 as a picture, each cell a square."""
    import numpy as np

    pixels = np.clip(colours * 127.5 + 127.5, 0, 255).astype(np.uint8)
    return Image(pixels.repeat(enlarge, 0).repeat(enlarge, 1))
