"""A tiny random model of each family, as its own diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests import tiny

TWINS: dict[str, Callable[[], Any]] = {}
"""What makes each, by family."""


def twin(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def declare(fn: Callable[[], Any]) -> Callable[[], Any]:
        TWINS[name] = fn
        return fn

    return declare


def make(name: str, seed: int = 0) -> Any:
    """A pipeline that is ready to draw, and quiet."""
    torch.manual_seed(seed)
    pipeline = TWINS[name]()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


# -- parts


def vae(channels: int = 4, scaling: float = 0.13025, **options: Any) -> Any:
    """One that stands for 8 pixels in each direction, as most do."""
    return AutoencoderKL(
        block_out_channels=(4,) * 4,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=2,
        latent_channels=channels,
        scaling_factor=scaling,
        sample_size=64,
        **options,
    )


def clip(pooled: bool = False, width: int = 32, act: str = "quick_gelu") -> Any:
    kind = CLIPTextModelWithProjection if pooled else CLIPTextModel
    return kind(
        CLIPTextConfig(
            vocab_size=tiny.WORDS,
            hidden_size=width,
            intermediate_size=37,
            num_hidden_layers=3,
            num_attention_heads=4,
            projection_dim=32,
            hidden_act=act,
            bos_token_id=tiny.WORDS - 2,
            eos_token_id=tiny.WORDS - 1,
            pad_token_id=tiny.WORDS - 1,
        )
    )


def clip_words(**options: Any) -> Any:
    return CLIPTokenizer.from_pretrained(tiny.TOKENIZER, local_files_only=True, **options)


def large_unet(cross: int, numbers: int) -> Any:
    """The UNet of SDXL: words deep inside only, and so many numbers about the picture."""
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=numbers * 8 + 32,
        cross_attention_dim=cross,
        norm_num_groups=8,
    )


def large_controlnet(seed: int) -> Any:
    """One for SDXL, whose outputs are not zero as before training."""
    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(large_unet(64, 6), conditioning_embedding_out_channels=(8, 8, 8, 16))
    for weight in net.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.3)
    return net


def euler(**options: Any) -> Any:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
        timestep_spacing="leading", **options,
    )  # fmt: skip


# -- families


@twin("sd15")
def sd15() -> Any:
    return diffusers.StableDiffusionPipeline(
        vae(scaling=0.18215), clip(), clip_words(), tiny.unet(), euler(), None, None,
        requires_safety_checker=False,
    )  # fmt: skip


@twin("sd2")
def sd2() -> Any:
    unet = UNet2DConditionModel(
        **{**tiny.unet().config, "cross_attention_dim": 1024, "use_linear_projection": True}
    )
    return diffusers.StableDiffusionPipeline(
        vae(scaling=0.18215), clip(width=1024, act="gelu"), clip_words(pad_token="!"), unet,
        euler(prediction_type="v_prediction"), None, None, requires_safety_checker=False,
    )  # fmt: skip


@twin("sdxl")
def sdxl() -> Any:
    return diffusers.StableDiffusionXLPipeline(
        vae(), clip(), clip(pooled=True), clip_words(), clip_words(pad_token="!"), large_unet(64, 6), euler()
    )


@twin("sdxl-refiner")
def refiner() -> Any:
    unet = large_unet(1280, 5)
    return diffusers.StableDiffusionXLImg2ImgPipeline(
        vae(), None, clip(pooled=True, width=1280), None, clip_words(pad_token="!"), unet, euler(),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False,
    )  # fmt: skip
