"""Guide a model in other ways: in a part of the steps, without glare, away from what lacks structure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Denoiser, Fraction, Tweak, slider
from nodes.tweaks import tweaked, without

Amount = Annotated[float, slider(0, 1, "0 as usual, 1 as bright as without guidance.", step=0.05)]
Scale = Annotated[float, slider(0, 15, "How far to go away from it; 0 not at all.", step=0.1)]
Along = Annotated[
    float, slider(0, 1, "How much counts that only makes it stronger: 1 as usual, 0 nothing.", step=0.05)
]
Largest = Annotated[
    float, Meta(ge=0, le=1000, description="The largest norm of a step's guidance; 0 for no limit.")
]
Momentum = Annotated[
    float,
    slider(
        -0.95, 0.95, "How much of the earlier steps' guidance is added; below 0 it is taken away.", step=0.05
    ),
]


class Rescale(Tweak, frozen=True, eq=False):
    """Guidance brought back to the contrast of the answer without it."""

    amount: float


class Interval(Tweak, frozen=True, eq=False):
    """Guidance in a part of the steps alone."""

    start: float
    end: float


class Perturbation(Tweak, frozen=True, eq=False):
    """Guidance away from the answer without self-attention."""

    scale: float


class Blur(Tweak, frozen=True, eq=False):
    """Guidance away from the answer to a picture that is blurred where the model looks."""

    scale: float


class Projection(Tweak, frozen=True, eq=False):
    """Guidance of which the part along the answer counts less."""

    along: float
    largest: float
    momentum: float


@node(category="models/guidance", lane="inline")
def rescale_guidance(model: Denoiser, amount: Amount = 0.7) -> Denoiser:
    """Take the glare out of strong guidance: contrast becomes that of the prompt alone.

    High guidance, and models that were trained to reach pure noise, burn colours out; 0.7 is what Lin et al.
    2023 found best. It counts only where guidance is above 1.
    """
    return tweaked(model, Rescale(amount)) if amount else without(model, Rescale)


@node(category="models/guidance", lane="inline")
def limit_guidance(model: Denoiser, start: Fraction = 0.0, end: Fraction = 1.0) -> Denoiser:
    """Guide only in a part of the steps, from `start` to `end` of the way.

    Outside it the prompt is heard once and nothing is avoided, which also takes half the time. Guidance early
    on narrows down what is drawn, late it only sharpens: leaving out the first tenth gives more varied
    pictures, leaving out the last third saves time (Kynkäänniemi et al. 2024).
    """
    if end <= start:
        raise BadInput("end", got=end, want=f"more than the start, {start}")
    return without(model, Interval) if (start, end) == (0, 1) else tweaked(model, Interval(start, end))


@node(category="models/guidance", lane="inline")
def perturb_attention(model: Denoiser, scale: Scale = 3.0) -> Denoiser:
    """Guide away from what the model draws when it cannot see how a picture hangs together.

    At each step the model is asked once more with its middle self-attention switched off, and the picture
    goes away from that answer: structure becomes firmer, also without a prompt (perturbed-attention guidance,
    Ahn et al. 2024). It takes half as long again, and adds to `guidance`, which may then be lower.
    """
    return tweaked(model, Perturbation(scale)) if scale else without(model, Perturbation)


@node(category="models/guidance", lane="inline")
def blur_attention(model: Denoiser, scale: Scale = 0.75) -> Denoiser:
    """Guide away from what the model draws when it cannot see clearly what it looks at most.

    At each step the model is asked once more, with the picture so far blurred in the places that its own
    attention rests on, and the picture goes away from that answer: details there become finer, also without
    a prompt (self-attention guidance, Hong et al. 2023). It takes half as long again, and adds to `guidance`.
    Values around 0.75 are usual; above 1.5 pictures begin to break up.
    """
    return tweaked(model, Blur(scale)) if scale else without(model, Blur)


@node(category="models/guidance", lane="inline")
def project_guidance(
    model: Denoiser, along: Along = 0.0, largest: Largest = 15.0, momentum: Momentum = -0.5
) -> Denoiser:
    """Guide strongly without burnt colours: the part of guidance that only adds contrast counts less.

    Guidance is split into what goes along the answer itself and what goes across it; only the latter says
    what the prompt means (adaptive projected guidance, Sadat et al. 2024). With it a `guidance` of 10 and
    more keeps natural colours. The settings are those of its authors for SDXL; for SD 1.5 and 2 they take
    0, 7.5 and -0.75. Pictures of few flat colours become grey without an `along` of about 0.5. It counts only
    where guidance is above 1.
    """
    if (along, largest, momentum) == (1, 0, 0):
        return without(model, Projection)
    return tweaked(model, Projection(along, largest, momentum))
