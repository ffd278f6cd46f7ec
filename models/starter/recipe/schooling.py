"""A training script: its options, its run, and the finished model in its standard layout."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from .hogwild import Lesson, Plan, finished, train


class School(msgspec.Struct, frozen=True):
    """What a training script is made of."""

    about: str
    plan: Plan
    prepare: Callable[[Path], object]  # what must lie in the checkpoints before
    build: Callable[[], Any]  # the untrained model
    lesson: Callable[[Path, str], Lesson]  # from the checkpoints and the device
    write: Callable[[Any, Path], object]  # in the layout that ordinary loaders read


def attend(school: School) -> None:
    """Train from the command line, and write the model when its run is complete."""
    ask = argparse.ArgumentParser(description=school.about)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--updates", type=int, default=school.plan.updates)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = ask.parse_args()
    learn(school, given.checkpoints, given.updates, given.device)


def learn(school: School, checkpoints: Path, updates: int, device: str) -> None:
    """Train a model in the checkpoints, going on where an earlier run stopped."""
    plan = msgspec.structs.replace(school.plan, updates=updates)
    folder = checkpoints / plan.name
    if finished(plan, folder) and (folder / "final").exists():
        print(f"{plan.name}: finished", flush=True)
        return
    school.prepare(checkpoints)
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    model = school.build().to(device, memory_format=torch.channels_last)
    train(model, functools.partial(school.lesson, checkpoints, device), plan, folder)
    if finished(plan, folder):
        school.write(model.cpu().eval(), folder / "final")
