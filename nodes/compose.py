"""Pictures put together: laid over each other, side by side, in channels, in tiles, without a seam."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.node import node
from engine.pictures import LIMIT
from engine.types import Colour, Fraction, Image, Mask, Value
from nodes.image import BlendMode, check_size

LONGEST = 65_536
MOST_TILES = 10_000
LARGEST_CLONE = 16_000_000
"""Pixels that are solved for at a time; each takes about 100 bytes meanwhile."""

Place = Annotated[
    int,
    Meta(
        ge=-LONGEST, le=LONGEST, description="Pixels from this edge; below 0 it sticks out, and is cut off."
    ),
]
Opacity = Annotated[Fraction, Meta(description="How much it covers: 0 not at all, 1 as much as it can.")]
Tile = Annotated[int, Meta(ge=16, le=16_384, description="Side of a tile, in pixels.")]


class Channels(NamedTuple):
    red: Image
    green: Image
    blue: Image
    alpha: Image


class Tiling(Value, frozen=True, eq=False):
    """Where each tile of a picture was cut."""

    tile_width: int
    tile_height: int
    lefts: list[int]
    tops: list[int]


class Tiles(NamedTuple):
    tiles: list[Image]
    tiling: Tiling


@node(category="image/compose")
def composite(
    image: Image,
    layer: Image,
    left: Place = 0,
    top: Place = 0,
    opacity: Opacity = 1.0,
    mode: BlendMode = "normal",
    mask: Mask | None = None,
) -> Image:
    """Put a picture on another one.

    `left` and `top` say where its corner goes; what sticks out is cut off, and the size of `image` stays.
    Transparency counts on both sides, so a cut-out figure stands on its ground without a dark rim. `mask` is
    as large as `layer` and shows it where it is 1; where nothing is laid, not a bit changes. Use it to put a
    piece back that was cut out and worked on: `left` and `top` come from the cut.
    """
    from nodes._lib import blending, planes

    if not opacity:
        return image
    return blending.laid_over(image, layer, left, top, mode, opacity, planes.mask_for(layer, mask))


@node(category="image/compose")
def replace_background(
    image: Image,
    background: Image | None = None,
    colour: Colour = "white",
    mask: Mask | None = None,
    fit: Literal["cover", "stretch"] = "cover",
) -> Image:
    """Put another picture or a colour behind a picture, where it is transparent.

    With a `mask` what it marks counts as transparent too: such as the background that a background remover
    found. Without a `background` the `colour` is used; "transparent" only cuts out. A background of another
    size is scaled: "cover" keeps its proportions and cuts off what is over, "stretch" does not.
    """
    from nodes._lib import blending, colours, geometry, laying, pictures

    figure = image if mask is None else laying.cut_out(image, mask)
    fill = colours.rgba(colour)
    if background is not None:
        if fit == "cover":
            behind = laying.covering(background, image.width, image.height)
        else:
            behind = geometry.scaled(background, image.width, image.height, "lanczos")
    elif fill[3] == 0:
        return Image(pictures.with_channels(figure.pixels, 4))
    else:
        behind = laying.plain(image.width, image.height, fill, image)
    return blending.laid_over(behind, figure, 0, 0, "normal", 1.0, None)


@node(category="image/compose")
def split_channels(image: Image) -> Channels:
    """A picture's red, green, blue and alpha, each as a grey picture.

    A grey picture is the same in all three colours, and one without transparency has a white `alpha`. Use
    `image_to_mask` on one of them to make a mask of it.
    """
    import numpy as np

    from nodes._lib import pictures

    whole = pictures.with_channels(image.pixels, 4)
    planes = [Image(np.ascontiguousarray(whole[..., channel : channel + 1])) for channel in range(4)]
    return Channels(*planes)


@node(category="image/compose")
def merge_channels(red: Image, green: Image, blue: Image, alpha: Image | None = None) -> Image:
    """Make a colour picture of three grey ones, and of a fourth for its transparency.

    The opposite of `split_channels`; in another order it swaps colours. A mask can be wired in too. In
    `alpha` white is opaque.
    """
    import numpy as np

    from nodes._lib import planes

    given = {"red": red, "green": green, "blue": blue} | ({} if alpha is None else {"alpha": alpha})
    for name, channel in given.items():
        if channel.pixels.shape != (red.height, red.width, 1):
            raise BadInput(
                name,
                got=f"{channel.width} × {channel.height} with {channel.pixels.shape[2]} channels",
                want=f"a grey picture of {red.width} × {red.height}",
                remedy="Use split_channels or image_to_mask first, and pictures of one size.",
            )
    exact = all(channel.pixels.dtype == np.uint8 for channel in given.values())
    layers = [channel.pixels if exact else planes.floats(channel) for channel in given.values()]
    return Image(np.concatenate(layers, 2))


@node(category="image/compose")
def set_alpha(image: Image, mask: Mask) -> Image:
    """Make a picture transparent where a mask is 1, and opaque where it is 0.

    The transparency that it had before is gone; its colours stay everywhere. The mask of a picture just
    opened gives back that picture's own transparency.
    """
    import numpy as np

    from nodes._lib import masking, pictures, planes

    planes.mask_for(image, mask)
    colours = pictures.with_channels(image.pixels, 3)
    return Image(np.concatenate([colours, masking.opacity(mask.pixels, image.pixels.dtype)], 2))


@node(category="image/compose")
def drop_alpha(image: Image) -> Image:
    """Forget a picture's transparency: its colours show as they are, also those that could not be seen.

    To lay it on a colour instead, use `replace_background`.
    """
    from nodes._lib import pictures

    return pictures.rgb(image) if image.pixels.shape[2] == 4 else image


@node(category="image/compose")
def stitch(
    images: list[Image],
    direction: Literal["right", "down"] = "right",
    gap: Annotated[int, Meta(ge=0, le=4096, description="Pixels between two pictures.")] = 0,
    colour: Colour = "white",
    align: Literal["start", "centre", "end"] = "centre",
    match: bool = False,
) -> Image:
    """Set pictures side by side, or one below the other.

    Pictures of other sizes are aligned, and `colour` fills the gap and what is left free; with `match` they
    are scaled to the first one's height (or width, downwards) instead.
    """
    from nodes._lib import colours, laying

    if not images:
        raise BadInput("images", got="no pictures", want="at least one", remedy="Wire some in.")
    given = laying.matched(images, direction) if match else images
    check_size(*laying.row_size(given, direction, gap), "images", LONGEST, LIMIT)
    return laying.in_a_row(given, direction, gap, colours.rgba(colour), align)


@node(category="image/compose")
def split_tiles(
    image: Image,
    width: Tile = 512,
    height: Tile = 512,
    overlap: Annotated[int, Meta(ge=0, le=4096, description="Pixels that neighbours share at least.")] = 64,
) -> Tiles:
    """Cut a picture into tiles that overlap, to work on each of them by itself.

    All tiles have the same size, and lie evenly; none is larger than the picture. The list of `tiles` runs
    every step it is wired into once for each. `merge_tiles` makes one picture of them again; give it the
    `tiling`. An overlap of 64 hides most seams.
    """
    from nodes._lib import tiling

    wide, high = min(width, image.width), min(height, image.height)
    cut = [tile for tile, side in ((wide, image.width), (high, image.height)) if tile < side]
    if cut and overlap > min(cut) // 2:
        want = f"at most {min(cut) // 2}, half a tile"
        raise BadInput("overlap", got=overlap, want=want, remedy="Use less, or larger tiles.")
    lefts, tops = tiling.starts(image.width, wide, overlap), tiling.starts(image.height, high, overlap)
    if len(lefts) * len(tops) > MOST_TILES:
        got = f"{len(lefts)} × {len(tops)} tiles"
        raise BadInput("width", got=got, want=f"at most {MOST_TILES:,}", remedy="Use larger tiles.")
    found = Tiling(wide, high, lefts, tops)
    return Tiles(tiling.cut(image, found), found)


@node(category="image/compose", version=2)
def merge_tiles(tiles: list[Image], tiling: Tiling) -> Image:
    """Make one picture of tiles, fading each into its neighbours where they overlap.

    Tiles that nothing was done to give the very picture they were cut from. They may have been scaled since,
    all by the same factor: then the picture is larger by it, as after upscaling tile by tile.
    """
    from nodes._lib import tiling as lib

    count = len(tiling.lefts) * len(tiling.tops)
    sizes = {(tile.width, tile.height) for tile in tiles}
    if len(tiles) != count or len(sizes) != 1:
        raise BadInput(
            "tiles",
            got=f"{len(tiles)} of {len(sizes)} sizes",
            want=f"{count} of one size",
            remedy="Wire in all tiles of one picture, in order.",
        )
    [(width, height)] = sizes
    across, down = width / tiling.tile_width, height / tiling.tile_height
    check_size(
        round((tiling.lefts[-1] + tiling.tile_width) * across),
        round((tiling.tops[-1] + tiling.tile_height) * down),
        "tiles",
        LONGEST,
        LIMIT,
    )
    return lib.merged(tiles, tiling)


@node(category="image/compose")
def seamless_clone(
    image: Image,
    patch: Image,
    left: Place = 0,
    top: Place = 0,
    mask: Mask | None = None,
    how: Literal["normal", "mixed"] = "normal",
    ctx: Context = SILENT,
) -> Image:
    """Set a piece of one picture into another without a seam: its colours are fitted to what is around.

    The piece keeps its shapes and takes on the light of the place (Poisson image editing). `mask` is as large
    as `patch` and marks the piece: draw it generously, with some of the piece's own background. "mixed" lets
    the ground's texture through where it is stronger, for writing or smoke. Outside the piece not a bit
    changes; within it the colours come in 8-bit steps.
    """
    import numpy as np

    from nodes._lib import cloning, planes

    if patch.width * patch.height > LARGEST_CLONE:
        want = f"at most {LARGEST_CLONE // 10**6} megapixels"
        raise BadInput("patch", got=f"{patch.width} × {patch.height}", want=want, remedy="Crop it first.")
    ctx.check()
    given = planes.mask_for(patch, mask)
    whole = np.ones((patch.height, patch.width, 1), np.float32)
    return cloning.cloned(image, patch, whole if given is None else given, left, top, how)
