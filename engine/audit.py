"""The log as evidence: every row chained to the one before, so that an edit, a gap or a new order shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.db import Database, Reading, Writing
from engine.errors import Conflict
from engine.events import Event
from engine.log import ERASED, START, append, link, newest

PAGE = 2000
"""Rows read at once: others read the database in between."""
MOST_FAULTS = 20
ERASABLE = frozenset(("steps",))
"""Kinds of events whose data may go before they do: how far the steps of a run were, once it is deleted."""


Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Line(Struct, omit_defaults=True):
    """A row of the log as it is exported: one line of JSON."""

    seq: int
    at: float
    kind: str
    chain: Digest
    """SHA-256 over the chain of the line before, what this one says, and the SHA-256 of `data`; in hex."""
    owner: str = ""
    job: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    erased: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    """The SHA-256 of data that is gone, in hex."""


class Fault(Struct):
    """Where the chain does not hold, and how."""

    seq: int
    what: str


class Report(Struct):
    """What became of following the chain."""

    whole: bool
    lines: int
    first: int
    last: int
    chain: str
    """Of the last line: noted elsewhere, it proves later that nothing before it was changed."""
    erased: int
    """Lines whose data was erased with the runs they are about."""
    sealed: int
    """The number of the last line that was sealed away; 0 if none was."""
    faults: list[Fault]
    sentence: str


class Noted(Struct, forbid_unknown_fields=True):
    """A line noted earlier, which must still be what it was."""

    seq: Annotated[int, Meta(ge=0)] = 0
    chain: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""


class Sealed(Struct):
    """Lines taken out of the log; the chain goes on from the last of them."""

    lines: int
    through: int
    chain: Digest


class Checker:
    """Follows a chain line by line."""

    def __init__(self, noted: Noted | None = None) -> None:
        self.noted = noted or Noted()
        self.lines = self.first = self.last = self.erased = self.sealed = 0
        self.chain = START
        self.faults: list[Fault] = []
        self._gaps: list[tuple[int, int]] = []
        self._began = 0
        """Before this line the log had no chain, and lines of deleted runs were deleted."""
        self._begun: Line | None = None
        """The first line, until it is known what was sealed away before it."""

    def take(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._follow(line)
            self._look(line)
            self.lines, self.last = self.lines + 1, line.seq
            self.chain = bytes.fromhex(line.chain)

    def _follow(self, line: Line) -> None:
        """Whether it is chained to the line before."""
        holds = link_of(self.chain, line) == line.chain
        if not self.lines:
            self.first = line.seq
            if not holds:
                self._begun = line
                return
        elif line.seq <= self.last:
            self._fault(line.seq, f"line {line.seq} comes after line {self.last}")
        elif not holds:
            missing = f", or lines after {self.last} are missing" if line.seq > self.last + 1 else ""
            self._fault(line.seq, f"line {line.seq}, or its chain, was changed{missing}")
        if holds and line.seq > self.last + 1:
            self._gaps.append((self.last + 1, line.seq - 1))

    def _look(self, line: Line) -> None:
        """What it says about the log itself."""
        if line.erased:
            self.erased += 1
            if line.kind not in ERASABLE:
                self._fault(line.seq, f"line {line.seq} ({line.kind}) has lost its data")
        if line.seq == self.noted.seq and line.chain != self.noted.chain:
            self._fault(line.seq, f"line {line.seq} is not the one that was noted")
        if line.kind == "audit.began":
            self._began = line.seq
        if line.kind == "audit.sealed" and self._begun is not None:
            with suppress(msgspec.MsgspecError):  # then it is no seal, and its own chain says so
                self._meet(self._begun, msgspec.json.decode(line.data or b"", type=Sealed))

    def _meet(self, first: Line, seal: Sealed) -> None:
        """A seal: is it the one that the first line follows?"""
        if seal.through < first.seq and link_of(bytes.fromhex(seal.chain), first) == first.chain:
            self.sealed, self._begun = seal.through, None
            if seal.through < first.seq - 1:
                self._gaps.append((seal.through + 1, first.seq - 1))
            if self.noted.seq == seal.through and self.noted.chain != seal.chain:
                self._fault(first.seq, f"line {seal.through}, sealed away, is not the one that was noted")

    def _fault(self, seq: int, what: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(seq, what))

    def report(self, newest: int = 0) -> Report:
        """What was found; `newest` is a number that the database gave before it was read."""
        if self._begun is not None:
            self._fault(self.first, f"line {self.first} was changed, or lines before it are missing unsealed")
        for first, last in self._gaps:
            if last >= self._began:
                self._fault(first, f"lines {first} to {last} are missing")
        if newest > self.last:
            self._fault(self.last + 1, f"lines {self.last + 1} to {newest} are missing")
        if self.noted.seq > max(self.last, newest):
            self._fault(self.noted.seq, f"line {self.noted.seq}, which was noted, is missing")
        faults = sorted(self.faults, key=lambda fault: fault.seq)
        counts = self.lines, self.first, self.last, self.chain.hex(), self.erased, self.sealed
        return Report(not faults, *counts, faults, sentence(faults, self))


def link_of(before: bytes, line: Line) -> str:
    """What the chain of a line must be, after another."""
    return link(before, (line.seq, line.at, line.kind, line.owner, line.job, data_of(line))).hex()


def sentence(faults: list[Fault], found: Checker) -> str:
    if faults:
        return f"The log was tampered with or damaged: {faults[0].what}."
    sealed = f" Lines up to {found.sealed} are sealed away." if found.sealed else ""
    return f"The log is whole: {found.lines:,} lines up to {found.last}:{found.chain.hex()}.{sealed}"


class Audit:
    """The log of one database: checked, exported, and shortened so that the rest stays provable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._alone = asyncio.Lock()

    async def verify(self, noted: Noted | None = None) -> Report:
        """Follow the chain from the first row to the newest."""
        checker = Checker(noted)
        async with self._alone:  # nothing is sealed away meanwhile
            last = await self._db.read(newest)
            async for page in self.lines():
                await asyncio.to_thread(checker.take, page)
        return checker.report(last)

    async def lines(self, after: int = 0) -> AsyncIterator[list[Line]]:
        """Every row after a number, page by page."""
        while page := await self._db.read(partial(read, after=after, limit=PAGE)):
            yield page
            after = page[-1].seq

    async def seal(self, before: float) -> Sealed | None:
        """Delete the rows from before this time, up to the first younger one, and note how they ended.

        None if there are none. An export made before goes on proving them: it ends with the chain noted.
        """
        async with self._alone:
            if not await self._db.read(lambda db: sealable(db, before)):
                return None
            return await self._db.write(lambda db: seal(db, before))


