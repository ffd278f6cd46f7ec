"""Pictures for guides to follow: edges, lines, blocks of colour and surfaces, found without a model."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engine.node import node
from engine.types import Fraction, Image, slider

Fineness = Annotated[float, slider(0.5, 50, "In pixels: smaller things leave no line.", step=0.5)]
Thickness = Annotated[float, slider(1, 64, "Of a line, in pixels.", step=0.5)]
Contrast = Annotated[
    Fraction, Meta(description="The step of brightness or colour that makes a line: 1 is black to white.")
]
Shortest = Annotated[int, Meta(ge=0, le=10_000, description="Shorter lines are left out; in pixels.")]
Ink = Literal["black on white", "white on black"]


@node(category="guides")
def soft_edges(
    image: Image,
    radius: Fineness = 1.5,
    gain: Annotated[
        float,
        slider(
            0.1,
            20,
            "At 1 only the edge of black against white is all white; more raises faint edges.",
            step=0.1,
        ),
    ] = 3.0,
) -> Image:
    """Find edges and how strong they are: soft and grey on black, as ControlNets of kind soft edge want them.

    It is how steeply the colours change over `radius` pixels. Networks made for this (HED, PiDiNet) know
    what matters and leave textures out; this does not, so blur a busy picture first or take a larger
    `radius`. Their pictures can be opened with `load_image` and used for a guide just as well.
    """
    from nodes._lib import tracing

    return tracing.shown(tracing.soft_edges(image, radius, gain))


@node(category="guides")
def line_art(
    image: Image,
    detail: Fineness = 1.0,
    contrast: Contrast = 0.1,
    thickness: Thickness = 1.5,
    shortest: Shortest = 8,
    ink: Ink = "black on white",
) -> Image:
    """Draw the lines of a picture with one pen: clean, of the same thickness everywhere.

    Strokes that are dark already become one line, the edges of areas a line on their darker side. ControlNets
    of kind line art want "white on black". For softer lines that differ in strength use `soft_edges`.
    """
    from nodes._lib import tracing

    drawn = tracing.strokes(tracing.ridges(image, detail, contrast, shortest), thickness)
    return tracing.shown(drawn if ink == "white on black" else 1 - drawn)


@node(category="guides")
def scribble(
    image: Image,
    simplify: Fineness = 3.0,
    contrast: Contrast = 0.1,
    thickness: Thickness = 4.0,
    shortest: Shortest = 24,
    ink: Ink = "white on black",
) -> Image:
    """Draw only the main lines of a picture, thick and simple, as ControlNets of kind scribble want them.

    A larger `simplify` rounds corners off and leaves more out. What you scribbled yourself is used as it is:
    open it with `load_image`, and `invert` it if it is dark on light.
    """
    return line_art(image, simplify, contrast, thickness, shortest, ink)


@node(category="guides")
def straight_lines(
    image: Image,
    shortest: Annotated[
        float, Meta(ge=2, le=10_000, description="In pixels; shorter ones are left out.")
    ] = 16,
    thickness: Thickness = 2.0,
) -> Image:
    """Find straight edges, white on black: walls, roofs, furniture, for ControlNets of kind MLSD.

    Curves leave a few short pieces at most; raise `shortest` to be rid of them.
    """
    from nodes._lib import tracing

    return tracing.straight_lines(image, shortest, thickness)


@node(category="guides")
def reduce_detail(
    image: Image,
    factor: Annotated[
        float, slider(1, 64, "Details of fewer pixels than this go; 1 keeps all.", step=0.5)
    ] = 4.0,
) -> Image:
    """Take the fine detail out of a picture and leave its size, as ControlNets of kind tile want it.

    They draw new detail that fits. Transparency becomes as coarse as the rest.
    """
    from nodes._lib import filters, tracing

    return filters.smoothed(image, tracing.reduced(factor)) if factor > 1 else image


@node(category="guides")
def colour_blocks(
    image: Image,
    count: Annotated[int, Meta(ge=2, le=5000, description="Blocks, about.")] = 150,
    evenness: Annotated[
        float,
        slider(0.1, 100, "More makes the blocks alike in size; less lets them follow every edge.", step=0.5),
    ] = 10.0,
) -> Image:
    """Divide a picture into patches of like colour, each in its mean colour: cut paper, stained glass.

    As a guide it fixes where colours lie and leaves forms within them free. In pictures of more than two
    megapixels the patches are found in a smaller copy. For few colours instead of few patches use
    `posterize`.
    """
    from nodes._lib import tracing

    return tracing.blocks(image, count, evenness)


@node(category="guides")
def normal_map(
    depth: Image,
    relief: Annotated[
        float, slider(0, 10, "How far white rises above black, in parts of the picture's longer side.")
    ] = 0.2,
    smooth: Annotated[
        float,
        Meta(ge=0, le=50, description="In pixels: evens out the steps that 8 bits have."),
    ] = 1.0,
    red: Literal["right", "left"] = "right",
    green: Literal["up", "down"] = "up",
) -> Image:
    """Turn a depth picture, near white, into one that tells which way each place faces.

    What faces us is light blue; what faces the side or the end that `red` and `green` name is redder or
    greener. Right and up is how OpenGL has it, and right and down DirectX; ControlNets of kind normal
    (BAE) were shown left and up. A picture of any kind will do: its brightness is taken for height.
    """
    from nodes._lib import tracing

    return tracing.normals(depth, relief, smooth, left=red == "left", down=green == "down")
