"""Examples with ControlNets, LoRAs, a refiner and a filler, all tiny: what each of their inputs does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from safetensors.torch import save_file

from engine.config import ROOT
from engine.events import Job
from engine.registry import Registry
from engine.service import Engine
from tests import pipelines, tiny, twins
from tests.engines import opened
from tests.flow.test_examples import done, picture_of
from tests.flow.test_looks import png

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

SIDE = 64
SMALL: dict[str, Any] = {"width": SIDE, "height": SIDE, "steps": 4, "seed": 7}
NETS: dict[str, dict[str, str]] = {
    "keep_the_lines": {"model": "starter", "net": "lines"},
    "pose_a_figure": {"model": "starter", "net": "joints"},
    "figure_in_a_place": {"model": "starter", "place_net": "lines", "figure_net": "joints"},
    "with_and_without_a_lora": {"model": "xl", "lora": "first"},
    "pixel_art": {"model": "xl", "quick": "first", "style": "second"},
    "large_and_refined": {"model": "xl", "refiner": "refiner"},
    "fill_what_is_erased": {"model": "starter", "denoiser": "holes"},
}
"""What each example is given in place of what it would fetch."""

LAYERS = {"unet": ["to_q", "to_v"], "text_encoder": ["q_proj", "v_proj"], "text_encoder_2": ["q_proj"]}
Pixels = NDArray[np.float64]


def models(folder: Path) -> Path:
    """Nets for the starter model, and a large model with all that belongs to it; none of it trained."""
    unet = UNet2DConditionModel.from_pretrained(ROOT / "models" / "starter" / "base" / "unet")
    for seed, name in enumerate(("lines", "joints")):
        net = tiny.controlnet(seed, lambda: unet, (8, 8, 8, 16))
        net.save_pretrained(folder / "controlnet" / name)
    torch.manual_seed(2)
    holes = UNet2DConditionModel.from_config(dict(unet.config) | {"in_channels": 9})
    holes.save_pretrained(folder / "denoisers" / "holes")
    base = twins.make("sdxl")
    base.save_pretrained(folder / "diffusers" / "xl")
    twins.make("sdxl-refiner", 1).save_pretrained(folder / "diffusers" / "refiner")
    (folder / "loras").mkdir()
    for seed, name in enumerate(("first", "second")):
        save_file(pipelines.changes(base, seed, **LAYERS), folder / "loras" / f"{name}.safetensors")
        base.unload_lora_weights()
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("guided")
    async with opened(folder, Registry.core(), models=[models(folder / "models")]) as engine:
        yield engine


async def made(engine: Engine, name: str, **inputs: Any) -> Job:
    """The job at its end; its receipt names every model that counted."""
    if "picture" in inputs:
        inputs["picture"] = await engine.add_artifact(png(inputs["picture"]))
    job = await done(engine, name, {**SMALL, **NETS[name], **inputs})
    assert job.state == "done", job.problem
    assert job.receipt["models"].keys() == set(NETS[name].values())
    return job


async def drawn(engine: Engine, name: str, **inputs: Any) -> Pixels:
    return (await picture_of(engine, await made(engine, name, **inputs), "picture")).astype(float)


def apart(a: Pixels, b: NDArray[Any]) -> float:
    return float(np.abs(a - b).mean())


def square() -> NDArray[np.uint8]:
    pixels = np.full((SIDE, SIDE, 3), 30, np.uint8)
    pixels[16:48, 16:48] = (220, 180, 90)
    return pixels


async def test_lines_are_kept_as_much_as_it_is_told_to(engine: Engine) -> None:
    none, some, more = [
        await drawn(engine, "keep_the_lines", picture=square(), strength=strength) for strength in (0, 0.1, 1)
    ]
    assert 0.1 < apart(some, none) < apart(more, none)
    late = await drawn(engine, "keep_the_lines", picture=square(), strength=1, start=0.5, end=1)
    assert 0 < apart(late, none) < apart(more, none)


async def test_its_colours_stay_as_much_as_they_may_and_the_edges_are_shown(engine: Engine) -> None:
    job = await made(engine, "keep_the_lines", picture=square(), strength=0, change=0.25)
    near = (await picture_of(engine, job, "picture")).astype(float)
    far = await drawn(engine, "keep_the_lines", picture=square(), strength=0, change=1)
    assert apart(near, square()) < apart(far, square())
    edges = await picture_of(engine, job, "edges")
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[20:44, 20:44].any()


async def test_a_pose_is_drawn_and_followed(engine: Engine) -> None:
    tall = {"width": SIDE, "height": 2 * SIDE}
    job = await made(engine, "pose_a_figure", **tall)
    pose = await picture_of(engine, job, "pose")
    assert pose.shape == (2 * SIDE, SIDE, 3)
    assert (pose.max(axis=2) == 0).any()
    assert len(np.unique(pose.reshape(-1, 3), axis=0)) > 10
    free = await drawn(engine, "pose_a_figure", **tall, strength=0)
    assert apart((await picture_of(engine, job, "picture")).astype(float), free) > 1


async def test_a_place_and_a_figure_count_together_each_in_its_part_of_the_steps(engine: Engine) -> None:
    async def shown(**inputs: Any) -> Pixels:
        return await drawn(engine, "figure_in_a_place", picture=square(), **inputs)

    neither = await shown(place_strength=0, figure_strength=0)
    place, figure = await shown(figure_strength=0), await shown(place_strength=0)
    both, longer = await shown(), await shown(place_end=1)
    assert min(apart(a, b) for a, b in ((place, neither), (figure, neither), (both, place))) > 0.1
    assert min(apart(both, figure), apart(both, longer)) > 0.1


async def test_no_line_of_the_place_goes_through_the_figure(engine: Engine) -> None:
    striped = np.repeat((np.arange(SIDE) // 4 % 2 * 255).astype(np.uint8)[None], SIDE, 0)
    striped = np.repeat(striped[..., None], 3, 2)
    lines = []
    for room in (0, 8):
        job = await made(engine, "figure_in_a_place", picture=striped, room=room)
        guides = await picture_of(engine, job, "guides")
        lines.append(int((guides.min(axis=2) == 255).sum()))
    assert 0 < lines[1] < lines[0]


async def test_a_lora_is_off_at_0_and_the_stronger_the_more_it_changes(engine: Engine) -> None:
    job = await made(engine, "with_and_without_a_lora", strengths=[0, 0.3, 1, 0])
    sheet = (await picture_of(engine, job, "sheet")).astype(float)
    sheet = sheet[4 : 4 + SIDE]  # pictures of one row, 4 between them; below are the captions
    off, some, on = [sheet[:, 4 + (SIDE + 4) * place :][:, :SIDE] for place in range(3)]
    assert 0 < apart(some, off) < apart(on, off)
    words = await made(engine, "with_and_without_a_lora", strengths=[0, 0], text_strength=1, columns=2)
    told = (await picture_of(engine, words, "sheet")).astype(float)[4 : 4 + SIDE, 4 : 4 + SIDE]
    assert apart(told, off) > 0, "it changes the reading alone, too"


async def test_two_loras_count_upon_each_other(engine: Engine) -> None:
    job = await made(engine, "pixel_art", across=16)
    assert (await picture_of(engine, job, "sprite")).shape == (16, 16, 3)
    both = (await picture_of(engine, job, "picture")).astype(float)
    quick, style = [await drawn(engine, "pixel_art", **{f"{one}_strength": 0}) for one in ("style", "quick")]
    assert min(apart(both, quick), apart(both, style), apart(quick, style)) > 0


async def test_the_refiner_goes_on_and_both_hear_what_they_are_told(engine: Engine) -> None:
    plain = await drawn(engine, "large_and_refined", hand_over=3)
    for told in ({"original_width": 16}, {"left": 500}, {"beauty": 0}, {"hand_over": 1}):
        assert apart(plain, await drawn(engine, "large_and_refined", **{"hand_over": 3, **told})) > 0, told


async def test_what_is_erased_is_filled_and_every_other_pixel_kept(engine: Engine) -> None:
    erased = np.dstack([square(), np.full((SIDE, SIDE), 255, np.uint8)])
    erased[24:40, 24:40] = 0
    found = await drawn(engine, "fill_what_is_erased", picture=erased, grow=2)
    away = np.ones((SIDE, SIDE), bool)
    away[22:42, 22:42] = False
    np.testing.assert_array_equal(found[away], square()[away])
    assert np.abs(found[28:36, 28:36]).max() > 20, "it was black"
    other = await drawn(engine, "fill_what_is_erased", picture=erased, grow=2, seed=8)
    assert apart(found, other) > 0
