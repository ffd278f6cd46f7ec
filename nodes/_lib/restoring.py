"""Faces made clear by a network: cut out upright, restored, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from engine.context import Context
from engine.models import ModelFile
from engine.types import Box, FaceRestorer, Image, Mask
from nodes._lib import aligning, networks, planes
from nodes._lib.arrays import array, tensor
from nodes._lib.planes import Floats

USUAL = 512
"""The side at which networks want to see a face, if their file does not say `size` in its metadata."""


def side_of(file: ModelFile) -> int:
    with safe_open(file.path, "pt") as opened:
        said = str((opened.metadata() or {}).get("size", USUAL))
    return int(said) if said.isdecimal() and 32 <= int(said) <= 2048 else USUAL


def restored(
    net: Any, restorer: FaceRestorer, image: Image, faces: Sequence[Box], strength: float, ctx: Context
) -> tuple[Image, Mask]:
    """A picture with its faces restored, and where it changed; elsewhere every bit stays."""
    before, alpha = planes.split(image)
    canvas = planes.widened(before, 3).copy()
    changed = np.zeros((image.height, image.width), np.float32)
    for face in ctx.track(faces):
        matrix = aligning.onto(face, restorer.size)
        seen = aligning.cut(canvas, matrix, restorer.size)
        rows, columns, weights = aligning.put(
            canvas, once(net, restorer.architecture, seen), matrix, restorer.size, strength
        )
        changed[rows, columns] = np.maximum(changed[rows, columns], weights)
    after = canvas if before.shape[2] == 3 else planes.luma(canvas)
    kept = np.where(changed[..., None] > 0, after, before)
    return planes.joined(kept, alpha, image), Mask(changed)


def once(net: Any, architecture: str, face: Floats) -> Floats:
    """What a network makes of one face."""
    if architecture != "GFPGAN":
        return networks.run(net, face)
    # spandrel shows it 0 to 1, which is not what it was trained with; and its own noise differs each time
    seen = tensor(face * 2 - 1).permute(2, 0, 1)[None].to(net.device, net.dtype)
    with torch.inference_mode():
        made = net.model(seen, return_rgb=False, randomize_noise=False)[0]
    return array(made[0].clamp(-1, 1).permute(1, 2, 0) / 2 + 0.5)
