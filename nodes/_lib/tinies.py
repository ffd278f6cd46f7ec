"""TAESD and its kin, small autoencoders, in one file: by the names of diffusers or of their makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file

from engine.errors import Unsupported
from engine.models import ModelFile
from nodes._lib.recognising import TINY, tiny_channels


def read(file: ModelFile) -> Any:
    """The autoencoder; of a file with a decoder alone, without an encoder."""
    weights = renamed(load_file(file.path))
    channels = tiny_channels({name: tuple(weight.shape) for name, weight in weights.items()})
    if not channels:
        raise misfit(file, TINY)
    module = AutoencoderTiny(latent_channels=channels)
    if not any(name.startswith("encoder.") for name in weights):
        module.encoder = None
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        if name not in wanted or name not in weights or wanted[name].shape != weights[name].shape:
            raise misfit(file, name)
    module.load_state_dict(weights)
    return module


def renamed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A decoder that was published alone begins with a clamp, which counts as a layer there."""
    if TINY in weights:
        return dict(weights)
    found = {}
    for name, weight in weights.items():
        layer, _, rest = name.partition(".")
        found[f"decoder.layers.{int(layer) - 1}.{rest}" if layer.isdecimal() else name] = weight
    return found


def misfit(file: ModelFile, name: str) -> Unsupported:
    return Unsupported(
        f"{file.name!r} is no small autoencoder in the layout of TAESD: see {name!r}.",
        remedy="Use taesd_decoder.safetensors or diffusion_pytorch_model.safetensors as they were published.",
    )
