"""What all denoisers learn: the velocity from noise to picture at a random step."""

import numpy as np
import torch
from torch import Tensor

from .base import STEPS


def some_steps(rng: np.random.Generator, count: int, bend: float = 0.85) -> Tensor:
    """Random steps, (count,) of 0 to 999; below 1, `bend` gives more of the noisy ones."""
    return torch.from_numpy((STEPS * rng.random(count) ** bend).astype(np.int64))


def noised(clean: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (n, 4, ...) with noise, and the velocity; `left` (n,) is the part of the power that stays."""
    left = left.view(-1, *[1] * (clean.ndim - 1))
    noise = torch.randn_like(clean)
    return (
        left.sqrt() * clean + (1 - left).sqrt() * noise,
        left.sqrt() * noise - (1 - left).sqrt() * clean,
    )


def mean(errors: Tensor) -> float:
    """The mean of some errors, to be told; not a number where there are none."""
    return float(errors.mean()) if len(errors) else float("nan")
