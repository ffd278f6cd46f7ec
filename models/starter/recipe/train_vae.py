"""Train the autoencoder: crops first, whole pictures last, then whiten its latents."""

import argparse
import functools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from . import pictures
from .canvas import paint
from .draw import draw
from .hogwild import Plan, averaged
from .schooling import School, learn
from .sheet import sheet
from .vae import new_vae, whiten

PLAN = Plan("vae", 25_000, 3e-4, warm=100, hold=0.4, ema=0.998, weight_decay=1e-4)
CROP, BATCH = 64, 4
WHOLE_FROM = 0.75  # part of the run after which whole pictures are shown, two at a time


class Copying:
    """The lesson of the autoencoder: to give back what it was shown."""

    def __init__(self, folder: Path, device: str) -> None:
        self.pictures, self.device = pictures.load(folder), device

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        whole = part > WHOLE_FROM
        shown = [self._pick(rng, whole) for _ in range(2 if whole else BATCH)]
        x = tensor(np.stack(shown)).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            posterior = model.encode(x).latent_dist
            y = model.decode(posterior.sample()).sample.float()
        mean, spread = posterior.mean.float(), posterior.logvar.float()
        divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).mean()
        error = (y - x).square().mean()
        away, edge = (y - x).abs().mean(), slopes_apart(y, x)
        figures = {
            "psnr": float(-10 * torch.log10(error.detach() / 4)),
            "edge": float(edge.detach()),
            "kl": float(divergence.detach()),
        }
        return away + 10 * error + 0.5 * edge + 1e-4 * divergence, figures

    def _pick(self, rng: np.random.Generator, whole: bool) -> NDArray[np.uint8]:
        """A picture, or the liveliest of three crops of it."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        if whole:
            return np.asarray(picture)
        corners = rng.integers(0, (picture.shape[0] - CROP) // 8 + 1, (3, 2)) * 8
        crops = [picture[y : y + CROP, x : x + CROP] for y, x in corners]
        return max(crops, key=lambda crop: float(crop[::4, ::4].astype(np.float32).std((0, 1)).sum()))


def tensor(shown: NDArray[np.uint8]) -> Tensor:
    """Pictures as a network wants them: (n, 3, h, w), -1 to 1."""
    return (
        torch.from_numpy(shown if shown.flags.writeable else shown.copy())
        .permute(0, 3, 1, 2)
        .float()
        .div(127.5)
        .sub(1)
        .contiguous(memory_format=torch.channels_last)
    )


def slopes_apart(a: Tensor, b: Tensor) -> Tensor:
    """How far the differences between neighbouring pixels are apart."""
    gap = a - b
    return (gap[..., 1:] - gap[..., :-1]).abs().mean() + (gap[..., 1:, :] - gap[..., :-1, :]).abs().mean()


def unseen(count: int) -> NDArray[np.uint8]:
    """Pictures of seeds that no training uses."""
    return np.stack([paint(draw(seed)) for seed in range(count)])


def measure(vae: Any, shown: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    """The mean PSNR of copies, in dB, and the copies."""
    copy = _again(vae, shown)
    error = ((copy - tensor(shown)) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean()), _pixels(copy)


def copied(vae: Any, shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures as the autoencoder gives them back."""
    return _pixels(_again(vae, shown))


def school(shown: Path, name: str) -> School:
    """How the autoencoder is trained on a folder of pictures."""
    return School(
        plan=msgspec.structs.replace(PLAN, name=name),
        build=lambda _: new_vae(),
        lesson=functools.partial(copying, shown),
        write=functools.partial(write, shown),
    )


def copying(shown: Path, _: Path, device: str) -> Copying:
    """The lesson, from a folder of pictures."""
    return Copying(shown, device)


def write(shown: Path, _: Path, vae: Any, folder: Path) -> None:
    """Whiten the latents of the autoencoder, show what it can do, and write it."""
    whiten(vae, tensor(pictures.load(shown)[:256]))
    _show(vae, folder.parent)
    vae.save_pretrained(folder)


def main() -> None:
    """Train, and write the autoencoder when the run is complete."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--pictures", type=Path, default=Path("checkpoints/pictures"))
    ask.add_argument("--folder", type=Path, default=Path("checkpoints/vae"))
    ask.add_argument("--updates", type=int)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ask.add_argument("--peek", action="store_true", help="only measure the last checkpoint")
    given = ask.parse_args()
    if given.peek:
        _show(averaged(new_vae(), given.folder), given.folder)
    else:
        learn(school(given.pictures, given.folder.name), given.folder.parent, given.updates, given.device)


def _again(vae: Any, shown: NDArray[np.uint8]) -> Tensor:
    """Pictures through the autoencoder: (n, 3, h, w), -1 to 1."""
    device = next(vae.parameters()).device
    with torch.inference_mode():
        latents = [vae.encode(some.to(device)).latent_dist.mean for some in tensor(shown).split(16)]
        return torch.cat([vae.decode(some).sample.clamp(-1, 1).cpu() for some in latents])


def _pixels(copy: Tensor) -> NDArray[np.uint8]:
    return np.asarray(((copy + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def _show(vae: Any, folder: Path) -> None:
    shown = unseen(96)
    quality, copies = measure(vae, shown)
    print(f"vae: {quality:.2f} dB on 96 unseen pictures", flush=True)
    rows = [
        picture
        for start in range(0, 32, 8)
        for some in (shown, copies)
        for picture in some[start : start + 8]
    ]
    sheet(rows, folder / "sheet.jpg", most=1_000_000)


def reload(folder: Path) -> Any:
    """The finished autoencoder."""
    return AutoencoderKL.from_pretrained(folder / "final").eval()


if __name__ == "__main__":
    main()
