"""From a seed to a scene, and to a captioned picture."""

from collections.abc import Callable
from random import Random

import msgspec

from .faces import face
from .land import landscape
from .objects import objects
from .people import person
from .scene import Kind, Scene
from .shapes import shapes
from .wording import vary

CAPTIONS = 6  # how many every picture gets: its plain ones first, then the same in other words
KINDS: dict[Kind, tuple[Callable[[Random], Scene], float]] = {
    "shapes": (shapes, 0.36),
    "land": (landscape, 0.19),
    "person": (person, 0.16),
    "face": (face, 0.14),
    "object": (objects, 0.15),
}


def draw(seed: int, kind: Kind | None = None) -> Scene:
    """The scene of a seed; the same one, always."""
    rng = Random(seed)
    shares = [share for _, share in KINDS.values()]
    chosen = rng.choices(tuple(KINDS), shares)[0] if kind is None else kind
    return captioned(rng, KINDS[chosen][0](rng))


def captioned(rng: Random, scene: Scene) -> Scene:
    """A scene with all its captions: a third plain, the rest in free wording."""
    plain = [scene.captions[i % len(scene.captions)] for i in range(2)]
    free = [vary(rng, rng.choice(scene.captions)) for _ in range(CAPTIONS - 2)]
    return msgspec.structs.replace(scene, captions=tuple(plain + free))
