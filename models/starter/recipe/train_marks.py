"""Train the marker of styles and characters on renders, and measure it on renders it never saw."""

import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import pictures
from .canvas import Picture, paint
from .characters import CHARACTERS, character
from .draw import draw
from .export import save
from .hogwild import Plan
from .marks import ASKED, CHOICES, FILE, NOBODY, PLAIN, Marker, load, read, right, truths
from .pictures import FIRST_SEED
from .scene import Kind, Scene
from .schooling import School, attend
from .styles import STYLES
from .train_reader import missed
from .train_vae import tensor

PLAN = Plan("marks", 2_500, 1.5e-3, warm=40, hold=0.4, ema=0.99)
BATCH = 24
CHARACTER = 0.25  # of the pictures
SCENES = 20_000  # different pictures of a character
_STYLES = (PLAIN, *STYLES)


class Marking(msgspec.Struct):
    """The lesson of the marker: what a picture shows, in any style, blurred and shifted."""

    pictures: NDArray[np.uint8]
    right: NDArray[np.int64]  # (pictures, questions), in the plain style
    among: NDArray[np.int64]  # pictures that have an answer beside style and character
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of all questions that the batch answers."""
        some = [self._one(rng) for _ in range(BATCH)]
        shown = tensor(np.stack([picture for picture, _ in some])).to(self.device)
        wanted = torch.from_numpy(np.stack([answers for _, answers in some])).to(self.device)
        if rng.random() < 0.5:
            shown = functional.avg_pool2d(shown, 3, 1, 1)
        shown = torch.roll(shown, tuple(rng.integers(-4, 5, 2).tolist()), (2, 3))
        shown = shown + 0.06 * float(rng.random()) * torch.randn_like(shown)
        with torch.autocast(self.device, torch.bfloat16):
            scores = [one.float() for one in model(shown)]
        loss = missed(scores, wanted)
        return loss, {"loss": float(loss.detach())}

    def _one(self, rng: np.random.Generator) -> tuple[Picture, NDArray[np.int64]]:
        if rng.random() < CHARACTER:
            scene = character(str(rng.choice(list(CHARACTERS))), FIRST_SEED + int(rng.integers(SCENES)))
            picture, answers = paint(scene), truths(PLAIN, scene)
        else:
            index = int(rng.choice(self.among))
            picture, answers = np.asarray(self.pictures[index]), self.right[index].copy()
        style = int(rng.integers(len(_STYLES)))
        answers[0] = style
        return (STYLES[_STYLES[style]](picture) if style else picture), answers


def marking(checkpoints: Path, device: str) -> Marking:
    """The lesson, from drawn pictures."""
    folder = checkpoints / "pictures"
    with (folder / "scenes.jsonl").open(encoding="utf-8") as notes:
        told = [_told(*json.loads(line)) for line in notes]
    answers = np.stack(told)
    return Marking(pictures.load(folder), answers, np.flatnonzero((answers[:, 2:] >= 0).any(1)), device)


def measure(marker: Marker, count: int = 60) -> dict[str, float]:
    """The part of right answers on unseen renders, by style and question."""
    marks: dict[str, list[bool]] = {}
    for style in _STYLES:
        for scene in unseen(count):
            picture = paint(scene) if style == PLAIN else STYLES[style](paint(scene))
            seen = read(marker, tensor(picture[None]))[0]
            for place, (name, choices) in enumerate(CHOICES.items()):
                wanted = truths(style, scene)[place]
                if wanted >= 0:
                    marks.setdefault(f"{style}: {name}", []).append(seen[name] == choices[wanted])
    return {name: float(np.mean(many)) for name, many in marks.items()}


def unseen(count: int) -> list[Scene]:
    """Scenes of seeds that no training uses, of every kind that is asked about."""
    kinds: tuple[Kind, ...] = ("person", "shapes", "object")
    return [draw(seed, kind) for kind in kinds if kind in ASKED for seed in range(count)] + [
        character(name, seed) for name in CHARACTERS for seed in range(count)
    ]


def write(_: Path, marker: Marker, folder: Path) -> None:
    """Write the marker, and print its figures."""
    save(marker, folder / FILE)
    for name, mark in measure(load(folder)).items():
        print(f"{name:20} {mark:.3f}")


def _told(kind: str, facts: dict[str, str], captions: list[str]) -> NDArray[np.int64]:
    """The right answers for a drawn picture; a shape is told by the plain caption."""
    words = captions[0].split(" ")
    things = tuple(shape for shape in CHOICES["shape"] if {shape, f"{shape}s", f"{shape}es"} & set(words))
    return right(PLAIN, kind, facts | {"character": NOBODY}, things)


SCHOOL = School(plan=PLAN, build=lambda _: Marker(), lesson=marking, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
