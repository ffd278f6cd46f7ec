"""Image to video in the layout of Stable Video Diffusion: its parts, and starts that copy the first frame."""

from typing import Any

import torch
import torch.nn.functional as functional
from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from .clips import FRAMES
from .net import Net

CHANNELS = (64, 64, 64)  # every GroupNorm of this layout has 32 groups
EYE_SIZE = 224  # of the picture that the pipeline shows to the image encoder
SIGMAS = (0.002, 700.0)
_EYE_WIDTH = 48
_CONDITION = 64  # width of the embedded picture
_IDS = 32  # width of each embedded number: frames a second, motion bucket, noise on the picture
_CARRIER = 3.0  # of noise to signal in the channels that are copied
_COPIED, _NOISED = 0.85, 0.35  # of the first frame and of the noise; which of them when is soon learnt
_FAINT = 0.15  # how strong they pass the last SiLU: near 0 it is a line, of slope 1/2


class Film(Net):
    """What is trained: the denoiser, and the encoder of the picture it starts from."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = new_unet()
        # the fused attention of the processor is slow backwards on 14 tokens
        self.unet.set_attn_processor(AttnProcessor())
        self.eye = new_eye()

    def forward(self, noisy: Tensor, step: Tensor, first: Tensor, picture: Tensor, ids: Tensor) -> Tensor:
        """The velocity of (n, frames, 4, h, w); `first` is the latent of the first frame, or zeros."""
        seen = self.eye(picture).image_embeds[:, None]
        told = first.flatten(1).any(1).to(seen)  # guidance wants to know what comes without the picture
        given = torch.cat([noisy, first[:, None].expand(-1, noisy.shape[1], -1, -1, -1)], 2)
        velocity: Tensor = self.unet(given, step, seen * told[:, None, None], ids).sample
        return velocity


def new_unet() -> Any:
    """A UNetSpatioTemporalConditionModel with attention on 8 x 8 and in the middle."""
    unet = UNetSpatioTemporalConditionModel(
        sample_size=16,
        in_channels=8,
        out_channels=4,
        down_block_types=(
            "DownBlockSpatioTemporal",
            "CrossAttnDownBlockSpatioTemporal",
            "DownBlockSpatioTemporal",
        ),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"),
        block_out_channels=CHANNELS,
        addition_time_embed_dim=_IDS,
        projection_class_embeddings_input_dim=3 * _IDS,
        layers_per_block=1,
        cross_attention_dim=_CONDITION,
        num_attention_heads=tuple(width // 32 for width in CHANNELS),
        num_frames=FRAMES,
    )
    with torch.no_grad():
        keep_first(unet)
    return unet


def keep_first(unet: Any) -> None:
    """Start by copying the first frame where there is much noise, and by taking off noise where it is low.

    With 32 groups on 64 channels a GroupNorm leaves no trace of the mean of a channel, and with it goes the
    colour of a frame. So the first frame travels in pairs of channels, noise + signal and noise - signal: the
    noise, as strong in every frame, dominates the norm, and the difference of the pair is the signal. The
    noise travels in pairs too, as what differs from the first frame: the norm brings it to full strength.
    """
    size = unet.config.out_channels
    begin, last, end = unet.conv_in, unet.up_blocks[-1].resnets[-1], unet.conv_out
    used = 4 * size
    begin.weight[:used] = 0
    begin.bias[:used] = 0
    spatial, temporal = last.spatial_res_block, last.temporal_res_block
    for conv in (spatial.conv_shortcut, spatial.conv2, temporal.conv2):
        conv.weight[:used] = 0
        conv.bias[:used] = 0
    for place in range(used):
        spatial.conv_shortcut.weight[place, begin.out_channels + place, 0, 0] = 1
    unet.conv_norm_out.weight[:used] = _FAINT
    end.weight *= 0.1
    end.weight[:, :used] = 0
    end.bias.zero_()
    gain = (_CARRIER**2 + 1) ** 0.5 / _FAINT
    for channel in range(size):
        for side, sign in ((0, 1), (1, -1)):
            copied, noisy = 2 * channel + side, 2 * (size + channel) + side
            begin.weight[copied, channel, 1, 1] = _CARRIER
            begin.weight[copied, channel + size, 1, 1] = sign
            end.weight[channel, copied, 1, 1] = -sign * gain * _COPIED
            begin.weight[noisy, channel, 1, 1] = sign
            begin.weight[noisy, channel + size, 1, 1] = -sign
            end.weight[channel, noisy, 1, 1] = sign * _NOISED / _FAINT


def new_eye() -> Any:
    """A small CLIPVisionModelWithProjection."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=_EYE_WIDTH,
            intermediate_size=2 * _EYE_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=EYE_SIZE,
            patch_size=32,
            projection_dim=_CONDITION,
        )
    )


def glance(pictures: Tensor) -> Tensor:
    """Pictures (n, 3, h, w), -1 to 1, as the pipeline shows them to the image encoder."""
    return functional.interpolate(pictures, (EYE_SIZE, EYE_SIZE), mode="bicubic", align_corners=True)


def processor() -> Any:
    """What the pipeline prepares pictures with: plain -1 to 1."""
    size = {"height": EYE_SIZE, "width": EYE_SIZE}
    return CLIPImageProcessor(
        size={"shortest_edge": EYE_SIZE}, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def scheduler() -> Any:
    """The sampler, as Stable Video Diffusion ships it."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        interpolation_type="linear",
        use_karras_sigmas=True,
        sigma_min=SIGMAS[0],
        sigma_max=SIGMAS[1],
        timestep_spacing="leading",
        timestep_type="continuous",
        steps_offset=1,
    )


def pipeline(film: Film, vae: Any) -> Any:
    """The parts as a pipeline."""
    filming = StableVideoDiffusionPipeline(
        vae=vae.eval(),
        image_encoder=film.eye.eval(),
        unet=film.unet.eval(),
        scheduler=scheduler(),
        feature_extractor=processor(),
    )
    filming.set_progress_bar_config(disable=True)
    return filming
