"""Train the inpainting denoiser: the base with five more channels, the hole and what is around it."""

from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn

from . import pictures
from .base import kept, scheduler
from .captions import rows
from .denoise import noised, some_steps
from .hogwild import Plan
from .holes import cells, covered, hole
from .latents import Shelf, shelf
from .pictures import FIRST_SEED
from .schooling import School, attend
from .train_control import frozen
from .train_vae import reload

PLAN = Plan("inpainting", 12_000, 5e-4, warm=100, hold=0.4)
BATCH = 16
EMPTY = 0.15  # of the captions
FRESH = 4  # pictures of a batch that get a new hole; the others are met again, with other words and noise
STORE = 4096  # pictures with holes that may be met again
CHANNELS = 9  # noisy latents 4, hole 1, latents of the picture without what is in the hole 4
SHAPES = 0.45  # part of the pictures that are plain shapes
Holed = tuple[int, Tensor]  # which picture, and (5, h, w): its hole, and the latents around it


class Filling(msgspec.Struct):
    """The lesson of inpainting: the velocity of the whole picture, given what is around the hole."""

    shelf: Shelf
    pictures: NDArray[np.uint8]
    text: Any
    vae: Any
    kept: Tensor
    shapes: NDArray[np.int64]
    device: str
    met: deque[Holed]

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch, inside and outside the holes also apart."""
        index, beside = self._choose(rng)
        clean = torch.from_numpy(np.asarray(self.shelf.latents[index], np.float32)).to(self.device)
        tokens = torch.from_numpy(rows(self.shelf, rng, index, empty=EMPTY, short=part < 0.5)).to(self.device)
        step = some_steps(rng, len(index)).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        with torch.autocast(self.device, torch.bfloat16):
            with torch.no_grad():
                words = self.text(tokens).last_hidden_state
            guess = model(torch.cat([noisy, beside], 1), step, words).sample
        error = (guess.float() - velocity).square().mean(1, keepdim=True)
        inside = beside[:, :1] > 0.5
        return error.mean(), {
            "loss": float(error.detach().mean()),
            "inside": float(error.detach()[inside].mean()),
            "around": float(error.detach()[~inside].mean()),
        }

    def _choose(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], Tensor]:
        """Pictures and what is around their holes, some new and some met before."""
        again = [self.met[one] for one in rng.integers(0, len(self.met), BATCH - FRESH)] if self.met else []
        fresh = self._punch(rng, BATCH - len(again))
        self.met.extend(fresh)
        index, beside = zip(*fresh, *again, strict=True)
        return np.asarray(index), torch.stack(beside)

    def _punch(self, rng: np.random.Generator, count: int) -> list[Holed]:
        index = rng.integers(0, len(self.shelf.latents), count)
        some = rng.random(count) < SHAPES
        index[some] = rng.choice(self.shapes, int(some.sum()))
        shown = np.stack([self.pictures[one] for one in index])
        masks = np.stack([hole(rng, FIRST_SEED + int(one), shown.shape[1]) for one in index])
        around = covered(self.vae, shown, masks)
        beside = torch.cat([torch.from_numpy(cells(masks)).to(self.device), around], 1)
        return [(int(one), row) for one, row in zip(index, beside, strict=True)]


def filling(checkpoints: Path, device: str) -> Filling:
    """The lesson, from a finished base and the pictures that it learnt from."""
    found = shelf(checkpoints / "latents")
    vae = reload(checkpoints / "vae").to(device, memory_format=torch.channels_last)
    return Filling(
        found,
        pictures.load(checkpoints / "pictures"),
        frozen(checkpoints, device=device).encoders[0],
        vae.requires_grad_(False),
        kept().to(device),
        found.of_kind("shapes"),
        device,
        deque(maxlen=STORE),
    )


def widened(unet: Any) -> Any:
    """A denoiser that starts as another and does not yet look at its five new channels."""
    wide = UNet2DConditionModel.from_config(dict(unet.config) | {"in_channels": CHANNELS})
    weights = unet.state_dict()
    first = torch.zeros_like(wide.conv_in.weight)
    first[:, : unet.config.in_channels] = weights["conv_in.weight"]
    wide.load_state_dict(weights | {"conv_in.weight": first})
    return wide


def export(unet: Any, folder: Path) -> None:
    """Write the denoiser in half precision, and its scheduler; all else is the base's."""
    unet.half().save_pretrained(folder / "unet")
    scheduler().save_pretrained(folder / "scheduler")


SCHOOL = School(
    plan=PLAN,
    build=lambda checkpoints: widened(frozen(checkpoints).unet),
    lesson=filling,
    write=lambda _, unet, folder: export(unet, folder),
    memory=torch.preserve_format,
)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
