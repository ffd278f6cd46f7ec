"""ControlNets: how they start from a denoiser, and the hints that they learn from."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional

from . import hints
from .canvas import Picture, truth
from .draw import draw
from .scene import Point, Scene

Kind = Literal["canny", "depth", "pose"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WIDTHS = (8, 16, 32, 64)  # of the layers that shrink a hint to the size of latents
_LOST = 0.04  # of the joints, as a finder of poses loses some


def new_control(unet: Any, shown: Tensor) -> Any:
    """A ControlNet that starts as a denoiser's first half; `shown` are hints (n, 3, h, w) to start from."""
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=WIDTHS)
    awaken(control.controlnet_cond_embedding, shown)
    return control


def awaken(embedding: Any, shown: Tensor) -> None:
    """Let hints through at full strength: the usual start dims them a thousandfold, layer by layer."""
    with torch.no_grad():
        for layer in (embedding.conv_in, *embedding.blocks):
            nn.init.orthogonal_(layer.weight.view(len(layer.weight), -1))
            nn.init.zeros_(layer.bias)
            told = layer(shown)
            layer.weight /= told.std().clamp(min=1e-3)
            shown = functional.silu(layer(shown))


def hint(kind: Kind, rng: np.random.Generator, picture: Picture, seed: int) -> Picture:
    """A hint of a drawn picture, as one of many preprocessors would give it."""
    return _DRAW[kind](rng, picture, seed)


def people(scene: Scene) -> list[tuple[Point, ...]]:
    """The keypoints of everybody in a scene."""
    return [thing.keypoints for thing in scene.things if thing.keypoints]


def tensor(shown: Picture) -> Tensor:
    """Hints (n, h, w, 3) as a ControlNet wants them: (n, 3, h, w), 0 to 1."""
    return (
        torch.from_numpy(shown)
        .permute(0, 3, 1, 2)
        .float()
        .div(255)
        .contiguous(memory_format=torch.channels_last)
    )


def _edges(rng: np.random.Generator, picture: Picture, seed: int) -> Picture:
    """Edges between few and many."""
    low = float(rng.uniform(30, 110))
    blurred = (
        cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.0))) if rng.random() < 0.25 else picture
    )
    return hints.canny(blurred, low, low * float(rng.uniform(1.8, 2.8)))


def _nearness(rng: np.random.Generator, picture: Picture, seed: int) -> Picture:
    """The true depth, half of the time as blurred and bent as an estimator's."""
    near = truth(draw(seed)).near
    if rng.random() < 0.5:
        near = np.asarray(cv2.GaussianBlur(near, (0, 0), float(rng.uniform(0.5, 2.5))), np.float32)
        coarse = rng.normal(0, 0.04, (9, 9)).astype(np.float32)
        near = near + cv2.resize(coarse, near.shape, interpolation=cv2.INTER_CUBIC)
        near = np.maximum(near, 0) ** np.float32(rng.uniform(0.75, 1.3))
    return hints.depth(near)


def _limbs(rng: np.random.Generator, picture: Picture, seed: int) -> Picture:
    """The skeletons of a scene, thicker or thinner, now and then without a joint."""
    seen = [
        [
            None if rng.random() < _LOST else (x + rng.normal(0, 0.5), y + rng.normal(0, 0.5))
            for x, y in points
        ]
        for points in people(draw(seed))
    ]
    return hints.pose(seen, thick=float(rng.uniform(1.2, 3.5)))


_DRAW: dict[Kind, Callable[[np.random.Generator, Picture, int], Picture]] = {
    "canny": _edges,
    "depth": _nearness,
    "pose": _limbs,
}
