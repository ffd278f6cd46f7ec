"""Examples with ControlNets, LoRAs, a refiner and a filler, all tiny: what each of their inputs does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from recipe.canvas import paint
from recipe.control import people
from recipe.draw import draw
from recipe.measure_control import placed
from recipe.scene import Point
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
KICKER, PARK = 3, 6
"""Seeds of drawings of people."""
FACE = 3
"""The seed of a drawing of a face."""
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
    assert min(apart(late, none), apart(late, more)) > 0.1


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


async def test_the_starter_s_own_style_draws_in_grey_and_is_off_at_0(engine: Engine) -> None:
    job = await done(engine, "with_and_without_a_lora", {"strengths": [0, 1, 0]})
    assert job.state == "done", job.problem
    sheet = (await picture_of(engine, job, "sheet")).astype(float)[4:132]
    off, on, again = [sheet[:, 4 + 132 * place :][:, :128] for place in range(3)]
    assert colourful(on) < colourful(off) / 4
    assert apart(off, again) == 0


def colourful(shown: Pixels) -> float:
    return float(np.ptp(shown, axis=2).mean())


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


async def test_the_starter_s_refiner_ends_what_its_large_sister_began(engine: Engine) -> None:
    asked = {"prompt": "a yellow star on a blue background", "seed": 3}
    by_two = await done(engine, "large_and_refined", asked)
    assert by_two.receipt["models"].keys() == {"starter-xl", "starter-xl-refiner"}
    by_one = await done(engine, "text_to_image", {**asked, "model": "starter-xl", "method": "dpm++ 2m"})
    both, one = [(await picture_of(engine, job, "picture")).astype(float) for job in (by_two, by_one)]
    assert middle(both) == pytest.approx(middle(one), abs=4)
    assert 1 < apart(both, one) < 12, "the same star, with other details"


async def test_the_starter_s_refiner_makes_soft_pictures_as_sharp_as_they_were_drawn(engine: Engine) -> None:
    """A blurred drawing, its last fifth by the refiner and by the model that knows all steps."""
    drawn = paint(draw(FACE, "face"))
    soft = cv2.GaussianBlur(drawn, (0, 0), 1.0)
    asked = {"prompt": draw(FACE, "face").captions[0], "strength": 0.2, "guidance": 1, "seed": 1}
    asked["picture"] = await engine.add_artifact(png(soft))
    alone, refined = [
        await picture_of(engine, await done(engine, "image_to_image", {**asked, "model": model}), "picture")
        for model in ("starter-xl", "starter-xl-refiner")
    ]
    steep = [sharp(one.astype(float)) / sharp(drawn.astype(float)) for one in (soft, alone, refined)]
    assert steep[0] < 0.65 < steep[1] + 0.04 < steep[2] < 1.1, steep
    errors = [float(np.square(one - drawn.astype(float)).mean()) for one in (alone, refined)]
    assert errors[1] < 0.9 * errors[0], errors


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
    erased[24:40, 24:40, :3] = 255
    again = await drawn(engine, "fill_what_is_erased", picture=erased, grow=2)
    np.testing.assert_array_equal(again, found, "nothing of what was erased is seen")


LARGE = {"model": "starter-xl", "net": "starter-controlnet-canny-xl"}


@pytest.mark.parametrize(("models", "well"), [({}, 0.6), (LARGE, 0.5)])
async def test_what_is_drawn_has_the_given_edges_and_the_colours_of_the_words(
    engine: Engine, models: dict[str, str], well: float
) -> None:
    """By the starter's own ControlNets, with them and without: a cross, though the words say a heart."""
    given = figure()
    free, held = [
        await picture_of(engine, await kept(engine, given, strength, **models), "picture")
        for strength in (0.0, 1.0)
    ]
    assert agreement(held, given) > well
    assert agreement(free, given) < 0.3
    red, green, blue = held[56:66, 60:72].mean((0, 1))
    assert min(red, green) > blue + 60  # a yellow one
    red, green, blue = held[112:124, 96:120].mean((0, 1))
    assert blue > max(red, green) + 60  # on blue


async def kept(engine: Engine, given: NDArray[np.uint8], strength: float, **models: str) -> Job:
    inputs = {"prompt": "a yellow heart on a blue background", "strength": strength, "seed": 7, "guidance": 2}
    inputs |= models
    picture = await engine.add_artifact(png(given))
    job = await done(engine, "keep_the_lines", {**inputs, "picture": picture})
    assert job.state == "done", job.problem
    return job


def figure() -> NDArray[np.uint8]:
    """A cross, larger than one would be drawn, and a little above the middle."""
    image = Image.new("RGB", (128, 128), (120, 60, 150))
    pen = ImageDraw.Draw(image)
    for bar in ((49, 14, 82, 107), (20, 45, 111, 77)):
        pen.rectangle(bar, fill=(20, 20, 24))
    return np.asarray(image)


