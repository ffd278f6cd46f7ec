"""Schedules: how much noise is left before each step, by a formula, from a paper, or written down."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from engine.errors import BadInput
from engine.models import models
from engine.node import node
from engine.types import Denoiser, Image, Schedule, Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 150
Sigma = Annotated[float, Meta(gt=0, le=1000, description="Noise over picture, as the model's own if unset.")]
Bend = Annotated[
    float, Meta(ge=1, le=20, description="For karras: larger puts more steps where little noise is left.")
]


@node(category="sampling")
def make_schedule(
    model: Denoiser,
    steps: Steps = 20,
    shape: Literal["karras", "exponential", "beta", "trailing", "leading", "linspace"] = "karras",
    bend: Bend = 7.0,
    highest: Sigma | None = None,
    lowest: Sigma | None = None,
) -> Schedule:
    """Lay out the steps from noise to picture by a formula.

    "karras" (Karras et al. 2022) and "exponential" put many steps where little noise is left; for them the
    ends can be set: a `lowest` of 0.1 saves steps that change nothing to see, a `highest` below the model's
    own begins with a blurred idea of the mean picture. The others are as `spacing` of a sampler has them.
    """
    import numpy as np

    from nodes._lib import noise

    own = noise.sigmas_of(model, models())
    high, low = highest or float(own[-1]), lowest or float(own[0])
    if high <= low:
        raise BadInput("highest", got=high, want=f"more than the lowest, {low:g}")
    if shape == "karras":
        return schedule(np.linspace(high ** (1 / bend), low ** (1 / bend), steps) ** bend)
    if shape == "exponential":
        return schedule(np.exp(np.linspace(np.log(high), np.log(low), steps)))
    return schedule(noise.spaced(model, models(), steps, shape))


@node(category="sampling", lane="inline")
def published_schedule(
    name: Literal["align your steps, SD 1.5", "align your steps, SDXL"] = "align your steps, SD 1.5",
    steps: Steps = 10,
) -> Schedule:
    """A schedule that was optimised for a model and published: good pictures in ten steps.

    These are those of Align Your Steps (Sabour, Fidler, Kreis 2024), found for ten steps; for another number
    the logarithms between are interpolated, as its authors advise. They suit models trained with the same
    noise, such as all fine-tunes of SD 1.5 or SDXL.
    """
    from nodes._lib import noise

    return schedule(noise.published(name, steps))


@node(category="sampling", lane="inline")
def write_schedule(sigmas: list[float]) -> Schedule:
    """A schedule of your own: how much noise is left before each step, from much to little.

    SD 1.5 and SDXL begin at 14.6 and end near 0.03. The last step always goes to 0, which may be left out.
    """
    wanted = sigmas[:-1] if sigmas and sigmas[-1] == 0 else sigmas
    if not 1 <= len(wanted) <= MOST:
        raise BadInput("sigmas", got=f"{len(wanted)} steps", want=f"1 to {MOST}")
    falling = all(one > two for one, two in itertools.pairwise(wanted))
    if not falling or not all(0 < one <= 1000 for one in wanted):
        remedy = "Write them like 14.6, 6.5, 3.9, 2.7, 1.9, 1.4, 0.96, 0.65, 0.4, 0.15."
        raise BadInput("sigmas", got=wanted, want="numbers that fall, above 0 and up to 1000", remedy=remedy)
    return schedule(wanted)


@node(category="sampling", lane="inline")
def schedule_sigmas(schedule: Schedule) -> list[float]:
    """The numbers of a schedule: how much noise is left before each step, and the 0 at its end."""
    return [*map(float, schedule.sigmas), 0.0]


@node(category="sampling")
def schedule_chart(
    schedule: Schedule,
    width: Annotated[int, Meta(ge=96, le=2048, description="In pixels.")] = 256,
    height: Annotated[int, Meta(ge=64, le=2048, description="In pixels.")] = 192,
) -> Image:
    """A diagram of a schedule: a dot for each step, high where much noise is left, by its logarithm."""
    from nodes._lib import charts

    return charts.curve([float(sigma) for sigma in schedule.sigmas], width, height)


def schedule(sigmas: Sequence[float] | object) -> Schedule:
    import numpy as np

    return Schedule(np.asarray(sigmas, np.float64))
