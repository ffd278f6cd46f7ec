"""Small things with a form of their own: buildings, vehicles, plants, household goods."""

from collections.abc import Callable

from . import outline as form
from .palette import Colour, dim, mix
from .scene import Paint, Point
from .sketch import Sketch

WOOD: Colour = (108, 70, 42)
PANE: Colour = (255, 236, 150)
INK: Colour = (46, 42, 52)
STEEL: Colour = (188, 192, 200)


def house(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A house standing on (x, y), 25 wide and 24 high at scale 1."""
    wall = Paint(colour, shade=0.1)
    sketch.add(form.box(x + 5 * s, y - 27 * s, x + 8.5 * s, y - 16 * s), dim(colour, 0.7))
    sketch.add(form.box(x - 10 * s, y - 14 * s, x + 10 * s, y), wall)
    roof = (
        (x - 13 * s, y - 13 * s),
        (x + 13 * s, y - 13 * s),
        (x + 7 * s, y - 24 * s),
        (x - 7 * s, y - 24 * s),
    )
    sketch.add(form.polygon(roof), Paint(mix((150, 62, 48), dim(colour, 0.5), 0.25), shade=0.2))
    sketch.add(form.box(x - 2.6 * s, y - 8 * s, x + 2.6 * s, y), (92, 58, 40))
    for side in (-6.4, 6.4):
        sketch.add(
            form.box(x + (side - 2.2) * s, y - 10.5 * s, x + (side + 2.2) * s, y - 5.5 * s),
            Paint(PANE, shade=0.05),
        )


def boat(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A sailing boat floating at (x, y)."""
    sketch.add(form.limb((x, y), (x, y - 25 * s), 1.6 * s), WOOD)
    sail = Paint((248, 244, 232), shade=0.16)
    sketch.add(
        form.polygon(((x + 1.2 * s, y - 24 * s), (x + 1.2 * s, y - 5 * s), (x + 13 * s, y - 5 * s))), sail
    )
    sketch.add(
        form.polygon(((x - 1.2 * s, y - 20 * s), (x - 1.2 * s, y - 5 * s), (x - 9 * s, y - 5 * s))), sail
    )
    hull = (
        (x - 15 * s, y - 3 * s),
        (x + 15 * s, y - 3 * s),
        (x + 10 * s, y + 6 * s),
        (x - 10 * s, y + 6 * s),
    )
    sketch.add(form.polygon(hull), Paint(colour, shade=0.2))


def tree(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A fir or a leafy tree."""
    rng = sketch.rng
    sketch.add(form.limb((x, y), (x, y - 10 * s), 3.6 * s, 2.6 * s), WOOD)
    if rng.random() < 0.5:
        for i in range(3):
            half, low = (8.4 - 1.8 * i) * s, y - (6 + 6 * i) * s
            sketch.add(
                form.polygon(((x - half, low), (x + half, low), (x, low - 11 * s))), Paint(colour, shade=0.2)
            )
        return
    for dx, dy, r in ((-4.5, -13, 6), (4.5, -13, 6), (0, -18, 7.5)):
        sketch.add(form.ellipse(x + dx * s, y + dy * s, r * s, r * s), Paint(colour, shade=0.2, round=True))


def car(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A car seen from the side, its wheels on y."""
    cabin = (
        (x - 11 * s, y - 11 * s),
        (x - 6 * s, y - 19 * s),
        (x + 6 * s, y - 19 * s),
        (x + 11 * s, y - 11 * s),
    )
    sketch.add(form.polygon(cabin), Paint(colour, shade=0.12))
    pane = Paint((196, 226, 240), shade=0.12)
    sketch.add(
        form.polygon(
            (
                (x - 8.4 * s, y - 11 * s),
                (x - 5 * s, y - 17 * s),
                (x - 1 * s, y - 17 * s),
                (x - 1 * s, y - 11 * s),
            )
        ),
        pane,
    )
    sketch.add(
        form.polygon(
            (
                (x + 8.4 * s, y - 11 * s),
                (x + 5 * s, y - 17 * s),
                (x + 1 * s, y - 17 * s),
                (x + 1 * s, y - 11 * s),
            )
        ),
        pane,
    )
    body = form.smooth(
        (
            (x - 20 * s, y - 2 * s),
            (x - 20 * s, y - 11 * s),
            (x, y - 12.5 * s),
            (x + 20 * s, y - 11 * s),
            (x + 20 * s, y - 2 * s),
        )
    )
    sketch.add(body, Paint(colour, shade=0.2, gloss=0.2))
    for dx in (-10.5, 10.5):
        sketch.add(form.ellipse(x + dx * s, y - 3 * s, 4.8 * s, 4.8 * s), INK)
        sketch.add(form.ellipse(x + dx * s, y - 3 * s, 2.1 * s, 2.1 * s), STEEL)


def bus(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A bus with a row of windows."""
    sketch.add(
        form.smooth(_corners(x - 22 * s, y - 22 * s, x + 22 * s, y - 3 * s), 2), Paint(colour, shade=0.18)
    )
    for i in range(4):
        left = x + (-18 + 9.4 * i) * s
        sketch.add(
            form.box(left, y - 18.5 * s, left + 7 * s, y - 11.5 * s), Paint((200, 228, 240), shade=0.1)
        )
    for dx in (-11.5, 11.5):
        sketch.add(form.ellipse(x + dx * s, y - 3.5 * s, 4.6 * s, 4.6 * s), INK)
        sketch.add(form.ellipse(x + dx * s, y - 3.5 * s, 1.9 * s, 1.9 * s), STEEL)


def flower(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A flower with five petals on a stem."""
    sketch.add(form.limb((x, y), (x, y - 20 * s), 2 * s), (56, 134, 66))
    sketch.add(form.ellipse(x + 4.6 * s, y - 7 * s, 5 * s, 2.1 * s, -32), Paint((66, 150, 72), shade=0.15))
    for i in range(5):
        dx, dy = form.rotate(form.polygon(((0, -6.4 * s),)), 72 * i)[0]
        sketch.add(
            form.ellipse(x + float(dx), y - 22 * s + float(dy), 4.4 * s, 5.4 * s, 72 * i),
            Paint(colour, shade=0.15),
        )
    centre: Colour = (122, 78, 34) if colour[0] > 225 and colour[1] > 180 else (250, 206, 60)
    sketch.add(form.ellipse(x, y - 22 * s, 3.8 * s, 3.8 * s), Paint(centre, round=True))


def balloon(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A balloon on its string."""
    sketch.add(form.line(((x, y), (x + 1.5 * s, y - 6 * s), (x, y - 12 * s)), 0.9 * s), INK)
    sketch.add(form.ellipse(x, y - 24 * s, 10 * s, 12.4 * s), Paint(colour, round=True, gloss=0.5))


def cup(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A cup with a handle."""
    sketch.add(form.arc(x + 9 * s, y - 9 * s, 6 * s, 5 * s, -100, 100, 2.6 * s), dim(colour, 0.9))
    side = ((x - 10 * s, y - 18 * s), (x + 10 * s, y - 18 * s), (x + 8 * s, y), (x - 8 * s, y))
    sketch.add(form.polygon(side), Paint(colour, shade=0.2))
    sketch.add(form.ellipse(x, y - 18 * s, 10 * s, 2.8 * s), Paint(dim(colour, 0.66), shade=0.05))


def apple(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """An apple with stem and leaf."""
    body = (
        (x, y - 17 * s),
        (x + 10 * s, y - 20 * s),
        (x + 13 * s, y - 9 * s),
        (x + 6 * s, y + 1 * s),
        (x, y - 1 * s),
        (x - 6 * s, y + 1 * s),
        (x - 13 * s, y - 9 * s),
        (x - 10 * s, y - 20 * s),
    )
    sketch.add(form.smooth(body, 3), Paint(colour, round=True, gloss=0.4))
    sketch.add(form.limb((x, y - 15 * s), (x + 1.5 * s, y - 22 * s), 1.8 * s), WOOD)
    sketch.add(form.ellipse(x + 6 * s, y - 21 * s, 4.6 * s, 2.1 * s, -24), Paint((70, 156, 70), shade=0.15))


def mushroom(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A mushroom with a dotted cap."""
    sketch.add(form.limb((x, y - 1 * s), (x, y - 12 * s), 8 * s, 6.5 * s), Paint((244, 234, 214), shade=0.15))
    cap = (
        (x - 14 * s, y - 10 * s),
        (x - 13 * s, y - 20 * s),
        (x, y - 27 * s),
        (x + 13 * s, y - 20 * s),
        (x + 14 * s, y - 10 * s),
    )
    sketch.add(form.smooth(cap, 3), Paint(colour, shade=0.22))
    dot: Colour = (252, 250, 244) if sum(colour) < 640 else (206, 60, 56)
    for dx, dy, r in ((-6.5, -15, 2.2), (1.5, -20, 2.5), (7.5, -14.5, 1.9)):
        sketch.add(form.ellipse(x + dx * s, y + dy * s, r * s, r * s), dot)


def umbrella(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """An open umbrella with a crook."""
    sketch.add(form.limb((x, y - 3 * s), (x, y - 24 * s), 1.7 * s), WOOD)
    sketch.add(form.arc(x + 3 * s, y - 3 * s, 3 * s, 3 * s, 180, 0, 1.7 * s), WOOD)
    dome = [
        *_half(x, y - 13 * s, 16 * s, 13 * s),
        (x + 10.7 * s, y - 15.5 * s),
        (x + 5.3 * s, y - 13 * s),
        (x, y - 15.5 * s),
        (x - 5.3 * s, y - 13 * s),
        (x - 10.7 * s, y - 15.5 * s),
    ]
    sketch.add(form.polygon(dome), Paint(colour, shade=0.24))


def rocket(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A rocket pointing up."""
    flame = ((x - 4 * s, y - 6 * s), (x, y + 4 * s), (x + 4 * s, y - 6 * s))
    sketch.add(form.polygon(flame), Paint((255, 170, 50), shade=0))
    for side in (-1, 1):
        fin = ((x + side * 5 * s, y - 14 * s), (x + side * 11 * s, y - 3 * s), (x + side * 4 * s, y - 6 * s))
        sketch.add(form.polygon(fin), dim(colour, 0.72))
    body = (
        (x - 5 * s, y - 5 * s),
        (x - 7.5 * s, y - 18 * s),
        (x, y - 37 * s),
        (x + 7.5 * s, y - 18 * s),
        (x + 5 * s, y - 5 * s),
    )
    sketch.add(form.smooth(body, 2), Paint(colour, shade=0.22))
    sketch.add(form.ellipse(x, y - 18 * s, 3.3 * s, 3.3 * s), Paint((190, 226, 244), shade=0.1))


Draw = Callable[[Sketch, float, float, float, Colour], None]
THINGS: dict[str, Draw] = {
    "house": house,
    "boat": boat,
    "tree": tree,
    "car": car,
    "bus": bus,
    "flower": flower,
    "balloon": balloon,
    "cup": cup,
    "apple": apple,
    "mushroom": mushroom,
    "umbrella": umbrella,
    "rocket": rocket,
}


def _corners(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """A box given with extra points, so that smoothing rounds its corners only a little."""
    w, h = (right - left) / 8, (bottom - top) / 5
    return [
        (left, top + h),
        (left + w, top),
        (right - w, top),
        (right, top + h),
        (right, bottom - h),
        (right - w, bottom),
        (left + w, bottom),
        (left, bottom - h),
    ]


def _half(x: float, y: float, rx: float, ry: float) -> list[Point]:
    """The upper half of an ellipse, from left to right."""
    ring = form.ellipse(x, y, rx, ry)
    upper = [(float(px), float(py)) for px, py in ring if py <= y + 1e-3]
    return sorted(upper)
