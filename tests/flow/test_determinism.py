"""The same again: twenty times, after a restart, in another process; and with other threads, who is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.config import settings
from engine.node import node
from engine.registry import Registry
from engine.service import Engine
from engine.types import Seed
from tests.engines import ended, run, submit
from tests.toys import Doc, Wire, step, workflow

TIMES = 20
PATIENCE = 600.0
PACK = '''
"""A sum whose last digits depend on how many threads add it up."""

from engine import node


@node(category="test", lane="gpu")
def add_up(seed: int = 0) -> float:
    """Add up random numbers."""
    import torch

    drawn = torch.randn(4_000_000, generator=torch.Generator().manual_seed(seed))
    return float(drawn.sum())
'''


@node(category="test", lane="gpu")
def add_up(seed: Seed = 0) -> float:
    """Add up random numbers."""
    import torch

    return float(torch.randn(4_000_000, generator=torch.Generator().manual_seed(seed)).sum())


def registry() -> Registry:
    core, ours = Registry.core(), Registry.of([sys.modules[__name__]])
    return Registry([*core.nodes.values(), ours.nodes["add_up"]], classes=core.classes, loaders=core.loaders)


def sums(node: str = "add_up") -> Doc:
    return workflow(
        {"sum": "twice.out"},
        first=step(node, seed=1),
        twice=step("add", a=Wire("first.out"), b=Wire("first.out")),
    )


async def test_a_run_comes_out_the_same_twenty_times_and_after_a_restart(tmp_path: Path) -> None:
    async with Engine.local(tmp_path, registry=registry(), threads=1) as engine:
        job = await run(engine, sums())
        for _ in range(TIMES):
            verdict = await engine.verify(job.id)
            assert (verdict.equal, verdict.differs) == (True, [])
    async with Engine.local(tmp_path, registry=registry(), threads=1) as engine:
        verdict = await engine.verify(job.id)
        assert (verdict.equal, verdict.differs) == (True, [])


async def test_another_thread_setting_is_named_as_what_differs(tmp_path: Path) -> None:
    async with Engine.local(tmp_path, registry=registry(), threads=1) as engine:
        job = await run(engine, sums())
        assert job.receipt["environment"]["threads"] == 1
    async with Engine.local(tmp_path, registry=registry(), threads=3) as engine:
        again = await run(engine, sums())
        assert again.steps["first"].cache == "disk"
        assert again.receipt["environment"]["threads"] == 3
        assert again.receipt["steps"]["first"]["elsewhere"] == {"threads": 1}, "the cache's is as it was made"
        for id in (job.id, again.id):
            verdict = await engine.verify(id)
            assert (verdict.equal, verdict.step, verdict.field) == (False, "first", "environment.threads")
            assert verdict.differs == ["environment.threads: 1 then, 3 now"]


async def test_another_worker_gives_the_same(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "sums.py").write_text(PACK, "utf-8")
    async with Engine.local(tmp_path / "data", packs=packs, threads=2) as engine:
        job = await run(engine, sums("sums/add_up"))
    config = settings(data=tmp_path / "data", packs=packs, threads=2, warm=False)
    async with Engine.open(config) as engine:
        verdict = await engine.verify(job.id)
        assert (verdict.equal, verdict.differs) == (True, [])


@pytest.mark.soak
@pytest.mark.model
async def test_a_picture_comes_out_the_same_twenty_times_in_two_workers(tmp_path: Path) -> None:
    async with Engine.local(tmp_path, threads=1) as engine:
        job = await ended(engine, await submit(engine, "text_to_image", seed=7, steps=8), PATIENCE)
        assert all([(await engine.verify(job.id)).equal for _ in range(TIMES)])
        files = [asset.id for asset in await engine.assets.list("local", "output")]
        assert all([(await engine.verify(id)).equal for id in files])
    async with Engine.open(settings(data=tmp_path, threads=1)) as engine:
        assert all([(await engine.verify(job.id)).equal for _ in range(TIMES)])
    async with Engine.local(tmp_path, threads=2) as engine:
        verdict = await engine.verify(job.id)
        assert verdict.equal or verdict.field == "environment.threads"
        assert verdict.differs == ["environment.threads: 1 then, 2 now"]
