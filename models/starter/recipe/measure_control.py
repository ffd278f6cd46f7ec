"""Measure the ControlNets: how well pictures keep to a hint, beside the same prompts and seeds without it."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
)
from numpy.typing import NDArray
from PIL import Image

from . import hints
from .canvas import Field, Picture, paint, truth
from .control import people
from .draw import draw
from .figures import Figure
from .measure_base import generate
from .scene import Point, Scene
from .sheet import page
from .train_depth import estimate as depth_of
from .train_pose import estimate as joints_of
from .train_vae import copied

NEAR = 2  # pixels that an edge may be off
WITHIN = 6.0  # pixels that a joint may be off
STEPS = 20
EDGES, DEPTH, LIMBS = "edge F1", "depth correlation", f"keypoints within {WITHIN:.0f} px"
Scores = NDArray[np.float64]  # one for each picture
Read = Callable[[Sequence[Picture], Sequence[Scene]], Scores]


class Trial(msgspec.Struct, frozen=True):
    """What a kind of hint is measured by."""

    folder: str
    what: str
    wanted: float
    scenes: tuple[Scene, ...]
    shown: tuple[Picture, ...]  # the hints
    read: Read  # how well pictures keep to their hints


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """With the hint, without it, and what the measure gives to the autoencoder's copies of the renders."""
    lines: list[Figure] = []
    for trial in trials(family, max(4, count // 2), device):
        drawing = open_control(family, trial.folder, device)
        kept = trial.read(steered(drawing, trial, 1.0), trial.scenes)
        free = trial.read(steered(drawing, trial, 0.0), trial.scenes)
        renders = np.stack([paint(scene) for scene in trial.scenes])
        best = trial.read(list(copied(drawing.vae, renders)), trial.scenes)
        lines += [
            Figure(trial.folder, trial.what, _mean(kept), trial.wanted, _mean(free)),
            Figure(trial.folder, f"{trial.what} of the autoencoder's copies", _mean(best), trial.wanted),
        ]
    return lines


def trials(family: Path, count: int, device: str = "cpu") -> list[Trial]:
    """The trials of all ControlNets that are there, where there is also what it takes to judge them."""
    some = tuple(draw(seed) for seed in range(count))
    there = {path.name for path in family.iterdir()}
    found = [edge_trial(name, some) for name in ("controlnet-canny", "controlnet-canny-xl") if name in there]
    if {"controlnet-depth", "depth"} <= there:
        found.append(depth_trial(some, lambda shown: depth_of(family / "depth", list(shown), device)))
    if {"controlnet-pose", "pose"} <= there:
        persons = tuple(draw(seed, "person") for seed in range(count))
        found.append(pose_trial(persons, lambda shown: _joints(family / "pose", shown, device)))
    return found


def edge_trial(folder: str, scenes: tuple[Scene, ...]) -> Trial:
    """Edges of the picture against edges of the hint."""

    def read(shown: Sequence[Picture], asked: Sequence[Scene]) -> Scores:
        pairs = zip(shown, asked, strict=True)
        return np.asarray([agreement(_lines(one), _lines(paint(scene))) for one, scene in pairs])

    return Trial(folder, EDGES, 0.8, scenes, tuple(hints.canny(paint(scene)) for scene in scenes), read)


def depth_trial(scenes: tuple[Scene, ...], find: Callable[[Sequence[Picture]], list[Field]]) -> Trial:
    """The depth that the family's estimator sees, against the depth of the hint."""

    def read(shown: Sequence[Picture], asked: Sequence[Scene]) -> Scores:
        pairs = zip(find(shown), asked, strict=True)
        return np.asarray([correlation(seen, truth(scene).near) for seen, scene in pairs])

    given = tuple(hints.depth(truth(scene).near) for scene in scenes)
    return Trial("controlnet-depth", DEPTH, 0.9, scenes, given, read)


def pose_trial(scenes: tuple[Scene, ...], find: Callable[[Sequence[Picture]], list[list[Point]]]) -> Trial:
    """The keypoints that the family's estimator sees, against those of the hint."""

    def read(shown: Sequence[Picture], asked: Sequence[Scene]) -> Scores:
        pairs = zip(find(shown), asked, strict=True)
        return np.asarray([placed(seen, people(scene)[0]) for seen, scene in pairs])

    given = tuple(hints.pose(people(scene)) for scene in scenes)
    return Trial("controlnet-pose", LIMBS, 0.8, scenes, given, read)


def agreement(found: NDArray[np.bool_], wanted: NDArray[np.bool_], near: int = NEAR) -> float:
    """The F1 of edges that may be `near` pixels apart."""
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    right = float(found[_thick(wanted, near)].sum() / found.sum())
    there = float(wanted[_thick(found, near)].sum() / wanted.sum())
    return 2 * right * there / max(1e-9, right + there)


def correlation(seen: Field, near: Field) -> float:
    """Pearson's, 0 where either is flat."""
    if seen.std() < 1e-6 or near.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(seen.ravel(), near.ravel())[0, 1])


def placed(seen: Sequence[Point], wanted: Sequence[Point]) -> float:
    """The part of the keypoints inside the picture that are found where they should be."""
    pairs = [
        (one, other)
        for one, other in zip(seen, wanted, strict=True)
        if all(0 <= part < 128 for part in other)
    ]
    return float(np.mean([np.hypot(a[0] - b[0], a[1] - b[1]) <= WITHIN for a, b in pairs]))


def open_control(family: Path, folder: str, device: str = "cpu") -> Any:
    """The pipeline with a ControlNet, as anybody would load it."""
    control = ControlNetModel.from_pretrained(family / folder, dtype=torch.float32)
    if folder.endswith("-xl"):
        vae = AutoencoderKL.from_pretrained(family / "base", subfolder="vae", dtype=torch.float32)
        drawing = StableDiffusionXLControlNetPipeline.from_pretrained(
            family / "xl", controlnet=control, vae=vae, dtype=torch.float32
        )
    else:
        drawing = StableDiffusionControlNetPipeline.from_pretrained(
            family / "base", controlnet=control, dtype=torch.float32
        )
    drawing.set_progress_bar_config(disable=True)
    return drawing.to(device)


def steered(drawing: Any, trial: Trial, strength: float) -> list[Picture]:
    """One picture per scene from its caption and hint; with strength 0 the hint says nothing."""
    hinted = functools.partial(drawing, controlnet_conditioning_scale=strength)
    prompts = [scene.captions[0] for scene in trial.scenes]
    return generate(hinted, prompts, steps=STEPS, image=[Image.fromarray(one) for one in trial.shown])


def contact(family: Path, store: Path) -> None:
    """Hints, and below each what the base draws with it."""
    rows: list[Sequence[Picture]] = []
    for trial in trials(family, 8):
        rows += [trial.shown, steered(open_control(family, trial.folder), trial, 1.0)]
    page(rows, store)


def _joints(folder: Path, shown: Sequence[Picture], device: str) -> list[list[Point]]:
    """The joints of the one person in each picture, wherever it stands."""
    whole = [(0.0, 0.0, float(one.shape[1]), float(one.shape[0])) for one in shown]
    found = joints_of(folder, list(shown), whole, device)
    return [[(float(x), float(y)) for x, y in joints] for joints in found]


def _lines(picture: Picture) -> NDArray[np.bool_]:
    return np.asarray(hints.canny(picture)[..., 0] > 0)


def _thick(lines: NDArray[np.bool_], near: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(lines.astype(np.uint8), np.ones((2 * near + 1,) * 2, np.uint8)) > 0)


def _mean(scores: Scores) -> float:
    return float(scores.mean())
