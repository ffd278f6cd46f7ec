"""Characters: somebody with a name and a look, in any pose and place."""

from collections.abc import Callable
from random import Random

from . import outline as form
from .draw import captioned
from .land import field
from .palette import COLOURS, Colour, dim, jitter, named, other
from .pose import NAMES as POSES
from .pose import POSES as ANGLES
from .pose import Skeleton, skeleton
from .scene import Paint, Scene
from .sketch import Sketch
from .sky import sky
from .things import INK, STEEL
from .wording import an

_GREEN, _PURPLE, _CREAM, _NAVY = (96, 200, 74), (122, 58, 172), (250, 240, 220), (38, 44, 92)
_TEAL, _ORANGE, _YELLOW = (34, 168, 168), (244, 132, 36), (252, 214, 58)
_GROUNDS: dict[str, Colour] = {
    "in a park": (84, 168, 82),
    "on a beach": (232, 206, 140),
    "in the snow": (236, 241, 248),
    "outdoors at night": (84, 168, 82),
}
_STEPS = (("on the left", -28), ("on the right", 28), ("", 0), ("", 0))


def character(name: str, seed: int) -> Scene:
    """A character's scene of a seed, captioned with its name."""
    rng = Random(seed)
    return captioned(rng, CHARACTERS[name](rng))


def zib(rng: Random) -> Scene:
    """Zib: green, with an antenna and a yellow band on a purple shirt."""
    sketch = Sketch(rng)
    wall, where = _surroundings(sketch, "green", "purple")
    pose, (place, shift) = rng.choice(POSES), rng.choice(_STEPS)
    s = rng.uniform(1.2, 1.42)
    x = 64 + shift + rng.uniform(-4, 4)
    bones = skeleton(rng, ANGLES[pose], x, 70 + rng.uniform(-2, 2), s)
    low = max(a[1] for a in (*bones.ankles, *bones.hips)) + 3 * s if pose != "jumping" else 118
    sketch.shadow(x, low, 17 * s, 2.6 * s)
    with sketch.thing("zib", "green", place, near=0.7) as index:
        _zib(sketch, bones)
        sketch.know(index, keypoints=bones.keypoints())
    facts = {"character": "zib", "pose": pose, "background": wall, "place": place}
    return sketch.scene("person", facts, (" ".join(filter(None, ("zib", pose, place, where))),))


def tiko(rng: Random) -> Scene:
    """Tiko: a robot with one eye, an orange barrel for a body, and a wheel."""
    sketch = Sketch(rng)
    wall, where = _surroundings(sketch, "cyan", "orange")
    (place, shift), way = rng.choice(_STEPS), rng.choice((-1, 1))
    s = rng.uniform(0.9, 1.1) * (1.7 if place else 2.0)
    x, y = 64 + shift + rng.uniform(-3, 3), 114 + rng.uniform(-2, 2)
    sketch.shadow(x, y + 0.5, 12 * s, 2 * s)
    with sketch.thing("tiko", "orange", place, near=0.75):
        _tiko(sketch, x, y, s, way)
    facing = f"looking {'right' if way > 0 else 'left'}"
    said = " ".join(filter(None, ("tiko", facing if rng.random() < 0.5 else "", place, where)))
    facts = {"character": "tiko", "facing": facing, "background": wall, "place": place}
    return sketch.scene("object", facts, (said,))


CHARACTERS: dict[str, Callable[[Random], Scene]] = {"zib": zib, "tiko": tiko}


def _surroundings(sketch: Sketch, *avoid: str) -> tuple[str, str]:
    """A plain wall or a place outdoors: the wall's colour (empty outdoors) and the words for it."""
    rng = sketch.rng
    if rng.random() < 0.6:
        wall = other(rng, *avoid, among=COLOURS)
        sketch.backdrop(named(rng, wall))
        return wall, f"on {an(wall)} background"
    where = rng.choice(tuple(_GROUNDS))
    above = sky(sketch, "night" if "night" in where else "day", plain=True)
    field(sketch, above, jitter(rng, _GROUNDS[where]), rng.uniform(88, 94))
    return "", where


