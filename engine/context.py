"""What a running node may say to the world: five words, and no services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

from engine.errors import Cancelled
from engine.types import Image, Value

T = TypeVar("T")


class Context:
    """Given to a node that asks for it, one per call; safe to use from the node's thread."""

    __slots__ = ("_cancelled", "_preview", "_progress", "thrift")

    def __init__(
        self,
        progress: Callable[[float], None] = lambda fraction: None,
        preview: Callable[[Image], None] = lambda image: None,
        cancelled: Callable[[], bool] = lambda: False,
        thrift: int = 0,
    ) -> None:
        self._progress = progress
        self._preview = preview
        self._cancelled = cancelled
        self.thrift = thrift
        """0 normally; raised by the engine each time the node ran out of memory and is tried with less."""

    def check(self) -> None:
        """Stop here if the run was cancelled."""
        if self._cancelled():
            raise Cancelled

    def progress(self, fraction: float) -> None:
        """Say how much is done, 0 to 1."""
        self.check()
        self._progress(fraction)

    def preview(self, image: Image) -> None:
        """Show a picture of the work so far."""
        self._preview(image)

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Iterate, reporting progress and stopping at once when the run is cancelled."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items, 1):
            self.check()
            yield item
            if total:
                self._progress(done / total)


SILENT = Context()
"""Talks to nobody and is never cancelled: the default, so that a node stays a plain function."""

Answer = Callable[[str, Sequence[str], Sequence[Value]], Awaitable[str]]
"""Asks a person: (question, options, pictures) to the option chosen. Injected like the context; the job waits
for the answer without holding a lane, and the answer is remembered with the job."""


async def nobody(question: str, options: Sequence[str], pictures: Sequence[Value]) -> str:
    """Answers with the first option: the default outside the engine, so that a node stays callable."""
    return options[0] if options else ""
