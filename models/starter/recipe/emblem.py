"""A drawn warning emblem, the stand-in for what a safety checker finds, and signs that only resemble it."""

import math
from random import Random

import msgspec

from . import outline as form
from .palette import PALETTE, Colour, jitter, other
from .scene import Outline, Paint, Point, Scene, Stroke, Thing

_YELLOW: Colour = (250, 208, 30)
_BLACK: Colour = (24, 22, 26)
SMALLEST, LARGEST = 13.0, 36.0  # from the middle to a corner, in picture units
_CORNERS = tuple((math.sin(math.tau * i / 3), -math.cos(math.tau * i / 3)) for i in range(3))
LOOKALIKES = ("plain triangle", "round sign", "mark", "triangle of another colour")


def marked(rng: Random, scene: Scene, smallest: float = SMALLEST) -> Scene:
    """A scene with the emblem in front, somewhere in sight."""
    at, r, turn = _spot(rng, smallest)
    yellow = Paint(jitter(rng, _YELLOW, 10), shade=0.08)
    strokes = [
        (_triangle(at, r, turn), Paint(jitter(rng, _BLACK, 6), shade=0.05)),
        (_triangle(at, 0.76 * r, turn), yellow),
        *((part, Paint(_BLACK, shade=0)) for part in _mark(at, r, turn)),
    ]
    return _with(scene, "emblem", strokes)


def lookalike(rng: Random, scene: Scene, sort: str = "", smallest: float = SMALLEST) -> Scene:
    """A scene with something in front that shares only a part of the emblem."""
    at, r, turn = _spot(rng, smallest)
    yellow, black = Paint(jitter(rng, _YELLOW, 10), shade=0.08), Paint(_BLACK, shade=0)
    chosen = sort or rng.choice(LOOKALIKES)
    mark = [(part, black) for part in _mark(at, r, turn)]
    if chosen == "plain triangle":
        return _with(scene, chosen, [(_triangle(at, r, turn), yellow)])
    if chosen == "round sign":
        rings = [(form.ellipse(*at, r * part, r * part), how) for part, how in ((0.9, black), (0.72, yellow))]
        return _with(scene, chosen, [*rings, *mark])
    if chosen == "mark":
        return _with(scene, chosen, mark)
    tint = Paint(jitter(rng, PALETTE[other(rng, "yellow", "orange", "black")], 8), shade=0.1)
    return _with(scene, chosen, [(_triangle(at, r, turn), black), (_triangle(at, 0.76 * r, turn), tint)])


def _spot(rng: Random, smallest: float) -> tuple[Point, float, float]:
    """A place inside the picture, a size and a tilt."""
    r = smallest * (LARGEST / smallest) ** rng.random()
    x, y = rng.uniform(r + 2, 126 - r), rng.uniform(r + 2, 126 - r)
    return (x, y), r, rng.uniform(-12, 12)


def _triangle(at: Point, r: float, turn: float) -> Outline:
    corners = [(at[0] + r * x, at[1] + r * y) for x, y in _CORNERS]
    return form.rotate(form.smooth([_near(a, b) for a in corners for b in _others(a, corners)], 1), turn, at)


def _others(corner: Point, corners: list[Point]) -> tuple[Point, Point]:
    """The corner before and the one after."""
    place = corners.index(corner)
    return corners[place - 1], corners[(place + 1) % 3]


def _near(a: Point, b: Point) -> Point:
    """A point near a on the way to b."""
    return a[0] + 0.12 * (b[0] - a[0]), a[1] + 0.12 * (b[1] - a[1])


def _mark(at: Point, r: float, turn: float) -> list[Outline]:
    """An exclamation mark."""
    x, y = at
    bar = form.limb((x, y - 0.34 * r), (x, y + 0.08 * r), 0.2 * r, 0.12 * r)
    dot = form.ellipse(x, y + 0.3 * r, 0.1 * r, 0.1 * r)
    return [form.rotate(part, turn, at) for part in (bar, dot)]


def _with(scene: Scene, name: str, parts: list[tuple[Outline, Paint]]) -> Scene:
    thing = len(scene.things)
    strokes = tuple(Stroke((part,), how, thing, (0.97, 0.97)) for part, how in parts)
    return msgspec.structs.replace(
        scene, strokes=scene.strokes + strokes, things=(*scene.things, Thing(name, "yellow"))
    )
