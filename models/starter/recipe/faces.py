"""Faces: people, animals and a robot, with an expression."""

from random import Random

from . import outline as form
from .palette import COLOURS, Colour, dim, jitter, named, other
from .people import HAIR, SKIN
from .scene import Outline, Paint, Scene
from .sketch import Sketch
from .things import INK
from .wording import an

EXPRESSIONS = ("happy", "sad", "surprised", "angry", "sleepy")
HEADS = ("face", "cat", "dog", "bear", "bunny", "robot", "man", "woman")
EYES: dict[str, Colour] = {
    "black": (30, 30, 34),
    "blue": (40, 95, 215),
    "green": (30, 140, 60),
    "brown": (110, 65, 35),
}
_FUR = {
    "cat": ("orange", "gray", "white", "brown", "black", "yellow"),
    "dog": ("brown", "white", "gray", "orange", "yellow"),
    "bear": ("brown", "white", "gray", "pink", "blue"),
    "bunny": ("white", "gray", "brown", "pink"),
}
_MOUTH: Colour = (128, 36, 46)


def face(rng: Random, *, expression: str = "", held_head: str = "") -> Scene:
    """A face on a plain background."""
    sketch = Sketch(rng)
    wall = rng.choice(COLOURS)
    sketch.backdrop(named(rng, wall))
    head = held_head or rng.choice(HEADS)
    mood = expression or rng.choice(EXPRESSIONS)
    human = head in ("man", "woman")
    colour = rng.choice(tuple(HAIR)) if human else other(rng, wall, "black", among=_FUR.get(head, COLOURS))
    eyes = rng.choice(tuple(EYES))
    hat = (
        other(rng, wall, colour, "gray", "black")
        if rng.random() < 0.3 and head not in ("robot", "bunny")
        else ""
    )
    glasses = not hat and head in ("face", "man", "woman", "dog") and rng.random() < 0.25
    r = rng.uniform(35, 42)
    x, y = 64 + rng.uniform(-4, 4), 70 + rng.uniform(-3, 3) + (5 if hat or head == "bunny" else 0)
    tint = jitter(rng, rng.choice(SKIN), 6) if human else named(rng, colour)
    with sketch.thing(head, colour, near=0.7) as index:
        _skull(sketch, head, x, y, r, tint, jitter(rng, HAIR[colour], 6) if human else tint)
        _features(sketch, head, x, y, r, EYES[eyes], mood)
        if glasses:
            _glasses(sketch, x, y - 0.18 * r, r)
        if hat:
            _hat(sketch, x, y, r, named(rng, hat))
        points = tuple(
            (x + dx * r, y + dy * r)
            for dx, dy in ((-0.38, -0.18), (0.38, -0.18), (0, 0.16), (-0.3, 0.46), (0.3, 0.46))
        )
        sketch.know(index, landmarks=points)
    facts = {"head": head, "colour": colour, "background": wall, "expression": mood, "eyes": eyes, "hat": hat}
    extras = {"hat": hat, "glasses": "yes" if glasses else "", "eyes": eyes}
    captions = tuple(_say(rng, head, colour, mood, extras) + f" on {an(wall)} background" for _ in range(3))
    return sketch.scene("face", facts | {"glasses": extras["glasses"]}, captions)


