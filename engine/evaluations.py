"""Scores of artifacts: how good each is in some respect, what it was measured with, and which score best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from engine.assets import COLUMNS, Asset, AssetKind, Assets, asset_of
from engine.db import Database, Migration, Reading, Writing
from engine.events import Event
from engine.log import append
from engine.types import Score

Order = Literal["newest", "highest", "lowest"]


class Evaluation(Struct, frozen=True, omit_defaults=True):
    """One score of one artifact."""

    metric: str
    value: float
    at: float
    run: str = ""
    """The run that measured it."""
    prompt: str = ""
    """The words it was compared with, if that was measured."""
    reference: str = ""
    """The SHA-256 of the picture it was compared with."""
    model: str = ""
    """Who measured, by name and by content; empty if no model did."""
    model_sha256: str = ""


class Wanted(Struct, frozen=True):
    """Which artifacts, and in which order."""

    kind: AssetKind | None = None
    metric: str = ""
    """By which score they are chosen and sorted; those without one are left out."""
    order: Order = "newest"
    least: float | None = None
    most: float | None = None
    before: str = ""
    """Only what comes after this artifact, in this order."""
    limit: int = 50
    run: str | None = None
    """The run that made them last."""


class Ranked(Struct, frozen=True):
    """An artifact with the newest score of each metric."""

    asset: Asset
    scores: dict[str, float]


class Evaluations:
    """Every score of every artifact. They go when their artifact goes."""

    def __init__(self, db: Database, assets: Assets) -> None:
        self._db = db
        self._assets = assets

    async def record(self, scores: Sequence[Score], owner: str, run: str) -> None:
        """Keep what a run measured of this owner's artifacts; the same measured again replaces what was."""
        if not scores:
            return
        ids = [self._assets.id_of(owner, score.artifact.sha256) for score in scores]
        now = time.time()

        def record(db: Writing) -> None:
            known: dict[str, dict[str, float]] = {}
            for id, s in zip(ids, scores, strict=True):
                row = (s.metric, s.value, now, run, s.prompt, s.reference, s.model, s.model_sha256)
                if db.execute(RECORD, (*row, id, owner)).rowcount > 0:
                    known.setdefault(id, {})[s.metric] = s.value
            for id, values in known.items():
                data = {"id": id, "scores": values}
                append(db, Event("artifact.scored", owner=owner, job=run, data=data))

        await self._db.write(record)

    async def of(self, id: str, owner: str | None = None) -> list[Evaluation]:
        """The scores of an artifact, the newest first; NotFound if it is not this owner's."""
        await self._assets.get(id, owner)
        sql = f"SELECT {FIELDS} FROM evaluations WHERE asset = ? ORDER BY seq DESC"
        return [Evaluation(*row) for row in await self._db.read(lambda db: db.execute(sql, (id,)).fetchall())]

    async def artifacts(self, owner: str, wanted: Wanted) -> list[Ranked]:
        """An owner's artifacts, by age or by the newest score of a metric."""

        def artifacts(db: Reading) -> list[Ranked]:
            found = [asset_of(row) for row in db.execute(*query(owner, wanted))]
            return [Ranked(asset, newest(db, asset.id)) for asset in found]

        return await self._db.read(artifacts)


def newest(db: Reading, id: str) -> dict[str, float]:
    """The newest score of each metric."""
    sql = "SELECT metric, value FROM evaluations WHERE asset = ? ORDER BY seq"
    return dict(db.execute(sql, (id,)).fetchall())


def query(owner: str, wanted: Wanted) -> tuple[str, list[Any]]:
    """The statement for what is wanted, and its values. Of equal scores the newer comes first."""
    scored = bool(wanted.metric)
    rank = "value" if scored and wanted.order != "newest" else "0"
    limits = {"value >= ?": wanted.least, "value <= ?": wanted.most} if scored else {}
    terms = {"owner = ?": owner, "kind = ?": wanted.kind, "job = ?": wanted.run, **limits}
    used = {term: value for term, value in terms.items() if value is not None}
    found = f"SELECT *, {rank} AS place FROM assets {NEWEST if scored else ''} WHERE {' AND '.join(used)}"
    values = [*([owner, wanted.metric] if scored else []), *used.values()]
    compared, way = (">", "ASC") if wanted.order == "lowest" else ("<", "DESC")
    if wanted.before:
        found = f"WITH found AS ({found}), last AS (SELECT place, seq FROM found WHERE id = ?)"
        last = "(SELECT place FROM last)"
        older = f"place = {last} AND seq < (SELECT seq FROM last)"
        found += f" SELECT * FROM found WHERE place {compared} {last} OR ({older})"
        values.append(wanted.before)
    return f"SELECT {COLUMNS} FROM ({found}) ORDER BY place {way}, seq DESC LIMIT ?", [*values, wanted.limit]


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE evaluations (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, asset TEXT NOT NULL,
            metric TEXT NOT NULL, value REAL NOT NULL, at REAL NOT NULL, run TEXT NOT NULL,
            prompt TEXT NOT NULL, reference TEXT NOT NULL, model TEXT NOT NULL, model_sha256 TEXT NOT NULL,
            UNIQUE (asset, metric, prompt, reference, model_sha256))"""
    )
    db.execute("CREATE INDEX evaluations_metric ON evaluations (owner, metric, asset, seq)")
    db.execute(
        """CREATE TRIGGER assets_gone AFTER DELETE ON assets BEGIN
            DELETE FROM evaluations WHERE asset = OLD.id; END"""
    )


FIELDS = "metric, value, at, run, prompt, reference, model, model_sha256"
RECORD = f"""INSERT OR REPLACE INTO evaluations ({FIELDS}, asset, owner)
    SELECT ?, ?, ?, ?, ?, ?, ?, ?, id, owner FROM assets WHERE id = ? AND owner = ?"""
NEWEST = """JOIN (SELECT asset, value FROM evaluations WHERE seq IN (
    SELECT max(seq) FROM evaluations WHERE owner = ? AND metric = ? GROUP BY asset)) ON asset = assets.id"""
MIGRATIONS: tuple[Migration, ...] = (("evaluations 1", create),)
