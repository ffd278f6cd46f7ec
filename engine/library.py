"""Saved workflows: shipped ones and users' own, every version kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.db import Database, Migration, Reading, Writing
from engine.errors import Conflict, Invalid, NotFound, Problem, Stale, shown
from engine.events import Event
from engine.log import append
from engine.node import NAME


class Entry(Struct, frozen=True):
    """One version of a workflow, or the mark that it was deleted: then it has no document."""

    document: bytes | None
    etag: str
    version: int = 0
    """From 1; 0 is the shipped one."""
    saved: float = 0.0

    @property
    def shipped(self) -> bool:
        return self.version == 0


class Head(Struct):
    """What a listing tells of a document."""

    title: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    published: bool = True


class Library:
    """Workflows by name, in whatever folder. An owner's own shadows the shipped one until it is deleted."""

    def __init__(self, db: Database, shipped: Path, check: Callable[[bytes], None]) -> None:
        self._db = db
        self._shipped = shipped
        self._check = check

    async def names(self, owner: str) -> list[dict[str, Any]]:
        """What this owner can run, by name."""

        def names(db: Reading) -> list[dict[str, Any]]:
            own = "SELECT DISTINCT name FROM workflows WHERE owner = ?"
            known = {row[0] for row in db.execute(own, (owner,))} | {path.stem for path in self._files()}
            entries = ((name, self._current(db, name, owner)) for name in sorted(known))
            return [described(name, entry) for name, entry in entries if entry]

        return await self._db.read(names)

    async def get(self, name: str, owner: str, version: int | None = None) -> tuple[bytes, str]:
        """A document and its etag; `version` names an earlier one, 0 the shipped one."""
        check_name(name)

        def get(db: Reading) -> Entry | None:
            if version is None:
                return self._current(db, name, owner)
            return self._from_file(name) if version == 0 else saved(db, name, owner, version)

        entry = await self._db.read(get)
        if entry is None or entry.document is None:
            raise missing(name, version)
        return entry.document, entry.etag

    async def check_published(self, name: str, owner: str) -> None:
        """Raise NotFound unless a workflow is there, and is an app."""
        document, _ = await self.get(name, owner)
        if not described(name, Entry(document, ""))["published"]:
            raise NotFound(f"The workflow {name} is not published.", remedy="Run it by POST /api/runs.")

    async def put(self, name: str, owner: str, document: bytes, if_match: str | None = None) -> str:
        """Save as the newest version, unless nothing changed; the etag.

        `if_match` is the etag that must be current, "*" any: Stale otherwise.
        """
        check_name(name)
        self._check(document)
        etag = etag_of(document)

        def put(db: Writing) -> str:
            now = self._current(db, name, owner)
            match(name, now, if_match)
            if now is None or now.etag != etag:
                version = self._store(db, name, owner, document, etag)
                data = {"name": name, "version": version, "etag": etag}
                append(db, Event("workflow.saved", owner=owner, data=data))
            return etag

        return await self._db.write(put)

    async def delete(self, name: str, owner: str, if_match: str | None = None) -> None:
        """Delete the owner's own; a shipped one of that name is back. Its versions can still be read."""
        check_name(name)

        def delete(db: Writing) -> None:
            now = self._current(db, name, owner)
            if now is None:
                raise missing(name, None)
            match(name, now, if_match)
            if now.shipped:
                remedy = "Save one of that name to use it instead."
                raise Conflict(f"The workflow {name} is shipped and cannot be deleted.", remedy=remedy)
            self._store(db, name, owner, None, "")
            append(db, Event("workflow.deleted", owner=owner, data={"name": name}))

        await self._db.write(delete)

    async def versions(self, name: str, owner: str) -> list[dict[str, Any]]:
        """Every version, newest first: {version, etag, saved, bytes, shipped, deleted}."""
        check_name(name)

        def versions(db: Reading) -> list[Entry]:
            sql = f"{ENTRY} ORDER BY version DESC"
            entries = [Entry(*row) for row in db.execute(sql, (owner, name))]
            return [*entries, *filter(None, [self._from_file(name)])]

        if not (entries := await self._db.read(versions)):
            raise missing(name, None)
        return [
            facts(entry) | {"bytes": len(entry.document or b""), "deleted": entry.document is None}
            for entry in entries
        ]

    def _current(self, db: Reading, name: str, owner: str) -> Entry | None:
        """The owner's own if there is one and it was not deleted, else the shipped one."""
        own = saved(db, name, owner)
        return own if own and own.document is not None else self._from_file(name)

    def _from_file(self, name: str) -> Entry | None:
        for folder in ("", "*/"):  # a name has no characters that mean something in a pattern
            for path in self._shipped.glob(f"{folder}{name}.json"):
                document = path.read_bytes()
                return Entry(document, etag_of(document))
        return None

    def _files(self) -> Iterator[Path]:
        """Shipped ones, in their folder or one folder deeper; a name is that of one file alone."""
        found = (path for folder in ("", "*/") for path in self._shipped.glob(f"{folder}*.json"))
        return (path for path in found if NAME.fullmatch(path.stem))

    def _store(self, db: Writing, name: str, owner: str, document: bytes | None, etag: str) -> int:
        last = saved(db, name, owner)
        version = last.version + 1 if last else 1
        row = (owner, name, version, document, etag, time.time())
        db.execute("INSERT INTO workflows VALUES (?, ?, ?, ?, ?, ?)", row)
        return version


def etag_of(document: bytes) -> str:
    """Names this content."""
    return hashlib.sha256(document).hexdigest()[:32]


def saved(db: Reading, name: str, owner: str, version: int | None = None) -> Entry | None:
    """This version of an owner's own, or its newest."""
    wanted = "ORDER BY version DESC LIMIT 1" if version is None else "AND version = ?"
    values = (owner, name) if version is None else (owner, name, version)
    row = db.execute(f"{ENTRY} {wanted}", values).fetchone()
    return Entry(*row) if row else None


def match(name: str, now: Entry | None, if_match: str | None) -> None:
    if if_match is None or (now and if_match in ("*", now.etag)):
        return
    found = f"is at {now.etag}" if now else "does not exist"
    raise Stale(
        f"The workflow {name} {found}, not at {shown(if_match)}.",
        remedy="Load it again and redo the change, or save it under another name.",
    )


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        want = "a letter or _, then up to 63 letters, digits, _ or -"
        raise Invalid([Problem("bad_name", input="name", got=shown(name), want=want)])


def missing(name: str, version: int | None) -> NotFound:
    return NotFound(f"There is no workflow {name}{'' if version is None else f' of version {version}'}.")


def described(name: str, entry: Entry) -> dict[str, Any]:
    """An entry as a listing shows it."""
    try:
        head = msgspec.json.decode(entry.document or b"", type=Head)
    except msgspec.DecodeError:  # a shipped file that somebody broke is listed, and explained when it is run
        head = Head()
    return {"name": name, **msgspec.structs.asdict(head), **facts(entry)}


def facts(entry: Entry) -> dict[str, Any]:
    return {"version": entry.version, "etag": entry.etag, "saved": entry.saved, "shipped": entry.shipped}


ENTRY = "SELECT document, etag, version, saved FROM workflows WHERE owner = ? AND name = ?"


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE workflows (
            owner TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
            document BLOB, etag TEXT NOT NULL, saved REAL NOT NULL, PRIMARY KEY (owner, name, version))"""
    )


MIGRATIONS: tuple[Migration, ...] = (("library 1", create),)
