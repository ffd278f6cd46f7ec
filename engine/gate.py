"""The edge of a worker: nothing leaves that nobody let out, and previews are looked at first."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from engine.cache import Cached
from engine.digest import digest
from engine.plan import Shape
from engine.policy import Guard, holds_value
from engine.safety import ONLINE, WORDS, Rules
from engine.types import Image


def rehearse(guard: Guard, rules: Rules) -> None:
    """Let the models that check look once at nothing: what they import takes seconds."""
    import numpy as np

    names = [checker.name for checker in rules.checkers if checker.name not in (WORDS, ONLINE)]
    for shape, shown in (
        (guard.picture, {"value": Image(np.zeros((8, 8, 3), np.uint8))}),
        (guard.prompt, {"text": "a picture"}),
    ):
        if names and shape is not None and shape.entry.declared is not None:
            shape.entry.declared.run(**shown, checkers=names, flagged="log")


class Vouched:
    """What may leave a run: what a check let through, and what our own effects made of that."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def add(self, result: Cached, port: int | None = None) -> None:
        """Let out what a call gave: one output, or all."""
        self._known.update(result.digests if port is None else result.digests[port : port + 1])

    def may_leave(self, value: Any, mark: bytes | None = None) -> bool:
        """Whether it was let out, or is plain data."""
        if not holds_value(value) or (mark or digest(value)) in self._known:
            return True
        return isinstance(value, list) and all(map(self.may_leave, value))


class Glimpses:
    """Previews of one run in Safe mode: one at a time is looked at; of those that wait the newest counts.

    So drawing never waits for a checker; a slow one only shows fewer previews.
    """

    def __init__(
        self,
        check: Shape | None,
        show: Callable[[str, Image], None],
        ambient: contextvars.Context,
        pool: Executor,
    ) -> None:
        self._check = None if check is None else check.entry.declared
        self._show, self._ambient, self._pool = show, ambient, pool
        self._lock = threading.Lock()
        self._waiting: dict[str, Image] = {}
        self._busy = False

    def offer(self, step: str, image: Image) -> None:
        """A preview of a step; comes from the node's thread."""
        with self._lock:
            self._waiting[step] = image
            if self._busy:
                return
            self._busy = True
        self._pool.submit(self._ambient.copy().run, self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                step = next(iter(self._waiting))
                image = self._waiting.pop(step)
            if self._passes(image):
                self._show(step, image)

    def _passes(self, image: Image) -> bool:
        try:
            return self._check is not None and bool(self._check.run(value=image, flagged="block").allowed)
        except Exception:  # whatever a checker fails with: what was not looked at is not shown
            return False
