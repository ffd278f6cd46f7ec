"""The out-of-memory ladder: how a call is tried again, and what is said when nothing helps."""

from __future__ import annotations

import re
from typing import Protocol

from msgspec import Struct

from engine.errors import OutOfMemory, shown
from engine.node import Lane

THRIFT = 2
"""How far thrift is raised before giving up: tiles a quarter of their size."""


class Memory(Protocol):
    """What the ladder needs of the weights in memory."""

    limit: int

    @property
    def bytes(self) -> int: ...

    def evict(self, all: bool = False) -> int: ...


class Rung(Struct, frozen=True):
    """One try at a call."""

    name: str = ""
    """Added to the key when the result may differ from the real thing."""
    thrift: int = 0
    evict: bool = False
    turns: bool = False
    """With weights in the machine's memory, that come to the device in turns. Computes the same."""
    cpu: bool = False

    @property
    def how(self) -> str:
        """What a record says of it; nothing for a call that ran as it is."""
        return self.name or (TURNS if self.turns else "memory freed" if self.evict else "")


TURNS = "weights in turns"


def ladder(lane: Lane, can_fall_back: bool, can_take_turns: bool = False) -> list[Rung]:
    """The tries for a call: as it is, after freeing memory, in turns, with more thrift, on the CPU."""
    turns = can_take_turns and lane == "gpu"
    rungs = [Rung(), Rung(evict=True)]
    if turns:
        rungs.append(Rung(evict=True, turns=True))
    rungs += [Rung(f"thrift {n}", thrift=n, evict=True, turns=turns) for n in range(1, THRIFT + 1)]
    if can_fall_back and lane == "gpu":
        rungs.append(Rung("the CPU", thrift=THRIFT, evict=True, cpu=True))
    return rungs


def too_little(last: BaseException | None, memory: Memory | None) -> OutOfMemory:
    """The error when no rung held: bytes needed, where the allocator said, and bytes free."""
    if isinstance(last, OutOfMemory) and last.needed:
        return last
    if memory is not None:
        free = max(0, memory.limit - memory.bytes)
    else:
        import psutil

        free = int(psutil.virtual_memory().available)
    needed = asked_for(str(last))
    need = f"{needed:,} bytes needed, " if needed else ""
    said = f": {shown(str(last), 200)}" if str(last) else ""
    text = f"Not enough memory{said} ({need}{free:,} bytes free)."
    return OutOfMemory(text, needed=needed, free=free)


def asked_for(text: str) -> int:
    """Bytes that an error of an allocator says were asked for; 0 if it does not say."""
    found = ASKED.search(text)
    if found is None:
        return 0
    unit = "bkmgt".index(found[2][0].lower())
    return int(float(found[1].replace(",", "")) * 1024**unit)


ASKED = re.compile(r"allocate ([\d,]+(?:\.\d+)?) ?(bytes|[KMGT]i?B)", re.IGNORECASE)
