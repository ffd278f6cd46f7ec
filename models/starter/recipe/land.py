"""Landscapes: a terrain under a sky, with a few things standing in it."""

from random import Random

from msgspec import Struct

from . import outline as form
from .palette import WHITE, Colour, dim, jitter, mix, named, other
from .scene import Outline, Paint, Point, Scene
from .sketch import Sketch
from .sky import TIMES, Sky, Time, sky
from .things import boat, car, house, tree
from .wording import an

TERRAINS = ("mountains", "hills", "sea", "desert", "forest")
_WHEN: dict[Time, tuple[str, ...]] = {
    "day": ("", "during the day", "by day"),
    "sunset": ("at sunset", "in the evening", "at sunset"),
    "night": ("at night", "by night", "at night"),
}
_GRASS, _SNOW, _SAND = (84, 172, 84), (236, 241, 248), (228, 200, 128)
_GROUNDS: dict[str, Colour] = {"green grass": _GRASS, "snow": _SNOW, "yellow sand": _SAND}


class Land(Struct, frozen=True):
    """A painted terrain."""

    terrain: str
    colour: str
    words: str
    ground: str = ""


def landscape(
    rng: Random, *, sun_height: float | None = None, sail: float | None = None, drift: float = 0
) -> Scene:
    """A landscape; for clips, with the sun at a height, a boat on its way, or clouds that drift."""
    sketch = Sketch(rng)
    time = rng.choice((*TIMES, "day")) if sun_height is None else "sunset"
    above = sky(sketch, time, height=sun_height, drift=drift)
    land = terrain(sketch, above, rng.choice((*TERRAINS, "mountains")) if sail is None else "sea")
    placed = _sailing(sketch, above, sail) if sail is not None else _furnish(sketch, above, land)
    facts = {
        "time": time,
        "terrain": land.terrain,
        "land colour": land.colour,
        "body": above.body,
        "body colour": above.colour,
        "body place": above.place,
    }
    return sketch.scene("land", facts, tuple(_say(rng, above, land, placed) for _ in range(3)))


def terrain(sketch: Sketch, above: Sky, kind: str) -> Land:
    """Paint the land of a kind, as dark as the time of day wants."""
    draw = {"mountains": _mountains, "hills": _hills, "sea": _sea, "desert": _desert, "forest": _forest}
    return draw[kind](sketch, above)


def field(sketch: Sketch, above: Sky, colour: Colour, horizon: float) -> None:
    """Flat ground up to a horizon."""
    rng = sketch.rng
    rim: list[Point] = [(x, horizon + rng.uniform(-1.5, 1.5)) for x in (-60, 0, 64, 128, 188)]
    paint = Paint(dim(colour, above.dark), foot=dim(colour, above.dark * 0.86), shade=0.03, mottle=0.03)
    sketch.plane(form.ground(rim), paint, 0.2, 1.0)


def _mountains(sketch: Sketch, above: Sky) -> Land:
    rng = sketch.rng
    name = rng.choice(("purple", "green", "blue", "gray", "brown", "red"))
    snowy = rng.random() < 0.35
    colour = dim(named(rng, name), (above.dark + 1) / 2)
    level, height = rng.uniform(90, 96), rng.uniform(36, 48)
    count = rng.choice((2, 3, 3, 4))
    _ridge(sketch, level, height * 0.72, mix(colour, above.low, 0.45), count + 1, False, 0.06)
    _ridge(sketch, level + 2, height, colour, count, snowy, 0.12)
    ground = rng.choice(("green grass", "green grass", "snow", "yellow sand"))
    field(sketch, above, jitter(rng, _GROUNDS[ground]), level)
    return Land("mountains", name, f"{'snowy ' if snowy else ''}{name} mountains", ground)


