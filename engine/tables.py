"""The tables of the cache: one SQLite file of calls, what they mention, and what last happened."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from engine.artifacts import Folder
from engine.digest import SIZE, hashed
from engine.errors import Damaged

FILE = "cache.db"
FORMAT = 1
"""Raised when the tables or encodings change; a file of another format is begun afresh."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS calls(
    key BLOB PRIMARY KEY, bytes INTEGER, seconds REAL, used REAL, data BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refs(
    key BLOB, sha256 TEXT, kind TEXT, PRIMARY KEY (key, sha256, kind)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refs_by_sha256 ON refs(sha256);
CREATE TABLE IF NOT EXISTS past(
    node TEXT, step TEXT, version INTEGER, epoch TEXT, inputs BLOB, at REAL,
    PRIMARY KEY (node, step)) WITHOUT ROWID;
"""
PAST_LIMIT = 50_000
"""Steps whose last call is remembered, to say why the next one ran."""
ORPHAN = 3600.0
"""Seconds after which a blob that no row mentions belongs to no writer any more."""
DAY = 86_400.0
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What a row holds besides figures."""

    digests: Sequence[bytes]
    values: Sequence[bytes]
    """Encoded; empty where a blob has it."""
    blobs: Sequence[str]
    """The SHA-256 of each such blob, in order."""
    artifacts: Sequence[str]
    made: str = ""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Record).decode


def forget_artifact(folder: Path, sha256: str) -> None:
    """Remove from a cache's folder every call whose inputs or outputs mention the artifact, from any process.

    What a worker holds in memory it forgets by `Cache.forget_artifact`.
    """
    file = folder / FILE
    if not file.is_file():
        return
    try:
        with closing(connect(file)) as db:
            query = "SELECT key FROM refs WHERE sha256 = ? AND kind = 'artifact'"
            keys = [key for (key,) in db.execute(query, (sha256,))]
            remove(db, Folder(folder / "blobs"), keys)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        set_aside(file)  # nothing can be read from it any more


def connect(file: Path | str) -> sqlite3.Connection:
    """A connection to a file with our tables; DatabaseError if it is damaged or of another format."""
    db = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a lost last batch is computed again
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise OtherFormat
        if found == 0:
            db.executescript(SCHEMA)
            db.execute(f"PRAGMA user_version = {FORMAT}")
    except BaseException:
        db.close()
        raise
    return db


class OtherFormat(sqlite3.DatabaseError):
    """The cache was written by another version of this program."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite itself rolls back when the disk is full
            db.execute("ROLLBACK")
        raise


def remove(db: sqlite3.Connection, blobs: Folder, keys: Sequence[bytes]) -> None:
    """Delete calls, and the blobs that no other call mentions."""
    if not keys:
        return
    one = [(key,) for key in keys]
    with transaction(db):
        query = "SELECT sha256 FROM refs WHERE key = ? AND kind = 'blob'"
        names = {name for key in one for (name,) in db.execute(query, key)}
        db.executemany("DELETE FROM calls WHERE key = ?", one)
        db.executemany("DELETE FROM refs WHERE key = ?", one)
    for name in names:
        if db.execute("SELECT 1 FROM refs WHERE sha256 = ? AND kind = 'blob'", (name,)).fetchone() is None:
            blobs.delete(name)


def evict(db: sqlite3.Connection, blobs: Folder, excess: int) -> None:
    """Remove what is cheapest to compute again for the room it takes, and was not used for long."""
    query = """SELECT key, bytes FROM calls
        ORDER BY (seconds + 0.001) / bytes / (1 + max(0, ? - used) / ?)"""
    keys = []
    for key, size in db.execute(query, (time.time(), DAY)):
        if excess <= 0:
            break
        keys.append(key)
        excess -= size
    remove(db, blobs, keys)


def tidy(db: sqlite3.Connection, blobs: Folder) -> None:
    """Remove what killed processes left, and history that is long past."""
    blobs.sweep()
    shutil.rmtree(blobs.root / "damaged", ignore_errors=True)
    known = {name for (name,) in db.execute("SELECT sha256 FROM refs WHERE kind = 'blob'")}
    for name in blobs.names():
        with suppress(FileNotFoundError):
            if name not in known and time.time() - blobs.path(name).stat().st_mtime > ORPHAN:
                blobs.delete(name)
    oldest = db.execute("SELECT at FROM past ORDER BY at DESC LIMIT 1 OFFSET ?", (PAST_LIMIT,)).fetchone()
    if oldest is not None:
        db.execute("DELETE FROM past WHERE at <= ?", oldest)


def sealed(record: Record) -> bytes:
    body = _pack(record)
    return hashed(body) + body


def unsealed(data: bytes) -> Record:
    """The record, if not a bit of it has changed; else Damaged."""
    if hashed(data[SIZE:]) != data[:SIZE]:
        raise Damaged
    return _unpack(data[SIZE:])


def set_aside(file: Path) -> None:
    """Keep one damaged file for whoever wants to look at it."""
    with suppress(FileNotFoundError):
        os.replace(file, file.with_suffix(".damaged"))
    for ending in ("-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def code_of(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    return code_of(error) in DAMAGE
