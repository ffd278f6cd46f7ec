"""One or two things or animals, large, where they belong."""

from random import Random

from . import outline as form
from .animals import ANIMALS
from .land import field
from .palette import COLOURS, Colour, dim, jitter, mix, named, other
from .scene import Paint, Scene
from .sketch import Sketch
from .sky import sky
from .things import THINGS
from .wording import an

NAMES = (*THINGS, *ANIMALS)
SCALES = {
    "house": 2.6,
    "boat": 2.5,
    "tree": 2.8,
    "car": 2.1,
    "bus": 2.0,
    "flower": 2.7,
    "balloon": 2.2,
    "cup": 2.7,
    "apple": 2.7,
    "mushroom": 2.4,
    "umbrella": 2.6,
    "rocket": 2.1,
    "dog": 2.1,
    "cat": 2.2,
    "horse": 1.95,
    "bird": 2.3,
    "fish": 2.2,
}
_GRASS, _ROAD, _TABLE = "on the grass", "on a road", "on a table"
_HOMES = {
    "house": (_GRASS, "in the snow"),
    "tree": (_GRASS, "in the snow"),
    "flower": (_GRASS,),
    "mushroom": (_GRASS,),
    "car": (_ROAD,),
    "bus": (_ROAD,),
    "cup": (_TABLE,),
    "apple": (_TABLE, _GRASS),
    "boat": ("on the water",),
    "balloon": ("in the sky",),
    "rocket": ("in the sky", "in the night sky"),
    "umbrella": ("on a beach",),
    "dog": (_GRASS, "in the snow", "on a beach"),
    "cat": (_GRASS, _ROAD),
    "horse": (_GRASS, "in the snow"),
    "bird": (_GRASS, "in the snow", "on a beach"),
    "fish": ("in the water",),
}
_GROUND: dict[str, Colour] = {
    _GRASS: (84, 170, 82),
    "in the snow": (236, 241, 248),
    "on a beach": (230, 204, 136),
}


def objects(rng: Random, *, held_name: str = "", travel: float = 0) -> Scene:
    """A large thing in its place; for clips, how far it has come along."""
    sketch = Sketch(rng)
    name = held_name or rng.choice(NAMES)
    wall, where = _setting(sketch, name)
    colour = _colour(rng, name, wall)
    pair = not travel and rng.random() < 0.18
    spots = (-29, 29) if pair else (rng.choice((0, 0, 0, -26, 26)),)
    place = "" if pair else {0: "", -26: "on the left", 26: "on the right"}[spots[0]]
    tint, scale = (
        named(rng, colour),
        SCALES[name] * rng.uniform(0.9, 1.08) * (0.62 if pair else 0.85 if place else 1),
    )
    way = rng.choice((-1, 1))
    for dx in spots:
        _stand(sketch, name, colour, tint, 64 + dx + rng.uniform(-3, 3) + travel, scale, way, place)
    facing = "" if name not in ANIMALS else f"looking {'right' if way > 0 else 'left'}"
    facts = {
        "name": name,
        "colour": colour,
        "background": wall,
        "where": where,
        "count": str(len(spots)),
        "place": place,
        "facing": facing,
    }
    return sketch.scene("object", facts, tuple(_say(rng, facts) for _ in range(3)))


def _stand(
    sketch: Sketch, name: str, colour: str, tint: Colour, x: float, scale: float, way: int, place: str
) -> None:
    y = 108 + sketch.rng.uniform(-2, 2)
    if name in ("balloon", "fish", "rocket", "umbrella"):
        y -= 2
    elif name != "boat":
        sketch.shadow(x - sketch.light[0] * 8, y + 0.5, 13 * scale, 2 * scale)
    with sketch.thing(name, colour, place, near=0.75):
        if name in ANIMALS:
            ANIMALS[name](sketch, x, y, scale, tint, way)
        else:
            THINGS[name](sketch, x, y - (4 * scale if name == "boat" else 0), scale, tint)


