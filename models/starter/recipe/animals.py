"""Animals seen from the side, looking left or right."""

from collections.abc import Callable

from . import outline as form
from .palette import Colour, dim, mix
from .scene import Paint
from .sketch import Sketch
from .things import INK

_BEAK: Colour = (244, 160, 46)


def dog(sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int = 1) -> None:
    """A dog standing on y, its nose towards `way`: 1 right, -1 left."""
    _walker(sketch, x, y, s, colour, way, 15)
    sketch.add(
        form.limb((x - way * 13 * s, y - 16 * s), (x - way * 19 * s, y - 23 * s), 3.4 * s, 2 * s), colour
    )
    hx, hy = x + way * 14 * s, y - 22 * s
    sketch.add(form.ellipse(hx, hy, 7 * s, 6.4 * s), Paint(colour, shade=0.18))
    sketch.add(
        form.limb((hx + way * 3 * s, hy + 2 * s), (hx + way * 9 * s, hy + 2.6 * s), 6 * s, 4.4 * s),
        mix(colour, (255, 250, 240), 0.25),
    )
    sketch.add(form.ellipse(hx + way * 11 * s, hy + 1.4 * s, 1.8 * s, 1.6 * s), INK)
    sketch.add(form.ellipse(hx - way * 4 * s, hy + 1 * s, 3 * s, 6 * s, way * 14), dim(colour, 0.66))
    sketch.add(form.ellipse(hx + way * 2.4 * s, hy - 1.6 * s, 1.3 * s, 1.4 * s), INK)


def cat(sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int = 1) -> None:
    """A cat standing on y with its tail up."""
    _walker(sketch, x, y, s, colour, way, 13)
    tail = ((x - way * 13 * s, y - 15 * s), (x - way * 19 * s, y - 21 * s), (x - way * 18 * s, y - 31 * s))
    sketch.add(form.line(tail, 3 * s), colour)
    hx, hy = x + way * 13 * s, y - 22 * s
    for side in (-1, 1):
        ear = (
            (hx + side * 6.4 * s, hy - 2 * s),
            (hx + side * 5.4 * s, hy - 11 * s),
            (hx + side * 0.8 * s, hy - 5 * s),
        )
        sketch.add(form.polygon(ear), dim(colour, 0.86))
    sketch.add(form.ellipse(hx, hy, 7.4 * s, 6.6 * s), Paint(colour, shade=0.18))
    for side in (-1, 1):
        sketch.add(form.ellipse(hx + (way * 1.4 + side * 2.8) * s, hy - 0.6 * s, 1.2 * s, 1.6 * s), INK)
    sketch.add(form.ellipse(hx + way * 1.6 * s, hy + 2.4 * s, 1.3 * s, 0.9 * s), (232, 120, 140))


def horse(sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int = 1) -> None:
    """A horse with a mane."""
    mane = Paint(dim(colour, 0.5) if sum(colour) > 200 else (120, 110, 110), shade=0.1)
    sketch.add(
        form.line(
            ((x - way * 15 * s, y - 25 * s), (x - way * 20 * s, y - 20 * s), (x - way * 20 * s, y - 9 * s)),
            3.4 * s,
        ),
        mane,
    )
    _walker(sketch, x, y, s, colour, way, 15, height=14)
    neck = (x + way * 12 * s, y - 24 * s), (x + way * 19 * s, y - 38 * s)
    sketch.add(form.limb(*neck, 10 * s, 6.6 * s), Paint(colour, shade=0.14))
    sketch.add(
        form.limb(
            (neck[0][0] - way * 2 * s, neck[0][1] - 4 * s),
            (neck[1][0] - way * 3.6 * s, neck[1][1] - 3 * s),
            3.4 * s,
        ),
        mane,
    )
    sketch.add(
        form.limb((x + way * 19 * s, y - 38 * s), (x + way * 27 * s, y - 33 * s), 7.4 * s, 5 * s),
        Paint(colour, shade=0.14),
    )
    sketch.add(
        form.polygon(
            ((x + way * 16 * s, y - 40 * s), (x + way * 18 * s, y - 47 * s), (x + way * 20.5 * s, y - 40 * s))
        ),
        colour,
    )
    sketch.add(form.ellipse(x + way * 20.5 * s, y - 38.6 * s, 1.2 * s, 1.4 * s), INK)


