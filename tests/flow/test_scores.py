"""Scoring and ranking mean what they say, on what the starter draws and with judges whose work is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from engine.evaluate import METRICS, Evaluate
from engine.evaluations import Wanted
from engine.registry import Registry
from engine.service import Engine
from tests import enhancers, judges, sights
from tests.engines import ended, opened
from tests.flow.test_examples import PATIENCE, done, picture_of
from tests.flow.test_fetched import SMALL
from tests.flow.test_looks import png

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHERS: dict[str, Any] = {
    "clip": "clip", "aesthetic": "deep", "aesthetic_clip": "clip", "faces": "one", "lpips": "vgg",
    "lpips_backbone": "vgg",
}  # fmt: skip


def models(folder: Path) -> Path:
    sights.make(folder, "clip")
    judges.make(folder)
    (folder / "detectors").mkdir()
    enhancers.finder(folder / "detectors" / "one.onnx")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("scores")
    async with opened(folder, Registry.core(), models=[models(folder / "models")]) as engine:
        yield engine


async def evaluated(engine: Engine, images: list[str], *given: Any, **more: Any) -> dict[str, list[float]]:
    job = await ended(engine, await engine.evaluate(Evaluate(images, *given, **more)), PATIENCE)
    assert job.state == "done", job.problem
    return dict(job.outputs)


async def test_everything_is_measured_at_once_and_kept(engine: Engine) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    dull = (pixels // 2 + 64).astype(np.uint8)
    images = [await engine.add_artifact(png(each)) for each in (pixels, dull)]
    found = await evaluated(engine, images, "a cat", images[0], list(METRICS), OTHERS)
    assert set(found) == set(METRICS)
    assert found["faces"] == [1, 1], "the finder sees one everywhere"
    equal = [found[metric][0] for metric in ("psnr", "ssim", "lpips")]
    assert equal == pytest.approx([100, 1, 0])
    assert found["psnr"][1] < 20
    assert found["lpips"][1] > 0
    assert found["sharpness"][0] > found["sharpness"][1]
    assert found["colourfulness"][0] > found["colourfulness"][1]
    scores = {one.metric: one for one in await engine.evaluations.of(images[1], "local")}
    assert {metric: one.value for metric, one in scores.items()} == {m: found[m][1] for m in METRICS}
    assert (scores["clip"].model, scores["clip"].prompt) == ("clip", "a cat")
    assert (scores["aesthetic"].model, scores["lpips"].model) == ("deep", "vgg")
    assert scores["psnr"].reference == (await engine.artifact(images[0])).sha256


@pytest.mark.model
async def test_the_picture_of_a_prompt_scores_highest_for_it(engine: Engine) -> None:
    """As the starter's own CLIP sees what the starter draws."""
    prompts = [
        "a red circle on a blue background",
        "a smiling orange cat on a cyan background",
        "a person running in a blue shirt on a green field",
        "a white house in the snow",
    ]
    images = []
    for prompt in prompts:
        job = await done(engine, "text_to_image", {"prompt": prompt, "seed": 7, "steps": 8})
        pixels = await picture_of(engine, job, "picture")
        images.append(await engine.add_artifact(png(pixels)))
    for place, prompt in enumerate(prompts):
        found = await evaluated(engine, images, prompt, metrics=["clip"])
        assert np.argmax(found["clip"]) == place
        ranked = await engine.evaluations.artifacts("local", Wanted("input", "clip", "highest"))
        assert ranked[0].asset.id == images[place]


@pytest.mark.model
async def test_variants_are_ranked_by_what_counts_and_the_best_keeps_its_scores(engine: Engine) -> None:
    small = {**SMALL, "count": 3, "matcher": "clip"}
    found = {}
    for sharp in (1, -1):
        job = await done(engine, "rank_variants", {**small, "fit": 0, "sharp": sharp, "colourful": 0})
        assert job.state == "done", job.problem
        assert job.outputs["scores"] == sorted(job.outputs["scores"], reverse=True)
        assert np.mean(job.outputs["scores"]) == pytest.approx(0, abs=1e-9)
        found[sharp] = job.outputs
    assert found[1]["sharpness"] > found[-1]["sharpness"]
    assert found[1]["seed"] != found[-1]["seed"]
    kept = engine.assets.id_of("local", found[1]["picture"]["artifact"]["sha256"])
    scores = {one.metric: one.value for one in await engine.evaluations.of(kept, "local")}
    assert scores == {metric: found[1][metric] for metric in ("clip", "sharpness", "colourfulness")}
    best, *_ = await engine.evaluations.artifacts("local", Wanted("output", "sharpness", "highest"))
    assert best.asset.id == kept
