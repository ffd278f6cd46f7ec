"""Drafts: what editors have open and nobody saved yet. They never touch the workflow of their name."""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from engine.db import Database, Migration, Reading, Writing
from engine.errors import Invalid, NotFound, Problem, shown
from engine.node import NAME

KEPT = 200
"""Drafts of one owner; the oldest go."""


class Draft(Struct, frozen=True):
    """What is known of a draft beside its document."""

    id: str
    name: str
    """The workflow that it is of; empty for one that was never saved."""
    base: str
    """The ETag of the version that it began with."""
    title: str
    saved: float
    """Seconds since 1970."""
    bytes: int


class Head(Struct):
    """What a listing tells of a document that may not be finished."""

    title: str = ""


class Drafts:
    """One document for each editor window that changed something."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, id: str, owner: str, document: bytes, *, name: str = "", base: str = "") -> Draft:
        """Keep what the editor shows now, in place of what this draft was."""
        check("id", id)
        if name:
            check("name", name)
        draft = Draft(id, name, base[:80], title_of(document), time.time(), len(document))

        def put(db: Writing) -> Draft:
            row = (owner, id, name, draft.base, draft.title, draft.saved, document)
            db.execute("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            db.execute(TOO_MANY, (owner, owner, KEPT))
            return draft

        return await self._db.write(put)

    async def get(self, id: str, owner: str) -> bytes:
        """The document, or NotFound."""
        sql = "SELECT document FROM drafts WHERE owner = ? AND id = ?"
        found = await self._db.read(lambda db: db.execute(sql, (owner, id)).fetchone())
        if found is None:
            raise NotFound(f"There is no draft {shown(id)}.")
        document: bytes = found[0]
        return document

    async def list(self, owner: str, name: str | None = None) -> list[Draft]:
        """This owner's, newest first; with a name those of one workflow."""

        def drafts(db: Reading) -> list[Draft]:
            return [Draft(*row) for row in db.execute(LIST, (owner, name, name))]

        return await self._db.read(drafts)

    async def delete(self, id: str, owner: str) -> None:
        """Drop it, if it is there."""

        def delete(db: Writing) -> None:
            db.execute("DELETE FROM drafts WHERE owner = ? AND id = ?", (owner, id))

        await self._db.write(delete)


def check(input: str, given: str) -> None:
    if not NAME.fullmatch(given):
        want = "a letter or _, then up to 63 letters, digits, _ or -"
        raise Invalid([Problem("bad_name", input=input, got=shown(given), want=want)])


def title_of(document: bytes) -> str:
    try:
        return msgspec.json.decode(document, type=Head).title[:200]
    except msgspec.DecodeError:  # a draft may be anything
        return ""


LIST = """SELECT id, name, base, title, saved, length(document) FROM drafts
    WHERE owner = ? AND (? IS NULL OR name = ?) ORDER BY saved DESC, id"""
TOO_MANY = """DELETE FROM drafts WHERE owner = ? AND id IN
    (SELECT id FROM drafts WHERE owner = ? ORDER BY saved DESC LIMIT -1 OFFSET ?)"""


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE drafts (
            owner TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, base TEXT NOT NULL,
            title TEXT NOT NULL, saved REAL NOT NULL, document BLOB NOT NULL,
            PRIMARY KEY (owner, id)) WITHOUT ROWID"""
    )


MIGRATIONS: tuple[Migration, ...] = (("drafts 1", create),)
