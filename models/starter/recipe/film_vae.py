"""The temporal autoencoder of Stable Video Diffusion: the base's latents, and a start as small copies."""

from typing import Any

import torch
from diffusers import AutoencoderKLTemporalDecoder
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn

WIDTH = 64
_COLOURS = 3
_PAIRS = 2 * _COLOURS
_STEADY = 1.0  # of a constant channel, from which the rims of convolutions make a pattern
_RIM = 17.0  # strength of that pattern beside colours of -1 to 1
_FAINT = 0.05  # how strong the pairs pass the last SiLU: near 0 it is a line, of slope 1/2


def new_film_vae() -> Any:
    """An AutoencoderKLTemporalDecoder, 8 times smaller, whose latents need no scale."""
    return AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4,
        block_out_channels=(WIDTH,) * 4,
        layers_per_block=1,
        latent_channels=4,
        sample_size=128,
        scaling_factor=1.0,
        force_upcast=False,
    )


def keep_colour(vae: Any, pictures: Tensor, latents: Tensor) -> None:
    """Start as the best linear guess, from the mean colour of 8 x 8 pixels to latents and back.

    With 32 groups on 64 channels a GroupNorm leaves no trace of the mean of a channel, so colours would be
    lost before either last convolution. So each colour travels as a pair, pattern + colour and pattern -
    colour: the pattern, which zero padding makes at the rim and which is far stronger than any colour,
    dominates the norm, and the difference of the pair is the colour.
    """
    small = nn.functional.avg_pool2d(pictures, 8)
    with torch.no_grad():
        _quiet(vae)
        _encode_linearly(vae, *_fit(small, latents))
        _decode_linearly(vae, *_fit(latents, small))


def spatial_only(vae: Any) -> None:
    """Leave the layers over time out, for as long as they are not taught: they cost a third of a copy."""
    for block in _blocks(vae):
        block.forward = _spatial(block)


def through_time(vae: Any) -> None:
    """Take the layers over time back in."""
    for block in _blocks(vae):
        block.__dict__.pop("forward", None)


def _blocks(vae: Any) -> list[Any]:
    return [part for part in vae.decoder.modules() if isinstance(part, SpatioTemporalResBlock)]


def _spatial(block: Any) -> Any:
    def forward(hidden: Tensor, temb: Tensor | None = None, image_only_indicator: object = None) -> Tensor:
        answer: Tensor = block.spatial_res_block(hidden, temb)
        return answer

    return forward


