"""The examples that trace pictures do what their pages say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from engine.registry import Registry
from engine.service import Engine
from tests.engines import opened
from tests.flow.test_composing import data_of, figure, made, pixels_of
from tests.flow.test_examples import done

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIDE, LINE, GAP = 256, 16, 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("tracing"), Registry.core()) as engine:
        yield engine


def square() -> Image.Image:
    return figure().crop((32, 0, 128, 96))


async def test_eight_guides_show_one_picture(engine: Engine) -> None:
    job = await made(engine, "eight_guides", data_of(square()))
    sheet: Any = (await pixels_of(engine, job, "sheet")).astype(int)
    cells = [
        sheet[top : top + SIDE, left : left + SIDE]
        for top in (GAP, GAP + SIDE + LINE + GAP)
        for left in range(GAP, GAP + 4 * (SIDE + GAP), SIDE + GAP)
    ]
    assert len(cells) == 8
    edges, soft, lines, strokes, _, coarse, patches, bumps = cells
    far = 30 * SIDE // 96
    rim = np.abs(np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) - far) < 8
    for found in (edges, soft, strokes, 255 - lines):
        assert found[rim].mean() > 4 * found[~rim].mean()
    assert cv2.countNonZero((soft[..., 0] % 255).astype(np.uint8)) > cv2.countNonZero(
        (edges[..., 0] % 255).astype(np.uint8)
    )
    for found in (coarse, patches):
        assert np.abs(found[SIDE // 2, SIDE // 2 + 40] - (230, 150, 40)).max() < 12
    assert tuple(bumps[4, 4]) == (128, 128, 255)


async def test_ink_lies_on_the_rim_and_paper_within(engine: Engine) -> None:
    job = await made(engine, "ink_and_paper", data_of(square()))
    found = (await pixels_of(engine, job, "picture")).astype(int)
    assert found.shape == (512, 512, 3)
    row = found[256]
    dark = np.flatnonzero(row.sum(1) < 120)
    assert all(min(abs(x - edge) for edge in (96, 416, 234, 277)) < 12 for x in dark)
    assert np.abs(row[350] - (230, 150, 40)).max() < 6
    assert np.abs(row[20] - (40, 90, 200)).max() < 6


async def test_stick_figures_stand_where_their_joints_are_and_are_told(engine: Engine) -> None:
    first = await done(engine, "stick_figures", {})
    assert (await pixels_of(engine, first, "picture")).shape == (256, 384, 3)
    points = first.outputs["points"]
    assert len(points) == 2
    job = await done(engine, "stick_figures", {"people": points[:1], "width": 100, "height": 200})
    pixels = await pixels_of(engine, job, "picture")
    assert job.outputs["points"] == points[:1]
    x, y, _ = points[0][15]
    assert pixels[round(y * 200), round(x * 100)].any()
    assert not pixels[:, 60:].any()
