"""Measure the captioner: is what it says of unseen renders true, and all that must be said?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from .canvas import Picture, paint
from .claims import ASPECTS, claims, marks, truth
from .draw import draw
from .figures import Figure
from .scene import Scene
from .sheet import sheet

WHAT = {
    "colour": "colours named right",
    "object": "objects named right",
    "place": "places named right",
    "manner": "poses, moods, times, sizes, counts named right",
}
_BATCH = 32


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """The part of unseen renders of which every colour, object and place is named right."""
    captioner, processor = load(family / "captioner", device)
    scenes = [draw(seed) for seed in range(count)]
    told = tell(captioner, processor, [paint(scene) for scene in scenes])
    reached, luck = graded(scenes, told), graded(scenes, exchanged(scenes, told))
    return [Figure("captioner", WHAT[aspect], reached[aspect], 0.9, luck[aspect]) for aspect in reached]


def load(folder: Path, device: str = "cpu") -> tuple[Any, Any]:
    """The captioner and its processor, as anybody loads them."""
    captioner = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    return captioner, BlipProcessor.from_pretrained(folder)


def tell(captioner: Any, processor: Any, shown: Sequence[Picture]) -> list[str]:
    """A caption for each picture."""
    told: list[str] = []
    for start in range(0, len(shown), _BATCH):
        some = [Image.fromarray(picture) for picture in shown[start : start + _BATCH]]
        given = processor(images=some, return_tensors="pt").to(captioner.device)
        said = captioner.generate(**given, max_new_tokens=50, do_sample=False)
        told += processor.batch_decode(said, skip_special_tokens=True)
    return told


def graded(scenes: Sequence[Scene], told: Sequence[str]) -> dict[str, float]:
    """The part of captions that are right, by what they name."""
    found: dict[str, list[bool]] = {}
    for scene, said in zip(scenes, told, strict=True):
        for aspect, right in marks(claims(said), truth(scene)).items():
            found.setdefault(aspect, []).append(right)
    return {aspect: float(np.mean(found[aspect])) for aspect in ASPECTS if aspect in found}


def exchanged(scenes: Sequence[Scene], told: Sequence[str]) -> list[str]:
    """For every scene the caption of the next one of its kind: what talk without looking would reach."""
    kinds = [scene.kind for scene in scenes]
    following = []
    for place, kind in enumerate(kinds):
        rest = [*range(place + 1, len(kinds)), *range(place + 1)]
        following.append(told[next(one for one in rest if kinds[one] == kind)])
    return following


def contact(family: Path, store: Path) -> None:
    """Sixteen unseen renders under what is said of them."""
    captioner, processor = load(family / "captioner")
    shown = [paint(draw(seed)) for seed in range(16)]
    sheet(shown, store, labels=tell(captioner, processor, shown))
