"""Cached results on disk: small ones in rows, large ones in files; written in batches by one thread."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from engine.artifacts import Folder, mentions
from engine.codecs import decode, encode
from engine.digest import digest
from engine.errors import Damaged, DiskFull, NotFound, TesseraError
from engine.tables import (
    FILE,
    FULL,
    PAST_LIMIT,
    Record,
    code_of,
    connect,
    evict,
    is_damage,
    remove,
    sealed,
    set_aside,
    tidy,
    transaction,
    unsealed,
)
from engine.types import Value

T = TypeVar("T")
SMALL = 8192
"""Encoded values up to this size live in the row."""
OVERHEAD = 150
"""Bytes that a row takes besides its values."""
GATHER = 0.02
"""Seconds in which a batch gathers."""
BATCH = 5000
BACKLOG = 1024**3
"""Bytes that may wait for the disk; what comes then stays in memory only."""
PAUSE = 60.0
"""Seconds until a disk that took no more is tried again."""
AFRESH = "The cache was damaged, or of another version; it is set aside, and a new one begun."
KEYS = 200_000
"""Entries up to which their keys are held in memory, so that a miss need not ask the file: about 16 MB."""
IDLE = 10.0
"""Seconds without work after which the folder is tidied, once."""

_pack, _unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


class Cached(NamedTuple):
    """What a call gave, with the digest of each output."""

    values: tuple[Any, ...]
    digests: tuple[bytes, ...]
    made: str = ""
    """The surroundings in which it was computed, as JSON: device, threads, libraries."""


class Past(NamedTuple):
    """A call as far as it matters for saying why the next one ran."""

    version: int
    epoch: str
    inputs: dict[str, bytes] | bytes
    """Digests by name; packed where it comes from disk, since few are ever looked at."""

    def digests(self) -> dict[str, bytes]:
        return _unpack(self.inputs, type=dict[str, bytes]) if isinstance(self.inputs, bytes) else self.inputs


class Waiting(NamedTuple):
    """A call on its way to disk."""

    key: bytes
    cached: Cached
    size: int
    node: str
    step: str
    past: Past
    seconds: float
    artifacts: tuple[str, ...]


class Shelf:
    """A folder of cached results. One thread writes; any may read; several processes may share it."""

    def __init__(
        self, folder: Path, limit: int, report: Callable[[str], None], *, alone: bool = False
    ) -> None:
        self.folder, self.limit, self.report = folder, limit, report
        self._alone = alone
        """No other process adds to this folder, so what is there can be known without looking."""
        self.blobs = Folder(folder / "blobs")
        self._queue: deque[Waiting] = deque()
        self._pending: dict[bytes, Waiting] = {}
        self._used: deque[bytes] = deque()
        self._broken: deque[bytes] = deque()
        self.bytes = self._put = self._written = 0
        self._put_bytes = self._written_bytes = 0
        self._crowded = self._damaged = self._stopping = False
        self._off_until = 0.0
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._done = threading.Condition()
        self._reading = threading.Lock()
        self._reader, self._writer = self._open()
        self._known = self._keys() if alone else None
        """Keys that may be there; None where only the file can tell."""
        self._thread = threading.Thread(target=self._write_on, name="tessera-cache", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether anything waits for the disk."""
        return self._written < self._put

    def put(self, call: Waiting) -> None:
        """Write the call soon. Only one thread puts."""
        if self._put_bytes - self._written_bytes > BACKLOG:
            if not self._crowded:
                self.report("Results come faster than the disk takes them; some are kept in memory only.")
            self._crowded = True
            return
        self._crowded = False
        self._put_bytes += call.size
        self._put += 1
        self._pending[call.key] = call
        if self._known is not None:
            self._known.add(call.key)
            if len(self._known) > KEYS:
                self._known = None
        self._queue.append(call)
        if not self._wake.is_set():
            self._wake.set()

    def fetch(self, key: bytes, classes: Mapping[str, type[Value]]) -> tuple[Cached, tuple[str, ...]] | None:
        """The call and the artifacts it mentions, verified."""
        if (waiting := self._pending.get(key)) is not None:
            return waiting.cached, waiting.artifacts
        if self._known is not None and key not in self._known:
            return None
        data = self._select(key)
        if data is None:
            return None
        try:
            record = unsealed(data)
            blobs = iter(record.blobs)
            parts = [part or self.blobs.get(next(blobs)) for part in record.values]
            cached = verified(parts, record, classes)
        except (Damaged, NotFound):
            self._lose(key)
            return None
        if cached is None:
            return None
        self._used.append(key)
        return cached, tuple(record.artifacts)

    def flush(self) -> None:
        """Return when all that was put so far is on disk, or was given up."""
        wanted = self._put
        with self._done:
            while self._written < wanted and self._thread.is_alive():
                self._hurry.set()
                self._wake.set()
                self._done.wait(0.1)

    def close(self) -> None:
        self._stopping = True
        self._hurry.set()
        self._wake.set()
        self._thread.join()
        with self._reading:
            self._reader.close()
        self._writer.close()

    def past(self) -> list[tuple[str, str, Past]]:
        """The last call of each step, oldest first."""
        query = "SELECT node, step, version, epoch, inputs FROM past ORDER BY at DESC LIMIT ?"
        try:
            with self._reading:
                rows = self._reader.execute(query, (PAST_LIMIT,)).fetchall()
        except sqlite3.DatabaseError as error:
            self._suspect(error)
            return []
        return [(node, step, Past(*past)) for node, step, *past in reversed(rows)]

    def _keys(self) -> set[bytes] | None:
        """Every key of the file, unless there are too many to hold."""
        try:
            rows = self._reader.execute("SELECT key FROM calls LIMIT ?", (KEYS + 1,)).fetchall()
        except sqlite3.Error as error:
            self._suspect(error)
            return None
        return None if len(rows) > KEYS else {row[0] for row in rows}

    def _select(self, key: bytes) -> bytes | None:
        try:
            with self._reading:
                row = self._reader.execute("SELECT data FROM calls WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._suspect(error)
            return None
        return None if row is None else row[0]

    def _lose(self, key: bytes) -> None:
        if self._select(key) is not None:  # else another process removed it just now
            self._broken.append(key)
            self._wake.set()
            self.report("A cached result was damaged; it is removed, and computed again.")

    def _suspect(self, error: sqlite3.Error) -> None:
        if is_damage(error):
            self._damaged = True
            self._wake.set()
        else:
            self.report(f"The cache could not be read: {error}.")

    # -- the writing thread

    def _write_on(self) -> None:
        idle: float | None = IDLE
        self._guard(self._measure)
        while True:
            if not self._wake.wait(idle):
                self._guard(lambda: tidy(self._writer, self.blobs))
                idle = None
                continue
            self._hurry.wait(GATHER)
            self._wake.clear()
            self._hurry.clear()
            last = self._stopping
            while self._turn():
                pass
            if last:
                return

    def _turn(self) -> bool:
        """Write what waits, at most one batch; whether there was any."""
        batch = drained(self._queue)
        broken, used = drained(self._broken), drained(self._used)
        if self._damaged:
            self._guard(self._restart)
        if batch or broken or used:
            self._guard(lambda: self._store(batch, broken, used))
        for call in batch:
            if self._pending.get(call.key) is call:
                del self._pending[call.key]
        with self._done:
            self._written += len(batch)
            self._written_bytes += sum(call.size for call in batch)
            self._done.notify_all()
        return bool(batch)

    def _guard(self, act: Callable[[], None]) -> None:
        """Do it, unless the disk is at rest; a damaged file is begun afresh, other trouble rests the disk."""
        if time.monotonic() < self._off_until:
            return
        try:
            try:
                act()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._restart()
                act()
        except (sqlite3.Error, OSError, TesseraError) as error:
            full = isinstance(error, DiskFull) or code_of(error) in FULL
            cause = "the disk is full" if full else f"the cache could not be written ({error})"
            self.report(f"Results are kept in memory only for a while: {cause}.")
            self._off_until = time.monotonic() + PAUSE

    def _measure(self) -> None:
        self.bytes = int(self._writer.execute("SELECT total(bytes) FROM calls").fetchone()[0])

    def _store(self, batch: list[Waiting], broken: list[bytes], used: list[bytes]) -> None:
        remove(self._writer, self.blobs, broken)  # first, for it deletes blobs that the batch may put anew
        now = time.time()
        refs: list[tuple[bytes, str, str]] = []
        rows = [row for call in batch if (row := self._row(call, now, refs)) is not None]
        past = {(call.node, call.step): call.past for call in batch}
        lines = ((*place, p.version, p.epoch, _pack(p.inputs), now) for place, p in past.items())
        with transaction(self._writer) as db:
            db.executemany("UPDATE calls SET used = ? WHERE key = ?", [(now, key) for key in used])
            db.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?, ?)", refs)
            db.executemany("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?, ?)", lines)
        self.bytes += sum(row[1] for row in rows)
        if self.bytes > self.limit:
            self._measure()
            evict(self._writer, self.blobs, self.bytes - self.limit * 9 // 10)
            self._measure()

    def _row(
        self, call: Waiting, now: float, refs: list[tuple[bytes, str, str]]
    ) -> tuple[bytes, int, float, float, bytes] | None:
        """A call as it is stored; None for values outside the closed list, which stay in memory."""
        key, (values, digests, made) = call.key, call.cached
        small, blobs, size = [], [], OVERHEAD
        try:
            for value in values:
                data = encode(value).data
                size += len(data)
                if len(data) > SMALL:
                    blobs.append(self.blobs.put(data))
                    data = b""
                small.append(data)
        except (TypeError, ValueError, RecursionError) as error:
            self.report(f"A result of {call.node} cannot be kept on disk: {error}.")
            return None
        artifacts = call.artifacts + mentions(values)
        refs += [(key, sha256, "blob") for sha256 in blobs]
        refs += [(key, sha256, "artifact") for sha256 in artifacts]
        return key, size, call.seconds, now, sealed(Record(digests, small, blobs, artifacts, made))

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        file = self.folder / FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                return connect(file), connect(file)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self.report(AFRESH)
                set_aside(file)
                return connect(file), connect(file)
        except (sqlite3.Error, OSError) as error:
            self.report(f"The cache could not be opened, results are kept in memory only: {error}.")
            self._off_until = float("inf")
            return connect(":memory:"), connect(":memory:")

    def _restart(self) -> None:
        self.report(AFRESH)
        with self._reading:
            self._reader.close()
            self._writer.close()
            set_aside(self.folder / FILE)
            self._reader, self._writer = self._open()
        self._damaged = False
        self.bytes = 0


def verified(parts: Sequence[bytes], record: Record, classes: Mapping[str, type[Value]]) -> Cached | None:
    """The values, if they are what was kept; else Damaged. None if their pack is not here now."""
    try:
        values = tuple(decode(part, classes) for part in parts)
    except NotFound:
        return None
    if [digest(value) for value in values] != list(record.digests):
        raise Damaged
    return Cached(values, tuple(record.digests), sys.intern(record.made))


def drained(queue: deque[T]) -> list[T]:
    """What is in the queue now, at most a batch; others may go on adding to it."""
    return [queue.popleft() for _ in range(min(len(queue), BATCH))]
