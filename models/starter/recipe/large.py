"""Large renders, and small copies of them through the autoencoder: what the upscaler learns from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .canvas import paint
from .draw import draw
from .filling import Store, fill
from .pictures import FIRST_SEED
from .progress import reached
from .train_vae import copied, reload

COUNT = 800
SIZE = 512
_CHUNK = 16


def prepare(checkpoints: Path, count: int = COUNT) -> None:
    """Render large pictures and copy small ones through the autoencoder, going on where a run stopped."""
    folder, vae = checkpoints / "large", reload(checkpoints / "vae")

    def some(which: range) -> list[NDArray[np.uint8]]:
        scenes = [draw(FIRST_SEED + index) for index in which]
        small = np.stack([paint(scene) for scene in scenes])
        return [np.stack([paint(scene, SIZE) for scene in scenes]), copied(vae, small)]

    stores = [
        Store(folder / "large.npy", np.uint8, (count, SIZE, SIZE, 3)),
        Store(folder / "copies.npy", np.uint8, (count, 128, 128, 3)),
    ]
    fill("large", folder / "drawn", stores, some, chunk=_CHUNK)


def load(checkpoints: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The large renders and the small copies."""
    folder = checkpoints / "large"
    count = reached(folder / "drawn")
    return (
        np.load(folder / "large.npy", mmap_mode="r")[:count],
        np.load(folder / "copies.npy", mmap_mode="r")[:count],
    )
