"""Scenes of plain shapes: one, two in relation, or several alike."""

import math
from collections.abc import Callable
from random import Random

from . import outline as form
from .palette import COLOURS, named
from .scene import Outline, Paint, Point, Scene, Thing
from .sketch import Sketch
from .wording import an, plural

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross")
# one colour of every shape, and a few more, that no training picture shows
HELD_OUT = frozenset(
    {
        ("red", "star"),
        ("blue", "heart"),
        ("green", "diamond"),
        ("yellow", "triangle"),
        ("purple", "circle"),
        ("orange", "square"),
        ("pink", "cross"),
        ("white", "star"),
        ("cyan", "heart"),
        ("black", "triangle"),
        ("brown", "diamond"),
        ("gray", "circle"),
    }
)
PLACES: dict[str, Point] = {
    "on the left": (-32, 0),
    "on the right": (32, 0),
    "at the top": (0, -32),
    "at the bottom": (0, 32),
    "in the top left": (-32, -32),
    "in the top right": (32, -32),
    "in the bottom left": (-32, 32),
    "in the bottom right": (32, 32),
    "in the center": (0, 0),
}
NUMBERS = {2: "two", 3: "three", 4: "four"}
_RELATIONS = {
    "and": ("{} and {}", "{} next to {}", "{} beside {}"),
    "left": ("{} to the left of {}", "{} on the left and {} on the right"),
    "right": ("{} to the right of {}", "{} on the right and {} on the left"),
    "above": ("{} above {}", "{} on top and {} below", "{} over {}"),
    "below": ("{} below {}", "{} under {}"),
    "inside": ("{} inside {}", "{} in {}"),
}
_SIDE = {
    "and": (-1, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
    "inside": (0, 0),
}


def shapes(rng: Random, held_out: bool = False) -> Scene:
    """Shapes on a plain background; with `held_out`, only in colours that training never shows."""
    sketch = Sketch(rng)
    wall = rng.choice(COLOURS)
    sketch.backdrop(named(rng, wall))
    draw: Callable[[Sketch, str, bool], tuple[dict[str, str], list[str]]] = rng.choices(
        (_single, _pair, _several), (50, 32, 18)
    )[0]
    facts, phrases = draw(sketch, wall, held_out)
    captions = tuple(f"{phrase} on {an(wall)} background" for phrase in phrases)
    return sketch.scene("shapes", facts | {"background": wall}, captions)


def outline(shape: str, x: float, y: float, radius: float) -> Outline:
    """The outline of a shape around a point."""
    r = radius
    if shape == "circle":
        return form.ellipse(x, y, r, r)
    if shape == "square":
        return form.box(x - 0.88 * r, y - 0.88 * r, x + 0.88 * r, y + 0.88 * r)
    if shape == "triangle":
        return form.polygon(((x, y - r), (x + 1.05 * r, y + 0.85 * r), (x - 1.05 * r, y + 0.85 * r)))
    if shape == "diamond":
        return form.polygon(((x, y - 1.1 * r), (x + 0.8 * r, y), (x, y + 1.1 * r), (x - 0.8 * r, y)))
    if shape == "star":
        return form.polygon(_star(x, y, r))
    if shape == "heart":
        return form.polygon(_heart(x, y, r))
    return form.polygon(_cross(x, y, r))


def _star(x: float, y: float, r: float) -> list[Point]:
    reach = [1.12 * r if i % 2 == 0 else 0.46 * r for i in range(10)]
    return [
        (x + math.sin(math.tau * i / 10) * d, y - math.cos(math.tau * i / 10) * d)
        for i, d in enumerate(reach)
    ]


def _heart(x: float, y: float, r: float) -> list[Point]:
    turns = [math.tau * i / 40 for i in range(40)]
    return [
        (
            x + r * 16 * math.sin(t) ** 3 / 15,
            y - r * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 15,
        )
        for t in turns
    ]


def _cross(x: float, y: float, r: float) -> list[Point]:
    a = 0.34 * r
    corner = (
        (-a, -r),
        (a, -r),
        (a, -a),
        (r, -a),
        (r, a),
        (a, a),
        (a, r),
        (-a, r),
        (-a, a),
        (-r, a),
        (-r, -a),
        (-a, -a),
    )
    return [(x + dx, y + dy) for dx, dy in corner]


def _finish(rng: Random, shape: str, colour: str) -> Paint:
    ball = shape == "circle"
    return Paint(
        named(rng, colour),
        shade=rng.uniform(0.1, 0.2),
        round=ball and rng.random() < 0.6,
        gloss=rng.choice((0, 0, 0.35)) if ball else rng.choice((0, 0, 0.18)),
    )


def _place(sketch: Sketch, thing: Thing, paint: Paint, at: Point, radius: float, near: float = 0.6) -> None:
    """One lit shape with its shadow."""
    x, y = at
    shape = thing.name
    away = -sketch.light[0] * radius * 0.16
    sketch.veil(
        outline(shape, x + away, y + radius * 0.14, radius), (12, 10, 34), 0.28, soft=max(1.2, radius * 0.09)
    )
    with sketch.thing(shape, thing.colour, thing.place, near):
        sketch.add(outline(shape, x, y, radius), paint)


def _pick(rng: Random, wall: str, held_out: bool, *taken: str) -> tuple[str, str]:
    """A shape and its colour."""
    pairs = [
        (shape, colour)
        for shape in SHAPES
        for colour in COLOURS
        if colour != wall and colour not in taken and ((colour, shape) in HELD_OUT) == held_out
    ]
    return rng.choice(pairs)


def _single(sketch: Sketch, wall: str, held_out: bool) -> tuple[dict[str, str], list[str]]:
    rng = sketch.rng
    shape, colour = _pick(rng, wall, held_out)
    size = rng.choice(("small", "", "", "", "large"))
    low, high = {"small": (12, 17), "": (22, 30), "large": (38, 48)}[size]
    place = rng.choice(tuple(PLACES)) if rng.random() < 0.55 and size != "large" else ""
    dx, dy = PLACES.get(place, (0, 0))
    spread, reach = (3 if size == "large" else 5), (1.15 if size == "small" else 1)
    at = 64 + dx * reach + rng.uniform(-spread, spread), 64 + dy * reach + rng.uniform(-spread, spread)
    _place(sketch, Thing(shape, colour, place), _finish(rng, shape, colour), at, rng.uniform(low, high))
    phrase = an(f"{size} {colour} {shape}".strip())
    phrase = f"{phrase} {place}".strip()
    return {"group": "single", "place": place, "size": size}, [phrase]


def _pair(sketch: Sketch, wall: str, held_out: bool) -> tuple[dict[str, str], list[str]]:
    rng = sketch.rng
    first, first_colour = _pick(rng, wall, held_out)
    second, second_colour = _pick(rng, wall, held_out, first_colour)
    relation = rng.choice(tuple(_RELATIONS))
    if relation == "inside":
        second = rng.choice(("circle", "square", "diamond", "heart"))
        allowed = [c for c in COLOURS if c not in (wall, first_colour) and (c, second) not in HELD_OUT]
        second_colour = rng.choice(allowed)
        outer, inner = Thing(second, second_colour), Thing(first, first_colour)
        at = 64 + rng.uniform(-2, 2), 64 + rng.uniform(-2, 2)
        _place(sketch, outer, _finish(rng, second, second_colour), (64, 64), rng.uniform(44, 52), 0.5)
        _place(sketch, inner, _finish(rng, first, first_colour), at, rng.uniform(15, 20), 0.7)
    else:
        dx, dy = _SIDE[relation]
        for sign, shape, colour in ((1, first, first_colour), (-1, second, second_colour)):
            at = 64 + 31 * dx * sign + rng.uniform(-4, 4), 64 + 31 * dy * sign + rng.uniform(-4, 4)
            _place(sketch, Thing(shape, colour), _finish(rng, shape, colour), at, rng.uniform(18, 25))
    one, two = an(f"{first_colour} {first}"), an(f"{second_colour} {second}")
    return {"group": "pair", "relation": relation}, [said.format(one, two) for said in _RELATIONS[relation]]


def _several(sketch: Sketch, wall: str, held_out: bool) -> tuple[dict[str, str], list[str]]:
    rng = sketch.rng
    count = rng.choice((2, 3, 4))
    shape, colour = _pick(rng, wall, held_out)
    low, high = {2: (20, 25), 3: (15, 18), 4: (18, 22)}[count]
    spots: dict[int, list[Point]] = {
        2: [(-31, 0), (31, 0)],
        3: [(-41, 0), (0, 0), (41, 0)] if rng.random() < 0.5 else [(-30, 26), (0, -28), (30, 26)],
        4: [(-30, -30), (30, -30), (-30, 30), (30, 30)],
    }
    radius, paint = rng.uniform(low, high), _finish(rng, shape, colour)
    for dx, dy in spots[count]:
        at = 64 + dx + rng.uniform(-2, 2), 64 + dy + rng.uniform(-2, 2)
        _place(sketch, Thing(shape, colour), paint, at, radius)
    return {"group": "several", "count": str(count)}, [f"{NUMBERS[count]} {colour} {plural(shape)}"]
