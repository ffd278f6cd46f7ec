"""A judge of motions without training: what moves in a clip, and where to."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .canvas import Field, Picture
from .clips import Motion

Course = Literal["still", "in place", "up", "right", "left", "down", "pan left", "pan right"]
COURSES: dict[Motion, Course] = {
    "walking": "right",
    "waving": "in place",
    "sunrise": "up",
    "sailing": "right",
    "pan left": "pan left",
    "pan right": "pan right",
    "driving": "right",
}
_SMALL = 64  # width at which is looked: flicker of single pixels is no motion
_STIR = 0.05  # change of a pixel, of 1, from one frame to the next but one, that counts


class Movement(Struct, frozen=True):
    """What was seen to move; ways are in parts of the picture's width."""

    course: Course
    right: float  # way of the change from the first to the last frame
    down: float
    wide: float  # spread of the change around its middle at any one time
    high: float
    energy: float  # how much changes
    pan: float  # way of the whole picture
    fit: float  # what a pan leaves unexplained, 1 where it explains nothing


def watch(frames: Sequence[Picture]) -> Movement:
    """Look at a clip."""
    shown = np.stack([_look(frame) for frame in frames])
    change = np.abs(shown[2:] - shown[:-2]).mean(-1)  # (frames - 2, 64, 64)
    change = np.maximum(change - _STIR, 0)
    energy = float(change.mean() * 1000)
    right, down, wide, high = _track(change)
    pan, fit = _shift(shown)
    course = _course(right, down, high, energy, pan, fit)
    return Movement(course, right, down, wide, high, energy, pan, fit)


def motion(frames: Sequence[Picture]) -> Motion | None:
    """The motion that a clip shows, by the word for it."""
    seen = watch(frames)
    if seen.course == "right":
        return "walking" if seen.high > seen.wide * 1.25 else "sailing" if seen.right > 0.5 else "driving"
    names: dict[Course, Motion] = {course: name for name, course in COURSES.items() if course != "right"}
    return names.get(seen.course)


def flicker(frames: Sequence[Picture]) -> float:
    """How much pixels jump to and fro: the mean second difference over time, of 255."""
    shown = np.stack(frames).astype(np.float32)
    return float(np.abs(shown[2:] - 2 * shown[1:-1] + shown[:-2]).mean())


def _look(frame: Picture) -> Field:
    small = cv2.resize(frame, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _track(change: Field) -> tuple[float, float, float, float]:
    """The way of the middle of the change, and its spread, each across and down."""
    mass = change.sum((1, 2)) + 1e-6
    found = []
    for axis in (1, 2):  # summed over rows, then over columns
        line = change.sum(axis)  # (frames, 64)
        place = np.arange(_SMALL, dtype=np.float32) / _SMALL
        middle = (line * place).sum(1) / mass
        spread = np.sqrt((line * (place - middle[:, None]) ** 2).sum(1) / mass)
        found.append((_way(middle, mass), float((spread * mass).sum() / mass.sum())))
    (right, wide), (down, high) = found
    return right, down, wide, high


def _way(middle: NDArray[np.float32], mass: NDArray[np.float32]) -> float:
    """How far a middle goes from the first to the last frame, by a line fitted with weights."""
    time = np.linspace(-0.5, 0.5, len(middle), dtype=np.float32)
    weight = mass / mass.sum()
    time = time - (weight * time).sum()
    return float((weight * time * middle).sum() / max(1e-9, (weight * time * time).sum()))


def _shift(shown: Field) -> tuple[float, float]:
    """The way that the whole picture seems to go, and what that leaves unexplained."""
    last, cost = len(shown) - 1, {}
    for way in range(-24, 25):
        left = []
        for index in range(3, len(shown), 2):
            moved = round(way * index / last)
            a = shown[index][:, max(0, moved) : _SMALL + min(0, moved)]
            b = shown[0][:, max(0, -moved) : _SMALL + min(0, -moved)]
            left.append(np.abs(a - b).mean())
        cost[way] = float(np.mean(left))
    best = min(cost, key=lambda way: cost[way])
    return best / _SMALL, cost[best] / max(cost[0], 1e-6)


def _course(right: float, down: float, high: float, energy: float, pan: float, fit: float) -> Course:
    if energy < 0.3:
        return "still"
    # a thing before a plain wall also explains all change by a pan, but further, and the change goes with it
    spread = high > 0.13 or abs(right) < 0.4 * abs(pan) or abs(pan) < 0.28
    if abs(pan) > 0.12 and fit < 0.6 and abs(right) < 0.75 * abs(pan) and spread:
        return "pan left" if pan > 0 else "pan right"
    if max(abs(right), abs(down)) < 0.14:
        return "in place"
    if abs(down) > abs(right):
        return "up" if down < 0 else "down"
    return "right" if right > 0 else "left"
