"""`python -m tests.bench`: measure what we promise; prints a table, writes bench.json."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import browser, engine_cost, gallery, lanes, memory, pictures, server_cost
from tests.bench.table import Report, Row, line, machine, save, table

Measure = Callable[[], Awaitable[list[Row]]]
MEASURES: dict[str, Measure] = {
    "graphs": engine_cost.graphs,
    "edits": engine_cost.edits,
    "lanes": lanes.lanes,
    "start": server_cost.start,
    "throughput": server_cost.throughput,
    "large": server_cost.large,
    "restart": server_cost.restart,
    "growth": server_cost.job_growth,
    "sampling": pictures.sampling,
    "equal": pictures.equal,
    "memory": memory.memory,
    "gallery": gallery.gallery,
    "browser": browser.browser,
}


async def measure(names: list[str]) -> list[Row]:
    found: list[Row] = []
    for name in names:
        began = time.monotonic()
        rows = await MEASURES[name]()
        found += rows
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        for row in rows:
            print("  " + "  ".join(line(row)), file=sys.stderr, flush=True)
    return sorted(found, key=lambda row: int(row.number))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[*MEASURES], default=[*MEASURES], help="measure these")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where to write the figures")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    args = parser.parse_args()
    began, about = time.monotonic(), machine()
    rows = asyncio.run(measure(args.only))
    save(Report(about, rows, round(time.monotonic() - began, 1)), args.json)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(table(rows))
    missed = [row for row in rows if row.ok is False]
    print(f"{len(rows) - len(missed)} of {len(rows)} rows are within their bars; written to {args.json}")
    return 1 if missed and args.strict else 0


if __name__ == "__main__":
    sys.exit(main())