def _fit(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The linear map (wanted, given) and offset from one picture to another, by least squares."""
    x = given.permute(0, 2, 3, 1).flatten(0, 2).double()
    y = wanted.permute(0, 2, 3, 1).flatten(0, 2).double()
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    found = torch.linalg.lstsq(torch.cat([x, ones], 1), y).solution.float()
    return found[:-1].T, found[-1]


def _quiet(vae: Any) -> None:
    """Residual branches that leave the colours alone, and layers over time that start as nothing."""
    for part in vae.modules():
        if isinstance(part, SpatioTemporalResBlock):
            nn.init.zeros_(part.temporal_res_block.conv2.weight)
            nn.init.zeros_(part.temporal_res_block.conv2.bias)
        elif type(part).__name__ == "ResnetBlock2D":
            part.conv2.weight *= 0.3
            part.conv2.weight[: _PAIRS + 1] = 0
            nn.init.zeros_(part.conv2.bias)
        elif type(part).__name__ == "Attention":
            part.to_out[0].weight *= 0.3
            part.to_out[0].weight[: _PAIRS + 1] = 0
            nn.init.zeros_(part.to_out[0].bias)
    for conv in (vae.encoder.conv_out, vae.decoder.conv_out):
        conv.weight *= 0.1
        conv.weight[:, :_PAIRS] = 0
        nn.init.zeros_(conv.bias)


def _encode_linearly(vae: Any, matrix: Tensor, offset: Tensor) -> None:
    """Colours in channels 0 to 2 and a constant in the next, to pairs at the last halving, to latents."""
    encoder = vae.encoder
    _clear(encoder.conv_in, _PAIRS + 1)
    for colour in range(_COLOURS):
        encoder.conv_in.weight[colour, colour, 1, 1] = 1
    encoder.conv_in.bias[_COLOURS] = _STEADY
    *early, last = (block.downsamplers[0].conv for block in encoder.down_blocks if block.downsamplers)
    for conv in early:
        _clear(conv, _PAIRS + 1)
        for colour in range(_COLOURS):
            conv.weight[colour, colour, :2, :2] = 0.25
        conv.weight[_COLOURS, _COLOURS, 0, 0] = 1
    _clear(last, _PAIRS + 1)
    for colour in range(_COLOURS):
        for side, sign in ((0, 1), (1, -1)):
            last.weight[2 * colour + side, colour, :2, :2] = 0.25 * sign
            # the lower right tap falls off the picture along two of its sides
            last.weight[2 * colour + side, _COLOURS, 2, 2] = _RIM
    gain = _pair_out(encoder.conv_norm_out, (1 - (15 / 16) ** 2) * (15 / 16) ** 2)
    for latent in range(len(matrix)):
        for colour in range(_COLOURS):
            encoder.conv_out.weight[latent, 2 * colour, 1, 1] = gain * matrix[latent, colour]
            encoder.conv_out.weight[latent, 2 * colour + 1, 1, 1] = -gain * matrix[latent, colour]
        encoder.conv_out.bias[latent] = offset[latent]
    quant = vae.quant_conv
    quant.weight.copy_(torch.eye(quant.weight.shape[0])[:, :, None, None])
    nn.init.zeros_(quant.bias)
    quant.bias[len(matrix) :] = -6


def _decode_linearly(vae: Any, matrix: Tensor, offset: Tensor) -> None:
    """Latents to colours and a constant at once, to pairs at the last doubling, to the picture."""
    decoder = vae.decoder
    _clear(decoder.conv_in, _PAIRS + 1)
    decoder.conv_in.weight[:_COLOURS, :, 1, 1] = matrix
    decoder.conv_in.bias[:_COLOURS] = offset
    decoder.conv_in.bias[_COLOURS] = _STEADY
    *early, last = (block.upsamplers[0].conv for block in decoder.up_blocks if block.upsamplers)
    for conv in early:
        _clear(conv, _PAIRS + 1)
        for channel in range(_COLOURS + 1):
            conv.weight[channel, channel, 1, 1] = 1
    _clear(last, _PAIRS + 1)
    for colour in range(_COLOURS):
        for side, sign in ((0, 1), (1, -1)):
            last.weight[2 * colour + side, colour, 1, 1] = sign
            last.weight[2 * colour + side, _COLOURS] = _RIM / 3
    gain = _pair_out(decoder.conv_norm_out, 4 * 127 / 128**2)
    for colour in range(_COLOURS):
        decoder.conv_out.weight[colour, 2 * colour, 1, 1] = gain
        decoder.conv_out.weight[colour, 2 * colour + 1, 1, 1] = -gain
    nn.init.zeros_(decoder.time_conv_out.weight)
    nn.init.zeros_(decoder.time_conv_out.bias)
    for colour in range(_COLOURS):
        decoder.time_conv_out.weight[colour, colour, 1, 0, 0] = 1


def _pair_out(norm: nn.GroupNorm, rim: float) -> float:
    """Send pairs through SiLU where it is a line; what their difference is to be multiplied with."""
    nn.init.constant_(norm.weight[:_PAIRS], _FAINT)
    return float((_RIM**2 * rim + 0.35) ** 0.5 / _FAINT)  # 0.35: a colour's mean square


def _clear(conv: nn.Conv2d, channels: int) -> None:
    assert conv.bias is not None
    conv.weight[:channels] = 0
    conv.bias[:channels] = 0
