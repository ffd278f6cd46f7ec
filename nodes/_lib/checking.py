"""Checkers that are models: the layout of Stable Diffusion's, and classifiers of pictures or texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from PIL import Image as Pillow
from torch.nn import functional

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.types import Image
from nodes._lib import inspecting
from nodes._lib.judging import Judgement, judged
from nodes._lib.parts import named_variant, ready
from nodes._lib.transformer import OFFLINE, Trained, first_line

AT_ONCE = 16
"""Views, or texts, that go through a model together."""
LIMIT = 0.5
"""Score from which a classifier flags, if nobody says otherwise."""
CARE = 0.01
"""By how much Stable Diffusion's checker is stricter with what wants special care."""
HARMLESS = re.compile(r"safe|sfw|normal|neutral|ok|clean|harmless|(not?|non)[ _-]?(nsfw|unsafe)")
"""Labels of what may be shown."""
TOKENS = 512
PIECE = re.compile(r"\s*\S{1,8}|\s+")
"""What a text is taken apart into: so little that even the smallest model has room for it."""
SPARE = 2
"""Tokens by which a text may be longer than its pieces."""
OVERLAP = 0.25


class Concepts:
    """The layout of Stable Diffusion's safety checker: how near a picture is to some concepts."""

    def __init__(self, name: str, held: Trained, limit: float | None) -> None:
        self.name, self.held, self.limit = name, held, limit or 0.0

    def picture(self, image: Image) -> Judgement:
        side = self.held.module.config.vision_config.image_size
        above = [(value, "") for some in batched(inspecting.views(image, side)) for value in self.above(some)]
        return judged(self.name, above, self.limit)

    def above(self, views: Sequence[Pillow.Image]) -> list[float]:
        """How far each view is above the threshold of the concept that it is nearest to."""
        module = self.held.module
        pixels = self.held.given(images=list(views))["pixel_values"]
        with torch.inference_mode():
            seen = functional.normalize(module.visual_projection(module.vision_model(pixels)[1]).float())
            care = over(seen, module.special_care_embeds, module.special_care_embeds_weights)
            found = over(seen, module.concept_embeds, module.concept_embeds_weights)
            strict = (care.amax(1) > 0).float() * CARE
            return [float(value) for value in found.amax(1) + strict]

    def text(self, text: str) -> None:
        return None


def over(seen: torch.Tensor, concepts: Any, thresholds: Any) -> torch.Tensor:
    return seen @ functional.normalize(concepts.float()).T - thresholds.float()


class Classifier:
    """A classifier of pictures or of texts: how much a thing belongs to no harmless class."""

    def __init__(self, name: str, held: Trained, limit: float | None) -> None:
        self.name, self.held = name, held
        self.limit = LIMIT if limit is None else limit
        self.harmless = [index for index, label in held.labels.items() if HARMLESS.fullmatch(label.lower())]
        self.reads = hasattr(held.senses, "tokenize")

    def picture(self, image: Image) -> Judgement | None:
        if self.reads:
            return None
        side = int(getattr(self.held.module.config, "image_size", 224))
        return self.worst(batched(inspecting.views(image, side)), "images")

    def text(self, text: str) -> Judgement | None:
        return self.worst(batched(self.passages(text)), "text") if self.reads else None

    def passages(self, text: str) -> Iterator[str]:
        """A text in parts that a model can read at once, and that overlap."""
        pieces = PIECE.findall(text) or [""]
        sizes = [len(ids) for ids in self.held.senses(pieces, add_special_tokens=False)["input_ids"]]
        room = self.longest - self.held.senses.num_special_tokens_to_add() - SPARE
        start = 0
        while True:
            end = reach(sizes, start, room)
            yield "".join(pieces[start:end])
            if end == len(pieces):
                return
            back = reach(sizes[:end][::-1], 0, int(room * OVERLAP))
            start = max(start + 1, end - back)

    @property
    def longest(self) -> int:
        """Tokens that are read at once."""
        return min(int(self.held.senses.model_max_length), TOKENS)

    def worst(self, batches: Iterable[Sequence[Any]], what: str) -> Judgement:
        return judged(self.name, (one for some in batches for one in self.scores(some, what)), self.limit)

    def scores(self, some: Sequence[Any], what: str) -> Iterator[tuple[float, str]]:
        """How harmful each is, 0 to 1, and the likeliest harmful class."""
        if what == "text":
            more = {"truncation": True, "padding": True, "max_length": self.longest}
            given = self.held.given(text=list(some), **more)
        else:
            given = self.held.given(images=list(some))
        with torch.inference_mode():
            chances = self.held.module(**given).logits.float().softmax(1).tolist()
        for row in chances:
            harmful = {chance: index for index, chance in enumerate(row) if index not in self.harmless}
            yield sum(harmful), self.held.labels[harmful[max(harmful)]]


