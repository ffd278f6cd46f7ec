"""Which artifacts there are, and whose. An id names owner and content: a digest alone is no permission."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Collection
from typing import Any, Literal

from msgspec import Struct

from engine.db import Database, Migration, Reading, Writing
from engine.errors import NotFound, shown
from engine.events import Event
from engine.log import append
from engine.types import Artifact

AssetKind = Literal["input", "output"]


class Asset(Struct, frozen=True):
    """An artifact as one owner has it."""

    id: str
    owner: str
    artifact: Artifact
    kind: AssetKind
    job: str
    """The job that made it last, or empty."""
    created: float


AssetList = list[Asset]  # a name of its own, because `list` is a verb below


class Assets:
    """Every artifact of every owner. The bytes themselves are in `artifacts`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._secret = b""

    async def open(self) -> None:
        """Read the secret that makes ids unguessable."""
        sql = "SELECT secret FROM asset_secret"
        self._secret = await self._db.read(lambda db: bytes(db.execute(sql).fetchone()[0]))

    def id_of(self, owner: str, sha256: str) -> str:
        """The id under which this owner has, or would have, this content."""
        if not self._secret:
            raise RuntimeError("open the assets first")
        named = f"{len(owner)}:{owner}{sha256}".encode()
        hashed = hashlib.blake2b(named, key=self._secret, digest_size=15).digest()
        return base64.b32encode(hashed).decode().lower()

    async def add(self, artifact: Artifact, owner: str, kind: AssetKind, job: str = "") -> str:
        """Register it; its id. A second time keeps name and type, and renews the time it expires from.

        What was uploaded once stays an input, which does not expire.
        """
        asset = Asset(self.id_of(owner, artifact.sha256), owner, artifact, kind, job, time.time())
        await self._db.write(lambda db: insert(db, asset))
        return asset.id

    async def get(self, id: str, owner: str | None = None) -> Artifact:
        """An artifact of this owner (None: of anybody), or NotFound."""
        return (await self._db.read(lambda db: load(db, id, owner))).artifact

    async def reports(self, id: str, owner: str, limit: int = 200) -> AssetList:
        """The newest JSON files of this owner; those of the job that made this artifact come first."""

        def reports(db: Reading) -> AssetList:
            job = load(db, id, owner).job
            where = "WHERE owner = ? AND mime = 'application/json' ORDER BY job = ? DESC, seq DESC LIMIT ?"
            return [asset_of(row) for row in db.execute(f"{SELECT} {where}", (owner, job, limit))]

        return await self._db.read(reports)

    async def of_job(self, job: str, owner: str) -> AssetList:
        """What this job was the last to make, oldest first."""
        sql = f"{SELECT} WHERE job = ? AND job != '' AND owner = ? ORDER BY seq"
        rows = await self._db.read(lambda db: db.execute(sql, (job, owner)).fetchall())
        return [asset_of(row) for row in rows]

    async def delete(self, id: str, owner: str | None = None) -> tuple[str, bool]:
        """Forget it: its sha256, and whether nobody has this content any more."""

        def delete(db: Writing) -> tuple[str, bool]:
            return remove(db, load(db, id, owner))

        return await self._db.write(delete)

    async def expire(
        self, before: float, *, spare: Collection[str] = (), limit: int = 500
    ) -> list[tuple[str, bool]]:
        """Forget outputs last made before this time, but for the sha256 to spare; each as `delete` says."""

        def expire(db: Writing) -> list[tuple[str, bool]]:
            sql = f"{SELECT} WHERE kind = 'output' AND renewed < ? ORDER BY renewed"
            old = [asset_of(row) for row in db.execute(sql, (before,))]
            unused = [asset for asset in old if asset.artifact.sha256 not in spare]
            return [remove(db, asset) for asset in unused[:limit]]

        return await self._db.write(expire)

    async def list(
        self, owner: str | None = None, kind: AssetKind | None = None, before: str = "", limit: int = 50
    ) -> AssetList:
        """Newest first, older than the id `before`."""
        older = "seq < (SELECT seq FROM assets WHERE id = ?)"
        given = {"owner = ?": owner, "kind = ?": kind, older: before or None}
        used = {term: value for term, value in given.items() if value is not None}
        where = f"WHERE {' AND '.join(used)}" if used else ""
        sql = f"{SELECT} {where} ORDER BY seq DESC LIMIT ?"
        rows = await self._db.read(lambda db: db.execute(sql, [*used.values(), limit]).fetchall())
        return [asset_of(row) for row in rows]


