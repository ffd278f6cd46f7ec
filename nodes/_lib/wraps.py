"""What is put around a denoiser for one run: guides, holes, thrift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from nodes._lib.net import Net
from nodes._lib.rows import Family


class Around(Net):
    """Passes for the denoiser that it is put around; the weights stay where they are."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_modules"]:
            return self.__dict__["_modules"][name]
        return getattr(self.__dict__["_modules"]["inner"], name)


class Halves(Around):
    """Treats the pictures of a batch one after another, for half the memory."""

    def forward(self, *given: Any, **named: Any) -> Any:
        first = given[0] if given else named["hidden_states"]
        count = len(first) if torch.is_tensor(first) else 1
        if count == 1:
            return self.inner(*given, **named)
        parts = (
            self.inner(*(own(one, place, count) for one in given), **own(named, place, count))[0]
            for place in range(count)
        )
        return (torch.cat(list(parts)),)


ACROSS = ("encoder_hidden_states_llama3",)
"""Words of which each layer of their reader tells: pictures lie along their second side."""


def own(value: Any, place: int, count: int) -> Any:
    """What belongs to one picture of a batch, from what belongs to all of it."""
    if isinstance(value, dict):
        return {
            name: part[:, place : place + 1] if name in ACROSS else own(part, place, count)
            for name, part in value.items()
        }
    batched = torch.is_tensor(value) and value.ndim and len(value) == count
    return value[place : place + 1] if batched else value


class Filling(Around):
    """Shows a model that was made to fill holes where the hole is, and what is around it."""

    def __init__(self, inner: Any, mask: Any, hole: Any) -> None:
        super().__init__(inner)
        self.around = torch.cat([mask, hole], 1)  # (1, 1 + channels, h, w)

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> Any:
        around = self.around.expand(len(sample), -1, -1, -1)
        shown = torch.cat([sample, around.to(sample)], 1)
        return self.inner(shown, time, encoder_hidden_states=encoder_hidden_states, **rest)


class Mute(Net):
    """Stands where a part would, whose device, precision or configuration a pipeline asks for."""

    def __init__(self, device: Any, dtype: Any, about: Mapping[str, object]) -> None:
        super().__init__()
        self.device, self.dtype, self.config = device, dtype, SimpleNamespace(**about)


def mutes(family: Family, device: Any, dtype: Any, but: str) -> dict[str, Any]:
    """What stands for parts that a family's pipeline asks, but for the one that is there."""
    return {name: Mute(device, dtype, about) for name, about in family.asked.items() if name != but}


class Guiding(NamedTuple):
    """A guide whose weights are in memory."""

    net: Any
    picture: Any  # (1, 3, height, width), 0 to 1
    strength: float
    start: float
    end: float

    def scale(self, place: int, count: int) -> float:
        """How much it counts at one of so many steps."""
        return self.strength if counts(self.start, self.end, place, count) else 0.0


def counts(start: float, end: float, place: int, count: int) -> bool:
    """Whether one of so many steps lies in a part of them."""
    return place / count >= start and (place + 1) / count <= end


class Guided(Around):
    """Adds what ControlNets see in their pictures."""

    def __init__(
        self, inner: Any, guides: Sequence[Guiding], place: Callable[[Any], int], count: int
    ) -> None:
        super().__init__(inner)
        self.guides, self.place, self.count = tuple(guides), place, count

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> Any:
        here = self.place(time)
        seen = [
            guide.net(
                sample,
                time,
                encoder_hidden_states=encoder_hidden_states,
                controlnet_cond=guide.picture.expand(len(sample), -1, -1, -1),
                conditioning_scale=scale,
                added_cond_kwargs=rest.get("added_cond_kwargs"),
                return_dict=False,
            )
            for guide in self.guides
            if (scale := guide.scale(here, self.count))
        ]
        if seen:
            rest["down_block_additional_residuals"] = [
                sum(level[1:], start=level[0]) for level in zip(*(down for down, _ in seen), strict=True)
            ]
            rest["mid_block_additional_residual"] = sum((mid for _, mid in seen[1:]), start=seen[0][1])
        return self.inner(sample, time, encoder_hidden_states=encoder_hidden_states, **rest)