def _ridge(
    sketch: Sketch, level: float, height: float, colour: Colour, peaks: int, snow: bool, near: float
) -> None:
    rng = sketch.rng
    step = 248 / (peaks * 2)
    feet: list[Point] = []
    tops: list[Point] = []
    for index in range(peaks * 2 + 1):
        x = -60 + index * step + rng.uniform(-6, 6)
        if index % 2:
            tops.append((x, level - height * rng.uniform(0.72, 1.1)))
            feet.append(tops[-1])
        else:
            feet.append((x, level - height * rng.uniform(0, 0.3)))
    sketch.plane(
        form.polygon([*feet, (188, 134), (-60, 134)]),
        Paint(colour, foot=dim(colour, 0.82), shade=0),
        near,
        near + 0.05,
    )
    for index, (x, y) in enumerate(tops):
        side = 1 if sketch.light[0] < 0 else -1
        far = feet[2 * index + 2] if side > 0 else feet[2 * index]
        sketch.veil(
            form.polygon([(x, y), far, (x + side * 4, level + 10), (x - side * 2, y + height * 0.5)]),
            (20, 16, 50),
            0.16,
        )
        if snow:
            sketch.veil(_cap(x, y, feet[2 * index], feet[2 * index + 2]), (246, 249, 255), 0.94)


def _cap(x: float, y: float, left: Point, right: Point) -> Outline:
    """The snow on a peak, down both flanks."""
    a = (x + (left[0] - x) * 0.36, y + (left[1] - y) * 0.36)
    b = (x + (right[0] - x) * 0.36, y + (right[1] - y) * 0.36)
    low = max(a[1], b[1])
    return form.polygon(
        [(x, y), b, (x + (b[0] - x) * 0.4, low - 3), (x, low + 2), (x + (a[0] - x) * 0.4, low - 3), a]
    )


def _hills(sketch: Sketch, above: Sky) -> Land:
    rng = sketch.rng
    name = rng.choice(("green", "green", "yellow", "purple", "orange"))
    colour = dim(named(rng, name), above.dark)
    for level, tint, near in (
        (70, mix(colour, above.low, 0.4), 0.08),
        (79, colour, 0.2),
        (96, dim(colour, 0.86), 0.4),
    ):
        start = rng.choice((-1, 1))
        rim: list[Point] = [
            (-60 + 41.4 * i, level + start * (7 if i % 2 else -7) + rng.uniform(-4, 4)) for i in range(7)
        ]
        sketch.plane(form.ground(rim), Paint(tint, foot=dim(tint, 0.84), shade=0.03), near, near + 0.2)
    return Land("hills", name, f"{name} hills")


def _sea(sketch: Sketch, above: Sky) -> Land:
    rng = sketch.rng
    name = rng.choice(("blue", "blue", "cyan", "green"))
    horizon = rng.uniform(74, 80)
    colour = dim(named(rng, name), above.dark)
    water = Paint(mix(colour, above.low, 0.3), foot=dim(colour, 0.88), shade=0)
    sketch.plane(form.box(-60, horizon, 188, 134), water, 0.1, 0.95)
    if above.body:
        for i in range(4):
            y = horizon + 4 + i * 9
            sketch.veil(form.ellipse(above.x, y, 7 + 3 * i, 1.6), mix(above.low, WHITE, 0.5), 0.4, soft=1)
    for _ in range(7):
        x, y = rng.uniform(-40, 160), rng.uniform(horizon + 5, 124)
        sketch.veil(form.ellipse(x, y, rng.uniform(6, 12), 0.9), WHITE, 0.3)
    return Land("sea", name, f"{an(name)} sea")


def _desert(sketch: Sketch, above: Sky) -> Land:
    rng = sketch.rng
    colour = dim(jitter(rng, (230, 192, 112)), above.dark)
    for level, tint, near in (
        (74, mix(colour, above.low, 0.3), 0.1),
        (84, colour, 0.25),
        (102, dim(colour, 0.93), 0.5),
    ):
        rim: list[Point] = [(-60 + 50 * i, level + rng.uniform(-7, 7)) for i in range(6)]
        sketch.plane(form.ground(rim), Paint(tint, foot=dim(tint, 0.88), shade=0.05), near, near + 0.25)
    return Land("desert", "yellow", "a desert")


