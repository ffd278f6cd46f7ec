"""A data folder has one owner: a lock that dies with its process, and a note of how to reach it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from engine.errors import Owned

LOCK, NOTE = "owner.lock", "owner.json"
PROBE = 0.05
"""Seconds between tries: somebody who only asks who the owner is holds the lock for an instant."""


class Owner(Struct):
    """Who has the data folder, and where it listens."""

    pid: int
    url: str = ""
    token: str = ""


class Ownership:
    """Holds the lock until it is released or the process ends, however it ends."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._note = data / NOTE
        self._file: IO[bytes] = open(data / LOCK, "a+b")  # noqa: SIM115  # held for as long as we live
        if not locked_soon(self._file):
            self._file.close()
            other = read_note(self._note)
            who = f"process {other.pid}" if other else "another process"
            at = f" at {other.url}" if other and other.url else ""
            remedy = "Use that one, stop it, or give --data another folder."
            raise Owned(f"The data folder {data.name} belongs to {who}{at}.", remedy=remedy)
        self.tell(Owner(os.getpid()))

    def tell(self, owner: Owner) -> None:
        """Write down how to reach the owner; readable by this user only, since it may hold the token."""
        temporary = self._note.with_suffix(".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(owner))
        os.replace(temporary, self._note)

    def release(self) -> None:
        self._note.unlink(missing_ok=True)
        self._file.close()


def owner_of(data: Path) -> Owner | None:
    """The live owner of a data folder, or None."""
    path = data / LOCK
    if not path.is_file():
        return None
    with open(path, "a+b") as file:
        if locked(file):
            return None
    return read_note(data / NOTE)


def read_note(path: Path) -> Owner | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def locked_soon(file: IO[bytes]) -> bool:
    """Whether we hold the lock, after a few tries."""
    for _ in range(5):
        if locked(file):
            return True
        time.sleep(PROBE)
    return False


def locked(file: IO[bytes]) -> bool:
    """Whether we now hold the lock; never waits."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
