"""The gallery: everything that was made, found by what is known of it, starred, tagged and thrown away."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from engine.db import Database, Reading, Writing
from engine.errors import Invalid, NotFound, Problem, shown
from engine.events import Event
from engine.log import append
from engine.safety import NSFW
from engine.types import Artifact

Kind = Literal["picture", "clip", "sound"]
WORD = re.compile(r'"([^"]+)"|(\S+)')
LONGEST_TAG = 60
MOST_TAGS = 40


class Wanted(Struct, frozen=True):
    """Which of an owner's files, newest first."""

    text: str = ""
    """Words or their beginnings, all of them; in quotes a phrase."""
    model: str = ""
    workflow: str = ""
    tag: str = ""
    since: float | None = None
    until: float | None = None
    mode: int | None = None
    """Only those made in this mode."""
    most: int = NSFW
    """The viewer's mode: what was made above it is left out and counted."""
    starred: bool = False
    kind: Kind | None = None
    trash: bool = False
    """What was thrown away, instead of the rest."""
    before: int = 0
    limit: int = 60


class Item(Struct, frozen=True):
    """A file as the gallery knows it."""

    id: str
    artifact: Artifact
    run: str
    created: float
    mode: int
    workflow: str
    title: str
    prompt: str
    starred: bool
    tags: list[str]
    trashed: float
    seq: int
    explained: bool
    """Whether its run kept a report, which most likely explains it."""


class Page(Struct, frozen=True):
    """Some of what was found, and how much there is; a later page does not count again."""

    items: list[Item]
    next: int
    """What the following page is asked for with; 0 after the last."""
    total: int | None
    hidden: int | None
    """How many more there are above the viewer's mode."""


class Counted(Struct, frozen=True):
    """A word to filter by, and how many files have it."""

    name: str
    count: int


class Filters(Struct, frozen=True):
    """What there is to filter by."""

    workflows: list[Counted]
    models: list[Counted]
    tags: list[Counted]
    trash: int
    """How many files lie in the trash."""


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of some files. Each can be taken back by its opposite."""

    ids: list[str]
    starred: bool | UnsetType = UNSET
    trashed: bool | UnsetType = UNSET
    tag: list[str] = []
    untag: list[str] = []


class Gallery:
    """Everything that was made here, by owner."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def search(self, owner: str, wanted: Wanted) -> Page:
        """A page of what is wanted, newest first."""

        def search(db: Reading) -> Page:
            sql, values = query(owner, wanted)
            found = [item_of(row) for row in db.execute(sql, values)]
            following = found[-1].seq if len(found) == wanted.limit else 0
            total, hidden = (None, None) if wanted.before else counted(db, owner, wanted)
            return Page(found, following, total, hidden)

        return await self._db.read(search)

    async def get(self, owner: str, id: str, most: int = NSFW) -> Item:
        """One file, or NotFound: also if it was made above the viewer's mode."""
        sql = f"{SELECT} WHERE made.asset = ? AND made.owner = ? AND made.mode <= ?"
        row = await self._db.read(lambda db: db.execute(sql, (id, owner, most)).fetchone())
        if row is None:
            raise NotFound(f"The gallery has no picture {shown(id)} in this mode.")
        return item_of(row)

    async def filters(self, owner: str, most: int = NSFW) -> Filters:
        """What there is to filter by, the most frequent first."""

        def filters(db: Reading) -> Filters:
            def count(sql: str) -> list[Counted]:
                return [Counted(*row) for row in db.execute(sql, (owner, most))]

            [(trash,)] = db.execute(TRASHED, (owner, most)).fetchall()
            return Filters(count(WORKFLOWS), count(listed("model")), count(listed("tag")), trash)

        return await self._db.read(filters)

    async def change(self, owner: str, change: Change) -> int:
        """Star, tag, throw away or bring back; how many files were there to be changed."""
        tags, untags = [tidy(tag) for tag in change.tag], [tidy(tag) for tag in change.untag]

        def apply(db: Writing) -> int:
            done = [id for id in dict.fromkeys(change.ids) if apply_to(db, owner, id, change, tags, untags)]
            if done:
                data = {name: value for name, value in msgspec.to_builtins(change).items() if name != "ids"}
                append(db, Event("artifact.changed", owner=owner, data={"ids": done, **data}))
            return len(done)

        return await self._db.write(apply)

    async def thrown(self, before: float, owner: str | None = None) -> list[tuple[str, str]]:
        """Id and SHA-256 of what was thrown away before this time."""
        sql = """SELECT made.asset, sha256 FROM made JOIN assets ON assets.id = made.asset
            WHERE trashed > 0 AND trashed < ? AND (? IS NULL OR made.owner = ?)"""
        return await self._db.read(lambda db: db.execute(sql, (before, owner, owner)).fetchall())

    async def starred(self) -> set[str]:
        """The SHA-256 of every file that somebody has starred: these do not expire."""
        sql = "SELECT sha256 FROM made JOIN assets ON assets.id = made.asset WHERE starred"
        return {sha256 for (sha256,) in await self._db.read(lambda db: db.execute(sql).fetchall())}


# -- looking


def query(owner: str, wanted: Wanted) -> tuple[str, list[Any]]:
    """The statement for a page, and its values."""
    terms = {**conditions(owner, wanted), "made.mode <= ?": [wanted.most]}
    if wanted.before:
        terms["made.seq < ?"] = [wanted.before]
    where = " AND ".join(terms)
    chosen = f"SELECT seq FROM made WHERE {where} ORDER BY seq DESC LIMIT ?"
    values = [value for given in terms.values() for value in given]
    return f"{SELECT} WHERE made.seq IN ({chosen}) ORDER BY made.seq DESC", [*values, wanted.limit]