def _forest(sketch: Sketch, above: Sky) -> Land:
    rng = sketch.rng
    field(sketch, above, jitter(rng, (74, 150, 74)), rng.uniform(76, 82))
    leaf = dim(jitter(rng, (42, 126, 62)), above.dark)
    for row, (y, s, tint) in enumerate(((82, 1.2, mix(leaf, above.low, 0.25)), (92, 1.6, leaf))):
        x = -40 + rng.uniform(0, 8)
        while x < 168:
            with sketch.surroundings(near=0.3 + 0.1 * row):
                tree(sketch, x, y + rng.uniform(-2, 2), s * rng.uniform(0.85, 1.15), jitter(rng, tint, 6))
            x += rng.uniform(11, 15) * s
    return Land("forest", "green", "a forest")


def _furnish(sketch: Sketch, above: Sky, land: Land) -> list[str]:
    """Put things on the left and right; the phrases that name them."""
    rng = sketch.rng
    sides = ["on the left", "on the right"]
    rng.shuffle(sides)
    choice = (
        ("boat", "boat", "boat", "rock")
        if land.terrain == "sea"
        else ("house", "house", "tree", "rock", "car")
    )
    return [_stand(sketch, above, rng.choice(choice), side) for side in sides[: rng.choice((0, 1, 1, 1, 2))]]


def _stand(sketch: Sketch, above: Sky, name: str, side: str) -> str:
    rng = sketch.rng
    x, y = 64 + (-34 if side == "on the left" else 34) + rng.uniform(-5, 5), rng.uniform(108, 118)
    colour = {"tree": "green", "rock": "gray"}.get(name) or other(rng, "green", "cyan", "purple", "gray")
    dark = (above.dark + 1) / 2
    tint = dim((46, 142, 62) if name == "tree" else named(rng, colour), dark)
    if name != "boat":
        sketch.shadow(x - sketch.light[0] * 8, y, 20, 3.2)
    with sketch.thing(name, colour, side, near=0.75):
        if name == "rock":
            rough = [(x - 17, y + 2), (x - 12, y - 11), (x + 3, y - 15), (x + 16, y - 7), (x + 18, y + 2)]
            sketch.add(form.smooth(rough), Paint(tint, shade=0.25))
        else:
            scale = {
                "house": rng.uniform(1.5, 1.9),
                "boat": rng.uniform(1.4, 1.7),
                "tree": rng.uniform(1.9, 2.3),
            }
            draw = {"house": house, "boat": boat, "tree": tree, "car": car}[name]
            draw(sketch, x, y - (6 if name == "boat" else 0), scale.get(name, 1.15), tint)
    return f"{an(name if name in ('tree', 'rock') and rng.random() < 0.5 else f'{colour} {name}')} {side}"


def _sailing(sketch: Sketch, above: Sky, way: float) -> list[str]:
    """A boat at one point of its way along the water: 0 left, 1 right."""
    rng = sketch.rng
    colour = other(rng, "green", "cyan", "purple", "gray", "blue")
    tint = dim(named(rng, colour), (above.dark + 1) / 2)
    with sketch.thing("boat", colour, near=0.75):
        boat(sketch, 18 + 92 * way, 106, 1.6, tint)
    return [an(f"{colour} boat")]


def _say(rng: Random, above: Sky, land: Land, placed: list[str]) -> str:
    said = land.words
    if above.body:
        body = an(f"{above.colour} {above.body}")
        said = " ".join(filter(None, (body, above.place, rng.choice(("over", "above")), land.words)))
    if land.ground and rng.random() < 0.6:
        said += f" and {land.ground}"
    said = f"{said} {rng.choice(_WHEN[above.time])}".strip()
    extra = list(placed)
    rng.shuffle(extra)
    if above.clouds and rng.random() < 0.6:
        extra.append("white clouds")
    return ", ".join([said, *extra])
