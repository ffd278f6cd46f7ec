"""What there is to see in a value: its pictures, what a checker is shown of each, and what replaces them."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from PIL import Image as pil

from engine import artifacts, pictures
from engine.digest import is_array
from engine.errors import GateClosed
from engine.media import sniff
from engine.types import Artifact, Image, Latent, Mask, Value
from nodes._lib.pictures import bytes_of, with_channels

TEXTS = ("text/plain", "application/json")
DRAWN = re.compile(rb"<svg|data:\s*(image|video)", re.IGNORECASE)
"""Begins a picture within a text."""
SMALL = 1024
"""Numbers, or bytes, that are too few for a picture, unless they are a latent."""
WIDE = 3
"""A checker's own sides that one look may span: what is larger is looked at part by part as well."""
PARTS = 6
"""Looks along a side at most, but for very long pictures."""
OVERLAP = 0.25
UNLIKE = 0.06
"""Mean difference of two frames, 0 to 1, from which the second is looked at by itself."""
GLANCE = (24, 24)
VEIL = 10
"""Pixels that the longer side of a blurred picture is made of."""

Cover = Callable[[Image], Image]


def found(value: Any, every: int, *, clip: bool = False) -> Iterator[Iterable[Image]]:
    """The pictures in a value, each by itself, and of each clip those frames that are to be looked at.

    Raises GateClosed for what nobody can look at.
    """
    if isinstance(value, Image):
        yield [value]
        for name in set(value.__struct_fields__) - {"pixels"}:  # a picture of a pack's own kind
            check_small(getattr(value, name), value)
            yield from found(getattr(value, name), every)
    elif isinstance(value, Mask):
        yield [Image(value.pixels[:, :, None])]
    elif isinstance(value, Artifact):
        if not is_plain(value):
            yield sampled(frames_of(value), every)
    elif clip and isinstance(value, list) and value and all(isinstance(item, Image) for item in value):
        yield sampled(value, every)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from found(item, every)
    elif isinstance(value, dict):
        yield from found(list(value.values()), every)
    elif isinstance(value, Latent):  # a picture in few numbers: 1,024 are one of 128 × 128
        raise not_seen(value)
    elif isinstance(value, Value):
        for name in value.__struct_fields__:
            check_small(getattr(value, name), value)
            yield from found(getattr(value, name), every)
    else:
        check_small(value, value)


def check_small(value: Any, whose: Any) -> None:
    size = value.size if is_array(value) else len(value) if isinstance(value, bytes) else 0
    if size > SMALL:
        raise not_seen(whose)


def not_seen(value: Any) -> GateClosed:
    remedy = "Make a picture of it first, or run it in a mode that lets it out."
    return GateClosed(f"A {type(value).__name__} cannot be looked at, so it stays here.", remedy=remedy)


def is_plain(artifact: Artifact) -> bool:
    """Whether a file has nothing to see in it, by its content and not by what it is called."""
    data = artifacts.read(artifact)
    kind = sniff(data)
    return kind.startswith("audio/") or (kind in TEXTS and not DRAWN.search(data))


def frames_of(artifact: Artifact) -> Iterator[Image]:
    """Every frame of a picture file or a video."""
    data = artifacts.read(artifact)
    kind, _, sort = sniff(data).partition("/")
    if kind not in ("image", "video"):
        remedy = "Save it as a picture, or run it in a mode that lets it out."
        text = f"A file of type {kind}/{sort} cannot be looked at, so it stays here."
        raise GateClosed(text, remedy=remedy)
    try:
        if kind == "video":
            yield from frames_of_video(data)
        elif pictures.is_deep(data):
            yield pictures.picture(data)
        else:
            yield from frames_of_picture(data)
    except Exception as error:  # a broken or hostile file fails in whatever way its decoder does
        text = f"The file cannot be looked at ({type(error).__name__}), so it stays here."
        raise GateClosed(text, remedy="Save it anew.") from None


def frames_of_picture(data: bytes) -> Iterator[Image]:
    with pictures.opened(data) as file:
        for index in range(int(getattr(file, "n_frames", 1))):
            file.seek(index)
            yield pictures.shown(file)


def frames_of_video(data: bytes) -> Iterator[Image]:
    import av

    with av.open(io.BytesIO(data), mode="r") as video:
        for frame in video.decode(video=0):
            yield Image(frame.to_ndarray(format="rgb24"))


