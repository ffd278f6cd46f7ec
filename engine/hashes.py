"""Hashes of files, remembered, so that big ones are read once."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec


class Remembered(NamedTuple):
    """What a file was like when its hash was taken."""

    bytes: int
    changed: int
    """Nanoseconds since 1970."""
    inode: int
    """Another file put in its place has another, whatever its time says."""
    sha256: str


class Memo:
    """File hashes, remembered by place, size, time of change and inode, so that big files are read once."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Remembered] | None = None

    def sha256(self, path: Path) -> str:
        stat = path.stat()
        now = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        place = str(path.resolve())
        with self._lock:
            then = self._read().get(place)
        if then is not None and then[:3] == now:
            return then.sha256
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        with self._lock:
            self._read()[place] = Remembered(*now, found)
            self._write()
        return found

    def _read(self) -> dict[str, Remembered]:
        if self._known is None:
            try:
                self._known = msgspec.json.decode(
                    self._file.read_bytes() if self._file else b"{}", type=dict[str, Remembered]
                )
            except (OSError, msgspec.DecodeError):  # a lost memo costs a second reading, nothing else
                self._known = {}
        return self._known

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}.tmp")
            draft.write_bytes(msgspec.json.encode(self._known))
            draft.replace(self._file)
        except OSError:  # a full or read-only disk: the hash is still right
            return
