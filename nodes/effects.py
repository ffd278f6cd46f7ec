"""Effects: blur, sharpen, noise, vignette, words on pictures, and the difference of two."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Colour, Degrees, Fraction, Image, Mask, Seed, slider, ui
from nodes.transform import Anchor

Radius = Annotated[
    float,
    slider(0, 100, "In pixels; 0 changes nothing.", step=0.5),
]
Share = Annotated[
    float,
    slider(0, 1, "0 changes nothing, 1 is all of it."),
]
Words = Annotated[
    str,
    Meta(
        max_length=5000,
        description="What to write; each line of it begins a new one.",
        extra_json_schema=ui("text"),
    ),
]
Grain = Literal["film", "gaussian", "uniform"]


class Compared(NamedTuple):
    heat: Image
    mean_difference: float
    psnr: float
    ssim: float


# -- soft and sharp


@node(category="image/effects")
def blur(
    image: Image,
    radius: Radius = 4.0,
    how: Literal["gaussian", "box", "median"] = "gaussian",
    mask: Mask | None = None,
) -> Image:
    """Make a picture soft, all of it or where a mask says so.

    "gaussian" is the natural one (`radius` is its standard deviation), "box" takes the mean of a square,
    "median" removes specks and keeps edges; beyond a radius of 5 it works in 8 bits. Cut-outs get soft edges,
    without a dark rim.
    """
    from nodes._lib import filters, planes

    if radius == 0:
        return image
    if how == "median":
        changed = filters.median(image, max(1, round(radius)))
    else:
        changed = filters.smoothed(image, filters.blur(how, radius))
    return planes.within(image, changed, mask)


@node(category="image/effects")
def motion_blur(
    image: Image,
    length: Annotated[
        float, Meta(ge=1, le=200, description="How far it moved, in pixels; 1 is not at all.")
    ] = 16.0,
    degrees: Degrees = 0.0,
    mask: Mask | None = None,
) -> Image:
    """Blur along a line, as if the camera or the subject had moved: 0 degrees is sideways, 90 up and down."""
    from nodes._lib import filters, planes

    if length == 1:
        return image
    return planes.within(image, filters.smoothed(image, filters.streak(length, degrees)), mask)


@node(category="image/effects")
def sharpen(
    image: Image,
    radius: Annotated[
        float,
        slider(0.1, 50, "Size of the detail, in pixels.", step=0.1),
    ] = 1.0,
    amount: Annotated[
        float,
        slider(0, 5, "1 doubles the detail.", step=0.05),
    ] = 0.8,
    threshold: Annotated[
        float,
        slider(0, 1, "Steps smaller than this stay: about 0.02 spares noise and skin.", step=0.005),
    ] = 0.0,
    mask: Mask | None = None,
) -> Image:
    """Sharpen a picture (unsharp mask).

    A radius of 1 suits a picture that was just made smaller, 2 to 3 one that is a little out of focus; large
    radii with a small amount (30 and 0.2) give local contrast.
    """
    from nodes._lib import filters, planes

    if amount == 0:
        return image
    return planes.within(image, filters.sharpened(image, radius, amount, threshold), mask)


@node(category="image/effects")
def reduce_noise(
    image: Image,
    strength: Share = 0.3,
    how: Literal["bilateral", "non-local means"] = "bilateral",
    mask: Mask | None = None,
) -> Image:
    """Take noise out of a picture and keep its edges.

    "bilateral" is fast and makes surfaces smooth, at high strength like a painting. "non-local means" looks
    for patches that are alike; it keeps fine texture better and takes some seconds for each megapixel.
    """
    from nodes._lib import filters, planes

    if strength == 0:
        return image
    return planes.within(image, filters.cleaned(image, how, strength), mask)


# -- looks


@node(category="image/effects")
def add_noise(
    image: Image,
    amount: Share = 0.08,
    how: Grain = "film",
    size: Annotated[
        float,
        slider(1, 32, "How large a grain is, in pixels.", step=0.5),
    ] = 1.0,
    coloured: bool = False,
    seed: Seed = 0,
    mask: Mask | None = None,
) -> Image:
    """Add noise or film grain to a picture.

    "film" is strongest in the midtones and leaves black and white clean, "gaussian" is the same everywhere
    (`amount` is its standard deviation), "uniform" adds anything up to `amount` either way. The noise is grey
    unless `coloured`; the same seed gives the same noise.
    """
    from nodes._lib import filters, planes

    if amount == 0:
        return image
    return planes.within(image, filters.noisy(image, how, amount, size, coloured, seed), mask)


@node(category="image/effects")
def pixelate(
    image: Image,
    size: Annotated[int, Meta(ge=1, le=1024, description="Side of a block, in pixels.")] = 8,
    mask: Mask | None = None,
) -> Image:
    """Show a picture in square blocks, each in its mean colour.

    With a mask it hides a part. To hide a face for good the blocks must be coarse, a fifth of it or more.
    """
    from nodes._lib import filters, planes

    if size == 1:
        return image
    return planes.within(image, filters.smoothed(image, filters.pixelated(size)), mask)


@node(category="image/effects")
def vignette(
    image: Image,
    amount: Share = 0.4,
    start: Annotated[
        Fraction, Meta(description="Where it begins, from the middle (0) to the corners (1).")
    ] = 0.4,
    colour: Colour = "black",
) -> Image:
    """Darken the corners of a picture, or lead them to any other colour.

    `amount` is how much of `colour` there is at the very corner; white makes an old print.
    """
    from nodes._lib import filters, planes
    from nodes._lib.colours import rgba

    if amount == 0:
        return image
    mask = Mask(filters.vignette(image.width, image.height, start)[..., 0] * amount)
    *colours, alpha = rgba(colour)
    if alpha < 1:
        raise BadInput("colour", got=colour, want="a colour without transparency")
    return planes.recoloured(image, lambda part: filters.filled(part, colours), mask)


@node(category="image/effects")
def draw_text(
    image: Image,
    text: Words,
    size: Annotated[int, Meta(ge=6, le=1000, description="Height of the letters, in pixels.")] = 32,
    colour: Colour = "white",
    outline: Annotated[int, Meta(ge=0, le=64, description="Pixels of a border around the letters.")] = 0,
    outline_colour: Colour = "black",
    anchor: Anchor = "bottom",
    margin: Annotated[int, Meta(ge=0, le=4096, description="Pixels to keep from the edge.")] = 16,
    face: Literal["sans", "italic", "plain"] = "sans",
    weight: Literal["regular", "bold"] = "regular",
    align: Literal["left", "centre", "right"] = "centre",
) -> Image:
    """Write words on a picture: a caption, a title, a mark.

    Lines that are too long for the picture are wrapped. Latin, Greek, Cyrillic, Chinese, Japanese and Korean
    letters are there; nothing is read from the machine, so the words look the same everywhere. An outline
    of a tenth of the size keeps them readable on anything. What does not fit is refused.
    """
    from nodes._lib import lettering
    from nodes._lib.colours import rgba

    if not text.strip():
        return image
    style = lettering.Style(size, face, weight)
    room = image.width - 2 * (margin + outline)
    if room < size // 2:
        raise BadInput(
            "margin", got=margin, want="room for the text", remedy="Use a smaller margin or outline."
        )
    lines = lettering.wrapped(text, room, style)
    high = len(lines) * style.leading + 2 * (margin + outline)
    if high > image.height:
        raise BadInput(
            "text",
            got=f"{len(lines)} lines that need {high} pixels",
            want=f"at most the {image.height} that the picture is high",
            remedy="Use a smaller size or fewer words.",
        )
    ink = lettering.Ink(rgba(colour), rgba(outline_colour, "outline_colour"), outline)
    return lettering.written(image, lines, style, ink, lettering.Spot(anchor, margin, align))


# -- two pictures


@node(category="image/effects")
def compare_pictures(
    a: Image,
    b: Image,
    gain: Annotated[
        float, Meta(ge=1, le=255, description="How much brighter the heat picture is made.")
    ] = 4.0,
) -> Compared:
    """How far apart two pictures of the same size are, in figures and as a heat picture.

    `mean_difference` is from 0 (equal) to 1. `psnr` is in dB: over 40 nobody sees a difference, under 25
    everybody; equal pictures get 100. `ssim` goes by structure rather than by single pixels, up to 1 for
    equal. In `heat` black is equal, and the brighter the more they differ.
    """
    from nodes._lib import filters

    if (a.width, a.height) != (b.width, b.height):
        want = f"{a.width} × {a.height}, like a"
        raise BadInput("b", got=f"{b.width} × {b.height}", want=want, remedy="Resize one of them.")
    if min(a.width, a.height) < 3:
        raise BadInput(
            "a", got=f"{a.width} × {a.height}", want="at least 3 × 3", remedy="Use larger pictures."
        )
    distance, *figures = filters.compared(a, b)
    return Compared(filters.heat(distance, gain), *figures)
