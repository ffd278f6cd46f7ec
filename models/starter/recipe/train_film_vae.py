"""Train the temporal autoencoder: to speak the base's latents, then to decode successive frames calmly."""

import argparse
import functools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import pictures
from .canvas import paint
from .film_vae import keep_colour, new_film_vae, spatial_only, through_time
from .hogwild import Plan, averaged, finished, train
from .moving import Reel, reel, take
from .train_vae import tensor

PLAN = Plan("film-vae", 1_500, 2.5e-4, warm=60, hold=0.5, ema=0.98, weight_decay=1e-4)
BATCH = 2
THROUGH_TIME_FROM = 0.7  # part of the run after which successive frames are shown
FRAMES = 3
_WOBBLE = 0.12  # noise on the latents of successive frames, each its own, as a denoiser leaves it


class Decoding(msgspec.Struct):
    """The lesson: the base's latents from pictures, and pictures from the base's latents."""

    shown: NDArray[np.uint8]
    latents: NDArray[np.float16]
    reel: Reel
    device: str
    plain: bool | None = None  # whether the layers over time are left out of the model at present

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch, of both halves."""
        still = part < THROUGH_TIME_FROM
        if self.plain is not still:
            (spatial_only if still else through_time)(model)
            self.plain = still
        x, z = self._stills(rng) if still else self._successive(rng)
        wobble = z + (rng.uniform(0, _WOBBLE) if still else _WOBBLE) * torch.randn_like(z)
        with torch.autocast(self.device, torch.bfloat16):
            guess = model.encode(x).latent_dist.mean.float()
            y = model.decode(wobble, num_frames=1 if still else len(z)).sample.float()
        gap = y - x
        away, error, edge = gap.abs().mean(), gap.square().mean(), _slopes(gap)
        heard = (guess - z).square().mean()
        # a picture that does not move must not move when it is decoded
        restless = torch.zeros(()) if still else (gap[1:] - gap[:-1]).abs().mean()
        figures = {
            "psnr": float(-10 * torch.log10(error.detach() / 4)),
            "latent": float(heard.detach()),
            "restless": float(restless.detach()),
        }
        return away + 10 * error + 0.5 * edge + heard + restless, figures

    def _stills(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        index = np.sort(rng.integers(len(self.latents), size=BATCH))
        return self._tensors(self.shown[index], self.latents[index])

    def _successive(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        index = int(rng.integers(len(self.reel.latents)))
        scenes = take(index).scenes
        start = int(rng.integers(len(scenes) - FRAMES + 1))
        frames = np.stack([paint(scene) for scene in scenes[start : start + FRAMES]])
        return self._tensors(frames, self.reel.latents[index, start : start + FRAMES])

    def _tensors(self, frames: NDArray[np.uint8], latents: NDArray[np.float16]) -> tuple[Tensor, Tensor]:
        z = torch.from_numpy(np.asarray(latents, np.float32))
        return tensor(np.asarray(frames)).contiguous().to(self.device), z.to(self.device)


def decoding(checkpoints: Path, device: str) -> Decoding:
    """The lesson, from the folders it reads."""
    return Decoding(*_stills(checkpoints), reel(checkpoints / "clips"), device)


def start(checkpoints: Path) -> Any:
    """A new temporal autoencoder that already copies coarsely."""
    vae = new_film_vae()
    shown, latents = _stills(checkpoints)
    some = slice(0, 200)
    z = torch.from_numpy(np.asarray(latents[some], np.float32))
    keep_colour(vae, tensor(np.asarray(shown[some])), z)
    return vae


def load_average(checkpoints: Path) -> Any:
    """The averaged weights of a run that may still be going on."""
    return averaged(new_film_vae(), checkpoints / PLAN.name)


def main() -> None:
    """Train, and write the autoencoder when the run is complete."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--updates", type=int, default=PLAN.updates)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = ask.parse_args()
    plan, folder = msgspec.structs.replace(PLAN, updates=given.updates), given.checkpoints / PLAN.name
    if not finished(plan, folder):
        torch.manual_seed(plan.seed)
        lesson = functools.partial(decoding, given.checkpoints, given.device)
        train(start(given.checkpoints).to(given.device), lesson, plan, folder)
    if finished(plan, folder):
        load_average(given.checkpoints).to(torch.float16).save_pretrained(folder / "final")


def _stills(checkpoints: Path) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """The pictures of training, and the base's latents of them."""
    latents: NDArray[np.float16] = np.load(checkpoints / "latents" / "latents.npy", mmap_mode="r")
    count = int((checkpoints / "latents" / "encoded").read_text())
    return pictures.load(checkpoints / "pictures")[:count], latents[:count]


def _slopes(gap: Tensor) -> Tensor:
    """How far the differences between neighbouring pixels are apart."""
    return (gap[..., 1:] - gap[..., :-1]).abs().mean() + (gap[..., 1:, :] - gap[..., :-1, :]).abs().mean()


if __name__ == "__main__":
    main()
