"""Picture files ↔ pixels, by Pillow: upright, in sRGB, and never more than memory can bear."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from engine.digest import is_array
from engine.errors import BadInput
from engine.media import ORIENTATION, dimensions, sniff_picture, tiff_tags
from engine.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

    from engine.types import Array

PNG = b"\x89PNG\r\n\x1a\n"
LIMIT = 178_956_970
"""The most pixels that are decoded: what fills 512 MB as RGB. A small file can claim any size."""
LONGEST = 500_000
"""The longest side: some decoders take minutes for pictures that are only wide."""
READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
PictureFormat = Literal["png", "jpeg", "webp", "avif", "tiff"]
Depth = Literal[8, 16, 32]
"""Bits of each channel in a file; 32 are floating point."""
DEPTHS: dict[PictureFormat, tuple[Depth, ...]] = {"png": (8, 16), "tiff": (8, 16, 32)}
"""What a format holds, where it is not 8 bits alone."""
Subsampling = Literal["auto", "4:4:4", "4:2:2", "4:2:0"]
SEGMENT = 65_000
"""Bytes that fit into the one Exif segment of a JPEG, or one of its comments."""
OURS = b"tessera\0"
"""What a comment begins with that goes on with the one before."""
DESCRIPTION = 0x010E
"""The Exif tag that holds the metadata, as JSON."""
CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
PNG_HEADER = 33
"""Bytes of a PNG before its second chunk."""
BITS, SAMPLES, SAMPLE_FORMAT, FLOATING = 258, 277, 339, 3
"""Tags of a TIFF, and what the last says of floats."""


def picture(data: bytes) -> Image:
    """The pixels of a file (the first frame of several): turned upright, brought to sRGB, alpha kept.

    Grey stays one channel; 16 bits and floats become float32 in 0..1. A colour profile other than sRGB is
    applied in 8-bit steps.
    """
    try:
        if is_deep(data) and (found := deep_picture(data)) is not None:
            return found
        with opened(data) as file:
            return shown(file)
    except BadInput:
        raise
    except Exception as error:  # a broken or hostile file fails in whatever way its decoder does
        raise BadInput("image", got=str(error), want="a whole picture file", remedy="Save it anew.") from None


def picture_bytes(
    image: Image,
    format: PictureFormat = "png",
    *,
    quality: int = 95,
    metadata: Mapping[str, str] | None = None,
    depth: Depth = 8,
    lossless: bool = False,
    subsampling: Subsampling = "auto",
) -> bytes:
    """The picture as a file. JPEG has no alpha: it is laid on white.

    `metadata` becomes text chunks of a PNG, else JSON in the Exif description; in a JPEG the longest texts go
    into comments. `lossless` is for WebP; `subsampling` (how finely colour is kept) for JPEG and AVIF.
    """
    if depth not in DEPTHS.get(format, (8,)):
        want = f"{' or '.join(map(str, DEPTHS.get(format, (8,))))} bits for {format}"
        raise BadInput("depth", got=f"{depth} bits", want=want, remedy="Use PNG or TIFF, or 8 bits.")
    pixels = in_steps(image.pixels, depth)
    if format == "tiff":
        return tiff(pixels, described(metadata or {}))
    if format == "png":
        if depth == 16:
            return deep_png(pixels, metadata)
        return png(Image(pixels), compression=6, metadata=metadata)
    options: dict[str, Any] = {"quality": quality}
    if format == "webp" and lossless:
        options |= {"lossless": True, "exact": True}  # exact: colours under full transparency too
    elif format != "webp":
        fine = "4:4:4" if quality >= 90 else "4:2:0"
        options["subsampling"] = fine if subsampling == "auto" else subsampling
    short = fitting(metadata or {}, SEGMENT) if format == "jpeg" else metadata or {}
    options["exif"] = exif(short)
    if format != "jpeg":
        return written(to_file(pixels), format, **options)
    data = written(on_white(to_file(pixels)), format, **options)
    long = {key: text for key, text in (metadata or {}).items() if key not in short}
    return with_comments(data, described(long).encode()) if long else data


def written(file: Opened, format: str, **options: Any) -> bytes:
    """The bytes of a file, as Pillow writes them."""
    out = io.BytesIO()
    try:
        file.save(out, format, **options)
    except (OSError, ValueError, MemoryError) as error:
        got, want = f"{file.width} × {file.height}", f"a size that {format} can hold ({error})"
        raise BadInput("image", got=got, want=want, remedy="Use PNG.") from None
    return out.getvalue()


def small(data: bytes, size: int) -> bytes:
    """The picture as a WebP of at most that width and height."""
    if is_deep(data) and (found := deep_picture(data)) is not None:
        image = found  # Pillow may not read it at all
    else:
        with opened(data) as file:
            if file.mode in ("L", "RGB", "RGBA", "CMYK"):
                file.thumbnail((size, size))  # first of all: JPEG is then decoded small
            image = shown(file)
    flat = to_file(in_steps(image.pixels, 8))
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
    out = io.BytesIO()
    to_file(image.pixels).save(out, "png", compress_level=compression, pnginfo=png_info(metadata))
    return out.getvalue()


def png_info(metadata: Mapping[str, str] | None) -> Any:
    """The text chunks of a PNG, as Pillow takes them."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in (metadata or {}).items():
        info.add_itxt(key.encode("latin-1", "replace").decode("latin-1")[:79], text)
    return info


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
        want = "a picture (PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF)"
        raise BadInput("image", got="other bytes", want=want, remedy="Check the file.") from None
    check_size(file.width, file.height)
    return file


