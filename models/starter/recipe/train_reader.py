"""Train the reader on renders, and measure it on renders it never saw."""

import json
from collections.abc import Sequence
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
from .export import save
from .hogwild import Plan
from .reader import FACTS, FILE, Reader, answers, load, read
from .schooling import School, attend
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
        loss = missed(scores, right)
        return loss, {"loss": float(loss.detach())}


def missed(scores: Sequence[Tensor], right: Tensor) -> Tensor:
    """The cross entropy of all questions (n, choices) that have an answer in `right` (n, questions)."""
    losses = [
        functional.cross_entropy(one, right[:, place], ignore_index=-1)
        for place, one in enumerate(scores)
        if (right[:, place] >= 0).any()
    ]
    return torch.stack(losses).sum()


def reading(checkpoints: Path, device: str) -> Reading:
    """The lesson, from drawn pictures."""
    folder = checkpoints / "pictures"
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


def write(_: Path, reader: Reader, folder: Path) -> None:
    """Write the reader, and print its figures."""
    save(reader, folder / FILE)
    for name, mark in measure(load(folder)).items():
        print(f"{name:14} {mark:.3f}")


SCHOOL = School(plan=PLAN, build=lambda _: Reader(), lesson=reading, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
