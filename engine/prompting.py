"""Marks in a prompt: weights, BREAK, words that switch and words that take turns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.errors import BadInput

STEP = 1.1
"""How much a bare bracket strengthens or weakens."""
HEAVIEST = 100.0
DEPTH = 50
"""Brackets inside brackets; deeper ones are ordinary characters."""
READINGS = 200
"""Different readings that one prompt may have while a picture is drawn."""


class Piece(NamedTuple):
    """Words with their weight."""

    text: str
    weight: float = 1.0


Part = list[Piece]
"""What stands between two BREAKs."""


class Stage(NamedTuple):
    """What a prompt says from some point on, at each step the next of its turns."""

    since: float
    """Below 1 a part of the steps, from 1 on the number of a step."""
    turns: list[list[Part]]


NAME = r"((?:[\w+-]|[./](?=[\w+-]))+)"
NAMED = re.compile(r"\bembedding:" + NAME)
"""An embedding, where the marks have been read."""
WRITTEN = re.compile(r"\bembedding\\?:" + NAME)
"""An embedding as it is written in a prompt: within square brackets its colon is escaped."""


def mentioned(text: str) -> list[str]:
    """The embeddings that a prompt names, each once."""
    return list(dict.fromkeys(found[1] for found in WRITTEN.finditer(text)))


def literal(text: str) -> list[Part]:
    """A text without marks, or one whose marks do not count."""
    return [[Piece(text)]]


def stages(text: str, marks: bool = True) -> list[Stage]:
    """All that a prompt says, in time. Raises BadInput if that is too much, or in no known order."""
    if not marks:
        return [Stage(0.0, [literal(text)])]
    tree = parse(text)
    points = sorted({0.0, *switches(tree)})
    if points[-1] >= 1 and any(0 < point < 1 for point in points):
        raise BadInput(
            "text",
            got="switches at parts of the steps and at numbered steps",
            want="one kind of switch",
            remedy="Write all of them like [a:b:0.5], or all like [a:b:10].",
        )
    found: list[Stage] = []
    for since in points:
        count = cycle(tree, since)
        if count * len(points) > READINGS:
            raise BadInput(
                "text",
                got=f"a prompt that changes {count * len(points):,} times",
                want=f"at most {READINGS} times",
                remedy="Use fewer switches, or alternatives whose numbers go into each other.",
            )
        turns = [parts(tree, since, turn) for turn in range(count)]
        stage = Stage(since, turns[:1] if all(turn == turns[0] for turn in turns) else turns)
        if not found or found[-1].turns != stage.turns:
            found.append(stage)
    return found


def begins(since: float, steps: int) -> int:
    """The step, counted from 0, at which something that happens `since` then is to be seen."""
    return int(since) if since >= 1 else int(since * steps)


# -- the tree


class Weighted(NamedTuple):
    inside: Tree
    factor: float


class Switch(NamedTuple):
    before: Tree
    after: Tree
    at: float


class Turns(NamedTuple):
    options: list[Tree]


class Break(NamedTuple):
    """The next words are read apart from those before."""


Tree = list["str | Weighted | Switch | Turns | Break"]


def parse(text: str) -> Tree:
    """Any text at all: a mark without its partner is an ordinary character."""
    tokens = [Token(found[0]) for found in TOKEN.finditer(text)]
    return tree(tokens, partners(tokens), 0, len(tokens))


class Token(str):
    """A mark, an escaped mark, or the words between marks."""

    @property
    def words(self) -> str:
        return self[1:] if len(self) == 2 and self[0] == "\\" and self[1] in MARKS else str(self)


MARKS = "()[]:|\\"
TOKEN = re.compile(r"\\[()\[\]:|\\]|[()\[\]:|\\]|[^()\[\]:|\\]+")
WEIGHT = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*", re.ASCII)
WHEN = re.compile(r"\s*(\d+(\.\d*)?|\.\d+)\s*", re.ASCII)
BREAK = re.compile(r"\s*\bBREAK\b\s*")


def partners(tokens: list[Token]) -> dict[int, int]:
    """Where each opened bracket closes."""
    found: dict[int, int] = {}
    stack: list[int] = []
    waiting = {"(": 0, "[": 0}
    for place, token in enumerate(tokens):
        if token in waiting and len(stack) < DEPTH:
            stack.append(place)
            waiting[token] += 1
        elif (opening := {")": "(", "]": "["}.get(token)) and waiting[opening]:
            while tokens[stack[-1]] != opening:
                waiting[tokens[stack.pop()]] -= 1
            found[stack.pop()] = place
            waiting[opening] -= 1
    return found


def tree(tokens: list[Token], closes: dict[int, int], start: int, end: int) -> Tree:
    found: Tree = []
    words: list[str] = []
    place = start
    while place < end:
        if (close := closes.get(place)) is None:
            words.append(tokens[place].words)
            place += 1
            continue
        found += said(words)
        words = []
        bracket = rounded if tokens[place] == "(" else square
        found.append(bracket(tokens, closes, place + 1, close))
        place = close + 1
    return [*found, *said(words)]


def said(words: list[str]) -> Iterator[str | Break]:
    """Words that were found side by side, without the BREAKs among them."""
    for number, run in enumerate(BREAK.split("".join(words))):
        if number:
            yield Break()
        if run:
            yield run


def rounded(tokens: list[Token], closes: dict[int, int], start: int, end: int) -> Weighted:
    if end - start >= 2 and tokens[end - 2] == ":" and WEIGHT.fullmatch(tokens[end - 1]):
        return Weighted(tree(tokens, closes, start, end - 2), bounded(float(tokens[end - 1])))
    return Weighted(tree(tokens, closes, start, end), STEP)


def square(tokens: list[Token], closes: dict[int, int], start: int, end: int) -> Weighted | Switch | Turns:
    options = fields(tokens, closes, start, end, "|")
    if len(options) > 1:
        return Turns([tree(tokens, closes, *option) for option in options])
    if end - start >= 2 and tokens[end - 2] == ":" and WHEN.fullmatch(tokens[end - 1]):
        words = fields(tokens, closes, start, end - 2, ":")
        if len(words) <= 2:
            before, after = ([], *words) if len(words) == 1 else words
            at = moment(tokens[end - 1].strip())
            return Switch(tree(tokens, closes, *before) if before else [], tree(tokens, closes, *after), at)
    return Weighted(tree(tokens, closes, start, end), 1 / STEP)


def fields(
    tokens: list[Token], closes: dict[int, int], start: int, end: int, mark: str
) -> list[tuple[int, int]]:
    """Where the pieces between marks begin and end; marks inside brackets are theirs."""
    found: list[tuple[int, int]] = []
    place = begin = start
    while place < end:
        if tokens[place] == mark:
            found.append((begin, place))
            begin = place + 1
        place = closes.get(place, place) + 1
    return [*found, (begin, end)]


def moment(number: str) -> float:
    """0.5 is half of the steps, 10 the step of that number, 1.0 never."""
    at = float(number)
    if "." in number:
        return at if at < 1 else math.inf
    return at


def bounded(weight: float) -> float:
    return max(-HEAVIEST, min(HEAVIEST, weight))


# -- what a tree says


def parts(found: Tree, since: float = 0.0, turn: int = 0) -> list[Part]:
    """The words at one moment, neighbours of the same weight in one piece; at least one part."""
    made: list[Part] = [[]]
    for piece in heard(found, since, turn, 1.0):
        if piece is None:
            made.append([])
        elif made[-1] and made[-1][-1].weight == piece.weight:
            made[-1][-1] = Piece(made[-1][-1].text + piece.text, piece.weight)
        else:
            made[-1].append(piece)
    return [part for part in made if part] or [[]]


def heard(found: Tree, since: float, turn: int, weight: float) -> Iterator[Piece | None]:
    """Pieces in order; None where a new part begins."""
    for item in found:
        match item:
            case str():
                yield Piece(item, weight)
            case Break():
                yield None
            case Weighted(inside, factor):
                yield from heard(inside, since, turn, bounded(weight * factor))
            case Switch(before, after, at):
                yield from heard(after if since >= at else before, since, turn, weight)
            case Turns(options):
                yield from heard(options[turn % len(options)], since, turn, weight)


def switches(found: Tree) -> Iterator[float]:
    """The moments at which something changes."""
    for item in found:
        if isinstance(item, Switch):
            if item.at < math.inf:
                yield item.at
            yield from switches(item.before)
            yield from switches(item.after)
        else:
            yield from (moment for inner in inside(item) for moment in switches(inner))


def cycle(found: Tree, since: float) -> int:
    """After how many steps what takes turns begins again."""
    count = 1
    for item in found:
        if isinstance(item, Turns):
            count = math.lcm(count, len(item.options))
        following = [item.after if since >= item.at else item.before] if isinstance(item, Switch) else None
        for inner in following if following is not None else inside(item):
            count = math.lcm(count, cycle(inner, since))
    return count


def inside(item: str | Weighted | Switch | Turns | Break) -> Iterable[Tree]:
    match item:
        case Weighted(inner, _):
            return [inner]
        case Turns(options):
            return options
        case _:
            return []
