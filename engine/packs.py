"""Custom packs: found, described in a process of their own, imported, watched."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import linecache
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, NoReturn

import msgspec
from msgspec import Struct

from engine.config import ROOT
from engine.errors import BadDeclaration, TesseraError, shown
from engine.node import NAME, NodeSpec
from engine.registry import Entry, Failed, Pack, bad_name, in_pack, modules_of
from engine.vault import harmless

LIMIT = 20.0
"""Seconds that a pack may take to import."""
AT_ONCE = 2
SMALL = 1024**2
"""Bytes up to which a file counts by content; a larger one, such as weights, by size and time of change."""
LARGEST = 16 * 1024**2
"""Bytes of the largest description that is read."""


class Packs:
    """The packs of one folder as last described; a pack is described again only when its source changes."""

    def __init__(self, folder: Path, file: Path | None = None) -> None:
        self.folder = folder
        self._file = file
        self._known: dict[str, Pack | Failed] = dict(kept(file)) if file else {}
        self._lock = asyncio.Lock()

    async def described(self, limit: float = LIMIT) -> tuple[Pack | Failed, ...]:
        """Every pack that is there now, in order of name."""
        async with self._lock:
            free = asyncio.Semaphore(AT_ONCE)
            before = self._known
            now = {f"{name_of(path)}:{source_digest(path)}": path for path in find(self.folder)}

            async def one(key: str, path: Path) -> Pack | Failed:
                async with free:
                    return before.get(key) or await describe(path, limit)

            found = await asyncio.gather(*(one(key, path) for key, path in now.items()))
            self._known = dict(zip(now, found, strict=True))
            if self._file and self._known.keys() != before.keys():
                keep(self._file, self._known)
            return tuple(found)


def find(folder: Path) -> list[Path]:
    """Folders with an `__init__.py` and single `.py` files, in order of name; not with a `.` or `_` first."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.name[0] not in "._" and is_pack(p)]
    return sorted(found, key=lambda p: (name_of(p), p.suffix))


def locate(folder: Path, name: str) -> Path | None:
    """The pack of this name, if it is there."""
    return next((path for path in find(folder) if name_of(path) == name), None)


def is_pack(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.is_file())


def name_of(path: Path) -> str:
    return path.stem if path.suffix == ".py" else path.name


def refusal(path: Path) -> str:
    """Why this pack is not even imported, or nothing."""
    if path.suffix == ".py" and is_pack(path.with_suffix("")):
        return f"there are two packs of this name: a folder and {path.name}"
    return bad_name(name_of(path))


def source_digest(path: Path) -> str:
    """Digest of what a pack's nodes are made of: all its files but tests, pages of text and hidden ones."""
    hasher = hashlib.blake2b(digest_size=16)
    for file in sorted(sources(path)):
        try:
            about = file.stat()
            content = file.read_bytes() if about.st_size <= SMALL else b"%d" % about.st_mtime_ns
        except OSError:  # gone while we looked: its removal is the next change
            continue
        hasher.update(f"{file.relative_to(path.parent).as_posix()}\0{about.st_size}\0".encode())
        hasher.update(content)
    return hasher.hexdigest()


