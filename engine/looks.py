"""What a file shows, as one digest: the same however it was compressed and whatever else it holds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from engine.digest import digest, digest_of_list, hashed
from engine.errors import TesseraError
from engine.media import sniff_picture
from engine.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

LARGEST = 60_000_000
"""Pixels of all frames together that are decoded to be compared; of more the bytes are."""
MOVING = ("image/gif", "image/webp", "image/png", "image/avif")


def look(data: bytes) -> str:
    """The decoded pixels of every frame and how long it stays; of what is no picture, the bytes."""
    kind = sniff_picture(data)
    if not kind.startswith(("image/", "video/")):
        return f"bytes:{hashed(data).hex()}"
    from engine import pictures

    try:
        if kind.startswith("video/"):
            return film(data) or f"bytes:{hashed(data).hex()}"
        if not pictures.is_deep(data):
            with pictures.opened(data) as file:
                if file.width * file.height * frames_in(file) > LARGEST:
                    return f"bytes:{hashed(data).hex()}"
                if frames_in(file) > 1 and sniff_picture(data) in MOVING:
                    return f"frames:{digest_of_list([frame(file, i) for i in range(frames_in(file))]).hex()}"
        return f"pixels:{shown(pictures.picture(data)).hex()}"
    except (TesseraError, OSError, ValueError, SyntaxError, LookupError):  # no picture that can be read
        return f"bytes:{hashed(data).hex()}"


def shown(image: Image) -> bytes:
    """The digest of a picture; opaque alpha shows nothing, and grey shows as three equal channels."""
    import numpy as np

    pixels = image.pixels
    if pixels.shape[2] == 4 and pixels[..., 3].min() == (255 if pixels.dtype == np.uint8 else 1):
        pixels = pixels[..., :3]
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return digest(np.ascontiguousarray(pixels))


def film(data: bytes) -> str:
    """Every frame of a film and when it begins; nothing if they are too many."""
    import av

    found, pixels = [], 0
    with av.open(io.BytesIO(data), mode="r") as opened:
        for one in opened.decode(video=0):
            found.append(digest([one.to_ndarray(format="rgb24"), round((one.time or 0.0) * 1000)]))
            pixels += one.width * one.height
            if pixels > LARGEST:
                return ""
    return f"frames:{digest_of_list(found).hex()}"


def frames_in(file: Opened) -> int:
    return int(getattr(file, "n_frames", 1))


def frame(file: Opened, index: int) -> bytes:
    from engine.pictures import as_array

    file.seek(index)
    pixels = as_array(file.convert("RGBA"))  # decodes it: some formats know the duration only then
    return digest([shown(Image(pixels)), round(float(file.info.get("duration") or 0))])
