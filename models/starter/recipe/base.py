"""The text-to-image model: text encoder, denoiser and noise schedule."""

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from .net import Net

CHANNELS = (48, 96, 128)
WIDTH = 128  # of a text token
STEPS = 1000
SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
}


class Base(Net):
    """A denoiser and the encoder of the words it follows, trained together."""

    def __init__(self, vocabulary: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.text = new_text(vocabulary)
        self.unet = new_unet(channels)

    def forward(self, noisy: Tensor, step: Tensor, tokens: Tensor) -> Tensor:
        """The velocity at a step: (n, 4, h, w)."""
        words = self.text(tokens).last_hidden_state
        velocity: Tensor = self.unet(noisy, step, words).sample
        return velocity


def new_text(vocabulary: int) -> Any:
    """A CLIP text encoder in the transformers layout."""
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=77,
            projection_dim=WIDTH,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )
    nn.init.normal_(encoder.get_input_embeddings().weight, std=0.05)
    return encoder


def new_unet(channels: tuple[int, ...] = CHANNELS) -> Any:
    """A UNet2DConditionModel; the widest attention works on 16 x 16 latents."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=tuple(max(1, width // 32) for width in channels),  # the number of heads
        norm_num_groups=16,
    )


def scheduler() -> Any:
    """The sampler the pipeline ships with."""
    return DDIMScheduler(**SCHEDULE)


def kept() -> Tensor:
    """How much of the signal is left at each of the 1000 steps: the cumulative alphas."""
    betas = torch.linspace(SCHEDULE["beta_start"] ** 0.5, SCHEDULE["beta_end"] ** 0.5, STEPS) ** 2
    return torch.cumprod(1 - betas, 0)
