"""Prompt with pictures: IP-Adapters, and the models that look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import loader, weights
from engine.models import ModelFile, content, models
from engine.node import node
from engine.types import (
    Denoiser,
    Fraction,
    Image,
    IpAdapter,
    IpAdapterName,
    Mask,
    Model,
    Tweak,
    Value,
    VisionModel,
    VisionName,
    slider,
)
from nodes.load import Precision, identity
from nodes.tweaks import one, tweaked

if TYPE_CHECKING:
    from engine.types import Array

PictureStrength = Annotated[
    float,
    slider(
        0, 2, "How much the pictures count beside the words: 1 as it was trained, 0 not at all.", step=0.05
    ),
]


class PicturePrompt(Value, frozen=True, eq=False):
    """What was seen in some pictures, and how much a denoiser heeds it."""

    adapter: IpAdapter
    seen: Array
    """pictures × width, or pictures × patches × width, float32"""
    nothing: Array
    """The same of one picture in which there is nothing."""
    strength: float
    start: float
    end: float
    mask: Array | None = None
    """Where it counts, everywhere if None: height × width of any size, 0 to 1, laid over the picture."""


class PicturePrompts(Tweak, frozen=True, eq=False):
    """Pictures that are heeded beside the words."""

    prompts: tuple[PicturePrompt, ...]


def content_of_both(adapter: str, vision: str, **_: object) -> str:
    return f"{content(adapter, 'ip_adapter')} {content(vision, 'vision')}"


@node(category="guides", kind="source", lane="io", fingerprint=content_of_both)
def load_ip_adapter(
    adapter: IpAdapterName = "ip-adapter-sd15",
    vision: VisionName = "ip-adapter-vision",
    dtype: Precision = "auto",
) -> IpAdapter:
    """Choose an IP-Adapter: weights that let a model be prompted with pictures.

    It must have been made for the same family of models as the one that draws. The plain kind takes over the
    subject and the mood, "plus" more of the details, "plus-face" and "full-face" a face. `adapter` is a
    `.safetensors` file in the folder `ip_adapters` of the models folder.

    `vision` is the model that looks at the pictures, a folder in `vision`: the one with which the adapter was
    trained. That is "ip-adapter-vision" for all of the first release but the plain one for SDXL, which wants
    "ip-adapter-vision-sdxl".
    """
    from nodes._lib import recognising

    here = models()
    file, eyes = here.find(adapter, "ip_adapter"), here.find(vision, "vision")
    about, sees = recognising.of_ip_adapter(file), recognising.of_vision(eyes)
    wide = sees.patch if about.patches else sees.whole
    if wide != about.sees:
        what = "every patch" if about.patches else "a picture"
        raise BadInput(
            "vision",
            got=f"{vision!r}, which tells {what} in {wide} numbers",
            want=f"{about.sees} numbers, as {adapter!r} was trained",
            remedy="Use the vision model that belongs to the adapter.",
        )
    looker = VisionModel(*identity(eyes, "clip"), dtype)
    return IpAdapter(*identity(file, about.family), dtype, vision=looker, patches=about.patches)


@node(category="guides", lane="gpu")
def prompt_with_pictures(
    model: Denoiser,
    adapter: IpAdapter,
    images: list[Image],
    strength: PictureStrength = 0.6,
    mask: Mask | None = None,
    start: Fraction = 0.0,
    end: Fraction = 1.0,
    ctx: Context = SILENT,
) -> Denoiser:
    """Let a model draw what pictures show: their subject, their style, a face.

    What is seen in the pictures is heard beside the words of the prompt. At a `strength` of 1 with an empty
    prompt they become variations of the pictures; around 0.5 the words decide what happens and the pictures
    what it looks like. Several pictures become a mixture. Only the square in the middle of each is seen.

    With a `mask` they count only where it is white. `start` and `end` say in which part of the steps they
    count: a `start` of 0.2 leaves the composition to the words. The node can follow itself, with other
    pictures, masks or adapters.
    """
    if not images:
        raise BadInput("images", got="none", want="one or more")
    if end <= start:
        raise BadInput("end", got=end, want=f"more than the start, {start}")
    if adapter.family not in ("", model.family):
        raise BadInput(
            "adapter",
            got=f"the IP-Adapter {adapter.name!r} of family {adapter.family!r}",
            want=f"family {model.family!r}",
            remedy="Use an IP-Adapter that was made for this model.",
        )
    if not strength:
        return model
    from nodes._lib import likening

    with weights(adapter.vision) as held:
        seen, nothing = likening.looked(held, images, adapter.patches, ctx)
    where = None if mask is None else mask.pixels
    heeded = one(model.tweaks, PicturePrompts)
    new = PicturePrompt(adapter, seen, nothing, strength, start, end, where)
    return tweaked(model, PicturePrompts((*(heeded.prompts if heeded else ()), new)))


@loader(IpAdapter, kinds=("ip_adapter",))
def read_ip_adapter(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """An IP-Adapter, for whichever family it was made."""
    from nodes._lib import likening

    return likening.read(file, device, dtype)


@loader(VisionModel, kinds=("vision",))
def read_vision(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A model that looks, with what prepares pictures for it."""
    from nodes._lib import likening

    return likening.read_vision(file, device, dtype)
