"""Take away what lies behind a figure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.memory import loader, weights
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import BackgroundRemover, Image, Mask, Model, model_name, slider
from nodes.load import identity

BackgroundName = Annotated[str, model_name("background", "A background remover")]

Hardness = Annotated[float, slider(0, 1, "0 leaves the edge as soft as it was found, 1 makes it hard.")]
Reach = Annotated[
    int, Meta(ge=1, le=200, description="Pixels to each side of the edge that matting decides anew.")
]


class CutOut(NamedTuple):
    image: Image
    mask: Mask


@node(category="enhance", kind="source", lane="io", fingerprint=content_of("background"))
def load_background_remover(model: BackgroundName = "starter-background") -> BackgroundRemover:
    """Choose a network that tells figures from what lies behind them.

    `model` is the name of an `.onnx` file in the folder `background` of the models folder. Files that rembg
    knows keep its names, such as `u2net`, `u2netp`, `isnet-general-use`, `isnet-anime`, `silueta` or
    `birefnet-general`; one of another name is taken for a U²-Net, or for an IS-Net if it wants to see 1024
    pixels. Nothing is downloaded.
    """
    file = models().find(model, "background")
    return BackgroundRemover(*identity(file, "rembg"))


@node(category="enhance", lane="gpu")
def remove_background(
    remover: BackgroundRemover,
    image: Image,
    edge: Literal["as found", "matted"] = "as found",
    reach: Reach = 10,
    hardness: Hardness = 0.0,
    clean: bool = True,
    ctx: Context = SILENT,
) -> CutOut:
    """Cut a figure out of a picture: what lies behind it becomes transparent.

    "matted" decides the edge anew from the colours around it, `reach` pixels to each side, which finds single
    hairs and takes seconds; beyond 2 megapixels it works on a smaller copy. `clean` takes the colour of the
    old background out of the soft edge, so that no rim is seen on a new one. Where the picture was
    transparent it stays so.

    Wire the `image` into `replace_background`: its edge is soft as it is. The `mask` marks the background,
    for inpainting to draw a new one. To move or soften the edge, send the mask through `grow_mask` and
    `feather_mask`, and give it back to the image with `set_alpha`.
    """
    from nodes._lib import cutting

    with weights(remover) as session:
        front = cutting.front(session, image)
    ctx.progress(0.5)
    if edge == "matted":
        front = cutting.matted(image, front, reach, ctx.thrift)
        ctx.check()
    front = cutting.hardened(front, hardness)
    return CutOut(cutting.cut_out(image, front, clean), Mask(1 - front))


@loader(BackgroundRemover, "rembg", kinds=("background",))
def load_session(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A network of rembg."""
    from nodes._lib import cutting

    return cutting.load(file)
