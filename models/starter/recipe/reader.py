"""A reader of pictures: a small network that tells the facts of a scene, to mark the generating models."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from .faces import EXPRESSIONS, HEADS
from .land import TERRAINS
from .net import Net
from .objects import NAMES
from .palette import COLOURS
from .pose import NAMES as POSES
from .scene import Kind
from .sky import TIMES

# what is asked of each kind of scene: the fact, and its possible answers
FACTS: dict[str, tuple[Kind, str, tuple[str, ...]]] = {
    "pose": ("person", "pose", POSES),
    "shirt": ("person", "shirt", COLOURS),
    "expression": ("face", "expression", EXPRESSIONS),
    "head": ("face", "head", HEADS),
    "object": ("object", "name", NAMES),
    "object colour": ("object", "colour", COLOURS),
    "terrain": ("land", "terrain", TERRAINS),
    "time": ("land", "time", TIMES),
}


FILE = "reader.safetensors"


class Reader(Net):
    """Four halvings of the picture, then one answer per fact."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        steps: list[Any] = []
        for before, after in zip(
            (3, width, 2 * width, 3 * width), (width, 2 * width, 3 * width, 4 * width), strict=True
        ):
            steps += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
            steps += [nn.Conv2d(after, after, 3, 1, 1), nn.GroupNorm(4, after), nn.SiLU()]
        self.eye = nn.Sequential(*steps)
        self.shrink = nn.Sequential(nn.Conv2d(4 * width, 2 * width, 1), nn.SiLU(), nn.Flatten())
        self.answers = nn.ModuleList(
            [nn.Linear(2 * width * 64, len(choices)) for _, _, choices in FACTS.values()]
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """For each fact, the scores of its answers: pictures (n, 3, 128, 128) to [(n, choices)]."""
        seen = self.shrink(self.eye(pictures))
        return [answer(seen) for answer in self.answers]


def answers(kind: str, facts: dict[str, str]) -> NDArray[np.int64]:
    """The right answers of a scene, -1 where its kind has none."""
    return np.asarray(
        [choices.index(facts[fact]) if asked == kind else -1 for asked, fact, choices in FACTS.values()],
        np.int64,
    )


def read(reader: Reader, pictures: Tensor) -> list[dict[str, str]]:
    """What the reader thinks each picture shows."""
    with torch.inference_mode():
        best = [scores.argmax(1).tolist() for scores in reader(pictures)]
    names = list(FACTS.items())
    return [
        {name: choices[best[place][row]] for place, (name, (_, _, choices)) in enumerate(names)}
        for row in range(len(pictures))
    ]


def load(folder: Path) -> Reader:
    """The trained reader."""
    reader = Reader()
    reader.load_state_dict(load_file(folder / FILE))
    reader.eval()
    return reader
