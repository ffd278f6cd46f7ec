"""A denoiser that hears the prompt of the step, and in each region of the picture that region's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch.nn import functional

from engine.types import Conditioning
from nodes._lib.arrays import array, tensor
from nodes._lib.following import now
from nodes._lib.windows import Sides, Window
from nodes._lib.wraps import Around, own

if TYPE_CHECKING:
    from engine.types import Array


def plain(prompt: Conditioning) -> bool:
    """Whether it is the same everywhere and at every step, so that a pipeline can be given it once."""
    return not prompt.stages and prompt.mask is None and not prompt.also


class Prompted(Around):
    """Answers with what the prompts of this step say, blended by where they apply.

    `sides` are what the rows of a batch stand for: the unwanted, then the wanted; without guidance only that.
    Where the wanted prompts together weigh less than 1 the rest of the answer is the unguided one. A batch of
    one is asked for the wanted alone.
    """

    def __init__(
        self, inner: Any, sides: Sequence[Conditioning], step: Callable[[Any], int], steps: int
    ) -> None:
        super().__init__(inner)
        self.sides = tuple((side, *side.also) for side in sides)
        self.step, self.steps = step, steps
        self.masks: dict[int, torch.Tensor] = {}

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> tuple[Any]:
        here = self.step(time)
        answers: list[torch.Tensor] = []
        for place, (one, side) in enumerate(zip(sample.split(1), self.sides[-len(sample) :], strict=True)):
            ground = answers[0] if answers else None
            answers.append(self.blended(one, time, side, here, own(rest, place, len(sample)), ground))
        return (torch.cat(answers),)

    def blended(
        self,
        sample: torch.Tensor,
        time: Any,
        side: Sequence[Conditioning],
        here: int,
        rest: dict[str, Any],
        ground: torch.Tensor | None,
    ) -> torch.Tensor:
        """One picture's answer; `ground` is what fills up where the prompts do not."""
        if len(side) == 1 and side[0].mask is None:
            return self.answer(sample, time, now(side[0], here, self.steps), rest)
        weights = [self.weight(prompt, sample) for prompt in side]
        total = torch.stack(weights).sum(0)
        found = torch.zeros_like(sample)
        for prompt, weight in zip(side, weights, strict=True):
            share = weight / total.clamp(min=1) if ground is not None else even(weight, total, len(side))
            if share.any():
                found = found + share * self.answer(sample, time, now(prompt, here, self.steps), rest)
        return found if ground is None else found + (1 - total).clamp(min=0) * ground

    def answer(self, sample: Any, time: Any, prompt: Conditioning, rest: dict[str, Any]) -> torch.Tensor:
        words = tensor(prompt.embeds)[None].to(sample)
        added = rest.get("added_cond_kwargs")
        if added and "text_embeds" in added and prompt.pooled is not None:
            pooled = tensor(prompt.pooled)[None].to(added["text_embeds"])
            rest = {**rest, "added_cond_kwargs": {**added, "text_embeds": pooled}}
        found: torch.Tensor = self.inner(sample, time, encoder_hidden_states=words, **rest)[0]
        return found

    def weight(self, prompt: Conditioning, sample: torch.Tensor) -> torch.Tensor:
        """How much a prompt counts in each cell: (1, 1, h, w)."""
        if (known := self.masks.get(id(prompt))) is not None:
            return known
        size = sample.shape[-2:]
        mask = torch.ones(1, 1, *size) if prompt.mask is None else laid_over(prompt.mask, size)
        self.masks[id(prompt)] = (mask * prompt.strength).to(sample)
        return self.masks[id(prompt)]


class Joint(Prompted):
    """The same for a transformer that hears words and sees the picture in one row.

    One that draws in rows of patches is asked for the wanted alone; where it is asked for the unwanted too,
    that comes in a call of its own, with other words.
    """

    def __init__(
        self, inner: Any, sides: Sequence[Conditioning], step: Callable[[Any], int], steps: int, size: Sides
    ) -> None:
        super().__init__(inner, sides, step, steps)
        self.size = size
        self._wanted: Any = None

    def forward(self, **named: Any) -> tuple[Any]:  # type: ignore[override]  # all is told by name here
        sample, here = named["hidden_states"], self.step(named["timestep"])
        sides = self.sides[-len(sample) :]
        if len(sample) == 1:
            self._wanted = named[WORDS] if self._wanted is None else self._wanted
            sides = self.sides[-1:] if named[WORDS] is self._wanted else self.sides[:1]
        answers: list[torch.Tensor] = []
        for place, side in enumerate(sides):
            rest = own(named, place, len(sample))
            ground = answers[0] if answers else None
            answers.append(self.blended(rest["hidden_states"], None, side, here, rest, ground))
        return (torch.cat(answers),)

    def answer(
        self, sample: torch.Tensor, time: Any, prompt: Conditioning, rest: dict[str, Any]
    ) -> torch.Tensor:
        said = {WORDS: tensor(prompt.embeds)[None].to(rest[WORDS])}
        if prompt.pooled is not None:
            said[SUMMED] = tensor(prompt.pooled)[None].to(rest[SUMMED])
        found: torch.Tensor = self.inner(**{**rest, **said})[0]
        return found

    def weight(self, prompt: Conditioning, sample: torch.Tensor) -> torch.Tensor:
        """How much a prompt counts in each cell, or in each patch of two by two: (1, patches, 1)."""
        if sample.ndim == 4:
            return super().weight(prompt, sample)
        if (known := self.masks.get(id(prompt))) is None:
            size = self.size[0] // 2, self.size[1] // 2
            mask = torch.ones(1, 1, *size) if prompt.mask is None else laid_over(prompt.mask, size)
            known = self.masks[id(prompt)] = (mask * prompt.strength).to(sample).reshape(1, -1, 1)
        return known


WORDS, SUMMED = "encoder_hidden_states", "pooled_projections"
"""What transformers call a prompt's words, and its sum."""


def laid_over(mask: Array, size: Sides) -> torch.Tensor:
    """A mask over the cells of a latent: (1, 1, h, w)."""
    found: torch.Tensor = functional.interpolate(tensor(mask)[None, None].float(), size, mode="area")
    return found


def within(prompt: Conditioning, window: Window, size: Sides) -> Conditioning:
    """The prompt as it applies to what a window shows of a latent."""
    mask = None if prompt.mask is None else array(window.of(laid_over(prompt.mask, size)[0, 0]))
    also = tuple(within(other, window, size) for other in prompt.also)
    return msgspec.structs.replace(prompt, mask=mask, also=also)


def even(weight: torch.Tensor, total: torch.Tensor, count: int) -> torch.Tensor:
    """A prompt's share of the whole; the same for all where none applies."""
    return torch.where(total > 0, weight / total.clamp(min=1e-6), torch.full_like(weight, 1 / count))
