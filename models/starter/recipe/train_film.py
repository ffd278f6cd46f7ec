"""Train image to video: clips from their first frames."""

import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import pictures
from .clips import FRAMES
from .denoise import mean, noised
from .film import SIGMAS, Film, glance, pipeline
from .hogwild import Plan
from .moving import STILL, Reel, reel
from .schooling import School, attend
from .train_vae import reload, tensor

PLAN = Plan("image-to-video", 5_500, 5e-4, warm=100, hold=0.45, ema=0.99)
BATCH = 2
STILLS = 0.12  # pictures of any kind, in which nothing moves
UNSEEN = 0.12  # clips whose picture is not given, so that guidance has something to move away from
_NOISE = (1.2, 2.0)  # mean and spread of the logarithm of sigma: what moves is decided in much noise


class Filming(msgspec.Struct):
    """The lesson: the velocity of all frames at one random noise level, given the first of them."""

    reel: Reel
    shown: NDArray[np.uint8]
    stills: NDArray[np.float16]
    scale: float  # of the autoencoder: the pipeline gives the first frame without it
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; what moves counts three times."""
        clean, picture, ids = self._pick(rng)
        first = self._first(rng, clean[:, 0], ids[:, 2])
        sigma = torch.from_numpy(_sigmas(rng, len(clean))).to(self.device)
        noisy, velocity = noised(clean, 1 / (sigma**2 + 1))
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(noisy, 0.25 * sigma.log(), first, picture, ids)
        error = (guess.float() - velocity).square().mean(2)  # (n, frames, h, w)
        change = (clean - clean[:, :1]).square().mean(2)
        weight = 1 + 2 * change.clamp(0, 1)
        apart = error.flatten(1).mean(1).detach()
        moving = (error.detach() * (change > 0.3)).sum() / (change > 0.3).sum().clamp(1)
        return (weight * error).mean(), {
            "loss": float(apart.mean()),
            "high": mean(apart[sigma > 5]),
            "low": mean(apart[sigma < 1]),
            "moving": float(moving),
        }

    def _pick(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Clean clips, their first frames for the image encoder, and the numbers that go with them."""
        clips, firsts, ids = [], [], []
        for _ in range(BATCH):
            noise = math.exp(rng.normal(-3.7, 0.6))  # around the pipeline's 0.02
            if rng.random() < STILLS:
                index = int(rng.integers(len(self.stills)))
                clip = np.repeat(np.asarray(self.stills[index : index + 1], np.float32), FRAMES, 0)
                first, bucket = self.shown[index], float(STILL)
            else:
                index = int(rng.integers(len(self.reel.latents)))
                clip = np.asarray(self.reel.latents[index], np.float32)
                first, bucket = self.reel.firsts[index], float(self.reel.buckets[index])
            clips.append(clip)
            firsts.append(np.asarray(first))
            # frames a second vary without a meaning, so that any may be asked for
            ids.append((float(rng.integers(1, 30)), bucket + rng.uniform(-8, 8), noise))
        picture = glance(tensor(np.stack(firsts)))
        return (
            torch.from_numpy(np.stack(clips)).to(self.device),
            picture.to(self.device),
            torch.tensor(ids, device=self.device),
        )

    def _first(self, rng: np.random.Generator, first: Tensor, noise: Tensor) -> Tensor:
        """The latents of the first frames with a little noise; for some none at all."""
        # a pixel's noise is about three times as strong in a latent
        soft = first / self.scale + 3 * noise[:, None, None, None] * torch.randn_like(first)
        told = torch.from_numpy(rng.random(len(first)) >= UNSEEN).to(first)
        return soft * told[:, None, None, None]


def filming(checkpoints: Path, device: str) -> Filming:
    """The lesson, from the folders it reads."""
    latents: NDArray[np.float16] = np.load(checkpoints / "latents" / "latents.npy", mmap_mode="r")
    stills = latents[: int((checkpoints / "latents" / "encoded").read_text())]
    scale = float(reload(checkpoints / "vae").config.scaling_factor)
    return Filming(
        reel(checkpoints / "clips"), pictures.load(checkpoints / "pictures"), stills, scale, device
    )


def write(checkpoints: Path, film: Film, folder: Path) -> None:
    """Write the pipeline in half precision."""
    export(pipeline(film, reload(checkpoints / "vae")), folder)


def export(filming: Any, folder: Path) -> None:
    """Write a pipeline in half precision without its autoencoder, which is the base's."""
    filming.to(torch.float16).save_pretrained(folder)
    shutil.rmtree(folder / "vae")


def _sigmas(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    low, high = np.log(SIGMAS)
    return np.exp(np.clip(rng.normal(*_NOISE, count), low, high)).astype(np.float32)


SCHOOL = School(
    plan=PLAN,
    build=lambda _: Film(),
    lesson=filming,
    write=write,
    memory=torch.preserve_format,
)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
