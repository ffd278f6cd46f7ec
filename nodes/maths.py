"""Arithmetic, comparison, rounding and chance: small nodes on finite numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import MAX_SEED, Fraction, Seed

WholeNumber = Annotated[int, Meta(ge=-MAX_SEED, le=MAX_SEED)]
Digits = Annotated[int, Meta(ge=-15, le=15, description="Digits after the point; -1 rounds to tens.")]
Rounding = Literal["nearest", "down", "up", "towards zero"]
Turn = Annotated[int, Meta(ge=0, le=MAX_SEED, description="Which turn of a loop this is, counted from 0.")]

# -- values to share between steps


@node(category="maths", lane="inline")
def number(value: float = 0.0) -> float:
    """A number, to be shared by several steps."""
    return finite(value, "value")


@node(category="maths", lane="inline")
def whole_number(value: WholeNumber = 0) -> WholeNumber:
    """A whole number, to be shared by several steps."""
    return value


@node(category="maths", lane="inline")
def truth(value: bool = True) -> bool:
    """True or false, to be shared by several steps."""
    return value


@node(category="maths", lane="inline")
def seed(value: Seed = 0) -> Seed:
    """A seed, to be shared by several steps.

    Name it as an input of the workflow, and a run may ask for `"random"`.
    """
    return value


# -- two numbers


@node(category="maths", lane="inline")
def add(a: float, b: float) -> float:
    """The sum of two numbers."""
    return computed(lambda: a + b, "b", b)


@node(category="maths", lane="inline")
def subtract(a: float, b: float) -> float:
    """The first number less the second."""
    return computed(lambda: a - b, "b", b)


@node(category="maths", lane="inline")
def multiply(a: float, b: float) -> float:
    """The product of two numbers."""
    return computed(lambda: a * b, "b", b)


@node(category="maths", lane="inline")
def divide(a: float, b: float) -> float:
    """The first number divided by the second."""
    not_zero(b)
    return computed(lambda: a / b, "b", b)


@node(category="maths", lane="inline")
def modulo(a: float, b: float) -> float:
    """What is left when the first number is divided by the second.

    The result has the sign of `b`: -1 modulo 3 is 2, so counting round a circle works in both directions.
    """
    not_zero(b)
    return computed(lambda: a % b, "b", b)


@node(category="maths", lane="inline")
def power(a: float, b: float) -> float:
    """The first number to the power of the second.

    A negative number has no real power with a fractional exponent, and 0 none with a negative one.
    """
    a, b = finite(a, "a"), finite(b, "b")
    if a == 0 and b < 0:
        raise BadInput("b", got=b, want="0 or more, as `a` is 0", remedy="Use a positive exponent.")
    if a < 0 and b != math.floor(b):
        raise BadInput("b", got=b, want="whole, as `a` is negative", remedy="Round it or negate `a`.")
    return computed(lambda: math.pow(a, b), "b", b)


@node(category="maths", lane="inline")
def minimum(a: float, b: float) -> float:
    """The smaller of two numbers."""
    return finite(min(a, b), "a")


@node(category="maths", lane="inline")
def maximum(a: float, b: float) -> float:
    """The larger of two numbers."""
    return finite(max(a, b), "a")


# -- one number


@node(category="maths", lane="inline")
def absolute(a: float) -> float:
    """The number without its sign."""
    return finite(abs(a), "a")


@node(category="maths", lane="inline")
def negate(a: float) -> float:
    """The number with the opposite sign."""
    return finite(-a, "a")


@node(category="maths", lane="inline")
def square_root(a: float) -> float:
    """The number whose square this is."""
    if a < 0:
        raise BadInput("a", got=a, want="0 or more", remedy="Take the absolute number first.")
    return finite(math.sqrt(a), "a")


@node(category="maths", lane="inline", id="round")
def round_(a: float, digits: Digits = 0) -> float:
    """The nearest number with so many digits after the point.

    A half goes to the even neighbour (2.5 becomes 2, 3.5 becomes 4), so that many roundings do not drift.
    """
    return finite(round(finite(a, "a"), digits), "a")


@node(category="maths", lane="inline")
def floor(a: float) -> float:
    """The next whole value below, still as a number."""
    return float(math.floor(finite(a, "a")))


@node(category="maths", lane="inline")
def ceiling(a: float) -> float:
    """The next whole value above, still as a number."""
    return float(math.ceil(finite(a, "a")))


@node(category="maths", lane="inline")
def to_whole_number(a: float, how: Rounding = "nearest") -> WholeNumber:
    """A number as a whole number, for inputs that count things.

    A number never turns into a whole one by itself: this node says how. A half goes to the even neighbour.
    """
    ways: dict[Rounding, Callable[[float], int]] = {
        "nearest": round, "down": math.floor, "up": math.ceil, "towards zero": math.trunc,
    }  # fmt: skip
    whole = ways[how](finite(a, "a"))
    if abs(whole) > MAX_SEED:
        raise BadInput("a", got=a, want=f"-{MAX_SEED} to {MAX_SEED}", remedy="Clamp the number first.")
    return whole


@node(category="maths", lane="inline")
def clamp(a: float, low: float = 0.0, high: float = 1.0) -> float:
    """The number, but not below `low` and not above `high`."""
    if low > high:
        raise BadInput("low", got=low, want=f"at most `high`, {high:g}", remedy="Exchange the two limits.")
    return finite(min(max(finite(a, "a"), low), high), "low")


# -- between two numbers


@node(category="maths", lane="inline")
def interpolate(a: float, b: float, amount: Fraction = 0.5) -> float:
    """A number on the way from `a` to `b`: 0 is `a`, 1 is `b`, a half is the middle."""
    return computed(lambda: a * (1 - amount) + b * amount, "b", b)


@node(category="maths", lane="inline")
def remap(
    a: float, from_low: float = 0.0, from_high: float = 1.0, to_low: float = 0.0, to_high: float = 1.0
) -> float:
    """Carry a number from one scale to another, as 5 of 0…10 becomes 50 of 0…100.

    A number outside the first scale lands outside the second; clamp it where that matters.
    """
    if from_low == from_high:
        raise BadInput("from_high", got=from_high, want="other than `from_low`", remedy="Widen the scale.")
    return computed(lambda: to_low + (a - from_low) / (from_high - from_low) * (to_high - to_low), "a", a)


# -- true or false

Operator = Literal["<", "<=", "=", "!=", ">=", ">"]


@node(category="maths", lane="inline")
def compare(a: float, b: float, operator: Operator = "=") -> bool:
    """Whether two numbers stand in this order."""
    results: dict[Operator, bool] = {
        "<": a < b, "<=": a <= b, "=": a == b, "!=": a != b, ">=": a >= b, ">": a > b,
    }  # fmt: skip
    return results[operator]


@node(category="maths", lane="inline")
def both(a: bool, b: bool) -> bool:
    """Whether both are true."""
    return a and b


@node(category="maths", lane="inline")
def either(a: bool, b: bool) -> bool:
    """Whether at least one is true."""
    return a or b


@node(category="maths", lane="inline", id="not", title="Not")
def not_(a: bool) -> bool:
    """The opposite: true becomes false."""
    return not a


# -- chance


@node(category="maths", lane="inline")
def random_number(low: float = 0.0, high: float = 1.0, seed: Seed = 0) -> float:
    """A number between two limits, by chance: the same seed gives the same one."""
    if low > high:
        raise BadInput("low", got=low, want=f"at most `high`, {high:g}", remedy="Exchange the two limits.")
    chance = random.Random(seed).random()
    drawn = computed(lambda: low * (1 - chance) + high * chance, "high", high)
    return min(max(drawn, low), high)  # rounding may step over a limit by the last digit


@node(category="maths", lane="inline")
def random_whole_number(low: WholeNumber = 0, high: WholeNumber = 100, seed: Seed = 0) -> WholeNumber:
    """A whole number from `low` to `high`, both included, by chance: the same seed gives the same one."""
    if low > high:
        raise BadInput("low", got=low, want=f"at most `high`, {high}", remedy="Exchange the two limits.")
    # random() is the one draw that Python promises never to change; randrange is not
    return min(low + int(random.Random(seed).random() * (high - low + 1)), high)


@node(category="maths", lane="inline")
def next_seed(seed: Seed, turn: Turn = 0) -> Seed:
    """A seed of its own for each turn of a loop: turn 0 has the one after `seed`."""
    return (seed + turn + 1) % (MAX_SEED + 1)


# -- many numbers


@node(category="maths", lane="inline")
def sum_of(numbers: list[float]) -> float:
    """The sum of a list; 0 of an empty one."""
    return computed(lambda: math.fsum(numbers), "numbers", numbers)


@node(category="maths", lane="inline")
def mean_of(numbers: list[float]) -> float:
    """The average of a list."""
    not_empty(numbers)
    return computed(lambda: math.fsum(n / len(numbers) for n in numbers), "numbers", numbers)


@node(category="maths", lane="inline")
def largest_of(numbers: list[float]) -> float:
    """The largest number of a list."""
    not_empty(numbers)
    return finite(max(numbers), "numbers")


@node(category="maths", lane="inline")
def smallest_of(numbers: list[float]) -> float:
    """The smallest number of a list."""
    not_empty(numbers)
    return finite(min(numbers), "numbers")


@node(category="maths", lane="inline")
def standardised(numbers: list[float]) -> list[float]:
    """How far each number of a list is above the mean, in standard deviations of the list.

    So scores of different kinds can be weighed against each other: those of any list have the mean 0 and the
    same spread. Where all numbers are equal, all become 0.
    """
    not_empty(numbers)
    mean = mean_of(numbers)
    spread = computed(lambda: math.hypot(*(n - mean for n in numbers)), "numbers", numbers)
    spread /= math.sqrt(len(numbers))
    alike = spread <= 1e-12 * max(map(abs, numbers))  # what is left of equal ones is rounding
    return [0.0 if alike else (n - mean) / spread for n in numbers]


# -- what every node above relies on


def computed(work: Callable[[], float], place: str, got: object) -> float:
    """A result, if there is a finite one."""
    try:
        result = float(work())
    except (OverflowError, ValueError):  # math.fsum and math.pow raise; + and * give infinity
        result = math.inf
    if not math.isfinite(result):
        raise BadInput(place, got=got, want="a result below 1.8e308", remedy="Use smaller numbers.")
    return result


def finite(value: float, place: str) -> float:
    """The number itself: infinity and "not a number" go no further."""
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise BadInput(place, got=value, want="a finite number", remedy="Use a number below 1.8e308.")
    return result


def not_zero(b: float) -> None:
    if b == 0:
        raise BadInput("b", got=b, want="a number other than 0", remedy="Nothing can be divided by 0.")


def not_empty(numbers: list[float]) -> None:
    if not numbers:
        raise BadInput("numbers", got=numbers, want="at least one", remedy="Put a number into the list.")
