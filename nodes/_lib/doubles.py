"""A module's double: the same weights in memory, and settings of its own that no other run sees."""

from __future__ import annotations

import copy
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch.nn import functional

from nodes._lib.turns import at_rest


def double(module: Any) -> Any:
    """A copy of the structure alone: its weights are those of the module, not copies of them."""
    shared = (*module.parameters(), *module.buffers())
    with at_rest(module) as hung:
        found = copy.deepcopy(module, {id(tensor): tensor for tensor in shared})
    hung.hang(found)
    return found


def endless(module: Any, across: bool, down: bool) -> Any:
    """A double whose convolutions look beyond one edge of a picture and see the other."""
    found = double(module)
    for layer in found.modules():
        if isinstance(layer, torch.nn.Conv2d):
            wrap(layer, across, down)
    return found


def wrap(layer: Any, across: bool, down: bool) -> None:
    """Let a convolution pad with what lies on the other side."""
    high, wide = layer.padding
    rest = (0 if down else high, 0 if across else wide)

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        if across and wide:
            x = functional.pad(x, (wide, wide, 0, 0), mode="circular")
        if down and high:
            x = functional.pad(x, (0, 0, high, high), mode="circular")
        return functional.conv2d(x, weight, bias, layer.stride, rest, layer.dilation, layer.groups)

    layer._conv_forward = forward


def perturbed(module: Any) -> Any:
    """A double that sees no other place of the picture in its middle: self-attention is the identity."""
    found = double(module)
    for layer in found.mid_block.modules():
        if isinstance(layer, Attention) and not layer.is_cross_attention:
            layer.processor = Unmoved()
    return found


class Unmoved:
    """Self-attention whose map is the identity: each place keeps its own value (Ahn et al. 2024)."""

    def __call__(self, attn: Any, hidden_states: Any, *_: Any, **__: Any) -> Any:
        kept = attn.to_out[0](attn.to_v(hidden_states))
        return attn.to_out[1](kept)
