"""Load a model: what a name means becomes references to its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from engine.errors import BadInput
from engine.machine import SMALL
from engine.memory import Place, loader
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import (
    Denoiser,
    DenoiserName,
    LoraName,
    Model,
    ModelName,
    Preview,
    TextEncoder,
    Vae,
    VaeName,
    slider,
)
from engine.weights import variants

Precision = Literal["auto", "float32", "bfloat16", "float16"]


DrawingPrecision = Literal["auto", "float32", "bfloat16", "float16", "float8"]
VaeFamily = Annotated[
    Literal["auto", "sd15", "sdxl"],
    Meta(description='Whose latents it reads; "sd15" is that of Stable Diffusion 1 and 2.'),
]


def identity(file: ModelFile, family: str) -> tuple[str, str, str, int]:
    """What every reference to a file begins with: its name, its family, its content and its size."""
    return file.name, family, models().sha256(file), file.bytes


class Loaded(NamedTuple):
    denoiser: Denoiser
    text_encoder: TextEncoder
    vae: Vae


Variant = Annotated[
    str,
    Meta(max_length=20, description='Which of several weights in the folder, such as "fp16"; empty: plain.'),
]


@node(category="models", kind="source", lane="io", fingerprint=content_of("model"))
def load_model(
    model: ModelName = "starter", dtype: DrawingPrecision = "auto", variant: Variant = ""
) -> Loaded:
    """Choose a model: the part that draws, the part that reads prompts, and the part that makes pixels.

    `model` is the name of a diffusers folder or a `.safetensors` checkpoint in the models folder, or the id
    of a Hugging Face repository that is in the local cache. Nothing is downloaded, and pickled weights are
    refused. Checkpoints that were made to fill holes load as well; they want `encode_for_inpainting`.

    `dtype` is the number format to compute in; "auto" is float16 on a graphics card and float32 on a CPU,
    where float16 means float32 too. "float8" keeps the part that draws in eight bits while it waits, and
    widens each layer when it computes: half the memory of float16, a picture that differs a little, and no
    LoRAs.

    `variant` chooses among weights that lie side by side in a folder: of `model.safetensors` and
    `model.fp16.safetensors` the second is read with "fp16". It says what is read, `dtype` what is computed
    in. Parts that have no such file come from the plain one.
    """
    from nodes._lib import recognising

    file = models().find(model)
    check_variant(file, variant)
    facts = recognising.facts(file)
    own = identity(file, facts.family.name)
    return Loaded(
        Denoiser(
            *own, dtype, variant,
            channels=facts.channels, factor=facts.factor, size=facts.size, prediction=facts.prediction,
            distilled=facts.distilled,
        ),
        TextEncoder(*own, reading(dtype), variant),
        Vae(*identity(file, facts.family.latents), reading(dtype), variant, factor=facts.factor),
    )  # fmt: skip


def check_variant(file: ModelFile, wanted: str) -> None:
    """Raise BadInput for weights that a model does not have."""
    here = sorted(variants(file.path)) if file.layout == "diffusers" else []
    if wanted and wanted not in here:
        raise BadInput(
            "variant",
            got=wanted,
            want=f"one of those that {file.name!r} has: {', '.join(here) or 'the plain one'}",
            remedy="" if here else "Leave it empty.",
        )


def reading(dtype: str) -> str:
    """The number format of the parts that do not draw, beside one that does."""
    return "auto" if dtype == SMALL else dtype


@node(category="models", kind="source", lane="io", fingerprint=content_of("denoiser"))
def load_denoiser(model: DenoiserName = "starter-inpainting", dtype: DrawingPrecision = "auto") -> Denoiser:
    """Choose only the part that draws, to use with the text encoder and the VAE of another model.

    The other model must be of the same family. What was trained further often comes this way: a denoiser
    that fills holes is one, and wants its start from `encode_for_inpainting`.

    `model` is the name of a diffusers folder in the folder `denoisers` of the models folder (or
    `diffusion_models`, or `unet`): of a UNet itself, or with `unet/` in it. A `scheduler/` beside that says
    how it was trained; without one it is taken for an ordinary model of its family.
    """
    from nodes._lib import recognising

    file = models().find(model, "denoiser")
    facts = recognising.facts(file)
    return Denoiser(
        *identity(file, facts.family.name), dtype,
        channels=facts.channels, factor=facts.factor, size=facts.size, prediction=facts.prediction,
    )  # fmt: skip


@node(category="models", kind="source", lane="io", fingerprint=content_of("vae"))
def load_vae(model: VaeName = "starter/vae", family: VaeFamily = "auto", dtype: Precision = "auto") -> Vae:
    """Choose only the part that turns pictures into latents and back, to use with any model of its family.

    Another VAE than a model's own gives the same picture other colours and finer details; eyes and letters
    gain most. `model` is the name of a folder or a `.safetensors` file in the folder `vae` of the models
    folder; the VAE of a model in the diffusers layout is called `MODEL/vae`.

    `family` says whose latents it reads. A folder says so itself; a single file often fits several.
    """
    from nodes._lib import recognising

    file = models().find(model, "vae")
    found, factor = recognising.of_vae(file, family)
    return Vae(*identity(file, found), dtype, factor=factor)


class Dressed(NamedTuple):
    denoiser: Denoiser
    text_encoder: TextEncoder


LoraWeight = Annotated[
    float,
    slider(-4, 4, "How much it changes: 1 as it was trained, 0 nothing, below 0 the opposite.", step=0.05),
]


@node(category="models", kind="source", lane="io", fingerprint=content_of("lora", "lora"))
def use_lora(
    model: Denoiser,
    text_encoder: TextEncoder,
    lora: LoraName,
    strength: LoraWeight = 1.0,
    text_strength: LoraWeight | None = None,
) -> Dressed:
    """Let a model wear a LoRA: a small file that teaches it a style, a character, a thing, or fewer steps.

    Many change the reading of prompts too, so read them with the text encoder that comes out. `text_strength`
    is for that part, and is `strength` if left out. Most LoRAs want words of their own in the prompt, which
    their makers name. Where 1 is too much, 0.6 to 0.8 often is right.

    For several put one behind another; their order stands in the receipt. It must have been trained for the
    model's family. `lora` is the name of a `.safetensors` file in the folder `loras` of the models folder, as
    diffusers or kohya write it.
    """
    here = models()
    file = here.find(lora, "lora")
    sha256 = here.sha256(file)
    reading = strength if text_strength is None else text_strength
    return Dressed(
        dressed(model, file.name, sha256, strength),
        dressed(text_encoder, file.name, sha256, reading),
    )


M = TypeVar("M", bound=Model)


def dressed(model: M, lora: str, sha256: str, weight: float) -> M:
    if not weight:
        return model
    return msgspec.structs.replace(model, loras=(*model.loras, (lora, sha256, weight)))


# -- loaders, one for every family


def dress_denoiser(held: Any, loras: Sequence[tuple[ModelFile, float]]) -> None:
    from nodes._lib import loras as clothes

    clothes.on_denoiser(held, loras)


def dress_reader(held: Any, loras: Sequence[tuple[ModelFile, float]]) -> None:
    from nodes._lib import loras as clothes

    clothes.on_reader(held, loras)


def place_of_denoiser(ref: Model) -> Place:
    from nodes._lib import families

    row = families.family(ref.family)
    return Place((row.denoiser,), (row.single.denoiser,) if row.single else ())


def place_of_reader(ref: Model) -> Place:
    from nodes._lib import families

    row = families.family(ref.family)
    return Place(row.encoders, tuple(clip.prefix for clip in row.clips))


def place_of_vae(ref: Model) -> Place:
    return Place(("vae",), ("first_stage_model.",), alone=("vae",))


@loader(Denoiser, place=place_of_denoiser, kinds=("model", "denoiser"), wear=dress_denoiser)
def read_denoiser(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The part of a model that draws."""
    from nodes._lib import families, parts

    return parts.denoiser(file, families.family(ref.family), device, dtype, small=ref.dtype == SMALL)


@loader(TextEncoder, place=place_of_reader, wear=dress_reader)
def read_text_encoder(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The part of a model that reads prompts: one text encoder, or several side by side."""
    from nodes._lib import families, parts

    return parts.reader(file, families.family(ref.family), device, dtype)


@loader(Preview, kinds=("preview",))
def read_preview(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A small decoder for previews."""
    from nodes._lib import glimpses

    return glimpses.read(file, device, dtype)


@loader(Vae, place=place_of_vae, kinds=("model", "vae"))
def read_vae(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The part of a model that makes pixels."""
    from nodes._lib import parts

    return parts.vae(file, ref.family, device, dtype)
