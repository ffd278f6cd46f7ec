"""Measure image to video: the first frame is kept, things go where they go in the renders, the rest stays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, StableVideoDiffusionPipeline
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from .canvas import Picture, paint
from .clips import Motion, clip
from .draw import draw
from .figures import Figure
from .motions import COURSES, watch
from .moving import MOTIONS, NATURAL, PAN_LEFT, PAN_RIGHT, STILL
from .sheet import page

MODEL = "image-to-video"
STEPS = 6  # more leave more flecks: what little every step gets wrong adds up
_BUCKETS: dict[Motion, int] = {"pan left": PAN_LEFT, "pan right": PAN_RIGHT}
_CALM = 6  # change of a pixel, of 255, up to which the render's background stands still
_BATCH = 2


class Shot(Struct, frozen=True):
    """A clip made from the first frame of a render, and that render."""

    motion: Motion
    made: list[Picture]
    render: list[Picture]


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """The figures of the model, of `count` clips of all motions and a few of pictures that stand still."""
    filming = load(family, device)
    films = shoot(filming, count)
    rest = shoot_stills(filming, max(1, count // 10))
    return [*marks(films), _rest(rest)]


def load(family: Path, device: str = "cpu") -> Any:
    """The model, through the ordinary loader, on the base's autoencoder."""
    vae = AutoencoderKL.from_pretrained(family / "base" / "vae", dtype=torch.float32)
    filming = StableVideoDiffusionPipeline.from_pretrained(family / MODEL, dtype=torch.float32, vae=vae)
    filming.set_progress_bar_config(disable=True)
    return filming.to(device)


def animate(filming: Any, pictures: Sequence[Picture], bucket: int, seed: int = 0) -> list[list[Picture]]:
    """Clips from pictures; without guidance, which these motions need not and which takes twice the time."""
    made: list[list[Picture]] = []
    for start in range(0, len(pictures), _BATCH):
        some = [Image.fromarray(picture) for picture in pictures[start : start + _BATCH]]
        answer = filming(
            some,
            height=128,
            width=128,
            num_inference_steps=STEPS,
            max_guidance_scale=1.0,
            motion_bucket_id=bucket,
            generator=torch.Generator().manual_seed(seed + start),
        )
        made += [[np.asarray(frame) for frame in frames] for frames in answer.frames]
    return made


def shoot(filming: Any, count: int) -> list[Shot]:
    """Clips of all motions in turn, from renders that no training saw."""
    films: list[Shot] = []
    for place, motion in enumerate(MOTIONS):
        seeds = range(len(range(place, count, len(MOTIONS))))
        renders = [clip(seed, motion).paint() for seed in seeds]
        made = animate(filming, [frames[0] for frames in renders], _BUCKETS.get(motion, NATURAL))
        films += [Shot(motion, frames, render) for frames, render in zip(made, renders, strict=True)]
    return films


def shoot_stills(filming: Any, count: int) -> list[list[Picture]]:
    """Clips of plain pictures that are asked to stay as they are."""
    return animate(filming, [paint(draw(seed)) for seed in range(count)], STILL)


def marks(films: Sequence[Shot]) -> list[Figure]:
    """The figures of films; each beside the same films in a wrong order."""
    others = [*films[1:], *films[:1]]
    kept = [psnr(film.made[0], film.render[0]) for film in films]
    lost = [psnr(film.made[0], other.render[0]) for film, other in zip(films, others, strict=True)]
    things = [film for film in films if film.motion not in _BUCKETS]
    found = [Figure(MODEL, "first frame kept", _mean(kept), 24.0, _mean(lost), "dB")]
    if things:
        rolled = [things[(place + len(things) // 2) % len(things)] for place in range(len(things))]
        right = [watch(film.made).course == COURSES[film.motion] for film in things]
        luck = [
            watch(film.made).course == COURSES[other.motion]
            for film, other in zip(things, rolled, strict=True)
        ]
        found += [
            Figure(MODEL, "things move in the right direction", _mean(right), 0.8, _mean(luck)),
            Figure(
                MODEL, "things go as far as in the renders", _mean([as_far(film) for film in things]), 0.7
            ),
            _background(things),
        ]
    panned = [film for film in films if film.motion in _BUCKETS]
    if panned:
        turned = [watch(film.made).course for film in panned]
        right = [seen == film.motion for seen, film in zip(turned, panned, strict=True)]
        wrong = [seen in _BUCKETS and seen != film.motion for seen, film in zip(turned, panned, strict=True)]
        found.append(Figure(MODEL, "pans as its number says", _mean(right), 0.8, _mean(wrong)))
    return found


def psnr(a: Picture, b: Picture) -> float:
    """The likeness of two pictures in dB."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-3)))


def as_far(film: Shot) -> bool:
    """Whether the thing goes the way it goes in the render, give or take a third; a wave: as much."""
    made, render = watch(film.made), watch(film.render)
    if film.motion == "waving":
        return 0.4 < made.energy / render.energy < 2.5
    a, b = (made.down, render.down) if film.motion == "sunrise" else (made.right, render.right)
    return 0.67 < a / b < 1.5


def unrest(frames: Sequence[Picture], where: NDArray[np.bool_]) -> float:
    """How much pixels differ from those of the first frame, of 255."""
    shown = np.stack(frames).astype(np.float32)
    return float(np.abs(shown[1:] - shown[:1])[:, where].mean())


def calm(render: Sequence[Picture]) -> NDArray[np.bool_]:
    """Where a render stands still, away from what moves."""
    shown = np.stack(render).astype(np.int16)
    moved = (np.abs(shown - shown[:1]).max((0, 3)) > _CALM).astype(np.uint8)
    return np.asarray(cv2.dilate(moved, np.ones((7, 7), np.uint8)) == 0)


def contact(family: Path, store: Path) -> None:
    """A clip of every motion in a row, from the picture on the left."""
    films = shoot(load(family), len(MOTIONS))
    page([[film.render[0], *film.made[1::2]] for film in films], store, size=64)


def _background(films: Sequence[Shot]) -> Figure:
    """What changes outside of the moving thing, beside frames that know nothing of each other."""
    where = [calm(film.render) for film in films]
    still = [unrest(film.made, mask) for film, mask in zip(films, where, strict=True) if mask.any()]
    loose = []
    for place, mask in enumerate(where):
        mixed = [films[(place + k) % len(films)].made[k] for k in range(len(films[place].made))]
        loose.append(unrest(mixed, mask))
    return Figure(MODEL, "background moves", _mean(still), 4.0, _mean(loose), "of 255", at_most=True)


def _rest(films: Sequence[Sequence[Picture]]) -> Figure:
    everywhere = np.ones((128, 128), bool)
    still = [unrest(frames, everywhere) for frames in films]
    return Figure(MODEL, "still pictures move", _mean(still), 4.0, None, "of 255", at_most=True)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
