"""Make pictures larger with networks that know what things look like."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput, Unsupported
from engine.memory import loader, weights
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.pictures import LIMIT
from engine.types import Image, Model, Upscaler, model_name
from nodes.compose import LONGEST
from nodes.image import Side, check_size
from nodes.load import Precision, identity

UpscalerName = Annotated[str, model_name("upscale", "An upscaler")]

Factor = Annotated[
    float, Meta(gt=0, le=16, description="How many times as wide and high; the network's own if left out.")
]
LongerSide = Annotated[Side, Meta(description="Pixels of the longer side, in place of a factor.")]
TileSide = Annotated[
    int,
    Meta(
        ge=64,
        le=4096,
        description="Pixels of the picture that are worked on at a time; less takes less memory.",
    ),
]


@node(category="enhance", kind="source", lane="io", fingerprint=content_of("upscale"))
def load_upscaler(model: UpscalerName = "starter-upscaler", dtype: Precision = "auto") -> Upscaler:
    """Choose a network that makes pictures larger, or clear at their size.

    `model` is the name of a `.safetensors` file in the folder `upscale` of the models folder (or
    `upscale_models`, `ESRGAN`, `RealESRGAN`), in any layout that spandrel knows: RealESRGAN, ESRGAN, Compact,
    SwinIR, HAT, DAT and many more. Most are published as `.pth`, which can run any code: `models fetch` turns
    them into safetensors as they come, and `models convert` those that are here.
    """
    from nodes._lib import networks

    file = models().find(model, "upscale")
    kind = networks.architecture(file)
    if kind in networks.FACES:
        text = f"{file.name!r} is a {kind}, which restores faces and does not enlarge pictures."
        raise Unsupported(text, remedy="Load it with load_face_restorer.")
    return Upscaler(*identity(file, "spandrel"), dtype, architecture=kind)


@node(category="enhance", lane="gpu")
def upscale(
    upscaler: Upscaler,
    image: Image,
    factor: Factor | None = None,
    longer_side: LongerSide | None = None,
    tile: TileSide = 256,
    ctx: Context = SILENT,
) -> Image:
    """Make a picture larger with a network, which draws the fine parts that scaling alone leaves blurred.

    Give the `factor` or the `longer_side` in pixels; with neither it is what the network was made for, mostly
    2 or 4. A larger one takes several rounds, and one in between is scaled down from the next larger.
    Networks that only clean a picture run once.

    Pictures are worked on in tiles that overlap, so that even large ones fit into memory; each colour is
    within one step of 255 of what the whole picture at once would give. Transparency is enlarged too.
    """
    if factor is not None and longer_side is not None:
        raise BadInput("longer_side", got=f"{longer_side} beside a factor", want="one of the two")
    from nodes._lib import enlarging

    with weights(upscaler) as net:
        wanted = factor or net.scale
        if longer_side is not None:
            wanted = longer_side / max(image.width, image.height)
        width, height = (max(1, round(side * wanted)) for side in (image.width, image.height))
        most = net.scale ** enlarging.passes(net.scale, wanted)
        place = "factor" if longer_side is None else "longer_side"
        check_size(image.width * most, image.height * most, place, LONGEST, LIMIT)
        return enlarging.enlarged(net, image, width, height, tile, ctx)


@loader(Upscaler, "spandrel", kinds=("upscale",))
def load_network(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A network in any layout that spandrel knows."""
    from nodes._lib import networks

    return networks.load(file, device, dtype)
