"""What waits for what: branches beside each other, and the graphics card beside the encoding of pictures."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

from engine.events import Request
from engine.service import Engine
from tests.bench.table import REPEATS, Row, quantile
from tests.serving import Json

SOURCE = '''
"""Nodes that take their time."""
import time
from engine.node import node
from engine.types import Image

@node(category="bench", lane="cpu")
def rest(seconds: float, turn: int) -> float:
    """Sleep, as one who waits for somebody else's machine."""
    time.sleep(seconds)
    return seconds + turn

@node(category="bench", kind="source", lane="gpu")
def burn(turn: int, diary: str) -> int:
    """Hold the graphics card for 0.4 s; the processor is free meanwhile."""
    began = time.perf_counter()
    time.sleep(0.4)
    with open(diary, "a") as file:
        file.write(f"{began} {time.perf_counter()}\\\\n")
    return turn

@node(category="bench", lane="cpu")
def noise(turn: int) -> Image:
    """A picture of 1024 × 1024 that does not compress."""
    import numpy as np
    return Image(np.random.default_rng(turn).integers(0, 256, (1024, 1024, 3), np.uint8))
'''.replace("\\\\", "\\")
JOBS = 16


async def lanes() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder) / "packs" / "bench"
        pack.mkdir(parents=True)
        (pack / "__init__.py").write_text(SOURCE, "utf-8")
        async with Engine.local(Path(folder) / "data", packs=pack.parent) as engine:
            await run(engine, branches(0.01, 100))
            both = [await run(engine, branches(1.0, turn * 2)) for turn in range(REPEATS)]
            gaps = await between(engine, Path(folder) / "diary.txt")
    what = "gap between GPU calls of two jobs while PNGs encode: "
    return [
        Row("6", "two branches of 1 s", statistics.median(both), "s", 1.1),
        Row("6", what + "median", statistics.median(gaps), "ms", 5),
        Row("6", what + "p90", quantile(gaps, 0.9), "ms"),
    ]


def branches(seconds: float, turn: int) -> Json:
    def rest(number: int) -> Json:
        return {"node": "bench/rest", "version": 1, "values": {"seconds": seconds, "turn": number}}

    total = {"node": "add", "version": 1, "wires": {"a": "left.out", "b": "right.out"}}
    steps = {"left": rest(turn), "right": rest(turn + 1), "sum": total}
    return {"tessera": 1, "steps": steps, "outputs": {"sum": "sum.out"}}


def picture(turn: int, diary: Path) -> Json:
    saved = {"values": {"name": "noise"}, "wires": {"image": "noise.out"}}
    steps = {
        "burn": {"node": "bench/burn", "version": 1, "values": {"turn": turn, "diary": str(diary)}},
        "noise": {"node": "bench/noise", "version": 1, "wires": {"turn": "burn.out"}},
        "save": {"node": "save_image", "version": 1, **saved},
    }
    return {"tessera": 1, "steps": steps, "outputs": {"picture": "save.out"}}


async def run(engine: Engine, document: Json) -> float:
    """Seconds that the job ran."""
    [job] = await engine.submit(Request(document))
    job = await engine.wait(job.id)
    assert job.state == "done", job.problem
    return job.finished - job.started


async def between(engine: Engine, diary: Path) -> list[float]:
    """Milliseconds in which the graphics card was idle between two jobs that both wanted it."""
    await run(engine, picture(JOBS, diary))  # brings up torch
    diary.unlink()
    jobs = [(await engine.submit(Request(picture(turn, diary))))[0] for turn in range(JOBS)]
    done = await asyncio.gather(*(engine.wait(job.id) for job in jobs))
    assert {job.state for job in done} == {"done"}
    spans = [tuple(map(float, line.split())) for line in diary.read_text("utf-8").splitlines()]
    return [(after[0] - before[1]) * 1e3 for before, after in pairwise(spans)]
