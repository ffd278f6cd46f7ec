"""Between pictures and latents, through a VAE."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from engine.types import Latent, Tweak
from nodes._lib import doubles
from nodes._lib.arrays import array, tensor
from nodes._lib.recognising import NORMED, factor_of
from nodes.tweaks import Seamless, one

if TYPE_CHECKING:
    from engine.types import Array

SMALLEST_TILE = 8
"""In latent cells; smaller ones would be all overlap."""
BEYOND = 8
"""Cells that tiles see beyond an edge where a picture goes on from the other one."""


def decode(vae: Any, latent: Latent, thrift: int = 0, tweaks: Sequence[Tweak] = ()) -> Array:
    """Height × width × 3, float32 in 0..1."""
    cells = outwards(vae, tensor(latent.samples)[None].to(vae.device, vae.dtype))
    ends = one(tweaks, Seamless)
    with torch.no_grad():
        if ends is None:
            picture = tiled(vae, thrift).decode(cells, return_dict=False)[0]
        elif not thrift:
            picture = doubles.endless(vae, ends.across, ends.down).decode(cells, return_dict=False)[0]
        else:
            picture = continued(tiled(vae, thrift), cells, ends, latent.factor)
    if picture.ndim == 5:
        picture = picture[:, :, 0]  # a clip of one frame
    return array((picture * 0.5 + 0.5).clamp(0, 1)[0].permute(1, 2, 0))


def continued(vae: Any, cells: torch.Tensor, ends: Seamless, factor: int) -> torch.Tensor:
    """A picture in tiles, which see what comes after an edge because it is laid there."""
    high, wide = cells.shape[-2:]
    x, y = min(BEYOND, wide) * ends.across, min(BEYOND, high) * ends.down
    laid = functional.pad(cells, (x, x, y, y), mode="circular")
    picture: torch.Tensor = vae.decode(laid, return_dict=False)[0]
    top, left = y * factor, x * factor
    return picture[..., top : top + high * factor, left : left + wide * factor]


def encode(vae: Any, pixels: Array, seed: int | None = None, thrift: int = 0) -> Array:
    """Channels × height/factor × width/factor of pixels in 0..1: the mean, or a sample drawn by seed."""
    picture = tensor(pixels[None]).permute(0, 3, 1, 2).to(vae.device, vae.dtype)
    if films(vae):
        picture = picture[:, :, None]
    with torch.no_grad():
        found = tiled(vae, thrift).encode(picture * 2 - 1)
    if not hasattr(found, "latent_dist"):  # a VAE that is not random
        cells = found[0]
    elif seed is None:
        cells = found.latent_dist.mode()
    else:
        cells = found.latent_dist.sample(torch.Generator("cpu").manual_seed(seed))
    return array(inwards(vae, cells)[0])


def outwards(vae: Any, cells: torch.Tensor) -> torch.Tensor:
    """From the numbers that denoisers see to those that this VAE makes pictures of."""
    about = vae.config
    if NORMED in about:
        mean, spread = learned(vae, cells)
        return functional.pixel_shuffle(cells * spread + mean, about["patch_size"][0])
    if films(vae):
        cells = cells[:, :, None]
    scale, shift = about.get("scaling_factor") or 1.0, about.get("shift_factor") or 0.0
    if about.get("latents_mean") and about.get("latents_std"):
        mean, spread = (column(about[name], cells) for name in ("latents_mean", "latents_std"))
        return cells * spread / scale + mean
    return cells / scale + shift


def inwards(vae: Any, cells: torch.Tensor) -> torch.Tensor:
    """The way back."""
    about = vae.config
    if NORMED in about:
        cells = functional.pixel_unshuffle(cells, about["patch_size"][0])
        mean, spread = learned(vae, cells)
        return (cells - mean) / spread
    scale, shift = about.get("scaling_factor") or 1.0, about.get("shift_factor") or 0.0
    if about.get("latents_mean") and about.get("latents_std"):
        mean, spread = (column(about[name], cells) for name in ("latents_mean", "latents_std"))
        cells = (cells - mean) * scale / spread
    else:
        cells = (cells - shift) * scale
    return cells[:, :, 0] if cells.ndim == 5 else cells


def learned(vae: Any, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean and the spread of each channel, as a VAE counted them while it was taught."""
    mean, spread = vae.bn.running_mean, torch.sqrt(vae.bn.running_var + vae.config[NORMED])
    return mean.view(1, -1, 1, 1).to(cells), spread.view(1, -1, 1, 1).to(cells)


def column(numbers: Sequence[float], cells: torch.Tensor) -> torch.Tensor:
    """A number per channel."""
    return torch.tensor(numbers).view(1, -1, *[1] * (cells.ndim - 2)).to(cells)


def films(vae: Any) -> bool:
    """Whether a VAE was made for clips, of which a picture is one frame."""
    return any(isinstance(module, torch.nn.Conv3d) for module in vae.modules())


def tiled(vae: Any, thrift: int) -> Any:
    """The same weights, working in tiles that halve with every further notch of thrift."""
    if not thrift:
        return vae
    small = copy.copy(vae)  # shares the weights; only the numbers below are its own
    factor = factor_of(dict(vae.config))
    if hasattr(vae, "tile_latent_min_size"):
        cells = max(SMALLEST_TILE, vae.tile_latent_min_size >> (thrift - 1))
        small.tile_latent_min_size, small.tile_sample_min_size = cells, cells * factor
        small.use_tiling = True
        return small
    side = max(SMALLEST_TILE * factor, vae.tile_sample_min_height >> (thrift - 1))
    stride = side * 3 // 4 // factor * factor
    small.enable_tiling(side, side, stride, stride)
    return small
