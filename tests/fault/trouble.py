"""A pack whose nodes make trouble, workflows of them, and the diary in which they write what they did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.serving import Json, Server

SOURCE = '''
"""Nodes that are slow, that change the world, that do not listen, or that take their process along."""

import ctypes
import os
import resource
import time

from engine.context import SILENT, Context
from engine.node import node
from engine.types import Image


def note(diary: str, *words: object) -> None:
    """One line, in one write: several processes may write here."""
    line = " ".join(map(str, (*words, time.time()))) + "\\n"
    handle = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode())
    os.close(handle)


@node(category="test", lane="cpu")
def slow(number: int, diary: str, seconds: float = 0.2, ctx: Context = SILENT) -> int:
    """Square a number, slowly, in small steps."""
    note(diary, "begin", number)
    for _ in ctx.track(range(20)):
        time.sleep(seconds / 20)
    note(diary, "slow", number)
    return number * number


@node(category="test", lane="cpu")
def draw(number: int, side: int = 96) -> Image:
    """A picture in which every pixel depends on the number; too large for a row of the cache."""
    import numpy as np

    return Image(np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8))


@node(category="test", kind="effect", lane="io")
def tell(number: int, diary: str, name: str) -> int:
    """Write a line into the diary."""
    note(diary, "told", name)
    return number


@node(category="test", kind="source", lane="io")
def deaf(seconds: float, diary: str) -> float:
    """Sleep in C, without ever asking whether to stop."""
    note(diary, "deaf", os.getpid())
    time.sleep(seconds)
    return seconds


@node(category="test", kind="source", lane="io")
def crash(how: str, diary: str) -> int:
    """Take the whole process along."""
    note(diary, "crash", os.getpid())
    if how == "exit":
        os._exit(7)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), 9)
    return 0


@node(category="test", kind="source", lane="io")
def hog(megabytes: int, diary: str) -> int:
    """Ask for more memory than there is; the limit is set here and taken back."""
    note(diary, "hog", os.getpid())
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 8 * 1024**2, hard))
    try:
        return len(bytearray(megabytes * 1024**2))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
'''


class Line(NamedTuple):
    """One thing that a node did, and when."""

    what: str
    about: str
    at: float


class Diary:
    """What the nodes of the pack did, as they wrote it down themselves."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, what: str, about: str | None = None) -> list[Line]:
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        found = [Line(a, b, float(at)) for a, b, at in (line.split() for line in text.splitlines())]
        return [line for line in found if line.what == what and about in (None, line.about)]


def install(folder: Path) -> Path:
    """Write the pack; the folder of packs to give to a server."""
    pack = folder / "packs" / "trouble"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(SOURCE, "utf-8")
    return pack.parent


def worker_of(server: Server) -> psutil.Process:
    [child] = psutil.Process(server.pid).children()
    return child


def ended_within(process: psutil.Process, seconds: float) -> bool:
    """Whether it is gone by then; one that nobody has reaped yet is gone too."""
    end = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
    return True


def alone(node: str, diary: Diary, **values: object) -> Json:
    """A workflow of one of the nodes."""
    step = {"node": f"trouble/{node}", "version": 1, "values": {"diary": str(diary.path), **values}}
    return {"tessera": 1, "steps": {"only": step}, "outputs": {"out": "only.out"}}


def chore(number: int, diary: Diary, *, seconds: float = 0.2, shared: Sequence[int] = (0,)) -> Json:
    """A job with two slow steps, one of them shared with others, a saved picture, a line in the diary."""
    name, path = f"job{number}", str(diary.path)
    other = 1000 + shared[number % len(shared)]

    def step(node: str, wires: dict[str, str] | None = None, **values: object) -> Json:
        return {"node": node, "version": 1, "values": values, "wires": wires or {}}

    return {
        "tessera": 1,
        "title": name,
        "steps": {
            "own": step("trouble/slow", number=number, diary=path, seconds=seconds),
            "common": step("trouble/slow", number=other, diary=path, seconds=seconds),
            "sum": step("add", {"a": "own.out", "b": "common.out"}),
            "draw": step("trouble/draw", {"number": "own.out"}),
            "save": step("save_image", {"image": "draw.out"}, name=name, metadata="none"),
            "tell": step("trouble/tell", {"number": "own.out"}, diary=path, name=name),
        },
        "outputs": {"sum": "sum.out", "picture": "save.out", "square": "own.out"},
    }


def expected(number: int, shared: Sequence[int] = (0,)) -> tuple[float, int]:
    """The sum and the square of a chore."""
    square = number * number
    return float(square + (1000 + shared[number % len(shared)]) ** 2), square
