"""One text from many: words in braces are chosen from, and words between __ stand for a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from random import Random
from typing import NamedTuple

from engine.errors import BadInput

LONGEST = 20_000
"""Characters of a prompt at most."""
DEPTH = 50
"""Braces inside braces; deeper ones are ordinary characters."""
MANY = 1000
"""Options that may be taken at once."""
WORK = 40_000_000
"""Characters that may be put together on the way to the texts."""
CHOICE = 2000
"""What one choice costs beside its characters."""

Lists = Callable[[str], Sequence[str]]
"""The lines of a list by its name. Raises BadInput for a name that is none."""


def by_chance(text: str, seed: int, lists: Lists) -> str:
    """One of the texts that this one stands for, the same for the same seed."""
    return Expansion(lists).one(parse(text), Random(seed))


def all_of(text: str, lists: Lists, most: int) -> list[str]:
    """Every text that this one stands for, the last choice changing fastest; BadInput beyond `most`."""
    found = Expansion(lists).every(parse(text), most + 1)
    if len(found) > most:
        remedy = "Allow more, or take by chance with expand_prompt."
        raise BadInput(
            "text", got=f"more than {most:,} combinations", want=f"at most {most:,}", remedy=remedy
        )
    return found


def mentioned(text: str, lists: Lists) -> dict[str, list[str]]:
    """The lists that a text needs, those that stand in lists included; without those that are none."""
    found: dict[str, list[str]] = {}
    waiting = list(wildcards(parse(text)))
    while waiting:
        if (name := waiting.pop()) not in found:
            try:
                found[name] = list(lists(name))
            except BadInput:
                found[name] = []
            waiting += [inner for line in found[name] for inner in wildcards(parse(line))]
    return found


# -- the tree


class Wildcard(NamedTuple):
    name: str


class Option(NamedTuple):
    words: Tree
    weight: float = 1.0


class Choice(NamedTuple):
    options: list[Option]
    least: int = 1
    most: int = 1
    separator: str = ", "


Tree = list["str | Wildcard | Choice"]

TOKEN = re.compile(r"\\[{}|_]|__[^\W_]+(?:[_/-][^\W_]+)*__|[{}|]|[^\\{}|_]+|\\|_")
COUNT = re.compile(r"\s*(?:(\d+)\s*(-)?\s*(\d+)?|-\s*(\d+))\s*\$\$", re.ASCII)
SEPARATOR = re.compile(r"(.*?)\$\$", re.DOTALL)
WEIGHT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)::", re.ASCII)


def parse(text: str) -> Tree:
    """Any text at all: a brace without its partner is an ordinary character."""
    tokens = [found[0] for found in TOKEN.finditer(text)]
    return tree(tokens, partners(tokens), 0, len(tokens))


def partners(tokens: list[str]) -> dict[int, int]:
    """Where each opened brace closes."""
    found: dict[int, int] = {}
    stack: list[int] = []
    for place, token in enumerate(tokens):
        if token == "{" and len(stack) < DEPTH:
            stack.append(place)
        elif token == "}" and stack:
            found[stack.pop()] = place
    return found


def tree(tokens: list[str], closes: dict[int, int], start: int, end: int) -> Tree:
    found: Tree = []
    place = start
    while place < end:
        token = tokens[place]
        if (close := closes.get(place)) is not None:
            found.append(choice(tokens, closes, place + 1, close))
            place = close
        elif len(token) > 4 and token.startswith("__"):
            found.append(Wildcard(token[2:-2]))
        else:
            word = token[1] if len(token) == 2 and token[0] == "\\" else token
            if found and isinstance(before := found[-1], str):
                found[-1] = before + word
            else:
                found.append(word)
        place += 1
    return found


def choice(tokens: list[str], closes: dict[int, int], start: int, end: int) -> Choice:
    options = [
        option(tree(tokens, closes, begin, stop)) for begin, stop in fields(tokens, closes, start, end)
    ]
    first = options[0].words
    if not first or not isinstance(first[0], str):
        return Choice(options)
    head = words_first(first)
    if not (counted := COUNT.match(head)):
        return Choice(options)
    rest = head[counted.end() :]
    separator = SEPARATOR.match(rest)
    options[0] = option(without(first, len(head) - len(rest) + (separator.end() if separator else 0)))
    low, dash, high, only_high = counted.groups()
    least = int(low or 0)
    most = int(only_high or high or (len(options) if dash else low))
    least, most = min(least, MANY), min(most, MANY)
    return Choice(options, min(least, most), max(least, most), separator[1] if separator else ", ")


def option(words: Tree) -> Option:
    found = WEIGHT.match(words_first(words))
    if not found:
        return Option(words)
    return Option(without(words, found.end()), min(float(found[1]), 1e9))


def words_first(words: Tree) -> str:
    """The plain words at the beginning."""
    found = []
    for item in words:
        if not isinstance(item, str):
            break
        found.append(item)
    return "".join(found)


def without(words: Tree, count: int) -> Tree:
    """The words without so many characters at their beginning."""
    plain = words_first(words)
    rest = list(words[next((i for i, item in enumerate(words) if not isinstance(item, str)), len(words)) :])
    return [plain[count:], *rest] if plain[count:] else rest


def fields(tokens: list[str], closes: dict[int, int], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where options begin and end; marks inside braces are theirs."""
    place = begin = start
    while place < end:
        if tokens[place] == "|":
            yield begin, place
            begin = place + 1
        place = closes.get(place, place) + 1
    yield begin, end


