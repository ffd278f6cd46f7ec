"""Memory runs out in every call of a model: the picture comes out all the same, and the record says how."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as Pillow
from safetensors.torch import save_file
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

from engine.assignment import Assignment, Outcome
from engine.config import ROOT
from engine.context import SILENT, Context
from engine.events import Job
from engine.memory import Residency, current
from engine.node import node
from engine.registry import Registry
from engine.service import Engine
from engine.types import Guide, Image
from engine.workers import Here
from nodes.control import guide, load_controlnet
from nodes.upscale import load_upscaler, upscale
from tests import tiny
from tests.engines import opened, run
from tests.flow.test_looks import png, scene
from tests.shortage import NEEDED, shortage
from tests.toys import Doc, Wire, step

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

SIDE = 32
TIMES = itertools.count()


@node(category="test", kind="source", lane="io")
def follow(image: Image) -> list[Guide]:
    """Let a picture guide the drawing."""
    return guide(load_controlnet("edges"), image)


@node(category="test", lane="gpu")
def enlarge(image: Image, ctx: Context = SILENT) -> Image:
    """Make a picture larger with a network."""
    return upscale(load_upscaler("larger"), image, tile=64, ctx=ctx)


def registry() -> Registry:
    """The nodes that come along, and those two."""
    core, ours = Registry.core(), Registry.of([sys.modules[__name__]])
    entries = [*core.nodes.values(), *(ours.nodes[name] for name in ("follow", "enlarge"))]
    return Registry(entries, classes=core.classes, loaders=core.loaders)


def make_models(top: Path) -> None:
    tiny.diffusers_folder(top / "diffusers" / "tiny")
    tiny.controlnet().save_pretrained(top / "controlnet" / "edges")
    (top / "upscale").mkdir()
    net = RRDBNet(num_filters=8, num_blocks=1, scale=4)
    weights = {name: weight.contiguous() for name, weight in net.state_dict().items()}
    save_file(weights, top / "upscale" / "larger.safetensors")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    top = tmp_path_factory.mktemp("memory")
    make_models(top / "models")
    async with opened(top, registry(), models=[top / "models"]) as engine:
        yield engine


async def drawn(engine: Engine, name: str, model: str = "tiny", side: int = SIDE) -> Job:
    """A small run of a workflow that comes along, undisturbed; of "guided", with a guide and an upscaler."""
    text = (ROOT / "workflows" / f"{name.replace('guided', 'image_to_image')}.json").read_text("utf-8")
    document: Doc = json.loads(text)
    inputs: dict[str, Any] = {"model": model, "steps": 2}
    if name == "text_to_image":
        inputs |= {"width": side, "height": side}
    else:
        inputs["picture"] = await engine.add_artifact(png(scene()[:side, :side]))
        document["steps"]["fitted"]["values"] |= {"width": side, "height": side}
    if name == "guided":
        document["steps"]["follow"] = step("follow", image=Wire("fitted.out"))
        document["steps"]["enlarge"] = step("enlarge", image=Wire("decode.out"))
        document["steps"]["sample"]["wires"]["guides"] = "follow.out"
        document["steps"]["save"]["wires"]["image"] = "enlarge.out"
    job = await run(engine, document, **inputs)
    assert job.state == "done", job.problem
    assert "fallbacks" not in job.receipt
    return job


async def again(engine: Engine, job: Job) -> Outcome:
    """The same job, computed anew."""
    id = f"again-{next(TIMES)}"
    work = Assignment(
        id, job.owner, job.document, inputs=job.inputs, files=job.files, fresh=True, mode=job.mode
    )
    return await engine.dispatch.once(work)


EVERY = ((0, 3), (1, 5))
"""No step here calls models of one kind more than twice: these meet its first call, and its second."""
DENOISER = ("UNet2DConditionModel",)
OTHERS = ("CLIPTextModel", "Encoder", "Decoder")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("text_to_image", [()]),
        ("image_to_image", [()]),
        ("inpaint", [DENOISER, OTHERS]),  # its sampler reads a prompt too
        ("guided", [("ControlNetModel", "RRDBNet")]),
    ],
)
async def test_a_shortage_in_any_call_changes_no_pixel_and_is_on_record(
    engine: Engine, name: str, kinds: list[tuple[str, ...]]
) -> None:
    job, calls = await counted(engine, name)
    failed = 0
    for some, failing in itertools.product(kinds, EVERY):
        with shortage(failing, some) as short:
            found = await again(engine, job)
        assert found.state == "done", found.problem
        assert found.receipt["outputs"] == job.receipt["outputs"]
        fallbacks = found.receipt.get("fallbacks", {})
        assert list(fallbacks.values()) == ["memory freed"] * short.failed
        for id in fallbacks:
            assert found.steps[id].why.endswith("it ran out of memory, then ran with memory freed")
        failed += short.failed
    assert failed >= sum(calls[kind] for kind in (sum(kinds, ()) or calls)), "each has failed"


async def counted(engine: Engine, name: str) -> tuple[Job, Counter[str]]:
    """An undisturbed run, and how often it calls models."""
    job = await drawn(engine, name)
    with shortage() as short:
        assert (await again(engine, job)).receipt["outputs"] == job.receipt["outputs"]
    return job, short.calls


@pytest.mark.parametrize(("times", "how", "far"), [(2, "thrift 1", 0.01), (3, "thrift 2", 6.0)])
async def test_a_longer_shortage_is_met_with_thrift_and_the_picture_is_nearly_the_same(
    engine: Engine, times: int, how: str, far: float
) -> None:
    job = await drawn(engine, "image_to_image", "starter", 128)
    with shortage(range(times)):
        found = await again(engine, job)
    assert found.state == "done", found.problem
    assert set(found.receipt["fallbacks"].values()) == {how}
    before, after = [pixels(engine, one) for one in (job, found)]
    assert np.abs(before - after).mean() < far, "of 255"


async def test_with_weights_that_take_turns_no_pixel_changes_and_the_record_says_so(engine: Engine) -> None:
    """The device is the CPU here: layers are brought to it and taken back as to any other."""
    assert isinstance(engine.dispatch.host, Here)
    runner = engine.dispatch.host.runner
    job = await drawn(engine, "guided")
    turns = Residency(runner.core.loaders, runner.models, device="cpu", turns=True)
    runner.flights.take_turns = lambda: current.set(turns)
    try:
        with shortage(range(2), ["CLIPTextModel", "ControlNetModel", "Decoder"]):
            found = await again(engine, job)
    finally:
        runner.flights.take_turns = None
    assert found.state == "done", found.problem
    assert found.receipt["outputs"] == job.receipt["outputs"]
    assert set(found.receipt["fallbacks"].values()) == {"weights in turns"}
    assert turns.loads == 4, "the text encoder, the denoiser, the ControlNet, the VAE"


STAYS = {
    "CLIPTextModel": ("words", "avoid"),
    "Encoder": ("encode",),
    "UNet2DConditionModel": ("sample",),
    "Decoder": ("decode",),
}


async def test_a_shortage_that_stays_fails_with_the_bytes_and_the_next_job_succeeds(engine: Engine) -> None:
    job = await drawn(engine, "image_to_image")
    for kind, steps in STAYS.items():
        with shortage(range(1000), [kind]):
            found = await again(engine, job)
        assert found.state == "failed"
        assert found.problem is not None
        assert found.problem.code == "out_of_memory"
        assert found.problem.step in steps
        assert f"{NEEDED:,} bytes needed" in found.problem.got
        assert re.search(r"[\d,]{7,} bytes free", found.problem.got)
        assert "smaller" in found.problem.remedy
    assert (await again(engine, job)).receipt["outputs"] == job.receipt["outputs"]


def pixels(engine: Engine, job: Job | Outcome) -> np.ndarray[Any, np.dtype[np.int64]]:
    assert isinstance(engine.dispatch.host, Here)
    path = engine.dispatch.host.runner.store.path(job.outputs["picture"]["artifact"]["sha256"])
    with Pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)
