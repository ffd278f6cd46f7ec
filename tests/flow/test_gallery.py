"""Every shipped workflow runs, with as little drawing as it takes to see that it does."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from engine.config import ROOT
from engine.events import Request
from engine.registry import Registry
from engine.service import Engine
from engine.types import Artifact
from tests.engines import ended, opened
from tests.flow.test_examples import EXAMPLES

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 150.0

RUNS: dict[str, tuple[dict[str, Any], dict[str, tuple[int, int]]]] = {
    "text_to_image": ({"steps": 2}, {"picture": (128, 128)}),
    "image_to_image": ({"steps": 4}, {"picture": (128, 128)}),
    "seed_sweep": ({"count": 2, "columns": 2}, {"sheet": (2, 1)}),
    "prompt_matrix": ({"steps": 2, "things": ["red circle"], "places": ["blue", "white"]}, {"sheet": (2, 1)}),
    "keep_the_best_of": ({"tries": 1}, {"picture": (128, 128)}),
    "choose_with_me": ({"count": 2}, {"picture": (128, 128)}),
}
"""Inputs of each workflow that draws, and the size of its picture, or of its sheet in pictures."""

PLAIN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "maths_example": ({}, {"total": 1480.24, "sentence": "1000 at 4 % becomes 1480.24 in 10 years."}),
    "loop_example": ({"years": 2, "growth": 1}, {"total": 210.0}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("gallery"), Registry.core()) as engine:
        yield engine


def some_picture() -> bytes:
    pixels = np.zeros((96, 160, 3), np.uint8)
    pixels[20:70, 40:90] = (200, 30, 30)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "png")
    return data.getvalue()


async def test_every_shipped_workflow_is_run() -> None:
    assert {file.stem for file in (ROOT / "workflows").rglob("*.json")} == {*RUNS, *PLAIN, *EXAMPLES}


@pytest.mark.parametrize("name", PLAIN)
async def test_a_workflow_without_a_model_gives_what_it_says(engine: Engine, name: str) -> None:
    inputs, outputs = PLAIN[name]
    assert await engine.run(name, **inputs) == outputs


@pytest.mark.model
@pytest.mark.parametrize("name", RUNS)
async def test_a_workflow_that_draws_saves_a_picture(engine: Engine, name: str) -> None:
    inputs, sizes = RUNS[name]
    if name == "image_to_image":
        inputs = {**inputs, "picture": await engine.add_artifact(some_picture())}
    [job] = await engine.submit(Request(name, inputs))
    job = await ended(engine, job, PATIENCE)
    if name == "choose_with_me":
        [question] = job.questions
        assert (question.options, len(question.pictures)) == (["1", "2"], 2)
        await engine.answer(job.id, question.call, "2")
        job = await ended(engine, job, PATIENCE)
    assert job.state == "done", job.problem
    for output, (width, height) in sizes.items():
        made = job.outputs[output]["artifact"]
        artifact = await engine.artifact(engine.assets.id_of("local", made["sha256"]))
        assert isinstance(artifact, Artifact)
        assert artifact.mime == "image/png"
        with Image.open(await file_of(engine, artifact)) as picture:
            assert picture.size == (artifact.width, artifact.height)
            assert np.asarray(picture).std() > 5, "a picture of one colour"
        if width < 16:
            assert artifact.width >= 128 * width
            assert artifact.height >= 128 * height
        else:
            assert (artifact.width, artifact.height) == (width, height)
    saved = [path.name for path in (engine.settings.data / "output").rglob("*.png")]
    assert job.outputs[next(iter(sizes))]["artifact"]["name"] in saved


async def file_of(engine: Engine, artifact: Artifact) -> Path:
    path, _ = await engine.artifact_path(engine.artifact_id(artifact, "local"))
    return path
