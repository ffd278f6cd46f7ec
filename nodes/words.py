"""Text: join it, fill it in, replace and pick words, turn numbers into words and back."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Json, Seed, Text

LONGEST = 1_000_000
"""Characters of a text at most, the limit of `Text`: joined texts could otherwise double without end."""
MOST_LINES = 100_000

ShortText = Annotated[str, Meta(max_length=1000)]
Separator = Annotated[str, Meta(max_length=1000, description="What stands between two pieces.")]
Case = Literal["lower", "upper", "title", "sentence"]
Find = Annotated[str, Meta(min_length=1, max_length=200, description="What is looked for.")]
Filling = Annotated[str, Meta(max_length=LONGEST, description="Goes where the text has this name in braces.")]


@node(category="words", lane="inline")
def text(value: Text = "") -> Text:
    """A text, to be shared by several steps."""
    return value


@node(category="words", lane="inline")
def join(texts: list[Text], separator: Separator = " ") -> Text:
    """A list of texts as one."""
    return together(texts, separator)


@node(category="words", lane="inline")
def join_two(a: Text, b: Text, separator: Separator = " ") -> Text:
    """Two texts as one; an empty one leaves no separator behind."""
    return together([part for part in (a, b) if part], separator)


@node(category="words", lane="inline")
def template(
    text: Text,
    a: Filling | float | None = None,
    b: Filling | float | None = None,
    c: Filling | float | None = None,
    d: Filling | float | None = None,
    values: Json = None,
) -> Text:
    """Fill in a text: `{colour}` is replaced by the value of that name.

    The names `a` to `d` are inputs, for words that come by wire; further names and their values are an object
    typed into `values`, as `{"colour": "red"}`. A brace of its own is written twice: `{{` and `}}`.
    """
    wired = {"a": a, "b": b, "c": c, "d": d}
    known = fillings(values) | {name: worded(value) for name, value in wired.items() if value is not None}
    return together(filled(text, known))


@node(category="words", lane="cpu")
def replace(
    text: Text,
    find: Find,
    put: ShortText = "",
    how: Literal["text", "wildcard"] = "text",
    ignore_case: bool = False,
) -> Text:
    """Put other words in the place of some.

    With wildcards `?` stands for any one character and `*` for any within a line, as few as will do; at the
    end of `find` it takes the rest of the line.
    """
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    if how == "text":
        return together(exchanged(text, [re.compile(re.escape(find), flags)], put))
    pieces = [re.compile(re.escape(piece).replace(r"\?", "."), flags) for piece in find.split("*")]
    return together((together(exchanged(line, pieces, put)) for line in text.split("\n")), "\n")


@node(category="words", lane="inline")
def pick_line(text: Text, index: int | None = None, seed: Seed = 0) -> Text:
    """One line of a text: the one of this number, or one by chance.

    Lines are counted from 0, and -1 is the last. Empty lines and lines that begin with # do not count.
    Without an `index` the seed chooses: the same seed always picks the same line.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if not lines:
        raise BadInput("text", got=text, want="at least one line", remedy="Write one choice on each line.")
    if index is None:
        return lines[int(random.Random(seed).random() * len(lines))]
    if not -len(lines) <= index < len(lines):
        raise BadInput("index", got=index, want=f"{-len(lines)} to {len(lines) - 1}", remedy="Use another.")
    return lines[index]


@node(category="words", lane="inline")
def split(text: Text, separator: Separator = "\n", keep_empty: bool = False) -> list[str]:
    """A text as a list: its lines, or its pieces between another separator, without the spaces around them.

    With no separator at all the text is split into words.
    """
    pieces = text.split(separator or None, MOST_LINES)
    if len(pieces) > MOST_LINES:
        raise BadInput("text", want=f"at most {MOST_LINES:,} pieces", remedy="Split a shorter text.")
    return [piece for piece in map(str.strip, pieces) if piece or keep_empty]


@node(category="words", lane="inline")
def change_case(text: Text, to: Case = "lower") -> Text:
    """A text in small or capital letters."""
    if to == "sentence":
        return together([text[:1].upper(), text[1:].lower()])
    changed: dict[str, str] = {"lower": text.lower(), "upper": text.upper(), "title": text.title()}
    return together([changed[to]])


