"""Bytes by digest: a folder. Nodes read and keep files in the store of the run that they are part of."""

from __future__ import annotations

import atexit
import errno
import glob
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import Damaged, DiskFull, NotFound, TesseraError
from engine.media import ENDINGS, UNKNOWN, dimensions, sniff
from engine.types import Artifact, Value
from engine.vault import EMPTY, current

ROOT = Path(__file__).resolve().parent.parent

SHA256 = re.compile(r"[0-9a-f]{64}")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEFT_OVER = 3600.0
"""Seconds after which a half-written file can only be one that a killed process left."""
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever the ending."""
STEM_BYTES = 180
COUNTER = "{counter}"
"""Where a name has this, its number stands there instead of at the end."""
PLAIN = frozenset((float, int, str, bool, bytes, type(None)))


class Folder:
    """Files named by the SHA-256 of their content. Several processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()

    def put(self, data: bytes) -> str:
        """Keep the bytes and return their digest; kept before, nothing is written. May raise DiskFull."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        with suppress(OSError):
            if path.stat().st_size == len(data):
                return sha256
        with writing():
            write_whole(path, data, self.root / "tmp")
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes, verified: NotFound, or Damaged (and then set aside, so that they can be put anew)."""
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no artifact {sha256[:12]}…; it was deleted or never kept.") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            self.set_aside(sha256)
            remedy = "Make or upload it again."
            raise Damaged(f"The artifact {sha256[:12]}… has changed on disk.", remedy=remedy)
        return data

    def path(self, sha256: str) -> Path:
        """Where the bytes lie, if they are kept. NotFound for what is no digest: no name leads elsewhere."""
        if not SHA256.fullmatch(sha256):
            raise NotFound("An artifact is named by 64 hexadecimal digits.")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        """Remove the bytes and their thumbnails; what is gone already is no error."""
        self.path(sha256).unlink(missing_ok=True)
        for thumb in (self.root / "thumbs" / sha256[:2]).glob(f"{sha256}-*"):
            thumb.unlink(missing_ok=True)

    def set_aside(self, sha256: str) -> None:
        """Take changed bytes out of the way; a person may still want what is left of an upload."""
        aside = self.root / "damaged"
        aside.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            os.replace(self.path(sha256), aside / sha256)

    def names(self) -> Iterator[str]:
        """The digests of everything kept."""
        for path in self.root.glob("??/??/*"):
            if SHA256.fullmatch(path.name):
                yield path.name

    def size(self) -> int:
        """Bytes of everything kept."""
        total = 0
        for name in self.names():
            with suppress(FileNotFoundError):  # deleted meanwhile
                total += self.path(name).stat().st_size
        return total

    def sweep(self, older: float = LEFT_OVER) -> int:
        """Remove what killed processes left half-written; how many files that were."""
        gone = 0
        for path in (self.root / "tmp").glob("*"):
            with suppress(OSError):  # another process sweeps too
                if time.time() - path.stat().st_mtime >= older:
                    path.unlink()
                    gone += 1
        return gone


class Place(NamedTuple):
    """Where the nodes of a run read and keep files."""

    store: Folder
    output: Path | None = None
    """Folder of ordinary files for people; None writes none."""


_place: ContextVar[Place | None] = ContextVar("place", default=None)


@contextmanager
def using(store: Folder, output: Path | None = None) -> Iterator[None]:
    """Within this, `read` and `keep` use that store, and named files also land in that output folder."""
    token = _place.set(Place(store, output))
    try:
        yield
    finally:
        _place.reset(token)


origin: ContextVar[Mapping[str, Any] | None] = ContextVar("origin", default=None)
"""What files may say about the run that makes them: its inputs, workflow, and how much of it (`metadata`)."""


effect: ContextVar[str] = ContextVar("effect", default="")
"""The call that is changing the world: its job, step and turn. Killed and run again it is still that call."""


voucher: ContextVar[Callable[[], str]] = ContextVar("voucher", default=lambda: "")
"""The receipt, as JSON, that a file saved by this effect may hold."""


def surround(store: Folder, output: Path | None, told: Mapping[str, Any]) -> None:
    """Set what the nodes of a run find around them, for the context this is called in."""
    _place.set(Place(store, output))
    origin.set(told)


def read(artifact: Artifact) -> bytes:
    """The bytes of an upload, or of something a node saved."""
    return place().store.get(artifact.sha256)


