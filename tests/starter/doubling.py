"""A lesson that a line can learn."""

import sys
from pathlib import Path

import msgspec
import numpy as np
import torch
from recipe.hogwild import Plan, train
from torch import Tensor, nn

PLAN = Plan("line", 400, 0.05, warm=5, ema=0.9)


class Doubling:
    """Twice the number shown."""

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        x = torch.from_numpy(rng.normal(size=(16, 1)).astype(np.float32))
        loss = (model(x) - 2 * x).square().mean()
        return loss, {"loss": float(loss.detach())}


if __name__ == "__main__":
    train(nn.Linear(1, 1), Doubling, msgspec.structs.replace(PLAN, updates=10**8), Path(sys.argv[1]))
