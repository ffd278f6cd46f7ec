"""The parts of Stable Diffusion, from a diffusers folder or one file, into memory."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTokenizer

from engine.models import ModelFile, header, variant, weights_of
from nodes._lib.families import CONFIGS, Family, own, schedule
from nodes._lib.previews import Factors
from nodes._lib.prompting import Part, literal
from nodes._lib.weighing import Marks, weighed

diffusers.logging.set_verbosity_error()
diffusers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

CHUNK = 75
"""Words of a prompt that the encoder reads at once, between the start and the end token."""


@dataclass(frozen=True)
class Denoising:
    """A UNet with what belongs to it."""

    module: Any
    schedule: Mapping[str, Any]
    preview: Factors


class Token(NamedTuple):
    """A word or a part of one, as the tokenizer numbers it."""

    id: int
    weight: float


@dataclass(frozen=True)
class Reader:
    """A text encoder with its tokenizer."""

    module: Any
    tokenizer: Any

    def read(self, text: str, skip: int = 0) -> torch.Tensor:
        """(77 × parts, width); a prompt of more than 75 tokens is read in parts."""
        return self.read_parts(literal(text), skip)

    def read_parts(self, parts: Sequence[Part], skip: int = 0, marks: Marks = "a1111") -> torch.Tensor:
        """The same for words with weights, each part read apart from the others."""
        with torch.no_grad():
            return torch.cat([self._weighed(tokens, skip, marks) for tokens in self.tokens(parts)])

    def tokens(self, parts: Sequence[Part]) -> list[list[Token]]:
        """What is read at once: the tokens of each part, 75 at most."""
        found: list[list[Token]] = []
        for part in parts:
            row = [
                Token(id, piece.weight)
                for piece in part
                for id in self.tokenizer(piece.text, add_special_tokens=False, truncation=False).input_ids
            ]
            found += [row[i : i + CHUNK] for i in range(0, len(row), CHUNK)]
        return found or [[]]

    def word(self, id: int) -> str:
        """A token as it is written."""
        return str(self.tokenizer.decode([id])).strip()

    def _weighed(self, tokens: list[Token], skip: int, marks: Marks) -> torch.Tensor:
        embeds = self._read([token.id for token in tokens], skip)
        return weighed(embeds, [token.weight for token in tokens], marks, lambda: self._read([], skip))

    def _read(self, ids: list[int], skip: int) -> torch.Tensor:
        tokens = self.tokenizer
        row = [tokens.bos_token_id, *ids, tokens.eos_token_id]
        row += [tokens.pad_token_id] * (CHUNK + 2 - len(row))
        batch = torch.tensor([row], device=self.module.device)
        if not skip:
            return self.module(batch)[0][0]
        hidden = self.module(batch, output_hidden_states=True).hidden_states[-(skip + 1)]
        inner = getattr(self.module, "text_model", self.module)
        return inner.final_layer_norm(hidden)[0]

    @functools.cached_property
    def empty(self) -> torch.Tensor:
        """The empty prompt, read once."""
        return self.read("")

    @property
    def layers(self) -> int:
        return int(self.module.config.num_hidden_layers)


def unet(file: ModelFile, family: Family, device: str, dtype: str) -> Denoising:
    """The denoiser."""
    module = part(UNet2DConditionModel, file, family, "unet", device, dtype)
    folder = folder_of(file, family)
    trained = schedule(own(folder, "scheduler", family))
    return Denoising(module, trained, preview(folder, family.preview))


def vae(file: ModelFile, family: Family, device: str, dtype: str) -> Any:
    """The picture coder."""
    return part(AutoencoderKL, file, family, "vae", device, dtype)


def controlnet(file: ModelFile, device: str, dtype: str) -> Any:
    """A ControlNet: a diffusers folder, or one file in the layout of its first release."""
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    if file.layout == "diffusers":
        module = ControlNetModel.from_pretrained(
            file.path, use_safetensors=True, **options, **named_variant(file.path)
        )
    else:
        config = str(CONFIGS / "controlnet-sd15")
        module = ControlNetModel.from_single_file(str(file.path), config=config, **options)
    return ready(module, device, dtype)


def reader(file: ModelFile, family: Family, device: str, dtype: str) -> Reader:
    """The text encoder."""
    tokenizer = CLIPTokenizer.from_pretrained(folder_of(file, family) / "tokenizer", local_files_only=True)
    kind = getattr(torch, dtype)
    if file.layout == "diffusers":
        folder = file.path / "text_encoder"
        module = CLIPTextModel.from_pretrained(
            folder, dtype=kind, use_safetensors=True, local_files_only=True, **named_variant(folder)
        )
    else:
        module = create_diffusers_clip_model_from_ldm(
            CLIPTextModel,
            tensors(file, family, "text_encoder"),
            subfolder="text_encoder",
            config=str(family.config),
            torch_dtype=kind,
            local_files_only=True,
        )
    return Reader(ready(module, device, dtype), tokenizer)


def part(kind: Any, file: ModelFile, family: Family, folder: str, device: str, dtype: str) -> Any:
    """A diffusers model. Safetensors only, never remote code, never the network."""
    options = {"dtype": getattr(torch, dtype), "local_files_only": True}
    if file.layout == "diffusers":
        place = file.path / folder
        module = kind.from_pretrained(place, use_safetensors=True, **options, **named_variant(place))
    else:
        found = tensors(file, family, folder)
        module = kind.from_single_file(found, config=str(family.config), subfolder=folder, **options)
    return ready(module, device, dtype)


def tensors(file: ModelFile, family: Family, folder: str) -> dict[str, torch.Tensor]:
    """The tensors of one part of a single file; the rest of it is not read."""
    with safe_open(file.path, "pt") as opened:
        names = [name for name in header(file.path) if name.startswith(family.prefixes[folder])]
        return {name: opened.get_tensor(name) for name in names}


def ready(module: Any, device: str, dtype: str) -> Any:
    return module.eval().requires_grad_(False).to(device, getattr(torch, dtype))


def named_variant(folder: Path) -> dict[str, str]:
    """`variant="fp16"` for a folder that has no other weights."""
    found = {variant(file) for file in weights_of(folder)} - {""}
    return {"variant": found.pop()} if found else {}


def folder_of(file: ModelFile, family: Family) -> Path:
    return file.path if file.layout == "diffusers" else family.config


def preview(folder: Path, otherwise: Factors) -> Factors:
    """The colours of latent channels that a model brings along, or those of its family."""
    try:
        found = json.loads((folder / "preview.json").read_text("utf-8"))
    except (OSError, ValueError):
        return otherwise
    return tuple(tuple(map(float, row)) for row in found["latent_to_rgb"])  # type: ignore[misc]  # rows of three
