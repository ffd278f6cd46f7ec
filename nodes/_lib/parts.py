"""The parts of a model, from a diffusers folder or one file, into memory."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import msgspec
import torch
import transformers
from diffusers import ControlNetModel, T2IAdapter
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import safe_open
from transformers import CLIPTokenizer, PreTrainedTokenizerBase

from engine.errors import Unsupported
from engine.memory import in_turns
from engine.models import ModelFile
from engine.weights import header, variant, weights_of
from nodes._lib import recognising, tinies, turns
from nodes._lib.families import CONFIGS, LATENTS
from nodes._lib.net import Net
from nodes._lib.previews import Factors
from nodes._lib.reading import Encoder, Reader
from nodes._lib.rows import Clip, Family
from nodes._lib.speaking import Speaker
from nodes._lib.wraps import mutes

diffusers.logging.set_verbosity_error()
diffusers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

Module = TypeVar("Module", bound=Net)


@dataclass(frozen=True)
class Denoising:
    """A denoiser with what belongs to it."""

    module: Any
    family: Family
    schedule: Mapping[str, Any]
    preview: Factors
    settings: Mapping[str, Any]
    """What the model says of its pipeline."""


def denoiser(file: ModelFile, family: Family, device: str, dtype: str, *, small: bool = False) -> Denoising:
    """The part that draws, and how it was taught."""
    prefix = family.single.denoiser if family.single else ""
    folder = recognising.folder_of(file, family)
    changes = recognising.seen_by(file, family)
    module = part(file, folder, family.denoiser, prefix, device, dtype, small=small, **changes)
    taught = recognising.schedule_of(file, family)
    index = recognising.read(folder / "model_index.json") if family.spoken else {}
    said = settings(getattr(diffusers, family.pipeline), index)
    return Denoising(module, family, taught, preview(folder, LATENTS[family.latents].preview), said)


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
    if file.layout == "single_file" and recognising.TINY in header(file.path):
        return ready(tinies.read(file), device, dtype)
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
        kind = class_of(str(recognising.config(file.path).get("_class_name")), "ControlNet")
        module = kind.from_pretrained(file.path, use_safetensors=True, **options, **named_variant(file.path))
    else:
        config = str(CONFIGS / f"controlnet-{family}")
        module = ControlNetModel.from_single_file(str(file.path), config=config, **options)
    return ready(module, device, dtype)


def t2i_adapter(file: ModelFile, device: str, dtype: str) -> Any:
    module = T2IAdapter.from_pretrained(
        file.path,
        use_safetensors=True,
        dtype=getattr(torch, dtype),
        local_files_only=True,
        **named_variant(file.path),
    )
    return ready(module, device, dtype)


def reader(file: ModelFile, family: Family, device: str, dtype: str) -> Reader | Speaker:
    """What reads prompts: text encoders word by word, or a pipeline as a whole."""
    return word_by_word(file, family, device, dtype) if family.clips else speaker(file, family, device, dtype)


def speaker(file: ModelFile, family: Family, device: str, dtype: str) -> Speaker:
    """A pipeline of which only the parts that read are there."""
    kind = getattr(diffusers, family.pipeline)
    index = recognising.read(file.path / "model_index.json")
    elsewhere = (family.denoiser, "vae", "scheduler", *family.idle)
    found: dict[str, Any] = {}
    for name in inspect.signature(kind.__init__).parameters:
        if name not in elsewhere and recognising.has(index, name) and index[name][0] == "transformers":
            found[name] = text_part(file, name, str(index[name][1]), device, dtype)
    stand = mutes(family, torch.device(device), getattr(torch, dtype), "text_encoder")
    pipeline = bare(kind, {**settings(kind, index), **stand, **found})
    modules = tuple(part for part in found.values() if isinstance(part, torch.nn.Module))
    return Speaker(modules, pipeline, family)


def text_part(file: ModelFile, part: str, name: str, device: str, dtype: str) -> Any:
    """A model or a tokenizer of transformers by its name; no other name in a file is ever called."""
    folder = file.path / part
    kind: Any = getattr(transformers, name, None) if name.isidentifier() else None
    bases = inspect.getmro(kind) if isinstance(kind, type) else ()
    if transformers.PreTrainedModel in bases:
        module = kind.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            **named_variant(folder, file.variant),
        )
        return ready(module, device, dtype, reads=True)
    if {PreTrainedTokenizerBase, transformers.ProcessorMixin} & set(bases):
        return kind.from_pretrained(folder, local_files_only=True)
    raise Unsupported(
        f"The model's {part} is a {name}, which transformers {transformers.__version__} lacks.",
        remedy="Use a model whose parts are those of transformers.",
    )


def bare(kind: Any, parts: Mapping[str, Any]) -> Any:
    """A pipeline around parts that are in memory; nothing is loaded, and what is not given is not there."""
    wanted = inspect.signature(kind.__init__).parameters
    needed = [name for name, about in wanted.items() if about.default is inspect.Parameter.empty]
    switches = {"requires_safety_checker": False, "add_watermarker": False}
    off = {name: value for name, value in switches.items() if name in wanted}
    pipeline = kind(**{**dict.fromkeys(needed[1:]), **off, **parts})  # the first one is `self`
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def settings(kind: Any, index: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's index says of its pipeline besides naming parts."""
    wanted = inspect.signature(kind.__init__).parameters
    return {name: index[name] for name in wanted if name in index and not recognising.names_part(index[name])}