def sampled(frames: Iterable[Image], every: int) -> Iterator[Image]:
    """Of a clip: the first frame, the last, each `every`-th, and each unlike the last one looked at."""
    seen: Any = None
    passed, last = 0, None
    for frame in frames:
        small = glance(frame)
        if seen is None or passed + 1 >= every or float(np.abs(small - seen).mean()) > UNLIKE:
            yield frame
            seen, passed, last = small, 0, None
        else:
            passed, last = passed + 1, frame
    if last is not None:
        yield last


def glance(image: Image) -> Any:
    small = pil.fromarray(with_channels(bytes_of(image), 3)).resize(GLANCE, pil.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


def views(image: Image, side: int) -> Iterator[pil.Image]:
    """What a checker of this side is shown of a picture: all of it, and parts where those would be tiny.

    Of a transparent one it is shown the colours, how they look on white, and the transparency by itself.
    """
    for layer in layers(bytes_of(image)):
        whole = pil.fromarray(layer)
        for box in boxes(whole.width, whole.height, side):
            yield whole.resize((side, side), pil.Resampling.BICUBIC, box=box)


def layers(pixels: Any) -> Iterator[Any]:
    if pixels.shape[2] < 4:
        yield with_channels(pixels, 3)
        return
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    yield np.ascontiguousarray(colours)
    if alpha.min() < 255:
        share = alpha.astype(np.float32) / 255
        yield np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)
    if alpha.min() < alpha.max():
        yield with_channels(alpha, 3)


def boxes(width: int, height: int, side: int) -> Iterator[tuple[float, float, float, float]]:
    """All of a picture; and, where it is long or large, parts of it that overlap."""
    yield 0, 0, width, height
    short = min(width, height)
    part = max(min(short, WIDE * side), math.ceil(short / PARTS))
    if part >= max(width, height) / 1.25:
        return
    wide, high = min(part, width), min(part, height)
    for top in starts(height, high):
        for left in starts(width, wide):
            yield left, top, left + wide, top + high


def starts(length: int, part: int) -> list[float]:
    """Where parts begin, so that they cover a side and overlap."""
    count = 1 + math.ceil(max(length - part, 0) / (part * (1 - OVERLAP)))
    return [0.0] if count == 1 else [place * (length - part) / (count - 1) for place in range(count)]


# -- what is shown instead


def covered(value: Any, cover: Cover) -> Any:
    """The same value with every picture in it covered; of files a covered picture remains."""
    if isinstance(value, Image):
        return cover(value)
    if isinstance(value, Mask):
        return Mask(np.zeros_like(value.pixels))
    if isinstance(value, Artifact):
        if is_plain(value):
            return value
        return artifacts.keep(pictures.picture_bytes(cover(next(frames_of(value))), "png"), mime="image/png")
    if isinstance(value, (list, tuple)):
        return type(value)(covered(item, cover) for item in value)
    if isinstance(value, dict):
        return {key: covered(item, cover) for key, item in value.items()}
    if isinstance(value, Value):
        fields = {name: covered(getattr(value, name), cover) for name in value.__struct_fields__}
        return replace(value, **fields)
    return value


def blurred(image: Image) -> Image:
    """So few colours that nothing can be made out."""
    whole = pil.fromarray(next(layers(bytes_of(image))))
    scale = VEIL / max(whole.size)
    small = whole.resize([max(1, round(n * scale)) for n in whole.size], pil.Resampling.BOX)
    return Image(np.asarray(small.resize(whole.size, pil.Resampling.BICUBIC)))


def placeholder(image: Image, lines: Sequence[str]) -> Image:
    """A neutral picture of the same size that says why."""
    from nodes._lib.colours import rgba
    from nodes._lib.lettering import Ink, Spot, Style, written

    grey = Image(np.full((image.height, image.width, 3), 128, np.uint8))
    size = max(6, min(image.width, image.height) // 10)
    words = Style(size)
    while size > 6 and max(map(words.width, lines), default=0) > image.width * 0.92:
        size -= 1
        words = Style(size)
    ink = Ink(rgba("white"), rgba("transparent"), 0)
    return written(grey, list(lines), words, ink, Spot("centre", 2, "centre"))
