"""Measure the prompt enhancer: is the prompt kept, is it English, and does the base draw what was added?"""

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from transformers import pipeline

from .claims import SETTINGS, SIDES, TIMES, Claims, claims
from .details import beginnings
from .draw import draw
from .figures import Figure
from .measure_base import generate, open_base
from .measure_captioner import load as load_captioner
from .measure_captioner import tell
from .sheet import sheet
from .wording import vary

_SHOWN = 6  # prompts for each that the base draws


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """Beginnings of unseen captions, made longer; the base's pictures are read by the captioner."""
    enhancer = load(family / "enhancer", device)
    prompts = asked(count)
    longer = enhanced(enhancer, prompts)
    free = [vary(Random(place), prompt) for place, prompt in enumerate(prompts)]
    found = [
        Figure("enhancer", "words of the prompt kept", kept(free, enhanced(enhancer, free)), 0.98),
        Figure("enhancer", "grammatical", grammatical(longer), 0.95, grammatical(prompts)),
        Figure("enhancer", "prompts with a new detail", detailed(prompts, longer), 0.95, 0.0),
    ]
    if all((family / name).exists() for name in ("base", "captioner")):
        some = slice(0, max(8, count // _SHOWN))
        reached, without = obeyed(family, prompts[some], longer[some], device)
        found.append(Figure("enhancer", "new details that the base draws", reached, 0.8, without))
    return found


def load(folder: Path, device: str = "cpu") -> Any:
    """The enhancer, as anybody loads it."""
    return pipeline("text-generation", str(folder), device=device)


def asked(count: int) -> list[str]:
    """Short prompts: what unseen captions begin with."""
    rng = Random(3)
    prompts: list[str] = []
    for seed in range(10 * count):
        begun = beginnings(draw(seed).captions[0])
        if begun and len(prompts) < count:
            prompts.append(rng.choice(begun))
    return prompts


def enhanced(enhancer: Any, prompts: Sequence[str]) -> list[str]:
    """Each prompt with what is added to it."""
    torch.manual_seed(0)
    return [found[0]["generated_text"] for found in enhancer(list(prompts))]


def kept(prompts: Sequence[str], longer: Sequence[str]) -> float:
    """The part of all words of the prompts that are still there."""
    words = [
        word in after.lower().split()
        for before, after in zip(prompts, (re.sub(",", " ,", one) for one in longer), strict=True)
        for word in re.sub(",", " ,", before).lower().split()
    ]
    return float(np.mean(words))


def grammatical(longer: Sequence[str]) -> float:
    """The part that follows the grammar of captions to the end."""
    return float(np.mean([claims(one) is not None for one in longer]))


def detailed(prompts: Sequence[str], longer: Sequence[str]) -> float:
    """The part that says something which the prompt did not."""
    return float(np.mean([bool(added(*pair)) for pair in zip(prompts, longer, strict=True)]))


def added(prompt: str, longer: str) -> Claims:
    """What is claimed by the words behind the prompt."""
    behind, said = longer[len(prompt) :], claims(longer) or {}
    return {
        matter: value
        for matter, value in said.items()
        if any(re.search(rf"\b{re.escape(phrase)}\b", behind) for phrase in _phrases(matter, value))
    }


def obeyed(family: Path, prompts: Sequence[str], longer: Sequence[str], device: str) -> tuple[float, float]:
    """The part of new details seen in pictures of the longer prompts, and in those of the short ones."""
    drawing = open_base(family, device)
    captioner, processor = load_captioner(family / "captioner", device)
    wanted = [added(*pair) for pair in zip(prompts, longer, strict=True)]

    def seen(texts: Sequence[str]) -> float:
        return _seen(wanted, tell(captioner, processor, generate(drawing, texts)))

    return seen(longer), seen(prompts)


def _seen(wanted: Sequence[Claims], told: Sequence[str]) -> float:
    found = [
        (claims(said) or {}).get(matter) == value
        for many, said in zip(wanted, told, strict=True)
        for matter, value in many.items()
    ]
    return float(np.mean(found))


def _phrases(matter: str, value: str) -> tuple[str, ...]:
    """The words that say it."""
    sides = (side for side in SIDES if matter.endswith(side))
    return (value, *sides, *SETTINGS.get(value, ()), *TIMES.get(value, ()))


def contact(family: Path, store: Path) -> None:
    """Eight prompts and below each what it became, as the base draws them."""
    prompts = asked(8)
    texts = [*prompts, *enhanced(load(family / "enhancer"), prompts)]
    sheet(generate(open_base(family), texts), store, labels=texts)
