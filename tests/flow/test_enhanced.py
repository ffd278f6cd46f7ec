"""Examples that enlarge, restore and cut out do what their pages say, with networks whose work is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from recipe.canvas import paint, truth
from recipe.draw import KINDS, draw
from recipe.scene import Kind
from recipe.seen import face_box, landmarks
from recipe.train_background import overlap
from recipe.wear import blurred

from engine.events import Job
from engine.registry import Registry
from engine.service import Engine
from tests import enhancers
from tests.engines import opened
from tests.enhancers import LIGHTER, SIDE
from tests.flow.test_examples import done
from tests.flow.test_looks import png
from tests.toys import Doc, Wire, step, workflow

pytestmark = pytest.mark.asyncio(loop_scope="module")

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
GREEN, WHITE, BLUE = (30, 120, 40), (250, 240, 230), (20, 30, 150)


def models(folder: Path) -> Path:
    for kind in ("upscale", "detectors", "faces", "background"):
        (folder / kind).mkdir(parents=True)
    enhancers.enlarger(folder / "upscale" / "squares.safetensors")
    enhancers.finder(folder / "detectors" / "one.onnx")
    enhancers.lighter(folder / "faces" / "lighter.safetensors", {"size": str(SIDE)})
    enhancers.remover(folder / "background" / "bright.onnx")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("enhanced")
    async with opened(folder, Registry.core(), models=[models(folder / "models")]) as engine:
        yield engine


def noise(width: int, height: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


def disc(side: int = 96) -> Pixels:
    """A bright disc in the middle of blue."""
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    seen = np.clip(side / 4 - np.hypot(x, y), 0, 1)[..., None]
    found: Pixels = np.rint(seen * WHITE + (1 - seen) * BLUE).astype(np.uint8)
    return found


async def run(engine: Engine, name: str | Doc, pixels: Pixels, **inputs: Any) -> Job:
    job = await done(engine, name, {"picture": await engine.add_artifact(png(pixels)), **inputs})
    assert job.state == "done", job.problem
    return job


async def made(engine: Engine, job: Job, output: str = "picture") -> Pixels:
    """What an output saved, with its transparency."""
    saved = job.outputs[output]["artifact"]["sha256"]
    path, _ = await engine.artifact_path(engine.assets.id_of("local", saved))
    with Image.open(path) as picture:
        return np.asarray(picture)


def away(a: Pixels, b: Pixels) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How far apart two pictures are at each pixel, in steps of 255."""
    return np.asarray(np.abs(a.astype(int) - b.astype(int)).max(2))


async def test_places_are_hidden_and_nothing_else_is_touched(engine: Engine) -> None:
    before = noise(96, 64)
    places = {"lefts": [8, 64], "tops": [16, 8], "widths": [16, 24], "heights": [24, 16]}
    job = await run(engine, "hide_places", before, **places, shape="rectangle", block=8)
    found = await made(engine, job)
    inside = np.zeros((64, 96), bool)
    inside[16:40, 8:24] = inside[8:24, 64:88] = True
    assert not away(found, before)[~inside].any()
    for top, left in ((16, 8), (32, 16), (8, 64), (16, 80)):
        block, was = (picture[top : top + 8, left : left + 8].reshape(-1, 3) for picture in (found, before))
        assert (block == block[0]).all()
        assert np.abs(block[0] - was.mean(0)).max() <= 1


async def test_a_picture_is_enlarged_with_its_alpha_beside_lanczos(engine: Engine) -> None:
    before = noise(80, 64, 4)
    before[..., 3] = np.where(np.arange(80) < 40, 0, 255)
    job = await run(engine, "enlarge", before, upscaler="squares", tile=64)
    found = await made(engine, job)
    wanted = before.repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(found[..., 3], wanted[..., 3])
    np.testing.assert_array_equal(found[:, 160:], wanted[:, 160:])
    sheet = await made(engine, job, "sheet")
    assert sheet.shape[1] == 2 * 160 + 3 * 4
    net, plain = sheet[4:132, 2 * 4 + 160 + 80 : 2 * 4 + 320], sheet[4:132, 4 + 80 : 4 + 160]
    np.testing.assert_array_equal(net, wanted[64:192, 160:240, :3])
    assert away(plain, net).mean() > 10


