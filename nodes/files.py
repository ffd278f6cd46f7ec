"""Files: uploads become pictures, pictures become files, and files tell how they were made."""

from __future__ import annotations

import json
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine import artifacts, credentials
from engine.config import Metadata
from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.node import node
from engine.types import Artifact, FileName, Image, Json, Mask, Quality, ui

LABEL = "Made with Tessera, an AI image generator."

Rate = Annotated[
    float,
    Meta(gt=0, le=120, description="Frames in a second.", extra_json_schema=ui("slider", step=1)),
]
FASTEST_GIF = 50
"""Frames in a second: browsers show what is faster much slower."""


class Opened(NamedTuple):
    image: Image
    mask: Mask


class Clip(NamedTuple):
    frames: list[Image]
    durations: list[float]
    fps: float


class Told(NamedTuple):
    prompt: str
    negative: str
    settings: Json
    workflow: str
    software: str
    camera: Json
    texts: Json


@node(category="files")
def load_image(image: Artifact) -> Opened:
    """Open an uploaded picture, upright and in sRGB.

    `mask` marks what is transparent in it; nothing, if the picture has no transparency. PNG and TIFF files of
    16 bits or floating point keep their fineness. Of a file with several frames it opens the first; for all,
    use `load_frames`.
    """
    import numpy as np

    from engine.codecs import picture

    found = picture(artifacts.read(image))
    if found.pixels.shape[2] == 4:
        from nodes._lib import pictures

        return Opened(found, Mask(1 - pictures.floats(found)[..., 3]))
    return Opened(found, Mask(np.zeros(found.pixels.shape[:2], np.float32)))


@node(category="files")
def load_frames(
    file: Artifact,
    start: Annotated[int, Meta(ge=0, le=1_000_000, description="The first frame to take, from 0.")] = 0,
    count: Annotated[int, Meta(ge=0, le=10_000, description="How many to take; 0 takes all.")] = 0,
    step: Annotated[int, Meta(ge=1, le=1000, description="2 takes every second frame, 3 every third.")] = 1,
    ctx: Context = SILENT,
) -> Clip:
    """Open every frame of an animated GIF, WebP, PNG or AVIF, or of a film, as a list of pictures.

    `durations` tells how many seconds each is shown, and `fps` how many there are in a second on average:
    wire one of them into `save_animation`. A picture that does not move is a list of one.
    """
    from nodes._lib import animation

    found = list(animation.frames(artifacts.read(file), start, count, step, ctx))
    durations = [seconds for _, seconds in found]
    return Clip([image for image, _ in found], durations, len(found) / sum(durations))


@node(category="files", kind="effect", lane="cpu")
def save_image(
    image: Image,
    name: FileName = "picture",
    format: Literal["png", "jpeg", "webp", "avif", "tiff"] = "png",
    quality: Quality = 95,
    metadata: Metadata | None = None,
    depth: Annotated[
        Literal["8 bit", "16 bit", "float"],
        Meta(description="How fine the steps are: 16 bits for PNG and TIFF, floating point for TIFF."),
    ] = "8 bit",
    lossless: Annotated[
        bool, Meta(description="WebP without any loss, larger; PNG and TIFF always are.")
    ] = False,
    subsampling: Annotated[
        Literal["auto", "4:4:4", "4:2:2", "4:2:0"],
        Meta(description="How finely JPEG and AVIF keep colour: 4:4:4 in full; auto does from quality 90."),
    ] = "auto",
) -> Artifact:
    """Save a picture as a file, also under a readable name in the output folder.

    In `name`, `{prompt}`, `{seed}` and every other named input of the workflow in braces stand for their
    values, `{width}`, `{height}`, `{date}` and `{title}` for the picture's size, the day and the workflow;
    `{counter}` is where the number goes that keeps files apart, else at the end.

    `quality` is for JPEG, WebP and AVIF; PNG and TIFF lose nothing. JPEG has no transparency and is laid on
    white. 16 bits are worth it for pictures that were not rounded to 8 before, such as float ones.

    `metadata` is what the file says about itself: "none" at all, "label" that it was generated, "params" also
    the prompt, the seed and the other inputs, "full" also the whole workflow and the receipt. Left
    out, the server's setting counts. But for "none" the file is signed too, where the
    server has a certificate.
    """
    from engine.pictures import Depth, picture_bytes

    if lossless and format in ("jpeg", "avif"):
        raise BadInput(
            "lossless", got=f"true for {format}", want="webp, png or tiff", remedy="Change the format."
        )
    depths: dict[str, Depth] = {"8 bit": 8, "16 bit": 16, "float": 32}
    data = picture_bytes(
        image, format, quality=quality, metadata=story(metadata),
        depth=depths[depth], lossless=lossless, subsampling=subsampling,
    )  # fmt: skip
    return kept(data, file_name(name, image), f"image/{format}", metadata)


