"""What IP-Adapters make of pictures, and a UNet that attends to it beside the words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from engine.context import Context
from engine.errors import BadInput, Unsupported
from engine.models import ModelFile
from engine.types import Image
from nodes._lib import doubles
from nodes._lib.arrays import array, tensor
from nodes._lib.net import Net
from nodes._lib.parts import Denoising, named_variant, ready
from nodes._lib.regions import laid_over
from nodes._lib.transformer import OFFLINE, Trained, seen
from nodes._lib.windows import Window
from nodes._lib.wraps import Around, counts

if TYPE_CHECKING:
    from engine.types import Array
    from nodes.likeness import PicturePrompt

# -- weights


class Adapter(Net):
    """What makes words of a seen picture, and for each cross-attention how those are keyed and valued."""

    def __init__(self, projection: Any, keys: Sequence[Any], values: Sequence[Any]) -> None:
        super().__init__()
        self.projection = projection
        self.keys, self.values = (
            torch.nn.ParameterList(torch.nn.Parameter(one, requires_grad=False) for one in every)
            for every in (keys, values)
        )


def read(file: ModelFile, device: str, dtype: str) -> Adapter:
    """An IP-Adapter in the layout of its first release."""
    state = load_file(file.path)
    picture = {name[len("image_proj.") :]: t for name, t in state.items() if name.startswith("image_proj.")}
    numbers = sorted(
        int(name.split(".")[1]) for name in state if name.startswith("ip_adapter.") and "to_k_ip" in name
    )
    try:
        # of all of the class it uses nothing but this method's arguments
        projection = UNet2DConditionModel._convert_ip_adapter_image_proj_to_diffusers(
            None, picture, low_cpu_mem_usage=False
        )
        keys, values = (
            [state[f"ip_adapter.{number}.to_{what}_ip.weight"] for number in numbers] for what in "kv"
        )
    except (KeyError, RuntimeError) as error:
        said = (str(error).splitlines() or [""])[0]
        raise Unsupported(
            f"The IP-Adapter {file.name!r} does not fit its layout: {said}.", remedy="Get it again."
        ) from None
    return ready(Adapter(projection, keys, values), device, dtype)


def read_vision(file: ModelFile, device: str, dtype: str) -> Trained:
    """A CLIP that looks, with what prepares pictures for it: its own, or what CLIP's makers use."""
    module = CLIPVisionModelWithProjection.from_pretrained(
        file.path,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        **OFFLINE,
        **named_variant(file.path),
    )
    if (file.path / "preprocessor_config.json").is_file():
        senses = CLIPImageProcessor.from_pretrained(file.path, local_files_only=True)
    else:
        side = module.config.image_size
        senses = CLIPImageProcessor(size=side, crop_size=side)
    return Trained(ready(module, device, dtype), senses)


# -- seeing


def looked(held: Trained, images: Sequence[Image], patches: bool, ctx: Context) -> tuple[Array, Array]:
    """What is seen in pictures, and in nothing."""
    with torch.inference_mode():
        found = []
        for image in ctx.track(images):
            pixels = held.given(images=seen(image))["pixel_values"]
            found.append(told(held.module, pixels, patches))
        nothing = told(held.module, torch.zeros_like(pixels), True) if patches else found[0] * 0
        return array(torch.cat(found)), array(nothing)


def told(module: Any, pixels: Any, patches: bool) -> Any:
    """What the layer before the last says of every patch, or a summary of the whole picture."""
    answer = module(pixels, output_hidden_states=patches)
    return answer.hidden_states[-2] if patches else answer.image_embeds


# -- drawing


class Likeness(NamedTuple):
    """A picture prompt whose adapter is in memory."""

    name: str
    adapter: Adapter
    words: Any  # (2, pictures, words, width): of nothing, and of the pictures
    strength: float
    start: float
    end: float
    mask: Any = None  # (1, 1, height, width), in pixels

    def scale(self, place: int, count: int) -> float:
        """How much it counts at one of so many steps."""
        return self.strength if counts(self.start, self.end, place, count) else 0.0

    def within(self, view: Window, factor: int) -> Likeness:
        """As it counts in what a window shows."""
        return self if self.mask is None else self._replace(mask=view.of(self.mask, factor))


