"""What a scene is: strokes to paint from back to front, and the truth about what they show."""

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .palette import Colour

Point = tuple[float, float]  # in units of a 128 x 128 picture, y downwards
Outline = NDArray[np.float32]  # (points, 2), a closed polygon
Kind = Literal["shapes", "land", "person", "face", "object"]
SPAN = 128.0


class Paint(Struct, frozen=True):
    """How a stroke takes the light."""

    colour: Colour
    foot: Colour | None = None  # colour at the lower edge, for skies and grounds
    shade: float = 0.16  # strength of light and shadow across the stroke
    round: bool = False  # shaded as a ball instead of as a slope
    gloss: float = 0.0  # strength of a highlight
    stripes: float = 0.0  # contrast of broad stripes
    mottle: float = 0.0  # contrast of a smooth, cloudy texture
    alpha: float = 1.0


class Stroke(Struct, frozen=True):
    """One painted region: the union of its outlines."""

    parts: tuple[Outline, ...]
    paint: Paint
    thing: int = -1  # which of the scene's things it belongs to; -1 for the surroundings
    near: tuple[float, float] = (0.0, 0.0)  # nearness at its upper and lower edge: 0 far, 1 near
    soft: float = 0.0  # blur radius of its edge
    ghost: bool = False  # light and shadow: seen, but without depth or mask


class Thing(Struct, frozen=True):
    """One thing that can be named, pointed at and counted."""

    name: str
    colour: str
    place: str = ""
    keypoints: tuple[Point, ...] = ()  # of a person: the 17 of COCO, in its order
    landmarks: tuple[Point, ...] = ()  # of a face: eyes, nose, mouth corners


class Scene(Struct, frozen=True):
    """A picture before it is painted, with all that is known about it."""

    kind: Kind
    strokes: tuple[Stroke, ...]
    things: tuple[Thing, ...]
    facts: dict[str, str]
    captions: tuple[str, ...]
    light: Point = (-0.6, -0.8)  # direction towards the light
    vignette: float = 0.0
    seed: int = 0
