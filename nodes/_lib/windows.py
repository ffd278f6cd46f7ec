"""Windows onto a large latent, answered one after another and blended: memory for one of them is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from nodes._lib.tiling import starts
from nodes._lib.wraps import Around

Sides = tuple[int, int]
"""Height and width, in cells of a latent."""


class Window(NamedTuple):
    """Some rows and columns of a latent; beyond an edge they may go on from the other one."""

    rows: torch.Tensor
    columns: torch.Tensor

    def of(self, picture: Any, factor: int = 1) -> Any:
        """What it shows of a picture, … × height × width, with so many pixels along a cell."""
        rows, columns = (finer(cells, factor).to(picture.device) for cells in self)
        return picture.index_select(-2, rows).index_select(-1, columns)


def finer(cells: torch.Tensor, factor: int) -> torch.Tensor:
    return (cells[:, None] * factor + torch.arange(factor)).flatten()


def windows(size: Sides, window: Sides, overlap: int, endless: tuple[bool, bool]) -> list[Window]:
    """Windows that cover a latent, evenly spread; along an endless side they go round."""
    rows, columns = map(spans, size, window, (overlap, overlap), endless)
    return [Window(down, across) for down in rows for across in columns]


def spans(side: int, tile: int, overlap: int, endless: bool) -> list[torch.Tensor]:
    """Where windows lie along a side, each at least `overlap` into the next."""
    if tile >= side:
        return [torch.arange(side)]
    overlap = min(overlap, tile // 2)
    if not endless:
        return [torch.arange(tile) + start for start in starts(side, tile, overlap)]
    count = -(-side // (tile - overlap))
    return [(torch.arange(tile) + side * index // count) % side for index in range(count)]


class Windows(Around):
    """Answers for a large latent with what its windows answer, each counting less towards its edges."""

    def __init__(self, parts: Sequence[tuple[Window, Any]], size: Sides, check: Callable[[], None]) -> None:
        super().__init__(parts[0][1])
        self.parts, self.check = tuple(parts), check
        weights = [hill(len(w.rows))[:, None] * hill(len(w.columns)) for w, _ in parts]
        total = torch.zeros(size)
        for (window, _), weight in zip(parts, weights, strict=True):
            total[window.rows[:, None], window.columns] += weight
        self.shares = [weight / w.of(total) for (w, _), weight in zip(parts, weights, strict=True)]

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> tuple[Any]:
        found = torch.zeros_like(sample)
        for (window, part), share in zip(self.parts, self.shares, strict=True):
            self.check()
            answer = part(window.of(sample), time, encoder_hidden_states=encoder_hidden_states, **rest)[0]
            found[..., window.rows[:, None], window.columns] += answer * share.to(answer)
        return (found,)


def hill(length: int) -> torch.Tensor:
    """How much each cell of a side counts: most in the middle, nowhere 0."""
    rise = torch.arange(length) + 0.5
    return torch.minimum(rise, rise.flip(0))
