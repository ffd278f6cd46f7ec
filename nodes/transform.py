"""Pictures turned, mirrored, padded, cut and scaled to the shape that is wanted."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Colour, Degrees, Image, Mask, ui
from nodes.image import LONGEST, Filter, Side, Size, check_size

Aspect = Annotated[
    Literal[
        "1:1", "5:4", "4:3", "3:2", "16:10", "16:9", "1.85:1", "2:1", "21:9", "2.39:1",
        "4:5", "3:4", "2:3", "10:16", "9:16", "1:2", "9:21",
    ],
    Meta(description="Width to height: 3:2 is a photo, 16:9 a screen, 2.39:1 the cinema, 9:16 a phone."),
]  # fmt: skip
Anchor = Annotated[
    Literal[
        "centre", "top", "bottom", "left", "right", "top left", "top right", "bottom left", "bottom right",
    ],
    Meta(description="Which part of the picture stays, or where the picture goes."),
]  # fmt: skip
Fill = Annotated[
    Literal["colour", "edge", "reflect"],
    Meta(description="What fills the room: a colour, the outermost pixels drawn out, or a mirror image."),
]
Extra = Annotated[int, Meta(ge=0, le=LONGEST, description="Pixels to add on this side.")]
Multiple = Annotated[
    Literal[1, 8, 16, 32, 64],
    Meta(description="Sides become a multiple of this, as models want: 8 does for most, 64 for all."),
]
Megapixels = Annotated[
    float,
    Meta(
        gt=0,
        le=100,
        description="Size as models count it: 1 is 1024 × 1024 pixels.",
        extra_json_schema=ui("number", step=0.25),
    ),
]


class Framed(NamedTuple):
    image: Image
    mask: Mask


class Cut(NamedTuple):
    image: Image
    left: int
    top: int


class Marked(NamedTuple):
    image: Image
    mask: Mask
    left: int
    top: int


@node(category="image/transform")
def rotate(image: Image, degrees: Degrees, expand: bool = True, fill: Colour = "transparent") -> Framed:
    """Turn a picture clockwise about its middle.

    Quarter turns (90, 180, 270) move every pixel and change none; other angles smooth a little. With `expand`
    the frame grows to hold the whole picture, without it the size stays and the corners are cut off. `fill`
    is the colour of the empty corners, and `mask` marks them, so that they can be painted in.
    """
    from nodes._lib import geometry
    from nodes._lib.colours import rgba

    size = (image.width, image.height)
    if expand:
        size = geometry.turned_size(*size, degrees)
        check_size(*size, "degrees")
    return Framed(*geometry.turned(image, degrees, size, rgba(fill, "fill")))


@node(category="image/transform")
def flip(image: Image, direction: Literal["horizontal", "vertical"] = "horizontal") -> Image:
    """Mirror a picture: "horizontal" swaps left and right, "vertical" top and bottom."""
    from nodes._lib import geometry

    return geometry.flipped(image, direction == "horizontal")


@node(category="image/transform")
def pad(
    image: Image,
    left: Extra = 0,
    top: Extra = 0,
    right: Extra = 0,
    bottom: Extra = 0,
    fill: Fill = "colour",
    colour: Colour = "gray",
    feather: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="Pixels of the old picture into which the mask fades, to hide the seam.",
        ),
    ] = 0,
) -> Framed:
    """Add room around a picture, and mark it, ready to be painted in (outpainting).

    The picture itself stays as it is. `mask` is 1 on what was added. With `feather` it also fades into the
    picture on those sides; about 32 makes seams vanish. For outpainting fill with "edge" or "reflect": a
    model finds it easier to go on from colours that fit. `colour` counts only when `fill` is "colour".
    """
    from nodes._lib import geometry
    from nodes._lib.colours import rgba

    check_size(image.width + left + right, image.height + top + bottom, "left")
    return Framed(*geometry.padded(image, (left, top, right, bottom), fill, rgba(colour), feather))


@node(category="image/transform")
def pad_to_aspect(
    image: Image,
    aspect: Aspect,
    anchor: Anchor = "centre",
    fill: Fill = "colour",
    colour: Colour = "gray",
) -> Framed:
    """Add room on two sides until a picture has an aspect ratio; nothing is cut or scaled.

    `mask` is 1 on what was added: with an inpainting model that makes a square picture a wide one.
    """
    from nodes._lib import geometry
    from nodes._lib.colours import rgba

    width, height = around(image, ratio(aspect))
    check_size(width, height, "aspect")
    across, down = geometry.anchored(anchor, width - image.width, height - image.height)
    sides = (across, down, width - image.width - across, height - image.height - down)
    return Framed(*geometry.padded(image, sides, fill, rgba(colour)))


@node(category="image/transform")
def letterbox(
    image: Image,
    width: Side,
    height: Side,
    scale: Literal["fit", "shrink", "never"] = "fit",
    anchor: Anchor = "centre",
    fill: Fill = "colour",
    colour: Colour = "black",
    filter: Filter = "lanczos",
) -> Framed:
    """Put a whole picture into a frame of an exact size, with bars where it does not reach.

    Proportions stay. `scale` "fit" makes the picture as large as the frame allows, "shrink" only makes it
    smaller if it must, "never" leaves its pixels alone and refuses a picture that is too large. `mask` is 1
    on the bars.
    """
    from nodes._lib import geometry
    from nodes._lib.colours import rgba

    check_size(width, height, "width")
    factor = min(width / image.width, height / image.height)
    if scale == "never" and factor < 1:
        raise BadInput(
            "scale",
            got=f"never, and a picture of {image.width} × {image.height}",
            want=f"a picture of at most {width} × {height}",
            remedy="Use shrink or fit, or a larger frame.",
        )
    if scale == "fit" or factor < 1:
        sides = (
            min(width, max(1, round(image.width * factor))),
            min(height, max(1, round(image.height * factor))),
        )
        image = geometry.scaled(image, *sides, filter)
    across, down = geometry.anchored(anchor, width - image.width, height - image.height)
    room = (across, down, width - image.width - across, height - image.height - down)
    return Framed(*geometry.padded(image, room, fill, rgba(colour)))


@node(category="image/transform", lane="inline")
def aspect_size(aspect: Aspect = "1:1", megapixels: Megapixels = 1.0, multiple: Multiple = 64) -> Size:
    """The width and height of a picture with an aspect ratio and so many megapixels.

    Made for the size inputs of samplers: 16:9 at 1 megapixel is 1344 × 768. SD 1.5 was trained at 0.25
    megapixels, SDXL and later models at 1; far from that, pictures fall apart or double their subjects.
    """
    exact = ratio(aspect)
    pixels = megapixels * 1024 * 1024
    width = to_multiple((pixels * exact) ** 0.5, multiple)
    height = to_multiple((pixels / exact) ** 0.5, multiple)
    check_size(width, height, "megapixels")
    return Size(width, height)


@node(category="image/transform")
def crop_to_aspect(image: Image, aspect: Aspect, anchor: Anchor = "centre") -> Cut:
    """Cut the largest piece with an aspect ratio out of a picture.

    `left` and `top` tell where it was cut, so that it can be put back.
    """
    from nodes._lib import geometry, pictures

    exact = ratio(aspect)
    width = min(image.width, max(1, round(image.height * exact)))
    height = min(image.height, max(1, round(image.width / exact)))
    left, top = geometry.anchored(anchor, image.width - width, image.height - height)
    return Cut(pictures.cut(image, left, top, width, height), left, top)


@node(category="image/transform")
def crop_to_mask(
    image: Image,
    mask: Mask,
    margin: Annotated[
        int, Meta(ge=0, le=4096, description="Pixels to keep around it, where there are any.")
    ] = 0,
    multiple: Multiple = 1,
) -> Marked:
    """Cut out the part of a picture that a mask marks, with its part of the mask.

    Work on the small piece at full detail, then put it back at `left` and `top`. The piece grows to the
    `multiple` as far as the picture allows; a mask that marks nothing is refused.
    """
    from nodes._lib import geometry, pictures, planes

    planes.mask_for(image, mask)
    box = geometry.content(mask)
    if box is None:
        raise BadInput("mask", got="nothing marked", want="a mask with something in it", remedy="Draw on it.")
    left, width = spread(box[0] - margin, box[2] + margin, image.width, multiple)
    top, height = spread(box[1] - margin, box[3] + margin, image.height, multiple)
    cut = pictures.cut(image, left, top, width, height)
    return Marked(cut, geometry.cut_mask(mask, left, top, width, height), left, top)


@node(category="image/transform")
def resize_by(
    image: Image,
    factor: Annotated[float, Meta(gt=0, le=32, description="2 doubles both sides, 0.5 halves them.")],
    filter: Filter = "lanczos",
) -> Image:
    """Scale a picture by a factor."""
    return to_size(image, image.width * factor, image.height * factor, "factor", filter)


@node(category="image/transform")
def resize_to_side(
    image: Image,
    length: Side,
    side: Literal["longer", "shorter"] = "longer",
    multiple: Multiple = 1,
    filter: Filter = "lanczos",
) -> Image:
    """Scale a picture until its longer or shorter side has so many pixels; proportions stay.

    With a `multiple` both sides are rounded to it, which can change the proportions by a hair.
    """
    sides = image.width, image.height
    factor = length / (max(sides) if side == "longer" else min(sides))
    return to_size(image, image.width * factor, image.height * factor, "length", filter, multiple)


@node(category="image/transform")
def resize_to_megapixels(
    image: Image, megapixels: Megapixels = 1.0, multiple: Multiple = 8, filter: Filter = "lanczos"
) -> Image:
    """Scale a picture to so many megapixels, such as the size that a model was trained at.

    Proportions stay, but for rounding both sides to the `multiple`.
    """
    factor = (megapixels * 1024 * 1024 / (image.width * image.height)) ** 0.5
    return to_size(image, image.width * factor, image.height * factor, "megapixels", filter, multiple)


@node(category="image/transform")
def resize_to_multiple(
    image: Image,
    multiple: Multiple = 8,
    how: Literal["crop", "pad", "stretch"] = "crop",
    anchor: Anchor = "centre",
    filter: Filter = "lanczos",
) -> Image:
    """Make both sides of a picture a multiple of a number, as models want.

    "crop" cuts off what is over, "pad" draws the outermost pixels out to the next multiple, "stretch" scales
    to the nearest one. A picture that fits already stays as it is.
    """
    from nodes._lib import geometry
    from nodes._lib.colours import rgba

    if how == "stretch":
        return to_size(image, image.width, image.height, "multiple", filter, multiple)
    if how == "pad":
        width, height = (-(-side // multiple) * multiple for side in (image.width, image.height))
        across, down = geometry.anchored(anchor, width - image.width, height - image.height)
        sides = (across, down, width - image.width - across, height - image.height - down)
        return geometry.padded(image, sides, "edge", rgba("black"))[0]
    width, height = (side // multiple * multiple for side in (image.width, image.height))
    if not width or not height:
        got = f"a picture of {image.width} × {image.height}"
        raise BadInput("multiple", got=got, want=f"at least {multiple} pixels each way", remedy="Use pad.")
    return geometry.framed(image, (width, height), rgba("black"), anchor)[0]


# -- sizes


def ratio(aspect: str) -> float:
    """How many times as wide as high."""
    width, height = aspect.split(":")
    return float(width) / float(height)


def around(image: Image, exact: float) -> Size:
    """The smallest size with this ratio that holds the picture."""
    return Size(max(image.width, round(image.height * exact)), max(image.height, round(image.width / exact)))


def to_multiple(side: float, multiple: int) -> int:
    return max(multiple, round(side / multiple) * multiple)


def spread(start: int, end: int, limit: int, multiple: int) -> tuple[int, int]:
    """Start and length of a stretch, grown to a multiple about its middle, within 0 and the limit."""
    start, end = max(0, start), min(limit, end)
    length = min(-(-(end - start) // multiple) * multiple, max(limit // multiple * multiple, end - start))
    start -= (length - (end - start)) // 2
    return min(max(0, start), limit - length), length


def to_size(
    image: Image, width: float, height: float, place: str, filter: Filter, multiple: int = 1
) -> Image:
    from nodes._lib import geometry

    size = to_multiple(width, multiple), to_multiple(height, multiple)
    check_size(*size, place)
    return geometry.scaled(image, *size, filter)
