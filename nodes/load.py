"""Load a model: what a name means becomes references to its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec

from engine.memory import loader
from engine.models import ModelFile, models
from engine.node import node
from engine.types import Denoiser, DenoiserName, LoraName, Model, ModelName, TextEncoder, Vae, slider

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class Loaded(NamedTuple):
    denoiser: Denoiser
    text_encoder: TextEncoder
    vae: Vae


def content(model: ModelName = "starter", dtype: Precision = "auto") -> str:
    """What the file behind the name holds: the same content under another name is the same model."""
    here = models()
    return here.sha256(here.find(model))


@node(category="models", kind="source", lane="io", fingerprint=content)
def load_model(model: ModelName = "starter", dtype: Precision = "auto") -> Loaded:
    """Choose a model: the part that draws, the part that reads prompts, and the part that makes pixels.

    `model` is the name of a diffusers folder or a `.safetensors` checkpoint in the models folder, or the id
    of a Hugging Face repository that is in the local cache. Nothing is downloaded, and pickled weights are
    refused.

    `dtype` is the number format to compute in; "auto" is float16 on a graphics card and float32 on a CPU,
    where float16 means float32 too.
    """
    from nodes._lib import families

    here = models()
    file = here.find(model)
    facts, sha256 = families.facts(file), here.sha256(file)
    name, size, family = file.name, file.bytes, facts.family.name
    return Loaded(
        Denoiser(
            name, family, sha256, size, dtype,
            channels=facts.channels, factor=facts.factor, size=facts.size, prediction=facts.prediction,
        ),
        TextEncoder(name, family, sha256, size, dtype),
        Vae(name, family, sha256, size, dtype, factor=facts.factor),
    )  # fmt: skip


def denoiser_content(model: DenoiserName, dtype: Precision = "auto") -> str:
    """What the file behind the name holds."""
    here = models()
    return here.sha256(here.find(model, "denoiser"))


# It becomes a node with the first starter model that shows it at work.
def load_denoiser(model: DenoiserName, dtype: Precision = "auto") -> Denoiser:
    """Choose only the part that draws, to use with the text encoder and the VAE of another model.

    `model` is the name of a folder with `unet/` in it, in the folder `denoisers` of the models folder (or
    `diffusion_models`, or `unet`). Its own `scheduler/` says how it was trained; without one it is taken for
    an ordinary model of its family.
    """
    from nodes._lib import families

    here = models()
    file = here.find(model, "denoiser")
    facts, sha256 = families.facts(file), here.sha256(file)
    return Denoiser(
        file.name, facts.family.name, sha256, file.bytes, dtype,
        channels=facts.channels, factor=facts.factor, size=facts.size, prediction=facts.prediction,
    )  # fmt: skip


class Dressed(NamedTuple):
    denoiser: Denoiser
    text_encoder: TextEncoder | None


LoraWeight = Annotated[
    float,
    slider(-4, 4, "How much it changes: 1 as it was trained, 0 nothing, below 0 the opposite.", step=0.05),
]


def lora_content(lora: LoraName, **inputs: object) -> str:
    """What the file behind the name holds."""
    here = models()
    return here.sha256(here.find(lora, "lora"))


# It becomes a node with the first starter model that shows it at work.
def use_lora(
    denoiser: Denoiser,
    lora: LoraName,
    text_encoder: TextEncoder | None = None,
    strength: LoraWeight = 1.0,
    text_strength: LoraWeight | None = None,
) -> Dressed:
    """Let a model wear a LoRA: a small file that teaches it a style, a character, a thing.

    Several are put on one after another; their order stands in the receipt. `text_strength` is for what the
    LoRA changes in the reading of prompts, and is `strength` if left out. `lora` is the name of a
    `.safetensors` file in the folder `loras` of the models folder, as diffusers or kohya write it.
    """
    here = models()
    file = here.find(lora, "lora")
    sha256 = here.sha256(file)
    reading = strength if text_strength is None else text_strength
    return Dressed(
        dressed(denoiser, file.name, sha256, strength),
        None if text_encoder is None else dressed(text_encoder, file.name, sha256, reading),
    )


M = TypeVar("M", bound=Model)


def dressed(model: M, lora: str, sha256: str, weight: float) -> M:
    if not weight:
        return model
    return msgspec.structs.replace(model, loras=(*model.loras, (lora, sha256, weight)))


def dress_sd15_denoiser(held: Any, loras: Sequence[tuple[ModelFile, float]]) -> None:
    from nodes._lib import families
    from nodes._lib import loras as clothes

    clothes.on_denoiser(held, loras, families.SD15)


def dress_sd15_reader(held: Any, loras: Sequence[tuple[ModelFile, float]]) -> None:
    from nodes._lib import families
    from nodes._lib import loras as clothes

    clothes.on_reader(held, loras, families.SD15)


@loader(
    Denoiser,
    "sd15",
    folder="unet",
    prefix="model.diffusion_model.",
    kinds=("model", "denoiser"),
    wear=dress_sd15_denoiser,
)
def load_sd15_denoiser(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The UNet of Stable Diffusion 1.5."""
    from nodes._lib import families, stable

    return stable.unet(file, families.SD15, device, dtype)


@loader(TextEncoder, "sd15", folder="text_encoder", prefix="cond_stage_model.", wear=dress_sd15_reader)
def load_sd15_text_encoder(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The CLIP text encoder of Stable Diffusion 1.5."""
    from nodes._lib import families, stable

    return stable.reader(file, families.SD15, device, dtype)


@loader(Vae, "sd15", folder="vae", prefix="first_stage_model.")
def load_sd15_vae(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The picture coder of Stable Diffusion 1.5."""
    from nodes._lib import families, stable

    return stable.vae(file, families.SD15, device, dtype)