@pytest.mark.model
async def test_a_small_picture_comes_back_sharper_than_by_scaling(engine: Engine) -> None:
    """By the starter's own network, of pictures that the renderer draws."""
    gained = []
    for seed in range(4):
        wanted = paint(draw(seed), 256)
        little = Image.fromarray(wanted).resize((64, 64), Image.Resampling.BOX)
        plain = np.asarray(little.resize((256, 256), Image.Resampling.BICUBIC))
        found = await made(engine, await run(engine, "enlarge", np.asarray(little)))
        gained.append(decibels(found, wanted) - decibels(plain, wanted))
    assert np.mean(gained) > 2


def decibels(found: Pixels, wanted: Pixels) -> float:
    return float(20 * np.log10(255) - 10 * np.log10(np.square(found.astype(float) - wanted).mean()))


async def test_an_enlarged_picture_is_drawn_over_as_much_as_is_said(engine: Engine) -> None:
    small = {"upscaler": "squares", "model": "starter", "window": 128, "overlap": 64, "longer_side": 192}
    little, more = [
        await run(engine, "enlarge_and_redraw", disc(), **small, steps=4, strength=strength)
        for strength in (0.25, 0.75)
    ]
    enlarged = await made(engine, little, "enlarged")
    assert enlarged.shape == (192, 192, 3)
    few, many = [away(await made(engine, job), enlarged).mean() for job in (little, more)]
    assert 0 < few < many


async def test_faces_are_found_marked_and_restored(engine: Engine) -> None:
    names = {"finder": "one", "restorer": "lighter"}
    before = np.full((SIDE, SIDE, 3), 100, np.uint8)
    job = await run(engine, "restore_faces", before, **names, fidelity=0)
    assert job.outputs["faces"] == 1
    found = await made(engine, job)
    assert found[76, 64, 0] == pytest.approx(100 + LIGHTER * 255, abs=1)
    assert (found[:4] == 100).all()
    sheet = await made(engine, job, "sheet")
    was, seen, after = (sheet[4 + 76, 4 + 64 + (SIDE + 4) * place] for place in range(3))
    assert was.tolist() == [100, 100, 100]
    assert seen[0] > seen[2]  # yellow
    assert after.tolist() == found[76, 64].tolist()
    half = await made(engine, await run(engine, "restore_faces", before, **names, fidelity=0.5))
    assert half[76, 64, 0] == pytest.approx(100 + LIGHTER * 255 / 2, abs=1)


async def test_the_starter_makes_a_blurred_face_clear_and_leaves_the_rest(engine: Engine) -> None:
    """By its own network, in a box marked by hand, on renders; how much nearer they come is in decibels."""
    gained = []
    for seed in range(3):
        scene = draw(seed, "face")
        wanted = paint(scene)
        left, top, right, bottom = (float(edge) for edge in face_box(landmarks(scene)))
        place = step("box", left=left, top=top, width=right - left, height=bottom - top)
        blurry = blurred(wanted, 2.0)
        job = await run(engine, {**CLEARED, "steps": {**CLEARED["steps"], "place": place}}, blurry)
        found, mask = await made(engine, job), await made(engine, job, "mask")
        inside = mask > 200
        assert 0.2 < inside.mean() < 0.7
        np.testing.assert_array_equal(found[mask == 0], blurry[mask == 0])
        gained.append(decibels(found[inside], wanted[inside]) - decibels(blurry[inside], wanted[inside]))
    assert np.mean(gained) > 5


CLEARED: Doc = workflow(
    {"picture": "clear.image", "mask": "seen.out"},
    inputs={"picture": "open.image"},
    open=step("load_image"),
    net=step("load_face_restorer"),
    clear=step("restore_faces", restorer=Wire("net.out"), image=Wire("open.image"), boxes=Wire("place.out")),
    seen=step("mask_to_image", mask=Wire("clear.mask")),
)


async def test_a_picture_without_faces_stays_as_it_is(engine: Engine) -> None:
    before = noise(SIDE, SIDE)
    job = await run(engine, "restore_faces", before, finder="one", restorer="lighter", sure=0.95)
    assert job.outputs["faces"] == 0
    np.testing.assert_array_equal(await made(engine, job), before)


