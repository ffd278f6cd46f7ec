"""Measure inpainting: is what was asked in the hole, and does the picture go on across its edge."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image

from .canvas import Picture, paint, truth
from .draw import draw
from .figures import Figure
from .holes import Mask, over
from .judge import judge
from .measure_base import generate
from .scene import Scene
from .shapes import HELD_OUT
from .sheet import page
from .train_vae import copied

MARGIN = 14  # of a hole over the box of what stood there, so that its shadow goes too
BAND = 4  # pixels on either side of a hole's edge that make the seam
WORSE = 1.5  # times the error that the autoencoder's plain copies have there
SEAM = f"error within {BAND} pixels of the hole's edge"
STEPS = 20
_ARTICLE = re.compile(r"\ban? (?=(\w))")


class Task(msgspec.Struct, frozen=True):
    """A picture with a hole over one of its shapes."""

    picture: Picture
    hole: Mask
    seam: Mask  # background on both sides of the hole's edge
    said: str  # what the picture shows
    asked: str  # the same with another shape in the hole
    colour: str
    shape: str


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """The asked shape and the seam, beside what the base does to the hole by itself."""
    given = tasks(max(4, count // 2))
    drawings = open_inpainting(family, device), open_inpainting(family, device, own=False)
    asked, said = [task.asked for task in given], [task.said for task in given]
    there, without = (answered(given, fill(one, given, asked)) for one in drawings)
    seam, other = (mismatch(given, fill(one, given, said)) for one in drawings)
    copies = copied(drawings[0].vae, np.stack([task.picture for task in given]))
    wanted = WORSE * mismatch(given, list(copies))
    return [
        Figure("inpainting", "asked shape and colour in the hole", there, 0.9, without),
        Figure("inpainting", f"{SEAM}, of 255", seam, wanted, other, at_most=True),
    ]


def tasks(count: int) -> list[Task]:
    """Shapes to be replaced by others, in colours that training never showed."""
    found: list[Task] = []
    seed = 0
    while len(found) < count:
        scene, seed = draw(seed, "shapes"), seed + 1
        if scene.facts["group"] == "several" or scene.facts.get("relation") == "inside":
            continue
        task = _task(scene, Random(seed))
        if task.seam.any():  # else the hole is everything
            found.append(task)
    return found


def answered(given: Sequence[Task], shown: Sequence[Picture]) -> float:
    """The part of the pictures that show what was asked, where it was asked for."""
    return float(np.mean([_there(task, picture) for task, picture in zip(given, shown, strict=True)]))


def mismatch(given: Sequence[Task], shown: Sequence[Picture]) -> float:
    """The mean difference from the pictures along the edges of their holes, of 255."""
    errors = [
        np.abs(picture.astype(np.float32) - task.picture)[task.seam].mean()
        for task, picture in zip(given, shown, strict=True)
    ]
    return float(np.mean(errors))


def open_inpainting(family: Path, device: str = "cpu", *, own: bool = True) -> Any:
    """The base's pipeline with its inpainting denoiser or, with `own` false, with the base's plain one."""
    parts: dict[str, Any] = {}
    if own:
        parts["unet"] = UNet2DConditionModel.from_pretrained(
            family / "inpainting", subfolder="unet", dtype=torch.float32
        )
    drawing = StableDiffusionInpaintPipeline.from_pretrained(family / "base", dtype=torch.float32, **parts)
    drawing.set_progress_bar_config(disable=True)
    return drawing.to(device)


def fill(drawing: Any, given: Sequence[Task], prompts: Sequence[str]) -> list[Picture]:
    """Every picture with its hole filled."""
    return generate(
        functools.partial(drawing, strength=1.0),
        prompts,
        steps=STEPS,
        image=[Image.fromarray(task.picture) for task in given],
        mask_image=[Image.fromarray(task.hole.astype(np.uint8) * 255) for task in given],
    )


def contact(family: Path, store: Path) -> None:
    """Pictures with their holes, and below each the same filled with something else."""
    given = tasks(16)
    made = fill(open_inpainting(family), given, [task.asked for task in given])
    holed = [_holed(task) for task in given]
    page([holed[:8], made[:8], holed[8:], made[8:]], store)


def _task(scene: Scene, rng: Random) -> Task:
    where = truth(scene)
    index = rng.randrange(len(scene.things))
    box, old = where.boxes[index], scene.things[index]
    assert box is not None
    taken = {scene.facts["background"], *(thing.colour for thing in scene.things)}
    colour, shape = rng.choice(sorted(pair for pair in HELD_OUT if pair[0] not in taken))
    hole = over(box, MARGIN)
    told = scene.captions[0].replace(f"{old.colour} {old.name}", f"{colour} {shape}")
    asked = _ARTICLE.sub(lambda found: "an " if found[1] in "aeiou" else "a ", told)
    return Task(paint(scene), hole, _edge(hole) & (where.owner < 0), scene.captions[0], asked, colour, shape)


def _edge(hole: Mask) -> Mask:
    """Pixels near the edge of a hole."""
    mask, brush = hole.astype(np.uint8), np.ones((2 * BAND + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(mask, brush) > cv2.erode(mask, brush))


def _there(task: Task, picture: Picture) -> bool:
    size = picture.shape[0]
    return any(
        (one.colour, one.shape) == (task.colour, task.shape)
        and task.hole[int(one.y * size), int(one.x * size)]
        for one in judge(picture).shapes
    )


def _holed(task: Task) -> NDArray[np.uint8]:
    shown = task.picture.copy()
    shown[task.hole] = 128
    return shown