COLUMNS = "id, owner, sha256, mime, bytes, name, width, height, kind, job, created"
SELECT = f"SELECT {COLUMNS} FROM assets"


def load(db: Reading, id: str, owner: str | None) -> Asset:
    row = db.execute(f"{SELECT} WHERE id = ?", (id,)).fetchone()
    if row is None or owner not in (None, row[1]):
        raise NotFound(f"There is no artifact {shown(id)}.")
    return asset_of(row)


def asset_of(row: Any) -> Asset:
    id, owner, *content, kind, job, created = row
    return Asset(id, owner, Artifact(*content), kind, job, created)


def insert(db: Writing, asset: Asset) -> None:
    known = db.execute("SELECT 1 FROM assets WHERE id = ?", (asset.id,)).fetchone()
    if known:
        values = (asset.created, asset.kind, asset.job, asset.job, asset.id)
        db.execute(AGAIN, values)
        return
    new = asset.artifact
    content = (new.sha256, new.mime, new.bytes, new.name, new.width, new.height)
    row = (asset.id, asset.owner, *content, asset.kind, asset.job, asset.created, asset.created)
    db.execute(f"INSERT INTO assets ({COLUMNS}, renewed) VALUES ({', '.join('?' * len(row))})", row)
    data = {"id": asset.id, "kind": asset.kind, "mime": new.mime, "bytes": new.bytes, "name": new.name}
    data |= {"width": new.width, "height": new.height}
    append(db, Event("artifact.created", owner=asset.owner, job=asset.job, data=data))


def remove(db: Writing, asset: Asset) -> tuple[str, bool]:
    sha256 = asset.artifact.sha256
    db.execute("DELETE FROM assets WHERE id = ?", (asset.id,))
    append(db, Event("artifact.deleted", owner=asset.owner, job=asset.job, data={"id": asset.id}))
    others = db.execute("SELECT 1 FROM assets WHERE sha256 = ?", (sha256,)).fetchone()
    return sha256, others is None


def create(db: Reading) -> None:
    db.execute(
        """CREATE TABLE assets (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
            sha256 TEXT NOT NULL, mime TEXT NOT NULL, bytes INTEGER NOT NULL, name TEXT NOT NULL,
            width INTEGER NOT NULL, height INTEGER NOT NULL, kind TEXT NOT NULL, job TEXT NOT NULL,
            created REAL NOT NULL, renewed REAL NOT NULL)"""
    )
    db.execute("CREATE INDEX assets_owner ON assets (owner, seq)")
    db.execute("CREATE INDEX assets_content ON assets (sha256)")
    db.execute("CREATE INDEX assets_renewed ON assets (kind, renewed)")
    db.execute("CREATE TABLE asset_secret (secret BLOB NOT NULL)")
    db.execute("INSERT INTO asset_secret VALUES (?)", (secrets.token_bytes(32),))


def index_jobs(db: Reading) -> None:
    db.execute("CREATE INDEX assets_jobs ON assets (job) WHERE job != ''")


AGAIN = """UPDATE assets SET renewed = ?, kind = CASE WHEN ? = 'input' THEN 'input' ELSE kind END,
    job = CASE WHEN ? = '' THEN job ELSE ? END WHERE id = ?"""
MIGRATIONS: tuple[Migration, ...] = (("assets 1", create), ("assets 2", index_jobs))