def reach(sizes: Sequence[int], start: int, room: int) -> int:
    """How far one gets from a start with so much room; one piece at least."""
    end = start
    while end < len(sizes) and (end == start or room >= sizes[end]):
        room -= sizes[end]
        end += 1
    return end


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while some := list(islice(source, AT_ONCE)):
        yield some


LAYOUTS = {
    "ForImageClassification": ("AutoModelForImageClassification", "AutoImageProcessor"),
    "ForSequenceClassification": ("AutoModelForSequenceClassification", "AutoTokenizer"),
}
CONCEPTS = "StableDiffusionSafetyChecker"


def load(file: ModelFile, device: str, dtype: str) -> Trained:
    """The checker of a folder, in the layout that its configuration names."""
    import transformers

    how = {"dtype": getattr(torch, dtype), "use_safetensors": True, **OFFLINE, **named_variant(file.path)}
    try:
        config = transformers.PretrainedConfig.get_config_dict(file.path, **OFFLINE)[0]
        name = (config.get("architectures") or [""])[0]
        if name == CONCEPTS:
            from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

            module, about = StableDiffusionSafetyChecker.from_pretrained(
                file.path, output_loading_info=True, **how
            )
            senses = transformers.AutoImageProcessor.from_pretrained(file.path, **OFFLINE)
        else:
            ending = next((ending for ending in LAYOUTS if name.endswith(ending)), None)
            if ending is None:
                raise ValueError(f"{name or 'what it holds'} is no checker")
            layout, sense = (getattr(transformers, one) for one in LAYOUTS[ending])
            module, about = layout.from_pretrained(file.path, output_loading_info=True, **how)
            senses = sense.from_pretrained(file.path, **OFFLINE)
    except (OSError, ValueError, KeyError) as error:
        raise misfit(file, first_line(error)) from None
    if lacks := sorted(set(about["missing_keys"]) & {name for name, _ in module.named_parameters()}):
        raise misfit(file, f"it lacks the weights of {lacks[0]} and {len(lacks) - 1} more")
    held = Trained(ready(module, device, dtype), senses)
    if name != CONCEPTS:
        check_labels(file, held)
    return held


def check_labels(file: ModelFile, held: Trained) -> None:
    """Refuse classifiers of which nobody can tell what their classes mean."""
    known = [bool(HARMLESS.fullmatch(label.lower())) for label in held.labels.values()]
    if not any(known) or all(known):
        raise misfit(file, f"its classes ({', '.join(held.labels.values())}) do not say what is harmless")


def misfit(file: ModelFile, why: str) -> Unsupported:
    remedy = (
        "Choose a folder as transformers saves it: Stable Diffusion's safety checker, or a classifier of"
        " pictures or texts with a class called safe, normal, sfw, neutral or the like."
    )
    return Unsupported(f"{file.name!r} cannot check anything: {why}.", remedy=remedy)


def is_concepts(held: Trained) -> bool:
    return type(held.module).__name__ == CONCEPTS
