"""A sketch: the growing list of strokes of a scene."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import msgspec

from . import outline as form
from .palette import WHITE, Colour, mix
from .scene import Kind, Outline, Paint, Point, Scene, Stroke, Thing


class Sketch:
    """Strokes from back to front, each belonging to the thing being drawn."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.light: Point = (rng.choice((-0.7, -0.5, 0.5, 0.7)), -0.8)
        self.strokes: list[Stroke] = []
        self.things: list[Thing] = []
        self._thing = -1
        self._near = 0.5

    @contextmanager
    def thing(self, name: str, colour: str, place: str = "", near: float = 0.6) -> Iterator[int]:
        """Strokes inside belong to this thing."""
        self.things.append(Thing(name, colour, place))
        outer = self._thing, self._near
        self._thing, self._near = len(self.things) - 1, near
        yield self._thing
        self._thing, self._near = outer

    @contextmanager
    def surroundings(self, near: float) -> Iterator[None]:
        """Strokes inside belong to nothing in particular, at a distance."""
        outer = self._thing, self._near
        self._thing, self._near = -1, near
        yield
        self._thing, self._near = outer

    def know(
        self, thing: int, *, keypoints: tuple[Point, ...] = (), landmarks: tuple[Point, ...] = ()
    ) -> None:
        """Note where a thing's points are."""
        found = self.things[thing]
        self.things[thing] = msgspec.structs.replace(
            found, keypoints=keypoints or found.keypoints, landmarks=landmarks or found.landmarks
        )

    def add(self, parts: Outline | tuple[Outline, ...], paint: Paint | Colour, *, soft: float = 0) -> None:
        """Paint a region of the thing being drawn."""
        many = parts if isinstance(parts, tuple) else (parts,)
        how = paint if isinstance(paint, Paint) else Paint(paint)
        self.strokes.append(Stroke(many, how, self._thing, (self._near, self._near), soft))

    def plane(self, parts: Outline, paint: Paint, far: float, near: float) -> None:
        """Paint surroundings that come nearer towards their lower edge."""
        self.strokes.append(Stroke((parts,), paint, -1, (far, near)))

    def glow(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 0.35) -> None:
        """Light around a point."""
        ring = form.ellipse(x, y, radius, radius)
        self._ghost(ring, Paint(colour, shade=0, alpha=alpha), radius * 0.45)

    def shadow(self, x: float, y: float, rx: float, ry: float, alpha: float = 0.3) -> None:
        """A soft shadow on what lies behind."""
        self._ghost(form.ellipse(x, y, rx, ry), Paint((18, 16, 40), shade=0, alpha=alpha), max(1.5, ry * 0.6))

    def veil(self, parts: Outline, colour: Colour, alpha: float, soft: float = 0) -> None:
        """A thin layer of colour: mist, reflections, brush marks."""
        self._ghost(parts, Paint(colour, shade=0, alpha=alpha), soft)

    def backdrop(self, colour: Colour) -> None:
        """A plain wall, lit from the side of the light."""
        rng = self.rng
        fall = rng.uniform(0.04, 0.16)
        wall = Paint(mix(colour, WHITE, fall * 0.5), foot=mix(colour, (10, 8, 30), fall), shade=0)
        self.plane(form.box(-3, -3, 131, 131), wall, 0.02, 0.05)
        if rng.random() < 0.5:
            x = 64 + self.light[0] * rng.uniform(10, 50)
            self.glow(
                x, rng.uniform(20, 60), rng.uniform(40, 60), mix(colour, WHITE, 0.5), rng.uniform(0.15, 0.4)
            )

    def scene(self, kind: Kind, facts: dict[str, str], captions: tuple[str, ...]) -> Scene:
        """The finished scene."""
        vignette = self.rng.choice((0.0, 0.0, 0.08, 0.14))
        return Scene(
            kind,
            tuple(self.strokes),
            tuple(self.things),
            facts,
            captions,
            self.light,
            vignette,
            self.rng.getrandbits(31),
        )

    def _ghost(self, part: Outline, paint: Paint, soft: float) -> None:
        self.strokes.append(Stroke((part,), paint, -1, (0, 0), soft, ghost=True))
