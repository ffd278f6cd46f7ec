"""Two hundred jobs over five models that do not fit together."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psutil

from engine.events import Request
from engine.service import Engine
from engine.workers import Here
from tests.bench.table import Row
from tests.serving import Server

MODELS, JOBS, EARLY = 5, 200, 20
FIT = 2.5
"""Models that the cap has room for."""


async def memory() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        sizes = make_models(Path(folder) / "models" / "diffusers")
        cap = int(max(sizes) * FIT)
        most, loads = await under_cap(Path(folder), cap)
        early, late = resident(Path(folder), cap)
    grown = (late / early - 1) * 100
    return [
        Row("9", f"{JOBS} jobs over {MODELS} models: worker's memory against job {EARLY}", grown, "%", 5.0),
        Row("9", "worker's memory at the end", late / 1e6, "MB"),
        Row("9", "weights held, of their cap", most / cap * 100, "%", 100),
        Row("9", f"loads in {MODELS * 4} jobs that change models", loads, "", MODELS * 2 + 1, at_least=True),
    ]


def make_models(folder: Path) -> list[int]:
    """Random models in the layout of diffusers; the bytes that each takes in memory."""
    from tests.tiny import diffusers_folder

    sizes = []
    for number in range(MODELS):
        made = diffusers_folder(folder / f"tiny{number}", seed=number)
        sizes.append(sum(file.stat().st_size for file in made.rglob("*.safetensors")))
    return sizes


def inputs(number: int) -> dict[str, Any]:
    return {"model": f"tiny{number % MODELS}", "seed": number, "steps": 2, "prompt": f"picture {number}"}


async def under_cap(folder: Path, cap: int) -> tuple[int, int]:
    """The most bytes of weights that were held after a job, and how often any was loaded."""
    data, models = folder / "here", [folder / "models"]
    most = 0
    async with Engine.local(data, models=models, memory_limit=cap) as engine:
        assert isinstance(engine.dispatch.host, Here)
        for number in range(MODELS * 4):
            [job] = await engine.submit(Request("text_to_image", inputs(number)))
            job = await engine.wait(job.id)
            assert job.state == "done", job.problem
            most = max(most, engine.dispatch.host.runner.residency.bytes)
        return most, engine.dispatch.host.runner.residency.loads


def resident(folder: Path, cap: int) -> tuple[int, int]:
    """Resident bytes of a worker after some jobs, and after all."""
    settings = {"models": str(folder / "models"), "memory_limit": str(cap)}
    with Server(folder / "there", **settings) as server:
        found = {}
        for number in range(1, JOBS + 1):
            run = server.run("text_to_image", **inputs(number))
            assert run["state"] == "done", run["error"]
            if number in (EARLY, JOBS):
                [worker] = psutil.Process(server.pid).children()
                found[number] = int(worker.memory_info().rss)
    return found[EARLY], found[JOBS]
