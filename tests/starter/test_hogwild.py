"""Two processes train together; a stopped run goes on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import torch
import torch.multiprocessing as processes
from recipe.hogwild import finished, rehook, train, unhook
from recipe.train_depth import new_depth
from recipe.train_pose import new_pose
from torch import Tensor, nn

from engine.config import ROOT
from tests.starter.doubling import PLAN, Doubling


@pytest.mark.soak
def test_two_processes_learn_together_and_go_on_after_a_stop(tmp_path: Path) -> None:
    line = nn.Linear(1, 1)
    train(line, Doubling, msgspec.structs.replace(PLAN, updates=60), tmp_path)
    halfway = int((tmp_path / "done").read_text())
    assert 60 <= halfway < 65
    assert not finished(PLAN, tmp_path)
    again = nn.Linear(1, 1)
    train(again, Doubling, PLAN, tmp_path)
    assert finished(PLAN, tmp_path)
    assert abs(again.weight.item() - 2) < 0.05


def test_models_with_backbones_answer_in_another_process_as_in_this_one() -> None:
    shown = torch.rand(1, 3, 128, 128)
    models = [new_depth(), new_pose()]
    with torch.inference_mode():
        before = [model(shown)[0] for model in models]
    for model in models:
        unhook(model)
    with processes.get_context("spawn").Pool(1) as other:
        after = other.starmap(answered, [(model, shown) for model in models])
    for one, same in zip(before, after, strict=True):
        torch.testing.assert_close(same, one)


def answered(model: nn.Module, shown: Tensor) -> Tensor:
    """What a model that was sent here says of a picture."""
    rehook(model)
    with torch.inference_mode():
        found: Tensor = model(shown)[0]
    return found


def test_the_rate_warms_holds_and_falls() -> None:
    rates = [PLAN.rate(done) for done in (0, 5, 100, 300, 400)]
    assert rates[0] < rates[1] == rates[2] > rates[3] > rates[4] > 0


@pytest.mark.soak
def test_a_run_told_to_stop_saves_and_ends(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.starter.doubling", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "models" / "starter")},
    )
    for _ in range(1200):
        if (tmp_path / "log.csv").exists():
            break
        time.sleep(0.05)
    run.terminate()
    assert run.wait(60) == 0
    assert int((tmp_path / "done").read_text()) > 0
    assert (tmp_path / "weights.pt").exists()
    assert {path.name for path in tmp_path.glob("moments*")} == {"moments0.pt", "moments1.pt"}
