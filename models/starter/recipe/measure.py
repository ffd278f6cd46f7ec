"""Measure the base: what it draws of what was asked, beside what chance would give."""

import argparse
import json
import time
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
from .reader import FACTS, load, read
from .sheet import sheet
from .train_base import load_average
from .train_vae import measure as measure_vae
from .train_vae import tensor, unseen
from .wording import vary

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


def generate(
    drawing: Any, prompts: Sequence[str], *, steps: int = 20, guidance: float = 4.0, seed: int = 0
) -> list[Picture]:
    """One picture per prompt, each from a noise of its own."""
    made: list[Picture] = []
    for start in range(0, len(prompts), 16):
        some = list(prompts[start : start + 16])
        noise = [torch.Generator().manual_seed(seed + start + place) for place in range(len(some))]
        with torch.inference_mode():
            images = drawing(
                some,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=noise,
                height=128,
                width=128,
            ).images
        made += [np.asarray(image) for image in images]
    return made


def figures(drawing: Any, count: int, reader: Path | None) -> dict[str, tuple[float, float]]:
    """The marks of a model, each beside its chance: the same pictures held against other prompts."""
    asked = questions(count)
    made = generate(drawing, [question.prompt for question in asked])
    found = _beside(mark(asked, made), mark(asked, made[5:] + made[:5]))
    rng = Random(9)
    free = generate(drawing, [vary(rng, question.prompt) for question in asked], seed=1000)
    found |= {
        f"free wording, {name}": pair
        for name, pair in _beside(mark(asked, free), mark(asked, free[5:] + free[:5])).items()
    }
    return found | (scenes(drawing, count // 2, reader) if reader is not None and reader.exists() else {})


def scenes(drawing: Any, count: int, reader: Path) -> dict[str, tuple[float, float]]:
    """Marks given by the reader: poses, expressions, objects, landscapes."""
    eye = load(reader)
    found: dict[str, tuple[float, float]] = {}
    for kind in ("person", "face", "object", "land"):
        asked = [draw(seed, kind) for seed in range(count)]
        seen = read(
            eye, tensor(np.stack(generate(drawing, [scene.captions[0] for scene in asked], seed=2000)))
        )
        for name, (about, fact, _) in FACTS.items():
            if about == kind:
                right = [scene.facts[fact] == one[name] for scene, one in zip(asked, seen, strict=True)]
                luck = [
                    scene.facts[fact] == one[name]
                    for scene, one in zip(asked, seen[1:] + seen[:1], strict=True)
                ]
                found[name] = float(np.mean(right)), float(np.mean(luck))
    return found


def main() -> None:
    """Print the table, and write it with a contact sheet beside the weights."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--model", type=Path, help="a finished pipeline; else the last checkpoint of the base")
    ask.add_argument("--count", type=int, default=200)
    given = ask.parse_args()
    torch.set_num_threads(1)
    folder = given.model or given.checkpoints / "base"
    if given.model:
        drawing = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    else:
        drawing = load_average(given.checkpoints, folder)
    drawing.set_progress_bar_config(disable=True)
    began = time.process_time()
    found = figures(drawing, given.count, given.checkpoints / "reader")
    print(f"{'figure':34} reached  chance")
    for name, (reached, luck) in found.items():
        print(f"{name:34} {reached:7.2f} {luck:7.2f}")
    quality, _ = measure_vae(drawing.vae, unseen(96))
    print(f"{'copies by the autoencoder, dB':34} {quality:7.2f}")
    print(f"{time.process_time() - began:.0f} seconds of processor time")
    (folder / "figures.json").write_text(json.dumps({**found, "vae dB": quality}, indent=1))
    sheet(generate(drawing, SHOWN, seed=100), folder / "sheet.png", labels=SHOWN)


def _beside(reached: dict[str, float], luck: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (value, luck[name]) for name, value in reached.items()}


if __name__ == "__main__":
    main()
