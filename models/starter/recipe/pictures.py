"""Drawn pictures on disk: what the training scripts read."""

import json
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from .canvas import paint
from .draw import draw
from .filling import Store, fill, lay
from .progress import reached
from .scene import Kind

FIRST_SEED = 1_000_000  # smaller seeds are for measuring only
_CHUNK = 250


def render(folder: Path, count: int, size: int = 128, kind: Kind | None = None) -> None:
    """Draw `count` pictures, of one kind or of all, going on where an earlier run stopped."""
    if drawn(folder) >= count:
        return
    mark, store = folder / "drawn", Store(folder / "pictures.npy", np.uint8, (count, size, size, 3))
    lay([store], mark)
    with (folder / "scenes.jsonl").open("r+" if reached(mark) else "w", encoding="utf-8") as notes:
        _skip(notes, reached(mark))

        def some(which: range) -> list[NDArray[np.uint8]]:
            scenes = [draw(FIRST_SEED + index, kind) for index in which]
            for scene in scenes:
                notes.write(json.dumps([scene.kind, scene.facts, scene.captions]) + "\n")
            notes.flush()
            return [np.stack([paint(scene, size) for scene in scenes])]

        fill("render", mark, [store], some, chunk=_CHUNK)


def drawn(folder: Path) -> int:
    """How many pictures a folder holds."""
    return reached(folder / "drawn")


def load(folder: Path) -> NDArray[np.uint8]:
    """The pictures of a folder, read as they are needed."""
    pictures: NDArray[np.uint8] = np.load(folder / "pictures.npy", mmap_mode="r")
    return pictures[: drawn(folder)]


def captions(folder: Path) -> list[list[str]]:
    """The captions of every picture."""
    with (folder / "scenes.jsonl").open(encoding="utf-8") as notes:
        return [json.loads(line)[2] for line in notes][: drawn(folder)]


def kinds(folder: Path) -> list[str]:
    """The kind of every picture."""
    with (folder / "scenes.jsonl").open(encoding="utf-8") as notes:
        return [json.loads(line)[0] for line in notes][: drawn(folder)]


def _skip(notes: TextIO, done: int) -> None:
    """Go behind the last finished line, and cut off what a stopped run wrote beyond it."""
    for _ in range(done):
        notes.readline()
    notes.seek(notes.tell())
    notes.truncate()


if __name__ == "__main__":
    import sys

    render(Path(sys.argv[1]), int(sys.argv[2]))
