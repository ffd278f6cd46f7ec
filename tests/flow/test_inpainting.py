"""The examples that draw a part of a picture anew keep the rest of it to the pixel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

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
