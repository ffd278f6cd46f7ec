"""Call key → outputs; memory over disk."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.artifacts import mentions
from engine.digest import is_array
from engine.shelf import Cached, Past, Shelf, Waiting
from engine.tables import PAST_LIMIT, forget_artifact
from engine.types import Value

__all__ = ["Cache", "Cached", "forget_artifact", "mentions"]

NUMBERS = frozenset((float, int, bool, type(None)))
ROW = 600
"""Bytes that an entry takes in memory besides its values."""


def say(text: str) -> None:
    """Reports go to the log unless somebody else wants them."""
    logging.getLogger("tessera.cache").warning(text)


class Cache:
    """What calls gave, under their keys. Never wrong: what cannot be read back is computed again.

    `alone` says that no other process adds to the folder, which makes a miss cheap.
    `peek`, `keep` and `why` belong to one thread; the rest may be used from any. `report` is told, from any
    thread, what a person should know: a damaged file, a full disk.
    """

    def __init__(
        self,
        folder: Path | None,
        classes: Mapping[str, type[Value]],
        memory_limit: int,
        disk_limit: int,
        report: Callable[[str], None] = say,
        *,
        alone: bool = False,
    ) -> None:
        self.classes = classes
        """What may be built from disk; set anew when packs change."""
        self._memory = Memory(memory_limit)
        self._shelf = None if folder is None else Shelf(folder, disk_limit, report, alone=alone)
        self._history = History(self._shelf.past() if self._shelf else ())

    def peek(self, key: bytes) -> Cached | None:
        """What is in memory; quick enough to ask for every call."""
        return self._memory.get(key)

    def fetch(self, key: bytes) -> Cached | None:
        """What is in memory or on disk, verified."""
        found = self._memory.get(key)
        if found is not None or self._shelf is None:
            return found
        read = self._shelf.fetch(key, self.classes)
        if read is None:
            return None
        found, artifacts = read
        self._memory.put(key, found, weigh(found.values), artifacts)
        return found

    def keep(
        self,
        key: bytes,
        cached: Cached,
        *,
        node: str,
        version: int,
        step: str,
        epoch: str,
        inputs: dict[str, bytes],
        seconds: float,
        artifacts: tuple[str, ...] = (),
    ) -> None:
        """Remember a call: in memory now, on disk soon.

        `inputs` are the digests by name, not to be changed any more; `artifacts` the SHA-256 of the files
        that the inputs mention, so that deleting one forgets this call too.
        """
        size = weigh(cached.values)
        past = Past(version, epoch, inputs)
        self._memory.put(key, cached, size, artifacts)
        self._history.add(node, step, past)
        if self._shelf is not None:
            self._shelf.put(Waiting(key, cached, size, node, step, past, seconds, artifacts))

    def why(self, node: str, version: int, step: str, epoch: str, inputs: dict[str, bytes]) -> str:
        """Why this call has to run: what differs from the last call of its step, or else of its node."""
        return self._history.why(node, step, Past(version, epoch, inputs))

    def flush(self) -> None:
        """Return when everything kept so far is on disk."""
        if self._shelf is not None:
            self._shelf.flush()

    async def flushed(self) -> None:
        """The same, without holding up the loop."""
        if self._shelf is not None and self._shelf.busy:
            await asyncio.to_thread(self._shelf.flush)

    def forget_artifact(self, sha256: str) -> None:
        """Remove every call whose inputs or outputs mention the artifact, here and on disk."""
        self._memory.forget(sha256)
        if self._shelf is not None:
            self._shelf.flush()
            forget_artifact(self._shelf.folder, sha256)

    def close(self) -> None:
        """Write what waits, and let go of the files."""
        if self._shelf is not None:
            self._shelf.close()


class Memory:
    """The results used last, up to a limit in bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[bytes, tuple[Cached, int, tuple[str, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Cached | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            self._entries.move_to_end(key)
        except KeyError:  # another thread dropped it just now
            return None
        return entry[0]

    def put(self, key: bytes, cached: Cached, size: int, artifacts: tuple[str, ...]) -> None:
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            self._entries[key] = (cached, size, artifacts)
            self.bytes += size
            while self.bytes > self.limit:
                self.bytes -= self._entries.popitem(last=False)[1][1]

    def forget(self, sha256: str) -> None:
        with self._lock:
            for key, (cached, _, artifacts) in list(self._entries.items()):
                if sha256 in artifacts or sha256 in mentions(cached.values):
                    self._drop(key)

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry[1]


class History:
    """The last call of every step and node."""

    def __init__(self, before: Sequence[tuple[str, str, Past]]) -> None:
        self._steps: dict[tuple[str, str], Past] = {}
        self._nodes: dict[str, Past] = {}
        for node, step, past in before:
            self.add(node, step, past)

    def add(self, node: str, step: str, past: Past) -> None:
        place = (node, step)
        self._steps.pop(place, None)  # so that the order stays that of the last use
        self._steps[place] = self._nodes[node] = past
        if len(self._steps) > PAST_LIMIT:
            del self._steps[next(iter(self._steps))]

    def why(self, node: str, step: str, now: Past) -> str:
        past = self._steps.get((node, step)) or self._nodes.get(node)
        return "first run of this node" if past is None else difference(past, now)


def difference(past: Past, now: Past) -> str:
    """What changed between two calls of a node, as a person would say it."""
    known = past.digests()
    inputs = now.digests()
    changed = [name for name, digest in inputs.items() if known.get(name) != digest]
    if len(known) != len(inputs):
        changed += [name for name in known if name not in inputs]
    said = [f"node version {past.version} → {now.version}"] if past.version != now.version else []
    if past.epoch != now.epoch:
        said.append("torch, diffusers, device or dtype changed")
    if changed:
        said.append(f"{listed(changed)} changed")
    return "; ".join(said) or "its earlier result is no longer kept"


def listed(names: list[str]) -> str:
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def weigh(values: Sequence[Any]) -> int:
    """About how many bytes of memory a call's outputs take."""
    total = ROW
    for value in values:
        total += 32 if type(value) in NUMBERS else weight(value)
    return total


def weight(value: Any) -> int:
    kind = type(value)
    if kind in NUMBERS:
        return 32
    if kind is str or kind is bytes:
        return 56 + len(value)
    if is_array(value):
        return 128 + int(value.nbytes)
    if kind is list or kind is tuple:
        return 64 + sum(8 + weight(item) for item in value)
    if kind is dict:
        return 64 + sum(64 + len(key) + weight(item) for key, item in value.items())
    if isinstance(value, Value):
        return 64 + sum(8 + weight(getattr(value, name)) for name in value.__struct_fields__)
    return 64
