"""Measure the scorer: how often the true caption is first of ten."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from .canvas import Picture, paint
from .claims import claims, fits, truth
from .draw import KINDS, draw
from .figures import Figure
from .measure_base import generate, open_base
from .scene import Scene
from .shapes import shapes
from .sheet import sheet
from .swaps import altered
from .wear import blurred, noisy

CHANCE = 0.1
_BATCH = 32
_PER_DRAWN = 4  # renders for each picture that the base draws
_WORN = 0.6, 4.0  # blur in pixels, noise in levels, of pictures that stand for generated ones


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """The part of unseen renders whose caption is first among nine others of the same kind of scene."""
    clip, processor = load(family / "clip", device)
    scenes = [draw(seed) for seed in range(count)]
    shown = [paint(scene) for scene in scenes]
    rng = np.random.default_rng(2)
    harmed = [noisy(rng, blurred(picture, _WORN[0]), _WORN[1]) for picture in shown]
    held = [shapes(Random(seed), held_out=True) for seed in range(count // 3)]
    found = {
        "true caption first of 10 of the same kind": first(clip, processor, shown, others(scenes)),
        "true caption first of 10, blurred and noisy": first(clip, processor, harmed, others(scenes)),
        "first of 10 that differ in one word": first(clip, processor, *_among_lies(scenes, shown)),
        "held-out pairs, differing in one word": first(
            clip, processor, *_among_lies(held, [paint(scene) for scene in held])
        ),
    }
    if (family / "base").exists():
        some = scenes[: max(8, count // _PER_DRAWN)]
        made = generate(open_base(family, device), [scene.captions[0] for scene in some])
        found["prompt of a picture by the base first of 10"] = first(clip, processor, made, others(some))
    return [Figure("clip", what, reached, 0.9, CHANCE) for what, reached in found.items()]


def load(folder: Path, device: str = "cpu") -> tuple[Any, Any]:
    """The scorer and its processor, as anybody loads them."""
    clip = CLIPModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    return clip, CLIPProcessor.from_pretrained(folder)


def others(scenes: Sequence[Scene], seed: int = 1) -> list[list[str]]:
    """For each scene its caption, then nine captions of the same kind of scene that are not true of it."""
    rng = Random(seed)
    pools = {kind: [draw(place, kind).captions[0] for place in range(5000, 5150)] for kind in KINDS}
    choices = []
    for scene in scenes:
        true = truth(scene)
        false = [said for said in set(pools[scene.kind]) if not fits(claims(said) or {}, true)]
        choices.append([scene.captions[0], *rng.sample(sorted(false), 9)])
    return choices


def lies(scene: Scene, seed: int = 1) -> list[str]:
    """The caption of a scene, then nine that say one thing wrong; fewer where there is less to say."""
    true, said = truth(scene), scene.captions[0]
    many = altered(Random(seed), said, scene.kind, 30)
    return [said, *[one for one in many if (told := claims(one)) is None or not fits(told, true)][:9]]


def first(clip: Any, processor: Any, shown: Sequence[Picture], choices: Sequence[Sequence[str]]) -> float:
    """How often the first of the captions has the highest score."""
    right = [scores.argmax() == 0 for scores in marked(clip, processor, shown, choices)]
    return float(np.mean(right))


def marked(
    clip: Any, processor: Any, shown: Sequence[Picture], choices: Sequence[Sequence[str]]
) -> list[np.ndarray[Any, Any]]:
    """The scores of each picture's captions."""
    found = []
    for start in range(0, len(shown), _BATCH):
        some = [Image.fromarray(picture) for picture in shown[start : start + _BATCH]]
        said = choices[start : start + _BATCH]
        given = processor(
            text=[one for many in said for one in many],
            images=some,
            padding=True,
            truncation=True,
            return_tensors="pt",
        ).to(clip.device)
        with torch.inference_mode():
            scores = clip(**given).logits_per_image.cpu().numpy()
        end = 0
        for row, many in enumerate(said):
            found.append(scores[row, end : end + len(many)])
            end += len(many)
    return found


def _among_lies(scenes: Sequence[Scene], shown: Sequence[Picture]) -> tuple[list[Picture], list[list[str]]]:
    """Pictures of scenes of which nine things can be said wrong, and these captions."""
    pairs = [
        (picture, many)
        for scene, picture in zip(scenes, shown, strict=True)
        if len(many := lies(scene)) == 10
    ]
    return [picture for picture, _ in pairs], [many for _, many in pairs]


def contact(family: Path, store: Path) -> None:
    """Four captions, and beside each the four of sixty pictures that score highest for it."""
    clip, processor = load(family / "clip")
    scenes = [draw(seed) for seed in range(60)]
    shown = [paint(scene) for scene in scenes]
    asked = [next(scene for scene in scenes if scene.kind == kind).captions[0] for kind in KINDS][:4]
    scores = np.stack(marked(clip, processor, shown, [asked] * len(shown)))  # (pictures, captions)
    best = [[int(place) for place in np.argsort(-scores[:, row])[:4]] for row in range(len(asked))]
    labels = [said if not rank else "" for said in asked for rank in range(4)]
    sheet([shown[place] for row in best for place in row], store, labels=labels)
