"""The autoencoder: its layout, and a start that keeps colours."""

from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

CHANNELS = (16, 48, 96, 128)
GROUPS = 2  # more groups on 16 channels would normalise colour away
_STEADY = 3.0  # of two constant channels, against which GroupNorm keeps absolute colour
_GAIN = 1.5


def new_vae(channels: tuple[int, ...] = CHANNELS) -> Any:
    """An AutoencoderKL in the Stable Diffusion layout: 8 times smaller, 4 latent channels."""
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=GROUPS,
        sample_size=128,
        mid_block_add_attention=False,
    )
    with torch.no_grad():
        keep_colour(vae)
    return vae


def keep_colour(vae: Any) -> None:
    """Start as a mean over 8 x 8 pixels and back: random weights sit at mean grey for a thousand updates."""
    for half in (vae.encoder, vae.decoder):
        blocks = half.down_blocks if half is vae.encoder else half.up_blocks
        for resnet in [*half.mid_block.resnets, *(resnet for block in blocks for resnet in block.resnets)]:
            _quiet(resnet)
        _constants(half.conv_in, 1.0 if half is vae.encoder else 1 / _GAIN)
        _colour_out(half.conv_norm_out, half.conv_out, _GAIN if half is vae.encoder else 1.0)
    for block in vae.encoder.down_blocks:
        if block.downsamplers:
            _carry(block.downsamplers[0].conv, ((0, 0), (0, 1), (1, 0), (1, 1)))
    for block in vae.decoder.up_blocks:
        if block.upsamplers:
            _carry(block.upsamplers[0].conv, ((1, 1),))
    for mixing in (vae.quant_conv, vae.post_quant_conv):
        nn.init.zeros_(mixing.bias)
        mixing.weight.copy_(torch.eye(mixing.weight.shape[0])[:, :, None, None])
    vae.encoder.conv_out.weight[3] *= 10
    vae.encoder.conv_out.weight[4:] *= 0.1
    vae.quant_conv.bias[4:] = -6  # little noise at first, or steps are spent under unit variance


def whiten(vae: Any, pictures: Tensor) -> None:
    """Fold a whitening of the latents into the two 1 x 1 convolutions; the decoded pictures stay the same."""
    with torch.no_grad():
        means = torch.cat([vae.encode(some).latent_dist.mean for some in pictures.split(16)])  # (n, 4, h, w)
        flat = means.permute(1, 0, 2, 3).flatten(1).double()
        middle, spread = flat.mean(1), torch.linalg.cholesky(torch.linalg.inv(torch.cov(flat)))
        forth = spread.T  # forth @ (z - middle) has unit covariance
        back = torch.linalg.inv(forth)
        quant, post = vae.quant_conv, vae.post_quant_conv
        post.bias += (post.weight[:, :, 0, 0].double() @ middle).to(post.bias)
        post.weight[:, :, 0, 0] = (post.weight[:, :, 0, 0].double() @ back).to(post.weight)
        quant.weight[:4, :, 0, 0] = (forth @ quant.weight[:4, :, 0, 0].double()).to(quant.weight)
        quant.bias[:4] = (forth @ (quant.bias[:4].double() - middle)).to(quant.bias)
        # the variance of a mixture is not diagonal; its logarithm moves by the mean scale
        quant.bias[4:] += forth.diagonal().abs().log().mean().to(quant.bias) * 2
    vae.register_to_config(scaling_factor=1.0)


def _quiet(resnet: Any) -> None:
    resnet.conv2.weight *= 0.1
    nn.init.zeros_(resnet.conv2.bias)
    resnet.conv2.weight[:5] = 0
    if resnet.conv_shortcut is not None:
        _carry(resnet.conv_shortcut, ((0, 0),))


def _carry(conv: nn.Conv2d, taps: tuple[tuple[int, int], ...]) -> None:
    """Channels 0 to 4 pass a convolution as the mean of its taps."""
    conv.weight[5:, 3:5] *= 0.1
    conv.weight[:5] = 0
    for channel in range(5):
        for row, column in taps:
            conv.weight[channel, channel, row, column] = 1 / len(taps)
    assert conv.bias is not None
    conv.bias[:5] = 0


def _constants(conv: nn.Conv2d, gain: float) -> None:
    assert conv.bias is not None
    conv.weight[:5] = 0
    conv.bias[:5] = 0
    for channel in range(3):
        conv.weight[channel, channel, 1, 1] = gain
    conv.bias[3], conv.bias[4] = _STEADY, -_STEADY


def _colour_out(norm: nn.GroupNorm, conv: nn.Conv2d, gain: float) -> None:
    """Undo the last normalisation and SiLU for the three colour channels."""
    assert conv.bias is not None
    deviation = (2 * _STEADY**2 / (norm.num_channels / 2)) ** 0.5
    slope = gain * deviation / 1.09  # SiLU at 3 has slope 1.09 and value 2.858
    norm.bias[:3] = 3.0
    conv.weight *= 0.1
    conv.weight[:3, :3] = 0
    for channel in range(3):
        conv.weight[channel, channel, 1, 1] = slope
        conv.bias[channel] = -2.858 * slope
