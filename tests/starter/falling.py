"""Whether a lesson teaches: the loss of one batch falls while it is learnt."""

from typing import Any

import numpy as np
import torch
from recipe.hogwild import Lesson


def falls(model: Any, lesson: Lesson, *, updates: int = 6, rate: float = 1e-3) -> bool:
    """Learn the same batch a few times; true if its loss is finite and lower in the end."""
    model.train()
    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], rate)
    losses = []
    for _ in range(updates):
        torch.manual_seed(0)
        loss, _ = lesson.loss(model, np.random.default_rng(4), 0.5)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return bool(np.isfinite(losses).all()) and losses[-1] < 0.97 * losses[0]
