"""Captions of a batch: one row of tokens for each picture."""

import numpy as np
from numpy.typing import NDArray

from .draw import CAPTIONS
from .latents import Shelf

_SHORTEST = 24


def rows(
    shelf: Shelf, rng: np.random.Generator, index: NDArray[np.int64], *, empty: float, short: bool
) -> NDArray[np.int64]:
    """Any caption of each picture, some left empty; `short` rows end behind the longest, which is faster."""
    which = rng.integers(0, CAPTIONS, len(index))
    tokens = shelf.tokens[index, which].astype(np.int64)
    tokens[rng.random(len(index)) < empty] = shelf.empty
    longest = int(shelf.lengths[index, which].max())
    return tokens[:, : max(_SHORTEST, longest + int(rng.integers(0, 8)))] if short else tokens