def wildcards(words: Tree) -> Iterator[str]:
    """The lists that the words mention themselves."""
    for item in words:
        if isinstance(item, Wildcard):
            yield item.name
        elif isinstance(item, Choice):
            for one in item.options:
                yield from wildcards(one.words)


# -- what it stands for


@dataclass
class Expansion:
    """Chooses, and keeps count of the work."""

    lists: Lists
    known: dict[str, list[Option]] = field(default_factory=dict)
    work: int = 0

    def one(self, words: Tree, chance: Random, above: tuple[str, ...] = ()) -> str:
        found = []
        for item in words:
            if isinstance(item, str):
                found.append(item)
                continue
            made, within = self.choice(item, above)
            picked = (self.one(option.words, chance, within) for option in taken(made, chance))
            found.append(made.separator.join(picked))
        return self.whole(found)

    def every(self, words: Tree, most: int, above: tuple[str, ...] = ()) -> list[str]:
        """The first `most` of them."""
        found = [""]
        for item in words:
            ends = [item] if isinstance(item, str) else list(islice(self.combined(item, most, above), most))
            found = list(islice((self.whole([text, end]) for text in found for end in ends), most))
        return found

    def combined(self, item: Wildcard | Choice, most: int, above: tuple[str, ...]) -> Iterator[str]:
        made, within = self.choice(item, above)
        possible = [option for option in made.options if option.weight] or made.options
        highest = min(made.most, len(possible))
        for count in range(min(made.least, highest), highest + 1):
            for options in combinations(possible, count):
                joined: list[list[str]] = [[]]
                for one in options:
                    ends = self.every(one.words, most, within)
                    joined = list(islice(([*start, end] for start in joined for end in ends), most))
                yield from (self.whole([made.separator.join(words)]) for words in joined)

    def choice(self, item: Wildcard | Choice, above: tuple[str, ...]) -> tuple[Choice, tuple[str, ...]]:
        """What is chosen from, and the lists that it stands in."""
        self.spend(CHOICE)
        if isinstance(item, Wildcard):
            return Choice(self.lines(item.name, above)), (*above, item.name)
        match item.options:
            case [Option([Wildcard(name)])] if item.most > 1:
                return item._replace(options=self.lines(name, above)), (*above, name)
        return item, above

    def lines(self, name: str, above: tuple[str, ...]) -> list[Option]:
        if name in above:
            around = " → ".join(f"__{each}__" for each in (*above, name))
            raise BadInput("text", got=around, want="lists that do not mention themselves")
        if name not in self.known:
            self.known[name] = [option(parse(line)) for line in self.lists(name)] or [Option([])]
        return self.known[name]

    def whole(self, words: list[str]) -> str:
        length = sum(map(len, words))
        if length > LONGEST:
            raise BadInput("text", got=f"over {LONGEST:,} characters", want=f"at most {LONGEST:,}")
        self.spend(length)
        return "".join(words)

    def spend(self, cost: int) -> None:
        self.work += cost
        if self.work > WORK:
            remedy = "Use fewer choices, or lists that mention fewer others."
            raise BadInput("text", got="more choices than can be followed", want="fewer", remedy=remedy)


def taken(made: Choice, chance: Random) -> list[Option]:
    """Some of the options, each once, in the order in which they are written."""
    left = [place for place, option in enumerate(made.options) if option.weight] or [
        *range(len(made.options))
    ]
    weights = [made.options[place].weight or 1.0 for place in left]
    low, high = min(made.least, len(left)), min(made.most, len(left))
    picked = []
    for _ in range(low + int(chance.random() * (high - low + 1))):
        place = drawn(weights, chance)
        picked.append(left.pop(place))
        weights.pop(place)
    return [made.options[place] for place in sorted(picked)]


def drawn(weights: list[float], chance: Random) -> int:
    """A place by its weight."""
    point = chance.random() * sum(weights)
    for place, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return place
    return len(weights) - 1
