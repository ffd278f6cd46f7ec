"""Arrays on disk: filled once, going on after a stop, and begun anew when they must have another shape."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recipe.filling import Store, fill
from recipe.progress import reached


class Stopped(Exception):
    """The run was stopped."""


def squares(which: range) -> list[NDArray[np.int64]]:
    rows = np.asarray(which)
    return [rows**2, np.stack([rows, -rows], 1)]


def stores(folder: Path, count: int = 10) -> list[Store]:
    return [
        Store(folder / "squares.npy", np.int64, (count,)),
        Store(folder / "pairs.npy", np.int64, (count, 2)),
    ]


def test_a_stopped_run_goes_on_with_the_piece_it_was_at(tmp_path: Path) -> None:
    asked: list[range] = []

    def once(which: range) -> list[NDArray[np.int64]]:
        asked.append(which)
        if len(asked) == 3:
            raise Stopped
        return squares(which)

    with pytest.raises(Stopped):
        fill("squares", tmp_path / "done", stores(tmp_path), once, chunk=4)
    assert reached(tmp_path / "done") == 8
    fill("squares", tmp_path / "done", stores(tmp_path), once, chunk=4)
    fill("squares", tmp_path / "done", stores(tmp_path), once, chunk=4)
    assert asked == [range(4), range(4, 8), range(8, 10), range(8, 10)]
    assert np.array_equal(np.load(tmp_path / "squares.npy"), np.arange(10) ** 2)
    assert np.array_equal(np.load(tmp_path / "pairs.npy")[:, 1], -np.arange(10))


def test_two_may_fill_the_same_arrays_each_its_own_rows(tmp_path: Path) -> None:
    for rank in (0, 1):
        mine = range(rank, 10, 2)
        fill("squares", tmp_path / f"done{rank}", stores(tmp_path), squares, chunk=2, over=mine)
        assert reached(tmp_path / f"done{rank}") == 5
    assert np.array_equal(np.load(tmp_path / "squares.npy"), np.arange(10) ** 2)


def test_arrays_of_another_shape_are_begun_anew(tmp_path: Path) -> None:
    fill("squares", tmp_path / "done", stores(tmp_path, 3), squares, chunk=4)
    fill("squares", tmp_path / "done", stores(tmp_path, 6), squares, chunk=4)
    assert np.array_equal(np.load(tmp_path / "squares.npy"), np.arange(6) ** 2)
