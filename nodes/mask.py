"""Masks: drawn, read from pictures, grown, softened, combined, cleaned, measured and shown."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.pictures import LIMIT
from engine.types import Colour, Degrees, Fraction, Image, Json, Mask, slider
from nodes.image import Filter, Offset, Side

MOST_POINTS = 2000

Canvas = Annotated[
    Image,
    Meta(description="A picture that the mask is for: it gets its size. Else `width` and `height` count."),
]
Wide = Annotated[
    int, Meta(ge=1, le=16_384, description="Width of the mask in pixels, if no picture is wired in.")
]
High = Annotated[
    int, Meta(ge=1, le=16_384, description="Height of the mask in pixels, if no picture is wired in.")
]
Edge = Annotated[
    float,
    Meta(ge=-65_536, le=65_536, description="Where this side lies, from the left or top of the picture."),
]
Unit = Annotated[
    Literal["fraction", "pixels"],
    Meta(description="What places are given in: fractions of the sides (0.5 is the middle), or pixels."),
]
Share = Annotated[float, slider(-2, 3, "As a fraction.")]
Radius = Annotated[int, Meta(ge=0, le=512, description="In pixels.")]
Area = Annotated[int, Meta(ge=0, le=LIMIT, description="In pixels; 0 is no limit.")]


class Bounds(NamedTuple):
    left: int
    top: int
    width: int
    height: int


# -- draw


@node(category="masks")
def solid_mask(
    image: Canvas | None = None, width: Wide = 512, height: High = 512, value: Fraction = 1.0
) -> Mask:
    """A mask that is the same everywhere: 0 keeps all, 1 changes all."""
    import numpy as np

    width, height = canvas(image, width, height)
    return Mask(np.full((height, width), value, np.float32))


@node(category="masks")
def shape_mask(
    shape: Literal["rectangle", "ellipse"] = "rectangle",
    left: Edge = 0.25,
    top: Edge = 0.25,
    right: Edge = 0.75,
    bottom: Edge = 0.75,
    unit: Unit = "fraction",
    angle: Degrees = 0.0,
    image: Canvas | None = None,
    width: Wide = 512,
    height: High = 512,
) -> Mask:
    """Mark a rectangle or an ellipse.

    The four sides are given as fractions of the picture or in pixels, and may lie outside of it. `angle`
    turns the shape about its middle. Edges that fall between pixels are smooth; to soften them further, use
    `feather_mask`.
    """
    from nodes._lib import masking

    if right <= left or bottom <= top:
        name, got, want = ("right", right, left) if right <= left else ("bottom", bottom, top)
        raise BadInput(name, got=got, want=f"more than {want}", remedy="Exchange the two sides.")
    width, height = canvas(image, width, height)
    across, down = (width, height) if unit == "fraction" else (1, 1)
    draw = masking.rectangle if shape == "rectangle" else masking.ellipse
    points = draw(left * across, top * down, right * across, bottom * down)
    return Mask(masking.polygon(width, height, masking.turned(points, angle)))


@node(category="masks")
def polygon_mask(
    points: Json,
    unit: Unit = "fraction",
    image: Canvas | None = None,
    width: Wide = 512,
    height: High = 512,
) -> Mask:
    """Mark what lies within a line through points.

    `points` are typed in as [[x, y], [x, y], …], from the left and the top, as fractions of the picture or
    in pixels; the last is joined to the first. Where the line crosses itself, what is enclosed twice is left
    out.
    """
    from nodes._lib import masking

    corners = points_of(points)
    width, height = canvas(image, width, height)
    across, down = (width, height) if unit == "fraction" else (1, 1)
    return Mask(masking.polygon(width, height, [(x * across, y * down) for x, y in corners]))


@node(category="masks")
def linear_gradient_mask(
    angle: Degrees = 0.0,
    start: Share = 0.0,
    end: Share = 1.0,
    image: Canvas | None = None,
    width: Wide = 512,
    height: High = 512,
) -> Mask:
    """Fade from 0 to 1 across a mask: at 0 degrees from left to right, at 90 from top to bottom.

    `start` and `end` say where on the way the fade begins and ends: 0.4 and 0.6 make it short, both the same
    make an edge. As the mask of a blend it turns one picture gently into another.
    """
    from nodes._lib import masking

    if end < start:
        raise BadInput("end", got=end, want=f"at least {start}", remedy="Turn it by 180 degrees instead.")
    width, height = canvas(image, width, height)
    return Mask(masking.linear(width, height, angle, start, end))


@node(category="masks")
def radial_gradient_mask(
    x: Share = 0.5,
    y: Share = 0.5,
    inner: Fraction = 0.0,
    outer: Annotated[float, slider(0, 4)] = 0.5,
    image: Canvas | None = None,
    width: Wide = 512,
    height: High = 512,
) -> Mask:
    """Fade from 1 around a point to 0 further out.

    `x` and `y` are fractions of the width and height. Within `inner` the mask is 1 and beyond `outer` 0, both
    as fractions of the shorter side: 0.5 reaches the frame. Inverted it is a vignette.
    """
    from nodes._lib import masking

    if outer < inner:
        raise BadInput("outer", got=outer, want=f"at least {inner}", remedy="Use invert_mask for a hole.")
    width, height = canvas(image, width, height)
    return Mask(masking.radial(width, height, x, y, inner, outer))


# -- read from a picture


@node(category="masks")
def image_to_mask(
    image: Image,
    channel: Literal["brightness", "red", "green", "blue", "saturation"] = "brightness",
) -> Mask:
    """Use a picture as a mask: bright becomes 1, dark 0.

    `channel` is what counts: how bright a pixel looks, how much of one colour it has, or how colourful it is.
    For what is transparent, use `alpha_to_mask`.
    """
    from nodes._lib import masking

    return Mask(masking.by_channel(image, channel))


@node(category="masks")
def alpha_to_mask(image: Image) -> Mask:
    """Mark what is transparent in a picture: 1 where nothing can be seen, 0 where it is opaque.

    `set_alpha` is the opposite. Invert it to mark the figure instead of its surroundings.
    """
    from nodes._lib import masking

    return Mask(masking.transparency(image))


@node(category="masks")
def colour_to_mask(
    image: Image,
    colour: Colour,
    tolerance: Annotated[
        float,
        slider(0, 200, "How far a colour may differ: 2 is just visible, 100 is black from white.", step=1),
    ] = 20.0,
    softness: Annotated[
        float, Meta(ge=0, le=200, description="Over how many further steps it fades to 0.")
    ] = 10.0,
) -> Mask:
    """Mark everything of one colour, such as a green screen.

    Colours are compared as eyes see them (in Lab). What is transparent has no colour and is not marked.
    """
    from nodes._lib import colours, masking

    return Mask(masking.by_colour(image, colours.rgba(colour), tolerance, softness))


# -- change


@node(category="masks")
def invert_mask(mask: Mask) -> Mask:
    """Exchange what is kept and what is changed."""
    import numpy as np

    from nodes._lib import masking

    return Mask(np.asarray(1 - masking.plane(mask)))


@node(category="masks")
def grow_mask(
    mask: Mask,
    pixels: Annotated[int, Meta(ge=-512, le=512, description="Less than 0 makes it narrower.")] = 8,
) -> Mask:
    """Make what a mask marks wider by so many pixels all around, with round corners, or narrower.

    Before inpainting 8 to 32 pixels make sure that nothing of the old thing is left at its rim.
    """
    from nodes._lib import masking

    return Mask(masking.grown(masking.plane(mask), pixels))


@node(category="masks")
def feather_mask(mask: Mask, radius: Radius = 8, side: Literal["both", "inside", "outside"] = "both") -> Mask:
    """Soften the edge of a mask.

    "both" spreads the edge over `radius` pixels to each side of where it was. "inside" and "outside" keep one
    side as it is and spread it over twice as many on the other: with "outside" all that was marked stays
    marked, with "inside" nothing is marked that was not.
    """
    from nodes._lib import masking

    return Mask(masking.feathered(masking.plane(mask), radius, side))


@node(category="masks")
def threshold_mask(mask: Mask, threshold: Fraction = 0.5) -> Mask:
    """Make a mask hard: 1 where it is at least the threshold, else 0."""
    import numpy as np

    from nodes._lib import masking

    return Mask(np.where(masking.plane(mask) >= threshold, np.float32(1), np.float32(0)))


@node(category="masks")
def combine_masks(
    a: Mask,
    b: Mask,
    how: Literal["union", "intersect", "subtract", "xor", "add", "multiply"] = "union",
) -> Mask:
    """Two masks as one.

    "union" marks what either marks (the larger value), "intersect" what both mark (the smaller), "subtract"
    what `a` marks and `b` does not, "xor" what only one of them marks. "add" (up to 1) and "multiply" reckon
    with soft edges instead of choosing.
    """
    from nodes._lib import masking

    if a.pixels.shape != b.pixels.shape:
        (height, width), (high, wide) = b.pixels.shape, a.pixels.shape
        want = f"{wide} × {high}, like a"
        raise BadInput("b", got=f"{width} × {height}", want=want, remedy="Use resize_mask on one of them.")
    one, other = masking.plane(a), masking.plane(b)
    return Mask(masking.COMBINED[how](one, other))


# -- clean


@node(category="masks")
def largest_region(
    mask: Mask, count: Annotated[int, Meta(ge=1, le=1000, description="How many to keep.")] = 1
) -> Mask:
    """Keep only the largest region of a mask, or the few largest.

    A region is what hangs together where the mask is at least half; its soft edge stays with it.
    """
    from nodes._lib import masking

    return Mask(masking.kept(masking.plane(mask), count, 0))


@node(category="masks")
def remove_specks(mask: Mask, size: Annotated[Area, Meta(description="In pixels.")] = 64) -> Mask:
    """Drop every region of a mask that has fewer pixels than this."""
    from nodes._lib import masking

    return Mask(masking.kept(masking.plane(mask), 0, size))


@node(category="masks")
def fill_holes(mask: Mask, size: Area = 0) -> Mask:
    """Close the holes in a mask, all of them or those up to a size.

    A hole is surrounded by what is marked; what touches the frame is not one.
    """
    from nodes._lib import masking

    return Mask(masking.filled(masking.plane(mask), size))


# -- size


@node(category="masks")
def mask_bounds(
    mask: Mask,
    threshold: Annotated[Fraction, Meta(description="What is above this counts as marked.")] = 0.0,
    margin: Annotated[
        int, Meta(ge=0, le=16_384, description="Pixels more on each side, within the mask.")
    ] = 0,
) -> Bounds:
    """The smallest rectangle that holds all that a mask marks, for `crop` and `composite`."""
    import numpy as np

    from nodes._lib import masking

    seen = masking.plane(mask) > threshold
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not len(columns):
        raise BadInput("mask", got="nothing marked", want="a mask with something in it", remedy="Draw on it.")
    height, width = mask.pixels.shape
    left, top = max(0, int(columns[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = min(width, int(columns[-1]) + 1 + margin), min(height, int(rows[-1]) + 1 + margin)
    return Bounds(left, top, right - left, bottom - top)


@node(category="masks")
def resize_mask(
    mask: Mask,
    width: Side | None = None,
    height: Side | None = None,
    fit: Literal["stretch", "inside", "cover"] = "stretch",
    filter: Filter = "bilinear",
) -> Mask:
    """Scale a mask, as `resize` does a picture: give it the size of the picture that it is for."""
    from nodes.image import resize

    grey = Image(mask.pixels[..., None])
    return Mask(resize(grey, width, height, fit=fit, filter=filter).pixels[..., 0])


@node(category="masks")
def crop_mask(mask: Mask, width: Side, height: Side, left: Offset = 0, top: Offset = 0) -> Mask:
    """Cut a rectangle out of a mask, as `crop` does with a picture."""
    from nodes.image import crop

    return Mask(crop(Image(mask.pixels[..., None]), width, height, left, top).pixels[..., 0])


# -- show


@node(category="masks")
def overlay_mask(
    image: Image,
    mask: Mask,
    colour: Colour = "red",
    opacity: Annotated[Fraction, Meta(description="How strongly the marked part is tinted.")] = 0.5,
) -> Image:
    """Show a mask on its picture: what it marks is tinted, the rest stays as it is."""
    from nodes._lib import colours, masking

    return masking.tinted(image, mask, colours.rgba(colour), opacity)


# -- what is drawn on, and where


def canvas(image: Image | None, width: int, height: int) -> tuple[int, int]:
    """The size of a mask that is drawn."""
    if image is not None:
        width, height = image.width, image.height
    if width * height > LIMIT:
        want = f"at most {LIMIT // 10**6} megapixels"
        raise BadInput("width", got=f"{width} × {height}", want=want, remedy="Use less.")
    return width, height


def points_of(value: object) -> list[tuple[float, float]]:
    """Typed-in points, checked one by one."""
    if not isinstance(value, list) or not 3 <= len(value) <= MOST_POINTS:
        got = f"{len(value)} points" if isinstance(value, list) else value
        raise BadInput("points", got=got, want=f"3 to {MOST_POINTS} points", remedy=LIKE_THIS)
    return [point_of(item) for item in value]


def point_of(item: object) -> tuple[float, float]:
    if isinstance(item, list) and len(item) == 2 and all(type(n) in (int, float) for n in item):
        x, y = float(item[0]), float(item[1])
        if max(abs(x), abs(y)) <= FAR:
            return x, y
    raise BadInput("points", got=item, want=f"two numbers from {-FAR} to {FAR}", remedy=LIKE_THIS)


FAR = 65_536
LIKE_THIS = "Write them like [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]."
