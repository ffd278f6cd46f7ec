"""Drive a family's own diffusers pipeline from embeddings and latents to latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import diffusers
import torch
from diffusers import T2IAdapter
from diffusers.utils.torch_utils import randn_tensor

from engine.context import Context
from engine.errors import BadInput
from engine.memory import weights
from engine.types import Conditioning, Guide, Image, Latent, Tweak, Vae
from nodes._lib import geometry, joining, pictures, planes, schedules, wording
from nodes._lib.arrays import array, tensor
from nodes._lib.families import Family
from nodes._lib.glimpses import glimpse
from nodes._lib.heeding import Eyes
from nodes._lib.hinting import check_levels
from nodes._lib.layers import Layers
from nodes._lib.likening import Likeness
from nodes._lib.noise import between
from nodes._lib.parts import Denoising, bare
from nodes._lib.regions import plain
from nodes._lib.schedules import Arrived, Asked, Listener, Stretch, Told, scheduler
from nodes._lib.wraps import Guiding, mutes

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
    other: tuple[int, float] | None = None
    """Another seed, and how far the noise is on the way to its own."""
    sigmas: tuple[float, ...] = ()
    """The noise before each step, if the method is not to lay them out."""


def walk(
    held: Denoising,
    start: Latent,
    positives: Sequence[Conditioning],
    negative: Conditioning | None,
    way: Way,
    ctx: Context,
    guides: Sequence[Guiding] = (),
    tweaks: Sequence[Tweak] = (),
    tiny: Any = None,
    likenesses: Sequence[Likeness] = (),
    eyes: Eyes | None = None,
) -> list[Latent]:
    """The latent at the end of the way for each prompt, from the same noise, in one batch.

    `tiny` is a small decoder for previews; `eyes` see what is heeded.
    """
    positive, count = positives[0], len(positives)
    family = held.family
    device, dtype = held.module.device, torch.float32 if family.exact else held.module.dtype
    given = tensor(start.samples)[None].to(device, dtype).expand(count, -1, -1, -1)
    like = torch.empty(0, device=device, dtype=held.module.dtype)
    said = wording.together([wording.words(family, prompt, negative, like) for prompt in positives])
    told = {
        **(wording.stand_ins(count) if family.handed else said),
        **wording.sizes(family, positive, negative, *(side * start.factor for side in given.shape[2:])),
        **wording.guidance(family, way.guidance, bool(held.module.config.get("guidance_embeds"))),
        **family.options,
        "num_inference_steps": way.steps,
        "output_type": "latent",
        "return_dict": False,
    }
    asked = listened(held, given, told, said)
    if way.sigmas:
        inner = schedules.given(held.schedule, way.method, way.sigmas)
    else:
        inner = scheduler(held.schedule, way.method, way.spacing, asked.get("mu"))
    stretch = Stretch(inner, way.steps, way.begin, way.end, device, asked)
    # on the CPU, so that devices agree; one for each picture, so that all get the same noise
    every = [torch.Generator("cpu").manual_seed(way.seed) for _ in positives]
    generator = every if count > 1 else every[0]
    noise = None
    if start.noisy:
        first = stretch.opened(given)
    else:
        noise = randn_tensor(given.shape, generator=generator, device=device, dtype=dtype)
        if way.other is not None:
            noise = between(noise, *way.other)
        first = stretch.noised(given, noise) if way.begin else stretch.noise(noise)
    hole, keep = around(held.module, start, given, noise, stretch)
    sides = [prompt for prompt in (negative, positive) if prompt is not None]
    guided = way.guidance if negative is not None else 1.0
    layers = Layers(
        (given.shape[2], given.shape[3]), start.factor, guided, way.steps,
        lambda time: way.begin + stretch.walked(time), stretch.place, len(stretch.timesteps),
        stretch.level, ctx.check, hole, guides, likenesses,
        () if all(map(plain, sides)) else sides, bool(ctx.thrift), eyes=eyes,
    )  # fmt: skip
    pipeline = assemble(held, layers.around(held.module, tweaks), stretch, said)
    shape = Shape(pipeline, family, given)
    stretch.after = watcher(ctx, stretch, shape, keep, lambda cells: glimpse(cells, held, tiny))
    if eyes is not None:
        eyes.begin(given.shape, len(stretch.timesteps))
        stretch.after = eyes.stepping(stretch.after)
    ctx.check()
    stretch.ends = family.goes_on
    try:
        found = pipeline(**told, **shape.sides, generator=generator, latents=shape.entered(first))[0]
    except Arrived as end:
        found = end.latents
    found = shape.unlaid(found)
    noisy = way.end < way.steps
    samples = stretch.closed(found) if noisy else found
    return [Latent(array(one), start.family, start.factor, noisy) for one in samples]


def listened(held: Denoising, given: torch.Tensor, told: dict[str, Any], said: dict[str, Any]) -> Asked:
    """How the family's pipeline lays out its steps for this picture; it is called, and stopped there."""
    listener = Listener(held.schedule)
    pipeline = assemble(held, held.module, listener, said)
    shape = Shape(pipeline, held.family, given)
    with suppress(Told):
        pipeline(**told, **shape.sides, latents=shape.entered(given))
    return listener.asked


