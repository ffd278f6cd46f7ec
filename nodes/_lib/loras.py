"""LoRAs: small changes put on a model's weights and taken off again, exactly."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import diffusers
from diffusers.loaders.lora_base import set_adapters_for_text_encoder
from diffusers.utils import recurse_remove_peft_layers
from safetensors.torch import load_file

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.weights import SAFE, weights_of
from nodes._lib.parts import Denoising
from nodes._lib.reading import Reader
from nodes._lib.turns import at_rest, shrunk

Worn = Sequence[tuple[ModelFile, float]]
"""LoRA files with their weights, in order of application."""


def on_denoiser(held: Denoising, loras: Worn) -> None:
    """Let a denoiser wear exactly these."""
    with at_rest(held.module):
        put_on_denoiser(held, loras)


def put_on_denoiser(held: Denoising, loras: Worn) -> None:
    family, module = held.family, held.module
    if loras and shrunk(module):
        text = "A model whose weights wait in eight bits takes no LoRA."
        raise Unsupported(text, remedy="Load it with another `dtype`.")
    kind = getattr(diffusers, family.pipeline)
    if getattr(module, "_hf_peft_config_loaded", False):
        module.unload_lora()
    if loras and not hasattr(kind, f"load_lora_into_{family.denoiser}"):
        raise Unsupported(f"{family.title} takes no LoRA.", remedy="Use it with a model that has them.")
    names = []
    for place, (file, _) in enumerate(loras):
        state, alphas = read(kind, file, module)
        if not any(name.startswith(family.denoiser + ".") for name in state):
            raise misfit(file, "nothing in it is for the part that draws")
        try:
            with several():
                named = {"network_alphas": alphas, family.denoiser: module, "adapter_name": f"lora{place}"}
                put_on = getattr(kind, f"load_lora_into_{family.denoiser}")
                put_on(state, **taken(put_on, named))
        except (RuntimeError, ValueError) as error:
            module.unload_lora()
            raise misfit(file, first_line(error)) from None
        names.append(f"lora{place}")
    if names:
        module.set_adapters(names, [weight for _, weight in loras])
        module.requires_grad_(False).eval()


def on_reader(held: Reader, loras: Worn) -> None:
    """Let text encoders wear exactly these; a LoRA without a part for one changes nothing in it."""
    held.__dict__.pop("empty", None)  # what was read in other clothes
    with ExitStack() as resting:
        for module in held.modules:
            resting.enter_context(at_rest(module))
        put_on_reader(held, loras)


def put_on_reader(held: Reader, loras: Worn) -> None:
    kind = getattr(diffusers, held.family.pipeline)
    for module in held.modules:
        bare(module)
    if not hasattr(kind, "load_lora_into_text_encoder"):
        return
    for name, module in zip(held.family.encoders, held.modules, strict=False):
        try:
            on_encoder(kind, name, module, loras)
        except Unsupported:
            for other in held.modules:
                bare(other)
            raise


def on_encoder(kind: Any, part: str, module: Any, loras: Worn) -> None:
    names, weights = [], []
    for place, (file, weight) in enumerate(loras):
        state, alphas = read(kind, file, None)
        if not any(name.startswith(part + ".") for name in state):
            continue
        try:
            with several():
                name = f"lora{place}"
                kind.load_lora_into_text_encoder(state, alphas, module, prefix=part, adapter_name=name)
        except (RuntimeError, ValueError) as error:
            raise misfit(file, first_line(error)) from None
        names.append(name)
        weights.append(weight)
    if names:
        set_adapters_for_text_encoder(names, module, weights)
        module.requires_grad_(False).eval()


def taken(function: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that a function has."""
    return {name: value for name, value in named.items() if name in inspect.signature(function).parameters}


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


def read(kind: Any, file: ModelFile, module: Any) -> tuple[dict[str, Any], Any]:
    """The tensors of a LoRA by the names of diffusers, whoever wrote it, and the alphas of their ranks."""
    path = file.path if file.path.suffix == SAFE else weights_of(file.path)[0]
    named = {"unet_config": module.config if module is not None else None, "return_alphas": True}
    try:
        found = kind.lora_state_dict(load_file(path), **taken(kind.lora_state_dict, named))
    except (KeyError, ValueError, RuntimeError) as error:
        raise misfit(file, first_line(error)) from None
    return found if isinstance(found, tuple) else (found, None)


def misfit(file: ModelFile, why: str) -> Unsupported:
    return Unsupported(
        f"The LoRA {file.name!r} does not fit this model: {why}.",
        remedy="Use a LoRA that was trained for this family of models.",
    )


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]
