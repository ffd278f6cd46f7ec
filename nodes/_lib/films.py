"""Clips as MP4: H.264 with exact times, read frame by frame, and what such a file says of itself."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from engine import pictures
from engine.errors import BadInput
from engine.types import Image

TICK = Fraction(1, 1000)
"""Frames begin at whole milliseconds."""
UNSAID = 0.1
CONTAINER = frozenset(("major_brand", "minor_version", "compatible_brands", "encoder", "creation_time"))
"""What a container says of its own making."""
SIDE_INFORMATION = "filter_units=remove_types=6"
"""Takes out what the encoder writes about itself into the stream."""


def filmed(
    images: Sequence[Image], durations: Sequence[float], *, quality: int, metadata: Mapping[str, str]
) -> bytes:
    """The frames as an MP4 that browsers play. One thread encodes, so that every machine writes the same."""
    first = images[0]
    if first.width % 2 or first.height % 2:
        got, want = f"{first.width} × {first.height}", "an even width and height for mp4"
        raise BadInput("frames", got=got, want=want, remedy="Resize or crop them by a pixel.")
    out = io.BytesIO()
    options = {"fflags": "+bitexact"} | ({"movflags": "+use_metadata_tags"} if metadata else {})
    with av.open(out, "w", format="mp4", options=options) as film:
        film.metadata.update(metadata)
        rate = Fraction(len(images) / sum(durations)).limit_denominator(1000)
        stream = film.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        stream.options = {"crf": str(crf(quality)), "threads": "1", "flags": "+bitexact"}
        stream.time_base = stream.codec_context.time_base = TICK
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 1  # limited, BT.709
        stream.codec_context.color_primaries, stream.codec_context.color_trc = 1, 1
        starts = np.rint(np.cumsum([0.0, *durations]) / float(TICK)).astype(int)
        lasting = {int(start): int(end - start) for start, end in pairwise(starts)}
        clean = av.BitStreamFilterContext(SIDE_INFORMATION, stream)
        for packet in encoded(stream, images, starts):
            packet.duration = lasting.get(packet.pts, 0)
            film.mux(clean.filter(packet))
        film.mux(clean.filter(None))
    return out.getvalue()


def encoded(stream: Any, images: Sequence[Image], starts: Any) -> Iterator[Any]:
    for image, start in zip(images, starts, strict=False):
        opaque = pictures.on_white(pictures.to_file(pictures.in_steps(image.pixels, 8))).convert("RGB")
        frame = av.VideoFrame.from_ndarray(np.asarray(opaque), format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = int(start), TICK
        yield from stream.encode(frame)
    yield from stream.encode()


def crf(quality: int) -> int:
    """Our 1 to 100 on the scale of x264, where less is finer: 90 is 12, which eyes take for the original."""
    return min(51, round(8 + (100 - quality) * 0.45))


def frames(data: bytes) -> Iterator[tuple[Image, float]]:
    """Every frame and its seconds: until the next one, or the end."""
    with av.open(io.BytesIO(data), mode="r") as film:
        stream = film.streams.video[0]
        usual = float(1 / stream.average_rate) if stream.average_rate else UNSAID
        shown: Image | None = None
        began = 0.0
        for frame in film.decode(stream):
            if shown is not None:
                yield shown, (frame.time - began if frame.time is not None else 0.0) or usual
            shown, began = Image(frame.to_ndarray(format="rgb24")), frame.time or 0.0
        end = float(((stream.start_time or 0) + (stream.duration or 0)) * (stream.time_base or 0))
        if shown is not None:
            yield shown, end - began if end > began else usual


def texts(data: bytes) -> dict[str, str]:
    """What the file says of itself."""
    with av.open(io.BytesIO(data), mode="r") as film:
        return {name: text for name, text in film.metadata.items() if name not in CONTAINER}
