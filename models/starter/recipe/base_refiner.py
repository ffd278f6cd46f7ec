"""The refiner in the layout of SDXL's: a shallow denoiser for the last fifth of the steps."""

import re
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from .base_xl import before_last, settings, twin_unet
from .net import Net

TIMES = 5  # numbers told with a picture: its original size, where it is cut, how much it is liked
LAST = 200  # steps that the refiner takes over


class Refiner(Net):
    """A denoiser for little noise, and the encoder of the words it follows: the twin's second, as it is."""

    def __init__(self, text_2: Any, unet: Any) -> None:
        """From the twin's encoder and the base's denoiser."""
        super().__init__()
        self.text_2 = text_2.requires_grad_(False)
        self.unet = twin_unet(shallow_unet(unet), text_2.config.hidden_size, encoders=1, times=TIMES)

    def forward(self, noisy: Tensor, step: Tensor, tokens: Tensor, times: Tensor) -> Tensor:
        """The velocity at a step: (n, 4, h, w)."""
        whole, summary = before_last(self.text_2, tokens)
        told = {"text_embeds": summary.text_embeds, "time_ids": times}
        velocity: Tensor = self.unet(noisy, step, whole, added_cond_kwargs=told).sample
        return velocity


def shallow_unet(unet: Any) -> Any:
    """A denoiser without its coarsest level: at little noise, nothing large is left to decide."""
    config = settings(unet)
    level = len(config["block_out_channels"]) - 1
    lists = ("block_out_channels", "down_block_types", "attention_head_dim")
    less = {name: tuple(config[name][:level]) for name in lists}
    shallow = UNet2DConditionModel(**config | less | {"up_block_types": tuple(config["up_block_types"][1:])})
    old = {_one_up(name): weight for name, weight in unet.state_dict().items()}
    with torch.no_grad():
        for name, weight in shallow.state_dict().items():
            if name in old and not name.startswith("mid_block."):
                _paste(weight, old[name], less["block_out_channels"][-1])
    return shallow


def _one_up(name: str) -> str:
    """The name that a part of the way up has when the lowest is gone."""
    return re.sub(r"^up_blocks\.(\d+)", lambda found: f"up_blocks.{int(found[1]) - 1}", name)


def _paste(weight: Tensor, old: Tensor, skip: int) -> None:
    """Copy what fits; of the first layer on the way up, only what comes by the shortcut."""
    if weight.shape == old.shape:
        weight.copy_(old)
    elif weight.ndim == 1:
        weight[-skip:] = old[-skip:]
    else:
        weight[:, -skip:] = old[:, -skip:]
