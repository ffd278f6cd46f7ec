"""Two processes train together; a stopped run goes on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from recipe.hogwild import finished, train
from torch import nn

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
