"""Arrays on disk that are filled a piece at a time, and go on where a stopped run was."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .progress import Progress, note, reached


class Store(Struct, frozen=True):
    """An array to be filled: where it is, of what numbers, of what shape."""

    path: Path
    kind: type[np.generic]
    shape: tuple[int, ...]

    @property
    def here(self) -> bool:
        """Whether it is on disk in this shape."""
        return self.path.exists() and np.load(self.path, mmap_mode="r").shape == self.shape


def fill(
    name: str,
    mark: Path,
    stores: Sequence[Store],
    piece: Callable[[range], Sequence[NDArray[Any]]],
    *,
    chunk: int,
    over: range | None = None,
) -> None:
    """Fill arrays with what `piece` makes of some rows, one part for each array; `mark` tells how far.

    `over` are the rows to fill, all unless it is given.
    """
    rows = range(stores[0].shape[0]) if over is None else over
    if reached(mark) >= len(rows):
        return
    lay(stores, mark)
    arrays = [np.load(store.path, mmap_mode="r+") for store in stores]
    progress = Progress(name, len(rows), reached(mark))
    for start in range(reached(mark), len(rows), chunk):
        which = rows[start : start + chunk]
        for array, part in zip(arrays, piece(which), strict=True):
            array[which.start : which.stop : which.step] = part
        note(mark, start + len(which))
        progress.at(start + len(which))


def lay(stores: Sequence[Store], *marks: Path) -> None:
    """Put arrays on disk that are not there in their shape; then what is marked begins anew."""
    if all(store.here for store in stores):
        return
    for mark in marks:
        mark.unlink(missing_ok=True)
    for store in stores:
        store.path.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(store.path, "w+", store.kind, store.shape).flush()
