"""Which scheduler walks from noise to picture, and which part of the way."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from engine.errors import BadInput
from nodes._lib.recognising import FLOW, prediction
from nodes._lib.steering import Level

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

FLOWING = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
FLOWS: dict[str, Method] = {
    "euler": Method("FlowMatchEulerDiscreteScheduler"),
    "heun": Method("FlowMatchHeunDiscreteScheduler"),
    "dpm++ 2m": Method(MULTI, {**METHODS["dpm++ 2m"].options, **FLOWING}),
    "dpm++ 2m sde": Method(MULTI, {**METHODS["dpm++ 2m sde"].options, **FLOWING}),
    "dpm++ 3m": Method(MULTI, {**METHODS["dpm++ 3m"].options, **FLOWING}),
    "unipc": Method("UniPCMultistepScheduler", FLOWING),
    "lcm": Method("FlowMatchLCMScheduler"),
}
"""The same ways for models that were taught by flow matching."""

SPACINGS: dict[str, Mapping[str, Any]] = {
    "model": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "leading": {"timestep_spacing": "leading"},
    "linspace": {"timestep_spacing": "linspace"},
    "trailing": {"timestep_spacing": "trailing"},
}
KARRAS = SPACINGS["karras"]


def scheduler(config: Mapping[str, Any], method: str, spacing: str = "model", mu: float | None = None) -> Any:
    """A fresh scheduler for a model with this configuration; `mu` shifts its steps towards the noise."""
    methods = methods_for(prediction(dict(config)))
    check_method(method, prediction(dict(config)))
    options = SPACINGS[spacing]
    if not takes(methods[method], options):
        others = ", ".join(repr(name) for name, way in methods.items() if takes(way, options))
        raise BadInput(
            "spacing",
            got=spacing,
            want=f"one that the method {method!r} has",
            remedy=f"Use 'model', or one of the methods {others}." if others else "Use 'model'.",
        )
    if SHIFT in config:
        return shifted(config, method, options)
    found = {**config, **(flowing(config, methods[method], mu) if methods is FLOWS else {})}
    return kind_of(methods[method]).from_config(found, **{**methods[method].options, **options})


SHIFT = "snr_shift_scale"
"""Says of a model's schedule that all of it lies further towards the noise."""


def shifted(config: Mapping[str, Any], method: str, options: Mapping[str, Any]) -> Any:
    """A scheduler for such a model: of its own kind, or any other that is told how much noise there is."""
    import diffusers

    own = diffusers.CogVideoXDDIMScheduler.from_config(dict(config), **options)
    if method == "ddim":
        return own
    share = own.alphas_cumprod
    betas = 1 - share / torch.cat([share.new_ones(1), share[:-1]])
    found = {**config, "trained_betas": betas.tolist()}
    return kind_of(METHODS[method]).from_config(found, **{**METHODS[method].options, **options})


def given(config: Mapping[str, Any], method: str, sigmas: Sequence[float]) -> Any:
    """A fresh scheduler whose steps are those of a schedule.

    It computes Karras's steps in one method of its own; that gives ours instead, and all that the scheduler
    makes of them stays its own.
    """
    way = METHODS[method]
    if prediction(dict(config)) == FLOW or not (takes(way, KARRAS) or method == "euler ancestral"):
        able = ", ".join(repr(name) for name, one in METHODS.items() if takes(one, KARRAS))
        raise BadInput(
            "schedule",
            got=f"a schedule for {method!r}",
            want="a method that walks any steps, and a model that was taught with noise",
            remedy=f"Use one of {able}, 'euler ancestral', or `spacing`.",
        )
    wanted = np.array(sigmas, np.float64)
    if takes(way, KARRAS):
        found = scheduler(config, method, "karras")
        found._convert_to_karras = lambda *_, **__: wanted
        return found
    found = scheduler(config, method)
    found.set_timesteps = functools.partial(walk_by, found, wanted)
    return found


def walk_by(inner: Any, sigmas: Any, num_inference_steps: int, device: Any = None) -> None:
    """Set the steps of a scheduler that has no other spacing than its own."""
    type(inner).set_timesteps(inner, num_inference_steps, device=device)
    share = inner.alphas_cumprod.double()
    levels = ((1 - share) / share).log().numpy() / 2
    times = np.interp(np.log(sigmas), levels, np.arange(len(levels)))
    inner.timesteps = torch.from_numpy(times.astype(np.float32)).to(device)
    inner.sigmas = torch.from_numpy(np.append(sigmas, 0).astype(np.float32))


def methods_for(prediction: str) -> Mapping[str, Method]:
    return FLOWS if prediction == FLOW else METHODS


def check_method(method: str, prediction: str) -> None:
    """Raise BadInput for a way that a model cannot be walked."""
    if method not in methods_for(prediction):
        raise BadInput(
            "method",
            got=method,
            want="a method for models that were taught by flow matching",
            remedy=f"Use one of {', '.join(map(repr, methods_for(prediction)))}.",
        )


def flowing(config: Mapping[str, Any], method: Method, mu: float | None) -> dict[str, Any]:
    """The shift of a flow model, by the names that this scheduler has for it."""
    if "sigmas" in inspect.signature(kind_of(method).set_timesteps).parameters:
        shift = float(config.get("shift", config.get("flow_shift", 1.0)))
        return {"shift": shift, "flow_shift": shift}
    shift = math.exp(mu) if mu is not None else float(config.get("shift", config.get("flow_shift", 1.0)))
    return {"shift": shift, "flow_shift": shift, "use_dynamic_shifting": False}


def takes(method: Method, options: Mapping[str, Any]) -> bool:
    accepted = inspect.signature(kind_of(method).__init__).parameters
    return all(option in accepted for option in options)


