"""Files: uploads become pictures, pictures become files."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from engine import artifacts
from engine.config import Metadata
from engine.node import node
from engine.types import Artifact, FileName, Image, Mask, Quality

LABEL = "Made with Tessera, an AI image generator."


class Opened(NamedTuple):
    image: Image
    mask: Mask


@node(category="files")
def load_image(image: Artifact) -> Opened:
    """Open an uploaded picture, upright and in sRGB.

    `mask` marks what is transparent in it; nothing, if the picture has no transparency.
    """
    import numpy as np

    from engine.codecs import picture

    found = picture(artifacts.read(image))
    if found.pixels.shape[2] == 4:
        from nodes._lib import pictures

        return Opened(found, Mask(1 - pictures.floats(found)[..., 3]))
    return Opened(found, Mask(np.zeros(found.pixels.shape[:2], np.float32)))


@node(category="files", kind="effect", lane="cpu")
def save_image(
    image: Image,
    name: FileName = "picture",
    format: Literal["png", "jpeg", "webp"] = "png",
    quality: Quality = 95,
    metadata: Metadata | None = None,
) -> Artifact:
    """Save a picture as a file, also under a readable name in the output folder.

    `quality` is for JPEG and WebP; PNG loses nothing. `metadata` is what the file says about itself: "none"
    at all, "label" that it was generated, "params" also the prompt, the seed and the other inputs, "full"
    also the whole workflow. Left out, the server's setting counts.
    """
    from engine.codecs import picture_bytes

    data = picture_bytes(image, format, quality=quality, metadata=story(metadata))
    return artifacts.keep(data, name=name, mime=f"image/{format}")


def story(wanted: Metadata | None) -> dict[str, str]:
    """What a file says about how it was made."""
    made = artifacts.origin.get() or {}
    amount = wanted or made.get("metadata", "params")
    if amount == "none":
        return {}
    told = {"Software": LABEL}
    if amount != "label" and made.get("inputs"):
        told["parameters"] = json.dumps(made["inputs"], ensure_ascii=False)
    if amount == "full" and made.get("workflow"):
        told["workflow"] = made["workflow"]
    return told
