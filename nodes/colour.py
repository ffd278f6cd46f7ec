"""Colours: correct them, grade them, take them from another picture, show and name them."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine import artifacts
from engine.errors import BadInput
from engine.node import node
from engine.types import Artifact, Colour, Degrees, Image, JsonMark, Mask, slider, ui
from nodes.image import Side, check_size

MOST_POINTS = 64

Tone = Annotated[
    float,
    slider(0, 1, "0 is black, 1 is white."),
]
Amount = Annotated[
    float,
    slider(-1, 1, "0 changes nothing."),
]
Gamma = Annotated[
    float,
    slider(0.1, 10, "Over 1 brightens the midtones, under 1 darkens them.", step=0.05),
]
Channel = Annotated[
    Literal["all", "red", "green", "blue"], Meta(description="Which of the colours to change.")
]
Grey = Literal["luma", "average", "red", "green", "blue"]
Points = Annotated[
    object,
    JsonMark(),
    Meta(
        description="Pairs of before and after, 0 to 1, from dark to bright: [[0, 0], [0.5, 0.6], [1, 1]].",
        extra_json_schema=ui("curve"),
    ),
]
Mix = Annotated[
    float,
    slider(0, 1, "0 leaves the picture as it is, 1 applies all of it."),
]


class Palette(NamedTuple):
    image: Image
    colours: list[str]
    shares: list[float]


class Described(NamedTuple):
    text: str
    names: list[str]


# -- tones


@node(category="image/colour")
def levels(
    image: Image,
    black: Tone = 0.0,
    white: Tone = 1.0,
    gamma: Gamma = 1.0,
    low: Tone = 0.0,
    high: Tone = 1.0,
    channel: Channel = "all",
    mask: Mask | None = None,
) -> Image:
    """Set what becomes black and what white, and how bright the midtones are.

    What is darker than `black` becomes black, what is brighter than `white` white, and the rest is spread
    between. `low` and `high` are the black and the white of the result: raise `low` for a faded look.
    """
    from nodes._lib import planes, tones

    if black >= white:
        raise BadInput(
            "black", got=black, want=f"less than white, {white}", remedy="Lower it or raise white."
        )
    change = tones.on_channel(tones.levels(black, white, gamma, low, high), channel)
    return planes.recoloured(image, change, mask)


@node(category="image/colour")
def brightness_contrast(
    image: Image, brightness: Amount = 0.0, contrast: Amount = 0.0, mask: Mask | None = None
) -> Image:
    """Make a picture brighter or darker, and its contrast stronger or weaker.

    Both go from -1 to 1. Brightness 1 is all white and -1 all black; contrast -1 is plain grey, and 1 leaves
    only pure colours. Use `levels` or `curves` where highlights must keep their detail.
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.brightness_contrast(brightness, contrast), mask)


@node(category="image/colour")
def curves(image: Image, points: Points, channel: Channel = "all", mask: Mask | None = None) -> Image:
    """Bend the tones of a picture along a smooth curve through points.

    [[0, 0], [0.25, 0.2], [0.75, 0.8], [1, 1]] is the classic S for more contrast. The curve never swings
    beyond its points; left of the first and right of the last it stays level.
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.on_channel(tones.curve(pairs(points)), channel), mask)


@node(category="image/colour")
def auto_contrast(
    image: Image,
    cutoff: Annotated[
        float, Meta(ge=0, le=20, description="Percent of the pixels to ignore at either end.")
    ] = 0.5,
    how: Literal["brightness", "colours"] = "brightness",
    mask: Mask | None = None,
) -> Image:
    """Stretch a flat picture so that it goes from black to white.

    "brightness" stretches red, green and blue alike and keeps the hues; "colours" stretches each by itself,
    which also takes away a colour cast. `cutoff` keeps single specks from counting.
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.auto_levels(image, cutoff, how == "colours"), mask)


