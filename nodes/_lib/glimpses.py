"""Previews of a picture while it is drawn: by a small decoder where there is one, else by rough colours."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from engine.models import ModelFile, models
from engine.types import Denoiser, Image, Preview
from nodes._lib import tinies
from nodes._lib.arrays import array
from nodes._lib.families import family
from nodes._lib.parts import Denoising, named_variant, ready
from nodes._lib.previews import rough

PUBLISHED = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux": "taef1"}
"""How the decoder for a kind of latents is called by its makers."""
OWN = "starter"
"""Models whose names begin so have latents of their own, and a decoder of their own."""
LARGEST = 64
"""Cells along a side that are decoded; of a larger latent a smaller one, so that a preview costs little."""


def decoder(model: Denoiser) -> Preview | None:
    """The small decoder for what a model draws, if there is one in the models folders."""
    own = model.name.startswith(OWN)
    name = f"{OWN}-preview" if own else PUBLISHED.get(family(model.family).latents)
    names = (name, f"{name}_decoder", f"{name}/diffusion_pytorch_model")  # the last two are single files
    here = models()
    for file in here.list("preview"):
        if file.name in names:
            return Preview(file.name, model.family, here.sha256(file), file.bytes, model.dtype)
    return None


def read(file: ModelFile, device: str, dtype: str) -> Any:
    """The decoder, from a folder as diffusers saves it or from one file."""
    if file.layout == "single_file":
        return ready(tinies.read(file), device, dtype)
    options = {"use_safetensors": True, "local_files_only": True, **named_variant(file.path)}
    return ready(AutoencoderTiny.from_pretrained(file.path, **options), device, dtype)


def glimpse(cells: torch.Tensor, held: Denoising, tiny: Any = None) -> Image:
    """What a latent, 1 × channels × height × width, looks like so far."""
    if tiny is None:
        return rough(array(cells[0]), held.preview)
    longest = max(cells.shape[-2:])
    if longest > LARGEST:
        sides = [max(1, side * LARGEST // longest) for side in cells.shape[-2:]]
        cells = functional.interpolate(cells, sides, mode="area")
    with torch.no_grad():
        scaled = cells.to(tiny.device, tiny.dtype) / tiny.config.scaling_factor
        picture = tiny.decode(scaled, return_dict=False)[0]
    pixels = (picture[0].float().permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).round()
    return Image(pixels.to(torch.uint8).cpu().numpy())
