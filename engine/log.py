"""The append-only log: what happened, for an audit and for clients that reconnect, in the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from engine.db import Database, Migration, Reading, Writing
from engine.events import Event

Hear = Callable[[Event], None]


def append(db: Writing, event: Event) -> Event:
    """Store an event within a write, and tell it to the listeners once that is committed."""
    at = event.at or time.time()
    row = (at, event.kind, event.owner, event.job, msgspec.json.encode(event.data))
    cursor = db.execute("INSERT INTO events (at, kind, owner, job, data) VALUES (?, ?, ?, ?, ?)", row)
    stored = msgspec.structs.replace(event, seq=cursor.lastrowid, at=at)
    db.tell(stored)
    return stored


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
        where = "seq > ?"
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
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
            owner TEXT NOT NULL, job TEXT NOT NULL, data BLOB NOT NULL)"""
    )
    db.execute("CREATE INDEX events_job ON events (job, seq) WHERE job != ''")


MIGRATIONS: tuple[Migration, ...] = (("log 1", create),)
