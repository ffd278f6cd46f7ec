"""Training scripts of models that start from what lies in the checkpoints."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from .hogwild import Plan
from .schooling import School, learn


def attend(about: str | None, plan: Plan, school: Callable[[Path], School]) -> None:
    """Train from the command line, and write the model when its run is complete."""
    ask = argparse.ArgumentParser(description=about)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--updates", type=int, default=plan.updates)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = ask.parse_args()
    learn(school(given.checkpoints), given.checkpoints, given.updates, given.device)
