"""How much noise a model was taught to take away, and what a picture starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_utils import AysSchedules
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.types import Denoiser
from nodes._lib import recognising
from nodes._lib.families import family
from nodes._lib.schedules import scheduler

if TYPE_CHECKING:
    from engine.models import Models

Sigmas = NDArray[np.float64]
PUBLISHED = {
    "align your steps, SD 1.5": AysSchedules["StableDiffusionSigmas"],
    "align your steps, SDXL": AysSchedules["StableDiffusionXLSigmas"],
}


def sigmas_of(model: Denoiser, models: Models) -> Sigmas:
    """The noise of each time that a model was taught, from little to much."""
    taught = scheduler(taught_by(model, models), "euler")
    share = np.asarray(taught.alphas_cumprod, np.float64)
    return np.sqrt((1 - share) / share)


def spaced(model: Denoiser, models: Models, steps: int, spacing: str) -> Sigmas:
    """The steps of a spacing."""
    found = scheduler(taught_by(model, models), "euler", spacing)
    found.set_timesteps(steps)
    return np.asarray(found.sigmas[:-1], np.float64)


def taught_by(model: Denoiser, models: Models) -> dict[str, Any]:
    if model.prediction == recognising.FLOW:
        raise BadInput(
            "model",
            got=f"{model.name!r}, which was taught by flow matching",
            want="a model that was taught with a noise schedule, such as SD 1.5 or SDXL",
            remedy="Use the sampler's `spacing` for this model.",
        )
    file = models.locate(model.name, model.sha256, "model", "denoiser")
    return recognising.schedule_of(file, family(model.family))


def published(name: str, steps: int) -> Sigmas:
    """A published table, with the logarithms between its entries interpolated."""
    table = PUBLISHED[name][:-1]
    places = np.linspace(0, len(table) - 1, steps) if steps > 1 else np.zeros(1)
    exact = len(table) == steps
    return np.asarray(table) if exact else np.exp(np.interp(places, np.arange(len(table)), np.log(table)))


def between(noise: Any, other: int, amount: float) -> Any:
    """On the arc from some noise to that of another seed, so that what lies between is noise as well."""
    generator = torch.Generator("cpu").manual_seed(other)
    goal = randn_tensor(noise.shape, generator=generator, device=noise.device, dtype=noise.dtype)
    one, two = noise.double(), goal.double()
    cosine = (one * two).sum() / (one.norm() * two.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    found = torch.sin((1 - amount) * angle) * one + torch.sin(amount * angle) * two
    return (found / torch.sin(angle)).to(noise.dtype)
