"""Examples that want fetched weights: what they say without them, and that they run with tiny ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from engine.config import ROOT
from engine.registry import Registry
from engine.service import Engine
from tests import tiny
from tests.engines import opened
from tests.flow.test_examples import FETCHED, done, picture_of
from tests.flow.test_looks import png
from tests.flow.test_workflow_files import NEEDED

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

SIDE = 128
SMALL: dict[str, Any] = {"model": "starter", "width": SIDE, "height": SIDE, "steps": 2, "method": "euler"}


def models(folder: Path) -> Path:
    """Adapters for the starter model that were never trained, and who looks for them."""
    unet = UNet2DConditionModel.from_pretrained(ROOT / "models" / "starter" / "base" / "unet")
    (folder / "ip_adapters").mkdir(parents=True)
    save_file(tiny.ip_adapter(unet, "plus"), folder / "ip_adapters" / "tiny.safetensors")
    tiny.t2i_adapter(unet, factor=8).save_pretrained(folder / "t2i_adapters" / "tiny")
    tiny.vision().save_pretrained(folder / "vision" / "eyes")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("fetched")
    async with opened(folder, Registry.core(), models=[models(folder / "models")]) as engine:
        yield engine


async def drawn(engine: Engine, name: str, **inputs: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    picture = await engine.add_artifact(png(pixels))
    job = await done(engine, name, {"picture": picture, **inputs})
    named = {inputs[kind] for kind in ("model", "adapter", "vision") if kind in inputs}
    assert job.receipt["models"].keys() == named
    return (await picture_of(engine, job, "picture")).astype(float)


@pytest.mark.parametrize("name", FETCHED)
async def test_what_is_missing_is_named_with_the_command_that_fetches_it(engine: Engine, name: str) -> None:
    picture = await engine.add_artifact(png(np.zeros((8, 8, 3), np.uint8)))
    needed = NEEDED.get(name, {})
    given = {place: [picture] if isinstance(kind, list) else picture for place, kind in needed.items()}
    job = await done(engine, name, given)
    assert job.problem is not None
    assert job.problem.code == "missing_model"
    assert any(f"`python server.py models fetch {one}`" in job.problem.remedy for one in FETCHED[name])


async def test_a_picture_is_heard_as_much_as_it_is_told_to_be(engine: Engine) -> None:
    names = {**SMALL, "adapter": "tiny", "vision": "eyes"}
    none, some, more = [
        await drawn(engine, "draw_like_a_picture", **names, strength=strength) for strength in (0, 0.5, 1)
    ]
    assert 0.1 < np.abs(some - none).mean() < np.abs(more - none).mean()
    late = await drawn(engine, "draw_like_a_picture", **names, strength=1, start=0.5)
    assert 0 < np.abs(late - none).mean() < np.abs(more - none).mean()


async def test_edges_are_followed_as_much_as_it_is_told_to(engine: Engine) -> None:
    names = {**SMALL, "adapter": "tiny"}
    none, some, more = [
        await drawn(engine, "follow_the_edges", **names, strength=strength) for strength in (0, 0.2, 1)
    ]
    assert 0.1 < np.abs(some - none).mean() < np.abs(more - none).mean()
