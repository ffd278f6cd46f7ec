"""Large renders, and small copies of them through the autoencoder: what the upscaler learns from."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from .canvas import paint
from .draw import draw
from .pictures import FIRST_SEED
from .progress import Progress
from .wear import shown, unit

COUNT = 800
SIZE = 512
_CHUNK = 16


def prepare(checkpoints: Path, count: int = COUNT) -> None:
    """Render large pictures and copy small ones through the autoencoder, going on where a run stopped."""
    folder = checkpoints / "large"
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "drawn"
    done = int(mark.read_text()) if mark.exists() else 0
    if done >= count:
        return
    torch.set_num_threads(1)
    vae = AutoencoderKL.from_pretrained(checkpoints / "vae" / "final").eval()
    mode = "r+" if done else "w+"
    large = np.lib.format.open_memmap(folder / "large.npy", mode, np.uint8, (count, SIZE, SIZE, 3))
    copies = np.lib.format.open_memmap(folder / "copies.npy", mode, np.uint8, (count, 128, 128, 3))
    progress = Progress("large", count, done)
    for start in range(done, count, _CHUNK):
        scenes = [draw(FIRST_SEED + index) for index in range(start, min(count, start + _CHUNK))]
        copies[start : start + _CHUNK] = copied(vae, np.stack([paint(scene) for scene in scenes]))
        for place, scene in enumerate(scenes):
            large[start + place] = paint(scene, SIZE)
        mark.write_text(str(start + len(scenes)))
        progress.at(start + len(scenes))


def copied(vae: AutoencoderKL, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures as the autoencoder gives them back."""
    with torch.inference_mode():
        latents = vae.encode(unit(pictures) * 2 - 1).latent_dist.mean
        return shown(vae.decode(latents).sample / 2 + 0.5)


def load(checkpoints: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The large renders and the small copies."""
    folder = checkpoints / "large"
    count = int((folder / "drawn").read_text())
    return (
        np.load(folder / "large.npy", mmap_mode="r")[:count],
        np.load(folder / "copies.npy", mmap_mode="r")[:count],
    )
