"""How long the gallery of somebody who made 100,000 pictures takes to answer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine import assets, jobs, papers
from engine.db import Database
from engine.gallery import Gallery, Wanted
from tests.bench.table import REPEATS, Row
from tests.unit.test_gallery import seed

MIGRATIONS = (*jobs.MIGRATIONS, *assets.MIGRATIONS, *papers.MIGRATIONS)
RECORDS = 100_000
BAR = 0.2  # seconds
OFFERED = 0.1  # seconds
SEARCHES: dict[str, dict[str, Any]] = {
    "everything": {},
    "a word that a third has": {"text": "cat"},
    "a word that all have and a phrase": {"text": 'a "cat thing4"'},
    "a model": {"model": "m3"},
    "a workflow and a mode": {"workflow": "w5", "mode": 1},
    "a tag, starred": {"tag": "t2", "starred": True},
    "a day": {"since": 40_000.0, "until": 41_000.0, "text": "thing7"},
}


async def gallery() -> list[Row]:
    """The first page with its counts, which is what takes longest, by each filter; the slowest is told."""
    with tempfile.TemporaryDirectory() as folder:
        db = await Database.open(Path(folder) / "a.db", MIGRATIONS)
        await db.write(lambda writing: seed(writing, RECORDS))
        shelf = Gallery(db)
        taken = {
            name: await middle(partial(shelf.search, "ann", Wanted(**wanted)))
            for name, wanted in SEARCHES.items()
        }
        offered = await middle(partial(shelf.filters, "ann", 1))
        await db.close()
    slowest = max(taken, key=lambda name: taken[name])
    what = f"gallery: {RECORDS:,} records filtered ({slowest})"
    return [
        Row("10", what, taken[slowest], "s", BAR, note=str(taken)),
        Row("10", f"gallery: what {RECORDS:,} records can be filtered by", offered, "s", OFFERED),
    ]


async def middle(act: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await act()
        times.append(time.perf_counter() - began)
    return sorted(times)[REPEATS // 2]
