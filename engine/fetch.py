"""Bring a model here: what broke off goes on, and nothing is believed before its sum is right."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedReader
from pathlib import Path
from threading import Event as Signal
from typing import Any, NamedTuple

import msgspec

from engine.artifacts import NO_ROOM
from engine.convert import convert
from engine.errors import Conflict, DiskFull, Forbidden, SourceFailed, TesseraError, UnsafeModel
from engine.hub import is_pickle, safe_name
from engine.owner import locked
from engine.remote import Answer, Broken, Remote
from engine.remote import shown as address
from engine.sources import Offer, Piece
from engine.weights import SAFE, header

PARTS = ".fetching"
"""The hidden folder of a models folder in which files grow."""
TRIES = 6
"""Times in a row that a connection may break without a byte more."""
PATIENCE = 1.0
"""Seconds before the second try; then twice as long each time."""
SLACK = 64 * 1024**2
"""Bytes of the disk that are left free."""
CONVERTED = {"pytorch_model": "model"}
"""What the libraries that load folders call the safetensors of a pickle."""
Tell = Callable[[int, int], None]
"""Called with the bytes that are here, and all of them."""


class Stopped(TesseraError):
    """Fetching was stopped; what came is kept, and the next try goes on from there."""

    status = 409
    code = "stopped"


class Job(NamedTuple):
    """Everything that fetching needs."""

    offer: Offer
    models: Path
    """The models folder."""
    remote: Remote
    tell: Tell
    stop: Signal
    patience: float = PATIENCE


def fetch(job: Job) -> str:
    """Fetch, check and put in place; the place within the models folder.

    Raises Conflict if something is there already, DiskFull before it begins, SourceFailed for what is not as
    it was announced, Stopped.
    """
    final = target(job.offer, job.models)
    with writing(), alone(job) as parts:
        check_room(job.offer, parts)
        for piece in job.offer.pieces:
            bring(job, piece, parts)
        job.tell(job.offer.bytes, job.offer.bytes)
        arranged = [arrange(piece, parts) for piece in job.offer.pieces]
        final.parent.mkdir(parents=True, exist_ok=True)
        source = parts if job.offer.layout == "diffusers" else parts / arranged[0]
        record(job.offer, final)
        os.replace(source, final)
        shutil.rmtree(parts, ignore_errors=True)
    return final.relative_to(job.models).as_posix()


@contextmanager
def writing() -> Iterator[None]:
    """What can go wrong with files in the models folder, as errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            text = "The disk of the models folder is full; what came is kept."
            remedy = "Free some, or set `fetch_to` to a folder on a larger disk."
            raise DiskFull(text, remedy=remedy) from None
        text = f"The models folder cannot be written to: {error.strerror or type(error).__name__}."
        remedy = "Look at its permissions, or set `fetch_to` to another folder."
        raise TesseraError(text, remedy=remedy) from None


def target(offer: Offer, models: Path) -> Path:
    """Where the model will lie. Raises Conflict if that is taken."""
    place = models / offer.place
    if is_pickle(place.name):
        place = place.with_name(safe_name(place.name)[0] + SAFE)
    if place.exists():
        raise Conflict(
            f"There is a {offer.kind} named {offer.name!r} already.",
            remedy="Use it, delete it first, or give this one another name: --name NAME.",
        )
    return place


@contextmanager
def alone(job: Job) -> Iterator[Path]:
    """The folder in which this very content grows, for one fetcher at a time."""
    name = hashlib.sha256(msgspec.json.encode([job.offer.source, job.offer.pieces])).hexdigest()[:24]
    folder = job.models / PARTS
    (folder / name).mkdir(parents=True, exist_ok=True)
    lock = open(folder / f"{name}.lock", "a+b")  # noqa: SIM115  # held while we fetch
    with lock:
        if not locked(lock) or not is_at(lock, Path(lock.name)):
            raise Conflict(f"{job.offer.name} is being fetched already.", remedy="Wait for that to end.")
        try:
            yield folder / name
        finally:
            with suppress(OSError):
                Path(lock.name).unlink()


