"""The example workflows about prompts: what is chosen, mixed, switched and given a place is what is seen."""

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

SIDE, GAP, CAPTION = 128, 4, 16


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("prompted"), Registry.core()) as engine:
        yield engine


async def picture(engine: Engine, name: str, **inputs: Any) -> Any:
    job = await done(engine, name, inputs)
    return (await picture_of(engine, job, "picture" if "picture" in job.outputs else "sheet")).astype(int)


def middle(sheet: Any, index: int = 0) -> Any:
    """The mean colour in the middle of one picture of a row."""
    left = GAP + index * (SIDE + GAP) if len(sheet) > SIDE else 0
    return sheet[GAP + 48 : GAP + 80, left + 48 : left + 80].reshape(-1, 3).mean(0)


async def test_a_prompt_is_chosen_dressed_and_counted(engine: Engine) -> None:
    first = await done(engine, "prompt_in_style", {"preset": "starter draft"})
    assert first.state == "done", first.problem
    prompt = first.outputs["prompt"]
    assert prompt.startswith("a ")
    assert prompt.endswith("background, clean, bright, simple, vector art")
    assert first.outputs["tokens"] == len(prompt.replace(",", " ,").split())
    assert "blurry" in first.outputs["negative"]
    given = {"prompt": "a __pet__", "lists": {"pet": ["cat"]}, "style": "night", "preset": "starter draft"}
    other = await done(engine, "prompt_in_style", given)
    assert other.outputs["prompt"] == "a cat at night, dark sky, deep shadows, moonlight"


async def test_an_unknown_style_is_told_before_anything_is_drawn(engine: Engine) -> None:
    job = await done(engine, "prompt_in_style", {"style": "noir", "preset": "starter draft"})
    assert job.state == "failed"
    assert job.problem is not None
    assert "cinematic" in job.problem.want
    wrong = await done(engine, "prompt_in_style", {"lists": ["pet"]})
    assert wrong.state == "failed"


async def test_every_choice_is_drawn_once(engine: Engine) -> None:
    inputs = {"text": "a {red|blue} circle on a {white|black} background", "steps": 6, "columns": 4}
    job = await done(engine, "every_choice", inputs)
    assert job.outputs["prompts"] == [
        f"a {colour} circle on a {ground} background"
        for colour in ("red", "blue")
        for ground in ("white", "black")
    ]
    sheet = (await picture_of(engine, job, "sheet")).astype(int)
    assert sheet.shape[1] == 4 * (SIDE + GAP) + GAP
    bluer = [colour[2] - colour[0] for colour in (middle(sheet, index) for index in range(4))]
    assert max(bluer[:2]) < min(bluer[2:])
    corners = [sheet[GAP + 2, GAP + index * (SIDE + GAP) + 2].mean() for index in range(4)]
    assert min(corners[0], corners[2]) > 100 + max(corners[1], corners[3])


async def test_more_choices_than_allowed_are_refused(engine: Engine) -> None:
    job = await done(engine, "every_choice", {"text": "{a|b|c}{d|e|f}", "most": 8})
    assert job.problem is not None
    assert "at most 8" in job.problem.want


async def test_a_mix_begins_with_one_prompt_and_ends_with_the_other(engine: Engine) -> None:
    inputs = {"first": "a red circle on a white background", "second": "a blue circle on a white background"}
    sheet = await picture(engine, "between_two_prompts", count=3, steps=6, **inputs)
    bluer = [float(middle(sheet, index)[2] - middle(sheet, index)[0]) for index in range(3)]
    assert bluer == sorted(bluer)
    assert bluer[2] - bluer[0] > 150


async def test_the_later_the_switch_the_more_is_left_of_the_first(engine: Engine) -> None:
    sheet = await picture(engine, "first_this_then_that", count=3, steps=6)
    redder = [float(middle(sheet, index)[0] - middle(sheet, index)[2]) for index in range(3)]
    assert redder[0] < redder[2] - 150
    assert redder[0] <= redder[1] <= redder[2]


async def test_louder_details_make_it_darker(engine: Engine) -> None:
    sheet = await picture(engine, "louder_and_softer", factors=[0, 1], details="night", steps=6)
    light = [sheet[GAP : GAP + 48, GAP + index * (SIDE + GAP) :][:, :SIDE].mean() for index in range(2)]
    assert light[0] > light[1] + 30


async def test_each_side_has_its_own_colour(engine: Engine) -> None:
    found = await picture(engine, "side_by_side", steps=8)
    assert found.shape == (128, 256, 3)
    red, blue = found[48:80, 48:80].reshape(-1, 3).mean(0), found[48:80, 176:208].reshape(-1, 3).mean(0)
    assert red[0] - red[2] > 80
    assert blue[2] - blue[0] > 60


async def test_snow_lies_where_the_outline_says(engine: Engine) -> None:
    points = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]
    found = await picture(engine, "inside_an_outline", points=points, steps=8)
    turned = await picture(engine, "inside_an_outline", points=[[0, 0], [1, 0], [1, 0.5], [0, 0.5]], steps=8)
    below = found[80:].mean() - found[:48].mean()
    assert below > 80
    assert turned[80:].mean() - turned[:48].mean() < below - 80
    assert np.abs(found[80:, :64].mean() - found[80:, 64:].mean()) < 60


async def test_a_richer_prompt_says_more_and_the_picture_shows_it(engine: Engine) -> None:
    inputs = {"prompt": "a red circle", "steps": 6, "luck": 6}
    job = await done(engine, "richer_prompt", inputs)
    assert job.outputs["prompt"] == "a red circle, on a green background"
    assert job.outputs["phrases"] == ["on a green background"]
    sheet = (await picture_of(engine, job, "picture")).astype(int)
    ground = sheet[GAP + 4 : GAP + 12, 2 * GAP + SIDE + 4 : 2 * GAP + 2 * SIDE - 4].reshape(-1, 3).mean(0)
    assert ground[1] > ground[0] + 40
    assert ground[1] > ground[2] + 20