def sources(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [f for f in folders if f[0] != "." and f not in ("__pycache__", "tests")]
        yield from (
            Path(folder, name)
            for name in files
            if name[0] != "." and not name.startswith("test_") and not name.endswith((".md", ".pyc"))
        )


async def describe(path: Path, limit: float = LIMIT) -> Pack | Failed:
    """Import the pack in a short-lived process and read its nodes as data, whatever the pack does there."""
    name = name_of(path)
    if reason := refusal(path):
        return Failed(name, reason)
    epoch = source_digest(path)
    with tempfile.TemporaryFile() as answer:  # a file, since a pipe lives as long as anything the pack starts
        code = await ask(path, limit, answer)
        if code is None:
            return Failed(name, f"importing it took longer than {limit:g} s")
        answer.seek(0)
        return read(name, epoch, answer.read(LARGEST), code)


async def ask(path: Path, limit: float, answer: IO[bytes]) -> int | None:
    """Run the describing process to its end; its exit code, or None when it took too long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "engine.packs", "describe", str(path.absolute())),
        cwd=ROOT,  # where `-m` finds the engine
        env=harmless(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=answer,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return await asyncio.wait_for(process.wait(), limit)
    except TimeoutError:
        return None
    finally:
        end(process)
        await process.wait()


def end(process: asyncio.subprocess.Process) -> None:
    """Kill the process and all it started."""
    try:
        if sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    except ProcessLookupError:
        pass


def read(name: str, epoch: str, answer: bytes, code: int) -> Pack | Failed:
    """What the describing process said, or why it said nothing."""
    if not answer:
        how = f"crashed with {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return Failed(name, f"the process that imported it {how}")
    try:
        told = msgspec.msgpack.decode(answer, type=Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Failed(name, "it wrote over the description of its nodes")
    if told.reason:
        return Failed(name, told.reason)
    for spec in told.specs:
        pack, _, node = spec.id.partition("/")
        if pack != name or not NAME.fullmatch(node):
            return Failed(name, f"it describes a node {shown(spec.id)} that is not its own")
    return Pack(name, epoch, tuple(Entry(spec, name, epoch) for spec in told.specs))


class Told(Struct, omit_defaults=True):
    """What a describing process answers."""

    specs: tuple[NodeSpec, ...] = ()
    reason: str = ""


def load(path: Path) -> Pack | Failed:
    """Import a pack for real; anew when its source has changed since."""
    name = name_of(path)
    if reason := refusal(path):
        return Failed(name, reason)
    epoch = source_digest(path)
    loaded = getattr(sys.modules.get(f"custom_nodes.{name}"), "__pack__", None)
    if isinstance(loaded, Pack) and loaded.epoch == epoch:
        return loaded
    forget(name)
    try:
        return fresh(path, name, epoch)
    except (Exception, SystemExit) as error:
        forget(name)
        return Failed(name, explain(error, path))


def fresh(path: Path, name: str, epoch: str) -> Pack:
    namespace(path.parent)
    with no_bytecode():
        module = importlib.import_module(f"custom_nodes.{name}")
    pack = in_pack(name, modules_of(name), epoch)
    if not pack.entries:
        raise BadDeclaration("It has no nodes.", remedy="__init__.py must import those in other files.")
    vars(module)["__pack__"] = pack
    return pack


def forget(name: str) -> None:
    """Drop the imported modules of a pack, so that the next import reads its files."""
    for module in modules_of(name):
        del sys.modules[module.__name__]
    importlib.invalidate_caches()
    linecache.checkcache()


def namespace(folder: Path) -> None:
    """Make `custom_nodes` the folder's packs, without running anything in it."""
    package = sys.modules.setdefault("custom_nodes", ModuleType("custom_nodes"))
    others = [p for p in getattr(package, "__path__", ()) if p != str(folder)]
    package.__path__ = [str(folder), *others]


@contextmanager
def no_bytecode() -> Iterator[None]:
    """Python trusts bytecode by whole seconds and size: a file saved twice in a second would stay old."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def explain(error: BaseException, path: Path) -> str:
    """An error in one line: its kind, message, and the place inside the pack."""
    text = (
        str(error)
        if isinstance(error, TesseraError)
        else f"{type(error).__name__}: {error}".removesuffix(": ")
    )
    for folder in {str(path.parent), str(path.parent.resolve())}:
        text = text.replace(folder + os.sep, "")
    text = ABSOLUTE.sub("", text)
    place = place_in(error, path)
    return shown(text, 300) + (f" ({place})" if place else "")


ABSOLUTE = re.compile(r"(?<![\w:/\\.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"]+[/\\])+")
"""The folders of an absolute path: nobody's business but this machine's."""


def place_in(error: BaseException, path: Path) -> str:
    """The innermost line of the pack that the error came through, as `pack/file.py:12`."""
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    for file, line in reversed(lines):
        if Path(file).is_relative_to(path):
            return f"{Path(file).relative_to(path.parent).as_posix()}:{line}"
    return ""


async def watch(folder: Path, on_change: Callable[[set[str]], Awaitable[None]]) -> None:
    """Call back with the names of packs whose files were saved, added or removed. Runs until cancelled."""
    import watchfiles

    root = folder.resolve()
    async for changes in watchfiles.awatch(root):
        files = [Path(file).relative_to(root) for _, file in changes]
        if names := {name_of(Path(file.parts[0])) for file in files if file.parts}:
            await on_change(names)


def kept(file: Path) -> Iterable[tuple[str, Pack]]:
    """Descriptions kept by an earlier process; none if they are of another engine or damaged."""
    try:
        found = msgspec.msgpack.decode(file.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return
    if found.engine == source_digest(ROOT / "engine"):
        for key, specs in found.packs.items():
            name, _, epoch = key.partition(":")
            yield key, Pack(name, epoch, tuple(Entry(spec, name, epoch) for spec in specs))


def keep(file: Path, known: dict[str, Pack | Failed]) -> None:
    """Keep descriptions for the next start; not failures, since what was missing may be installed by then."""
    packs = {key: pack for key, pack in known.items() if isinstance(pack, Pack)}
    specs = {key: tuple(entry.spec for entry in pack.entries) for key, pack in packs.items()}
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.msgpack.encode(Kept(source_digest(ROOT / "engine"), specs)))
    new.replace(file)


class Kept(Struct):
    """The file of descriptions."""

    engine: str
    packs: dict[str, tuple[NodeSpec, ...]]


def answer(path: Path) -> NoReturn:
    """The describing process: import, answer on what was stdout, and leave without waiting for anything."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(LIMIT) + 5)  # should nobody be left to end us
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the pack prints goes the way of errors
    pack = load(path)
    told = Told(reason=pack.reason) if isinstance(pack, Failed) else Told(tuple(e.spec for e in pack.entries))
    with out:
        out.write(msgspec.msgpack.encode(told))
    os._exit(0)


if __name__ == "__main__":
    answer(Path(sys.argv[2]))
