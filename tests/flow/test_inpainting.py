"""The examples that draw a part of a picture anew keep the rest of it to the pixel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
from recipe.measure_inpainting import answered, mismatch, tasks

from engine.registry import Registry
from engine.service import Engine
from tests.engines import opened
from tests.flow.test_examples import done, picture_of
from tests.flow.test_looks import png

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

SIDE = 128
BLUE, RED = (40, 80, 220), (220, 40, 40)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("inpainting"), Registry.core()) as engine:
        yield engine


def square() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A red square on blue."""
    pixels = np.full((SIDE, SIDE, 3), BLUE, np.uint8)
    pixels[40:88, 40:88] = RED
    return pixels


async def test_inpainting_draws_what_is_asked_and_keeps_every_pixel_around_it(engine: Engine) -> None:
    picture = await engine.add_artifact(png(square()))
    inputs = {"left": 0.2, "top": 0.2, "right": 0.8, "bottom": 0.8, "steps": 10}
    words = {"prompt": "a green circle on a blue background"}
    job = await done(engine, "inpaint", {"picture": picture, **words, **inputs})
    found = (await picture_of(engine, job, "picture")).astype(int)
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    outside = ((x - 64) / 38.4) ** 2 + ((y - 64) / 38.4) ** 2 > 1.1
    np.testing.assert_array_equal(found[outside], square()[outside])
    red, green, _ = found[56:72, 56:72].mean((0, 1))
    assert green > red + 40, "the middle was red"


async def test_what_is_painted_over_is_drawn_anew_and_nothing_else(engine: Engine) -> None:
    picture = await engine.add_artifact(png(square()))
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask[:, 64:] = 255
    painted = await engine.add_artifact(png(mask))
    words = {"prompt": "a green circle on a green background", "steps": 6}
    job = await done(engine, "redraw_what_is_painted", {"picture": picture, "mask": painted, **words})
    found = await picture_of(engine, job, "picture")
    np.testing.assert_array_equal(found[:, :64], square()[:, :64])
    changed = (found[:, 68:].astype(int) - square()[:, 68:]).any(-1)
    assert changed.mean() > 0.9


async def test_the_asked_thing_is_in_the_hole_and_all_else_as_it_was(engine: Engine) -> None:
    """By the starter's inpainting model, on renders erased over a shape; beside them with a grey hole.

    The autoencoder alone is off by 1.2 of 255 along such edges, the starter by itself by 7.
    """
    given = tasks(6)
    found = []
    for task in given:
        kept = np.where(task.hole, 0, 255).astype(np.uint8)
        picture = await engine.add_artifact(png(np.dstack([task.picture * (kept > 0)[..., None], kept])))
        job = await done(engine, "fill_what_is_erased", {"picture": picture, "prompt": task.asked})
        found.append(await picture_of(engine, job, "picture"))
        around = cv2.dilate(255 - kept, np.ones((11, 11), np.uint8)) == 0
        np.testing.assert_array_equal(found[-1][around], task.picture[around])
    assert answered(given, found) >= 0.8 > answered(given, [task.picture for task in given])
    greyed = [np.where(task.hole[..., None], 128, task.picture).astype(np.uint8) for task in given]
    assert mismatch(given, found) < 8 < 20 < mismatch(given, greyed)


async def test_outpainting_keeps_the_middle_and_makes_the_picture_wider(engine: Engine) -> None:
    picture = await engine.add_artifact(png(square()))
    words = {"prompt": "a red square on a blue background", "steps": 6}
    job = await done(engine, "outpaint", {"picture": picture, **words})
    found = await picture_of(engine, job, "picture")
    assert found.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(found[:, 34:94], square()[:, 34:94])
    assert np.abs(found[:, :16].astype(int) - BLUE).max() > 0, "the sides are drawn"


async def test_an_outline_is_black_where_the_picture_changes(engine: Engine) -> None:
    pixels = square()
    pixels[40:88, 40:88] = 255  # red and blue are equally bright: there is no edge in grey
    job = await done(engine, "outline", {"picture": await engine.add_artifact(png(pixels))})
    found = await picture_of(engine, job, "picture")
    dark = np.argwhere(found[..., 0] < 128)
    assert {int(dark.min()), int(dark.max())} <= {39, 40, 87, 88}
    assert (found[45:83, 45:83] == 255).all()
