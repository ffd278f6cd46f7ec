"""Which scheduler walks from noise to picture, and which part of the way."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.errors import BadInput

MULTI, SINGLE = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"


class Method(NamedTuple):
    """A scheduler class of diffusers and how it is set up."""

    scheduler: str
    options: Mapping[str, Any] = {}


METHODS: dict[str, Method] = {
    "euler": Method("EulerDiscreteScheduler"),
    "euler ancestral": Method("EulerAncestralDiscreteScheduler"),
    "heun": Method("HeunDiscreteScheduler"),
    "dpm2": Method("KDPM2DiscreteScheduler"),
    "dpm2 ancestral": Method("KDPM2AncestralDiscreteScheduler"),
    "lms": Method("LMSDiscreteScheduler"),
    "dpm++ 2m": Method(MULTI, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++ 2m sde": Method(MULTI, {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "dpm++ 3m": Method(MULTI, {"algorithm_type": "dpmsolver++", "solver_order": 3}),
    "dpm++ 2s": Method(SINGLE, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++ 3s": Method(SINGLE, {"algorithm_type": "dpmsolver++", "solver_order": 3}),
    "unipc": Method("UniPCMultistepScheduler"),
    "deis": Method("DEISMultistepScheduler"),
    "sa-solver": Method("SASolverScheduler"),
    "ddim": Method("DDIMScheduler"),
    "ddpm": Method("DDPMScheduler"),
    "plms": Method("PNDMScheduler", {"skip_prk_steps": True}),
    "lcm": Method("LCMScheduler"),
    "tcd": Method("TCDScheduler"),
}

SPACINGS: dict[str, Mapping[str, Any]] = {
    "model": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "leading": {"timestep_spacing": "leading"},
    "linspace": {"timestep_spacing": "linspace"},
    "trailing": {"timestep_spacing": "trailing"},
}


def scheduler(config: Mapping[str, Any], method: str, spacing: str = "model") -> Any:
    """A fresh scheduler for a model with this configuration."""
    options = SPACINGS[spacing]
    if not takes(method, options):
        others = ", ".join(repr(name) for name in METHODS if takes(name, options))
        raise BadInput(
            "spacing",
            got=spacing,
            want=f"one that the method {method!r} has",
            remedy=f"Use 'model', or one of the methods {others}.",
        )
    return kind_of(method).from_config(dict(config), **{**METHODS[method].options, **options})


def takes(method: str, options: Mapping[str, Any]) -> bool:
    accepted = inspect.signature(kind_of(method).__init__).parameters
    return all(option in accepted for option in options)


def kind_of(method: str) -> Any:
    import diffusers

    return getattr(diffusers, METHODS[method].scheduler)


class Stretch:
    """A scheduler that walks only the steps from `begin` to `end`, over latents that are noised already."""

    init_noise_sigma = 1.0

    def __init__(self, inner: Any, steps: int, begin: int, end: int, device: str) -> None:
        self._inner = inner
        try:
            inner.set_timesteps(steps, device=device)
        except ValueError as error:
            raise BadInput(
                "steps", got=steps, want="a number that this method allows", remedy=str(error)
            ) from None
        first, last = begin * inner.order, end * inner.order if end < steps else None
        self.timesteps = inner.timesteps[first:last]
        if hasattr(inner, "set_begin_index"):
            inner.set_begin_index(first)
        self._first = first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def set_timesteps(self, num_inference_steps: int, device: object = None) -> None:
        """Nothing: the way is laid out already, and the pipeline asks again."""

    def noise(self, noise: Any) -> Any:
        """Where the whole way starts."""
        return noise * self._inner.init_noise_sigma

    def noised(self, latents: Any, noise: Any) -> Any:
        """A clean latent with as much noise as belongs to the first step here."""
        return self._inner.add_noise(latents, noise, self.timesteps[:1])

    def place(self, time: Any) -> int:
        """Which step of this stretch is being walked, from 0."""
        if not hasattr(self._inner, "step_index"):
            return int((self.timesteps == time).nonzero()[0])
        index = self._inner.step_index  # None before the first step
        return 0 if index is None else int(index) - self._first

    def walked(self, time: Any) -> int:
        """How many whole steps of this stretch lie behind; some methods ask the model twice in one."""
        return self.place(time) // int(self._inner.order)

    def reached(self, latents: Any, noise: Any, step: int) -> Any:
        """A clean latent with as much noise as is left after a step of this stretch."""
        after = self._first + step + 1
        if after >= len(self._inner.timesteps):
            return latents
        return self._inner.add_noise(latents, noise, self._inner.timesteps[after : after + 1])

    def opened(self, latents: Any) -> Any:
        """A noisy latent from a wire, in this scheduler's own scale."""
        return latents * self._scale(self._first)

    def closed(self, latents: Any) -> Any:
        """A noisy latent as it travels on a wire: of unit variance, so that any method can go on from it."""
        return latents / self.scale

    @property
    def scale(self) -> float:
        """How much larger than unit variance latents are at the current step."""
        index = self._inner.step_index if hasattr(self._inner, "step_index") else None
        return self._scale(self._first if index is None else index)

    def _scale(self, index: int) -> float:
        if not hasattr(
            self._inner, "is_scale_input_called"
        ):  # only the k-diffusion family grows with its noise
            return 1.0
        return float((self._inner.sigmas[index] ** 2 + 1) ** 0.5)
