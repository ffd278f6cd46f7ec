"""Drive a family's own diffusers pipeline from embeddings and latents to latents."""

from __future__ import annotations

from typing import Any, NamedTuple

import diffusers
import torch
from diffusers.utils.torch_utils import randn_tensor

from engine.context import Context
from engine.errors import BadInput
from engine.types import Latent
from nodes._lib.arrays import array, tensor
from nodes._lib.families import Family
from nodes._lib.previews import rough
from nodes._lib.schedules import Stretch, scheduler
from nodes._lib.stable import Denoising

PREVIEWS = 5
"""Previews of one run at most."""


class Way(NamedTuple):
    """How to walk from noise to picture."""

    method: str
    spacing: str
    steps: int
    begin: int
    end: int
    guidance: float
    seed: int


def walk(
    held: Denoising,
    family: Family,
    start: Latent,
    positive: torch.Tensor,
    negative: torch.Tensor | None,
    way: Way,
    ctx: Context,
) -> Latent:
    """The latent at the end of the way."""
    unet, device, dtype = held.module, held.module.device, held.module.dtype
    inner = scheduler(held.schedule, way.method, way.spacing)
    stretch = Stretch(inner, way.steps, way.begin, way.end, device)
    generator = torch.Generator("cpu").manual_seed(way.seed)  # on the CPU, so that devices agree
    first = tensor(start.samples)[None].to(device, dtype)
    if start.noisy:
        first = stretch.opened(first)
    else:
        noise = randn_tensor(first.shape, generator=generator, device=device, dtype=dtype)
        first = stretch.noised(first, noise) if way.begin else stretch.noise(noise)
    pipeline = assemble(family, unet if not ctx.thrift else Halves(unet), stretch)
    last = len(stretch.timesteps)
    every = -(-last // PREVIEWS)

    def after(_: object, step: int, __: object, tensors: dict[str, Any]) -> dict[str, Any]:
        ctx.progress((step + 1) / last)
        if (step + 1) % every == 0 and step + 1 < last:
            now = tensors["latents"][0] / stretch.scale
            ctx.preview(rough(array(now), held.preview))
        return {}

    ctx.check()
    found = pipeline(
        prompt_embeds=positive[None].to(device, dtype),
        negative_prompt_embeds=None if negative is None else negative[None].to(device, dtype),
        height=first.shape[2] * pipeline.vae_scale_factor,
        width=first.shape[3] * pipeline.vae_scale_factor,
        num_inference_steps=way.steps,
        guidance_scale=way.guidance,
        generator=generator,
        latents=first,
        output_type="latent",
        return_dict=False,
        callback_on_step_end=after,
    )[0]
    noisy = way.end < way.steps
    samples = (stretch.closed(found) if noisy else found)[0]
    return Latent(array(samples), start.family, start.factor, noisy)


def assemble(family: Family, denoiser: Any, stretch: Stretch) -> Any:
    """The family's pipeline around parts that are in memory; nothing is loaded."""
    kind = getattr(diffusers, family.pipeline)
    parts = {family.denoiser: denoiser, "scheduler": stretch, **dict.fromkeys(family.without)}
    pipeline = kind(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def alike(positive: torch.Tensor, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both prompts equally long: the shorter one is said again."""
    longest = max(len(positive), len(negative))
    return repeated(positive, longest), repeated(negative, longest)


def repeated(embeds: torch.Tensor, length: int) -> torch.Tensor:
    return embeds.repeat(-(-length // len(embeds)), 1)[:length]


def check_width(embeds: torch.Tensor, held: Denoising, name: str) -> None:
    wanted = held.module.config.cross_attention_dim
    if embeds.shape[-1] != wanted:
        raise BadInput(
            name,
            got=f"a prompt {embeds.shape[-1]} wide",
            want=f"{wanted} wide",
            remedy="Encode it with the text encoder of the same model.",
        )


class Halves(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow torch
    """A denoiser that treats the pictures of a batch one after another, for half the memory."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module
        self.config, self.dtype, self.device = module.config, module.dtype, module.device

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> tuple[Any]:
        pairs = zip(sample.split(1), encoder_hidden_states.split(1), strict=True)
        return (torch.cat([self.module(s, time, encoder_hidden_states=e, **rest)[0] for s, e in pairs]),)
