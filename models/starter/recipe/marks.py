"""Marks for pictures in any style: a small network that tells style, character, pose, shape and object."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from .characters import CHARACTERS
from .net import Net
from .objects import NAMES
from .pose import NAMES as POSES
from .scene import Scene
from .shapes import SHAPES
from .styles import STYLES

NOBODY, PLAIN = "nobody", "plain"
CHOICES: dict[str, tuple[str, ...]] = {
    "style": (PLAIN, *STYLES),
    "character": (NOBODY, *CHARACTERS),
    "pose": POSES,
    "shape": SHAPES,
    "object": NAMES,
}
ASKED = {"person": "pose", "shapes": "shape", "object": "object"}  # what is asked of each kind of scene
FILE = "marks.safetensors"


class Marker(Net):
    """Four halvings of the picture, then one answer per question."""

    def __init__(self, width: int = 20) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 3 * width, 4 * width)
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
        steps += [nn.Conv2d(4 * width, 4 * width, 3, 1, 1), nn.GroupNorm(4, 4 * width), nn.SiLU()]
        steps += [nn.Conv2d(4 * width, width, 1), nn.SiLU(), nn.Flatten()]
        self.eye = nn.Sequential(*steps)
        self.answers = nn.ModuleList([nn.Linear(64 * width, len(choices)) for choices in CHOICES.values()])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """For each question, the scores of its answers: pictures (n, 3, 128, 128) to [(n, choices)]."""
        seen = self.eye(pictures)
        return [answer(seen) for answer in self.answers]


def truths(style: str, scene: Scene) -> NDArray[np.int64]:
    """The right answers, -1 where there is none."""
    return right(style, scene.kind, scene.facts, tuple(thing.name for thing in scene.things))


def right(style: str, kind: str, facts: dict[str, str], things: tuple[str, ...]) -> NDArray[np.int64]:
    """The right answers for a picture of a kind with its facts and things, -1 where there is none."""
    told = {"style": style, "character": facts.get("character", NOBODY)}
    if kind == "person":
        told["pose"] = facts["pose"]
    if kind == "shapes" and facts["group"] in ("single", "several"):
        told["shape"] = things[0]
    if kind == "object" and "name" in facts:
        told["object"] = facts["name"]
    return np.asarray([c.index(told[name]) if name in told else -1 for name, c in CHOICES.items()], np.int64)


def read(marker: Marker, pictures: Tensor) -> list[dict[str, str]]:
    """What is seen in each picture."""
    with torch.inference_mode():
        best = [scores.argmax(1).tolist() for scores in marker(pictures)]
    names = list(CHOICES.items())
    return [
        {name: choices[best[place][row]] for place, (name, choices) in enumerate(names)}
        for row in range(len(pictures))
    ]


def load(folder: Path) -> Marker:
    """The trained marker."""
    marker = Marker()
    marker.load_state_dict(load_file(folder / FILE))
    marker.eval()
    return marker