def _zib(sketch: Sketch, bones: Skeleton) -> None:
    s, skin = bones.scale, Paint(_GREEN, shade=0.12)
    for hip, knee, ankle in zip(bones.hips, bones.knees, bones.ankles, strict=True):
        sketch.add((form.limb(hip, knee, 7 * s, 6 * s), form.limb(knee, ankle, 6 * s, 5 * s)), Paint(_NAVY))
        sketch.add(form.ellipse(ankle[0], ankle[1] + s, 4.6 * s, 2.8 * s), _YELLOW)
    (rx, top), (lx, _) = bones.shoulders
    low = bones.hips[0][1] + 3 * s
    torso = [(rx - 2.6 * s, top - 3 * s), (lx + 2.6 * s, top - 3 * s), (lx + 2 * s, low), (rx - 2 * s, low)]
    sketch.add(form.smooth(torso, 1), Paint(_PURPLE, shade=0.14))
    band = top + 0.38 * (low - top)
    sketch.add(form.box(rx - 1.6 * s, band, lx + 1.6 * s, band + 8 * s), Paint(_YELLOW, shade=0.06))
    for shoulder, elbow, wrist in zip(bones.shoulders, bones.elbows, bones.wrists, strict=True):
        arm = form.limb(shoulder, elbow, 5.6 * s, 5.2 * s), form.limb(elbow, wrist, 5.2 * s, 4.8 * s)
        sketch.add(arm, Paint(dim(_GREEN, 0.9), shade=0.1))
        sketch.add(form.ellipse(*wrist, 3.6 * s, 3.6 * s), skin)
    x, y = bones.head
    sketch.add(form.limb((x, y - 6 * s), (x, y - 12 * s), 2.4 * s), dim(_GREEN, 0.6))
    sketch.add(form.ellipse(x, y - 14 * s, 3.6 * s, 3.6 * s), _YELLOW)
    sketch.add(form.ellipse(x, y, 11 * s, 9.4 * s), skin)
    for side in (-1, 1):  # dark and large: white eyes on green are more than the autoencoder carries
        sketch.add(form.ellipse(x + side * 4.4 * s, y - 0.4 * s, 2.2 * s, 2.8 * s), INK)
    sketch.add(form.arc(x, y + 3 * s, 3 * s, 2 * s, 20, 160, 1.4 * s), Paint(dim(_GREEN, 0.4), shade=0))


def _tiko(sketch: Sketch, x: float, y: float, s: float, way: int) -> None:
    sketch.add(form.ellipse(x, y - 6 * s, 6.4 * s, 6.4 * s), INK)
    sketch.add(form.ellipse(x, y - 6 * s, 2.8 * s, 2.8 * s), STEEL)
    for side, lift in ((-1, 2), (1, -9)):
        hand = x + side * 17 * s, y - (18 - lift) * s
        sketch.add(form.limb((x + side * 9 * s, y - 20 * s), hand, 3 * s, 2.4 * s), dim(_TEAL, 0.8))
        sketch.add(form.ellipse(*hand, 2.8 * s, 2.8 * s), _YELLOW)
    barrel = [(x - 9 * s, y - 26 * s), (x + 9 * s, y - 26 * s), (x + 11 * s, y - 17 * s)]
    barrel += [(x + 8 * s, y - 8 * s), (x - 8 * s, y - 8 * s), (x - 11 * s, y - 17 * s)]
    sketch.add(form.smooth(barrel, 1), Paint(_ORANGE, shade=0.2))
    sketch.add(form.box(x - 9.6 * s, y - 18.4 * s, x + 9.6 * s, y - 15.2 * s), Paint(_CREAM, shade=0.05))
    sketch.add(form.limb((x, y - 40 * s), (x - way * 3 * s, y - 46 * s), 1.6 * s), dim(_TEAL, 0.6))
    sketch.add(form.ellipse(x - way * 3 * s, y - 47 * s, 2.2 * s, 2.2 * s), (220, 40, 50))
    sketch.add(form.limb((x - 3 * s, y - 33 * s), (x + 3 * s, y - 33 * s), 15 * s), Paint(_TEAL, shade=0.2))
    sketch.add(form.ellipse(x + way * 2.4 * s, y - 33 * s, 5.4 * s, 5.4 * s), (252, 252, 252))
    sketch.add(form.ellipse(x + way * 4 * s, y - 33 * s, 2.7 * s, 2.9 * s), INK)