def kind_of(method: Method) -> Any:
    import diffusers

    return getattr(diffusers, method.scheduler)


Asked = Mapping[str, Any]
"""What a pipeline wants of a scheduler's `set_timesteps`: how many, perhaps which noise and which shift."""


class Told(Exception):
    """A pipeline has said how it wants the steps laid out; nothing more is wanted of it."""


class StandIn:
    """In a scheduler's place before a pipeline, which looks at what the steps may be told."""

    init_noise_sigma = 1.0

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property  # type: ignore[misc]  # pipelines ask what kind it is
    def __class__(self) -> type:
        return type(self._inner)

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: object = None,
        timesteps: object = None,
        sigmas: object = None,
        mu: float | None = None,
    ) -> None:
        """Only hear it."""
        given = {
            "num_inference_steps": num_inference_steps,
            "timesteps": timesteps,
            "sigmas": sigmas,
            "mu": mu,
        }
        self.heard({name: value for name, value in given.items() if value is not None})

    def heard(self, asked: Asked) -> None:
        """Nothing: the way is laid out already, and the pipeline asks again."""


class Listener(StandIn):
    """Stands in for a scheduler until a pipeline has laid out its steps, each family in its way."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        import diffusers

        super().__init__(getattr(diffusers, str(config["_class_name"])).from_config(dict(config)))
        self.asked: Asked = {}

    def heard(self, asked: Asked) -> None:
        """Keep what is said, and end the pipeline's call."""
        self.asked = asked
        raise Told


def lay_out(inner: Any, asked: Asked, steps: int, device: str) -> None:
    """Let a scheduler set its steps as a pipeline wants them, as far as it can be told."""
    accepted = inspect.signature(inner.set_timesteps).parameters
    said = {name: value for name, value in asked.items() if name in accepted}
    if "mu" in said and not inner.config.get("use_dynamic_shifting"):
        del said["mu"]
    if not {"sigmas", "timesteps"} & set(said):
        said["num_inference_steps"] = steps
    try:
        inner.set_timesteps(device=device, **said)
    except ValueError as error:
        raise BadInput(
            "steps", got=steps, want="a number that this method allows", remedy=str(error)
        ) from None


class Arrived(Exception):
    """The last step is walked, of a pipeline that would go on."""

    def __init__(self, latents: Any) -> None:
        super().__init__()
        self.latents = latents


class Stretch(StandIn):
    """A scheduler that walks only the steps from `begin` to `end`, over latents that are noised already."""

    def __init__(
        self, inner: Any, steps: int, begin: int, end: int, device: str, asked: Asked | None = None
    ) -> None:
        super().__init__(inner)
        lay_out(inner, asked or {}, steps, device)
        first, last = begin * inner.order, end * inner.order if end < steps else None
        self.timesteps = inner.timesteps[first:last]
        if hasattr(inner, "set_begin_index"):
            inner.set_begin_index(first)
        self._first = first
        self.step = self._watched(inner.step)
        self.after: Callable[[Any, int], Any] = lambda latents, step: latents
        """What is done with the latents after each step, which is counted from 0."""
        self.ends = False
        """Stops the pipeline after the last step."""
        self.foreseen: Any = None
        """The latents of the finished picture as the denoiser foresees them; None where that is unknown."""
        self._walked = 0

    def _watched(self, inner: Any) -> Any:
        """The step of the scheduler, with what comes after it; pipelines look at its parameters."""

        @functools.wraps(inner)
        def step(*args: Any, **options: Any) -> Any:
            self.foreseen = self._foresee(*args[:3]) if len(args) >= 3 else None
            found = inner(*args, **options)
            latents = self.after(found[0], self._walked)
            self._walked += 1
            if self.ends and self._walked == len(self.timesteps):
                raise Arrived(latents)
            if isinstance(found, tuple):
                return (latents, *found[1:])
            found.prev_sample = latents
            return found

        return step

    def scale_model_input(self, sample: Any, timestep: Any = None) -> Any:
        """As the scheduler scales it; those of flow matching do not, but some pipelines ask all the same."""
        own = getattr(self._inner, "scale_model_input", None)
        return sample if own is None else own(sample, timestep)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Nothing: the way begins where it was laid out to begin."""

    def noise(self, noise: Any) -> Any:
        """Where the whole way starts."""
        return noise * getattr(self._inner, "init_noise_sigma", 1.0)

    def noised(self, latents: Any, noise: Any) -> Any:
        """A clean latent with as much noise as belongs to the first step here."""
        return self._mixed(latents, noise, self.timesteps[:1])

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
        return self._mixed(latents, noise, self._inner.timesteps[after : after + 1])

    def _mixed(self, latents: Any, noise: Any, time: Any) -> Any:
        if hasattr(self._inner, "scale_noise"):  # flow matching goes in a straight line between the two
            return self._inner.scale_noise(latents, time, noise)
        return self._inner.add_noise(latents, noise, time)

    def level(self, time: Any) -> Level:
        """How much of a latent is picture at a time, and how much noise."""
        share = float(self._inner.alphas_cumprod[round(float(time))])
        return Level(share**0.5, (1 - share) ** 0.5, self._inner.config.prediction_type)

    def _foresee(self, answer: Any, time: Any, latents: Any) -> Any:
        """What the denoiser takes the picture for; what methods do with noise afterwards is not in it."""
        inner = self._inner
        if inner.config.get("prediction_type") == FLOW or not hasattr(inner, "alphas_cumprod"):
            if not hasattr(inner, "sigmas"):
                return None
            index = self._first if inner.step_index is None else inner.step_index
            return latents - float(inner.sigmas[index]) * answer  # flow matching answers with the way there
        return self.level(time).clean(latents / self.scale, answer)

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
