"""ControlNets: they start silent, learn, load through the ordinary loader, and are measured rightly."""

import json
import re
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from recipe import measure_control, ship, train_control
from recipe.base import new_unet
from recipe.base_xl import Twin
from recipe.canvas import paint, truth
from recipe.control import people
from recipe.draw import draw
from recipe.measure_control import (
    agreement,
    correlation,
    depth_trial,
    edge_trial,
    placed,
    pose_trial,
    steered,
)
from recipe.palette import COLOURS
from recipe.swaps import reshaped

from tests.starter.falling import falls
from tests.starter.shelves import small_checkpoints


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoints(tmp_path_factory.mktemp("control"))


def test_a_new_controlnet_says_nothing_and_lets_its_hint_through(checkpoints: Path) -> None:
    control = train_control.start("canny", checkpoints)
    lesson = train_control.steering("canny", checkpoints, "cpu")
    words = lesson.base.read(torch.zeros(1, 24, dtype=torch.long), 128)
    hint = torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        steer, middle = control(
            torch.randn(1, 4, 16, 16), torch.tensor([500]), controlnet_cond=hint, return_dict=False, **words
        )
        embedding = control.controlnet_cond_embedding
        inner = embedding.conv_in(hint)
        for block in embedding.blocks:
            inner = block(torch.nn.functional.silu(inner))
    assert max(float(one.abs().max()) for one in (*steer, middle)) == 0
    assert inner.std() > 0.2


def test_a_controlnet_learns_from_its_hints(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_control, "BATCH", 4)
    torch.manual_seed(0)
    lesson = train_control.steering("pose", checkpoints, "cpu")
    control = train_control.start("canny", checkpoints)
    assert falls(control, lesson, rate=3e-3)
    deep = train_control.steering("depth", checkpoints, "cpu")
    _, figures = deep.loss(control, np.random.default_rng(0), 0.0)
    assert np.isfinite(figures["loss"])


def test_a_lie_for_training_changes_forms_and_no_colour() -> None:
    scenes = [draw(seed) for seed in range(60)]
    told = [(one.captions[0], reshaped(Random(0), one.captions[0], one.kind)) for one in scenes]
    assert sum(true != lie for true, lie in told) > 40

    def colours(caption: str) -> list[str]:
        return sorted(word for word in re.findall(r"\w+", caption) if word in COLOURS)

    assert all(colours(true) == colours(lie) for true, lie in told)
    assert not any("large" in lie or "small" in lie for _, lie in told)


def test_a_finished_controlnet_loads_as_any_other_and_steers_alike(checkpoints: Path) -> None:
    control = train_control.start("canny", checkpoints)
    for weight in control.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    train_control.export(control, checkpoints / "controlnet-canny" / "final")
    again = ControlNetModel.from_pretrained(checkpoints / "controlnet-canny" / "final", dtype=torch.float32)
    words = torch.zeros(1, 24, 128)
    told = torch.zeros(1, 4, 16, 16), torch.tensor([5]), words, torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        first, second = (one(*told, return_dict=False)[1] for one in (control.float(), again))
    assert first.abs().max() > 0
    assert torch.equal(first, second)
    assert train_control.start("depth", checkpoints).config == again.config


def test_the_deep_layers_of_a_controlnet_are_its_base_s_and_shipped_as_a_link(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_control, "BATCH", 4)
    edges = train_control.start("canny", checkpoints)
    for one in edges.parameters():
        torch.nn.init.normal_(one, std=0.05)
    for name in ("controlnet-canny", "controlnet-depth"):
        train_control.export(edges.float(), checkpoints / name / "final")
    control = train_control.start("depth-shared", checkpoints)
    before = {name: one.detach().clone() for name, one in control.named_parameters()}
    assert falls(control, train_control.steering("depth-shared", checkpoints, "cpu"), rate=3e-3)
    after, base = control.state_dict(), train_control.frozen(checkpoints).unet.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in base if name.startswith(train_control.DEEP)} & after.keys()
    assert all(torch.equal(after[name], base[name]) for name in kept)

    train_control.export(control, checkpoints / "controlnet-depth-shared" / "final")
    shutil.copytree(checkpoints / "base" / "final", tmp_path / "base")
    full = ship.weight(checkpoints / "controlnet-depth-shared")
    room = ship.weight(tmp_path) + full / 2
    ship.ship(checkpoints, tmp_path, ["controlnet-depth"])
    again = ControlNetModel.from_pretrained(tmp_path / "controlnet-depth", dtype=torch.float16).state_dict()
    assert again.keys() == after.keys()
    assert all(torch.equal(again[name], one) for name, one in control.state_dict().items())
    [link] = [path for path in (tmp_path / "controlnet-depth").iterdir() if path.is_symlink()]
    assert not link.readlink().is_absolute()
    assert ship.weight(tmp_path) < room


