"""Skies: the time of day, the sun or moon, clouds and stars."""

from random import Random
from typing import Literal

from msgspec import Struct

from . import outline as form
from .palette import WHITE, Colour, jitter, mix, named
from .scene import Paint
from .sketch import Sketch

Time = Literal["day", "sunset", "night"]
TIMES: tuple[Time, ...] = ("day", "sunset", "night")
DARKNESS: dict[Time, float] = {"day": 1.0, "sunset": 0.82, "night": 0.55}
_TOP: dict[Time, Colour] = {"day": (92, 165, 238), "sunset": (118, 62, 142), "night": (12, 16, 50)}
_LOW: dict[Time, Colour] = {"day": (206, 233, 250), "sunset": (255, 172, 96), "night": (46, 54, 112)}


class Sky(Struct, frozen=True):
    """What hangs in the sky, and where."""

    time: Time
    body: str = ""  # sun or moon
    colour: str = ""
    place: str = ""  # on the left, on the right
    x: float = 64
    clouds: bool = False

    @property
    def low(self) -> Colour:
        """The colour at the horizon."""
        return _LOW[self.time]

    @property
    def dark(self) -> float:
        """How much light falls on the land."""
        return DARKNESS[self.time]


def sky(
    sketch: Sketch, time: Time, *, height: float | None = None, drift: float = 0, plain: bool = False
) -> Sky:
    """Paint a sky; `height` fixes that of the sun, `drift` moves the clouds."""
    rng = sketch.rng
    top, low = jitter(rng, _TOP[time], 7), jitter(rng, _LOW[time], 5)
    sketch.plane(form.box(-60, -3, 188, 118), Paint(top, foot=low, shade=0), 0, 0)
    if time == "night":
        _stars(sketch)
    found = Sky(time) if plain else _body(sketch, time, height)
    if not plain and time != "night" and rng.random() < 0.45:
        for _ in range(rng.randint(2, 3)):
            x = rng.uniform(10, 118)
            if found.body and abs(x - found.x) < 26:
                x = (x + 64) % 128
            with sketch.surroundings(near=0.04):  # before the sky, behind the mountains
                cloud(sketch, x + drift, rng.uniform(14, 46), rng.uniform(0.8, 1.3), mix(WHITE, low, 0.15))
        return Sky(time, found.body, found.colour, found.place, found.x, clouds=True)
    return found


def cloud(sketch: Sketch, x: float, y: float, s: float, colour: Colour) -> None:
    """A cloud of three puffs."""
    puffs = ((-8, 1.5, 6.5, 4.5), (0, -2, 8, 6.4), (8.5, 1.5, 7, 4.8))
    parts = tuple(form.ellipse(x + dx * s, y + dy * s, rx * s, ry * s) for dx, dy, rx, ry in puffs)
    sketch.add(parts, Paint(colour, shade=0.09))


def _stars(sketch: Sketch) -> None:
    rng = sketch.rng
    spots = tuple(
        form.ellipse(rng.uniform(-20, 148), rng.uniform(0, 70), r, r)
        for r in (rng.uniform(0.7, 1.2) for _ in range(16))
    )
    sketch.add(spots, Paint((250, 248, 220), shade=0, alpha=0.85))


def _body(sketch: Sketch, time: Time, height: float | None) -> Sky:
    rng = sketch.rng
    body = _which(rng, time) if height is None else "sun"
    place = rng.choice(("on the left", "on the right", ""))
    x = 64 + {"on the left": -34, "on the right": 34, "": 0}[place] + rng.uniform(-5, 5)
    y, radius = rng.uniform(22, 34) if height is None else height, rng.uniform(10, 15)
    colour = rng.choice(
        ("yellow", "yellow", "orange", "red", "white") if body == "sun" else ("white", "yellow")
    )
    if not body:
        return Sky(time)
    if abs(x - 64) > 12:
        sketch.light = (-0.6 if x < 64 else 0.6, -0.8)
    tint = named(rng, colour)
    sketch.glow(x, y, radius * 2.4, mix(tint, WHITE, 0.3), 0.45)
    with sketch.thing(body, colour, place, near=0.01):
        sketch.add(form.ellipse(x, y, radius, radius), Paint(tint, shade=0.04))
        if body == "moon":
            for dx, dy, r in ((-0.3, -0.25, 0.2), (0.35, 0.25, 0.26)):
                sketch.veil(
                    form.ellipse(x + dx * radius, y + dy * radius, r * radius, r * radius),
                    (110, 110, 130),
                    0.3,
                )
    return Sky(time, body, colour, place, x)


def _which(rng: Random, time: Time) -> str:
    if time == "day":
        return rng.choice(("sun", "sun", "sun", ""))
    return rng.choice(("sun", "sun", "")) if time == "sunset" else rng.choice(("moon", "moon", ""))