def _skull(sketch: Sketch, head: str, x: float, y: float, r: float, tint: Colour, hair: Colour) -> None:
    """The head without its features."""
    skin = Paint(tint, shade=0.13, round=True)
    sketch.veil(form.ellipse(x - sketch.light[0] * 5, y + 5, r, r * 0.95), (12, 10, 34), 0.3, soft=4)
    if head == "robot":
        sketch.add(form.limb((x, y - 0.8 * r), (x, y - 1.2 * r), 3), dim(tint, 0.6))
        sketch.add(form.ellipse(x, y - 1.25 * r, 5, 5), Paint((214, 40, 40), round=True))
        sketch.add((form.box(x - 1.12 * r, y - 0.25 * r, x + 1.12 * r, y + 0.2 * r),), dim(tint, 0.7))
        sketch.add(form.box(x - 0.95 * r, y - 0.85 * r, x + 0.95 * r, y + 0.9 * r), Paint(tint, shade=0.15))
        return
    for side in (-1, 1):
        _ear(sketch, head, x, y, r * side, abs(r), tint)
    if head == "woman":
        long = [
            (x - 1.12 * r, y - 0.6 * r),
            (x, y - 1.3 * r),
            (x + 1.12 * r, y - 0.6 * r),
            (x + 1.15 * r, y + 1.25 * r),
            (x - 1.15 * r, y + 1.25 * r),
        ]
        sketch.add(form.smooth(long, 3), Paint(hair, shade=0.12))
    if head == "man":
        sketch.add(form.ellipse(x, y - 0.25 * r, 0.98 * r, 0.95 * r), Paint(hair, shade=0.12))
    sketch.add(form.ellipse(x, y, r * (0.88 if head in ("man", "woman") else 1), r * 0.95), skin)
    if head in ("man", "woman"):
        fringe = [
            (x - 0.92 * r, y - 0.3 * r),
            (x - 0.75 * r, y - 1.05 * r),
            (x + 0.75 * r, y - 1.05 * r),
            (x + 0.92 * r, y - 0.3 * r),
            (x, y - 0.55 * r),
        ]
        sketch.add(form.smooth(fringe, 2), Paint(hair, shade=0.12))
    if head in ("dog", "bear"):
        sketch.add(form.ellipse(x, y + 0.36 * r, 0.48 * r, 0.4 * r), Paint(_paler(tint), shade=0.06))


def _ear(sketch: Sketch, head: str, x: float, y: float, side: float, r: float, tint: Colour) -> None:
    """One ear; `side` is the radius with the sign of its side."""
    inner = Paint((246, 168, 178), shade=0.05)
    if head == "cat":
        sketch.add(
            form.polygon(
                ((x + side * 0.95, y - r * 0.1), (x + side * 0.9, y - r * 1.2), (x + side * 0.2, y - r * 0.8))
            ),
            Paint(tint),
        )
        sketch.add(
            form.polygon(
                ((x + side * 0.82, y - r * 0.5), (x + side * 0.8, y - r), (x + side * 0.44, y - r * 0.75))
            ),
            inner,
        )
    elif head == "bear":
        sketch.add(form.ellipse(x + side * 0.72, y - r * 0.74, r * 0.34, r * 0.34), Paint(tint))
        sketch.add(form.ellipse(x + side * 0.72, y - r * 0.74, r * 0.18, r * 0.18), dim(tint, 0.7))
    elif head == "dog":
        flap = [
            (x + side * 0.6, y - r * 0.95),
            (x + side * 1.15, y - r * 0.7),
            (x + side * 1.25, y + r * 0.35),
            (x + side * 0.95, y + r * 0.4),
            (x + side * 0.8, y - r * 0.3),
        ]
        sketch.add(form.smooth(flap), Paint(dim(tint, 0.68)))
    elif head == "bunny":
        sketch.add(
            form.ellipse(x + side * 0.42, y - r * 1.25, r * 0.24, r * 0.6, 8 if side > 0 else -8), Paint(tint)
        )
        sketch.add(
            form.ellipse(x + side * 0.42, y - r * 1.25, r * 0.12, r * 0.44, 8 if side > 0 else -8), inner
        )
    elif head in ("man", "woman"):
        sketch.add(form.ellipse(x + side * 0.88, y + r * 0.02, r * 0.15, r * 0.2), Paint(dim(tint, 0.9)))


def _features(sketch: Sketch, head: str, x: float, y: float, r: float, iris: Colour, mood: str) -> None:
    """Eyes, nose and mouth."""
    level = y - 0.18 * r
    for side in (-1, 1):
        _eye(sketch, head == "robot", x + side * 0.38 * r, level, r, iris, mood)
        if mood in ("angry", "sad"):
            tilt = 0.17 if mood == "angry" else -0.14
            inner, outer = (
                (x + side * 0.18 * r, level - (0.33 - tilt) * r),
                (x + side * 0.6 * r, level - (0.33 + tilt) * r),
            )
            sketch.add(form.limb(inner, outer, 3.2), Paint(INK, shade=0))
    if head in ("cat", "bear", "dog", "bunny"):
        wide = 0.15 if head in ("bear", "dog") else 0.11
        sketch.add(
            form.ellipse(x, y + 0.16 * r, wide * r, wide * 0.75 * r),
            Paint((60, 42, 50) if head != "bunny" else (232, 120, 140), shade=0.1),
        )
    if head in ("man", "woman"):
        sketch.add(
            form.line(((x, y - 0.02 * r), (x + 0.06 * r, y + 0.18 * r)), 2),
            Paint((150, 92, 70), shade=0, alpha=0.6),
        )
    if head == "cat":
        for side in (-1, 1):
            for tilt in (0.0, 0.14):
                ends = (
                    (x + side * 0.45 * r, y + (0.24 + tilt * 0.6) * r),
                    (x + side * 0.95 * r, y + (0.16 + 1.6 * tilt) * r),
                )
                sketch.add(form.limb(*ends, 1.2), Paint((70, 62, 64), shade=0, alpha=0.8))
    sketch.add(mouth(mood, x, y, r), Paint(_MOUTH, shade=0))