def check_size(width: int, height: int) -> None:
    if width * height > LIMIT or max(width, height) > LONGEST:
        raise too_large(f"{width} × {height}")


def too_large(got: str) -> BadInput:
    want = f"at most {LIMIT // 10**6} megapixels, and {LONGEST:,} pixels a side"
    return BadInput("image", got=got, want=want, remedy="Make it smaller first.")


def shown(file: Opened) -> Image:
    """An opened picture (its current frame) as it is meant to be seen."""
    from PIL import ImageOps

    return Image(pixels_of(in_srgb(ImageOps.exif_transpose(file))))


def in_srgb(file: Opened) -> Opened:
    """The file through its colour profile, if it has one that says anything but sRGB."""
    data = file.info.get("icc_profile")
    if data and file.mode == "P":
        file = file.convert("RGBA" if "transparency" in file.info else "RGB")
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


def in_steps(pixels: Array, depth: Depth) -> Array:
    """Pixels in exact steps of 8 or 16 bits, each rounded to the nearest; or as float32 in 0..1."""
    import numpy as np

    if pixels.ndim != 3 or pixels.shape[2] not in CHANNELS or not pixels.size:
        raise BadInput("image", got=f"an array of {pixels.shape}", want="height × width × 1, 3 or 4 channels")
    if pixels.dtype == np.uint8:
        if depth == 8:
            return pixels
        return pixels.astype(np.uint16) * np.uint16(257) if depth == 16 else pixels.astype(np.float32) / 255
    values = in_0_to_1(pixels.astype(np.float32))
    if depth == 32:
        return values
    steps: Array = np.rint(values * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
    return steps


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
    """The metadata as Exif; nothing for nothing."""
    from PIL import Image as pil

    if not metadata:
        return b""
    found = pil.Exif()
    found[DESCRIPTION] = described(metadata)
    return found.tobytes()


def fitting(metadata: Mapping[str, str], limit: int) -> dict[str, str]:
    """The metadata without the longest of its texts, so that the rest takes at most `limit` bytes."""
    kept = dict(metadata)
    while len(described(kept)) > limit:
        del kept[max(kept, key=lambda key: len(kept[key]))]
    return kept


def with_comments(data: bytes, text: bytes) -> bytes:
    """A JPEG with a text of any length, in as many comments as it takes, behind its first segments."""
    at = 2
    while data[at] == 0xFF and 0xE0 <= data[at + 1] <= 0xEF:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    parts = [OURS + text[start : start + SEGMENT] for start in range(0, len(text), SEGMENT)]
    comments = [b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part for part in parts]
    return data[:at] + b"".join(comments) + data[at:]


def described(metadata: Mapping[str, str]) -> str:
    """The metadata as JSON in ASCII, which every format can hold; nothing for nothing."""
    return json.dumps(dict(metadata)) if metadata else ""


# -- more than 8 bits, which Pillow reads and writes for grey alone


def is_deep(data: bytes) -> bool:
    """Whether a PNG or TIFF has colours of more than 8 bits."""
    match sniff_picture(data):
        case "image/png":
            return data[24:25] == b"\x10" and data[25:26] in (b"\2", b"\6")
        case "image/tiff":
            tags = tiff_tags(data)
            return tags.get(BITS, 1) > 8 and tags.get(SAMPLES, 1) in (3, 4)
    return False


def deep_picture(data: bytes) -> Image | None:
    """Colours of 16 bits or floats as float32; None if they are in another colour space than sRGB."""
    import cv2
    import numpy as np

    check_size(*dimensions(data))
    tags = tiff_tags(data) if sniff_picture(data) == "image/tiff" else {}
    orientation = tags.get(ORIENTATION, 1)
    if tags.get(SAMPLE_FORMAT) != FLOATING:  # else Pillow cannot open it
        with opened(data) as file:
            if in_srgb(file) is not file:
                return None
            orientation = file.getexif().get(ORIENTATION, orientation)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the error tells it
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise ValueError("its pixels cannot be read")
    scale = 65535 if pixels.dtype == np.uint16 else 255 if pixels.dtype == np.uint8 else 1
    values = in_0_to_1(swapped(pixels).astype(np.float32) / np.float32(scale))
    return Image(upright(values, orientation))


def upright(pixels: Array, orientation: int) -> Array:
    """The pixels as an Exif orientation says that they are to be seen."""
    import numpy as np

    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def swapped(pixels: Array) -> Array:
    """Red and blue exchanged: OpenCV has them the other way round."""
    import numpy as np

    if pixels.shape[2] == 1:
        return pixels
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def deep_png(pixels: Array, metadata: Mapping[str, str] | None = None) -> bytes:
    """A 16-bit picture as PNG, with its text behind the header."""
    import cv2

    data = cv2.imencode(".png", swapped(pixels))[1].tobytes()
    return data[:PNG_HEADER] + b"".join(map(text_chunk, (metadata or {}).items())) + data[PNG_HEADER:]


def text_chunk(item: tuple[str, str]) -> bytes:
    key = item[0].encode("latin-1", "replace")[:79]
    body = b"iTXt" + key + b"\0\0\0\0\0" + item[1].encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def tiff(pixels: Array, description: str) -> bytes:
    """A picture of any depth as a TIFF, compressed without loss."""
    import tifffile

    channels = pixels.shape[2]
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        pixels[..., 0] if channels == 1 else pixels,
        photometric="minisblack" if channels == 1 else "rgb",
        extrasamples=["unassalpha"] if channels == 4 else None,
        compression="zlib",
        byteorder="<",
        description=description or None,
        metadata=None,  # nothing of the library's own
        software=False,
    )
    return out.getvalue()