def _colour(rng: Random, name: str, wall: str) -> str:
    if name == "tree":
        return rng.choice([c for c in ("green", "green", "green", "orange", "pink") if c != wall])
    if name in ("dog", "cat", "horse"):
        return other(rng, wall, among=("brown", "black", "white", "gray", "orange"))
    return other(rng, wall, "black" if name in ("apple", "flower") else wall)


def _setting(sketch: Sketch, name: str) -> tuple[str, str]:
    """A plain wall, or the place where the thing belongs: the colour to avoid and the words."""
    rng = sketch.rng
    if rng.random() < 0.45:
        wall = rng.choice(COLOURS)
        sketch.backdrop(named(rng, wall))
        return wall, f"on {an(wall)} background"
    where = rng.choice(_HOMES[name])
    avoid = {_GRASS: "green", "in the snow": "white", "in the water": "blue", "on a table": "brown"}
    _paint(sketch, where)
    return avoid.get(where, ""), where


def _paint(sketch: Sketch, where: str) -> None:
    rng = sketch.rng
    if where == _TABLE:
        sketch.backdrop(jitter(rng, rng.choice(((236, 224, 200), (190, 214, 226), (222, 196, 196)))))
        top = Paint((152, 104, 66), foot=(120, 78, 48), shade=0.03)
        sketch.plane(form.box(-60, 90, 188, 134), top, 0.5, 1.0)
        return
    if where == "in the water":
        sketch.plane(
            form.box(-60, -3, 188, 134), Paint((84, 176, 226), foot=(24, 74, 150), shade=0), 0.02, 0.06
        )
        for _ in range(5):
            r = rng.uniform(2, 4)
            sketch.veil(form.ellipse(rng.uniform(4, 124), rng.uniform(6, 120), r, r), (226, 244, 252), 0.4)
        return
    above = sky(
        sketch,
        "night" if where == "in the night sky" else "day",
        plain=where != "in the sky" or rng.random() < 0.5,
    )
    if where == "on the water":
        sketch.plane(
            form.box(-60, 84, 188, 134), Paint((70, 140, 220), foot=(36, 90, 180), shade=0), 0.2, 0.95
        )
        for _ in range(6):
            sketch.veil(
                form.ellipse(rng.uniform(0, 128), rng.uniform(90, 124), rng.uniform(6, 12), 0.9),
                (255, 255, 255),
                0.3,
            )
    elif "sky" in where:
        _far_hills(sketch, dim((70, 140, 90), above.dark), 108)
    elif where == _ROAD:
        field(sketch, above, jitter(rng, (84, 168, 82)), 80)
        sketch.plane(
            form.box(-60, 94, 188, 134), Paint((112, 112, 120), foot=(92, 92, 102), shade=0), 0.5, 1.0
        )
        for i in range(-2, 5):
            sketch.veil(form.box(i * 36, 117, i * 36 + 18, 120), (244, 240, 220), 0.8)
    elif where in _GROUND:
        if where == "on a beach":
            sketch.plane(
                form.box(-60, 72, 188, 134), Paint((58, 132, 214), foot=(130, 196, 230), shade=0), 0.1, 0.3
            )
        else:
            _far_hills(sketch, mix(_GROUND[where], above.low, 0.35))
        field(sketch, above, jitter(rng, _GROUND[where]), rng.uniform(88, 93))


def _far_hills(sketch: Sketch, colour: Colour, level: float = 80) -> None:
    rng = sketch.rng
    rim = [(-60 + 50.0 * i, level + rng.uniform(-8, 6)) for i in range(6)]
    sketch.plane(form.ground(rim), Paint(colour, foot=dim(colour, 0.9), shade=0), 0.08, 0.2)


def _say(rng: Random, facts: dict[str, str]) -> str:
    name, colour, facing = facts["name"], facts["colour"], facts["facing"]
    if facts["count"] == "2":
        said = f"two {colour} {name if name == 'fish' else name + ('es' if name == 'bus' else 's')}"
    else:
        said = an(f"{colour} {name}")
    turned = facing if facing and rng.random() < 0.4 else ""
    return " ".join(filter(None, (said, turned, facts["place"], facts["where"])))
