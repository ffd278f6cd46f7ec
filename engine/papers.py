"""The receipts of artifacts, kept and found. A receipt stays as long as an artifact has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from engine import made
from engine.db import Database, Migration, Reading, Writing
from engine.digest import hashed
from engine.errors import NotFound, shown
from engine.receipt import Paper, Receipt
from engine.rows import ASKED


class Kept(Struct):
    """A receipt with what it takes to make the artifact again."""

    receipt: Receipt
    document: bytes
    inputs: dict[str, Any]
    targets: list[str] | None
    answers: dict[str, str]


class Papers:
    """The receipt of every artifact that was made here: that of the run which made it last."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, job: str, papers: list[Paper], ids: Mapping[str, str]) -> None:
        """Keep what a run says of its files; `ids` names each artifact by its SHA-256."""

        def keep(db: Writing) -> None:
            for paper in papers:
                insert(db, job, paper, ids)

        if papers:
            await self._db.write(keep)

    async def get(self, asset: str) -> Kept:
        """The receipt of an artifact, or NotFound."""
        row = await self._db.read(lambda db: db.execute(SELECT, (asset,)).fetchone())
        if row is None:
            remedy = "Uploads have none; nor have files that were made before receipts were kept."
            raise NotFound(f"There is no receipt of artifact {shown(asset)}.", remedy=remedy)
        data, document, inputs, targets, answers, job, place = row
        receipt = RECEIPT.decode(data)
        receipt.run, receipt.step = job, place
        return Kept(receipt, document, unpack(inputs), unpack(targets), unpack(answers))

    async def having(self, assets: list[str]) -> set[str]:
        """Which of these artifacts have a receipt."""
        sql = f"SELECT asset FROM papers WHERE asset IN ({', '.join('?' * len(assets))})"
        rows = await self._db.read(lambda db: db.execute(sql, assets).fetchall())
        return {asset for (asset,) in rows}


def insert(db: Writing, job: str, paper: Paper, ids: Mapping[str, str]) -> None:
    row = db.execute("SELECT digest, asked FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:  # expired just now
        return
    document, asked = row[0], ASKED.decode(row[1])
    answers = dict(db.execute("SELECT call, choice FROM answers WHERE job = ?", (job,)).fetchall())
    data = msgspec.msgpack.encode(paper.receipt)
    known = hashed(data + document)
    given = [msgspec.json.encode(part) for part in (asked.inputs, asked.targets, answers)]
    db.execute("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?, ?)", (known, data, document, *given))
    for sha256, place in paper.files.items():
        if sha256 in ids:
            db.execute(INSERT, (ids[sha256], known, job, place))
    made.insert(db, paper, ids, asked)


def unpack(data: bytes) -> Any:
    return msgspec.json.decode(data)


def create(db: Reading) -> None:
    for statement in SCHEMA:
        db.execute(statement)


RECEIPT = msgspec.msgpack.Decoder(Receipt)
INSERT = """INSERT INTO papers VALUES (?, ?, ?, ?) ON CONFLICT (asset)
    DO UPDATE SET receipt = excluded.receipt, job = excluded.job, place = excluded.place"""
SELECT = """SELECT data, documents.document, inputs, targets, answers, job, place FROM papers
    JOIN receipts ON receipts.digest = papers.receipt JOIN documents ON documents.digest = receipts.document
    WHERE asset = ?"""
SCHEMA = (
    # Files that one step made in a loop share their receipt.
    """CREATE TABLE receipts (
        digest BLOB PRIMARY KEY, data BLOB NOT NULL, document BLOB NOT NULL,
        inputs BLOB NOT NULL, targets BLOB NOT NULL, answers BLOB NOT NULL)""",
    "CREATE INDEX receipts_document ON receipts (document)",
    """CREATE TABLE papers (
        asset TEXT PRIMARY KEY, receipt BLOB NOT NULL, job TEXT NOT NULL, place TEXT NOT NULL)""",
    "CREATE INDEX papers_receipt ON papers (receipt)",
    """CREATE TRIGGER papers_go AFTER DELETE ON assets BEGIN
        DELETE FROM papers WHERE asset = OLD.id; END""",
    """CREATE TRIGGER receipts_go AFTER DELETE ON papers BEGIN
        DELETE FROM receipts WHERE digest = OLD.receipt
            AND NOT EXISTS (SELECT 1 FROM papers WHERE receipt = OLD.receipt); END""",
    """CREATE TRIGGER receipts_give_way AFTER UPDATE OF receipt ON papers BEGIN
        DELETE FROM receipts WHERE digest = OLD.receipt
            AND NOT EXISTS (SELECT 1 FROM papers WHERE receipt = OLD.receipt); END""",
    # A workflow outlives its runs where a file still tells of it.
    """CREATE TRIGGER documents_stay BEFORE DELETE ON documents
        WHEN EXISTS (SELECT 1 FROM receipts WHERE document = OLD.digest) BEGIN
        SELECT RAISE(IGNORE); END""",
)
MIGRATIONS: tuple[Migration, ...] = (("receipts 1", create), *made.MIGRATIONS)
