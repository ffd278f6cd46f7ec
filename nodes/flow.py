"""Branches, loops and lists: what awaits pieces of graph, gathers values, and asks a person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, NamedTuple

from msgspec import Meta

from engine.context import Answer, nobody
from engine.errors import BadInput
from engine.node import node
from engine.types import MAX_SEED, A, Artifact, B, Image, Lazy, T, Text

LONGEST = 100_000
"""Items of a list at most: joined and crossed lists could otherwise grow without end."""

Times = Annotated[int, Meta(ge=0, le=LONGEST, description="How often.")]
Most = Annotated[int, Meta(ge=1, le=LONGEST, description="Give up after so many turns.")]
Index = Annotated[int, Meta(ge=-LONGEST, le=LONGEST, description="Which one: 0 is the first, -1 the last.")]
Count = Annotated[int, Meta(ge=0, le=LONGEST, description="How many.")]
WholeNumber = Annotated[int, Meta(ge=-MAX_SEED, le=MAX_SEED)]

# -- branches and loops


@node(category="flow")
async def choose(condition: bool, yes: Lazy[T], no: Lazy[T]) -> T:
    """One of two branches: only the chosen one is computed."""
    return await (yes() if condition else no())


@node(category="flow")
async def repeat(body: Callable[[T, int], Awaitable[T]], start: T, times: Times = 4) -> T:
    """Run a group several times, each time on what it gave before.

    The group is given the value and the number of the turn, from 0, and gives the next value. Every turn is
    kept, so more turns later pay only for the new ones.
    """
    value = start
    for turn in range(times):
        value = await body(value, turn)
    return value


@node(category="flow")
async def each(body: Callable[[A], Awaitable[B]], items: list[A]) -> list[B]:
    """Run a group once for each item of a list, as many at once as the machine allows.

    The results stand in the order of the items. If one fails, so does this step, but only once the others are
    done: they are kept, and the next run goes on from there.
    """
    results = await asyncio.gather(*(body(item) for item in items), return_exceptions=True)
    stopped = [result for result in results if isinstance(result, BaseException)]
    for error in sorted(stopped, key=lambda e: not isinstance(e, Exception)):  # what failed before what waits
        raise error
    return [result for result in results if not isinstance(result, BaseException)]


@node(category="flow", id="while")
async def while_(
    body: Callable[[T, int], Awaitable[T]],
    condition: Callable[[T], Awaitable[bool]],
    start: T,
    most: Most = 100,
) -> T:
    """Run a group again and again, as long as a condition holds for the value.

    The condition is asked first, so there may be no turn at all. If it still holds after `most` turns, the
    step fails: nothing computed is lost, so allow more and run again.
    """
    value = start
    for turn in range(most):
        if not await condition(value):
            return value
        value = await body(value, turn)
    if await condition(value):
        raise BadInput("most", got=most, want="the loop to end", remedy="Allow more turns, or end it sooner.")
    return value


@node(category="flow")
async def retry(
    body: Callable[[int], Awaitable[T]], good: Callable[[T], Awaitable[bool]], most: Most = 10
) -> T:
    """Try until the result is good, and give that one.

    The group is given the number of the try, from 0: make a seed of it, or every try is the same. If none of
    `most` tries is good, the step fails.
    """
    for turn in range(most):
        value = await body(turn)
        if await good(value):
            return value
    raise BadInput("most", got=most, want="a good result", remedy="Allow more tries, or ask for less.")


# -- lists


@node(category="flow", lane="inline")
def gather(
    a: T,
    b: T | None = None,
    c: T | None = None,
    d: T | None = None,
    e: T | None = None,
    f: T | None = None,
    g: T | None = None,
    h: T | None = None,
) -> list[T]:
    """Up to eight values as a list, in order; what is not wired is left out."""
    return [value for value in (a, b, c, d, e, f, g, h) if value is not None]


@node(category="flow", lane="inline")
def list_of_numbers(items: list[float]) -> list[float]:
    """Numbers typed in, as a list."""
    return items


@node(category="flow", lane="inline")
def list_of_whole_numbers(items: list[WholeNumber]) -> list[int]:
    """Whole numbers typed in, as a list."""
    return items


@node(category="flow", lane="inline")
def list_of_texts(items: list[Text]) -> list[str]:
    """Texts typed in, as a list."""
    return items


@node(category="flow", lane="inline")
def list_of_files(items: list[Artifact]) -> list[Artifact]:
    """Uploaded files, as a list: what opens one file opens each of them."""
    return items


@node(category="flow", lane="inline", id="range")
def range_(start: WholeNumber = 0, count: Count = 4, step: WholeNumber = 1) -> list[int]:
    """So many whole numbers from a first one, each `step` more than the one before."""
    last = start + step * max(count - 1, 0)
    if abs(last) > MAX_SEED:
        raise BadInput("step", got=step, want=f"numbers up to {MAX_SEED}", remedy="Use a smaller step.")
    return [start + step * i for i in range(allowed(count, "count"))]


@node(category="flow", lane="inline")
def number_range(start: float = 0.0, stop: float = 1.0, count: Count = 5) -> list[float]:
    """So many numbers from `start` to `stop`, both included, equally far apart."""
    steps = max(allowed(count, "count") - 1, 1)
    return [start * (1 - i / steps) + stop * (i / steps) for i in range(count)]


@node(category="flow", lane="inline")
def pick(items: list[T], index: Index = 0) -> T:
    """One item of a list."""
    if not -len(items) <= index < len(items):
        want = f"{-len(items)} to {len(items) - 1}" if items else "a list with items"
        raise BadInput("index", got=index, want=want, remedy="Items count from 0; -1 is the last.")
    return items[index]


@node(category="flow", lane="inline")
def take(items: list[T], count: Count = 1, skip: Count = 0) -> list[T]:
    """The first items of a list, after skipping some; fewer if the list is shorter."""
    return items[skip : skip + count]


@node(category="flow", lane="inline")
def count(items: list[T]) -> int:
    """How many items a list has."""
    return len(items)


@node(category="flow", lane="inline")
def concatenate(a: list[T], b: list[T]) -> list[T]:
    """Two lists as one, the second after the first."""
    allowed(len(a) + len(b), "b")
    return [*a, *b]


@node(category="flow", lane="inline")
def reverse(items: list[T]) -> list[T]:
    """A list from its last item to its first."""
    return items[::-1]


@node(category="flow", lane="inline")
def sort_numbers(items: list[float], descending: bool = False) -> list[float]:
    """Numbers in order, the smallest first unless `descending`."""
    return sorted(items, reverse=descending)


class Ranked(NamedTuple, Generic[T]):
    items: list[T]
    scores: list[float]
    positions: list[int]


@node(category="flow", lane="inline")
def rank(items: list[T], scores: list[float], ascending: bool = False) -> Ranked[T]:
    """Put items in the order of their scores, the highest first unless `ascending`.

    `pick` then takes the best, `take` the best few. Equal ones stay in their order. `positions` tells where
    in the list each was, from 0.
    """
    if len(items) != len(scores):
        got, want = f"{len(scores)} scores", f"{len(items)}, one for each item"
        raise BadInput("scores", got=got, want=want, remedy="Wire what was measured of these very items.")
    order = sorted(range(len(items)), key=lambda place: scores[place] * (1 if ascending else -1))
    return Ranked([items[place] for place in order], [scores[place] for place in order], order)


class Crossed(NamedTuple, Generic[A, B]):
    a: list[A]
    b: list[B]


@node(category="flow", lane="inline")
def cross_product(a: list[A], b: list[B]) -> Crossed[A, B]:
    """Every item of one list with every item of another, as two equally long lists.

    The second list runs fastest: a sheet with as many columns as `b` has items shows one row for each of `a`.
    """
    allowed(len(a) * len(b), "b")
    return Crossed([x for x in a for _ in b], [y for _ in a for y in b])


# -- people


class Asked(NamedTuple):
    choice: str
    position: Annotated[int, Meta(description="Which option it is: 0 is the first.")]


@node(category="flow")
async def ask(
    question: Text, options: list[Text], pictures: list[Image] | None = None, answer: Answer = nobody
) -> Asked:
    """Ask a person to choose, and wait for the answer.

    The run waits without holding the machine, for days if need be and through restarts; other runs go on. The
    pictures, if any, are shown with the question.
    """
    if not options or len(set(options)) < len(options):
        raise BadInput("options", got=options, want="options that differ", remedy="Name each option once.")
    choice = await answer(question, options, pictures or [])
    if choice not in options:
        want = "one of " + ", ".join(options)
        raise BadInput("answer", got=choice, want=want, remedy="Answer with one of the options.")
    return Asked(choice, options.index(choice))


@node(category="flow")
async def pick_with_me(
    images: list[Image], question: Text = "Which picture do you like best?", answer: Answer = nobody
) -> Image:
    """Show several pictures to a person, and go on with the one chosen."""
    if not images:
        raise BadInput("images", got=images, want="at least one", remedy="Wire pictures to choose from.")
    asked = await ask(question, [str(i + 1) for i in range(len(images))], images, answer)
    return images[asked.position]


@node(category="flow", lane="inline")
def note(text: Text = "") -> None:
    """A remark about the workflow, for people; it does nothing."""


def allowed(count: int, place: str) -> int:
    """The length of a list that is about to be made, if it may be so long."""
    if count > LONGEST:
        raise BadInput(place, got=f"{count:,}", want=f"at most {LONGEST:,} items", remedy="Use less.")
    return count