def bird(sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int = 1) -> None:
    """A bird standing on y."""
    for dx in (-2, 3):
        sketch.add(form.limb((x + dx * s, y), (x + dx * s, y - 7 * s), 1.5 * s), _BEAK)
    tail = ((x - way * 9 * s, y - 13 * s), (x - way * 22 * s, y - 19 * s), (x - way * 20 * s, y - 11 * s))
    sketch.add(form.polygon(tail), dim(colour, 0.75))
    sketch.add(form.ellipse(x, y - 13 * s, 12 * s, 9 * s, -way * 14), Paint(colour, shade=0.2))
    beak = ((x + way * 15 * s, y - 25 * s), (x + way * 22 * s, y - 22.5 * s), (x + way * 15 * s, y - 20 * s))
    sketch.add(form.polygon(beak), _BEAK)
    sketch.add(form.ellipse(x + way * 10 * s, y - 23 * s, 7 * s, 6.6 * s), Paint(colour, shade=0.18))
    sketch.add(
        form.ellipse(x - way * 3 * s, y - 13 * s, 7.6 * s, 4.4 * s, way * 20),
        Paint(dim(colour, 0.72), shade=0.15),
    )
    sketch.add(form.ellipse(x + way * 12 * s, y - 24 * s, 1.5 * s, 1.5 * s), INK)


def fish(sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int = 1) -> None:
    """A fish swimming, 20 above y."""
    level = y - 20 * s
    tail = (
        (x - way * 11 * s, level),
        (x - way * 24 * s, level - 10 * s),
        (x - way * 20 * s, level),
        (x - way * 24 * s, level + 10 * s),
    )
    sketch.add(form.polygon(tail), dim(colour, 0.8))
    sketch.add(
        form.polygon(
            ((x - 5 * s, level - 8 * s), (x + way * 2 * s, level - 16 * s), (x + 7 * s, level - 8 * s))
        ),
        dim(colour, 0.8),
    )
    sketch.add(form.ellipse(x, level, 16 * s, 10.5 * s), Paint(colour, shade=0.22, gloss=0.2))
    sketch.add(form.ellipse(x - way * 1 * s, level + 2 * s, 5 * s, 3 * s, -way * 25), dim(colour, 0.74))
    sketch.add(form.ellipse(x + way * 9 * s, level - 2.4 * s, 2.7 * s, 2.7 * s), (252, 252, 252))
    sketch.add(form.ellipse(x + way * 9.7 * s, level - 2.4 * s, 1.4 * s, 1.4 * s), INK)


Draw = Callable[[Sketch, float, float, float, Colour, int], None]
ANIMALS: dict[str, Draw] = {"dog": dog, "cat": cat, "horse": horse, "bird": bird, "fish": fish}


def _walker(
    sketch: Sketch, x: float, y: float, s: float, colour: Colour, way: int, half: float, height: float = 10
) -> None:
    """Four legs and a body; the far pair of legs is darker."""
    for shift, tint in ((2.2, dim(colour, 0.7)), (-1.2, colour)):
        for end in (-1, 1):
            top = (x + (end * (half - 4) + way * shift) * s, y - height * s)
            sketch.add(form.limb(top, (top[0], y - 1.6 * s), 4 * s, 3.4 * s), Paint(tint, shade=0.1))
    level = y - (height + 4) * s
    sketch.add(
        form.limb((x - (half - 6) * s, level), (x + (half - 6) * s, level), 12 * s), Paint(colour, shade=0.2)
    )
