"""What hangs in the layers of a module: weights that come to the device in turns, or wait in eight bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from diffusers.hooks import apply_group_offloading
from diffusers.hooks.group_offloading import _get_group_onload_device, _is_group_offload_enabled

SMALL = torch.float8_e4m3fn
"""Three bits behind the point: layers are widened while they compute, norms and first layers always."""
HUNG = ("forward", "_diffusers_hook")
"""What the library hangs into each layer."""


def take_turns(module: Any, device: str | torch.device) -> None:
    """From now on each layer is brought to the device when it is called, and taken back afterwards."""
    apply_group_offloading(module, onload_device=torch.device(device), offload_type="leaf_level")


def device_of(module: Any) -> torch.device:
    """Where a module computes, wherever its weights lie."""
    found: torch.device = _get_group_onload_device(module) if in_turns(module) else module.device
    return found


def in_turns(module: Any) -> bool:
    return bool(_is_group_offload_enabled(module))


def shrink(module: Any, dtype: torch.dtype) -> None:
    """From now on weights wait in eight bits, and are widened to this format when their layer is called."""
    module.enable_layerwise_casting(storage_dtype=SMALL, compute_dtype=dtype)


def shrunk(module: Any) -> bool:
    return any(weight.dtype == SMALL for weight in module.parameters())


class Hung(NamedTuple):
    """What hangs in the layers of a module."""

    dtype: torch.dtype | None
    device: torch.device | None

    @classmethod
    def of(cls, module: Any) -> Hung:
        return cls(module.dtype if shrunk(module) else None, device_of(module) if in_turns(module) else None)

    def hang(self, module: Any) -> None:
        """Hang the same into the layers of a module."""
        if self.dtype is not None:
            shrink(module, self.dtype)
        if self.device is not None:
            take_turns(module, self.device)


@contextmanager
def at_rest(module: Any) -> Iterator[Hung]:
    """Nothing hangs in the layers while some are added, removed or copied; then it does as before."""
    hung = Hung.of(module)
    if hung != (None, None):
        for layer in module.modules():
            for name in HUNG:
                layer.__dict__.pop(name, None)
    try:
        yield hung
    finally:
        hung.hang(module)
