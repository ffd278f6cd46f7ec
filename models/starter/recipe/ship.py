"""Put finished models where the product finds them: each in its folder of the family."""

import argparse
import json
import shutil
from pathlib import Path

from .measure import FAMILY, MEASURES

LIMIT = 80_000_000
"""Bytes that the whole family may take."""


def ship(checkpoints: Path, family: Path, names: list[str]) -> None:
    """Replace models of the family by the finished ones of a training folder, with what measures them."""
    for name in dict.fromkeys(other for one in names for other in (one, *judges(one))):
        source, target = checkpoints / name / "final", family / name
        if not source.is_dir():
            raise SystemExit(f"{name} is not finished: there is no {source}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for path in target.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes for its owner alone
        for config in target.rglob("config.json"):
            forget_origin(config)
    if (size := weight(family)) > LIMIT:
        raise SystemExit(f"The family takes {size:,} bytes of at most {LIMIT:,}.")


def forget_origin(config: Path) -> None:
    """Take out where the library had read a part from: a folder of the machine that trained it."""
    said = json.loads(config.read_text(encoding="utf-8"))
    if said.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def judges(name: str) -> list[str]:
    """What a model is measured with that is no model of the family itself: the reader, the marker."""
    return [one for one in MEASURES[name].needs if one not in MEASURES] if name in MEASURES else []


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
    done = [name for name in MEASURES if (given.checkpoints / name / "final").is_dir()]
    ship(given.checkpoints, given.family, given.names or done)
    print(f"{weight(given.family) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
