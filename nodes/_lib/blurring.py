"""What a denoiser looks at, and the same picture blurred there: for guidance away from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from nodes._lib import doubles
from nodes._lib.windows import Sides, Window
from nodes._lib.wraps import Around

RADIUS, SIGMA = 4, 1.0
"""Cells of the latent that a blur reaches, and its width (Hong et al. 2023)."""


class Watching:
    """Self-attention as usual that also keeps how much each place is looked at, in the first of a batch."""

    def __init__(self) -> None:
        self.usual = AttnProcessor2_0()
        self.looked: Any = None

    def __call__(self, attn: Any, hidden_states: Any, *given: Any, **named: Any) -> Any:
        first = hidden_states[:1]
        query, key = (attn.head_to_batch_dim(layer(first)) for layer in (attn.to_q, attn.to_k))
        self.looked = attn.get_attention_scores(query, key).mean(0).sum(0)  # by each place as much as 1
        return self.usual(attn, hidden_states, *given, **named)


def watching(unet: Any) -> Any:
    """A double that is watched where its middle looks."""
    found = doubles.double(unet)
    middle(found).processor = Watching()
    return found


def middle(unet: Any) -> Any:
    """The first self-attention of a UNet's middle."""
    layers = (layer for layer in unet.mid_block.modules() if isinstance(layer, Attention))
    return next(layer for layer in layers if not layer.is_cross_attention)


class Watched(Around):
    """Remembers where a denoiser looked first since it was asked to forget, in one window."""

    def __init__(self, inner: Any, view: Window) -> None:
        super().__init__(inner)
        self.view = view
        self.eyes = middle(inner).processor
        self.halvings = sum(block.downsamplers is not None for block in inner.down_blocks)
        self.mask: Any = None  # (rows, columns) of the window: 1 where it looks more than on average

    def forget(self) -> None:
        self.mask = None

    def forward(self, sample: Any, *given: Any, **named: Any) -> Any:
        answer = self.inner(sample, *given, **named)
        if self.mask is None:
            height, width = (side - 1 >> self.halvings for side in sample.shape[-2:])
            places = (self.eyes.looked > 1).to(sample).reshape(1, 1, height + 1, width + 1)
            self.mask = functional.interpolate(places, sample.shape[-2:])[0, 0]
        return answer


def where(watched: Sequence[Watched], size: Sides) -> Any:
    """What is looked at in any of the windows: (height, width)."""
    found = torch.zeros(size)
    for one in watched:
        if one.mask is not None:
            rows, columns = one.view.rows[:, None], one.view.columns
            found[rows, columns] = torch.maximum(found[rows, columns], one.mask.float().cpu())
    return found


def blurred(picture: Any) -> Any:
    """A latent out of focus; of one of few cells, as far as there are any."""
    across, down = (2 * min(RADIUS, side - 1) + 1 for side in (picture.shape[-1], picture.shape[-2]))
    return gaussian_blur(picture, [across, down], [SIGMA, SIGMA])
