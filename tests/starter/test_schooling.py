"""A training script: what it trains is written whole, once, and not trained again."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from recipe.hogwild import Plan
from recipe.schooling import School, keep, learn
from torch import nn

from tests.starter.doubling import Doubling


def doubling(checkpoints: Path, device: str) -> Doubling:
    return Doubling()


def note(written: list[Path], checkpoints: Path, line: Any, folder: Path) -> None:
    written.append(checkpoints)
    folder.mkdir(parents=True)
    (folder / "slope").write_text(f"{float(line.weight.detach()):.2f}")


def school(written: list[Path]) -> School:
    return School(
        plan=Plan("line", 120, 0.05, warm=5, ema=0.9, workers=1),
        build=lambda _: nn.Linear(1, 1),
        lesson=doubling,
        write=functools.partial(note, written),
        memory=torch.preserve_format,
    )


@pytest.mark.soak
def test_a_model_is_trained_and_written(tmp_path: Path) -> None:
    learn(school([]), tmp_path, None, "cpu")
    assert abs(float((tmp_path / "line" / "final" / "slope").read_text()) - 2) < 0.2


def test_a_finished_model_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written: list[Path] = []
    (tmp_path / "line" / "final").mkdir(parents=True)
    (tmp_path / "line" / "done").write_text("120")
    learn(school(written), tmp_path, None, "cpu")
    assert not written
    assert capsys.readouterr().out == "line: finished\n"


def test_what_a_stopped_writer_left_is_replaced(tmp_path: Path) -> None:
    for left in ("final", "final.new"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "half").touch()
    keep(school([]), nn.Linear(1, 1), tmp_path, tmp_path / "final")
    assert [path.name for path in tmp_path.rglob("*")] == ["final", "slope"]
