"""Inpainting: it starts as the base, learns, loads beside the base, and is measured rightly."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from recipe import measure_inpainting, train_inpainting
from recipe.holes import covered
from recipe.judge import judge
from recipe.measure_inpainting import Task, answered, fill, mismatch, open_inpainting, tasks
from recipe.train_control import frozen

from tests.starter.shelves import small_checkpoints


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoints(tmp_path_factory.mktemp("inpainting"))


def test_a_new_inpainting_model_draws_as_the_base(checkpoints: Path) -> None:
    unet = frozen(checkpoints).unet
    wide = train_inpainting.widened(unet)
    noisy, words, step = torch.randn(1, 4, 16, 16), torch.randn(1, 24, 128), torch.tensor([500])
    with torch.inference_mode():
        plain = unet(noisy, step, words).sample
        same = wide(torch.cat([noisy, torch.randn(1, 5, 16, 16)], 1), step, words).sample
    assert wide.config.in_channels == 9
    assert torch.allclose(plain, same, atol=1e-5)


def test_inpainting_learns_and_meets_its_holes_again(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_inpainting, "BATCH", 6)
    torch.manual_seed(0)
    lesson = train_inpainting.filling(checkpoints, "cpu")
    unet = train_inpainting.widened(frozen(checkpoints).unet).train()
    optimiser = torch.optim.AdamW(unet.parameters(), 2e-3)
    rng, losses = np.random.default_rng(0), []
    for _ in range(12):
        loss, figures = lesson.loss(unet, rng, 0.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(figures["loss"])
    assert np.isfinite(losses).all()
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])
    assert len(lesson.met) == 6 + 11 * train_inpainting.FRESH
    assert lesson.met[0][1].shape == (5, 16, 16)


def test_what_is_in_the_hole_cannot_be_seen(checkpoints: Path) -> None:
    lesson = train_inpainting.filling(checkpoints, "cpu")
    shown = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3)).astype(np.uint8)
    mask = np.zeros((128, 128), np.bool_)
    mask[30:90, 30:90] = True
    shown[1, ~mask] = shown[0, ~mask]
    torch.manual_seed(0)
    one = covered(lesson.vae, shown[:1], mask[None])
    torch.manual_seed(0)
    other = covered(lesson.vae, shown[1:], mask[None])
    assert torch.equal(one, other)


def test_a_finished_model_fills_holes_in_the_base_s_pipeline(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_inpainting, "STEPS", 3)
    wide = train_inpainting.widened(frozen(checkpoints).unet)
    train_inpainting.export(wide, tmp_path / "inpainting")
    again = UNet2DConditionModel.from_pretrained(
        tmp_path / "inpainting", subfolder="unet", dtype=torch.float32
    )
    assert torch.equal(again.conv_in.weight, wide.conv_in.weight.float())
    (tmp_path / "base").symlink_to(checkpoints / "base" / "final")
    given = tasks(1)
    assert fill(open_inpainting(tmp_path), given, [given[0].asked])[0].shape == (128, 128, 3)


def test_the_measure_asks_for_other_shapes_and_sees_them() -> None:
    given = tasks(20)
    assert all(task.colour in task.asked and task.shape in task.asked for task in given)
    assert all(task.said != task.asked for task in given)
    pictures = [task.picture for task in given]
    assert answered(given, pictures) == 0
    assert answered([there(task) for task in given], pictures) >= 0.9
    assert mismatch(given, pictures) == 0
    assert mismatch(given, [picture // 2 for picture in pictures]) > 20


def there(task: Task) -> Task:
    """The same task, asking for what is there already."""
    inside = [one for one in judge(task.picture).shapes if task.hole[int(one.y * 128), int(one.x * 128)]]
    colour, shape = (inside[0].colour, inside[0].shape) if inside else ("", "")
    return msgspec.structs.replace(task, colour=colour, shape=shape)