def watcher(
    ctx: Context, stretch: Stretch, shape: Shape, keep: Keep, look: Callable[[torch.Tensor], Image]
) -> Keep:
    """What happens after each step: progress, the end if the run is cancelled, what is kept, a preview."""
    last = len(stretch.timesteps)
    every = -(-last // PREVIEWS)

    def after(latents: torch.Tensor, step: int) -> torch.Tensor:
        ctx.progress((step + 1) / last)
        plane = keep(shape.unlaid(latents), step)
        if (step + 1) % every == 0 and step + 1 < last:
            seen = plane / stretch.scale if stretch.foreseen is None else shape.unlaid(stretch.foreseen)
            ctx.preview(look(seen))
        return shape.laid(plane)

    return after


class Shape:
    """A latent as it is on wires, and as a pipeline lays it out: for many families as a row of patches."""

    def __init__(self, pipeline: Any, family: Family, given: torch.Tensor) -> None:
        self._pipeline, self._family, self._shape = pipeline, family, given.shape
        if family.native:  # slightly more, since it rounds down
            pipeline.default_sample_size = (given.shape[2] * given.shape[3]) ** 0.5 * (1 + 1e-9)

    @property
    def sides(self) -> dict[str, int]:
        """The size as the pipeline counts it."""
        factor = self._family.factor or self._pipeline.vae_scale_factor
        return {"height": self._shape[2] * factor, "width": self._shape[3] * factor}

    def entered(self, latent: torch.Tensor) -> torch.Tensor:
        """As the pipeline takes it at first."""
        return latent if self._family.rows else self.laid(latent)

    def laid(self, latent: torch.Tensor) -> torch.Tensor:
        """As the pipeline has it while it draws."""
        if self._family.rows:
            return latent.flatten(2).transpose(1, 2)
        return rowed(latent, patch) if (patch := self._family.patch) else latent

    def unlaid(self, latent: torch.Tensor) -> torch.Tensor:
        if self._family.rows:
            return latent.transpose(1, 2).reshape(self._shape)
        return whole(latent, patch, self._shape) if (patch := self._family.patch) else latent


def rowed(latent: torch.Tensor, patch: int) -> torch.Tensor:
    """A latent as a row of its patches, of so many cells along each side."""
    count, channels, height, width = latent.shape
    found = latent.reshape(count, channels, height // patch, patch, width // patch, patch)
    return found.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, channels * patch * patch)


def whole(row: torch.Tensor, patch: int, shape: torch.Size) -> torch.Tensor:
    """The latent of this shape that such a row was made of."""
    count, channels, height, width = shape
    found = row.reshape(count, height // patch, width // patch, channels, patch, patch)
    return found.permute(0, 3, 1, 4, 2, 5).reshape(shape)


Keep = Callable[[torch.Tensor, int], torch.Tensor]
Hole = tuple[torch.Tensor, torch.Tensor]


def around(
    unet: Any, start: Latent, given: torch.Tensor, noise: torch.Tensor | None, stretch: Stretch
) -> tuple[Hole | None, Keep]:
    """What a denoiser must see of a masked start, and what restores the kept part after a step."""
    if unet.config.get("in_channels") == 2 * given.shape[1] + 1:
        mask, hole = (tensor(part)[None].to(given) for part in seen_hole(start))
        return (mask[None], hole), lambda latents, step: latents
    if start.mask is None:
        return None, lambda latents, step: latents
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

    return None, keep


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


def guiding(net: Any, guide: Guide, start: Latent, held: Denoising, own: Vae, thrift: int = 0) -> Guiding:
    """A guide as the denoiser meets it: its picture as large as the one that is drawn.

    Transformers are shown what their own VAE tells of it.
    """
    if isinstance(net, joining.JOINED):
        joining.check(net, guide.net.name)
        with weights(own) as vae:
            seen = joining.told(net, shown(guide.image, start, net), vae, thrift)
        return Guiding(net, seen, guide.strength, guide.start, guide.end)
    if isinstance(net, T2IAdapter):
        check_levels(guide.net.name, net, held.module)
        pixels = shown(guide.image, start, net, net.config.in_channels)
        return Guiding(net, pixels, guide.strength, guide.start, guide.end)
    wanted, given = held.module.config.cross_attention_dim, net.config.cross_attention_dim
    if wanted != given:
        raise BadInput(
            "guides",
            got=f"a ControlNet for prompts {given} wide",
            want=f"{wanted} wide, as the model has them",
            remedy="Use a ControlNet that was made for this model.",
        )
    return Guiding(net, shown(guide.image, start, net), guide.strength, guide.start, guide.end)


def shown(image: Image, start: Latent, net: Any, channels: int = 3) -> torch.Tensor:
    """A picture as large as the one that is drawn, for a network that looks at it."""
    height, width = (side * start.factor for side in start.samples.shape[-2:])
    picture = pictures.rgb(image)
    if (picture.width, picture.height) != (width, height):
        picture = geometry.scaled(picture, width, height, "lanczos")
    colours = pictures.floats(picture) if channels == 3 else planes.luma(planes.floats(picture))
    return tensor(colours).permute(2, 0, 1)[None].to(net.device, net.dtype)


def assemble(held: Denoising, denoiser: Any, stretch: Any, said: dict[str, Any]) -> Any:
    """The family's pipeline around parts that are in memory."""
    family = held.family
    stand = mutes(family, held.module.device, held.module.dtype, family.denoiser)
    parts = {**held.settings, **stand, family.denoiser: denoiser, "scheduler": stretch}
    pipeline = bare(getattr(diffusers, family.pipeline), parts)
    if family.handed:
        call = family.spoken[0]
        setattr(pipeline, call.method, wording.reader(call, said))
    return pipeline


def check_width(prompt: Conditioning, held: Denoising, name: str) -> None:
    """Raise BadInput for a prompt that some other text encoder has read."""
    wanted, given = held.module.config.get("cross_attention_dim"), prompt.embeds.shape[-1]
    if held.family.classic and given != wanted:
        raise BadInput(
            name,
            got=f"a prompt {given} wide",
            want=f"{wanted} wide",
            remedy="Encode it with the text encoder of the same model.",
        )
