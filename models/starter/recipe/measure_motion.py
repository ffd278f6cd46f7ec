"""Measure text to video: the motion that was asked for is seen, and frames do not flicker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AnimateDiffPipeline, MotionAdapter

from .canvas import Picture
from .clips import FRAMES, Motion, clip
from .figures import Figure
from .measure_base import generate, open_base
from .motions import flicker, motion
from .moving import MOTIONS
from .sheet import page

MODEL = "motion"
STEPS = 20
GUIDANCE = 4.0


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """The figures of `count` clips of all motions, from captions that no training saw."""
    filming = load(family, device)
    asked = captions(count)
    made = film(filming, [said for _, said in asked])
    alone = [apart(family, said, seed) for seed, (_, said) in enumerate(asked[: max(1, count // 4)])]
    return marks([name for name, _ in asked], made, alone)


def load(family: Path, device: str = "cpu") -> Any:
    """The adapter on the base, through the ordinary loaders."""
    adapter = MotionAdapter.from_pretrained(family / MODEL, dtype=torch.float32)
    filming = AnimateDiffPipeline.from_pretrained(
        family / "base", motion_adapter=adapter, dtype=torch.float32
    )
    filming.set_progress_bar_config(disable=True)
    return filming.to(device)


def captions(count: int) -> list[tuple[Motion, str]]:
    """Motions in turn, each with the plain caption of an unseen clip."""
    chosen = [(MOTIONS[index % len(MOTIONS)], index // len(MOTIONS)) for index in range(count)]
    return [(name, clip(seed, name, 2).captions[0]) for name, seed in chosen]


def film(filming: Any, prompts: Sequence[str], seed: int = 0) -> list[list[Picture]]:
    """A clip for every prompt."""
    made = []
    for place, prompt in enumerate(prompts):
        frames = filming(
            prompt,
            num_frames=FRAMES,
            height=128,
            width=128,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(seed + place),
        ).frames[0]
        made.append([np.asarray(frame) for frame in frames])
    return made


def apart(family: Path, prompt: str, seed: int = 0) -> list[Picture]:
    """The control: the base draws every frame by itself."""
    return generate(open_base(family), [prompt] * FRAMES, steps=STEPS, guidance=GUIDANCE, seed=1000 * seed)


def marks(
    asked: Sequence[Motion], made: Sequence[Sequence[Picture]], alone: Sequence[Sequence[Picture]]
) -> list[Figure]:
    """The figures of clips, beside the same clips held against other words and the frames made apart."""
    seen = [motion(frames) for frames in made]
    right = [one == name for one, name in zip(seen, asked, strict=True)]
    luck = [one == name for one, name in zip(seen, [*asked[1:], *asked[:1]], strict=True)]
    calm, wild = ([flicker(frames) for frames in many] for many in (made, alone))
    control = float(np.mean(wild))
    return [
        Figure(MODEL, "motion as the word says", float(np.mean(right)), 0.7, float(np.mean(luck))),
        Figure(
            MODEL, "flicker", float(np.mean(calm)), control, control, "second difference of 255", at_most=True
        ),
    ]


def contact(family: Path, store: Path) -> None:
    """A clip of every motion in a row, every second frame of it."""
    made = film(load(family), [said for _, said in captions(len(MOTIONS))])
    page([frames[::2] for frames in made], store, size=64)
