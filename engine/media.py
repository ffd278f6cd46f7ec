"""What a file is, and how large its picture: by its bytes, in plain Python, so that the server may ask."""

from __future__ import annotations

import re
import struct

import msgspec

UNKNOWN = "application/octet-stream"
ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "audio/mp4": ".m4a",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "application/json": ".json",
    "application/x-safetensors": ".safetensors",
    "text/plain": ".txt",
    UNKNOWN: ".bin",
}
"""Every media type that `sniff` answers, with the ending of its files."""

PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
AVIF = {b"avif", b"avis"}
VIDEO = frozenset(b"isom iso2 iso4 iso5 iso6 mp41 mp42 avc1 MSNV dash".split()) | {b"M4V ", b"f4v "}
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
HEADER_LIMIT = 100_000_000
"""The longest header that safetensors allows."""
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
ORIENTATION = 0x0112
HEADER_SEARCHED = 65_536
"""Bytes in which the header of an AVIF is looked for."""
TURNED = (5, 6, 7, 8)
"""Exif orientations that swap width and height."""


def sniff(data: bytes) -> str:
    """The media type by content, whatever the file is called.

    SVG and HTML are text/plain, so that nobody ever shows them as pages; what is not known is
    application/octet-stream.
    """
    for prefix, mime in PREFIXES:
        if data.startswith(prefix):
            return mime
    if data[:4] == b"RIFF" and data[8:12] in RIFF:
        return RIFF[data[8:12]]
    if data[4:8] == b"ftyp":
        return sniff_mp4(data)
    if data[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in data[:64] else UNKNOWN
    if data[:2] == b"BM" and len(data) > 26 and int.from_bytes(data[14:18], "little") in BMP_HEADERS:
        return "image/bmp"
    if is_safetensors(data):
        return "application/x-safetensors"
    if is_mp3_frame(data):
        return "audio/mpeg"
    return sniff_text(data)


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height of a picture as it is shown, from its header; (0, 0) where that does not say."""
    try:
        match sniff_picture(data):
            case "image/png":
                return struct.unpack_from(">II", data, 16)
            case "image/gif":
                return struct.unpack_from("<HH", data, 6)
            case "image/bmp":
                return bmp_dimensions(data)
            case "image/webp":
                return webp_dimensions(data)
            case "image/jpeg":
                return jpeg_dimensions(data)
            case "image/tiff":
                return tiff_dimensions(data)
            case "image/avif":
                return avif_dimensions(data)
    except (struct.error, IndexError):
        pass  # cut short: the header does not say
    return 0, 0


def sniff_picture(data: bytes) -> str:
    """Like `sniff`, looking no further than the first bytes."""
    return sniff(data[:64])


def sniff_mp4(data: bytes) -> str:
    brand, size = data[8:12], int.from_bytes(data[:4], "big")
    if brand in AVIF or (brand == b"mif1" and b"avif" in data[16 : min(size, 64)]):
        return "image/avif"
    if brand in (b"M4A ", b"M4B "):
        return "audio/mp4"
    if brand == b"qt  ":
        return "video/quicktime"
    return "video/mp4" if brand in VIDEO else UNKNOWN


def is_safetensors(data: bytes) -> bool:
    size = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or not 2 <= size <= min(HEADER_LIMIT, len(data) - 8):
        return False
    return is_json(data[8 : 8 + size])


def is_mp3_frame(data: bytes) -> bool:
    """A frame header: sync, then a layer, a bit rate and a sampling rate that exist."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    return data[2] >> 4 not in (0, 15) and data[2] >> 2 & 3 != 3


def sniff_text(data: bytes) -> str:
    if not data or BINARY.search(data):
        return UNKNOWN
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return UNKNOWN
    return "application/json" if data.lstrip()[:1] in (b"{", b"[") and is_json(data) else "text/plain"


def is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def bmp_dimensions(data: bytes) -> tuple[int, int]:
    if data[14] == 12:
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def webp_dimensions(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def jpeg_dimensions(data: bytes) -> tuple[int, int]:
    """From the frame header, turned as the Exif segment says."""
    at, turned = 2, False
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding between segments
            at += 1
            continue
        size = struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            turned = exif_orientation(data[at + 10 : at + 2 + size]) in TURNED
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (height, width) if turned else (width, height)
        at += 2 + size
    return 0, 0


def tiff_dimensions(data: bytes) -> tuple[int, int]:
    tags = tiff_tags(data)
    width, height = tags.get(256, 0), tags.get(257, 0)
    return (height, width) if tags.get(ORIENTATION) in TURNED else (width, height)


def avif_dimensions(data: bytes) -> tuple[int, int]:
    """The largest of the sizes that the header gives for its items: others are of tiles and thumbnails."""
    header = data[:HEADER_SEARCHED]
    sizes = [struct.unpack_from(">II", header, found.end()) for found in re.finditer(b"ispe\0{4}", header)]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    turned = re.search(b"\0\0\0\x09irot(.)", header, re.DOTALL)
    return (height, width) if turned and turned[1][0] & 1 else (width, height)


def exif_orientation(tiff: bytes) -> int:
    """The orientation in the first directory of an Exif segment; 1, upright, if it has none."""
    return tiff_tags(tiff).get(ORIENTATION, 1)


def tiff_tags(tiff: bytes) -> dict[int, int]:
    """The numbers in the first directory of a TIFF file or an Exif segment, as far as it can be read."""
    order = "<" if tiff[:2] == b"II" else ">"
    found: dict[int, int] = {}
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, many = struct.unpack_from(order + "HHI", tiff, entry)
            short = kind == 3
            place = entry + 8
            if many * (2 if short else 4) > 4:  # several values, kept elsewhere: the first of them
                (place,) = struct.unpack_from(order + "I", tiff, place)
            if kind in (3, 4):
                found[tag] = struct.unpack_from(order + ("H" if short else "I"), tiff, place)[0]
    except struct.error:
        pass  # a directory cut short says what comes before
    return found
