"""LoRAs: small changes put on a model's weights and taken off again, exactly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import diffusers
from diffusers.loaders.lora_base import set_adapters_for_text_encoder
from diffusers.utils import recurse_remove_peft_layers
from safetensors.torch import load_file

from engine.errors import Unsupported
from engine.models import SAFE, ModelFile, weights_of
from nodes._lib.families import Family
from nodes._lib.stable import Denoising, Reader

Worn = Sequence[tuple[ModelFile, float]]
"""LoRA files with their weights, in order of application."""


def on_denoiser(held: Denoising, loras: Worn, family: Family) -> None:
    """Let a denoiser wear exactly these."""
    kind, unet = getattr(diffusers, family.pipeline), held.module
    if getattr(unet, "_hf_peft_config_loaded", False):
        unet.unload_lora()
    names = []
    for place, (file, _) in enumerate(loras):
        state, alphas = read(kind, file, unet)
        if not any(name.startswith("unet.") for name in state):
            raise misfit(file, "nothing in it is for the part that draws")
        try:
            with several():
                kind.load_lora_into_unet(state, alphas, unet, adapter_name=f"lora{place}")
        except (RuntimeError, ValueError) as error:
            unet.unload_lora()
            raise misfit(file, first_line(error)) from None
        names.append(f"lora{place}")
    if names:
        unet.set_adapters(names, [weight for _, weight in loras])
        unet.requires_grad_(False).eval()


def on_reader(held: Reader, loras: Worn, family: Family) -> None:
    """Let a text encoder wear exactly these; a LoRA without a part for it changes nothing."""
    kind, encoder = getattr(diffusers, family.pipeline), held.module
    held.__dict__.pop("empty", None)  # what was read in other clothes
    bare(encoder)
    names, weights = [], []
    for place, (file, weight) in enumerate(loras):
        state, alphas = read(kind, file, None)
        if not any(name.startswith("text_encoder.") for name in state):
            continue
        try:
            with several():
                kind.load_lora_into_text_encoder(state, alphas, encoder, adapter_name=f"lora{place}")
        except (RuntimeError, ValueError) as error:
            bare(encoder)
            raise misfit(file, first_line(error)) from None
        names.append(f"lora{place}")
        weights.append(weight)
    if names:
        set_adapters_for_text_encoder(names, encoder, weights)
        encoder.requires_grad_(False).eval()


@contextmanager
def several() -> Iterator[None]:
    """Without peft's warning that there is a LoRA already: that is the idea."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield


def bare(encoder: Any) -> None:
    """Take everything off a transformers model."""
    if getattr(encoder, "_hf_peft_config_loaded", False):
        recurse_remove_peft_layers(encoder)
        del encoder.peft_config
        encoder._hf_peft_config_loaded = False


def read(kind: Any, file: ModelFile, unet: Any) -> tuple[dict[str, Any], Any]:
    """The tensors of a LoRA by the names of diffusers, whoever wrote it, and the alphas of their ranks."""
    path = file.path if file.path.suffix == SAFE else weights_of(file.path)[0]
    options = {} if unet is None else {"unet_config": unet.config}
    try:
        state, alphas = kind.lora_state_dict(load_file(path), **options)
    except (KeyError, ValueError, RuntimeError) as error:
        raise misfit(file, first_line(error)) from None
    return state, alphas


def misfit(file: ModelFile, why: str) -> Unsupported:
    return Unsupported(
        f"The LoRA {file.name!r} does not fit this model: {why}.",
        remedy="Use a LoRA that was trained for this family of models.",
    )


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]