def counted(db: Reading, owner: str, wanted: Wanted) -> tuple[int, int]:
    """How many there are up to the viewer's mode, and above it."""
    terms = conditions(owner, wanted)
    values = [value for given in terms.values() for value in given]
    sql = f"SELECT count(*), coalesce(sum(mode <= ?), 0) FROM made WHERE {' AND '.join(terms)}"
    [(every, seen)] = db.execute(sql, [wanted.most, *values]).fetchall()
    return int(seen), int(every) - int(seen)


def conditions(owner: str, wanted: Wanted) -> dict[str, list[Any]]:
    """Terms that must hold, with the values for their places."""
    terms: dict[str, list[Any]] = {
        "made.owner = ?": [owner],
        f"made.trashed {'>' if wanted.trash else '='} 0": [],
    }
    plain = {
        "made.workflow = ?": wanted.workflow or None,
        "made.mode = ?": wanted.mode,
        "made.kind = ?": wanted.kind,
        "made.created >= ?": wanted.since,
        "made.created < ?": wanted.until,
    }
    terms |= {term: [value] for term, value in plain.items() if value is not None}
    if wanted.starred:
        terms["made.starred"] = []
    for name, value in (("model", wanted.model), ("tag", wanted.tag)):
        if value:
            inner = f"SELECT seq FROM made_{name}s WHERE owner = ? AND {name} = ?"
            terms[f"made.seq IN ({inner})"] = [owner, value]
    if wanted.text.strip():
        inner = "SELECT rowid FROM made_words WHERE made_words MATCH ?"
        terms[f"made.seq IN ({inner})"] = [match(wanted.text)]
    return terms


def match(text: str) -> str:
    """What somebody types, as FTS5 takes it: every word or its beginning, every phrase in quotes."""
    parts = [
        f'"{phrase}"' if phrase else '"{}"*'.format(word.replace('"', ""))
        for phrase, word in WORD.findall(text)
        if any(letter.isalnum() for letter in phrase or word)
    ]
    return " ".join(parts) or '""'


def item_of(row: Any) -> Item:
    id, run, created, mode, workflow, title, prompt, starred, tags, trashed, seq, told, *content = row
    known = (run, created, mode, workflow, title, prompt, bool(starred), msgspec.json.decode(tags))
    return Item(id, Artifact(*content), *known, trashed, seq, bool(told))


def listed(name: str) -> str:
    """How often each model or tag is there, by the copy of the mode that stands with it."""
    return f"""SELECT {name}, count(*) FROM made_{name}s
        WHERE owner = ? AND shown <= ? GROUP BY {name} ORDER BY 2 DESC, 1"""


# -- changing


def apply_to(
    db: Writing, owner: str, id: str, change: Change, tags: Iterable[str], untags: Iterable[str]
) -> bool:
    """Change one file; False if this owner has none of that id."""
    found = db.execute("SELECT seq, tags FROM made WHERE asset = ? AND owner = ?", (id, owner)).fetchone()
    if found is None:
        return False
    seq, known = found[0], msgspec.json.decode(found[1])
    if change.starred is not UNSET:
        db.execute("UPDATE made SET starred = ? WHERE seq = ?", (int(change.starred), seq))
    if change.trashed is not UNSET:
        now = time.time() if change.trashed else 0.0
        db.execute("UPDATE made SET trashed = ? WHERE seq = ?", (now, seq))
    new = [tag for tag in dict.fromkeys([*known, *tags]) if tag not in set(untags)]
    if new != known:
        retag(db, owner, seq, new)
    return True


def retag(db: Writing, owner: str, seq: int, tags: list[str]) -> None:
    if len(tags) > MOST_TAGS:
        raise Invalid(
            [Problem("too_many_tags", input="tag", got=str(len(tags)), want=f"at most {MOST_TAGS}")]
        )
    db.execute("UPDATE made SET tags = ? WHERE seq = ?", (msgspec.json.encode(tags).decode(), seq))
    db.execute("DELETE FROM made_tags WHERE seq = ?", (seq,))
    rows = [(owner, tag, seq) for tag in tags]
    db.conn.executemany("INSERT INTO made_tags (owner, tag, seq) VALUES (?, ?, ?)", rows)


def tidy(tag: str) -> str:
    """A tag without needless spaces; Invalid if nothing is left, or far too much."""
    plain = " ".join("".join(c for c in tag if c.isprintable()).split())
    if not 0 < len(plain) <= LONGEST_TAG:
        want = f"1 to {LONGEST_TAG} characters"
        raise Invalid([Problem("bad_tag", input="tag", got=shown(tag), want=want)])
    return plain


SELECT = """SELECT made.asset, assets.job, made.created, mode, workflow, title, prompt, starred, tags,
    trashed, made.seq, EXISTS (SELECT 1 FROM assets AS report INDEXED BY assets_reports
        WHERE report.job = assets.job AND report.job != '' AND report.mime = 'application/json'),
    sha256, mime, bytes, name, width, height FROM made JOIN assets ON assets.seq = made.seq"""
WORKFLOWS = """SELECT workflow, count(*) FROM made WHERE owner = ? AND trashed = 0 AND mode <= ?
    AND workflow != '' GROUP BY workflow ORDER BY 2 DESC, 1"""
TRASHED = "SELECT count(*) FROM made WHERE owner = ? AND trashed > 0 AND mode <= ?"
