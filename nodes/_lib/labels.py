"""What a picture file says about itself: our own words, other programs' parameters, a camera's data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags
from PIL import Image as pil

from engine import pictures
from engine.errors import BadInput
from engine.media import sniff_picture
from nodes._lib import films

LONGEST = 16_000_000
"""Characters of all that is read."""
COMMENT = 0x9286
NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")


def told(data: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """Every text in a picture file by its name, and what a camera wrote."""
    try:
        if sniff_picture(data).startswith("video/"):
            return films.texts(data), {}
        exif = exif_of(data)
        return texts(data, exif), camera(exif)
    except BadInput:
        raise
    except Exception as error:  # a broken or hostile file fails in whatever way its decoder does
        raise BadInput("file", got=str(error), want="a whole picture file", remedy="Save it anew.") from None


def texts(data: bytes, exif: pil.Exif) -> dict[str, str]:
    found = dict(named(exif.get(pictures.DESCRIPTION), "description"))
    if comment := words(exif.get_ifd(ExifTags.IFD.Exif).get(COMMENT)):
        found.setdefault("parameters", comment)
    if sniff_picture(data) != "image/tiff":
        with pictures.opened(data) as file:
            parts = [part for marker, part in getattr(file, "applist", ()) if marker == "COM"]
            if ours := [part for part in parts if part.startswith(pictures.OURS)]:
                found |= named(b"".join(part.removeprefix(pictures.OURS) for part in ours), "comment")
            elif "comment" in file.info:
                found |= named(file.info["comment"], "comment")
            found |= {str(key): str(text) for key, text in getattr(file, "text", {}).items()}
    if sum(map(len, found.values())) > LONGEST:
        raise BadInput("file", got="more than 16 MB of text", want="less", remedy="Save it anew.")
    return found


def named(value: object, name: str) -> dict[str, str]:
    """A text that is an object of texts, as we write them, stands for its entries."""
    text = words(value)
    known = as_json(text)
    if known and all(isinstance(item, str) for item in known.values()):
        return {str(key): str(item) for key, item in known.items()}
    return {name: text} if text else {}


def words(value: object) -> str:
    """A text out of Exif, whose comments begin with the name of their encoding."""
    if not isinstance(value, bytes):
        return value.strip("\0 ") if isinstance(value, str) else ""
    if value.startswith(b"UNICODE\0"):
        text = value[8:]
        order = "utf-16-le" if text[1:2] == b"\0" else "utf-16-be"
        return text.decode(order, "replace").strip("\0 ")
    return value.removeprefix(b"ASCII\0\0\0").decode("utf-8", "replace").strip("\0 ")


def settings_of(text: str) -> dict[str, Any]:
    """The inputs of a run, from our JSON or from the three-part text that other programs write.

    That text is the prompt, a line that begins with "Negative prompt:", and a last line of settings.
    """
    if (known := as_json(text)) is not None:
        return known
    lines = text.strip().splitlines()
    found: dict[str, Any] = {}
    if lines and lines[-1].lstrip().startswith("Steps:"):
        found = {key: number(value) for key, value in pairs(lines.pop())}
    at = next((i for i, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    negative = "\n".join(lines[at:]).removeprefix("Negative prompt:").strip()
    prompt = "\n".join(lines[:at]).strip()
    return ({"prompt": prompt} if prompt else {}) | ({"negative": negative} if negative else {}) | found


def pairs(line: str) -> list[tuple[str, str]]:
    """Key and value of each entry between commas; a comma within quotes is part of its value."""
    entries, quoted = [""], False
    for character in line:
        quoted ^= character == '"'
        if character == "," and not quoted:
            entries.append("")
        else:
            entries[-1] += character
    split = (entry.partition(":") for entry in entries)
    return [(key.strip(), value.strip().strip('"')) for key, colon, value in split if colon and key.strip()]


def number(text: str) -> float | str:
    if not NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def as_json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def exif_of(data: bytes) -> pil.Exif:
    """The tags of the file; a TIFF is one itself, whatever its pixels are."""
    if sniff_picture(data) == "image/tiff":
        found = pil.Exif()
        found.load(data)
        return found
    with pictures.opened(data) as file:
        return file.getexif()


def camera(exif: pil.Exif) -> dict[str, Any]:
    """The tags by name, as far as they are numbers and texts: camera, lens, time, place."""
    both = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    found = by_name({tag: value for tag, value in both.items() if tag not in LAYOUT}, ExifTags.TAGS)
    return found | ({"GPSInfo": by_name(place, ExifTags.GPSTAGS)} if place else {})


def by_name(tags: Mapping[int, Any], names: Mapping[int, str]) -> dict[str, Any]:
    told = ((names.get(tag, str(tag)), plain(value)) for tag, value in tags.items())
    return {name: value for name, value in told if value is not None}


LAYOUT = {
    254, 256, 257, 258, 259, 262, 266, 273, 275, 277, 278, 279, 282, 283, 284, 296, 317, 338, 339,
    34665, 34675, 34853, 37500, COMMENT, pictures.DESCRIPTION,
}  # fmt: skip
"""Tags that say how the bytes lie, lead elsewhere, are no text, or are told apart."""


def plain(value: object) -> Any:
    """A tag's value as JSON."""
    if isinstance(value, str):
        return value.strip("\0 ")[:10_000]
    if isinstance(value, bytes):
        return value.decode("ascii").strip("\0 ") if value.isascii() and len(value) < 200 else None
    if isinstance(value, tuple):
        return [plain(item) for item in value[:100]]
    if isinstance(value, int):
        return int(value)
    try:
        found = float(value)  # type: ignore[arg-type]  # a rational, which may be 0/0
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) else None
