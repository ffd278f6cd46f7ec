"""What the weight of a word does to how a text encoder read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch

Marks = Literal["a1111", "comfyui", "off"]
MEANS_NOTHING = 0.05
"""Part of the spread below which a mean is an accident, and its restoring would only rescale the prompt."""


def weighed(
    embeds: torch.Tensor, weights: Sequence[float], how: Marks, empty: Callable[[], torch.Tensor]
) -> torch.Tensor:
    """One part of a prompt, tokens × width; the very same tensor where every weight is 1.

    `weights` are those of its words: the start token before and the padding behind them count 1.
    """
    if how == "off" or all(weight == 1 for weight in weights):
        return embeds
    factors = torch.ones(len(embeds), 1, device=embeds.device)
    factors[1 : len(weights) + 1, 0] = torch.tensor(weights)
    whole = embeds.float()
    if how == "comfyui":
        ground = empty().float()
        return (ground + factors * (whole - ground)).to(embeds.dtype)
    scaled = whole * factors
    before, after = whole.mean(), scaled.mean()
    if before.abs() > MEANS_NOTHING * whole.std() and 0.5 < before / after < 2:
        scaled = scaled * (before / after)
    return scaled.to(embeds.dtype)
