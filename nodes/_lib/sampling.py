"""Drive a family's own diffusers pipeline from embeddings and latents to latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import diffusers
import torch
from diffusers.utils.torch_utils import randn_tensor

from engine.context import Context
from engine.errors import BadInput
from engine.types import Conditioning, Guide, Latent
from nodes._lib import geometry, pictures
from nodes._lib.arrays import array, tensor
from nodes._lib.families import Family
from nodes._lib.previews import rough
from nodes._lib.regions import Prompted
from nodes._lib.schedules import Stretch, scheduler
from nodes._lib.stable import Denoising
from nodes._lib.wraps import Filling, Guided, Guiding, Halves

if TYPE_CHECKING:
    from engine.types import Array

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
    guides: Sequence[Guiding] = (),
    sides: Sequence[Conditioning] = (),
) -> Latent:
    """The latent at the end of the way; `sides` are prompts that are not the same everywhere and always."""
    unet, device, dtype = held.module, held.module.device, held.module.dtype
    inner = scheduler(held.schedule, way.method, way.spacing)
    stretch = Stretch(inner, way.steps, way.begin, way.end, device)
    generator = torch.Generator("cpu").manual_seed(way.seed)  # on the CPU, so that devices agree
    given = tensor(start.samples)[None].to(device, dtype)
    noise = None
    if start.noisy:
        first = stretch.opened(given)
    else:
        noise = randn_tensor(given.shape, generator=generator, device=device, dtype=dtype)
        first = stretch.noised(given, noise) if way.begin else stretch.noise(noise)
    denoiser, keep = around(unet, start, given, noise, stretch)
    if guides:
        denoiser = Guided(denoiser, guides, stretch.place, len(stretch.timesteps))
    if ctx.thrift:
        denoiser = Halves(denoiser)
    if sides:
        denoiser = Prompted(denoiser, sides, lambda time: way.begin + stretch.walked(time), way.steps)
    pipeline = assemble(family, denoiser, stretch)
    last = len(stretch.timesteps)
    every = -(-last // PREVIEWS)

    def after(_: object, step: int, __: object, tensors: dict[str, Any]) -> dict[str, Any]:
        ctx.progress((step + 1) / last)
        latents = keep(tensors["latents"], step)
        if (step + 1) % every == 0 and step + 1 < last:
            ctx.preview(rough(array(latents[0] / stretch.scale), held.preview))
        return {"latents": latents}

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


Keep = Callable[[torch.Tensor, int], torch.Tensor]


def around(
    unet: Any, start: Latent, given: torch.Tensor, noise: torch.Tensor | None, stretch: Stretch
) -> tuple[Any, Keep]:
    """The denoiser with what it must see of a masked start, and what restores the kept part after a step."""
    if unet.config.in_channels == 2 * given.shape[1] + 1:
        mask, hole = (tensor(part)[None].to(given) for part in seen_hole(start))
        return Filling(unet, mask[None], hole), lambda latents, step: latents
    if start.mask is None:
        return unet, lambda latents, step: latents
    if noise is None:
        raise BadInput(
            "start",
            got="a latent that still has noise, with a mask",
            want="a mask only where the sampling begins",
            remedy="Let one sampler walk all steps of an inpainting.",
        )
    change = tensor(start.mask)[None, None].to(given)

    def keep(latents: torch.Tensor, step: int) -> torch.Tensor:
        return (1 - change) * stretch.reached(given, noise, step) + change * latents

    return unet, keep


def seen_hole(start: Latent) -> tuple[Array, Array]:
    """The mask and the latent with the hole, for a model that must have them."""
    if start.mask is None or start.hole is None:
        raise BadInput(
            "start",
            got="a latent without a hole",
            want="one with a hole, since this model was made to fill holes",
            remedy="Make it with encode_for_inpainting, or use another model.",
        )
    return start.mask, start.hole


def guiding(net: Any, guide: Guide, start: Latent, held: Denoising) -> Guiding:
    """A guide as the denoiser meets it: its picture as large as the one that is drawn."""
    wanted, given = held.module.config.cross_attention_dim, net.config.cross_attention_dim
    if wanted != given:
        raise BadInput(
            "guides",
            got=f"a ControlNet for prompts {given} wide",
            want=f"{wanted} wide, as the model has them",
            remedy="Use a ControlNet that was made for this model.",
        )
    height, width = (side * start.factor for side in start.samples.shape[-2:])
    picture = pictures.rgb(guide.image)
    if (picture.width, picture.height) != (width, height):
        picture = geometry.scaled(picture, width, height, "lanczos")
    pixels = tensor(pictures.floats(picture)).permute(2, 0, 1)[None].to(net.device, net.dtype)
    return Guiding(net, pixels, guide.strength, guide.start, guide.end)


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
