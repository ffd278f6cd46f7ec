"""Sample: noise becomes a latent picture, step by step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.node import node
from engine.types import Conditioning, Denoiser, Guidance, Guide, Latent, Seed, Steps, Strength, TextEncoder

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
Step = Annotated[int, Meta(ge=0, le=150)]


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
    start_step: Annotated[Step, Meta(description="Steps to leave out at the beginning.")] = 0,
    end_step: Annotated[Step, Meta(description="The step to end before; the latent then still has noise.")]
    | None = None,
    seed: Seed = 0,
    guides: list[Guide] | None = None,
    ctx: Context = SILENT,
) -> Sampled:
    """Turn noise into a latent picture.

    Lower `strength` keeps more of `start`, use it for image to image: 0.6 of 20 steps noises the picture as
    of step 8 and walks the last 12. At 1 the start only says how large the picture is.

    `guidance` above 1 also looks at `negative`, what not to draw; without one, at the empty prompt.

    `end_step` hands over early: the latent keeps its noise, and another sampler whose `start_step` is the
    same number goes on from there. `strength` and `start_step` both leave out steps; the larger one counts.

    A `start` with a mask is redrawn there only. `guides` are pictures to follow, through ControlNets.
    """
    kept = steps - int(steps * strength)
    begin, end = max(start_step, kept), steps if end_step is None else min(end_step, steps)
    check(model, positive, start, negative)
    for guide in guides or ():
        check_guide(model, guide)
    if kept == steps:
        return Sampled(start, seed)
    if begin >= end:
        name, got = ("start_step", start_step) if end_step is None else ("end_step", end_step)
        raise BadInput(name, got=got, want=f"steps to walk after the {begin} left out")
    from nodes._lib import families, regions, sampling
    from nodes._lib.arrays import array, tensor

    family = families.family(model.family)
    way = sampling.Way(method, spacing, steps, begin, end, guidance, seed)
    wanted = tensor(positive.embeds)
    unwanted = None
    if guidance > 1:
        unwanted = tensor(negative.embeds) if negative is not None else nothing(model, positive)
        wanted, unwanted = sampling.alike(wanted, unwanted)
    with ExitStack() as pinned:
        held = pinned.enter_context(weights(model))
        sampling.check_width(wanted, held, "positive")
        shown = [sampling.guiding(pinned.enter_context(weights(g.net)), g, start, held) for g in guides or ()]
        sides = [positive]
        if unwanted is not None:
            sides.insert(0, negative or Conditioning(array(unwanted), model.family))
        if all(map(regions.plain, sides)):
            sides = []
        return Sampled(sampling.walk(held, family, start, wanted, unwanted, way, ctx, shown, sides), seed)


def nothing(model: Denoiser, positive: Conditioning) -> Any:
    """The empty prompt, as whoever read the other one reads it, or else the model's own text encoder."""
    own = TextEncoder(model.name, model.family, model.sha256, model.bytes, model.dtype)
    with weights(positive.encoder or own) as reader:
        return reader.empty


def check_guide(model: Denoiser, guide: Guide) -> None:
    if guide.net.family != model.family:
        raise BadInput(
            "guides",
            got=f"the ControlNet {guide.net.name!r} of family {guide.net.family!r}",
            want=f"family {model.family!r}",
            remedy="Use a ControlNet that was made for this model.",
        )


def check(model: Denoiser, positive: Conditioning, start: Latent, negative: Conditioning | None) -> None:
    given = {"positive": positive, "negative": negative, "start": start}
    for name, value in given.items():
        if value is not None and value.family != model.family:
            raise BadInput(
                name,
                got=f"of family {value.family!r}",
                want=f"family {model.family!r}",
                remedy="Use parts of one model.",
            )
    if start.samples.ndim != 3 or start.samples.shape[0] != model.channels or start.factor != model.factor:
        raise BadInput(
            "start",
            got=f"a latent of shape {tuple(start.samples.shape)}, factor {start.factor}",
            want=f"{model.channels} channels, factor {model.factor}",
            remedy="Make it with empty_latent or encode_image of the same model.",
        )
    if negative is not None and negative.embeds.shape[-1] != positive.embeds.shape[-1]:
        raise BadInput(
            "negative",
            got=f"a prompt {negative.embeds.shape[-1]} wide",
            want=f"{positive.embeds.shape[-1]} wide, as the positive one",
            remedy="Encode both prompts with the same text encoder.",
        )
