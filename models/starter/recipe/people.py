"""People: a dressed figure in a pose, somewhere."""

from random import Random

from msgspec import Struct

from . import outline as form
from .land import field
from .palette import COLOURS, Colour, dim, jitter, named, other
from .pose import NAMES, POSES, Pose, Skeleton, skeleton
from .scene import Paint, Scene
from .sketch import Sketch
from .sky import sky
from .things import INK, WOOD, tree
from .wording import an

SKIN: tuple[Colour, ...] = ((255, 219, 180), (236, 188, 145), (190, 130, 90), (122, 80, 54))
HAIR: dict[str, Colour] = {
    "black": (42, 34, 34),
    "brown": (112, 66, 36),
    "blond": (238, 204, 100),
    "red": (192, 76, 36),
}
_SETTINGS = {
    "park": ("in a park", "on a green field", "outdoors on the grass"),
    "beach": ("on a beach", "at the beach", "on the sand by the sea"),
    "snow": ("in the snow", "outdoors in winter"),
    "night": ("outdoors at night", "under a night sky"),
}


class Look(Struct, frozen=True):
    """How a person looks."""

    who: str  # person, man, woman, child
    shirt: str
    pants: str
    hair: str
    tints: tuple[Colour, Colour, Colour, Colour]  # shirt, pants, hair, skin


def person(rng: Random, *, motion: Pose | None = None, doing: str = "", travel: float = 0) -> Scene:
    """A person; for clips, a posture and its word can be given, and how far the person has come."""
    sketch = Sketch(rng)
    pose = doing or rng.choice(NAMES)
    wall, where = _surroundings(sketch)
    look = appearance(rng, wall)
    place = rng.choice(("", "", "on the left", "on the right")) if motion is None else ""
    s = rng.uniform(1.2, 1.5)
    x = 64 + {"": 0, "on the left": -28, "on the right": 28}[place] + rng.uniform(-4, 4) + travel
    bones = skeleton(rng, motion or POSES[pose], x, 69 + rng.uniform(-3, 3), s)
    sketch.shadow(
        x,
        max(a[1] for a in (*bones.ankles, *bones.hips)) + 3 * s if pose != "jumping" else 118,
        17 * s,
        2.6 * s,
    )
    if pose == "sitting":
        _stool(sketch, bones)
    with sketch.thing("person", look.shirt, place, near=0.7) as index:
        figure(sketch, bones, look)
        sketch.know(index, keypoints=bones.keypoints(), landmarks=())
    facts = {"pose": pose, "shirt": look.shirt, "pants": look.pants, "hair": look.hair, "who": look.who}
    captions = tuple(_say(rng, look, pose, place, where) for _ in range(3))
    return sketch.scene("person", facts | {"background": wall or "outdoors", "place": place}, captions)


def appearance(rng: Random, wall: str) -> Look:
    """Clothes, hair and skin that stand out from a wall of some colour."""
    shirt = other(rng, wall, "gray")
    pants = other(rng, wall, shirt, among=("blue", "black", "brown", "gray", "white"))
    hair = rng.choice(tuple(HAIR))
    tints = named(rng, shirt), named(rng, pants), jitter(rng, HAIR[hair], 6), jitter(rng, rng.choice(SKIN), 6)
    return Look(rng.choice(("person", "person", "man", "woman", "child")), shirt, pants, hair, tints)


def figure(sketch: Sketch, bones: Skeleton, look: Look) -> None:
    """Paint a person on a skeleton."""
    shirt, pants, _, skin = look.tints
    s = bones.scale
    for hip, knee, ankle in zip(bones.hips, bones.knees, bones.ankles, strict=True):
        sketch.add(
            (form.limb(hip, knee, 7 * s, 6.2 * s), form.limb(knee, ankle, 6.2 * s, 5 * s)),
            Paint(pants, shade=0.14),
        )
        sketch.add(form.ellipse(ankle[0], ankle[1] + 0.9 * s, 4.2 * s, 2.6 * s), INK)
    (rx, ry), (lx, ly) = bones.shoulders
    (px, py), (qx, qy) = bones.hips
    sketch.add(form.limb(bones.neck, (bones.neck[0], bones.neck[1] - 5 * s), 4.4 * s), dim(skin, 0.88))
    flare = 5.5 if look.who == "woman" else 2.6
    torso = [
        (rx - 1.5 * s, ry - 2.4 * s),
        (lx + 1.5 * s, ly - 2.4 * s),
        (lx + 2 * s, ly + 8 * s),
        (qx + flare * s, qy + 3 * s),
        (px - flare * s, py + 3 * s),
        (rx - 2 * s, ry + 8 * s),
    ]
    sketch.add(form.smooth(torso, 1), Paint(shirt, shade=0.16))
    for shoulder, elbow, wrist in zip(bones.shoulders, bones.elbows, bones.wrists, strict=True):
        sleeve = form.limb(shoulder, elbow, 5.4 * s, 4.9 * s), form.limb(elbow, wrist, 4.9 * s, 4.2 * s)
        sketch.add(sleeve, Paint(dim(shirt, 0.87), shade=0.12))
        sketch.add(form.ellipse(*wrist, 3 * s, 3 * s), skin)
    _head(sketch, bones, look)


