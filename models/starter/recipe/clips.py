"""Short animated clips: the same scene at successive moments."""

from collections.abc import Callable
from random import Random
from typing import Literal

import msgspec
import numpy as np

from .canvas import Picture, paint
from .land import landscape
from .objects import objects
from .outline import floats
from .people import person
from .pose import POSES, Pose, blend
from .scene import Scene
from .wording import vary

Motion = Literal["walking", "waving", "sunrise", "sailing", "pan left", "pan right", "driving"]
FRAMES = 14
PHRASES: dict[Motion, tuple[str, ...]] = {
    "walking": ("walking",),
    "waving": ("waving a hand",),
    "sunrise": ("the sun is rising", "sunrise"),
    "sailing": ("the boat sails to the right", "sailing to the right"),
    "pan left": ("the camera pans left",),
    "pan right": ("the camera pans right",),
    "driving": ("driving to the right",),
}
_STEP = (Pose((125, 100), (55, 60), (70, 95), (110, 120)), Pose((55, 40), (125, 100), (110, 120), (70, 95)))
_REACH = 30.0  # how far a camera pans, in picture units


class Clip(msgspec.Struct, frozen=True):
    """A clip before it is painted."""

    motion: Motion
    frames: tuple[Scene, ...]
    captions: tuple[str, ...]

    def paint(self, size: int = 128) -> list[Picture]:
        """The pictures of the clip."""
        return [paint(frame, size) for frame in self.frames]


def clip(seed: int, motion: Motion | None = None, frames: int = FRAMES) -> Clip:
    """The clip of a seed; the same one, always."""
    rng = Random(seed)
    chosen = rng.choice(tuple(PHRASES)) if motion is None else motion
    scenes = tuple(_MOTIONS[chosen](seed, index / (frames - 1)) for index in range(frames))
    said = [
        f"{scenes[0].captions[i % len(scenes[0].captions)]}, {rng.choice(PHRASES[chosen])}" for i in range(3)
    ]
    return Clip(chosen, scenes, (*said, *(vary(rng, caption) for caption in said)))


def shift(scene: Scene, dx: float) -> Scene:
    """A scene seen by a camera that turned: near and far move alike."""
    move = floats((dx, 0))
    strokes = tuple(
        msgspec.structs.replace(stroke, parts=tuple(part + move for part in stroke.parts))
        for stroke in scene.strokes
    )
    things = tuple(
        msgspec.structs.replace(
            thing,
            keypoints=tuple((x + dx, y) for x, y in thing.keypoints),
            landmarks=tuple((x + dx, y) for x, y in thing.landmarks),
        )
        for thing in scene.things
    )
    return msgspec.structs.replace(scene, strokes=strokes, things=things)


def _walking(seed: int, when: float) -> Scene:
    swing = 0.5 - 0.5 * np.cos(when * 4 * np.pi)
    return person(Random(seed), motion=blend(*_STEP, float(swing)), doing="walking", travel=-26 + 52 * when)


def _waving(seed: int, when: float) -> Scene:
    low, high = POSES["waving"], msgspec.structs.replace(POSES["waving"], left_arm=(-55, -140))
    return person(
        Random(seed), motion=blend(low, high, float(0.5 - 0.5 * np.cos(when * 4 * np.pi))), doing="waving"
    )


def _sunrise(seed: int, when: float) -> Scene:
    return landscape(Random(seed), sun_height=70 - 46 * when)


def _sailing(seed: int, when: float) -> Scene:
    return landscape(Random(seed), sail=when)


def _pan_left(seed: int, when: float) -> Scene:
    return shift(landscape(Random(seed)), -_REACH / 2 + _REACH * when)


def _pan_right(seed: int, when: float) -> Scene:
    return shift(landscape(Random(seed)), _REACH / 2 - _REACH * when)


def _driving(seed: int, when: float) -> Scene:
    rng = Random(seed)
    return objects(Random(seed), held_name=rng.choice(("car", "bus")), travel=-20 + 40 * when + 0.01)


_MOTIONS: dict[Motion, Callable[[int, float], Scene]] = {
    "walking": _walking,
    "waving": _waving,
    "sunrise": _sunrise,
    "sailing": _sailing,
    "pan left": _pan_left,
    "pan right": _pan_right,
    "driving": _driving,
}
