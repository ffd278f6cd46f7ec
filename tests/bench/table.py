"""A figure, its bar, and whether it was reached: as a table for people, as JSON for machines."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.machine import cores

REPEATS = 5


class Row(Struct, frozen=True):
    """One thing measured."""

    number: str
    """Of the bar, as in docs/performance.md."""
    what: str
    measured: float
    unit: str
    bar: float | None = None
    """At most this; None where there is none to reach."""
    at_least: bool = False
    """The bar is a minimum."""
    note: str = ""

    @property
    def ok(self) -> bool | None:
        if self.bar is None:
            return None
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


class Report(Struct, frozen=True):
    """Everything measured, and on what."""

    machine: dict[str, str | int | float]
    rows: list[Row]
    seconds: float


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    return {
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "processor": processor(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "diffusers": version("diffusers"),
        "device": "cpu",
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def median_of(measure: Callable[[], float], repeats: int = REPEATS) -> float:
    return statistics.median(measure() for _ in range(repeats))


def cpu(act: Callable[[], object]) -> float:
    """Seconds of CPU of this process, all its threads."""
    began = time.process_time()
    act()
    return time.process_time() - began


def growth(points: Sequence[tuple[float, float]]) -> float:
    """The exponent of a power law through the points: the slope of a line fitted to their logarithms."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle_x = statistics.fmean(x for x, _ in logs)
    middle_y = statistics.fmean(y for _, y in logs)
    across = sum((x - middle_x) * (y - middle_y) for x, y in logs)
    return across / sum((x - middle_x) ** 2 for x, _ in logs)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def line(row: Row) -> tuple[str, ...]:
    bar = "" if row.bar is None else f"{'≥' if row.at_least else '≤'} {shown(row.bar)}"
    verdict = {True: "yes", False: "NO", None: ""}[row.ok]
    return row.number, row.what, f"{shown(row.measured)} {row.unit}".strip(), bar, verdict


def shown(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, which reads well in a terminal too."""
    head = ("#", "what", "measured", "bar", "reached")
    lines = [head, *(line(row) for row in rows)]
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(head))]
    padded = [[cell.ljust(w) for cell, w in zip(cells, widths, strict=True)] for cells in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def save(report: Report, path: Path) -> None:
    rows = [{**msgspec.to_builtins(row), "ok": row.ok} for row in report.rows]
    data = {"machine": report.machine, "seconds": report.seconds, "rows": rows}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(data)) + b"\n")
