"""The parts of a model, from a diffusers folder or one file, into memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import ControlNetModel
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import safe_open
from transformers import CLIPTokenizer

from engine.errors import Unsupported
from engine.models import ModelFile, header, variant, weights_of
from nodes._lib import recognising
from nodes._lib.families import CONFIGS, LATENTS, Clip, Family
from nodes._lib.previews import Factors
from nodes._lib.reading import Encoder, Reader

diffusers.logging.set_verbosity_error()
diffusers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True)
class Denoising:
    """A denoiser with what belongs to it."""

    module: Any
    family: Family
    schedule: Mapping[str, Any]
    preview: Factors


def denoiser(file: ModelFile, family: Family, device: str, dtype: str) -> Denoising:
    """The part that draws, and how it was taught."""
    prefix = family.single.denoiser if family.single else ""
    folder = recognising.folder_of(file, family)
    module = part(file, folder, family.denoiser, prefix, device, dtype)
    taught = recognising.schedule_of(file, family)
    return Denoising(module, family, taught, preview(folder, LATENTS[family.latents].preview))


def vae(file: ModelFile, latents: str, device: str, dtype: str) -> Any:
    """The picture coder."""
    if file.kind == "vae":
        return vae_alone(file, latents, device, dtype)
    folder = file.path if file.layout == "diffusers" else LATENTS[latents].config
    if dtype == "float16" and recognising.config(folder / "vae").get("force_upcast"):
        dtype = "float32"  # its numbers grow beyond what float16 holds, and the picture turns black
    return part(file, folder, "vae", "first_stage_model.", device, dtype)


def vae_alone(file: ModelFile, latents: str, device: str, dtype: str) -> Any:
    """One that has its files for itself, by the names of diffusers or of its first release."""
    place = file.path if file.layout == "diffusers" else LATENTS[latents].config / "vae"
    about = recognising.config(place)
    kind = class_of(str(about.get("_class_name")), "vae")
    if dtype == "float16" and about.get("force_upcast"):
        dtype = "float32"
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    if file.layout == "diffusers":
        module = kind.from_pretrained(place, use_safetensors=True, **options, **named_variant(place))
    else:
        found = {name.removeprefix("first_stage_model."): t for name, t in tensors(file, "").items()}
        config = str(LATENTS[latents].config)
        module = kind.from_single_file(found, config=config, subfolder="vae", **options)
    return ready(module, device, dtype)


def controlnet(file: ModelFile, family: str, device: str, dtype: str) -> Any:
    """A ControlNet: a diffusers folder, or one file in the layout of its first release."""
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    if file.layout == "diffusers":
        module = ControlNetModel.from_pretrained(
            file.path, use_safetensors=True, **options, **named_variant(file.path)
        )
    else:
        config = str(CONFIGS / f"controlnet-{family}")
        module = ControlNetModel.from_single_file(str(file.path), config=config, **options)
    return ready(module, device, dtype)


def reader(file: ModelFile, family: Family, device: str, dtype: str) -> Reader:
    """Text encoders that are read word by word."""
    folder = recognising.folder_of(file, family)
    encoders = tuple(
        Encoder(clip_encoder(file, folder, clip, device, dtype), clip_tokenizer(file, clip), clip)
        for clip in family.clips
    )
    index = recognising.read(folder / "model_index.json")
    return Reader(
        tuple(encoder.module for encoder in encoders),
        encoders,
        family,
        silent=bool(index.get("force_zeros_for_empty_prompt", family.told == "sizes")),
    )


def clip_encoder(file: ModelFile, folder: Path, clip: Clip, device: str, dtype: str) -> Any:
    kind = transformers.CLIPTextModelWithProjection if clip.pooled else transformers.CLIPTextModel
    if file.layout == "diffusers":
        place = file.path / clip.folder
        module = kind.from_pretrained(
            place,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            **named_variant(place),
        )
    else:
        module = create_diffusers_clip_model_from_ldm(
            kind,
            tensors(file, clip.prefix),
            subfolder=clip.folder,
            config=str(folder),
            torch_dtype=getattr(torch, dtype),
            local_files_only=True,
        )
    return ready(module, device, dtype)


def clip_tokenizer(file: ModelFile, clip: Clip) -> Any:
    """Its own, or the one that all of CLIP share, where only what fills up differs."""
    if file.layout == "diffusers":
        return CLIPTokenizer.from_pretrained(file.path / clip.tokenizer, local_files_only=True)
    options = {"pad_token": clip.pad} if clip.pad else {}
    return CLIPTokenizer.from_pretrained(CONFIGS / "sd15" / "tokenizer", local_files_only=True, **options)


def part(file: ModelFile, folder: Path, name: str, prefix: str, device: str, dtype: str) -> Any:
    """A diffusers model. Safetensors only, never remote code, never the network."""
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    kind = class_of(str(recognising.config(folder / name).get("_class_name")), name)
    if file.layout == "diffusers":
        place = file.path / name
        module = kind.from_pretrained(place, use_safetensors=True, **options, **named_variant(place))
    else:
        found = tensors(file, prefix)
        module = kind.from_single_file(found, config=str(folder), subfolder=name, **options)
    return ready(module, device, dtype)


def class_of(name: str, part: str) -> Any:
    """A model class of diffusers by its name; nothing else is ever called for a name in a file."""
    found = getattr(diffusers, name, None) if name.isidentifier() else None
    if isinstance(found, type) and issubclass(found, diffusers.ModelMixin):
        return found
    raise Unsupported(
        f"The model's {part} is a {name}, which diffusers {diffusers.__version__} does not have.",
        remedy="Use a model whose parts are those of diffusers.",
    )


def tensors(file: ModelFile, prefix: str) -> dict[str, torch.Tensor]:
    """The tensors of one part of a single file; the rest of it is not read."""
    with safe_open(file.path, "pt") as opened:
        return {name: opened.get_tensor(name) for name in header(file.path) if name.startswith(prefix)}


def ready(module: Any, device: str, dtype: str) -> Any:
    return module.eval().requires_grad_(False).to(device, getattr(torch, dtype))


def named_variant(folder: Path) -> dict[str, str]:
    """`variant="fp16"` for a folder that has no other weights."""
    found = {variant(file) for file in weights_of(folder)} - {""}
    return {"variant": found.pop()} if found else {}


def preview(folder: Path, otherwise: Factors) -> Factors:
    """The colours of latent channels that a model brings along, or those of its family."""
    try:
        found = json.loads((folder / "preview.json").read_text("utf-8"))
    except (OSError, ValueError):
        return otherwise
    return tuple(tuple(map(float, row)) for row in found["latent_to_rgb"])  # type: ignore[misc]  # rows of three