@node(category="files", kind="effect", lane="cpu")
def save_animation(
    frames: list[Image],
    fps: Rate = 12.0,
    durations: list[float] | None = None,
    name: FileName = "animation",
    format: Literal["gif", "webp", "png", "avif", "mp4"] = "webp",
    loop: Annotated[int, Meta(ge=0, le=1000, description="How often it plays; 0 is for ever.")] = 0,
    quality: Quality = 90,
    lossless: bool = False,
    metadata: Metadata | None = None,
) -> Artifact:
    """Save a list of pictures as one that moves.

    Frames follow each other at `fps`, or each stays for its seconds in `durations`. WebP is small and fine;
    GIF goes everywhere but has 256 colours for each frame; PNG (APNG) loses nothing and is large; AVIF is
    smallest and always plays for ever. MP4 (H.264) is a film: it plays once, has no transparency and an even
    width and height. `quality` is for WebP, AVIF and MP4, `lossless` for WebP. `name` and `metadata` are as
    in `save_image`.
    """
    from nodes._lib import animation

    lengths = [1 / fps] * len(frames) if durations is None else durations
    check_frames(frames, lengths, format, loop)
    animation.check(len(frames), frames[0].width, frames[0].height)
    data = animation.animated(
        frames, lengths, format,
        loop=loop, quality=quality, lossless=lossless, metadata=story(metadata),
    )  # fmt: skip
    mime = "video/mp4" if format == "mp4" else f"image/{format}"
    return kept(data, file_name(name, frames[0]), mime, metadata)


@node(category="files")
def read_metadata(file: Artifact) -> Told:
    """Read what a picture or film says about how it was made.

    `prompt`, `negative` and the other `settings` are found in files of ours and of other programs that
    write "parameters"; `workflow` is the whole workflow, if the file has it. `camera` is what a camera wrote
    (Exif), and `texts` has every text in the file by its name. What the file does not say stays empty.
    """
    from nodes._lib import labels

    data = artifacts.read(file)
    texts, camera = labels.told(data)
    settings = labels.settings_of(texts.get("parameters", ""))
    prompt, negative = (
        value if isinstance(value := settings.get(key), str) else "" for key in ("prompt", "negative")
    )
    software = texts.get("Software") or str(camera.get("Software", ""))
    return Told(prompt, negative, settings, texts.get("workflow", ""), software, camera, texts)


def kept(data: bytes, name: str, mime: str, wanted: Metadata | None) -> Artifact:
    """A file that is saved: signed where a certificate is configured, unless it is to say nothing."""
    if (wanted or (artifacts.origin.get() or {}).get("metadata")) != "none":
        data = credentials.sign(data, mime, name)
    return artifacts.keep(data, name=name, mime=mime)


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
        told["receipt"] = artifacts.voucher.get()()
    return {name: text for name, text in told.items() if text}


def file_name(pattern: str, image: Image) -> str:
    """The name with what its braces stand for."""
    import time

    from nodes._lib import naming

    made = artifacts.origin.get() or {}
    known = dict(made.get("inputs") or {}) | {
        "title": made.get("title", ""),
        "width": image.width,
        "height": image.height,
        "date": time.strftime("%Y-%m-%d"),
    }
    return naming.filled(pattern, known)


def check_frames(frames: list[Image], durations: list[float], format: str, loop: int) -> None:
    """Refuse frames that make no animation of this format."""
    if not frames:
        raise BadInput("frames", got="no pictures", want="at least one", remedy="Wire some in.")
    first = frames[0]
    for index, frame in enumerate(frames):
        if (frame.width, frame.height) != (first.width, first.height):
            raise BadInput(
                "frames",
                got=f"{frame.width} × {frame.height} for frame {index}",
                want=f"{first.width} × {first.height}, like the first",
                remedy="Resize or crop them to one size.",
            )
    if len(durations) != len(frames):
        got, want = f"{len(durations)} for {len(frames)} frames", "one for each"
        raise BadInput("durations", got=got, want=want, remedy="Leave them out to use fps.")
    least = 1 / FASTEST_GIF if format == "gif" else 0.001
    if wrong := [seconds for seconds in durations if not least * 0.999 <= seconds <= 600]:
        want = f"{least:g} to 600 seconds a frame for {format}"
        raise BadInput("durations", got=f"{wrong[0]:g} seconds", want=want, remedy="Change fps or durations.")
    if format in ("avif", "mp4") and loop:
        want = (
            "0: AVIF plays for ever" if format == "avif" else "0: how often it plays is the player's choice"
        )
        raise BadInput("loop", got=loop, want=want, remedy="Use WebP, GIF or PNG.")