@pytest.mark.model
async def test_each_face_is_drawn_again_and_nothing_else(engine: Engine) -> None:
    before = disc(SIDE)
    names = {"finder": "one", "side": SIDE, "steps": 4, "grow": 0.3}
    jobs = [await run(engine, "redraw_faces", before, **names, strength=much) for much in (0.25, 0.75)]
    little, more = [away(await made(engine, job), before) for job in jobs]
    assert 0 < little[40:100, 40:90].mean() < more[40:100, 40:90].mean()
    around = np.ones((SIDE, SIDE), bool)
    around[8:136, 12:116] = False  # the face is 64 × 80 at 32, 32, and grows by a third
    assert not more[around].any()


@pytest.mark.model
async def test_the_starter_finds_the_faces_that_were_drawn_and_no_others(engine: Engine) -> None:
    """Renders with one face or none, beside one of the usual size in the middle of each."""
    right = said = luck = 0
    middle = boxed((28, 34, 100, 106))
    for kind in KINDS:
        for seed in range(50, 54):
            scene = draw(seed, kind)
            count, marked = await looked_at(engine, paint(scene))
            there = boxed(face_box(landmarks(scene)))
            right += overlap(marked, there) > 0.5
            luck += overlap(middle, there) > 0.5
            said += count
    assert right >= 7 > 5 > luck, "of 8 faces, and of 4 × 3 pictures without"
    assert right / said >= 0.85 > 0.5 > luck / 20


@pytest.mark.model
@pytest.mark.parametrize(
    ("prompt", "there"),
    [
        ("a happy woman in a red hat on a yellow background", 1),
        ("a sad gray bear on a pink background", 1),
        ("a person waving in a purple shirt on a green field", 1),
        ("a red circle on a blue background", 0),
        ("a yellow sun over a blue sea", 0),
    ],
)
async def test_the_starter_finds_the_faces_that_the_starter_draws(
    engine: Engine, prompt: str, there: int
) -> None:
    job = await done(engine, "text_to_image", {"prompt": prompt})
    count, _ = await looked_at(engine, await made(engine, job))
    assert count == there


async def looked_at(engine: Engine, pixels: Pixels) -> tuple[int, np.ndarray[Any, np.dtype[np.bool_]]]:
    """How many faces are found, and where."""
    job = await run(engine, FOUND, pixels)
    return job.outputs["count"], (await made(engine, job, "mask")) > 127


