"""Examples that enlarge, restore and cut out do what their pages say, with networks whose work is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from recipe.canvas import paint
from recipe.draw import draw

from engine.events import Job
from engine.registry import Registry
from engine.service import Engine
from tests import enhancers
from tests.engines import opened
from tests.enhancers import LIGHTER, SIDE
from tests.flow.test_examples import done
from tests.flow.test_looks import png

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


async def run(engine: Engine, name: str, pixels: Pixels, **inputs: Any) -> Job:
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


async def test_a_picture_without_faces_stays_as_it_is(engine: Engine) -> None:
    before = noise(SIDE, SIDE)
    job = await run(engine, "restore_faces", before, finder="one", restorer="lighter", sure=0.95)
    assert job.outputs["faces"] == 0
    np.testing.assert_array_equal(await made(engine, job), before)


@pytest.mark.model
async def test_each_face_is_drawn_again_and_nothing_else(engine: Engine) -> None:
    before = disc(SIDE)
    names = {"finder": "one", "model": "starter", "side": SIDE, "steps": 4}
    jobs = [await run(engine, "redraw_faces", before, **names, strength=much) for much in (0.25, 0.75)]
    little, more = [away(await made(engine, job), before) for job in jobs]
    assert 0 < little[40:100, 40:90].mean() < more[40:100, 40:90].mean()
    around = np.ones((SIDE, SIDE), bool)
    around[8:136, 12:116] = False  # the face is 64 × 80 at 32, 32, and grows by a third
    assert not more[around].any()


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
