"""Models of the transformers library: every kind loaded in one way, from a folder, without code of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image as Pillow

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.types import (
    Captioner,
    DepthModel,
    Image,
    LanguageModel,
    Matcher,
    ObjectFinder,
    Outliner,
    PoseModel,
    SceneParser,
    Transformer,
)
from engine.weights import Kind
from nodes._lib import planes
from nodes._lib.parts import named_variant, ready

FAMILY = "transformers"


class Task(NamedTuple):
    """What a kind of model is for, and who in the library knows its layouts."""

    kind: Kind
    does: str
    layouts: tuple[str, ...]
    """Auto classes; the first that knows a folder's configuration loads it."""
    senses: str
    """The auto class of what prepares its inputs."""


TASKS: dict[type[Transformer], Task] = {
    DepthModel: Task("depth", "estimates depth", ("AutoModelForDepthEstimation",), "AutoImageProcessor"),
    PoseModel: Task("pose", "finds poses", ("AutoModelForPoseEstimation",), "AutoImageProcessor"),
    ObjectFinder: Task("finder", "finds things", ("AutoModelForObjectDetection",), "AutoImageProcessor"),
    SceneParser: Task(
        "segmenter",
        "names every pixel",
        ("AutoModelForSemanticSegmentation", "AutoModelForUniversalSegmentation"),
        "AutoImageProcessor",
    ),
    Outliner: Task(
        "segmenter", "outlines what is pointed at", ("AutoModelForMaskGeneration",), "AutoProcessor"
    ),
    Captioner: Task("caption", "describes pictures", ("AutoModelForImageTextToText",), "AutoProcessor"),
    Matcher: Task(
        "clip", "compares words and pictures", ("AutoModelForZeroShotImageClassification",), "AutoProcessor"
    ),
    LanguageModel: Task("language", "goes on with words", ("AutoModelForCausalLM",), "AutoTokenizer"),
}


@dataclass(frozen=True)
class Trained:
    """A model with what prepares its inputs and reads its outputs."""

    module: Any
    senses: Any

    def given(self, **inputs: Any) -> Any:
        """Inputs as tensors, where the model is and in its number format."""
        found = self.senses(**inputs, return_tensors="pt")
        return {
            name: value.to(self.module.device, self.module.dtype if value.is_floating_point() else None)
            if isinstance(value, torch.Tensor)
            else value
            for name, value in found.items()
        }

    @property
    def labels(self) -> dict[int, str]:
        """The names of the classes that it knows."""
        return {int(index): str(name) for index, name in self.module.config.id2label.items()}


def load(file: ModelFile, part: type[Transformer], device: str, dtype: str) -> Trained:
    """The model of a folder and its processor or tokenizer."""
    task, layout = TASKS[part], layout_of(file, part)
    kind = getattr(torch, dtype)
    try:
        module, about = layout.from_pretrained(
            file.path, dtype=kind, use_safetensors=True, output_loading_info=True, **OFFLINE,
            **named_variant(file.path),
        )  # fmt: skip
        senses = getattr(transformers, task.senses).from_pretrained(file.path, **OFFLINE)
    except (OSError, ValueError, KeyError) as error:
        raise misfit(file, task, first_line(error)) from None
    lacks = sorted(set(about["missing_keys"]) & {name for name, _ in module.named_parameters()})
    if lacks:
        raise misfit(file, task, f"it lacks the weights of {lacks[0]} and {len(lacks) - 1} more")
    return Trained(ready(module, device, dtype), senses)


OFFLINE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def layout_of(file: ModelFile, part: type[Transformer]) -> Any:
    """The auto class that loads this folder. Raises Unsupported where it is of another kind."""
    task = TASKS[part]
    if file.layout != "diffusers":
        raise misfit(file, task, "it is a single file, and nothing says how it is built")
    try:
        config = type(transformers.AutoConfig.from_pretrained(file.path, **OFFLINE))
    except (OSError, ValueError, KeyError) as error:
        raise misfit(file, task, first_line(error)) from None
    for name in task.layouts:
        layout = getattr(transformers, name)
        if config in tuple(layout._model_mapping):
            return layout
    raise misfit(file, task, f"a {config.__name__.removesuffix('Config')} is of another kind")


def misfit(file: ModelFile, task: Task, why: str) -> Unsupported:
    return Unsupported(
        f"{file.name!r} is no model that {task.does}: {why}.",
        remedy=f"Choose a folder as transformers saves it: config.json, {task.senses} files, safetensors.",
    )


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]


def seen(image: Image) -> Pillow.Image:
    """A picture as processors like it: 8 bits, three channels, on white where it is clear."""
    colours = planes.widened(planes.visible(image), 3)
    return Pillow.fromarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))


@contextmanager
def chance(seed: int, device: torch.device) -> Iterator[None]:
    """The library draws words from the global source of chance: lend it a seed, and put it back."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
