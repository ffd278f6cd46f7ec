"""Text to video in the layout of AnimateDiff: layers over time between those of the frozen base."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AnimateDiffPipeline, MotionAdapter, StableDiffusionPipeline, UNetMotionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

LONGEST = 16  # frames that the layers over time can tell apart
_HEAD = 16


def new_adapter(unet: Any) -> Any:
    """A MotionAdapter for a base; it starts as doing nothing."""
    given = unet.config
    adapter = MotionAdapter(
        block_out_channels=tuple(given.block_out_channels),
        motion_layers_per_block=given.layers_per_block,
        motion_num_attention_heads=tuple(width // _HEAD for width in given.block_out_channels),
        motion_norm_num_groups=given.norm_num_groups,
        motion_max_seq_length=LONGEST,
        use_motion_mid_block=False,
    )
    for module in motion_modules(adapter):
        nn.init.zeros_(module.proj_out.weight)
        nn.init.zeros_(module.proj_out.bias)
    return adapter


def animated(unet: Any, adapter: Any) -> Any:
    """The base's denoiser, frozen, with the very layers of an adapter in it, so that they can be taught."""
    model = UNetMotionModel.from_unet2d(unet, adapter)
    for weight in model.parameters():
        weight.requires_grad_(False)
    for side in ("down_blocks", "up_blocks"):
        for block, given in zip(getattr(model, side), getattr(adapter, side), strict=True):
            block.motion_modules = given.motion_modules
    # the fused attention of the processor is slow backwards on 14 tokens
    model.set_attn_processor(AttnProcessor())
    return model.train()


def motion_modules(adapter: Any) -> list[Any]:
    """All layers over time of an adapter."""
    blocks = [*adapter.down_blocks, *adapter.up_blocks]
    return [module for block in blocks for module in block.motion_modules]


def load_base(folder: Path) -> Any:
    """The base's pipeline, in full precision."""
    return StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)


def pipeline(base: Any, adapter: Any) -> Any:
    """The base's parts and an adapter as a pipeline."""
    filming = AnimateDiffPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=base.unet,
        motion_adapter=adapter,
        scheduler=base.scheduler,
    )
    filming.set_progress_bar_config(disable=True)
    return filming