def mouth(mood: str, x: float, y: float, r: float) -> tuple[Outline, ...]:
    """The line of a mouth in a mood."""
    if mood == "happy":
        return form.arc(x, y + 0.32 * r, 0.4 * r, 0.32 * r, 12, 168, 3.2)
    if mood == "sad":
        return form.arc(x, y + 0.68 * r, 0.34 * r, 0.26 * r, 200, 340, 3.2)
    if mood == "surprised":
        return (form.ellipse(x, y + 0.5 * r, 0.17 * r, 0.21 * r),)
    half = 0.28 if mood == "angry" else 0.13
    return form.line(((x - half * r, y + 0.5 * r), (x + half * r, y + 0.5 * r)), 3.2)


def _eye(sketch: Sketch, square: bool, x: float, y: float, r: float, iris: Colour, mood: str) -> None:
    if mood == "sleepy":
        sketch.add(form.arc(x, y - 0.06 * r, 0.2 * r, 0.15 * r, 10, 170, 3), Paint(INK, shade=0))
        return
    wide = 1.2 if mood == "surprised" else 1
    white = (
        form.box(x - 0.2 * r, y - 0.19 * r, x + 0.2 * r, y + 0.19 * r)
        if square
        else form.ellipse(x, y, 0.19 * r * wide, 0.22 * r * wide)
    )
    sketch.add(white, Paint((252, 252, 252), shade=0.03))
    sketch.add(form.ellipse(x, y + 0.02 * r, 0.125 * r, 0.14 * r), Paint(iris, shade=0))
    sketch.add(
        form.ellipse(x + 0.045 * r, y - 0.04 * r, 0.045 * r, 0.045 * r), Paint((255, 255, 255), shade=0)
    )


def _glasses(sketch: Sketch, x: float, y: float, r: float) -> None:
    for side in (-1, 1):
        sketch.add(form.arc(x + side * 0.38 * r, y, 0.3 * r, 0.29 * r, 0, 360, 2.6), Paint(INK, shade=0))
    sketch.add(form.limb((x - 0.09 * r, y), (x + 0.09 * r, y), 2.4), Paint(INK, shade=0))


def _hat(sketch: Sketch, x: float, y: float, r: float, tint: Colour) -> None:
    crown = (
        (x - 0.5 * r, y - 0.76 * r),
        (x + 0.5 * r, y - 0.76 * r),
        (x + 0.44 * r, y - 1.42 * r),
        (x - 0.44 * r, y - 1.42 * r),
    )
    sketch.add(form.polygon(crown), Paint(tint, shade=0.2))
    sketch.add(
        form.limb((x - 0.78 * r, y - 0.74 * r), (x + 0.78 * r, y - 0.74 * r), 0.16 * r),
        Paint(dim(tint, 0.78)),
    )


def _paler(colour: Colour) -> Colour:
    return (
        colour[0] + (255 - colour[0]) * 0.45,
        colour[1] + (250 - colour[1]) * 0.45,
        colour[2] + (240 - colour[2]) * 0.45,
    )


def _say(rng: Random, head: str, colour: str, mood: str, extras: dict[str, str]) -> str:
    human = head in ("man", "woman")
    said = (
        an(f"{mood} {head}")
        if human
        else an(rng.choice((f"{mood} {colour} {head}", f"{mood} {colour} {head}", f"{colour} {mood} {head}")))
    )
    worn = [f"{colour} hair"] if human and rng.random() < 0.7 else []
    if extras["hat"]:
        worn.append(an(f"{extras['hat']} hat"))
    if extras["glasses"]:
        worn.append("glasses")
    if mood != "sleepy" and rng.random() < 0.35:
        worn.append(f"{extras['eyes']} eyes")
    if human and rng.random() < 0.4:
        said = f"a portrait of {said}"
    return f"{said} with {' and '.join(worn)}" if worn else said
