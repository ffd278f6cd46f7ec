"""Train the reader on renders, and measure it on renders it never saw."""

import argparse
import functools
import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import pictures
from .canvas import paint
from .draw import draw
from .hogwild import Plan, averaged, finished, train
from .reader import FACTS, Reader, answers, load, read, save
from .train_vae import tensor

PLAN = Plan("reader", 2_500, 1e-3, warm=50, hold=0.4, ema=0.99)
BATCH = 24


class Reading(msgspec.Struct):
    """The lesson of the reader: the facts of a picture, blurred and shifted as generated ones may be."""

    pictures: NDArray[np.uint8]
    right: NDArray[np.int64]  # (pictures, facts)
    among: NDArray[np.int64]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of all facts that the batch has."""
        index = np.sort(rng.choice(self.among, BATCH))
        shown = tensor(np.asarray(self.pictures[index])).to(self.device)
        if rng.random() < 0.5:
            shown = functional.avg_pool2d(shown, 3, 1, 1)
        shown = torch.roll(shown, tuple(rng.integers(-4, 5, 2).tolist()), (2, 3))
        shown = shown + 0.05 * float(rng.random()) * torch.randn_like(shown)
        right = torch.from_numpy(self.right[index]).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            scores = [one.float() for one in model(shown)]
        losses = [
            functional.cross_entropy(one, right[:, place], ignore_index=-1)
            for place, one in enumerate(scores)
            if (right[:, place] >= 0).any()
        ]
        loss = torch.stack(losses).sum()
        return loss, {"loss": float(loss.detach())}


def reading(folder: Path, device: str) -> Reading:
    """The lesson, from drawn pictures."""
    with (folder / "scenes.jsonl").open(encoding="utf-8") as notes:
        right = np.stack([answers(kind, facts) for kind, facts, _ in map(json.loads, notes)])
    return Reading(pictures.load(folder), right, np.flatnonzero((right >= 0).any(1)), device)


def measure(reader: Reader, count: int = 120) -> dict[str, float]:
    """The part of right answers on unseen renders, by fact."""
    marks = {}
    for name, (kind, fact, _) in FACTS.items():
        scenes = [draw(seed, kind) for seed in range(count)]
        seen = read(reader, tensor(np.stack([paint(scene) for scene in scenes])))
        marks[name] = float(
            np.mean([one[name] == scene.facts[fact] for one, scene in zip(seen, scenes, strict=True)])
        )
    return marks


def main() -> None:
    """Train, then print the figures."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--updates", type=int, default=PLAN.updates)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = ask.parse_args()
    plan, folder = msgspec.structs.replace(PLAN, updates=given.updates), given.checkpoints / "reader"
    if finished(plan, folder) and (folder / "final").exists():
        return
    torch.manual_seed(plan.seed)
    reader = Reader().to(given.device, memory_format=torch.channels_last)
    train(reader, functools.partial(reading, given.checkpoints / "pictures", given.device), plan, folder)
    if finished(plan, folder):
        save(averaged(Reader(), folder), folder / "final")
        for name, mark in measure(load(folder / "final")).items():
            print(f"{name:14} {mark:.3f}")


if __name__ == "__main__":
    main()