def word_by_word(file: ModelFile, family: Family, device: str, dtype: str) -> Reader:
    """CLIP text encoders, side by side."""
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
            **named_variant(place, file.variant),
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
    return ready(module, device, dtype, reads=True)


def clip_tokenizer(file: ModelFile, clip: Clip) -> Any:
    """Its own, or the one that all of CLIP share, where only what fills up differs."""
    if file.layout == "diffusers":
        return CLIPTokenizer.from_pretrained(file.path / clip.tokenizer, local_files_only=True)
    options = {"pad_token": clip.pad} if clip.pad else {}
    return CLIPTokenizer.from_pretrained(CONFIGS / "sd15" / "tokenizer", local_files_only=True, **options)


def part(
    file: ModelFile,
    folder: Path,
    name: str,
    prefix: str,
    device: str,
    dtype: str,
    *,
    small: bool = False,
    **changes: int,
) -> Any:
    """A diffusers model. Safetensors only, never remote code, never the network.

    A single file has no configuration; it is its family's, with these changes.
    """
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    kind = class_of(str(recognising.config(recognising.inside(folder, name)).get("_class_name")), name)
    if file.layout == "diffusers":
        place = recognising.inside(file.path, name)
        named = named_variant(place, file.variant)
        module = kind.from_pretrained(place, use_safetensors=True, **options, **named)
    else:
        found = tensors(file, prefix)
        module = kind.from_single_file(found, config=str(folder), subfolder=name, **options, **changes)
    return ready(module, device, dtype, small=small)


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


def ready(module: Module, device: str, dtype: str, *, reads: bool = False, small: bool = False) -> Module:
    """A module that no longer learns, put where and as it is to work.

    Where memory is short its weights wait in the machine's; models of transformers only where they just
    read, since their own loops ask where the weights are.
    """
    module.eval().requires_grad_(False).to(dtype=getattr(torch, dtype))
    if small:
        turns.shrink(module, getattr(torch, dtype))
    if in_turns() and (reads or isinstance(module, diffusers.ModelMixin)):
        turns.take_turns(module, device)
    else:
        module.to(device)
    return module


def named_variant(folder: Path, wanted: str = "") -> dict[str, str]:
    """`variant="fp16"` for a folder that is to be read so, or has no other weights."""
    found = {variant(file) for file in weights_of(folder, wanted)} - {""}
    return {"variant": found.pop()} if found else {}


def preview(folder: Path, otherwise: Factors) -> Factors:
    """The colours of latent channels that a model brings along, or those of its family."""
    try:
        found = json.loads((folder / "preview.json").read_text("utf-8"))
    except (OSError, ValueError):
        return otherwise
    return msgspec.convert(found["latent_to_rgb"], Factors)
