"""Mark in a picture what words name."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.errors import BadInput, Unsupported
from engine.memory import loader, weights
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import Image, Mask, Model, Segmenter, slider
from nodes.load import Precision, identity
from nodes.see import SegmenterName

Words = Annotated[
    str, Meta(min_length=1, max_length=1000, description="What to mark; commas part several things.")
]
MOST = 20
"""Things that are looked for at a time."""


@node(category="masks", kind="source", lane="io", fingerprint=content_of("segmenter"))
def load_segmenter(model: SegmenterName = "clipseg", dtype: Precision = "auto") -> Segmenter:
    """Choose a model that finds in a picture what words name.

    `model` is the name of a CLIPSeg in the layout of transformers, a folder in the folder `segmenters` of the
    models folder.
    """
    file = models().find(model, "segmenter")
    if file.layout != "diffusers":
        raise Unsupported(f"{file.name!r} is a single file.", remedy="Use a folder with its config.json.")
    from nodes._lib import segmenting

    segmenting.check(file)
    return Segmenter(*identity(file, "clipseg"), dtype)


@node(category="masks", lane="gpu")
def mask_by_words(
    segmenter: Segmenter,
    image: Image,
    words: Words,
    threshold: Annotated[float, slider(0, 1, "How likely it must be: less marks more.")] = 0.4,
    softness: Annotated[float, slider(0, 1, "How slowly the mask fades around the threshold.")] = 0.1,
) -> Mask:
    """Make a mask of what words name: "the dog", "sky, clouds".

    Say a thing as you would to a person. The outline is coarse: `grow_mask` and `feather_mask` fit it to its
    use, such as inpainting.
    """
    from nodes._lib import segmenting

    wanted = [word.strip() for word in words.split(",") if word.strip()]
    if not 1 <= len(wanted) <= MOST:
        raise BadInput("words", got=f"{len(wanted)} things", want=f"1 to {MOST}, with commas between them")
    with weights(segmenter) as held:
        likely = segmenting.likely(held, image, wanted)
    return Mask(segmenting.marked(likely, threshold, softness))


@loader(Segmenter, "clipseg", kinds=("segmenter",))
def load_clipseg(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A CLIPSeg."""
    from nodes._lib import segmenting

    return segmenting.load(file, device, dtype)
