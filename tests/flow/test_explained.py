"""Explanations say of what the starter draws what can be seen: where a thing is, and what a word causes."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as PIL

from engine import explained
from engine.assets import Asset
from engine.errors import Invalid
from engine.events import Job, Request
from engine.registry import Registry
from engine.service import Engine
from tests.engines import ended, opened
from tests.explained import box_of, share
from tests.flow.test_examples import PATIENCE, done, picture_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("explained"), Registry.core(), mode=0) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def job(engine: Engine) -> Job:
    job = await done(engine, "explain_a_picture", {"steps": 10})
    assert job.state == "done", job.problem
    return job


async def heat_of(engine: Engine, said: dict[str, Any], name: str) -> Any:
    sha256 = next(word["heatmap"] for word in said["words"] if word["word"] == name)
    with PIL.open(io.BytesIO(engine.store.get(sha256))) as picture:
        return np.asarray(picture, float)


async def said_of(engine: Engine, job: Job) -> dict[str, Any]:
    id = engine.assets.id_of("local", job.outputs["picture"]["artifact"]["sha256"])
    report, said = await explained.explanation(engine.assets, engine.store, id, "local")
    assert report.artifact.sha256 == job.outputs["report"]["artifact"]["sha256"]
    assert report.job == job.id
    return said


async def test_the_picture_is_the_one_that_is_drawn_without_explaining(engine: Engine, job: Job) -> None:
    plain = await done(engine, "text_to_image", {"steps": 10, "seed": 7})
    one, other = [await picture_of(engine, each, "picture") for each in (plain, job)]
    np.testing.assert_array_equal(one, other)


async def test_a_things_word_is_heeded_in_its_box_and_the_backgrounds_word_outside(
    engine: Engine, job: Job
) -> None:
    said = await said_of(engine, job)
    assert [word["word"] for word in said["words"]] == [
        *("a", "red", "circle", "on", "a", "blue", "background")
    ]
    assert sum(word["score"] for word in said["words"]) == pytest.approx(1)
    box = box_of(await picture_of(engine, job, "picture"))
    assert share(np.ones((128, 128)), box) < 0.3
    assert share(await heat_of(engine, said, "circle"), box) > 0.6
    for word, most in (("blue", 0.25), ("background", 0.1)):
        assert share(await heat_of(engine, said, word), box) < most


async def test_a_colour_changes_more_than_any_other_word_when_it_is_left_out(
    engine: Engine, job: Job
) -> None:
    said = await said_of(engine, job)
    ranked = sorted(said["left_out"], key=lambda one: -one["difference"])
    assert {one["word"] for one in ranked[:2]} == {"red", "blue"}
    assert ranked[0]["difference"] > 20


async def test_the_prompt_moves_the_picture_most_at_first(engine: Engine, job: Job) -> None:
    moved = (await said_of(engine, job))["guidance"]
    assert len(moved) == 10
    assert max(moved) == moved[0] > 3 * moved[5]


async def test_what_is_kept_of_an_explanation_was_checked(engine: Engine, job: Job) -> None:
    """The address of an explanation has these verdicts, too."""
    id = engine.assets.id_of("local", job.outputs["picture"]["artifact"]["sha256"])
    receipt = (await engine.proofs.papers.get(id)).receipt
    assert receipt.verdicts
    every = [*receipt.verdicts, *job.receipt["verdicts"]]
    assert {one["action"] for one in every} == {"passed"}, every


async def test_a_prompt_that_is_explained_is_checked_like_any_other(engine: Engine) -> None:
    job = await done(engine, "explain_a_picture", {"prompt": "a warning emblem", "steps": 1})
    assert job.state == "failed"
    problems = [step.problem.code for step in job.steps.values() if step.problem]
    assert set(problems) == {"prompt_refused"}


async def test_what_a_word_drew_is_drawn_anew_and_the_rest_stays(engine: Engine) -> None:
    job = await done(engine, "redraw_a_word", {"steps": 10})
    after = await picture_of(engine, job, "picture")
    row = await picture_of(engine, job, "sheet")
    before = row[:, :128]
    changed = np.abs(after.astype(int) - before.astype(int)).max(2) > 0
    assert 0.05 < changed.mean() < 0.5
    assert not changed[:16].any()
    middle = np.median(after[52:76, 52:76].reshape(-1, 3), 0)
    assert middle[0] > 150, "a yellow star"
    assert middle[1] > 120
    assert middle[2] < 120


# -- a run that is asked to explain itself


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(engine: Engine) -> Job:
    """The workflow that draws a picture, as it is, asked to explain it."""
    [job] = await engine.submit(Request("text_to_image", {"steps": 4, "seed": 3}, explain=True))
    job = await ended(engine, job, PATIENCE)
    assert job.state == "done", job.problem
    return job


async def explanation_of(engine: Engine, job: Job) -> tuple[Asset, dict[str, Any]]:
    id = engine.assets.id_of("local", job.outputs["picture"]["artifact"]["sha256"])
    return await explained.explanation(engine.assets, engine.store, id, "local")


async def test_a_run_that_is_asked_to_explains_its_picture_and_draws_the_same(
    engine: Engine, asked: Job
) -> None:
    report, said = await explanation_of(engine, asked)
    assert report.artifact.sha256 == asked.outputs["sample.explanation"]["artifact"]["sha256"]
    assert said["picture"] == asked.outputs["picture"]["artifact"]["sha256"]
    assert said["words"][0]["word"] == "a"
    plain = await done(engine, "text_to_image", {"steps": 4, "seed": 3})
    one, other = [await picture_of(engine, each, "picture") for each in (plain, asked)]
    np.testing.assert_array_equal(one, other)
    assert plain.outputs.keys() == {"picture"}
    assert plain.document == asked.document, "the workflow stays as it is"
    assert plain.receipt["workflow"] == asked.receipt["workflow"]


async def test_an_explanation_is_found_from_every_file_of_the_same_pixels(engine: Engine, asked: Job) -> None:
    """Also from one that another run made, and that says other things of itself."""
    document, _ = await engine.library.get("text_to_image", "local")
    workflow = json.loads(document)
    workflow["steps"]["save"]["values"]["metadata"] = "none"
    [job] = await engine.submit(Request(workflow, {"steps": 4, "seed": 3}))
    bare = await ended(engine, job, PATIENCE)
    assert bare.outputs["picture"] != asked.outputs["picture"]
    assert (await explanation_of(engine, bare))[1] == (await explanation_of(engine, asked))[1]


async def test_what_was_asked_to_explain_itself_comes_out_equal_again(engine: Engine, asked: Job) -> None:
    assert asked.receipt["explain"] is True
    assert asked.receipt["nodes"]["explain"] == 1
    report, said = await explanation_of(engine, asked)
    picture = engine.assets.id_of("local", said["picture"])
    for id in (picture, report.id, asked.id):
        verdict = await engine.verify(id)
        assert verdict.equal, verdict.sentence


async def test_an_explanation_that_was_asked_for_is_checked(engine: Engine) -> None:
    [job] = await engine.submit(
        Request("text_to_image", {"prompt": "a warning emblem", "steps": 1}, explain=True)
    )
    job = await ended(engine, job, PATIENCE)
    assert job.state == "failed"
    assert {step.problem.code for step in job.steps.values() if step.problem} == {"prompt_refused"}


async def test_who_asks_for_what_cannot_be_explained_is_told_before_it_runs(engine: Engine) -> None:
    with pytest.raises(Invalid, match="list"):
        await engine.submit(Request("batch", {}, explain=True))
