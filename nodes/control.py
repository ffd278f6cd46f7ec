"""Guide a picture by another: ControlNets, T2I-Adapters, and the pictures they follow."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.errors import BadInput
from engine.memory import loader
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import (
    ControlNet,
    ControlNetName,
    Fraction,
    Guide,
    Image,
    Model,
    T2IAdapter,
    T2IAdapterName,
    slider,
)
from nodes.load import Precision, identity

GuideStrength = Annotated[
    float,
    slider(0, 2, "How much the guide counts: 1 as it was trained, 0 not at all.", step=0.05),
]
Threshold = Annotated[int, Meta(ge=0, le=1000, description="A step of brightness, 0 to 1000.")]


@node(category="guides", kind="source", lane="io", fingerprint=content_of("controlnet"))
def load_controlnet(
    model: ControlNetName = "starter-controlnet-canny", dtype: Precision = "auto"
) -> ControlNet:
    """Choose a ControlNet: weights that make a model follow edges, depth, a pose.

    Each knows one kind of guide, which stands in its name: for "canny" prepare the picture with `canny`, for
    "pose" with `draw_pose`, for "scribble" with `scribble`. It must have been made for the same family of
    models as the one that draws. Every step in which it counts takes up to half as long again.

    `model` is the name of a diffusers folder or a `.safetensors` file in the folder `controlnet` of the
    models folder.
    """
    from nodes._lib import recognising

    file = models().find(model, "controlnet")
    return ControlNet(*identity(file, recognising.of_controlnet(file)), dtype)


@node(category="guides", kind="source", lane="io", fingerprint=content_of("t2i_adapter"))
def load_t2i_adapter(model: T2IAdapterName = "t2i-canny", dtype: Precision = "auto") -> T2IAdapter:
    """Choose a T2I-Adapter: small weights that make a model follow edges, a sketch, depth.

    It takes the place of a ControlNet, with less hold on the picture, and looks at the guide once instead of
    at every step, so it takes almost no time. It must have been made for the same family of models as the one
    that draws. `model` is the name of a diffusers folder in `t2i_adapters` of the models folder.
    """
    from nodes._lib import recognising

    file = models().find(model, "t2i_adapter")
    return T2IAdapter(*identity(file, recognising.of_t2i_adapter(file)), dtype)


@node(category="guides", lane="inline")
def guide(
    net: ControlNet,
    image: Image,
    strength: GuideStrength = 1.0,
    start: Fraction = 0.0,
    end: Fraction = 1.0,
    others: list[Guide] | None = None,
) -> list[Guide]:
    """Let a picture guide the drawing: edges, depth, a pose, as its ControlNet or T2I-Adapter wants it.

    Any picture will do: what a preprocessor made, what was drawn by hand, what others made. It is made
    as large as the drawing. `start` and `end` say in which part of the steps it counts:
    an `end` of 0.5 fixes the composition and leaves the details free. Wire one guide into `others` of the
    next to use several, of both kinds.
    """
    if end <= start:
        raise BadInput("end", got=end, want=f"more than the start, {start}")
    return [*(others or ()), Guide(net, image, strength, start, end)]


@node(category="guides")
def canny(image: Image, low: Threshold = 60, high: Threshold = 140) -> Image:
    """Find the edges of a picture, white on black, as ControlNets of kind canny want them.

    An edge begins where brightness changes by more than `high` and goes on while it changes by more than
    `low`.
    """
    if high < low:
        raise BadInput("high", got=high, want=f"at least low, {low}")
    import cv2
    import numpy as np

    from nodes._lib import pictures

    grey = cv2.cvtColor(np.ascontiguousarray(pictures.bytes_of(pictures.rgb(image))), cv2.COLOR_RGB2GRAY)
    return Image(np.repeat(cv2.Canny(grey, low, high)[..., None], 3, 2))


@loader(ControlNet, kinds=("controlnet",))
def read_controlnet(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A ControlNet, for whichever family it was made."""
    from nodes._lib import parts

    return parts.controlnet(file, ref.family, device, dtype)


@loader(T2IAdapter, kinds=("t2i_adapter",))
def read_t2i_adapter(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A T2I-Adapter, for whichever family it was made."""
    from nodes._lib import parts

    return parts.t2i_adapter(file, device, dtype)
