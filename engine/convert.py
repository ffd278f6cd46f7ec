"""Pickled weights become safetensors, in a process of its own that may do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config import ROOT
from engine.errors import Conflict, UnsafeModel
from engine.thumbnails import SAFE_ENVIRONMENT
from engine.weights import SAFE, UNSAFE

CHILD = "nodes._lib.unpickling"
STARTING = 120.0
"""Seconds that importing torch may take on a busy machine."""
PER_GIGABYTE = 60.0
LARGEST_SAID = 2000


class Converted(Struct):
    """What was written."""

    tensors: int = 0
    bytes: int = 0
    left: list[str] = []  # msgspec copies it
    """What else the file held, and is not a weight: the state of a training, say."""
    refused: str = ""


def convert(file: Path, into: Path, limits: Mapping[str, float] | None = None) -> Converted:
    """Write the tensors of a pickle as safetensors, bit for bit. Raises UnsafeModel for anything else in it.

    Nothing in the pickle is run: only tensors and plain containers are read, in a process that may use
    memory and time in proportion to the file, and knows no secrets.
    """
    size = file.stat().st_size
    seconds = (limits or {}).get("seconds", STARTING + PER_GIGABYTE * size / 1e9)
    memory = int((limits or {}).get("memory", 3 * size + 1024**3))
    draft = into.with_name(f".{into.name}.{os.getpid()}.tmp")
    paths = [str(path.absolute()) for path in (ROOT, file, draft)]
    command = [sys.executable, "-I", "-c", PROGRAM, *paths, str(memory)]
    environment = {name: os.environ[name] for name in SAFE_ENVIRONMENT if name in os.environ}
    environment["OMP_NUM_THREADS"] = "1"
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = verdict(file, done)
        os.replace(draft, into)
    except subprocess.TimeoutExpired:
        raise refused(file, f"reading it took over {seconds:.0f} seconds") from None
    finally:
        draft.unlink(missing_ok=True)
    return said


PROGRAM = f"import sys; sys.path.insert(0, sys.argv[1]); from {CHILD} import main; main(*sys.argv[2:])"


def verdict(file: Path, done: subprocess.CompletedProcess[bytes]) -> Converted:
    """What the process says at its end."""
    try:
        said = msgspec.json.decode(done.stdout.splitlines()[-1], type=Converted)
    except (IndexError, msgspec.DecodeError):
        reason = "it needs more memory than its size explains" if done.returncode else "it cannot be read"
        raise refused(file, reason) from None
    if said.refused:
        raise refused(file, said.refused[:LARGEST_SAID])
    return said


def refused(file: Path, why: str) -> UnsafeModel:
    return UnsafeModel(
        f"{file.name} is not converted: {why}.", remedy="Look for the model in safetensors, from its makers."
    )


def beside(file: Path, into: Path | None = None) -> Path:
    """Where the converted file goes. Raises Conflict if that is taken."""
    if file.suffix.lower() not in UNSAFE:
        ask = f"Name a file that ends in {', '.join(UNSAFE)}."
        raise UnsafeModel(f"{file.name} is no pickle by its name.", remedy=ask)
    into = into.with_name(into.name.removesuffix(SAFE) + SAFE) if into else file.with_suffix(SAFE)
    if into.exists():
        raise Conflict(f"{into.name} is there already.", remedy="Delete it, or name another: --out FILE.")
    return into
