"""The exam of a text-to-image model: prompts whose answers can be checked, and the marks for them."""

from collections.abc import Iterable
from random import Random

import numpy as np
from msgspec import Struct

from .canvas import Picture
from .judge import Verdict, judge
from .palette import COLOURS
from .shapes import HELD_OUT, NUMBERS, SHAPES
from .wording import an, plural

_PLACES = {"on the left": (-1, 0), "on the right": (1, 0), "at the top": (0, -1), "at the bottom": (0, 1)}


class Question(Struct, frozen=True):
    """A prompt and what its picture must show."""

    prompt: str
    background: str
    things: tuple[tuple[str, str], ...]  # (colour, shape), from left to right
    place: str = ""
    count: int = 1


def questions(count: int, seed: int = 5, *, held_out: bool = True) -> list[Question]:
    """Prompts about shapes in colours that training never showed (or, else, did)."""
    rng = Random(seed)
    ask = (_single, _single, _placed, _pair, _several)
    return [ask[index % len(ask)](rng, held_out) for index in range(count)]


def mark(asked: Iterable[Question], shown: Iterable[Picture]) -> dict[str, float]:
    """The part of right answers, by what was asked."""
    marks: dict[str, list[bool]] = {}
    for question, picture in zip(asked, shown, strict=True):
        for name, right in _check(question, judge(picture)):
            marks.setdefault(name, []).append(right)
    return {name: float(np.mean(many)) for name, many in marks.items()}


def _check(question: Question, seen: Verdict) -> Iterable[tuple[str, bool]]:
    yield "background", seen.background == question.background
    first = seen.shapes[0] if seen.shapes else None
    if len(question.things) == 2:
        found = sorted(seen.shapes[:2], key=lambda one: one.x)
        yield "two: both there", len(seen.shapes) == 2
        yield "two: colours", [one.colour for one in found] == [colour for colour, _ in question.things]
        yield "two: shapes", [one.shape for one in found] == [shape for _, shape in question.things]
        return
    colour, shape = question.things[0]
    if question.count > 1:
        yield "count", len(seen.shapes) == question.count
        yield "count: shapes", bool(seen.shapes) and all(one.shape == shape for one in seen.shapes)
        return
    yield "colour", first is not None and first.colour == colour
    yield "shape", first is not None and first.shape == shape
    if question.place:
        dx, dy = _PLACES[question.place]
        yield "position", first is not None and (first.x - 0.5) * dx + (first.y - 0.5) * dy > 0.08


def _pick(rng: Random, held_out: bool, *taken: str) -> tuple[str, str]:
    every = [(colour, shape) for colour in COLOURS for shape in SHAPES if colour not in taken]
    return rng.choice([pair for pair in every if (pair in HELD_OUT) == held_out])


def _on(wall: str) -> str:
    return f"on {an(wall)} background"


def _single(rng: Random, held_out: bool) -> Question:
    colour, shape = _pick(rng, held_out)
    wall = rng.choice([name for name in COLOURS if name != colour])
    return Question(f"{an(f'{colour} {shape}')} {_on(wall)}", wall, ((colour, shape),))


def _placed(rng: Random, held_out: bool) -> Question:
    plain, place = _single(rng, held_out), rng.choice(tuple(_PLACES))
    colour, shape = plain.things[0]
    prompt = f"{an(f'{colour} {shape}')} {place} {_on(plain.background)}"
    return Question(prompt, plain.background, plain.things, place)


def _pair(rng: Random, held_out: bool) -> Question:
    left = _pick(rng, held_out)
    right = _pick(rng, held_out, left[0])
    wall = rng.choice([name for name in COLOURS if name not in (left[0], right[0])])
    said = " and ".join(an(f"{colour} {shape}") for colour, shape in (left, right))
    return Question(f"{said} {_on(wall)}", wall, (left, right))


def _several(rng: Random, held_out: bool) -> Question:
    plain, count = _single(rng, held_out), rng.choice((2, 3, 4))
    colour, shape = plain.things[0]
    prompt = f"{NUMBERS[count]} {colour} {plural(shape)} {_on(plain.background)}"
    return Question(prompt, plain.background, plain.things, count=count)