def is_at(file: BufferedRandom, path: Path) -> bool:
    """Whether an open file still has that name: whoever held the lock before may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def check_room(offer: Offer, parts: Path) -> None:
    """Raise DiskFull unless all that is missing fits, with what a conversion writes besides."""
    here = sum(path.stat().st_size for path in parts.rglob("*") if path.is_file())
    twice = max((piece.bytes for piece in offer.pieces if is_pickle(piece.path)), default=0)
    needed, free = offer.bytes - here + twice + SLACK, shutil.disk_usage(parts).free
    if needed > free:
        text = f"{offer.name} needs {needed / 1e9:.2f} GB; {free / 1e9:.2f} GB are free."
        raise DiskFull(text, remedy="Free some, or set `fetch_to` to a folder on a larger disk.")


# -- one file


def bring(job: Job, piece: Piece, parts: Path) -> None:
    """One file, whole and right, in the folder; begun anew once if what was there before was of another."""
    whole = parts / piece.path
    if whole.is_file() and whole.stat().st_size == piece.bytes:
        return
    part = parts / f"{piece.path}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    resumed = part.is_file() and part.stat().st_size > 0
    complete(job, piece, part, parts)
    if resumed and not right(piece, part):
        part.unlink()
        complete(job, piece, part, parts)
    if not right(piece, part):
        part.unlink()
        raise SourceFailed(
            f"{piece.path} is not what its source announced: the checksum differs.",
            remedy="Try again; if it differs again, do not use this source.",
        )
    os.replace(part, whole)


def complete(job: Job, piece: Piece, part: Path, parts: Path) -> None:
    """Read until all is there, however often the connection breaks."""
    failed = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if before > piece.bytes:
            part.unlink()
            before = 0
        if before == piece.bytes and part.exists():
            return
        try:
            read_on(job, piece, part, before, parts)
        except Broken:
            failed = 0 if part.exists() and part.stat().st_size > before else failed + 1
            if failed >= TRIES:
                raise
            if job.stop.wait(job.patience * 2**failed):
                raise Stopped from None


def read_on(job: Job, piece: Piece, part: Path, start: int, parts: Path) -> None:
    elsewhere = sum(p.stat().st_size for p in parts.rglob("*") if p.is_file() and p != part)
    etag = piece.etag if piece.etag.startswith('"') else ""
    with job.remote.open(piece.url, start, if_range=etag) as answer:
        check_size(piece, answer)
        with part.open("r+b" if start else "wb") as file:
            file.seek(answer.start)
            file.truncate()
            for chunk in counted(answer.chunks, piece, answer.start):
                if job.stop.is_set():
                    raise Stopped
                file.write(chunk)
                job.tell(elsewhere + file.tell(), job.offer.bytes)
    if part.stat().st_size < piece.bytes:
        raise Broken(f"{address(piece.url)} ended too early.")


def check_size(piece: Piece, answer: Answer) -> None:
    if answer.total is not None and answer.total != piece.bytes:
        raise SourceFailed(
            f"{piece.path} has {answer.total:,} bytes now; {piece.bytes:,} were announced.",
            remedy="Ask for it again.",
        )


def counted(chunks: Iterator[bytes], piece: Piece, start: int) -> Iterator[bytes]:
    """The chunks, as long as they are within what was announced."""
    for chunk in chunks:
        start += len(chunk)
        if start > piece.bytes:
            raise SourceFailed(
                f"{address(piece.url)} sends more than the {piece.bytes:,} bytes it announced."
            )
        yield chunk


def right(piece: Piece, path: Path) -> bool:
    """Whether the content is what the source said; without a sum its size must do."""
    kind, _, wanted = piece.check.partition(":")
    if not wanted:
        return True
    with path.open("rb") as file:
        return sum_of(kind, file, piece.bytes) == wanted.lower()


def sum_of(kind: str, file: BufferedReader, size: int) -> str:
    if kind == "git":  # as git names a file's content
        digest: Any = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
        return str(digest.hexdigest())
    return hashlib.file_digest(file, kind).hexdigest()


# -- in its place


def arrange(piece: Piece, parts: Path) -> str:
    """The file as it will be used; a pickle becomes safetensors, and everything is what its name says."""
    whole = parts / piece.path
    name = piece.path
    if is_pickle(name):
        stem = safe_name(name)[0]
        name = str(Path(name).with_name(CONVERTED.get(stem, stem) + SAFE).as_posix())
        convert(whole, parts / name)
        whole.unlink()
    if name.lower().endswith(SAFE):
        header(parts / name)
    elif name.lower().endswith(".json"):
        check_json(parts / name)
    return name


def check_json(path: Path) -> None:
    try:
        msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        path.unlink()
        raise UnsafeModel(f"{path.name} is not JSON.", remedy="Get the model from another source.") from None


def record(offer: Offer, final: Path) -> None:
    """Where it came from, beside it."""
    about = {
        "source": offer.source,
        "revision": offer.revision,
        "licence": offer.licence,
        "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": {piece.path: {"bytes": piece.bytes, "check": piece.check} for piece in offer.pieces},
    }
    stem = safe_name(final.name)[0] if offer.layout == "single_file" else final.name
    final.with_name(f"{stem}.source.json").write_bytes(msgspec.json.format(msgspec.json.encode(about)))


def check_allowed(models: Path) -> None:
    """Raise Forbidden where nothing can be written."""
    with suppress(OSError):
        models.mkdir(parents=True, exist_ok=True)
    if not os.access(models, os.W_OK):
        raise Forbidden(
            f"The models folder {models.name} cannot be written to.",
            remedy="Set `fetch_to` to a folder that can.",
        )