async def test_what_is_drawn_is_as_near_as_it_was(engine: Engine) -> None:
    """By the starter's own ControlNet, with it and without: a cross again, of nothing but its depth."""
    words = {"prompt": "a yellow heart on a blue background", "seed": 7}
    picture = await engine.add_artifact(png(figure()))
    cross = figure()[..., 0] < 60
    shares = []
    for strength in (0.0, 1.0):
        job = await done(engine, "keep_the_depth", {**words, "picture": picture, "strength": strength})
        red, _, blue = np.moveaxis((await picture_of(engine, job, "picture")).astype(int), 2, 0)
        shares.append(overlap(red > blue + 60, cross))
    free, held = shares
    assert held > 0.7
    assert free < 0.5


async def test_a_person_stands_as_told_to_also_against_the_words(engine: Engine) -> None:
    """By the starter's own ControlNet, with it and without, as the starter's own estimator sees it."""
    asked = people(draw(KICKER, "person"))[0]
    given = {"people": in_parts(asked), "prompt": "a person standing in a red shirt on a blue background"}
    free, held = [
        await joints_of(engine, await done(engine, "pose_a_figure", {**given, "strength": strength}))
        for strength in (0.0, 1.0)
    ]
    assert placed(held, asked) >= 0.8
    assert placed(free, asked) <= 0.5


async def test_somebody_stands_before_the_trees_of_a_picture(engine: Engine) -> None:
    """By both of the starter's ControlNets: where the figure is, and what is around it."""
    place, asked = paint(draw(PARK, "person")), people(draw(KICKER, "person"))[0]
    given = {"people": in_parts(asked), "prompt": "a person kicking in a red shirt in a park", "seed": 2}
    given["picture"] = await engine.add_artifact(png(place))
    kept = []
    for strength in (0.0, 0.8):
        job = await done(engine, "figure_in_a_place", {**given, "place_strength": strength})
        assert placed(await joints_of(engine, job), asked) >= 0.8
        found = await picture_of(engine, job, "picture")
        kept.append(agreement(*(np.hstack((one[:, :24], one[:, 104:])) for one in (found, place))))
    assert kept[0] + 0.1 < kept[1] > 0.65


async def joints_of(engine: Engine, job: Job) -> list[Point]:
    """Of the person in a picture, in its pixels."""
    picture = await engine.add_artifact(png(await picture_of(engine, job, "picture")))
    seen = await done(engine, "pose_of_people", {"picture": picture})
    return [(128 * x, 128 * y) for x, y, _ in seen.outputs["points"][0]]


def in_parts(points: tuple[Point, ...]) -> list[list[list[float]]]:
    """One person, as it is typed in."""
    return [[[x / 128, y / 128] for x, y in points]]


def overlap(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


def agreement(made: NDArray[Any], given: NDArray[Any]) -> float:
    """F1 of edges, where two pixels apart is near enough."""
    found, wanted = (cv2.Canny(np.ascontiguousarray(one), 60, 140) > 0 for one in (made, given))
    near = np.ones((5, 5), np.uint8)
    precise = found[cv2.dilate(wanted.astype(np.uint8), near) > 0].sum() / max(1, found.sum())
    complete = wanted[cv2.dilate(found.astype(np.uint8), near) > 0].sum() / wanted.sum()
    return float(2 * precise * complete / max(1e-6, precise + complete))


async def test_the_starter_s_large_sister_draws_what_is_asked_softly_and_moved_as_it_is_told(
    engine: Engine,
) -> None:
    whole, soft, left, higher = [
        await starlit(engine, **told) for told in ({}, {"width": 40, "height": 40}, {"left": 28}, {"top": 28})
    ]
    assert whole[4:20, 4:20, 2].mean() > whole[4:20, 4:20, :2].max() + 40, "on blue"
    x, y = middle(whole)
    assert (x, y) == pytest.approx((64, 64), abs=8)
    assert middle(left) == pytest.approx((x - 28, y), abs=8)
    assert middle(higher) == pytest.approx((x, y - 28), abs=8)
    assert sharp(soft) < 0.95 * sharp(whole)


async def starlit(engine: Engine, **told: int) -> Pixels:
    """A yellow star by the large sister, told of sizes and windows."""
    document = json.loads((ROOT / "workflows" / "text_to_image.json").read_text("utf-8"))
    steps = document["steps"]
    steps["told"] = {"node": "set_sizes", "version": 1, "values": told, "wires": {"prompt": "words.out"}}
    steps["untold"] = {"node": "set_sizes", "version": 1, "values": told, "wires": {"prompt": "avoid.out"}}
    steps["sample"]["wires"] |= {"positive": "told.out", "negative": "untold.out"}
    asked = {"model": "starter-xl", "prompt": "a yellow star on a blue background", "seed": 3}
    job = await done(engine, document, asked)
    return (await picture_of(engine, job, "picture")).astype(float)


def middle(shown: Pixels) -> tuple[float, float]:
    """Where what is yellow is, in the middle."""
    rows, columns = np.nonzero(shown[..., 0] > shown[..., 2] + 60)
    return float(columns.mean()), float(rows.mean())


def sharp(shown: Pixels) -> float:
    """How steep its steepest fiftieth is."""
    down, across = np.gradient(shown.mean(2))
    steep = np.sort(np.hypot(down, across).ravel())
    return float(steep[-steep.size // 50 :].mean())