def _head(sketch: Sketch, bones: Skeleton, look: Look) -> None:
    x, y = bones.head
    s = bones.scale * (1.18 if look.who == "child" else 1.0)
    hair, skin = look.tints[2], look.tints[3]
    if look.who == "woman":
        sketch.add(
            form.smooth(
                [
                    (x - 9 * s, y - 6 * s),
                    (x, y - 12 * s),
                    (x + 9 * s, y - 6 * s),
                    (x + 9 * s, y + 11 * s),
                    (x - 9 * s, y + 11 * s),
                ]
            ),
            Paint(hair, shade=0.1),
        )
    else:
        sketch.add(form.ellipse(x, y - 2 * s, 8.3 * s, 8.4 * s), Paint(hair, shade=0.1))
    sketch.add(form.ellipse(x, y + 0.8 * s, 7 * s, 7.4 * s), Paint(skin, shade=0.1))
    fringe = [
        (x - 7.4 * s, y - 1.5 * s),
        (x - 6 * s, y - 8.5 * s),
        (x + 6 * s, y - 8.5 * s),
        (x + 7.4 * s, y - 1.5 * s),
        (x, y - 5 * s),
    ]
    sketch.add(form.smooth(fringe, 1), Paint(hair, shade=0.1))
    eyes = tuple(form.ellipse(x + side * 2.8 * s, y + 0.2 * s, 1.15 * s, 1.4 * s) for side in (-1, 1))
    sketch.add(eyes, Paint((40, 36, 42), shade=0))
    sketch.add(form.arc(x, y + 2.6 * s, 2.9 * s, 2.2 * s, 20, 160, 1.1 * s), Paint((156, 62, 62), shade=0))


def _stool(sketch: Sketch, bones: Skeleton) -> None:
    s, (x, y) = bones.scale, bones.hips[0]
    with sketch.surroundings(near=0.65):
        for dx in (-5, 11):
            sketch.add(form.limb((x + dx * s, y + 5 * s), (x + dx * s, y + 19 * s), 3 * s), dim(WOOD, 0.8))
        sketch.add(form.limb((x - 6 * s, y + 5 * s), (x + 13 * s, y + 5 * s), 4.5 * s), Paint(WOOD))


def _surroundings(sketch: Sketch) -> tuple[str, str]:
    """A plain wall or a place outdoors: the wall's colour (empty outdoors) and the words for it."""
    rng = sketch.rng
    if rng.random() < 0.6:
        wall = rng.choice(COLOURS)
        sketch.backdrop(named(rng, wall))
        return wall, f"on {an(wall)} background"
    where = rng.choice(tuple(_SETTINGS))
    above = sky(sketch, "night" if where == "night" else "day", plain=True)
    if where == "beach":
        sketch.plane(
            form.box(-60, 70, 188, 134), Paint((58, 132, 214), foot=(120, 190, 226), shade=0), 0.1, 0.3
        )
    if where == "park":
        with sketch.surroundings(near=0.25):
            for x in (rng.uniform(4, 30), rng.uniform(98, 124)):
                tree(sketch, x, 92, rng.uniform(1.6, 2.1), jitter(rng, (52, 140, 66)))
    ground: dict[str, Colour] = {"beach": (232, 206, 140), "snow": (236, 241, 248)}
    field(sketch, above, jitter(rng, ground.get(where, (84, 168, 82))), rng.uniform(88, 94))
    return "", rng.choice(_SETTINGS[where])


def _say(rng: Random, look: Look, pose: str, place: str, where: str) -> str:
    clothes = rng.choice(
        (
            f"in {an(look.shirt)} shirt",
            f"in {an(look.shirt)} shirt and {look.pants} pants",
            f"wearing {an(look.shirt)} shirt",
        )
    )
    hair = f"with {look.hair} hair" if rng.random() < 0.3 else ""
    who = look.who if rng.random() < 0.8 else "person"
    order = ("a", who, pose, clothes, hair) if rng.random() < 0.5 else ("a", who, hair, clothes, pose)
    return " ".join(filter(None, (*order, place, where)))