def test_the_twin_s_controlnet_starts_from_that_of_edges_and_learns(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_control, "BATCH", 4)
    edges = train_control.start("canny", checkpoints)
    torch.nn.init.normal_(edges.controlnet_mid_block.weight, std=0.01)
    train_control.export(edges, checkpoints / "controlnet-canny" / "final")
    base = train_control.frozen(checkpoints)
    twin = Twin(base.encoders[0], base.unet)
    for part, name in ((twin.unet, "unet"), (twin.text, "text_encoder"), (twin.text_2, "text_encoder_2")):
        part.half().save_pretrained(checkpoints / "xl" / "final" / name)
    control = train_control.start("canny-xl", checkpoints)
    assert torch.equal(control.controlnet_mid_block.weight, edges.controlnet_mid_block.weight.float())
    reader = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    assert torch.equal(control.state_dict()[reader], twin.unet.state_dict()[reader].float())
    assert falls(control, train_control.steering("canny-xl", checkpoints, "cpu"), rate=3e-3)


def test_a_controlnet_is_at_most_five_megabytes() -> None:
    control = ControlNetModel.from_unet(new_unet(), conditioning_embedding_out_channels=(8, 16, 32, 64))
    assert 2 * sum(weight.numel() for weight in control.parameters()) < 5e6


def test_the_measure_of_edges_knows_its_own_render_from_another() -> None:
    scenes = tuple(draw(seed) for seed in range(12))
    trial = edge_trial("controlnet-canny", scenes)
    renders = [paint(scene) for scene in scenes]
    assert trial.read(renders, scenes).min() == 1
    assert trial.read(renders[1:] + renders[:1], scenes).mean() < 0.45


def test_edges_may_be_two_pixels_off_but_not_three() -> None:
    lines = np.zeros((40, 40), np.bool_)
    lines[20] = True
    assert agreement(np.roll(lines, 2, 0), lines) == 1
    assert agreement(np.roll(lines, 3, 0), lines) == 0
    assert agreement(np.zeros_like(lines), lines) == 0
    assert agreement(np.zeros_like(lines), np.zeros_like(lines)) == 1


def test_the_measures_of_depth_and_limbs_know_the_truth_from_chance() -> None:
    scenes = tuple(draw(seed, "person") for seed in range(12))
    near = [truth(scene).near for scene in scenes]
    joints = [list(people(scene)[0]) for scene in scenes]
    renders = [paint(scene) for scene in scenes]
    assert depth_trial(scenes, lambda _: near).read(renders, scenes).min() > 0.999
    assert pose_trial(scenes, lambda _: joints).read(renders, scenes).min() == 1
    assert pose_trial(scenes, lambda _: joints[1:] + joints[:1]).read(renders, scenes).mean() < 0.5
    assert correlation(np.zeros((4, 4), np.float32), near[0][:4, :4]) == 0
    assert placed([(0.0, 0.0), (7.0, 0.0)], [(0.0, 5.9), (0.0, 0.0)]) == 0.5


def test_pictures_are_steered_through_the_ordinary_pipeline(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_control, "STEPS", 3)
    train_control.export(train_control.start("canny", checkpoints), tmp_path / "controlnet-canny")
    (tmp_path / "base").symlink_to(checkpoints / "base" / "final")
    drawing = measure_control.open_control(tmp_path, "controlnet-canny")
    trial = edge_trial("controlnet-canny", (draw(0),))
    assert steered(drawing, trial, 1.0)[0].shape == (128, 128, 3)
    index = json.loads((tmp_path / "controlnet-canny" / "config.json").read_text())
    assert index["_class_name"] == "ControlNetModel"
