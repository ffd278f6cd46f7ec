"""What is older than the settings keep goes, and nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.codecs import picture_bytes
from engine.errors import Conflict, NotFound
from engine.events import Request
from engine.service import Engine
from engine.types import Image

INVERT = {
    "tessera": 1,
    "steps": {
        "load": {"node": "load_image"},
        "invert": {"node": "invert", "wires": {"image": "load.image"}},
    },
    "inputs": {"picture": {"to": ["load.image"]}},
    "outputs": {"picture": "invert.out"},
}
WHITE = picture_bytes(Image(np.full((4, 4, 3), 255, np.uint8)))


async def test_expired_runs_take_their_outputs_along_and_leave_uploads() -> None:
    async with Engine.local() as engine:
        upload = await engine.add_artifact(WHITE, name="white.png")
        [job] = await engine.submit(Request(INVERT, {"picture": upload}))
        made = (await engine.wait(job.id)).outputs["picture"]["artifact"]["sha256"]
        assert engine.store.has(made)

        await engine.retention.expire(time.time() - 3600)
        assert (await engine.job(job.id)).state == "done"
        assert engine.store.has(made)

        await engine.retention.expire(time.time() + 3600)
        with pytest.raises(NotFound):
            await engine.job(job.id)
        assert not engine.store.has(made)
        assert (await engine.artifact(upload)).name == "white.png"


async def test_an_artifact_that_a_held_run_needs_cannot_be_deleted() -> None:
    async with Engine.local() as engine:
        upload = await engine.add_artifact(WHITE)
        [job] = await engine.submit(Request(INVERT, {"picture": upload}, hold=True))
        with pytest.raises(Conflict, match="needs this artifact"):
            await engine.delete_artifact(upload)
        await engine.cancel(job.id)
        await engine.delete_artifact(upload)
        with pytest.raises(NotFound):
            await engine.artifact(upload)