@node(category="image/colour")
def equalize(
    image: Image,
    how: Literal["adaptive", "whole"] = "adaptive",
    limit: Annotated[
        float,
        Meta(ge=1, le=20, description="How strongly: 2 is natural, 5 dramatic. Counts for adaptive only."),
    ] = 2.0,
    tiles: Annotated[
        int, Meta(ge=1, le=32, description="Parts along each side that are evened out by themselves.")
    ] = 8,
    mask: Mask | None = None,
) -> Image:
    """Bring out detail in dark and bright parts by evening out how often each brightness occurs.

    "adaptive" (CLAHE) works on each part of the picture by itself and limits how much noise it may raise;
    "whole" works on all of it at once. Only the brightness changes, hues stay.
    """
    from nodes._lib import planes, tones

    changed = tones.equalized(image, limit, tiles if how == "adaptive" else 0)
    return planes.within(image, changed, mask)


# -- colours


@node(category="image/colour")
def hue_saturation(
    image: Image,
    hue: Degrees = 0.0,
    saturation: Amount = 0.0,
    lightness: Amount = 0.0,
    mask: Mask | None = None,
) -> Image:
    """Turn the hues, strengthen or fade the colours, lighten or darken.

    `hue` goes round the colour wheel in degrees: 120 makes red green, 180 swaps opposites. Saturation -1 is
    grey and 1 doubles the colours; lightness -1 is black and 1 white.
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.hue_saturation(hue, saturation, lightness), mask)


@node(category="image/colour")
def temperature(
    image: Image, temperature: Amount = 0.0, tint: Amount = 0.0, mask: Mask | None = None
) -> Image:
    """Balance white: make the light of a picture warmer or cooler.

    `temperature` goes from blue (-1) to orange (1), `tint` from green (-1) to magenta (1). It works as a
    camera does, on linear light; black stays black and grey keeps its brightness.
    """
    from nodes._lib import planes, tones

    if not temperature and not tint:
        return image
    return planes.recoloured(image, tones.temperature(temperature, tint), mask)


@node(category="image/colour")
def grayscale(
    image: Image,
    how: Grey = "luma",
    mask: Mask | None = None,
) -> Image:
    """Take the colours out of a picture.

    "luma" is as bright as eyes see it. "red", "green" and "blue" are the colour filters of black and white
    photography: red makes skies dark and skin smooth. A picture without transparency becomes one channel.
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.grayscale(how), mask)


@node(category="image/colour")
def posterize(
    image: Image,
    steps: Annotated[
        int, Meta(ge=2, le=256, description="Brightnesses that each of red, green and blue may have.")
    ] = 4,
    mask: Mask | None = None,
) -> Image:
    """Leave only a few steps of each colour, as a screen print has."""
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.posterize(steps), mask)


@node(category="image/colour")
def threshold(image: Image, level: Tone | None = None, mask: Mask | None = None) -> Image:
    """Black and white without grey: white is what is at least as bright as `level`.

    Left out, the level is the one that parts dark from bright best (Otsu's).
    """
    from nodes._lib import planes, tones

    return planes.recoloured(image, tones.threshold(tones.otsu(image) if level is None else level), mask)


@node(category="image/colour")
def apply_lut(image: Image, lut: Artifact, strength: Mix = 1.0, mask: Mask | None = None) -> Image:
    """Grade a picture with a colour table: a .cube file, 1D or 3D, as film and photo programs write them.

    The table is for sRGB pictures; one made for a camera's log footage looks too strong on anything else.
    """
    from nodes._lib import cubes, planes, tones

    cube = cubes.parsed(artifacts.read(lut))
    return planes.recoloured(image, tones.graded(cube, strength), mask)


@node(category="image/colour")
def match_colours(
    image: Image,
    reference: Image,
    how: Literal["mean", "histogram"] = "mean",
    strength: Mix = 1.0,
    mask: Mask | None = None,
) -> Image:
    """Give a picture the colours of another one: its light, its palette, its mood.

    "mean" moves the average colour and the contrast (in Lab) and looks natural; "histogram" makes each colour
    as frequent as it is in `reference`, which is closer and can be harsh. The sizes may differ.
    """
    from nodes._lib import planes, tones

    return planes.within(image, tones.matched(image, reference, how, strength), mask)


# -- telling colours


@node(category="image/colour")
def palette(
    image: Image, count: Annotated[int, Meta(ge=1, le=32, description="Colours at most.")] = 6
) -> Palette:
    """The main colours of a picture: as a card, as hex texts, and how much of the picture each takes.

    The largest comes first; the shares sum up to 1. The same picture always gives the same colours, fewer
    than `count` if it has no more.
    """
    from nodes._lib import charts, colours

    found, shares = colours.main_colours(image, count)
    if not shares:
        raise BadInput("image", got="a transparent picture", want="something to see", remedy="Fill it first.")
    return Palette(charts.swatches(found), [colours.hex_of(colour) for colour in found], shares)


