"""Pictures: resize, crop, blend, invert, lay out in a sheet."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.node import conversion, node
from engine.types import Fraction, Image, Mask

LONGEST = 16_384
MOST_PIXELS = 100_000_000
"""Of the largest picture that is made from smaller ones, or from none."""

Side = Annotated[int, Meta(ge=1, le=LONGEST, description="A width or height, in pixels.")]
Offset = Annotated[int, Meta(ge=0, le=LONGEST, description="Pixels from the edge.")]
Columns = Annotated[
    int, Meta(ge=0, le=1000, description="Pictures in a row; 0 makes the sheet about square.")
]
Filter = Annotated[
    Literal["lanczos", "bicubic", "bilinear", "area", "nearest"],
    Meta(description="How new pixels are made: lanczos is sharpest, nearest keeps hard edges."),
]


BlendMode = Annotated[
    Literal[
        "normal", "multiply", "screen", "overlay", "soft light", "hard light", "darken", "lighten",
        "difference", "exclusion", "colour dodge", "colour burn", "add", "subtract",
        "hue", "saturation", "colour", "luminosity",
    ],
    Meta(
        description="How the upper colours act on the lower ones: multiply darkens as on paper, screen "
        "lightens as projectors do, overlay adds contrast, difference shows what differs; hue, saturation, "
        "colour and luminosity each give that of the upper picture to the lower one."
    ),
]  # fmt: skip


class Size(NamedTuple):
    width: int
    height: int


@node(category="image", lane="inline")
def picture_size(image: Image) -> Size:
    """Tell how large a picture is, in pixels."""
    return Size(image.width, image.height)


@node(category="image", version=2)
def resize(
    image: Image,
    width: Side | None = None,
    height: Side | None = None,
    fit: Literal["stretch", "inside", "cover"] = "stretch",
    filter: Filter = "lanczos",
) -> Image:
    """Scale a picture.

    With one side given, the other follows. With both, "stretch" makes exactly that size, "inside" keeps the
    proportions and stays within it, and "cover" keeps the proportions, fills it and cuts off what is over.
    What is transparent does not bleed into what is not.
    """
    from nodes._lib import geometry, pictures

    if width is None and height is None:
        raise BadInput("width", got="nothing", want="a width, a height or both")
    across = (width or 0) / image.width
    down = (height or 0) / image.height
    if width is not None and height is not None and fit == "stretch":
        return geometry.scaled(image, width, height, filter)
    scale = min(across, down) if across and down and fit == "inside" else max(across, down)
    scaled = [max(1, round(side * scale)) for side in (image.width, image.height)]
    if width is None or height is None or fit == "inside":
        check_side(max(scaled))
        return geometry.scaled(image, scaled[0], scaled[1], filter)
    wide, high = max(scaled[0], width), max(scaled[1], height)
    check_side(max(wide, high))
    whole = geometry.scaled(image, wide, high, filter)
    return pictures.cut(whole, (wide - width) // 2, (high - height) // 2, width, height)


@node(category="image")
def crop(image: Image, width: Side, height: Side, left: Offset = 0, top: Offset = 0) -> Image:
    """Cut a rectangle out of a picture."""
    from nodes._lib import pictures

    for name, start, side, limit in (
        ("width", left, width, image.width),
        ("height", top, height, image.height),
    ):
        if start + side > limit:
            raise BadInput(
                name,
                got=f"{start} + {side} pixels",
                want=f"at most the {limit} that the picture has",
                remedy="Make the cut smaller or move it.",
            )
    return pictures.cut(image, left, top, width, height)


@node(category="image", version=2)
def blend(
    a: Image, b: Image, amount: Fraction = 0.5, mode: BlendMode = "normal", mask: Mask | None = None
) -> Image:
    """Mix two pictures of the same size, plainly or in a blend mode.

    At `amount` 0 the result is `a`. At 1 it is `b` if the mode is "normal", else `b` laid on `a` in that
    mode; in between it is so far on the way. With a `mask` only what it marks changes. To put a smaller
    picture on a larger one, use `composite`.
    """
    from nodes._lib import blending, planes

    if (a.width, a.height) != (b.width, b.height):
        raise BadInput(
            "b",
            got=f"{b.width} × {b.height}",
            want=f"{a.width} × {a.height}, like a",
            remedy="Resize one of them.",
        )
    return blending.crossfaded(a, b, mode, amount, planes.mask_for(a, mask))


@node(category="image")
def invert(image: Image) -> Image:
    """Turn every colour into its opposite; transparency stays as it is."""
    from nodes._lib import pictures

    return pictures.inverted(image)


@node(category="image")
def contact_sheet(images: list[Image], columns: Columns = 0, captions: list[str] | None = None) -> Image:
    """Lay pictures out on one sheet, row by row, each with its caption if there are captions."""
    from nodes._lib import pictures

    if not images:
        raise BadInput("images", got="no pictures", want="at least one")
    if captions is not None and len(captions) != len(images):
        raise BadInput(
            "captions",
            got=f"{len(captions)} for {len(images)} pictures",
            want="one for each picture",
        )
    across = min(columns or round(len(images) ** 0.5 + 0.49), len(images))
    cells = len(images) * max(i.width for i in images) * max(i.height for i in images)
    if cells > MOST_PIXELS:
        raise BadInput(
            "images",
            got=f"{cells / 1e6:.0f} megapixels",
            want=f"at most {MOST_PIXELS // 10**6}",
            remedy="Resize the pictures first.",
        )
    return pictures.sheet(images, across, captions or [])


@conversion
def mask_to_image(mask: Mask) -> Image:
    """Show a mask as a grey picture: black keeps, white changes."""
    return Image(mask.pixels[..., None])


def check_side(side: int) -> None:
    if side > 16_384:
        raise BadInput(
            "width", got=f"{side} pixels for the longer side", want="at most 16384", remedy="Use less."
        )


def check_size(width: int, height: int, place: str, longest: int = LONGEST, most: int = MOST_PIXELS) -> None:
    """Refuse to make what would be larger than any picture should be."""
    if max(width, height) > longest or width * height > most:
        raise BadInput(
            place,
            got=f"a picture of {width} × {height}",
            want=f"at most {longest:,} pixels a side and {most // 10**6} megapixels",
            remedy="Use less, or a smaller picture.",
        )
