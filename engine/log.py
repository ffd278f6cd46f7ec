"""The append-only log: what happened, for an audit and for clients that reconnect, in chained rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from engine.db import Database, Migration, Reading, Writing
from engine.events import Event

Hear = Callable[[Event], None]


START = bytes(32)
"""What the first row is chained to."""
ERASED = b"\0"
"""Stands before the digest of an event's data where the data itself is gone; JSON never begins so."""
INSERT = "INSERT INTO events (seq, at, kind, owner, job, data, chain) VALUES (?, ?, ?, ?, ?, ?, ?)"
_encode = msgspec.json.Encoder().encode


def append(db: Writing, event: Event) -> Event:
    """Store an event within a write, and tell it to the listeners once that is committed."""
    stored = store(db, event, db.known.get("events") or head(db), db.known)
    db.tell(stored)
    return stored


def store(db: Reading, event: Event, after: tuple[int, bytes], known: dict[str, Any]) -> Event:
    """Write the row that follows the newest one."""
    seq, at, data = after[0] + 1, float(event.at or time.time()), _encode(event.data)
    chain = link(after[1], (seq, at, event.kind, event.owner, event.job, data))
    db.execute(INSERT, (seq, at, event.kind, event.owner, event.job, data, chain))
    known["events"] = seq, chain
    return msgspec.structs.replace(event, seq=seq, at=at)


def head(db: Reading) -> tuple[int, bytes]:
    """The number that was given last, and the link of the newest row."""
    row = db.execute("SELECT chain FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return newest(db), bytes(row[0]) if row else START


def link(before: bytes, row: tuple[int, float, str, str, str, bytes]) -> bytes:
    """SHA-256 over the link before, what the row says, and the SHA-256 of its data."""
    *said, data = row
    told = data[1:] if data[:1] == ERASED else sha256(data).digest()
    return sha256(_encode([before.hex(), *said, told.hex()])).digest()


def erase(db: Writing, job: str, kind: str) -> None:
    """Drop the data of a job's events of one kind; their rows stay, and so does the chain."""
    sql = "SELECT seq, data FROM events WHERE job = ? AND job != '' AND kind = ? AND data >= x'01'"
    found = db.execute(sql, (job, kind)).fetchall()
    gone = [(ERASED + sha256(data).digest(), seq) for seq, data in found]
    db.conn.executemany("UPDATE events SET data = ? WHERE seq = ?", gone)


class Log:
    """Every stored event of a database, whoever appended it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._last = 0

    async def open(self) -> None:
        """Learn the newest sequence number."""
        self._last = await self._db.read(newest)
        self._db.listen(self._note)

    @property
    def last_seq(self) -> int:
        """Sequence number of the newest event that listeners have heard."""
        return self._last

    async def emit(self, event: Event) -> Event:
        """Append an event; returns it with its sequence number."""
        return await self._db.write(lambda db: append(db, event))

    async def events(
        self, after: int = 0, *, owner: str | None = None, job: str = "", limit: int = 1000
    ) -> list[Event]:
        """Events after a sequence number, oldest first; an owner's come with those that concern everybody."""
        where = "seq > ? AND data >= x'01'"  # not those whose data is erased
        values: list[Any] = [after]
        if owner is not None:
            where += " AND owner IN (?, '')"
            values.append(owner)
        if job:
            where += " AND job = ? AND job != ''"  # the second lets SQLite see that its partial index will do
            values.append(job)
        sql = f"SELECT seq, at, kind, owner, job, data FROM events WHERE {where} ORDER BY seq LIMIT ?"
        return await self._db.read(lambda db: [event_of(row) for row in db.execute(sql, [*values, limit])])

    def listen(self, hear: Hear) -> None:
        """Call this on the event loop with each event, in order of sequence number, once it is committed."""
        self._db.listen(hear)

    def unlisten(self, hear: Hear) -> None:
        """Stop calling it."""
        self._db.unlisten(hear)

    def _note(self, event: Event) -> None:
        self._last = event.seq


def event_of(row: Any) -> Event:
    seq, at, kind, owner, job, data = row
    return Event(kind, seq, at, owner, job, msgspec.json.decode(data))


def newest(db: Reading) -> int:
    # Not max(seq): numbers of deleted events are not given again, and no client may see the count fall.
    given = "SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = 'events'"
    there = "SELECT max(seq) FROM events"  # more only if somebody has changed what was given
    return max(int(db.execute(sql).fetchone()[0] or 0) for sql in (given, there))


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
            owner TEXT NOT NULL, job TEXT NOT NULL, data BLOB NOT NULL)"""
    )
    db.execute("CREATE INDEX events_job ON events (job, seq) WHERE job != ''")


def chain(db: Reading) -> None:
    """Link the rows there are, some of which were deleted in their time; from here on none is missing."""
    db.execute("ALTER TABLE events ADD COLUMN chain BLOB NOT NULL DEFAULT x''")
    sql = "SELECT seq, at, kind, owner, job, data FROM events WHERE seq > ? ORDER BY seq LIMIT 5000"
    lines, seq, before = 0, 0, START
    while rows := db.execute(sql, (seq,)).fetchall():
        links = [before := link(before, row) for row in rows]
        pairs = [(new, row[0]) for new, row in zip(links, rows, strict=True)]
        db.conn.executemany("UPDATE events SET chain = ? WHERE seq = ?", pairs)
        lines, seq = lines + len(rows), rows[-1][0]
    if lines:
        data = {"lines": lines, "through": seq}
        store(db, Event("audit.began", data=data), (newest(db), before), {})


MIGRATIONS: tuple[Migration, ...] = (("log 1", create), ("log 2", chain))