@node(category="image/colour")
def describe_colours(
    image: Image, most: Annotated[int, Meta(ge=1, le=8, description="Names at most.")] = 3
) -> Described:
    """The main colours of a picture in plain words, such as "mostly light blue, with orange and black".

    Made for prompts and captions. `names` has them one by one, the largest first; what covers less than a
    fortieth of the picture is not named.
    """
    from nodes._lib import colours

    found, shares = colours.main_colours(image, 12)
    parts: dict[str, float] = {}
    for name, share in zip(colours.called(found), shares, strict=True):
        parts[name] = parts.get(name, 0) + share
    ranked = sorted(parts, key=lambda name: -parts[name])
    names = [name for name in ranked if parts[name] >= 1 / 40][:most]
    return Described(sentence(names, parts), names)


@node(category="image/colour")
def histogram(
    image: Image,
    height: Annotated[
        int, Meta(ge=32, le=2048, description="Of the diagram, in pixels; it is 512 wide.")
    ] = 200,
    scale: Literal["linear", "log"] = "linear",
) -> Image:
    """A diagram of how often each brightness occurs in red, green and blue, dark on the left.

    Where the three meet it is white. "log" also shows what is rare. What leans on an edge is clipped there.
    """
    from nodes._lib import charts

    return charts.histogram(image, height, scale == "log")


# -- pictures of colours


@node(category="image/colour")
def solid(width: Side, height: Side, colour: Colour = "white") -> Image:
    """A picture of one colour."""
    from nodes._lib import charts
    from nodes._lib.colours import rgba

    check_size(width, height, "width")
    return charts.solid(width, height, rgba(colour))


@node(category="image/colour")
def gradient(
    width: Side,
    height: Side,
    colours: list[Colour],
    shape: Literal["linear", "radial"] = "linear",
    degrees: Degrees = 0.0,
) -> Image:
    """A picture that goes smoothly through colours.

    "linear" goes from left to right, turned clockwise by `degrees`: 90 is from top to bottom. "radial" goes
    from the middle to the corners. Colours may be transparent, and come from `palette`.
    """
    from nodes._lib import charts
    from nodes._lib.colours import rgba

    check_size(width, height, "width")
    if not 2 <= len(colours) <= MOST_POINTS:
        raise BadInput("colours", got=f"{len(colours)} colours", want=f"2 to {MOST_POINTS}")
    return charts.gradient(width, height, [rgba(colour, "colours") for colour in colours], shape, degrees)


# -- what was typed in, and what is said


def pairs(points: object) -> list[tuple[float, float]]:
    """The points of a curve, or what is wrong with them."""
    found = [pair(point) for point in points] if isinstance(points, list) else []
    if not 2 <= len(found) <= MOST_POINTS:
        raise BadInput("points", got=points, want=f"2 to {MOST_POINTS} pairs of numbers", remedy=EXAMPLE)
    if any(left[0] >= right[0] for left, right in itertools.pairwise(found)):
        raise BadInput("points", got=points, want="pairs whose first numbers rise", remedy=EXAMPLE)
    return found


EXAMPLE = "Write them like [[0, 0], [0.5, 0.6], [1, 1]]."


def pair(point: object) -> tuple[float, float]:
    if isinstance(point, list) and len(point) == 2:
        x, y = point
        if all(isinstance(n, (int, float)) and not isinstance(n, bool) and 0 <= n <= 1 for n in (x, y)):
            return float(x), float(y)
    raise BadInput("points", got=point, want="two numbers from 0 to 1", remedy=EXAMPLE)


def sentence(names: list[str], parts: dict[str, float]) -> str:
    """The names as they would be told, the largest first."""
    if not names:
        return "nothing to see"
    first, rest = names[0], names[1:]
    if not rest:
        return first
    listed = " and ".join(rest) if len(rest) < 3 else f"{', '.join(rest[:-1])} and {rest[-1]}"
    return f"mostly {first}, with {listed}" if parts[first] > 0.5 else f"{first}, {listed}"
