"""What a latent roughly looks like: a linear map to colours, in place of the VAE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.types import Image

if TYPE_CHECKING:
    from engine.types import Array

Factors = tuple[tuple[float, float, float], ...]
"""A row of red, green, blue per latent channel, then one that is added; for colours in -1..1."""


def rough(latent: Array, factors: Factors, enlarge: int = 4) -> Image:
    """A small picture of a latent: channels × height × width."""
    import numpy as np

    table = np.asarray(factors, np.float32)
    planes = zip(
        np.asarray(latent, np.float32), table, strict=False
    )  # no BLAS: its threads would fight torch's
    colours = sum((plane[..., None] * row for plane, row in planes), table[-1])
    pixels = np.clip(colours * 127.5 + 127.5, 0, 255).astype(np.uint8)
    return Image(pixels.repeat(enlarge, 0).repeat(enlarge, 1))