def boxed(corners: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The pixels of a render within left, top, right and bottom; none, if it has no such place."""
    y, x = np.mgrid[0:128, 0:128]
    left, top, right, bottom = corners
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom))


FOUND: Doc = workflow(
    {"count": "count.out", "mask": "seen.out"},
    inputs={"picture": "open.image"},
    open=step("load_image"),
    finder=step("load_face_finder"),
    found=step("find_faces", finder=Wire("finder.out"), image=Wire("open.image")),
    count=step("count", items=Wire("found.out")),
    mask=step("mask_boxes", image=Wire("open.image"), boxes=Wire("found.out"), shape="rectangle", grow=0),
    seen=step("mask_to_image", mask=Wire("mask.out")),
)


@pytest.mark.model
async def test_the_starter_finds_and_clears_a_blurred_face(engine: Engine) -> None:
    """Nearer to the render where the face is, and as it was elsewhere."""
    gained = []
    for seed in range(60, 63):
        wanted = paint(draw(seed, "face"))
        blurry = blurred(wanted, 2.0)
        job = await run(engine, "restore_faces", blurry)
        assert job.outputs["faces"] == 1
        found = await made(engine, job)
        inside = away(found, blurry) > 0
        assert 0.1 < inside.mean() < 0.7
        gained.append(decibels(found[inside], wanted[inside]) - decibels(blurry[inside], wanted[inside]))
    assert np.mean(gained) > 4


@pytest.mark.model
async def test_the_starter_draws_the_face_anew_that_it_finds(engine: Engine) -> None:
    """A runner whose face is asked to be a robot's has other pixels there, and the same elsewhere."""
    scene = draw(2, "person")
    before = np.asarray(Image.fromarray(paint(scene, 256)))
    job = await run(engine, "redraw_faces", before, prompt="a sad red robot on a blue background", steps=10)
    assert job.outputs["faces"] == 1
    changed = away(await made(engine, job), before) > 0
    left, top, right, bottom = np.rint(2 * face_box(landmarks(scene))).astype(int)
    assert changed[top:bottom, left:right].mean() > 0.9
    assert changed.mean() < 6 * (right - left) * (bottom - top) / changed.size


@pytest.mark.model
async def test_the_starter_rescues_a_small_pale_face(engine: Engine) -> None:
    """Twice as large, its face found and clear, its contrast back: nearer than by scaling alone."""
    gained = []
    for seed in range(60, 63):
        wanted = paint(draw(seed, "face"))
        little = np.asarray(Image.fromarray(wanted).resize((64, 64), Image.Resampling.BOX))
        old = np.rint(little * 0.5 + 64).astype(np.uint8)
        plain = np.asarray(Image.fromarray(old).resize((128, 128), Image.Resampling.BICUBIC))
        found = await made(engine, await run(engine, "rescue_a_photo", old))
        assert found.shape == wanted.shape
        gained.append(decibels(found, wanted) - decibels(plain, wanted))
    assert np.mean(gained) > 2


async def test_a_photo_is_rescued(engine: Engine) -> None:
    before = (noise(SIDE // 2, SIDE // 2) // 8 + 100).astype(np.uint8)  # flat and grey
    names = {"upscaler": "squares", "finder": "one", "restorer": "lighter"}
    found = await made(engine, await run(engine, "rescue_a_photo", before, **names, fidelity=0))
    assert found.shape == (SIDE, SIDE, 3)
    assert np.ptp(found) > 200
    assert found[60:90, 50:80].mean() > found[:20].mean() + 50


async def test_a_figure_stands_on_another_ground_with_a_soft_edge(engine: Engine) -> None:
    ground = np.full((60, 90, 3), GREEN, np.uint8)
    given = {"remover": "bright", "ground": await engine.add_artifact(png(ground)), "light": 0}
    job = await run(engine, "new_ground", disc(), **given)
    found, figure = await made(engine, job), await made(engine, job, "figure")
    assert found.shape == (96, 96, 3)
    assert np.abs(found[48, 48].astype(int) - WHITE).max() <= 12
    assert np.abs(found[4, 4].astype(int) - GREEN).max() <= 20
    assert figure[48, 48, 3] > 230 > 25 > figure[4, 4, 3]
    rim = found[(figure[..., 3] > 80) & (figure[..., 3] < 180)]
    assert len(rim)
    assert (rim[:, 2] < WHITE[2]).all(), "blue of the old ground"
    soft = await made(engine, await run(engine, "new_ground", disc(), **given, softness=6), "figure")
    wide, narrow = (((one[..., 3] > 25) & (one[..., 3] < 230)).sum() for one in (soft, figure))
    assert wide > 2 * narrow
    lit = await made(engine, await run(engine, "new_ground", disc(), **{**given, "light": 0.8}))
    assert lit[48, 48, 0] < found[48, 48, 0] - 20


async def test_the_starter_cuts_out_what_was_drawn(engine: Engine) -> None:
    """On renders, whose figures are known; beside what a box in the middle would give."""
    ground = await engine.add_artifact(png(np.full((8, 8, 3), GREEN, np.uint8)))
    overlaps, boxes = [], []
    kinds: tuple[Kind, ...] = ("person", "face", "object")
    for seed, kind in enumerate(kinds, 11):
        scene = draw(seed, kind)
        figure = truth(scene).owner >= 0
        inputs = {"ground": ground, "inwards": 0, "softness": 0, "edge": "as found"}
        found = await made(engine, await run(engine, "new_ground", paint(scene), **inputs), "figure")
        overlaps.append(overlap(found[..., 3] > 127, figure))
        middle = np.zeros_like(figure)
        middle[32:96, 32:96] = True
        boxes.append(overlap(middle, figure))
    assert min(overlaps) > 0.9
    assert all(one > box + 0.1 for one, box in zip(overlaps, boxes, strict=True))
