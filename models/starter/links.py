"""Make the family's links again where they came as plain files: `python models/starter/links.py`.

Some models share weights, and what they share is a link. Git on a Windows without links, and some programs
that unpack archives, write a small file with the path in it instead. Where a link cannot be made the same
file gets a second name.
"""

from __future__ import annotations

import os
from pathlib import Path

FAMILY = Path(__file__).parent
LONGEST = 200
"""Bytes: a path between two models is shorter, weights are longer."""


def mend(family: Path = FAMILY) -> list[Path]:
    """Turn weights that only hold the path of others into links to them; gives what was turned."""
    weights = sorted(family.rglob("*.safetensors"))
    found = [(path, target) for path in weights if (target := meant(path, family))]
    for path, target in found:
        written = os.path.relpath(target, path.parent)
        path.unlink()
        try:
            path.symlink_to(written)
        except OSError:  # Windows allows links in its developer mode only
            path.hardlink_to(target)
    return [path for path, _ in found]


def meant(path: Path, family: Path) -> Path | None:
    """The weights whose path this file holds, if it is such a file and they are in the family."""
    if path.is_symlink() or path.stat().st_size > LONGEST:
        return None
    target = (path.parent / os.fsdecode(path.read_bytes())).resolve()
    inside = target.is_relative_to(family.resolve())
    return target if inside and target.suffix == ".safetensors" and target.is_file() else None


if __name__ == "__main__":
    for path in mend():
        print(f"{path.relative_to(FAMILY)} is a link again")
