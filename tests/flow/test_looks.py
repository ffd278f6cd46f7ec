"""The example workflows that develop, grade and print pictures do what their pages say."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from engine.events import Job
from engine.registry import Registry
from engine.service import Engine
from tests.engines import opened
from tests.flow.test_examples import done, picture_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
WIDTH, HEIGHT = 160, 96


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("looks"), Registry.core()) as engine:
        yield engine


def scene() -> Pixels:
    """A dull sky over a dull field, with an orange ball a little left of the middle."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.where((y < 60)[..., None], (90, 110, 140), (80, 110, 70)) + (x / 8)[..., None]
    pixels[(x - 70) ** 2 + (y - 50) ** 2 < 400] = (190, 120, 60)
    found: Pixels = pixels.astype(np.uint8)
    return found


def cut_out() -> Pixels:
    """The ball alone."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    seen = (x - 70) ** 2 + (y - 50) ** 2 < 400
    return np.concatenate([scene(), np.where(seen, 255, 0)[..., None].astype(np.uint8)], 2)


def png(pixels: Pixels) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "png")
    return data.getvalue()


async def run(engine: Engine, name: str, pixels: Pixels | None = None, **inputs: Any) -> Job:
    picture = await engine.add_artifact(png(scene() if pixels is None else pixels))
    return await done(engine, name, {"picture": picture, **inputs})


def cell(sheet: Pixels, index: int, width: int = WIDTH, height: int = HEIGHT, columns: int = 3) -> Pixels:
    """One picture of a sheet with captions."""
    x, y = 4 + index % columns * (width + 4), 4 + index // columns * (height + 20)
    return sheet[y : y + height, x : x + width]


async def test_a_developed_photo_has_more_contrast_and_darker_corners(engine: Engine) -> None:
    job = await run(engine, "develop_a_photo")
    found, before = await picture_of(engine, job, "picture"), scene()
    assert found.shape == before.shape
    assert found.std() > 1.3 * before.std()
    even = await picture_of(engine, await run(engine, "develop_a_photo", corners=0), "picture")
    assert found[0, 0].sum() < even[0, 0].sum()
    assert np.array_equal(found[46:50, 78:82], even[46:50, 78:82])
    cool = await picture_of(engine, await run(engine, "develop_a_photo", temperature=-0.5), "picture")
    assert cool[..., 2].mean() - cool[..., 0].mean() > found[..., 2].mean() - found[..., 0].mean() + 20


async def test_a_film_still_is_wide_with_bars_and_a_subtitle(engine: Engine) -> None:
    found = await picture_of(engine, await run(engine, "film_still", grain=0.1), "picture")
    assert found.shape == (360, 640, 3)
    bar = (360 - round(640 / 2.39)) // 2 - 1
    assert not found[:bar].any()
    assert found[bar + 3 : 360 - bar - 3].min(2).mean() > 40
    assert found[360 - bar :].max() > 200, "the subtitle"
    silent = await picture_of(engine, await run(engine, "film_still", grain=0.1, text=""), "picture")
    assert not silent[-bar:].any()
    other = await picture_of(engine, await run(engine, "film_still", grain=0.1, text="", seed=1), "picture")
    assert (other != silent).any(2).mean() > 0.5, "the grain has a seed"


async def test_a_colour_table_grades_as_far_as_asked(engine: Engine) -> None:
    lut = await engine.add_artifact(b"LUT_1D_SIZE 2\n1 1 1\n0 0 0\n")
    for strength, wanted in ((1, 255 - scene()), (0, scene())):
        job = await run(engine, "grade_with_a_table", lut=lut, strength=strength)
        assert np.array_equal(await picture_of(engine, job, "picture"), wanted)
    assert await picture_of(engine, job, "sheet") is not None


async def test_a_picture_borrows_the_colours_of_another(engine: Engine) -> None:
    other = np.random.default_rng(0).normal((60, 40, 140), 20, (50, 50, 3)).clip(0, 255).astype(np.uint8)
    colours = await engine.add_artifact(png(other))
    found = await picture_of(engine, await run(engine, "borrow_colours", colours=colours), "picture")
    assert found.mean((0, 1)) == pytest.approx(other.mean((0, 1)), abs=12)


async def test_a_colour_card_names_what_is_there(engine: Engine) -> None:
    pixels = np.full((60, 100, 3), (250, 140, 20), np.uint8)
    pixels[:, 70:] = (8, 8, 8)
    job = await run(engine, "colour_card", pixels)
    assert job.outputs["colours"] == ["#fa8c14", "#080808"]
    assert job.outputs["shares"] == pytest.approx([0.7, 0.3])
    assert job.outputs["words"] == "mostly orange, with black"
    card = await picture_of(engine, job, "card")
    assert card.shape[1] == 480
    assert card[-32, 4].tolist() == pytest.approx([250, 140, 20], abs=3)
    assert card[-32, -4].tolist() == pytest.approx([8, 8, 8], abs=3)


async def test_every_format_has_its_shape(engine: Engine) -> None:
    job = await run(engine, "social_formats")
    sizes = [(made["artifact"]["width"], made["artifact"]["height"]) for made in job.outputs["pictures"]]
    assert sizes == [(384, 384), (296, 528), (608, 344)]


async def test_room_to_paint_keeps_the_picture_and_marks_the_rest(engine: Engine) -> None:
    job = await run(engine, "room_to_paint", left=40, top=8, right=0, bottom=0)
    found, mask = [await picture_of(engine, job, name) for name in ("picture", "mask")]
    assert found.shape == mask.shape == (104, 200, 3)
    assert np.array_equal(found[8:, 40:], scene())
    assert (mask[:, :40] == 255).all()
    assert (mask[:8] == 255).all()
    assert not mask[30:, 60:].any()


async def test_pop_art_prints_six_hues_of_which_three_are_mirrored(engine: Engine) -> None:
    sheet = await picture_of(engine, await run(engine, "pop_art"), "sheet")
    assert sheet.shape == (2 * 96 + 12, 3 * 96 + 16, 3)
    prints = [sheet[4 + y * 100 :, 4 + x * 100 :][:96, :96] for y in range(2) for x in range(3)]
    assert len({tuple(p[40, 48]) for p in prints}) == 6, "the ball has another hue each time"
    shapes = [(p != p[5, 5]).any(2)[:55] for p in prints]
    assert np.array_equal(shapes[3], shapes[0][:, ::-1])


async def test_each_of_six_looks_is_what_it_is_called(engine: Engine) -> None:
    sheet = await picture_of(engine, await run(engine, "six_looks"), "sheet")
    ink, grey, blocks, film, fast, negative = (cell(sheet, index) for index in range(6))
    assert set(np.unique(ink)) == {0, 255}
    assert np.array_equal(grey, scene()[..., :1].repeat(3, 2)), "through a red filter"
    assert (blocks[:8, :8] == blocks[0, 0]).all()
    assert np.abs(np.diff(film[:40, :, 0].astype(int), axis=1)).mean() > 3
    assert (
        np.abs(np.diff(fast.astype(int), axis=1)).max()
        < np.abs(np.diff(scene().astype(int), axis=1)).max() / 2
    )
    assert np.array_equal(negative, 255 - scene())


async def test_a_worse_jpeg_costs_more(engine: Engine) -> None:
    good, bad = [(await run(engine, "what_jpeg_costs", quality=quality)).outputs for quality in (95, 5)]
    assert good["psnr"] > bad["psnr"]
    assert good["ssim"] > bad["ssim"]
    assert good["mean_difference"] < bad["mean_difference"]
    assert good["sentence"] == f"PSNR {good['psnr']:.1f} dB, SSIM {good['ssim']:.3f}."


@pytest.mark.model
async def test_a_vae_keeps_broad_shapes_and_loses_fine_ones(engine: Engine) -> None:
    broad = np.zeros((128, 128, 3), np.uint8)
    broad[:, 64:] = 200
    fine = np.zeros((128, 128, 3), np.uint8)
    fine[:, ::2] = 200
    kept, lost = [(await run(engine, "what_the_vae_loses", pixels)).outputs for pixels in (broad, fine)]
    assert kept["psnr"] > lost["psnr"] + 6
    assert kept["ssim"] > lost["ssim"]


async def test_a_sticker_is_the_figure_alone_on_its_card(engine: Engine) -> None:
    job = await run(engine, "sticker", cut_out(), colours=["#ffffff", "#ffffff"])
    assert (job.outputs["left"], job.outputs["top"]) == (49, 29)
    found = await picture_of(engine, job, "picture")
    assert found.shape == (256, 384, 3)
    assert found[128, 192].tolist() == pytest.approx([190, 120, 60], abs=1)
    figure = (found < 200).any(2)
    assert figure.sum() == pytest.approx(np.pi * 40**2, rel=0.05), "twice as large, and nothing else"


async def test_a_quote_is_written_on_its_colours(engine: Engine) -> None:
    size = {"width": 400, "height": 300, "size": 24}
    bare = await done(engine, "quote_card", {"text": "", "author": "", **size})
    told = await done(engine, "quote_card", size)
    ground, found = await picture_of(engine, bare, "picture"), await picture_of(engine, told, "picture")
    assert ground.shape == (300, 400, 3)
    changed = (ground != found).any(2)
    assert changed[100:200].any()
    assert changed[240:].any()
    assert not changed[:60].any()
    assert ground[299, 5].mean() < ground[230, 5].mean(), "the bar is darker"
