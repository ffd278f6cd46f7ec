"""Between pictures and latents, through a VAE."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from engine.types import Latent
from nodes._lib.arrays import array, tensor

if TYPE_CHECKING:
    from engine.types import Array

SMALLEST_TILE = 8
"""In latent cells; smaller ones would be all overlap."""


def decode(vae: Any, latent: Latent, thrift: int = 0) -> Array:
    """Height × width × 3, float32 in 0..1."""
    cells = tensor(latent.samples)[None].to(vae.device, vae.dtype)
    with torch.no_grad():
        picture = tiled(vae, thrift).decode(cells / vae.config.scaling_factor, return_dict=False)[0]
    return array((picture * 0.5 + 0.5).clamp(0, 1)[0].permute(1, 2, 0))


def encode(vae: Any, pixels: Array, seed: int | None = None, thrift: int = 0) -> Array:
    """Channels × height/factor × width/factor of pixels in 0..1: the mean, or a sample drawn by seed."""
    picture = tensor(pixels[None]).permute(0, 3, 1, 2).to(vae.device, vae.dtype)
    with torch.no_grad():
        spread = tiled(vae, thrift).encode(picture * 2 - 1).latent_dist
    cells = spread.mean if seed is None else spread.sample(torch.Generator("cpu").manual_seed(seed))
    return array((cells * vae.config.scaling_factor)[0])


def tiled(vae: Any, thrift: int) -> Any:
    """The same weights, working in tiles that halve with every further notch of thrift."""
    if not thrift:
        return vae
    small = copy.copy(vae)  # shares the weights; only the numbers below are its own
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    cells = max(SMALLEST_TILE, vae.tile_latent_min_size >> (thrift - 1))
    small.tile_latent_min_size, small.tile_sample_min_size, small.use_tiling = cells, cells * factor, True
    return small
