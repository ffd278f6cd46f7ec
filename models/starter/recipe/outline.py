"""Outlines of the forms everything is drawn from."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .scene import Outline, Point

_TURN = np.linspace(0, math.tau, 36, endpoint=False)
_RING = np.stack([np.cos(_TURN), np.sin(_TURN)], 1).astype(np.float32)
_CAP = np.stack([np.cos(_TURN[:19] - math.pi / 2), np.sin(_TURN[:19] - math.pi / 2)], 1).astype(np.float32)


def floats(values: Any) -> Outline:
    """Numbers as the outlines have them."""
    return np.asarray(values, np.float32)


def polygon(points: Iterable[Point]) -> Outline:
    """The outline through some points."""
    return floats(list(points))


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0) -> Outline:
    """An ellipse, turned clockwise by `turn` degrees."""
    ring: Outline = floats(_RING * floats((rx, ry)))
    return (rotate(ring, turn) if turn else ring) + floats((x, y))


def rotate(outline: Outline, degrees: float, centre: Point = (0, 0)) -> Outline:
    """An outline turned clockwise around a centre."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = floats(centre)
    return floats((outline - middle) @ floats(((c, s), (-s, c))) + middle)


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """An upright rectangle."""
    return floats(((left, top), (right, top), (right, bottom), (left, bottom)))


def limb(a: Point, b: Point, width: float, end: float | None = None) -> Outline:
    """A segment with round ends; `end` is its width at b."""
    first, last = width / 2, (width if end is None else end) / 2
    angle = math.atan2(b[1] - a[1], b[0] - a[0])
    c, s = math.cos(angle), math.sin(angle)
    turn = floats(((c, s), (-s, c)))
    head, tail = _CAP @ turn * last, _CAP @ turn * -first
    return np.concatenate([head + floats(b), tail + floats(a)])


def line(points: Sequence[Point], width: float) -> tuple[Outline, ...]:
    """A line through points, with round joints."""
    return tuple(limb(a, b, width) for a, b in pairwise(points))


def arc(
    x: float, y: float, rx: float, ry: float, start: float, stop: float, width: float
) -> tuple[Outline, ...]:
    """A curved line along an ellipse; 0 degrees is right, 90 is down."""
    steps = 8 if abs(stop - start) < 200 else 18
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return line([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles], width)


def smooth(points: Sequence[Point], rounds: int = 2) -> Outline:
    """A closed curve near its corner points."""
    outline = polygon(points)
    for _ in range(rounds):
        after = np.roll(outline, -1, 0)
        outline = np.stack([0.75 * outline + 0.25 * after, 0.25 * outline + 0.75 * after], 1).reshape(-1, 2)
    return outline


def ground(heights: Sequence[Point], floor: float = 134) -> Outline:
    """Everything below a rolling line through points from left to right."""
    xs, ys = zip(*heights, strict=True)
    at = np.linspace(xs[0], xs[-1], 8 * (len(xs) - 1) + 1)
    index = np.clip(np.searchsorted(xs, at, side="right") - 1, 0, len(xs) - 2)
    left, right = np.asarray(xs)[index], np.asarray(xs)[index + 1]
    ease = (1 - np.cos(np.pi * (at - left) / (right - left))) / 2
    height = np.asarray(ys)[index] * (1 - ease) + np.asarray(ys)[index + 1] * ease
    line_ = np.stack([at, height], 1)
    return np.concatenate([line_, [(xs[-1], floor), (xs[0], floor)]]).astype(np.float32)