@node(category="words", lane="inline")
def strip(text: Text, inside: bool = False) -> Text:
    """A text without the spaces and empty lines around it; `inside` also makes runs of spaces one."""
    return " ".join(text.split()) if inside else text.strip()


@node(category="words", lane="inline")
def length(text: Text) -> int:
    """How many characters a text has."""
    return len(text)


@node(category="words", lane="inline")
def contains(text: Text, find: Find, ignore_case: bool = False) -> bool:
    """Whether these words stand in a text."""
    return find.casefold() in text.casefold() if ignore_case else find in text


@node(category="words", lane="inline")
def same_text(a: Text, b: Text, ignore_case: bool = False) -> bool:
    """Whether two texts are the same."""
    return a.casefold() == b.casefold() if ignore_case else a == b


@node(category="words", lane="inline")
def number_to_text(
    number: float,
    digits: Annotated[int, Meta(ge=0, le=15, description="Digits after the point; all that matter if unset.")]
    | None = None,
) -> str:
    """A number in digits: 3, 0.25, or with a fixed count of digits 3.00."""
    return worded(number) if digits is None else f"{number:.{digits}f}"


@node(category="words", lane="inline")
def text_to_number(text: ShortText) -> float:
    """The number that a text spells in digits."""
    if not NUMBER.fullmatch(text.strip()) or abs(value := float(text)) == float("inf"):
        raise BadInput("text", got=text, want="a number", remedy="Write it like 12 or -0.5.")
    return value


NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

# -- one text from many


def together(pieces: Iterable[str], separator: str = "") -> str:
    """The pieces as one text, refused before it is built if it would be too long."""
    kept: list[str] = []
    size = -len(separator)
    for piece in pieces:
        kept.append(piece)
        size += len(piece) + len(separator)
        if size > LONGEST:
            raise BadInput("text", got=f"over {LONGEST:,} characters", want=f"at most {LONGEST:,}",
                           remedy="Use shorter or fewer texts.")  # fmt: skip
    return separator.join(kept)


# -- templates

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def filled(text: str, known: dict[str, str]) -> Iterator[str]:
    """The text's pieces with each placeholder looked up by name; a name is never evaluated."""
    end = 0
    for found in PLACEHOLDER.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        yield found[0][0] if found[0] in ("{{", "}}") else filling(found, known)
    yield text[end:]


def filling(found: re.Match[str], known: dict[str, str]) -> str:
    if found[1] is None:
        raise BadInput("text", got=found[0], want="{name}", remedy=f"Write {found[0] * 2} for a brace.")
    if found[1] not in known:
        names = ", ".join(f"{{{name}}}" for name in list(known)[:20]) or "nothing yet: set `a` or `values`"
        raise BadInput("text", got=found[0], want=f"a name of: {names}", remedy="Add it to `values`.")
    return known[found[1]]


def fillings(values: object) -> dict[str, str]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput("values", got=values, want="an object", remedy='Write it like {"colour": "red"}.')
    return {name: worded(value) for name, value in values.items()}


def worded(value: object) -> str:
    """A value as it reads in a sentence."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == value // 1 and abs(value) < 1e16:
        return str(int(value))
    if isinstance(value, list):
        return together(map(worded, value), ", ")
    if isinstance(value, dict):
        return together((f"{name}: {worded(item)}" for name, item in value.items()), ", ")
    return "" if value is None else str(value)


# -- wildcards


def exchanged(text: str, pieces: list[re.Pattern[str]], put: str) -> Iterator[str]:
    """The text's pieces with every find replaced.

    `pieces` are what stands between the stars, each of a fixed length. Looking for each in turn at its first
    place is all that is needed, so no text can make this slow as it could a regular expression.
    """
    at = 0
    while at < len(text) and (span := find_all(text, pieces, at)):
        yield text[at : span[0]]
        yield put
        at = span[1]
    yield text[at:]


def find_all(text: str, pieces: list[re.Pattern[str]], at: int) -> tuple[int, int] | None:
    """Where a match begins and ends, at or after `at`."""
    start, end = at, at
    for place, piece in enumerate(pieces):
        found = piece.search(text, end)
        if found is None:
            return None
        if place == 0 and piece.pattern:
            start = found.start()
        end = found.end()
    return start, end if pieces[-1].pattern else len(text)
