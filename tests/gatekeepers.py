"""A checker that knows one shade, and nodes that try to carry pictures of it past the gate."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from engine import artifacts
from engine.context import SILENT, Answer, Context, nobody
from engine.errors import GateClosed
from engine.node import node
from engine.pictures import picture_bytes
from engine.registry import Registry, in_pack
from engine.types import Artifact, Image, Json, Lazy, Mask, T, Value
from nodes._lib import inspecting
from tests.toys import all_nodes

BAD, GOOD, GREY = 250, 40, 128
"""Shades: what may not be seen, what may, and what is shown instead."""
V = TypeVar("V")


class Log:
    """What the checker saw and the effects were given, since the test began."""

    now: Log

    def __init__(self) -> None:
        self.looked = 0
        self.sent: list[Any] = []
        self.broken = False
        """The checker fails at whatever it is shown."""
        self.slow: threading.Event | None = None
        """The checker waits for this."""
        self.began = threading.Event()


def shades(value: object) -> set[int]:
    """Every shade in the pictures of a value."""
    if isinstance(value, Boxed):
        return shades(value.inside)
    if isinstance(value, (list, tuple)):
        return {shade for item in value for shade in shades(item)}
    if not isinstance(value, (Image, Mask)):
        return set()
    scale = 1 if value.pixels.dtype == np.uint8 else 255
    return {round(float(shade) * scale) for shade in np.unique(value.pixels)}


class Checked(NamedTuple, Generic[V]):
    out: V
    allowed: bool
    score: float
    verdict: Json


def who(**_: object) -> str:
    return f"the keeper {'broken' if Log.now.broken else 'well'}"


@node(category="test", kind="source", lane="cpu", fingerprint=who)
def check_safety(
    value: T,
    checkers: list[str] = (),  # type: ignore[assignment]  # as the real one has it
    flagged: Literal["block", "blur", "log"] = "block",
    clip: bool = False,
    ctx: Context = SILENT,
) -> Checked[T]:
    """Flags every picture with the bad shade in it."""
    log = Log.now
    log.began.set()
    for _ in ctx.track(range(4000)):
        if log.slow is None or log.slow.wait(0.005):
            break
    if log.broken:
        raise GateClosed("The keeper is broken.")
    bad = False
    for frames in inspecting.found(value, 8, clip=clip):
        for frame in frames:
            log.looked += 1
            bad = bad or BAD in shades(frame)
    verdict = {"action": "blocked" if bad else "passed", "checked": log.looked}
    if bad and flagged != "log":
        cover = inspecting.covered(value, lambda image: Image(np.full_like(image.pixels, GREY)))
        return Checked(cover, False, 1.0, verdict)
    return Checked(value, not bad, float(bad), verdict)


# -- nodes of a pack


class Boxed(Value, frozen=True, eq=False):
    """A picture in a box."""

    inside: Image


@node(category="test")
def draw(shade: int, side: int = 8, ctx: Context = SILENT) -> Image:
    """A picture of one shade, shown on the way."""
    picture = Image(np.full((side, side, 3), shade, np.uint8))
    ctx.preview(picture)
    return picture


@node(category="test", lane="inline")
def mirror(image: Image) -> Image:
    """The other way round."""
    return Image(np.ascontiguousarray(image.pixels[:, ::-1]))


@node(category="test", lane="inline")
def box(image: Image) -> Boxed:
    """Put it into a box."""
    return Boxed(image)


@node(category="test", lane="inline")
def open_box(box: Boxed) -> Image:
    """Take it out."""
    return box.inside


@node(category="test", lane="inline")
def pretend(image: Image) -> Json:
    """Give a picture out as plain data."""
    return image


@node(category="test", lane="inline")
def as_mask(image: Image) -> Mask:
    """A picture as a mask."""
    return Mask(image.pixels[:, :, 0].astype(np.float32) / 255)


@node(category="test", lane="inline")
def clear(image: Image) -> Image:
    """Hide it behind transparency."""
    return Image(np.concatenate([image.pixels[..., :3], np.zeros((*image.pixels.shape[:2], 1), np.uint8)], 2))


@node(category="test")
def file(image: Image) -> Artifact:
    """Keep it as a file, without being an effect."""
    return artifacts.keep(picture_bytes(image, "png"))


@node(category="test")
def disguise(image: Image) -> Artifact:
    """Keep it as a file that says it is a text."""
    return artifacts.keep(picture_bytes(image, "png"), mime="text/plain")


@node(category="test")
def spell(image: Image) -> Artifact:
    """Keep it within a text."""
    data = base64.b64encode(picture_bytes(image, "png")).decode()
    return artifacts.keep(f'<svg><image href="data:image/png;base64,{data}"/></svg>'.encode())


@node(category="test")
def raw(image: Image) -> Artifact:
    """Keep its bytes as a file of no known kind."""
    return artifacts.keep(b"\x00\x01" + image.pixels.tobytes())


@node(category="test", kind="effect")
def send(what: T) -> int:
    """Send anything away."""
    Log.now.sent.append(what)
    return 1


@node(category="test", kind="effect")
def send_data(what: Json) -> int:
    """Send plain data away."""
    Log.now.sent.append(what)
    return 1


@node(category="test", kind="effect")
def paint(shade: int) -> Artifact:
    """Draw within an effect."""
    return artifacts.keep(picture_bytes(Image(np.full((8, 8, 3), shade, np.uint8)), "png"))


@node(category="test", kind="effect")
async def send_later(what: Lazy[Image]) -> int:
    """Send away what is computed only now."""
    Log.now.sent.append(await what())
    return 1


@node(category="test", kind="effect")
async def send_made(make: Callable[[int], Awaitable[Image]], shade: int) -> int:
    """Send away what a group makes."""
    Log.now.sent.append(await make(shade))
    return 1


@node(category="test")
async def show(image: Image, answer: Answer = nobody) -> str:
    """Ask a person about a picture."""
    return await answer("This one?", ["yes", "no"], [image])


@node(category="test")
async def show_made(make: Callable[[int], Awaitable[Image]], shade: int, answer: Answer = nobody) -> str:
    """Ask a person about what a group makes."""
    return await answer("This one?", ["yes", "no"], [await make(shade)])


# -- registries


def gated() -> Registry:
    """All nodes; the keeper in the place of the real check, the others as those of a pack."""
    everything = all_nodes()
    keeper = Registry.of([sys.modules[__name__]]).nodes["check_safety"]
    entries = [e for e in everything.nodes.values() if e.spec.id not in ("check_safety", "check_prompt")]
    core = Registry([*entries, keeper], classes=everything.classes, loaders=everything.loaders)
    return core.with_packs([in_pack("mine", [sys.modules[__name__]], "1")])
