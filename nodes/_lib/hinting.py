"""What T2I-Adapters make of their pictures, added to what a UNet sees on its way down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from engine.errors import BadInput
from nodes._lib.wraps import Around, Guiding


class Hinted(Around):
    """Adds what T2I-Adapters see in their pictures, which is the same at every step."""

    def __init__(
        self, inner: Any, guides: Sequence[Guiding], place: Callable[[Any], int], count: int
    ) -> None:
        super().__init__(inner)
        self.place, self.count = place, count
        with torch.no_grad():
            self.hints = [(guide, levels(guide)) for guide in guides]

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> Any:
        here = self.place(time)
        seen = [
            [scale * level for level in found]
            for guide, found in self.hints
            if (scale := guide.scale(here, self.count))
        ]
        if seen:
            sums = (sum(level[1:], start=level[0]) for level in zip(*seen, strict=True))
            every = [level.expand(len(sample), -1, -1, -1) for level in sums]
            rest["down_intrablock_additional_residuals"] = every
        return self.inner(sample, time, encoder_hidden_states=encoder_hidden_states, **rest)


def levels(guide: Guiding) -> list[torch.Tensor]:
    """What an adapter says at each scale, from fine to coarse."""
    height, width = guide.picture.shape[-2:]
    cell = guide.net.downscale_factor
    if height % cell or width % cell:
        raise BadInput(
            "guides",
            got=f"a T2I-Adapter for a picture, or a window, of {width} × {height}",
            want=f"sides that are multiples of {cell}, as the adapter needs them",
        )
    found: list[torch.Tensor] = guide.net(guide.picture)
    return found


def check_levels(name: str, net: Any, unet: Any) -> None:
    """Raise BadInput for an adapter that was made for another UNet."""
    made, wanted = list(net.config.channels), list(unet.config.block_out_channels)
    if net.config.adapter_type == "light_adapter":
        made.append(made[-1])
    if made not in (wanted, [*wanted, wanted[-1]]):  # those for SDXL have one more, for its middle
        raise BadInput(
            "guides",
            got=f"the T2I-Adapter {name!r} for {', '.join(map(str, made))} channels",
            want=f"{', '.join(map(str, wanted))} channels, as the model has them",
            remedy="Use a T2I-Adapter that was made for this model.",
        )
