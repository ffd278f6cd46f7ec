"""A training script: its options, its run, and the finished model in its standard layout."""

import argparse
import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from .hogwild import Lesson, Plan, finished, train


class School(msgspec.Struct, frozen=True, kw_only=True):
    """What a training script is made of; a first path is that of the checkpoints."""

    plan: Plan
    build: Callable[[Path], Any]  # the untrained model
    lesson: Callable[[Path, str], Lesson]  # for a device; made in every process that trains
    write: Callable[[Path, Any, Path], object]  # the trained model in its layout, into a folder
    prepare: Callable[[Path], object] = lambda checkpoints: None  # what must lie there before
    memory: torch.memory_format = torch.channels_last  # denoisers are as fast without


def options(about: str | None) -> argparse.ArgumentParser:
    """What every training script may be told."""
    ask = argparse.ArgumentParser(description=about)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--updates", type=int, help="instead of those that are planned")
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return ask


def attend(about: str | None, school: School) -> None:
    """Train from the command line, and write the model when its run is complete."""
    given = options(about).parse_args()
    learn(school, given.checkpoints, given.updates, given.device)


def learn(school: School, checkpoints: Path, updates: int | None, device: str) -> bool:
    """Train a model in the checkpoints, going on where an earlier run stopped; true once it is finished."""
    plan = school.plan if updates is None else msgspec.structs.replace(school.plan, updates=updates)
    folder = checkpoints / plan.name
    if finished(plan, folder) and (folder / "final").exists():
        print(f"{plan.name}: finished", flush=True)
        return True
    torch.set_num_threads(1)
    school.prepare(checkpoints)
    torch.manual_seed(plan.seed)
    model = school.build(checkpoints).to(device, memory_format=school.memory)
    train(model, functools.partial(school.lesson, checkpoints, device), plan, folder)
    if complete := finished(plan, folder):
        keep(school, model, checkpoints, folder / "final")
    return complete


def keep(school: School, model: Any, checkpoints: Path, folder: Path) -> None:
    """Write a trained model; a stop while writing leaves no folder that looks complete."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    school.write(checkpoints, model.to("cpu", memory_format=torch.contiguous_format).eval(), fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)