def likeness(adapter: Adapter, prompt: PicturePrompt, size: tuple[int, int], held: Denoising) -> Likeness:
    """A picture prompt for a picture of this height and width in pixels."""
    unet, own = held.module, adapter.keys[0]
    pictures = tensor(prompt.seen).to(own)
    nothing = tensor(prompt.nothing).to(own).expand_as(pictures)
    with torch.no_grad():
        words = adapter.projection(torch.cat([nothing, pictures])).to(unet.device, unet.dtype)
    mask = None if prompt.mask is None else laid_over(prompt.mask, size).to(unet.device)
    return Likeness(
        prompt.adapter.name,
        adapter,
        words.reshape(2, len(pictures), *words.shape[1:]),
        prompt.strength,
        prompt.start,
        prompt.end,
        mask,
    )


class Handed(Net):
    """Stands where a UNet would make words of pictures at each step: they are made already."""

    def forward(self, words: dict[str, Any]) -> list[Any]:
        return list(words.values())


def attending(unet: Any, likenesses: Sequence[Likeness]) -> Any:
    """A double of a UNet whose cross-attention has ears for pictures as well."""
    found = doubles.double(unet)
    processors = dict(found.attn_processors)
    crossing = [name for name in processors if not name.endswith("attn1.processor")]
    layers = [found.get_submodule(name.removesuffix(".processor")) for name in crossing]
    for one in likenesses:
        check_fit(one, [(layer.inner_kv_dim, layer.cross_attention_dim) for layer in layers])
    for place, name in enumerate(crossing):
        processors[name] = processor(place, likenesses, unet)
    found.set_attn_processor(processors)
    found.encoder_hid_proj = Handed()
    found.register_to_config(encoder_hid_dim_type="ip_image_proj")
    return found


def processor(place: int, likenesses: Sequence[Likeness], unet: Any) -> Any:
    """Attention with the adapters' own weights for one layer, not copies of them."""
    inner, outer = likenesses[0].adapter.keys[place].shape
    with torch.device("meta"):
        found = IPAdapterAttnProcessor2_0(inner, outer, [one.words.shape[2] for one in likenesses])
    weights = {
        f"to_{what}_ip.{index}.weight": every[place].data.to(unet.device, unet.dtype)
        for index, one in enumerate(likenesses)
        for what, every in (("k", one.adapter.keys), ("v", one.adapter.values))
    }
    found.load_state_dict(weights, assign=True)
    return found.requires_grad_(False)


def check_fit(one: Likeness, layers: Sequence[tuple[int, int]]) -> None:
    """Raise BadInput for an adapter of another model."""
    have = [tuple(weight.shape) for weight in one.adapter.keys]
    if have != list(layers):
        raise BadInput(
            "model",
            got=f"the IP-Adapter {one.name!r} for {len(have)} layers, words {have[0][1] if have else 0} wide",
            want=f"one for {len(layers)} layers, words {layers[0][1]} wide",
            remedy="Use an IP-Adapter that was made for this model.",
        )


class Attending(Around):
    """Lets pictures count as much as they should at this step, where their masks say so."""

    def __init__(
        self, inner: Any, likenesses: Sequence[Likeness], place: Callable[[Any], int], count: int
    ) -> None:
        super().__init__(inner)
        self.likenesses, self.place, self.count = tuple(likenesses), place, count
        every = inner.attn_processors.values()
        self.processors = tuple(one for one in every if isinstance(one, IPAdapterAttnProcessor2_0))
        masks = [one.mask for one in likenesses]
        shown = [
            None if mask is None else mask.expand(1, one.words.shape[1], -1, -1)
            for mask, one in zip(masks, likenesses, strict=True)
        ]
        self.where = {} if all(mask is None for mask in masks) else {"ip_adapter_masks": shown}

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> Any:
        here = self.place(time)
        for one in self.processors:
            one.scale = [likeness.scale(here, self.count) for likeness in self.likenesses]
        rest["cross_attention_kwargs"] = {**(rest.get("cross_attention_kwargs") or {}), **self.where}
        return self.inner(sample, time, encoder_hidden_states=encoder_hidden_states, **rest)


class Shown(Around):
    """Hands over what was seen, for each row of a batch: nothing for the unwanted, then the pictures."""

    def __init__(self, inner: Any, likenesses: Sequence[Likeness]) -> None:
        super().__init__(inner)
        self.words = {str(index): one.words for index, one in enumerate(likenesses)}

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> Any:
        words = {name: every[-len(sample) :] for name, every in self.words.items()}
        rest["added_cond_kwargs"] = {**(rest.get("added_cond_kwargs") or {}), "image_embeds": words}
        return self.inner(sample, time, encoder_hidden_states=encoder_hidden_states, **rest)
