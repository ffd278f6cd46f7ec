"""ControlNets of transformers: what they are shown, and where what they see goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import FluxControlNetModel, FluxPipeline, SD3ControlNetModel

from engine.errors import BadInput, Unsupported
from nodes._lib.coding import tiled
from nodes._lib.wraps import Around, Guiding

JOINED = (SD3ControlNetModel, FluxControlNetModel)
Seen = dict[str, Any]
"""What ControlNets see, by the transformer's names for it."""


def check(net: Any, name: str) -> None:
    """Raise Unsupported for a ControlNet that wants to be told more than a picture."""
    if net.config.get("num_mode") or net.config.get("extra_conditioning_channels"):
        raise Unsupported(
            f"{name!r} is a ControlNet for several kinds of guides, or for holes.",
            remedy="Use one that was made for a single kind: edges, depth, a pose.",
        )


def told(net: Any, picture: torch.Tensor, vae: Any, thrift: int) -> torch.Tensor:
    """A picture in 0..1 as a ControlNet looks at it: as pixels, or as the model's own VAE tells of it."""
    pixels = picture * 2 - 1
    if getattr(net, "input_hint_block", None) is not None:
        return pixels
    with torch.no_grad():
        cells = tiled(vae, thrift).encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    unshifted = net.config.get("force_zeros_for_pooled_projection")  # its makers forgot the shift
    found = (cells - (0 if unshifted else vae.config.shift_factor or 0)) * vae.config.scaling_factor
    return found.to(net.device, net.dtype)


class Joined(Around):
    """Adds what ControlNets see in their pictures to the blocks of a transformer."""

    def __init__(
        self, inner: Any, guides: Sequence[Guiding], place: Callable[[Any], int], count: int
    ) -> None:
        super().__init__(inner)
        self.guides, self.place, self.count = tuple(guides), place, count
        self._asked: tuple[Any, Seen] = (None, {})
        for guide in guides:
            if isinstance(guide.net, SD3ControlNetModel) and guide.net.pos_embed is None:
                own = guide.net._get_pos_embed_from_transformer(inner)
                guide.net.pos_embed = own.to(guide.net.device, guide.net.dtype)

    def forward(self, **named: Any) -> Any:
        return self.inner(**named, **self._seen(named))

    def _seen(self, named: Seen) -> Seen:
        """For both sides of the guidance the same, if they are asked one after another."""
        if named["hidden_states"] is self._asked[0]:
            return self._asked[1]
        here = self.place(named["timestep"])
        found: Seen = {}
        for guide in self.guides:
            if scale := guide.scale(here, self.count):
                look = sd3 if isinstance(guide.net, SD3ControlNetModel) else flux
                found = added(found, look(guide.net, guide.picture, scale, named))
        self._asked = (named["hidden_states"], found)
        return found


def added(one: Seen, other: Seen) -> Seen:
    """What several see, block by block."""
    found = {**one, **other}
    for name in set(one) & set(other):
        if not isinstance(one[name], list):
            continue
        if len(one[name]) != len(other[name]):
            raise BadInput(
                "guides",
                got=f"ControlNets for {len(one[name])} and for {len(other[name])} blocks",
                want="equally many",
                remedy="Use one of them alone.",
            )
        found[name] = [a + b for a, b in zip(one[name], other[name], strict=True)]
    return found


def sd3(net: Any, picture: torch.Tensor, scale: float, named: Seen) -> Seen:
    sample, pooled = named["hidden_states"], named["pooled_projections"]
    if net.config.force_zeros_for_pooled_projection:
        pooled = torch.zeros_like(pooled)
    (blocks,) = net(
        hidden_states=sample,
        timestep=named["timestep"],
        encoder_hidden_states=named["encoder_hidden_states"] if net.config.joint_attention_dim else None,
        pooled_projections=pooled,
        controlnet_cond=picture.expand(len(sample), -1, -1, -1),
        conditioning_scale=scale,
        return_dict=False,
    )
    return {"block_controlnet_hidden_states": list(blocks)}


ALIKE = ("timestep", "pooled_projections", "encoder_hidden_states", "txt_ids", "img_ids")


def flux(net: Any, picture: torch.Tensor, scale: float, named: Seen) -> Seen:
    sample, hint = named["hidden_states"], net.input_hint_block is not None
    shown = picture.expand(len(sample), -1, -1, -1)
    blocks, single = net(
        hidden_states=sample,
        controlnet_cond=shown if hint else FluxPipeline._pack_latents(shown, *shown.shape),
        conditioning_scale=scale,
        guidance=named["guidance"] if net.config.guidance_embeds else None,
        return_dict=False,
        **{name: named[name] for name in ALIKE},
    )
    found = {"controlnet_block_samples": blocks, "controlnet_single_block_samples": single}
    return {"controlnet_blocks_repeat": hint, **{name: list(v) for name, v in found.items() if v}}
