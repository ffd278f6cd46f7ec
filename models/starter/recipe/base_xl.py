"""The twin in the layout of SDXL: two text encoders, and sizes among the conditions.

Both encoders are the base's and stay as they are; the denoiser starts as the base's. SDXL gives its denoiser
the layer before the last, without the final normalisation that the base reads. `whole_text` has that
normalisation as a layer, so that the twin starts with the very pictures of the base.
"""

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from .net import Net

TIMES = 6  # numbers told with a picture: its original size, where it is cut, the size it is shown at
_TIME_WIDTH = 32
_EARLY = 2.0**-5  # the base's unnormalised words are thirty times as large as its normalised ones
_QUIET, _LOUD = 2.0**-10, 4.0


class Twin(Net):
    """A denoiser, and the two encoders of the words it follows."""

    def __init__(self, text: Any, unet: Any) -> None:
        """From the base's encoder and denoiser."""
        super().__init__()
        self.text, self.text_2 = early_text(text), whole_text(text)
        self.unet = twin_unet(unet, text.config.hidden_size)

    def forward(self, noisy: Tensor, step: Tensor, tokens: Tensor, times: Tensor, said: Tensor) -> Tensor:
        """The velocity at a step: (n, 4, h, w); rows that are not `said` (n,) get zeros for words."""
        early, _ = before_last(self.text, tokens)
        whole, summary = before_last(self.text_2, tokens)
        words = torch.cat([early, whole], -1) * said[:, None, None]
        told = {"text_embeds": summary.text_embeds * said[:, None], "time_ids": times}
        velocity: Tensor = self.unet(noisy, step, words, added_cond_kwargs=told).sample
        return velocity


def before_last(encoder: Any, tokens: Tensor) -> tuple[Tensor, Any]:
    """What an encoder's last layer is given, (n, tokens, width), and what comes of it.

    Asked for its hidden states, a model that was sent to another process has none: transformers notes what
    it can record when it makes a model, in that process.
    """
    given: list[Tensor] = []
    last = getattr(encoder, "text_model", encoder).encoder.layers[-1]
    hook = last.register_forward_pre_hook(lambda _, shown: given.append(shown[0]))
    try:
        told = encoder(tokens)
    finally:
        hook.remove()
    return given[0], told


def early_text(text: Any) -> Any:
    """The base's encoder, of which SDXL reads the layer before the last."""
    encoder = CLIPTextModel(_config(text, text.config.num_hidden_layers, _EARLY))
    encoder.load_state_dict(text.state_dict())
    _scale(encoder, _EARLY)
    return encoder.requires_grad_(False)


def whole_text(text: Any) -> Any:
    """The base's encoder with its final normalisation as one more layer, and a last layer for the summary.

    Layers see their input normalised, so all that comes before may be made quiet. The new layer adds the
    normalised words loudly: its unit pairs give gelu(x) - gelu(-x), which is x. What it says is `_LOUD`
    times the base's words, but for the quiet rest, about a hundredth.
    """
    depth, width = text.config.num_hidden_layers, text.config.hidden_size
    encoder = CLIPTextModelWithProjection(_config(text, depth + 2, _QUIET))
    inner = encoder.text_model
    inner.load_state_dict(text.state_dict(), strict=False)
    _scale(inner, _QUIET, depth)
    encoder.requires_grad_(False)
    layer, last = inner.encoder.layers[depth], inner.encoder.layers[depth + 1]
    layer.layer_norm2.load_state_dict(text.final_layer_norm.state_dict())
    nn.init.zeros_(layer.self_attn.out_proj.weight)
    for linear in (layer.self_attn.out_proj, layer.mlp.fc1, layer.mlp.fc2):
        nn.init.zeros_(linear.bias)
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    with torch.no_grad():
        nn.init.zeros_(layer.mlp.fc2.weight)
        layer.mlp.fc1.weight[: 2 * width] = both
        layer.mlp.fc2.weight[:, : 2 * width] = _LOUD * both.T
    for part in (last, inner.final_layer_norm, encoder.text_projection):
        part.requires_grad_(True)
    return encoder


def twin_unet(unet: Any, width: int, encoders: int = 2, times: int = TIMES) -> Any:
    """A denoiser that starts as another, with more to read: words twice as wide, a summary, and sizes."""
    twin = UNet2DConditionModel(
        **settings(unet)
        | {
            "cross_attention_dim": encoders * width,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": _TIME_WIDTH,
            "projection_class_embeddings_input_dim": width + times * _TIME_WIDTH,
        }
    )
    fresh = twin.state_dict()
    for name, weight in unet.state_dict().items():
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            fresh[name].zero_()
            fresh[name][:, -width:] = weight / _LOUD
        else:
            fresh[name].copy_(weight)
    with torch.no_grad():  # nothing is added at first; what is told is loud, so that it is soon heard
        twin.add_embedding.linear_1.weight *= _LOUD
    nn.init.zeros_(twin.add_embedding.linear_2.weight)
    nn.init.zeros_(twin.add_embedding.linear_2.bias)
    return twin


def settings(unet: Any) -> dict[str, Any]:
    """What a denoiser was made with."""
    return {name: value for name, value in unet.config.items() if not name.startswith("_")}


def _config(text: Any, layers: int, scale: float) -> CLIPTextConfig:
    changed = {"num_hidden_layers": layers, "layer_norm_eps": text.config.layer_norm_eps * scale**2}
    return CLIPTextConfig(**(text.config.to_dict() | changed))


def _scale(encoder: Any, scale: float, layers: int | None = None) -> None:
    """Make what flows through the first layers smaller; what they see, normalised, stays the same."""
    with torch.no_grad():
        for weight in encoder.embeddings.parameters():
            weight *= scale
        for layer in encoder.encoder.layers[:layers]:
            for linear in (layer.self_attn.out_proj, layer.mlp.fc2):
                linear.weight *= scale
                linear.bias *= scale
