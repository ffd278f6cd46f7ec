"""Sample: noise becomes a latent picture, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.node import node
from engine.types import (
    Conditioning,
    Denoiser,
    Guidance,
    Guide,
    Latent,
    Noise,
    Schedule,
    Seed,
    Steps,
    Strength,
    TextEncoder,
    Vae,
)
from nodes.likeness import PicturePrompt, PicturePrompts
from nodes.load import reading
from nodes.tweaks import one

if TYPE_CHECKING:
    from nodes._lib.families import Family
    from nodes._lib.heeding import Eyes
    from nodes._lib.parts import Denoising
    from nodes._lib.sampling import Way

Method = Annotated[
    Literal[
        "euler", "euler ancestral", "heun", "dpm2", "dpm2 ancestral", "lms", "dpm++ 2m", "dpm++ 2m sde",
        "dpm++ 3m", "dpm++ 2s", "dpm++ 3s", "unipc", "deis", "sa-solver", "ddim", "ddpm", "plms", "lcm",
        "tcd",
    ],
    Meta(description="How to walk from noise to picture. Ancestral, sde, ddpm, lcm add noise on the way."),
]  # fmt: skip
Spacing = Annotated[
    Literal["model", "karras", "exponential", "beta", "leading", "linspace", "trailing"],
    Meta(description="Where the steps lie; 'model' is as the model's makers say."),
]
StartStep = Annotated[int, Meta(ge=0, le=150, description="Steps to leave out at the beginning.")]
EndStep = Annotated[
    int, Meta(ge=0, le=150, description="The step to end before; the latent then still has noise.")
]


class Sampled(NamedTuple):
    latent: Latent
    seed: Seed


@node(category="sampling", lane="gpu")
def sample(
    model: Denoiser,
    positive: Conditioning,
    start: Latent,
    negative: Conditioning | None = None,
    steps: Steps = 20,
    guidance: Guidance = 7.0,
    method: Method = "euler",
    spacing: Spacing = "model",
    strength: Strength = 1.0,
    start_step: StartStep = 0,
    end_step: EndStep | None = None,
    seed: Seed = 0,
    guides: list[Guide] | None = None,
    noise: Noise | None = None,
    schedule: Schedule | None = None,
    ctx: Context = SILENT,
) -> Sampled:
    """Turn noise into a latent picture.

    Lower `strength` keeps more of `start`, use it for image to image: 0.6 of 20 steps noises the picture as
    of step 8 and walks the last 12. At 1 the start only says how large the picture is.

    `guidance` above 1 also looks at `negative`, what not to draw; without one, at the empty prompt.

    `end_step` hands over early: the latent keeps its noise, and another sampler whose `start_step` is the
    same number goes on from there. `strength` and `start_step` both leave out steps; the larger one counts.

    Models that were taught by flow matching, such as Flux, take only some of the methods; another is refused
    with the names of those.

    A `start` with a mask is redrawn there only. `guides` are pictures to follow, through ControlNets and
    T2I-Adapters.

    Noise is drawn on the CPU in every precision, so that a seed means the same on all machines. `noise` takes
    the place of the seed, and a `schedule` that of `steps` and `spacing`.
    """
    check(model, positive, start, negative)
    for guide in guides or ():
        check_guide(model, guide)
    way = way_of(
        method, spacing, steps, strength, guidance, seed,
        start_step=start_step, end_step=end_step, noise=noise, schedule=schedule,
    )  # fmt: skip
    if way is None:
        return Sampled(start, seed if noise is None else noise.seed)
    return Sampled(drawn(model, [positive], start, negative, way, guides or (), ctx)[0], way.seed)


def way_of(
    method: Method,
    spacing: Spacing,
    steps: int,
    strength: float,
    guidance: float,
    seed: int,
    *,
    start_step: int = 0,
    end_step: int | None = None,
    noise: Noise | None = None,
    schedule: Schedule | None = None,
) -> Way | None:
    """How to walk from noise to picture; None where so little strength leaves no step."""
    from nodes._lib import sampling

    steps = steps if schedule is None else len(schedule.sigmas)
    kept = steps - int(steps * strength)
    begin, end = max(start_step, kept), steps if end_step is None else min(end_step, steps)
    if kept == steps:
        return None
    if begin >= end:
        name, got = ("start_step", start_step) if end_step is None else ("end_step", end_step)
        raise BadInput(name, got=got, want=f"steps to walk after the {begin} left out")
    return sampling.Way(
        method, spacing, steps, begin, end, guidance, seed if noise is None else noise.seed,
        None if noise is None or not noise.amount else (noise.other, noise.amount),
        () if schedule is None else tuple(map(float, schedule.sigmas)),
    )  # fmt: skip


def drawn(
    model: Denoiser,
    positives: Sequence[Conditioning],
    start: Latent,
    negative: Conditioning | None,
    way: Way,
    guides: Sequence[Guide],
    ctx: Context,
    watched: Callable[[Conditioning, Denoising], Eyes] | None = None,
) -> list[Latent]:
    """The latents at the end of a way, for equally long prompts; `watched` gives eyes, if any shall see."""
    from nodes._lib import families, glimpses, likening, sampling, wording

    family = families.family(model.family)
    check_family(family, model, way.method, [positives[0], negative], guides)
    wanted, unwanted = list(positives), None
    if way.guidance > 1 and not model.distilled and not (family.unasked and negative is None):
        unwanted = negative or nothing(model, positives[0])
        if family.classic:
            pairs = [wording.alike(positive, unwanted) for positive in positives]
            wanted, unwanted = [one for one, _ in pairs], pairs[0][1]
    with ExitStack() as pinned:
        held = pinned.enter_context(weights(model))
        sampling.check_width(wanted[0], held, "positive")
        own = vae_of(model, family)
        shown = [
            sampling.guiding(pinned.enter_context(weights(g.net)), g, start, held, own, ctx.thrift)
            for g in guides
        ]
        heeded = [
            likening.likeness(pinned.enter_context(weights(prompt.adapter)), prompt, size_of(start), held)
            for prompt in picture_prompts(model)
        ]
        small = None if ctx.thrift else glimpses.decoder(model)
        tiny = None if small is None else pinned.enter_context(weights(small))
        eyes = None if watched is None else watched(wanted[0], held)
        return sampling.walk(held, start, wanted, unwanted, way, ctx, shown, model.tweaks, tiny, heeded, eyes)


def picture_prompts(model: Denoiser) -> Sequence[PicturePrompt]:
    heeded = one(model.tweaks, PicturePrompts)
    return heeded.prompts if heeded else ()


def size_of(start: Latent) -> tuple[int, int]:
    """Height and width in pixels."""
    return start.samples.shape[-2] * start.factor, start.samples.shape[-1] * start.factor


def vae_of(model: Denoiser, family: Family) -> Vae:
    """The VAE that a model brings along."""
    dtype = reading(model.dtype)
    own = (model.name, family.latents, model.sha256, model.bytes, dtype, model.variant)
    return Vae(*own, factor=model.factor)


def nothing(model: Denoiser, positive: Conditioning) -> Conditioning:
    """The empty prompt, as whoever read the other one reads it, or else the model's own text encoder."""
    from nodes.text import conditioning

    about = (model.name, model.family, model.sha256, model.bytes, reading(model.dtype), model.variant)
    own = TextEncoder(*about)
    encoder = positive.encoder or own
    with weights(encoder) as reader:
        return conditioning(reader.empty, encoder)


