"""Colour tables (.cube files): read without trust."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.types import Array

MOST_BYTES = 16 * 2**20
LARGEST = {"LUT_1D_SIZE": 65_536, "LUT_3D_SIZE": 65}
"""Points along a side; files in use have no more."""
LONGEST_LINE = 1000
KEYWORD = re.compile(rb"[A-Z]\w*")
"""TITLE, and whatever else a program may say about its table."""
Row = tuple[float, ...]
REMEDY = "Export it again as a .cube file."


class Cube(NamedTuple):
    """Colours for colours: blue × green × red × 3 of a cube, or points × 3 of three curves; float32."""

    table: Array
    low: Array
    high: Array
    """The colours at the first and last points."""


def parsed(data: bytes) -> Cube:
    """The table in a .cube file; BadInput says the line that is wrong."""
    if len(data) > MOST_BYTES:
        raise wrong(f"{len(data) / 2**20:.0f} MB", f"at most {MOST_BYTES // 2**20}")
    words: dict[bytes, Row] = {b"DOMAIN_MIN": (0.0,) * 3, b"DOMAIN_MAX": (1.0,) * 3}
    kind, size, rows = "", 0, list[Row]()
    for number, line in lines(data):
        first, *rest = line.split()
        if first in (b"LUT_1D_SIZE", b"LUT_3D_SIZE"):
            if kind:
                raise wrong(f"line {number}: a second table", "one table in a file")
            kind, size = first.decode(), size_of(number, first.decode(), rest)
        elif first in words:
            words[first] = numbers(number, rest, 3)
        elif first in (b"LUT_1D_INPUT_RANGE", b"LUT_3D_INPUT_RANGE"):
            low, high = numbers(number, rest, 2)
            words = {b"DOMAIN_MIN": (low,) * 3, b"DOMAIN_MAX": (high,) * 3}
        elif not KEYWORD.fullmatch(first):
            rows.append(numbers(number, line.split(), 3))
            if not kind or len(rows) > size ** (3 if kind == "LUT_3D_SIZE" else 1):
                raise wrong(f"line {number}: more colours than its size says", "as many as its size says")
    domain = words[b"DOMAIN_MIN"], words[b"DOMAIN_MAX"]
    return built(kind, size, rows, domain)


def lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """What is neither empty nor a remark, with its number."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if (line := line.strip()) and not line.startswith(b"#"):
            if len(line) > LONGEST_LINE:
                raise wrong(f"line {number}: {len(line)} characters", f"at most {LONGEST_LINE}")
            yield number, line


def size_of(number: int, kind: str, words: list[bytes]) -> int:
    if len(words) != 1 or not words[0].isdigit() or not 2 <= int(words[0][:7]) <= LARGEST[kind]:
        raise wrong(f"line {number}: {kind} {b' '.join(words)[:20]!r}", f"2 to {LARGEST[kind]}")
    return int(words[0])


def numbers(number: int, words: list[bytes], count: int) -> Row:
    try:
        found = tuple(float(word[:40]) for word in words)
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(value) for value in found):
        raise wrong(f"line {number}: {b' '.join(words)[:40]!r}", f"{count} numbers")
    return found


def built(kind: str, size: int, rows: list[Row], domain: tuple[Row, Row]) -> Cube:
    if not kind:
        raise wrong("no LUT_3D_SIZE or LUT_1D_SIZE", "a .cube file")
    wanted = size**3 if kind == "LUT_3D_SIZE" else size
    if len(rows) != wanted:
        raise wrong(f"{len(rows)} colours", f"{wanted}, for a size of {size}")
    low, high = domain
    if not all(a < b for a, b in zip(low, high, strict=True)):
        raise wrong(f"a domain from {low} to {high}", "a domain that rises")
    table = np.array(rows, np.float32)
    shape = (size, size, size, 3) if kind == "LUT_3D_SIZE" else (size, 3)
    return Cube(table.reshape(shape), np.array(low, np.float32), np.array(high, np.float32))


def wrong(got: str, want: str) -> BadInput:
    return BadInput("lut", got=got, want=want, remedy=REMEDY)
