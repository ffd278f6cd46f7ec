"""Put finished models where the product finds them: each in its folder of the family."""

import argparse
import shutil
from pathlib import Path

from .measure import FAMILY

LIMIT = 80_000_000
"""Bytes that the whole family may take."""


def ship(checkpoints: Path, family: Path, names: list[str]) -> None:
    """Replace models of the family by the finished ones of a training folder."""
    for name in names:
        source, target = checkpoints / name / "final", family / name
        if not source.is_dir():
            raise SystemExit(f"{name} is not finished: there is no {source}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    if (size := weight(family)) > LIMIT:
        raise SystemExit(f"The family takes {size:,} bytes of at most {LIMIT:,}.")


def weight(family: Path) -> int:
    """Bytes of everything in the family but what training left."""
    files = (path for path in family.rglob("*") if path.is_file())
    hidden = {"checkpoints", "__pycache__"}
    return sum(path.stat().st_size for path in files if not hidden & set(path.relative_to(family).parts))


def main() -> None:
    """Copy what is named, or everything that is finished."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("names", nargs="*")
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--family", type=Path, default=FAMILY)
    given = ask.parse_args()
    done = sorted(path.parent.name for path in given.checkpoints.glob("*/final"))
    ship(given.checkpoints, given.family, given.names or [name for name in done if name != "vae"])
    print(f"{weight(given.family) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