def check_family(
    family: Family,
    model: Denoiser,
    method: str,
    prompts: Sequence[Conditioning | None],
    guides: Sequence[Guide],
) -> None:
    """What only some families can do."""
    from nodes._lib import regions, schedules

    schedules.check_method(method, model.prediction)
    if model.distilled and prompts[1] is not None:
        raise BadInput(
            "negative",
            got="a negative prompt",
            want="none, since this model has its guidance built in",
            remedy="Leave it out, and say what you want instead.",
        )
    if family.classic:
        return
    for name, prompt in zip(("positive", "negative"), prompts, strict=True):
        if prompt is not None and not family.guided and not regions.plain(prompt):
            raise BadInput(
                name,
                got="a prompt that changes, or has a place",
                want=f"a plain one, since {family.title} reads the whole prompt once",
                remedy="Use one prompt for the whole picture.",
            )
    if guides and not family.guided:
        want = "a model with a UNet, or Stable Diffusion 3 or Flux"
        raise BadInput("guides", got=f"a guide for {family.title}", want=want)


def check_guide(model: Denoiser, guide: Guide) -> None:
    if guide.net.family != model.family:
        raise BadInput(
            "guides",
            got=f"{guide.net.name!r}, of family {guide.net.family!r}",
            want=f"family {model.family!r}",
            remedy="Use one that was made for this model.",
        )


def check(model: Denoiser, positive: Conditioning, start: Latent, negative: Conditioning | None) -> None:
    from nodes._lib import families

    family = families.family(model.family)
    given = {"positive": positive, "negative": negative, "start": start}
    for name, value in given.items():
        wanted = family.latents if name == "start" else family.name
        if value is not None and value.family != wanted:
            raise BadInput(
                name,
                got=f"of family {value.family!r}",
                want=f"family {wanted!r}",
                remedy="Use parts of one model.",
            )
    if start.samples.ndim != 3 or start.samples.shape[0] != model.channels or start.factor != model.factor:
        raise BadInput(
            "start",
            got=f"a latent of shape {tuple(start.samples.shape)}, factor {start.factor}",
            want=f"{model.channels} channels, factor {model.factor}",
            remedy="Make it with empty_latent or encode_image of the same model.",
        )
    if any(side % family.cells for side in start.samples.shape[1:]):
        height, width = (side * start.factor for side in start.samples.shape[1:])
        raise BadInput(
            "start",
            got=f"a picture of {width} × {height}",
            want=f"sides that are multiples of {family.cells * start.factor}, as {family.title} needs them",
        )
    if negative is not None and negative.embeds.shape[-1] != positive.embeds.shape[-1]:
        raise BadInput(
            "negative",
            got=f"a prompt {negative.embeds.shape[-1]} wide",
            want=f"{positive.embeds.shape[-1]} wide, as the positive one",
            remedy="Encode both prompts with the same text encoder.",
        )
