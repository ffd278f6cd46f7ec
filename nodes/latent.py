"""Latents: empty ones, from pictures, and back to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.node import node
from engine.types import Denoiser, Image, Latent, Mask, Pixels, Seed, Vae

if TYPE_CHECKING:
    from engine.types import Array

LARGEST = 16_384
"""Pixels along a side."""


@node(category="latents", lane="inline")
def empty_latent(model: Denoiser, width: Pixels | None = None, height: Pixels | None = None) -> Latent:
    """Make an empty canvas for a model to draw on.

    A side that is left out takes the model's native size, which is what it draws best.
    """
    import numpy as np

    from nodes._lib import families

    family = families.family(model.family)
    sides = {"height": height or model.size, "width": width or model.size}
    for name, side in sides.items():
        check_multiple(name, side, model.factor * family.cells)
    cells = [side // model.factor for side in sides.values()]
    return Latent(np.zeros((model.channels, *cells), np.float32), family.latents, model.factor)


@node(category="latents")
def resize_latent(
    latent: Latent,
    factor: Annotated[
        float, Meta(gt=0, le=8, description="How many times as wide and high, if no side is given.")
    ] = 1.5,
    width: Pixels | None = None,
    height: Pixels | None = None,
    way: Literal["nearest", "bilinear", "bicubic", "area"] = "bicubic",
) -> Latent:
    """Enlarge a latent, to draw a second time with more detail.

    Sample the result with a `strength` of about 0.5 to 0.7: that is how a model draws larger than it was
    made for without repeating itself. Below 0.5 it stays soft, since a latent between two others means no
    sharp picture; enlarge the decoded picture instead if less is to change. `width` and `height` are pixels
    of the picture; of one alone the other follows. "nearest" leaves most for the model to make up, "area" is
    for shrinking. A mask is resized too.
    """
    from nodes._lib import scaling

    if latent.noisy:
        want, remedy = "one that is finished", "Let the sampler walk to its last step first."
        raise BadInput("latent", got="a latent that still has noise", want=want, remedy=remedy)
    for name, side in (("width", width), ("height", height)):
        check_multiple(name, side or 0, latent.factor)
    high, wide = scaling.sides(latent, factor, width, height)
    if max(high, wide) * latent.factor > LARGEST:
        got = f"{wide * latent.factor} × {high * latent.factor} pixels"
        raise BadInput("factor", got=got, want=f"at most {LARGEST} along a side")
    return scaling.scaled(latent, high, wide, way)


@node(category="latents", lane="gpu")
def decode_latent(
    vae: Vae, latent: Latent, precision: Literal["8-bit", "float"] = "8-bit", ctx: Context = SILENT
) -> Image:
    """Turn a latent into a picture.

    "8-bit" gives exact steps of 0 to 255, as they are saved; "float" keeps the finer steps for further
    editing. When memory is short the picture is decoded in tiles.
    """
    import numpy as np

    from nodes._lib import coding, recognising

    check_family("latent", latent, vae)
    with weights(vae) as module:
        check_channels(latent, recognising.cell_of(module.config)[0])
        pixels = coding.decode(module, latent, ctx.thrift, vae.tweaks)
    return Image((pixels * 255).round().astype(np.uint8) if precision == "8-bit" else pixels)


@node(category="latents", lane="gpu")
def encode_image(vae: Vae, image: Image, seed: Seed | None = None, ctx: Context = SILENT) -> Latent:
    """Turn a picture into a latent, to draw on from there.

    Both sides must be multiples of the model's factor (8 for most): crop or resize the picture first.
    Transparency is ignored. The result is the most likely latent, the same every time; with a `seed` it is
    drawn at random around that, as some pipelines do.
    """
    from nodes._lib import coding, pictures

    check_multiple("image", image.width, vae.factor)
    check_multiple("image", image.height, vae.factor)
    with weights(vae) as module:
        samples = coding.encode(module, pictures.floats(pictures.rgb(image)), seed, ctx.thrift)
    return Latent(samples, vae.family, vae.factor)


@node(category="latents", lane="inline")
def mask_latent(latent: Latent, mask: Mask) -> Latent:
    """Let a sampler redraw a latent only where a mask is white.

    The mask is as large as the picture; a cell of the latent that it covers in part changes in part, so soft
    edges stay soft. For any model; what lies under the mask shines through unless `strength` is 1.
    """
    import numpy as np

    cells = np.ascontiguousarray(shrunk(mask, latent.samples.shape[-2:], latent.factor))
    return msgspec.structs.replace(latent, mask=cells, hole=None)


@node(category="latents", lane="gpu")
def encode_for_inpainting(vae: Vae, image: Image, mask: Mask, ctx: Context = SILENT) -> Latent:
    """Turn a picture into a latent whose masked part is to be drawn anew.

    It serves models that were made to fill holes, which also see the picture with grey where the mask is, and
    every other model, which sees a plain latent with a mask.
    """
    import numpy as np

    from nodes._lib import coding, pictures

    check_multiple("image", image.width, vae.factor)
    check_multiple("image", image.height, vae.factor)
    cells = (image.height // vae.factor, image.width // vae.factor)
    shown = pictures.floats(pictures.rgb(image))
    inside = shrunk(mask, cells, vae.factor)
    grey = np.where(mask.pixels.astype(np.float32)[..., None] < 0.5, shown, np.float32(0.5))
    with weights(vae) as module:
        whole = coding.encode(module, shown, None, ctx.thrift)
        around = coding.encode(module, grey, None, ctx.thrift)
    return Latent(whole, vae.family, vae.factor, mask=inside, hole=around)


def shrunk(mask: Mask, cells: tuple[int, ...], factor: int) -> Array:
    """The mask over the cells of a latent: the mean of each cell's pixels."""
    high, wide = cells
    if mask.pixels.shape != (high * factor, wide * factor):
        rows, columns = mask.pixels.shape
        raise BadInput(
            "mask",
            got=f"{columns} × {rows} pixels",
            want=f"{wide * factor} × {high * factor}, like the picture",
            remedy="Resize the mask.",
        )
    found: Array = mask.pixels.reshape(high, factor, wide, factor).mean((1, 3), dtype="float32")
    return found


def check_multiple(name: str, side: int, factor: int) -> None:
    if side % factor:
        below = side - side % factor
        remedy = f"Use {below} or {below + factor}." if below else f"Use {factor}."
        raise BadInput(name, got=f"{side} pixels", want=f"a multiple of {factor}", remedy=remedy)


def check_family(name: str, latent: Latent, model: Denoiser | Vae) -> None:
    if latent.family != model.family or latent.factor != model.factor:
        raise BadInput(
            name,
            got=f"a latent of family {latent.family!r}, factor {latent.factor}",
            want=f"family {model.family!r}, factor {model.factor}",
            remedy="Decode it with its own model and encode the picture with this one.",
        )


def check_channels(latent: Latent, channels: int) -> None:
    if latent.samples.ndim != 3 or latent.samples.shape[0] != channels:
        raise BadInput(
            "latent",
            got=f"a latent of shape {tuple(latent.samples.shape)}",
            want=f"{channels} channels × height × width",
            remedy="Use parts of one model.",
        )
