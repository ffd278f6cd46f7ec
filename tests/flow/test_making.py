"""The example workflows about drawing in other ways show what their pages say."""

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

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

SIDE, GAP = 128, 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("making"), Registry.core()) as engine:
        yield engine


async def picture(engine: Engine, name: str, output: str, **inputs: Any) -> Any:
    job = await done(engine, name, inputs)
    return (await picture_of(engine, job, output)).astype(float)


def steps_of(pixels: Any, axis: int) -> tuple[float, float]:
    """The mean difference over the edge of a tile, and the largest between neighbouring lines within."""
    inside = np.abs(np.diff(pixels, axis=axis)).mean((1 - axis, 2)).max()
    first, last = (np.take(pixels, index, axis=axis) for index in (0, -1))
    return float(np.abs(first - last).mean()), float(inside)


async def test_a_seamless_tile_goes_on_from_its_other_edge(engine: Engine) -> None:
    job = await done(engine, "seamless_tile", {"steps": 6, "prompt": "green hills"})
    tile, laid = [(await picture_of(engine, job, name)).astype(float) for name in ("tile", "laid")]
    np.testing.assert_array_equal(laid, np.tile(tile, (2, 2, 1)))
    for axis in (0, 1):
        over, inside = steps_of(tile, axis)
        assert over <= inside
    words = {"steps": 6, "prompt": "green hills", "edges": "left and right"}
    row = await picture(engine, "seamless_tile", "tile", **words)
    over, inside = steps_of(row, 1)
    assert over <= inside
    over, inside = steps_of(row, 0)
    assert over > 1.5 * inside, "the sky does not go on below the hills"


async def test_windows_leave_no_seam_where_they_meet(engine: Engine) -> None:
    wide = await picture(engine, "wide_in_windows", "picture", width=224, steps=6, overlap=32)
    assert wide.shape == (SIDE, 224, 3)
    steps = np.abs(np.diff(wide, axis=1)).mean((0, 2))
    assert steps[90:134].mean() < 2 * steps.mean(), "windows meet between 96 and 128"


async def test_each_way_to_guide_draws_another_picture(engine: Engine) -> None:
    sheet = await picture(engine, "six_ways_to_guide", "sheet", steps=6)
    tiles = [
        sheet[top : top + SIDE, left : left + SIDE]
        for top in (GAP, sheet.shape[0] // 2 + GAP // 2)
        for left in (GAP + (SIDE + GAP) * column for column in range(3))
    ]
    plain, rescaled, *others = tiles
    assert all(np.abs(plain - other).mean() > 0.1 for other in (rescaled, *others))
    assert rescaled.std() < plain.std(), "less glare"


async def test_forms_become_firmer_away_from_worse_answers(engine: Engine) -> None:
    sheet = await picture(engine, "firmer_forms", "sheet", steps=6)
    tiles = [sheet[GAP : GAP + SIDE, GAP + at * (SIDE + GAP) :][:, :SIDE] for at in range(4)]
    plain, blurred, perturbed, both = tiles
    assert all(np.abs(plain - other).mean() > 0.5 for other in (blurred, perturbed, both))
    assert np.abs(both - blurred).mean() > 0.5 < np.abs(both - perturbed).mean()
    inputs = {"steps": 6, "blur": 0, "perturbation": 0}
    none = await picture(engine, "firmer_forms", "sheet", **inputs)
    np.testing.assert_array_equal(none[GAP : GAP + SIDE, GAP : GAP + SIDE], plain)
    np.testing.assert_array_equal(none[GAP : GAP + SIDE, -SIDE - GAP : -GAP], plain)


async def test_a_draft_is_drawn_again_larger_and_sharper_and_shows_the_same(engine: Engine) -> None:
    job = await done(engine, "hires_fix", {"steps": 8, "strength": 0.3})
    draft, large = [(await picture_of(engine, job, name)).astype(float) for name in ("draft", "picture")]
    assert (draft.shape, large.shape) == ((96, 96, 3), (SIDE, SIDE, 3))
    for pixels in (draft, large):
        sky, field = pixels[:10].mean((0, 1)), pixels[-10:].mean((0, 1))
        assert sky.argmax() == 2
        assert field.argmax() == 1
    rough = draft.repeat(4, 0).repeat(4, 1).reshape(SIDE, 3, SIDE, 3, 3).mean((1, 3))
    free = await picture(engine, "hires_fix", "picture", steps=8, strength=0.9)
    assert np.abs(rough - large).mean() < np.abs(rough - free).mean() - 2


async def test_variations_lead_from_one_seed_to_the_other(engine: Engine) -> None:
    sheet = await picture(engine, "variations", "sheet", count=3, steps=3)
    ends = [await picture(engine, "text_to_image", "picture", **ALONE, seed=seed) for seed in (7, 12)]
    tiles = [sheet[GAP : GAP + SIDE, GAP + at * (SIDE + GAP) :][:, :SIDE] for at in range(3)]
    np.testing.assert_array_equal(tiles[0], ends[0])
    np.testing.assert_array_equal(tiles[2], ends[1])
    assert all(np.abs(tiles[1] - end).mean() > 1 for end in ends)


ALONE = {"prompt": "a smiling orange cat on a cyan background", "negative": "", "steps": 3, "guidance": 4}


async def test_a_picture_of_a_batch_is_the_one_that_its_seed_draws_alone(engine: Engine) -> None:
    words = {**ALONE, "steps": 2}
    job = await done(engine, "batch", {**words, "count": 2, "seed": 5})
    assert job.state == "done", job.problem
    made = job.outputs["pictures"]
    assert len(made) == 2
    for index, seed in enumerate((5, 6)):
        alone = await picture(engine, "text_to_image", "picture", **words, seed=seed)
        sheet = await picture_of(engine, job, "sheet")
        left = GAP + index * (SIDE + GAP)
        np.testing.assert_array_equal(sheet[GAP : GAP + SIDE, left : left + SIDE], alone)


async def test_a_schedule_of_our_own_is_drawn_and_shown(engine: Engine) -> None:
    job = await done(engine, "where_steps_lie", {"steps": 3, "sigmas": [14, 3, 0.5]})
    assert job.outputs["sigmas"] == pytest.approx([14, 3, 0.5, 0])
    sheet = await picture_of(engine, job, "sheet")
    assert sheet.shape[1] == 4 * (SIDE + GAP) + GAP


async def test_a_plot_has_a_row_a_column_and_a_sheet_for_each_setting(engine: Engine) -> None:
    inputs = {"guidances": [1, 5], "steps": [1, 2, 4], "count": 2}
    plot = await picture(engine, "xyz_plot", "plot", **inputs)
    assert plot.shape[1] >= 3 * SIDE
    assert plot.shape[0] >= 4 * SIDE
