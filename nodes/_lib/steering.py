"""Guidance in other ways than the pipeline's: in a part of the steps, rescaled, away from worse answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from nodes._lib.blurring import Watched, blurred, where
from nodes._lib.wraps import Around, counts, own


class Steering(NamedTuple):
    """How the answers with and without the prompt are put together."""

    scale: float
    """How far to go beyond the unwanted, as the pipeline is told."""
    rescale: float = 0.0
    start: float = 0.0
    end: float = 1.0
    """The part of the steps that is guided at all."""
    perturbation: float = 0.0
    """How far to go away from what is seen without self-attention."""
    blur: float = 0.0
    """How far to go away from what is seen with what it looks at blurred."""
    projection: tuple[float, float, float] | None = None
    """How much counts that lies along the answer itself, the largest norm, the momentum."""


class Level(NamedTuple):
    """How much of a noisy latent is picture and how much noise, and what a denoiser says of it."""

    signal: float
    noise: float
    prediction: str

    def clean(self, sample: Any, answer: Any) -> Any:
        """The picture that an answer means."""
        if self.prediction == "epsilon":
            return (sample - self.noise * answer) / self.signal
        return answer if self.prediction == "sample" else self.signal * sample - self.noise * answer

    def answer(self, sample: Any, clean: Any) -> Any:
        """The answer that means a picture."""
        if self.prediction == "epsilon":
            return (sample - self.signal * clean) / self.noise
        return clean if self.prediction == "sample" else (self.signal * sample - clean) / self.noise


class Steered(Around):
    """Puts answers together before the pipeline does, which then finds the same twice and leaves it as it is.

    A pipeline computes unwanted + scale × (wanted - unwanted); of two equal answers that is the answer, to
    the bit.
    """

    def __init__(
        self,
        inner: Any,
        how: Steering,
        step: Callable[[Any], int],
        steps: int,
        level: Callable[[Any], Level],
        perturbed: Any = None,
        watched: Sequence[Watched] = (),
        ground: Any = None,
    ) -> None:
        super().__init__(inner)
        self.how, self.step, self.steps, self.level = how, step, steps, level
        self.perturbed = perturbed
        self.watched, self.ground = tuple(watched), ground
        self.momentum = MomentumBuffer(how.projection[2]) if how.projection else None

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> tuple[Any]:
        last = len(sample) - 1
        words = {"encoder_hidden_states": encoder_hidden_states, **rest}
        alone = own(words, last, len(sample))
        guided = last and self.applies(self.step(time))
        for one in self.watched:
            one.forget()
        if guided:
            answers = self.inner(sample, time, **words)[0]
            unwanted, wanted = answers.chunk(2)
            found = self.together(sample[last:], time, unwanted, wanted)
        else:
            found = wanted = self.inner(sample[last:], time, **alone)[0]
        if self.how.perturbation:
            blind = self.perturbed(sample[last:], time, **alone)[0]
            found = found + self.how.perturbation * (wanted - blind)
        if self.how.blur:
            base, inner, row = (unwanted, self.ground, 0) if guided else (wanted, self.inner, last)
            dim = inner(self.dimmed(sample[row:][:1], time, base), time, **own(words, row, len(sample)))[0]
            found = found + self.how.blur * (base - dim)
        if guided and self.how.rescale:
            found = rescale_noise_cfg(found, wanted, guidance_rescale=self.how.rescale)
        return (torch.cat([found] * len(sample)),)

    def applies(self, step: int) -> bool:
        return counts(self.how.start, self.how.end, step, self.steps)

    def dimmed(self, sample: Any, time: Any, answer: Any) -> Any:
        """What was shown, with what is looked at out of focus, and the same noise."""
        level = self.level(time)
        clean = level.clean(sample, answer)
        mask = where(self.watched, sample.shape[-2:]).to(sample)
        return sample + level.signal * mask * (blurred(clean) - clean)

    def together(self, sample: Any, time: Any, unwanted: Any, wanted: Any) -> Any:
        if self.how.projection is None:
            return unwanted + self.how.scale * (wanted - unwanted)
        level, (along, largest, _) = self.level(time), self.how.projection
        clean = [level.clean(sample, answer) for answer in (wanted, unwanted)]
        found = normalized_guidance(*clean, self.how.scale, self.momentum, along, largest)
        return level.answer(sample, found)
