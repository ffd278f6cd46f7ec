"""Moving pictures in one file: GIF, animated WebP, PNG, AVIF and MP4, as frames with durations, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as pil

from engine import pictures
from engine.context import Context
from engine.errors import BadInput
from engine.media import sniff_picture
from engine.types import Image
from nodes._lib import films

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

MOST_FRAMES = 10_000
FILMS = ("video/mp4", "video/quicktime", "video/webm")
UNSAID = 0.1
"""Seconds that a frame lasts of which the file does not say it: what browsers do."""
STEP = {"gif": 10}
"""Milliseconds that a format counts in, where it is not 1."""


def frames(data: bytes, start: int, count: int, step: int, ctx: Context) -> Iterator[tuple[Image, float]]:
    """Some frames and their seconds; a frame that is kept lasts as long as those skipped after it, too."""
    if pictures.is_deep(data):
        yield pictures.picture(data), UNSAID
        return
    try:
        if sniff_picture(data) in FILMS:
            yield from of_film(data, start, count, step, ctx)
            return
        with pictures.opened(data) as file:
            total = int(getattr(file, "n_frames", 1))
            chosen = range(start, min(total, start + count * step) if count else total, step)
            check(len(chosen), file.width, file.height)
            if not chosen:
                raise BadInput("start", got=start, want=f"less than {total}, its frames", remedy="Use less.")
            for first in ctx.track(chosen):
                seconds = 0.0
                image: Image | None = None
                for index in range(first, min(total, first + step)):
                    file.seek(index)
                    image = image or pictures.shown(file)
                    file.load()  # some formats know the duration only then
                    seconds += float(file.info.get("duration") or 0) / 1000 or UNSAID
                if image is not None:
                    yield image, seconds
    except BadInput:
        raise
    except Exception as error:  # a broken or hostile file fails in whatever way its decoder does
        raise BadInput("file", got=str(error), want="a whole picture file", remedy="Save it anew.") from None


def of_film(data: bytes, start: int, count: int, step: int, ctx: Context) -> Iterator[tuple[Image, float]]:
    """The same of a film, which is read from its beginning; nothing it says of its length is believed."""
    kept: tuple[Image, float] | None = None
    taken = 0
    for index, (image, seconds) in enumerate(films.frames(data)):
        ctx.check()
        if kept is not None and (index - start) % step:
            kept = (kept[0], kept[1] + seconds)
        elif index >= start:
            if kept is not None:
                yield kept
            kept = None
            if count and taken == count:
                return
            taken += 1
            check(taken, image.width, image.height)
            kept = (image, seconds)
    if kept is None:
        raise BadInput("start", got=start, want="less than its frames", remedy="Use less.")
    yield kept


def animated(
    images: Sequence[Image],
    durations: Sequence[float],
    format: str,
    *,
    loop: int,
    quality: int,
    lossless: bool,
    metadata: Mapping[str, str],
) -> bytes:
    """The frames as one file; `loop` is how often it plays, 0 for ever."""
    if format == "mp4":
        return films.filmed(images, durations, quality=quality, metadata=metadata)
    first = images[0]
    clear = any(image.pixels.shape[2] == 4 for image in images)
    turned = [flat(image, clear, format) for image in images]
    lengths = milliseconds(durations, STEP.get(format, 1))
    options: dict[str, Any] = {"save_all": True, "append_images": turned[1:], "duration": lengths}
    if format == "gif":
        options |= {"loop": loop - 1 if loop else 0} if loop != 1 else {}
        options |= {"disposal": 2 if clear else 1, "optimize": False}
        options |= {"comment": pictures.described(metadata).encode()} if metadata else {}
    elif format == "png":
        options |= {"loop": loop, "pnginfo": pictures.png_info(metadata)}
    else:
        options |= {"quality": quality, "exif": pictures.exif(metadata)}
        options |= {"loop": loop, "lossless": lossless, "exact": lossless} if format == "webp" else {}
    if len(images) == 1:
        options["duration"] = lengths[0]
    try:
        return pictures.written(turned[0], format, **options)
    except BadInput as error:
        got = f"{len(images)} of {first.width} × {first.height}"
        raise BadInput("frames", got=got, want=str(error), remedy="Use another format.") from None


def flat(image: Image, clear: bool, format: str) -> Opened:
    """A frame as its format takes it: a GIF has up to 256 colours, and pixels that are clear or not."""
    pixels = pictures.in_steps(image.pixels, 8)
    file = pictures.to_file(pixels).convert("RGBA" if clear else "RGB")
    if format != "gif":
        return file
    if clear:
        hard = np.asarray(file).copy()
        hard[..., 3] = np.where(hard[..., 3] >= 128, 255, 0)
        hard[hard[..., 3] == 0] = 0
        return pil.fromarray(hard)  # Pillow chooses the colours, and the clear one among them
    if file.getcolors(256):
        return file.quantize(256, pil.Quantize.MEDIANCUT, dither=pil.Dither.NONE)  # keeps each of them
    palette = file.quantize(256, pil.Quantize.FASTOCTREE)
    return file.quantize(palette=palette, dither=pil.Dither.FLOYDSTEINBERG)


def milliseconds(durations: Sequence[float], step: int) -> list[int]:
    """Whole steps for each frame, rounded so that no frame drifts from its time."""
    ends = np.rint(np.cumsum([0.0, *durations]) * 1000 / step).astype(int)
    return [max(1, int(length)) * step for length in np.diff(ends)]


def check(count: int, width: int, height: int) -> None:
    """Refuse more than memory can bear."""
    most = min(MOST_FRAMES, pictures.LIMIT // max(1, width * height))
    if count > most:
        raise BadInput(
            "count",
            got=f"{count:,} frames of {width} × {height}",
            want=f"at most {most:,}",
            remedy="Take fewer with count or step.",
        )
