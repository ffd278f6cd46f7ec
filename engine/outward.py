"""Values on their way out of a worker: plain data, files that are kept, small previews."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.artifacts import Folder
from engine.codecs import encode
from engine.media import dimensions
from engine.types import Artifact, Image, Mask, Value

PREVIEW_SIDE = 512


def outward(value: Any, store: Folder, made: list[Artifact]) -> Any:
    """A value as an answer carries it: plain JSON, or an artifact."""
    if isinstance(value, list):
        return [outward(item, store, made) for item in value]
    if isinstance(value, Value):
        artifact = artifact_of(value, store)
        made.append(artifact)
        return {"artifact": msgspec.to_builtins(artifact)}
    return value


def artifact_of(value: Value, store: Folder) -> Artifact:
    """A value as a file that is kept."""
    if isinstance(value, Artifact):
        return value
    if isinstance(value, (Image, Mask)):
        data, mime = picture_png(value), "image/png"
    else:
        encoded = encode(value)
        data, mime = encoded.data, encoded.mime
    sides = dimensions(data) if mime.startswith("image/") else (0, 0)
    return Artifact(store.put(data), mime, len(data), type(value).__name__.lower(), *sides)


def picture_png(value: Image | Mask) -> bytes:
    from engine.pictures import picture_bytes

    return picture_bytes(value if isinstance(value, Image) else Image(value.pixels[:, :, None]), "png")


def preview_jpeg(image: Image) -> bytes:
    """A preview as JPEG, its longer side at most PREVIEW_SIDE pixels."""
    import io

    import numpy as np
    from PIL import Image as Pil

    pixels = image.pixels
    if pixels.dtype != np.uint8:
        pixels = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    picture = Pil.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3])
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=80)
    return out.getvalue()
