"""Renders of a lower resolution, and renders seen through a window that is off the middle."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .canvas import Picture, paint
from .draw import draw
from .latents import fill_latents
from .pictures import FIRST_SEED
from .progress import reached
from .scene import SPAN, Outline, Scene

COUNT = 4000
SMALLEST, FARTHEST = 24, 40  # pixels of a picture made large again; how far a window is moved


class Windows(Struct, frozen=True):
    """Latents of pictures 0 to n - 1 of the shelf, each as told by its row of sizes."""

    latents: NDArray[np.float16]  # (n, 4, 16, 16)
    told: NDArray[np.int16]  # (n, 4): height and width before it was made large, top, left


def seen(scene: Scene, size: int, top: int, left: int) -> Picture:
    """A scene through a window, at a resolution, made as large as all pictures are."""
    picture = paint(moved(scene, top, left), size)
    return picture if size == SPAN else np.asarray(cv2.resize(picture, (128, 128)), np.uint8)


def moved(scene: Scene, top: int, left: int) -> Scene:
    """A scene through a window that begins lower and further to the right; grounds and skies reach on."""
    if not top and not left:
        return scene
    strokes = tuple(
        msgspec.structs.replace(stroke, parts=tuple(_moved(part, top, left) for part in stroke.parts))
        for stroke in scene.strokes
    )
    return msgspec.structs.replace(scene, strokes=strokes)


def sizes(index: int) -> tuple[int, int, int]:
    """The resolution, and the window's top and left, of a picture: blurred, moved, or both."""
    rng = np.random.default_rng(index)
    kind = rng.choice(3, p=(0.4, 0.45, 0.15))
    size = int(SPAN) if kind == 1 else int(rng.integers(SMALLEST, 113))
    top, left = (0, 0) if kind == 0 else rng.integers(0, FARTHEST + 1, 2).tolist()
    return size, top, left


def encode(checkpoints: Path, folder: Path, count: int = COUNT) -> None:
    """Draw and encode what is seen through windows, going on where an earlier run stopped."""

    def shown(which: range) -> NDArray[np.uint8]:
        return np.stack([seen(draw(FIRST_SEED + index), *sizes(index)) for index in which])

    fill_latents(folder / "windows.npy", folder / "windows", count, checkpoints / "vae", shown)


def load(folder: Path) -> Windows:
    """The windows of a folder."""
    latents: NDArray[np.float16] = np.load(folder / "windows.npy", mmap_mode="r")
    count = reached(folder / "windows")
    told = [(size, size, top, left) for size, top, left in map(sizes, range(count))]
    return Windows(latents[:count], np.asarray(told, np.int16))


def _moved(part: Outline, top: int, left: int) -> Outline:
    """An outline moved up and to the left; what spans the frame still reaches beyond it."""
    spans = part[:, 0].min() <= -2.5 and part[:, 0].max() >= SPAN + 2.5
    beyond = np.where(part <= -2.5, -60, np.where(part >= SPAN + 2.5, 60, 0)) if spans else 0
    return np.asarray(part + beyond - (left, top), np.float32)
