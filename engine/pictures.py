"""Picture files ↔ pixels, by Pillow: upright, in sRGB, and never more than memory can bear."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from engine.digest import is_array
from engine.errors import BadInput
from engine.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

    from engine.types import Array

PNG = b"\x89PNG\r\n\x1a\n"
LIMIT = 178_956_970
"""The most pixels that are decoded: what fills 512 MB as RGB. A small file can claim any size."""
READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SEGMENT = 65_000
"""Bytes that fit into the one Exif segment of a JPEG."""
DESCRIPTION = 0x010E
"""The Exif tag that holds the metadata, as JSON."""
CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def picture(data: bytes) -> Image:
    """The pixels of a file (the first frame of several): turned upright, brought to sRGB, alpha kept.

    Grey stays one channel; 16 bits and floats become float32 in 0..1.
    """
    from PIL import ImageOps

    try:
        with opened(data) as file:
            upright = ImageOps.exif_transpose(file)
            return Image(pixels_of(in_srgb(upright)))
    except BadInput:
        raise
    except Exception as error:  # a broken or hostile file fails in whatever way its decoder does
        raise BadInput("image", got=str(error), want="a whole picture file", remedy="Save it anew.") from None


def picture_bytes(
    image: Image,
    format: Literal["png", "jpeg", "webp"] = "png",
    *,
    quality: int = 95,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The picture as a file. JPEG has no alpha: it is laid on white.

    `metadata` becomes text chunks of a PNG, else JSON in the Exif description, as far as that holds it.
    """
    pixels = in_8_bits(image.pixels)
    if format == "png":
        return png(Image(pixels), compression=6, metadata=metadata)
    file = to_file(pixels)
    options: dict[str, Any] = {"quality": quality, "exif": exif(metadata or {})}
    if format == "jpeg":
        file = on_white(file)
        options["subsampling"] = 0 if quality >= 90 else 2
    out = io.BytesIO()
    try:
        file.save(out, format, **options)
    except (OSError, ValueError) as error:
        got, want = f"{image.width} × {image.height}", f"a size that {format} can hold ({error})"
        raise BadInput("image", got=got, want=want, remedy="Use PNG.") from None
    return out.getvalue()


def small(data: bytes, size: int) -> bytes:
    """The picture as a WebP of at most that width and height."""
    from PIL import ImageOps

    with opened(data) as file:
        if file.mode in ("L", "RGB", "RGBA", "CMYK"):
            file.thumbnail((size, size))  # first of all: JPEG is then decoded small
        shown = pixels_of(in_srgb(ImageOps.exif_transpose(file)))
    flat = to_file(in_8_bits(shown))
    flat.thumbnail((size, size))
    out = io.BytesIO()
    flat.save(out, "webp", quality=80)
    return out.getvalue()


def is_8_bit(image: Image) -> bool:
    """Whether a PNG of this picture holds exactly what the picture holds."""
    p = image.pixels
    if not is_array(p) or p.dtype != "uint8" or p.ndim != 3 or p.shape[2] not in CHANNELS:
        return False
    return 0 < p.shape[0] * p.shape[1] <= LIMIT


def png(image: Image, *, compression: int, metadata: Mapping[str, str] | None = None) -> bytes:
    """An 8-bit picture as PNG."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in (metadata or {}).items():
        info.add_itxt(key.encode("latin-1", "replace").decode("latin-1")[:79], text)
    out = io.BytesIO()
    to_file(image.pixels).save(out, "png", compress_level=compression, pnginfo=info)
    return out.getvalue()


def png_pixels(data: bytes) -> Array:
    """The very pixels that `png` wrote, read-only."""
    with opened(data) as file:
        return as_array(file)


def opened(data: bytes) -> Opened:
    """The file, its header read and its size found bearable."""
    from PIL import Image as pil

    pil.MAX_IMAGE_PIXELS = LIMIT
    try:
        file = pil.open(io.BytesIO(data), formats=READABLE)
    except (pil.DecompressionBombError, pil.DecompressionBombWarning):
        raise too_large("more") from None
    except Exception:  # whatever a plugin trips over in a broken header
        want = "a picture (PNG, JPEG, WebP, GIF, BMP or TIFF)"
        raise BadInput("image", got="other bytes", want=want, remedy="Check the file.") from None
    if file.width * file.height > LIMIT:
        file.close()
        raise too_large(f"{file.width} × {file.height}")
    return file


def too_large(got: str) -> BadInput:
    want = f"at most {LIMIT // 10**6} megapixels"
    return BadInput("image", got=got, want=want, remedy="Make it smaller first.")


def in_srgb(file: Opened) -> Opened:
    """The file through its colour profile, if it has one that says anything but sRGB."""
    data = file.info.get("icc_profile")
    if not data or file.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return file
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return file
        mode = "RGBA" if file.mode == "RGBA" else "RGB"
        shown = ImageCms.profileToProfile(file, profile, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):  # a broken profile is no reason to refuse the picture
        return file
    return file if shown is None else shown.convert("L") if file.mode == "L" else shown


def pixels_of(file: Opened) -> Array:
    """Height × width × channels from any mode."""
    import numpy as np

    if file.mode == "F":
        return in_0_to_1(np.asarray(file, np.float32))[..., None]
    if file.mode.startswith("I"):
        return in_0_to_1(np.asarray(file).astype(np.float32) / np.float32(65535))[..., None]
    if file.mode == "1":
        return as_array(file.convert("L"))
    clear = file.mode in ("LA", "La", "PA", "RGBa") or "transparency" in file.info
    mode = "RGBA" if clear else "RGB"
    return as_array(file if file.mode in ("L", "RGB", "RGBA") and not clear else file.convert(mode))


def as_array(file: Opened) -> Array:
    import numpy as np

    pixels = np.asarray(file)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def to_file(pixels: Array) -> Opened:
    """8-bit pixels as Pillow has them."""
    from PIL import Image as pil

    return pil.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def in_8_bits(pixels: Array) -> Array:
    """Pixels in exact 8-bit steps; floats are rounded to the nearest."""
    import numpy as np

    if pixels.ndim != 3 or pixels.shape[2] not in CHANNELS or not pixels.size:
        raise BadInput("image", got=f"an array of {pixels.shape}", want="height × width × 1, 3 or 4 channels")
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(in_0_to_1(pixels.astype(np.float32)) * 255).astype(np.uint8)


def in_0_to_1(values: Array) -> Array:
    import numpy as np

    return np.asarray(np.clip(np.nan_to_num(values, posinf=1.0), 0, 1))


def on_white(file: Opened) -> Opened:
    from PIL import Image as pil

    if file.mode != "RGBA":
        return file
    white = pil.new("RGB", file.size, "white")
    white.paste(file, mask=file.getchannel("A"))
    return white


def exif(metadata: Mapping[str, str]) -> bytes:
    """The metadata in one Exif segment; the longest texts are left out until the rest fits."""
    from PIL import Image as pil

    kept = dict(metadata)
    while len(json.dumps(kept)) > SEGMENT:
        del kept[max(kept, key=lambda key: len(kept[key]))]
    if not kept:
        return b""
    found = pil.Exif()
    found[DESCRIPTION] = json.dumps(kept)
    return found.tobytes()
