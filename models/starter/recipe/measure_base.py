"""Measure the base: what it draws of what was asked, beside what chance would give."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from .canvas import Picture
from .draw import draw
from .exam import mark, questions
from .figures import Figure
from .reader import FACTS, Reader, load, read
from .scene import Kind
from .sheet import sheet
from .train_vae import measure as measure_vae
from .train_vae import tensor, unseen
from .wording import unknown, vary

SHOWN = (
    "a red star on a blue background",
    "a blue heart and a green diamond on a white background",
    "three yellow triangles on a purple background",
    "a small white diamond on a pink background",
    "a yellow sun over purple mountains at night, a white house on the left",
    "an orange sun over a blue sea at sunset, a red boat on the right",
    "a white moon over snowy blue mountains at night",
    "a forest by day, a red house on the right",
    "a person in a red shirt standing on a white background",
    "a woman running in a green shirt in a park",
    "a man sitting in an orange shirt on a gray background",
    "a child waving in a purple shirt on a beach",
    "a happy yellow face on a blue background",
    "a sad green cat on a pink background",
    "an angry gray robot on a white background",
    "a surprised woman with brown hair and glasses on a cyan background",
    "a red car on a road",
    "a green house in the snow",
    "a blue bird on the grass",
    "a yellow rocket in the night sky",
    "a brown dog on a beach",
    "an orange fish in the water",
    "a pink umbrella on a beach",
    "a red apple on a table",
)
WANTED = {"two: shapes": 0.9, "pose": 0.9, "expression": 0.9, "object": 0.9, "houses, boats, trees": 0.9}
PLAIN = 0.98  # wanted of everything else
BUILT = ("house", "boat", "tree")
Marks = dict[str, tuple[float, float]]  # right, and right by luck


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """The table of the base, from `count` prompts of each sort; by luck means held against other prompts."""
    drawing = open_base(family, device)
    marks = exam(drawing, count)
    plain = mean(marks)
    if (family / "reader").exists():
        marks |= scenes(drawing, count // 2, load(family / "reader"))
    lines = [
        Figure("base", name, right, WANTED.get(name, PLAIN), luck) for name, (right, luck) in marks.items()
    ]
    for name, change in (("free wording", vary), ("unknown words", strange)):
        cost = 100 * (plain - mean(exam(drawing, count, change)))
        lines.append(Figure("base", f"{name} costs", cost, 3, unit="points", at_most=True))
    copies, _ = measure_vae(drawing.vae, unseen(max(8, count // 2)))
    return [*lines, Figure("base", "copies by the autoencoder", copies, 34, unit="dB")]


def open_base(family: Path, device: str = "cpu") -> Any:
    """The pipeline, as anybody would load it."""
    drawing = StableDiffusionPipeline.from_pretrained(family / "base", dtype=torch.float32).to(device)
    drawing.set_progress_bar_config(disable=True)
    return drawing


def generate(
    drawing: Any,
    prompts: Sequence[str],
    *,
    steps: int = 20,
    guidance: float = 4.0,
    seed: int = 0,
    size: int = 128,
    **beside: Sequence[Any],
) -> list[Picture]:
    """One picture per prompt, each from a noise of its own, and from its own of what else is given."""
    made: list[Picture] = []
    for start in range(0, len(prompts), 16):
        some = list(prompts[start : start + 16])
        also = {name: list(each[start : start + 16]) for name, each in beside.items()}
        noise = [torch.Generator().manual_seed(seed + start + place) for place in range(len(some))]
        with torch.inference_mode():
            images = drawing(
                some,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=noise,
                height=size,
                width=size,
                **also,
            ).images
        made += [np.array(image) for image in images]  # torch warns of what it could not write into
    return made


def exam(drawing: Any, count: int, change: Any = None) -> Marks:
    """The marks for plain shapes in colours that training never showed, asked plainly or in changed words."""
    asked, rng = questions(count), Random(9)
    prompts = [question.prompt if change is None else change(rng, question.prompt) for question in asked]
    made = generate(drawing, prompts, seed=1000 if change else 0)
    right, luck = mark(asked, made), mark(asked, made[5:] + made[:5])
    return {name: (value, luck[name]) for name, value in right.items()}


def scenes(drawing: Any, count: int, reader: Reader) -> Marks:
    """Marks given by the reader: poses, expressions, objects, landscapes."""
    return {
        name: pair
        for kind in ("person", "face", "object", "land")
        for name, pair in scene_marks(drawing, kind, count, reader).items()
    }


def scene_marks(drawing: Any, kind: Kind, count: int, reader: Reader) -> Marks:
    """The marks for scenes of one kind, each from its own caption."""
    asked = [draw(seed, kind) for seed in range(count)]
    seen = read(reader, tensor(np.stack(generate(drawing, [one.captions[0] for one in asked], seed=2000))))
    found: Marks = {}
    for name, (about, fact, _) in FACTS.items():
        if about == kind:
            right = [one.facts[fact] == said[name] for one, said in zip(asked, seen, strict=True)]
            luck = [
                one.facts[fact] == said[name] for one, said in zip(asked, seen[1:] + seen[:1], strict=True)
            ]
            found[name] = float(np.mean(right)), float(np.mean(luck))
            if name == "object":
                which = [place for place, one in enumerate(asked) if one.facts[fact] in BUILT]
                found["houses, boats, trees"] = mean_of(right, which), mean_of(luck, which)
    return found


def strange(rng: Random, prompt: str) -> str:
    """A prompt between words that nobody knows."""
    return f"{unknown(rng)}, {unknown(rng)} {unknown(rng)} of {prompt}, {unknown(rng)} 8k, {unknown(rng)}"


def mean(marks: Marks) -> float:
    """The mean of the right answers."""
    return float(np.mean([right for right, _ in marks.values()]))


def mean_of(right: Sequence[bool], which: Sequence[int]) -> float:
    """The part of right answers among some."""
    return float(np.mean([right[place] for place in which])) if which else float("nan")


def contact(family: Path, store: Path) -> None:
    """Prompts of all kinds, each above its picture."""
    sheet(generate(open_base(family), SHOWN, seed=100), store, labels=SHOWN)
