"""What a prompt that changes is at each step, and sums of prompts step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.errors import BadInput
from engine.prompting import READINGS, begins
from engine.types import Conditioning, Stage

if TYPE_CHECKING:
    from engine.types import Array


def now(prompt: Conditioning, step: int, steps: int) -> Conditioning:
    """What a prompt is at one of so many steps, counted from 0."""
    found = prompt
    for stage in prompt.stages:
        if step >= begins(stage.since, steps):
            found = stage.turns[step % len(stage.turns)]
    return found


def stages(prompt: Conditioning) -> tuple[Stage, ...]:
    """A prompt in time, also one that stays as it is."""
    return prompt.stages or (Stage(0.0, (prompt,)),)


def staged(found: list[Stage]) -> Conditioning:
    """The prompt that has these stages."""
    first = found[0].turns[0]
    changes = len(found) > 1 or len(found[0].turns) > 1
    return msgspec.structs.replace(first, stages=tuple(found)) if changes else first


def since(prompt: Conditioning, moment: float) -> tuple[Conditioning, ...]:
    """The turns that a prompt takes at a moment."""
    return [stage for stage in stages(prompt) if stage.since <= moment][-1].turns


def each(change: Callable[[Conditioning], Conditioning], prompt: Conditioning) -> Conditioning:
    """A prompt whose every reading is changed, those that apply besides it included; places stay."""
    found = staged([Stage(stage.since, tuple(map(change, stage.turns))) for stage in stages(prompt)])
    also = tuple(each(change, other) for other in prompt.also)
    return msgspec.structs.replace(found, mask=prompt.mask, strength=prompt.strength, also=also)


def both(
    join: Callable[[Conditioning, Conditioning], Conditioning], a: Conditioning, b: Conditioning
) -> Conditioning:
    """Two prompts made into one, at each step what they are then."""
    moments = sorted({stage.since for prompt in (a, b) for stage in stages(prompt)})
    check_moments(moments)
    found = []
    for moment in moments:
        one, two = since(a, moment), since(b, moment)
        count = math.lcm(len(one), len(two))
        if count * len(moments) > READINGS:
            got = f"prompts that change {count * len(moments):,} times together"
            raise BadInput("b", got=got, want=f"at most {READINGS} times")
        turns = (join(one[turn % len(one)], two[turn % len(two)]) for turn in range(count))
        found.append(Stage(moment, tuple(turns)))
    return staged(found)


def switched(first: Conditioning, then: Conditioning, at: float) -> Conditioning:
    """The first prompt until some part of the steps, then the other."""
    before = [stage for stage in stages(first) if stage.since < at]
    after = [Stage(at, since(then, at)), *(stage for stage in stages(then) if stage.since > at)]
    check_moments([stage.since for stage in (*before, *after)])
    if at >= 1:
        return first
    return staged([*before, *after]) if before else then


def check_moments(moments: list[float]) -> None:
    if any(moment >= 1 for moment in moments) and any(0 < moment < 1 for moment in moments):
        raise BadInput(
            "b",
            got="switches at parts of the steps and at numbered steps",
            want="one kind of switch in both prompts",
            remedy="Write all of them like [a:b:0.5], or all like [a:b:10].",
        )


# -- two readings


def averaged(a: Conditioning, b: Conditioning, amount: float) -> Conditioning:
    """On the way from one to the other; where one is shorter it is said again."""
    longest = max(len(a.embeds), len(b.embeds))
    embeds = between(repeated(a.embeds, longest), repeated(b.embeds, longest), amount)
    pooled = (
        a.pooled
        if b.pooled is None
        else b.pooled
        if a.pooled is None
        else between(a.pooled, b.pooled, amount)
    )
    return msgspec.structs.replace(a, embeds=embeds, pooled=pooled)


def between(a: Array, b: Array, amount: float) -> Array:
    """Exactly `a` where both are the same."""
    start = a.astype(np.float32)
    return start + np.float32(amount) * (b.astype(np.float32) - start)


def repeated(embeds: Array, length: int) -> Array:
    return np.tile(embeds, (-(-length // len(embeds)), 1))[:length]


def followed(a: Conditioning, b: Conditioning) -> Conditioning:
    """The words of one behind those of the other; the picture as a whole stays that of the first."""
    return msgspec.structs.replace(a, embeds=np.concatenate([a.embeds, b.embeds]))


def scaled(prompt: Conditioning, factor: float) -> Conditioning:
    pooled = None if prompt.pooled is None else times(prompt.pooled, factor)
    return msgspec.structs.replace(prompt, embeds=times(prompt.embeds, factor), pooled=pooled)


def times(array: Array, factor: float) -> Array:
    return array.astype(np.float32) * np.float32(factor)


# -- places

Line = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
GRID = 256
"""Cells of an area's mask along each side; an edge inside a cell covers it in part."""


def area(left: float, top: float, width: float, height: float, softness: float) -> Array:
    """A mask that is 1 within a rectangle, given in parts of the picture."""
    across, down = span(left, left + width, softness), span(top, top + height, softness)
    mask: Line = down[:, None] * across
    return mask


def span(start: float, end: float, softness: float) -> Line:
    """How far each cell of a line lies within; soft only towards other cells, not at the picture's edge."""
    edges = np.linspace(0, 1, GRID + 1, dtype=np.float64)
    if not softness:
        covered = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, None) * GRID
        return np.asarray(covered, np.float32)
    middle = (edges[1:] + edges[:-1]) / 2
    rising = np.ones(GRID) if start <= 0 else np.clip((middle - start) / softness + 0.5, 0, 1)
    falling = np.ones(GRID) if end >= 1 else np.clip((end - middle) / softness + 0.5, 0, 1)
    return np.asarray(np.minimum(rising, falling), np.float32)
