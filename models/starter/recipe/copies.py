"""Pictures as the autoencoder gives them back: what models must expect who look at generated ones."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from . import pictures
from .filling import Store, fill
from .hogwild import flushing
from .train_vae import copied, reload

COUNT = 2_000
_BATCH = 16


def prepare(checkpoints: Path, count: int = COUNT) -> None:
    """Copy the first pictures, going on where an earlier run stopped."""
    shown, folder = pictures.load(checkpoints / "pictures")[:count], checkpoints / "copies"
    vae = reload(checkpoints / "vae").to(memory_format=torch.channels_last)

    def some(which: range) -> list[NDArray[np.uint8]]:
        return [copied(vae, shown[which.start : which.stop])]

    store = Store(folder / "copies.npy", np.uint8, shown.shape)
    with flushing():
        fill("copies", folder / "copied", [store], some, chunk=_BATCH)


def load(checkpoints: Path) -> NDArray[np.uint8]:
    """The copies of the first pictures."""
    found: NDArray[np.uint8] = np.load(checkpoints / "copies" / "copies.npy", mmap_mode="r")
    return found