def keep(data: bytes, *, name: str = "", mime: str = "") -> Artifact:
    """Keep bytes as an artifact.

    With a `name` they are also written as an ordinary file for people, numbered so that none is overwritten.
    """
    here = place()
    (current.get() or EMPTY).refuse(data, name or "a file")
    mime = mime or sniff(data)
    sha256 = here.store.put(data)
    if name and here.output is not None:
        with writing():
            name = write_numbered(here.output, name, ENDINGS.get(mime, ENDINGS[UNKNOWN]), data).name
    width, height = dimensions(data)
    return Artifact(sha256, mime, len(data), name, width, height)


def mentions(values: Sequence[Any]) -> tuple[str, ...]:
    """The SHA-256 of every artifact inside these values."""
    found: set[str] = set()
    for value in values:
        if type(value) not in PLAIN:
            found.update(mentioned_by(value))
    return tuple(sorted(found)) if found else ()


def mentioned_by(value: Any) -> Iterator[str]:
    if isinstance(value, Artifact):
        yield value.sha256
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from mentioned_by(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from mentioned_by(item)
    elif isinstance(value, Value):
        for name in value.__struct_fields__:
            yield from mentioned_by(getattr(value, name))


def place() -> Place:
    return _place.get() or Place(scratch())


@cache
def scratch() -> Folder:
    """The store of nodes called outside an engine: a temporary folder, gone when the process ends."""
    root = tempfile.mkdtemp(prefix="tessera-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return Folder(Path(root))


def write_whole(path: Path, data: bytes, temporary: Path) -> None:
    """Write a file that is either there as a whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


@contextmanager
def writing() -> Iterator[None]:
    """What can go wrong while writing, as errors that name no path; a full disk pauses the queue."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(remedy="Delete files, or move the data folder to a larger disk.") from None
        remedy = "Check the permissions of the data folder."
        raise TesseraError(f"The file could not be written: {error.strerror}.", remedy=remedy) from None


def write_numbered(folder: Path, name: str, ending: str, data: bytes) -> Path:
    """Write `name_00001.png` or the next number that is free, whoever else writes there.

    Where the name has `{counter}`, the number goes there instead.

    Within an effect the hidden part file stays until `effect_over`, linked to the numbered one: so a call
    that was killed after it wrote the file finds it when it runs again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem, call = safe_stem(name), effect.get()
    whole = folder / (part_of(call, stem, data) if call else f".{secrets.token_hex(8)}.part")
    if call and (written := twin(whole, stem)) is not None:
        return written
    try:
        with open(whole, "wb") as file:
            file.write(data)
        before, after = around(stem)
        for number in range(last_number(folder, stem) + 1, 10**9):
            path = folder / f"{before}{number:05}{after}{ending}"
            if claim(path, whole):
                return path
        raise FileExistsError(errno.EEXIST, "every number is taken")
    finally:
        if not call:
            whole.unlink(missing_ok=True)


def effect_over(folder: Path, call: str) -> None:
    """The engine remembers what this call did: its part files have served."""
    for part in folder.glob(f".{tag(call)}-*.part"):
        part.unlink(missing_ok=True)


def part_of(call: str, stem: str, data: bytes) -> str:
    return f".{tag(call)}-{tag(stem + hashlib.sha256(data).hexdigest())}.part"


def tag(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def twin(part: Path, stem: str) -> Path | None:
    """The numbered file that is this part file, if it was written before."""
    try:
        if part.stat().st_nlink < 2:
            return None
    except FileNotFoundError:
        return None
    before, after = map(glob.escape, around(stem))
    same = (path for path in part.parent.glob(f"{before}*{after}.*") if path.samefile(part))
    return next(same, None)


def claim(path: Path, whole: Path) -> bool:
    """Give the finished file its name, unless somebody else has taken it."""
    try:
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            with open(path, "xb") as file:
                file.write(whole.read_bytes())
        except FileExistsError:
            return False
    return True


def around(stem: str) -> tuple[str, str]:
    """What stands before and behind the number."""
    before, found, after = stem.partition(COUNTER)
    return (before, after) if found else (stem + "_", "")


def last_number(folder: Path, stem: str) -> int:
    before, after = map(re.escape, around(stem))
    numbered = re.compile(rf"{before}(\d{{5,9}}){after}\.\w+", re.IGNORECASE)
    found = (numbered.fullmatch(name) for name in os.listdir(folder))
    return max((int(match[1]) for match in found if match), default=0)


def safe_stem(name: str) -> str:
    """The name as every file system takes it: no folder, no device, no hidden file."""
    shown = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c)[0] != "C")
    plain = re.sub(r'[/\\:*?"<>|]', "_", shown).strip(" .")
    short = plain.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(" .")
    if not short or RESERVED.fullmatch(short):
        return f"_{short or 'file'}"
    return short
