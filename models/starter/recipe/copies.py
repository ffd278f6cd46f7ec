"""Pictures as the autoencoder gives them back: what models must expect who look at generated ones."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from . import pictures
from .progress import Progress
from .train_vae import tensor

COUNT = 2_000
_BATCH = 16


def copy(source: Path, vae_folder: Path, folder: Path, count: int = COUNT) -> NDArray[np.uint8]:
    """Copies of the first pictures of a folder, going on where an earlier run stopped."""
    shown = pictures.load(source)[:count]
    folder.mkdir(parents=True, exist_ok=True)
    store, mark = folder / "copies.npy", folder / "copied"
    fresh = not store.exists() or np.load(store, mmap_mode="r").shape != shown.shape
    done = 0 if fresh or not mark.exists() else int(mark.read_text())
    if done < len(shown):
        copies = np.lib.format.open_memmap(store, "w+" if fresh else "r+", np.uint8, shown.shape)
        _fill(copies, shown, done, vae_folder, mark)
    finished: NDArray[np.uint8] = np.load(store, mmap_mode="r")
    return finished


def _fill(
    copies: NDArray[np.uint8], shown: NDArray[np.uint8], start: int, vae_folder: Path, mark: Path
) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    vae = AutoencoderKL.from_pretrained(vae_folder, torch_dtype=torch.float32).eval()
    vae.to(memory_format=torch.channels_last)
    progress = Progress("copy", len(shown), start)
    for first in range(start, len(shown), _BATCH):
        some = tensor(np.asarray(shown[first : first + _BATCH]))
        with torch.inference_mode():
            back = vae.decode(vae.encode(some).latent_dist.mean).sample
        pixels = ((back.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        copies[first : first + len(some)] = pixels.permute(0, 2, 3, 1).numpy()
        mark.write_text(str(first + len(some)))
        progress.at(first + len(some))
