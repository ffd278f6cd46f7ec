"""Between the arrays on wires and tensors, always in C order, since strides change the bits of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.types import Array


def tensor(array: Array) -> torch.Tensor:
    """A copy: values on wires are read-only, and torch cannot promise that."""
    return torch.from_numpy(np.array(array, order="C"))


def array(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Float32, on the CPU."""
    return np.ascontiguousarray(tensor.float().cpu().numpy())
