"""Holes in pictures, as people paint them: over things, boxes, blobs, strokes, everything, nothing."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .canvas import truth
from .draw import draw
from .train_vae import tensor

Mask = NDArray[np.bool_]  # (h, w), true in the hole
CELL = 8  # pixels along each side of a latent


def hole(rng: np.random.Generator, seed: int, size: int = 128) -> Mask:
    """Some hole in the picture of a seed."""
    kinds = list(_DRAW)
    chosen = kinds[int(rng.choice(len(kinds), p=[share for _, share in _DRAW.values()]))]
    return _DRAW[chosen][0](rng, seed, size)


def over(box: tuple[int, int, int, int], margin: int, size: int = 128) -> Mask:
    """A hole over a box, a margin larger."""
    mask = np.zeros((size, size), np.bool_)
    left, top, right, bottom = box
    mask[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin] = True
    return mask


def cells(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Masks (n, h, w) as the denoiser sees them: the first pixel of each latent, (n, 1, h / 8, w / 8)."""
    return masks[:, None, ::CELL, ::CELL].astype(np.float32)


def covered(vae: Any, shown: NDArray[np.uint8], masks: NDArray[np.bool_]) -> Tensor:
    """The latents of pictures (n, h, w, 3) with gray holes: (n, 4, h / 8, w / 8)."""
    device = next(vae.parameters()).device
    seen = tensor(shown).to(device) * torch.from_numpy(~masks[:, None]).to(device)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        latents: Tensor = vae.encode(seen).latent_dist.sample().float()
    return latents * vae.config.scaling_factor


def _thing(rng: np.random.Generator, seed: int, size: int) -> Mask:
    """Over one of the things: its box or its form, larger by some margin."""
    scene = draw(seed)
    where = truth(scene, size)
    seen = [index for index, box in enumerate(where.boxes) if box is not None]
    if not seen:
        return _box(rng, seed, size)
    index = int(rng.choice(seen))
    box = where.boxes[index]
    assert box is not None
    margin = int(rng.integers(2, 16))
    if rng.random() < 0.7:
        return over(box, margin, size)
    return _wider(where.mask(index), margin)


def _box(rng: np.random.Generator, seed: int, size: int) -> Mask:
    mask = np.zeros((size, size), np.bool_)
    for _ in range(int(rng.choice((1, 1, 1, 2)))):
        height, width = (rng.uniform(0.12, 0.65, 2) * size).astype(int)
        y, x = (
            rng.integers(-height // 4, size - height * 3 // 4),
            rng.integers(-width // 4, size - width * 3 // 4),
        )
        mask[max(0, y) : y + height, max(0, x) : x + width] = True
    return mask


def _side(rng: np.random.Generator, seed: int, size: int) -> Mask:
    """Everything on one side, as for a picture that is to grow."""
    mask = np.zeros((size, size), np.bool_)
    mask[: int(rng.uniform(0.2, 0.7) * size)] = True
    return np.rot90(mask, int(rng.integers(4))).copy()


def _blob(rng: np.random.Generator, seed: int, size: int) -> Mask:
    knots = rng.uniform(0, 1, (5, 5)).astype(np.float32)
    height = cv2.resize(knots, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(height > np.quantile(height, rng.uniform(0.5, 0.9)))


def _stroke(rng: np.random.Generator, seed: int, size: int) -> Mask:
    """A line of a thick brush."""
    page = np.zeros((size, size), np.uint8)
    points = rng.uniform(0.1, 0.9, (int(rng.integers(2, 6)), 2)) * size
    cv2.polylines(page, [points.astype(np.int32)], False, 1, int(rng.integers(8, 28)))
    return np.asarray(page > 0)


def _whole(rng: np.random.Generator, seed: int, size: int) -> Mask:
    return np.ones((size, size), np.bool_)


def _none(rng: np.random.Generator, seed: int, size: int) -> Mask:
    return np.zeros((size, size), np.bool_)


def _wider(mask: Mask, margin: int) -> Mask:
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), brush) > 0)


_DRAW: dict[str, tuple[Callable[[np.random.Generator, int, int], Mask], float]] = {
    "thing": (_thing, 0.46),
    "box": (_box, 0.2),
    "side": (_side, 0.08),
    "blob": (_blob, 0.1),
    "stroke": (_stroke, 0.08),
    "whole": (_whole, 0.06),
    "none": (_none, 0.02),
}
