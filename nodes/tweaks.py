"""Let a model draw in another way: without edges, in windows, with its own features weighed differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Denoiser, Model, Tweak, Vae, slider

Side = Annotated[
    int, Meta(ge=64, le=4096, multiple_of=8, description="Width or height of a window, in pixels.")
]
Overlap = Annotated[
    int,
    Meta(
        ge=0,
        le=2048,
        multiple_of=8,
        description="Pixels that each window lies at least over the next; at most half of a window.",
    ),
]
Backbone = Annotated[
    float, slider(0, 3, "How much the backbone's features count, 1 as usual: content and form.", step=0.05)
]
Skip = Annotated[
    float, slider(0, 3, "How much the skipped features count, 1 as usual: fine detail, noise.", step=0.05)
]


class Seamless(Tweak, frozen=True, eq=False):
    """A picture that goes on beyond an edge from the other one."""

    across: bool
    down: bool


class InWindows(Tweak, frozen=True, eq=False):
    """A picture drawn in windows of so many pixels."""

    width: int
    height: int
    overlap: int


class FreeU(Tweak, frozen=True, eq=False):
    """How much the features of a UNet's last two scales count."""

    b1: float
    b2: float
    s1: float
    s2: float


class Parts(NamedTuple):
    denoiser: Denoiser
    vae: Vae


@node(category="models/tweaks", lane="inline")
def draw_seamless(
    model: Denoiser,
    vae: Vae,
    edges: Literal["all", "left and right", "top and bottom"] = "all",
) -> Parts:
    """Let a model draw pictures that can be laid side by side like tiles, without a seam.

    What leaves at one edge comes in at the other: for fabric, wallpaper, textures; with "left and right" for
    a panorama that goes all the way round. Decode with the `vae` that comes out, or a faint seam stays. A
    guide should fit together at its edges, too.
    """
    tweak = Seamless(across=edges != "top and bottom", down=edges != "left and right")
    return Parts(tweaked(model, tweak), tweaked(vae, tweak))


@node(category="models/tweaks", lane="inline")
def draw_in_windows(
    model: Denoiser, width: Side = 512, height: Side = 512, overlap: Overlap = 128
) -> Denoiser:
    """Let a model draw large pictures through windows of its native size, blended at each step.

    A model that is asked for more than its native size repeats itself, and memory grows with the area. Here
    it looks through one window after another and each place gets the mean of what the windows say, so that
    they agree (MultiDiffusion, Bar-Tal et al. 2023). It takes as many times longer as there are windows.
    Every window hears the whole prompt: it suits landscapes, textures, and the refining of an enlarged
    picture, where the windows see what is there; limit prompts to areas to say what is where. Guides are cut
    alike.
    """
    if overlap > min(width, height) // 2:
        limit = min(width, height) // 2
        raise BadInput("overlap", got=overlap, want=f"at most half of the smaller side, {limit}")
    return tweaked(model, InWindows(width, height, overlap))


@node(category="models/tweaks", lane="inline")
def free_u(
    model: Denoiser, b1: Backbone = 1.5, b2: Backbone = 1.6, s1: Skip = 0.9, s2: Skip = 0.2
) -> Denoiser:
    """Weigh what a UNet sees against what it skips, for clearer forms at no cost of time (FreeU).

    Larger `b1`, `b2` strengthen content and form, smaller `s1`, `s2` take out the noise that this would
    overdo; 1 and 2 are the coarsest scale and the next. Its authors (Si et al. 2023) use 1.5, 1.6, 0.9, 0.2
    for SD 1.5, 1.4, 1.6, 0.9, 0.2 for SD 2, and 1.3, 1.4, 0.9, 0.2 for SDXL. All at 1 changes nothing.
    """
    wanted = None if b1 == b2 == s1 == s2 == 1 else FreeU(b1, b2, s1, s2)
    return tweaked(model, wanted) if wanted else without(model, FreeU)


M = TypeVar("M", bound=Model)


def tweaked(model: M, tweak: Tweak) -> M:
    """The model with this instead of another one of its kind; in which order they came does not matter."""
    every = [*without(model, type(tweak)).tweaks, tweak]
    return msgspec.structs.replace(model, tweaks=tuple(sorted(every, key=lambda one: type(one).__name__)))


def without(model: M, kind: type[Tweak]) -> M:
    kept = tuple(one for one in model.tweaks if type(one) is not kind)
    return msgspec.structs.replace(model, tweaks=kept)


T = TypeVar("T", bound=Tweak)


def one(tweaks: Sequence[Tweak], kind: type[T]) -> T | None:
    """The tweak of this class, if it is there."""
    return next((tweak for tweak in tweaks if isinstance(tweak, kind)), None)
