"""Sampling beside the bare loop of diffusers, and whether the same picture comes out every time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from engine.config import ROOT
from engine.events import Job, Request
from engine.service import Engine
from engine.workers import Here
from tests.bench.table import Row
from tests.serving import Server

STARTER = ROOT / "models" / "starter" / "base"
ROUNDS, STEPS, GUIDANCE = 15, 20, 4.0
EQUAL = 20


async def sampling() -> list[Row]:
    """The node, a bare loop and the pipeline of diffusers take turns on the same weights, in one process.

    CPU time: walls on a shared machine differ by more than the bar.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with Engine.local(Path(folder)) as engine:
            await latent(engine, 1)
            assert isinstance(engine.dispatch.host, Here)
            residency = engine.dispatch.host.runner.residency
            loads, encoded, around = residency.loads, 0, []
            for turn in range(5):
                job = await latent(engine, 100 + turn)
                encoded += job.steps["words"].calls + job.steps["avoid"].calls
                began = time.process_time()
                await latent(engine, 100 + turn)  # the same again: all that is left is the engine
                around.append(time.process_time() - began)
            reloads = residency.loads - loads
    over_loop, over_pipeline = await asyncio.to_thread(compared)
    what = f"{STEPS} steps of the starter, fp32, in our node: CPU over "
    note = f"median of {ROUNDS}, lossless"
    return [
        Row("7", what + "a bare diffusers loop", (over_loop - 1) * 100, "%", 1, note=note),
        Row("7", what + "the diffusers pipeline", (over_pipeline - 1) * 100, "%", note=note),
        Row("7", "the engine around it: CPU per job", statistics.median(around) * 1e3, "ms"),
        Row("7", "repeated prompt: encoder calls", encoded, "", 0),
        Row("7", "fitting model used again: loads", reloads, "", 0),
    ]


async def latent(engine: Engine, seed: int) -> Job:
    """A run up to the sampled latent."""
    inputs: dict[str, Any] = {"prompt": "a red circle", "seed": seed, "steps": STEPS}
    [job] = await engine.submit(Request("text_to_image", inputs, ["sample"]))
    job = await engine.wait(job.id)
    assert job.state == "done", job.problem
    return job


def compared() -> tuple[float, float]:
    """How many times the CPU of a bare loop, and of the pipeline, the sampling node takes."""
    from nodes.latent import empty_latent
    from nodes.load import load_model
    from nodes.sample import sample
    from nodes.text import encode_text

    model = load_model("starter")
    words, nothing = (encode_text(model.text_encoder, text) for text in ("a red circle", ""))
    canvas, bare = empty_latent(model.denoiser), Bare()

    def node(seed: int) -> float:
        began = time.process_time()
        sample(model.denoiser, words, canvas, nothing, steps=STEPS, guidance=GUIDANCE, seed=seed)
        return time.process_time() - began

    for way in (node, bare.loop, bare.pipeline):
        way(0)
    turns = [(node(seed), bare.loop(seed), bare.pipeline(seed)) for seed in range(1, ROUNDS + 1)]
    ours, loop, pipeline = (statistics.median(column) for column in zip(*turns, strict=True))
    return ours / loop, ours / pipeline


class Bare:
    """What anybody would write with diffusers alone."""

    def __init__(self) -> None:
        import torch
        from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel

        unet = UNet2DConditionModel.from_pretrained(STARTER / "unet", torch_dtype=torch.float32)
        self.unet = unet.eval().requires_grad_(False)
        self.scheduler = EulerDiscreteScheduler.from_pretrained(STARTER / "scheduler")
        width = int(unet.config.cross_attention_dim)
        self.prompts = torch.randn(2, 77, width, generator=torch.Generator().manual_seed(0))
        size = int(unet.config.sample_size)
        self.shape = (1, int(unet.config.in_channels), size, size)
        none = dict.fromkeys(("vae", "text_encoder", "tokenizer", "safety_checker", "feature_extractor"))
        parts = {**none, "unet": self.unet, "scheduler": self.scheduler}
        self.whole = StableDiffusionPipeline(**parts, requires_safety_checker=False)
        self.whole.set_progress_bar_config(disable=True)

    def loop(self, seed: int) -> float:
        """Seconds of CPU from noise to latent."""
        import torch

        began = time.process_time()
        scheduler = self.scheduler
        scheduler.set_timesteps(STEPS)
        latent = torch.randn(self.shape, generator=torch.Generator().manual_seed(seed))
        latent = latent * scheduler.init_noise_sigma
        with torch.no_grad():
            for moment in scheduler.timesteps:
                both = scheduler.scale_model_input(torch.cat([latent, latent]), moment)
                noise = self.unet(both, moment, encoder_hidden_states=self.prompts, return_dict=False)[0]
                without, wanted = noise.chunk(2)
                guided = without + GUIDANCE * (wanted - without)
                latent = scheduler.step(guided, moment, latent, return_dict=False)[0]
        return time.process_time() - began

    def pipeline(self, seed: int) -> float:
        """The same by the pipeline that comes with diffusers."""
        import torch

        began = time.process_time()
        self.whole(
            prompt_embeds=self.prompts[1:],
            negative_prompt_embeds=self.prompts[:1],
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            latents=torch.randn(self.shape, generator=torch.Generator().manual_seed(seed)),
            height=self.shape[2] * self.whole.vae_scale_factor,
            width=self.shape[3] * self.whole.vae_scale_factor,
            output_type="latent",
        )
        return time.process_time() - began


async def equal() -> list[Row]:
    """The same request again and again without the cache, after a restart, and in another worker."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        run = server.run("text_to_image", seed=11)
        assert run["state"] == "done", run["error"]
        same = sum(verified(server, run["id"]) for _ in range(EQUAL))
        server.kill()
        server.start()
        same += verified(server, run["id"])
        for worker in psutil.Process(server.pid).children():
            worker.kill()
        same += verified(server, run["id"])
    what = f"{EQUAL} repeats, a restart, another worker: equal pictures"
    return [Row("8", what, same, f"of {EQUAL + 2}", EQUAL + 2, at_least=True)]


def verified(server: Server, run: str) -> bool:
    """Whether the engine's own repetition gives the same; a killed worker may take the first one along."""
    for _ in range(3):
        answer = server.ask("POST", f"/api/runs/{run}/verify", {})
        if answer.status == 200:
            return bool(answer.json()["equal"])
    raise AssertionError(answer.data)
