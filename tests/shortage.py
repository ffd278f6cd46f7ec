"""Memory that runs out in calls of models, in the words of a graphics card."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules import module as every

from nodes._lib.wraps import Around

NEEDED = 20 * 1024**2
SAYS = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 8.00 GiB "
    "of which 12.00 MiB is free."
)


class Shortage:
    """Counts the calls of models by their class, those that no other model makes, and lets some fail."""

    def __init__(self, failing: Collection[int], kinds: Collection[str]) -> None:
        self.failing = failing
        self.kinds = kinds
        self.calls: Counter[str] = Counter()
        self.failed = 0
        self._depth = threading.local()

    def enter(self, module: Any, given: Any) -> None:
        if isinstance(module, Around):
            return
        depth = self._depth.value = getattr(self._depth, "value", 0) + 1
        if depth == 1 and not type(module).__module__.startswith("torch.nn"):  # which are single layers
            self.count(type(module).__name__)

    def count(self, kind: str) -> None:
        self.calls[kind] += 1
        if self.calls[kind] - 1 in self.failing and (kind in self.kinds or not self.kinds):
            self.failed += 1
            raise torch.OutOfMemoryError(SAYS)

    def leave(self, module: Any, given: Any, found: Any) -> None:
        if not isinstance(module, Around):
            self._depth.value -= 1


@contextmanager
def shortage(failing: Collection[int] = (), kinds: Collection[str] = ()) -> Iterator[Shortage]:
    """Run out of memory in these calls, counted from 0, of each of these kinds of models; of all if none."""
    short = Shortage(failing, kinds)
    hooks = (
        every.register_module_forward_pre_hook(short.enter),
        every.register_module_forward_hook(short.leave, always_call=True),
    )
    try:
        yield short
    finally:
        for hook in hooks:
            hook.remove()