def read(db: Reading, after: int, limit: int) -> list[Line]:
    sql = "SELECT seq, at, kind, owner, job, data, chain FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    return [line_of(*row) for row in db.execute(sql, (after, limit))]


def line_of(seq: int, at: float, kind: str, owner: str, job: str, data: object, chain: object) -> Line:
    told, mark = stored(data), stored(chain).hex()
    if told[:1] == ERASED:
        return Line(seq, at, kind, mark, owner, job, erased=told[1:].hex())
    return Line(seq, at, kind, mark, owner, job, msgspec.Raw(told))


def stored(value: object) -> bytes:
    """The bytes in a column; who tampers with it may have put anything there."""
    return value if isinstance(value, bytes) else str(value).encode()


def data_of(line: Line) -> bytes:
    return ERASED + bytes.fromhex(line.erased) if line.data is UNSET else bytes(line.data)


def sealable(db: Reading, before: float) -> int:
    """The last row of those that are all older."""
    younger = "SELECT min(seq) FROM events WHERE at >= ?"
    first = db.execute(younger, (before,)).fetchone()[0]
    sql = "SELECT max(seq) FROM events" + ("" if first is None else " WHERE seq < ?")
    return int(db.execute(sql, () if first is None else (first,)).fetchone()[0] or 0)


def seal(db: Writing, before: float) -> Sealed | None:
    if not (through := sealable(db, before)):
        return None
    sql = "SELECT count(*), (SELECT chain FROM events WHERE seq = ?1) FROM events WHERE seq <= ?1"
    count, chain = db.execute(sql, (through,)).fetchone()
    sealed = Sealed(count, through, bytes(chain).hex())
    append(db, Event("audit.sealed", data=msgspec.to_builtins(sealed)))
    db.execute("DELETE FROM events WHERE seq <= ?", (through,))
    return sealed


def exported(lines: Iterable[Line]) -> bytes:
    """Lines as JSON lines."""
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def imported(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines of an export."""
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=Line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Conflict(f"Line {number} is no line of an exported log: {error}.") from None
