"""Which rows of a prompt, as it was read, are which of its words."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, groupby
from typing import Any, NamedTuple

from engine.errors import Unsupported
from engine.prompting import NAMED, Part, Piece
from nodes._lib.reading import CHUNK, Encoder, Reader
from nodes._lib.speaking import Speaker, joined

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SPACES = re.compile(r"\s{2,}")


class Word(NamedTuple):
    """A word of a prompt, and the rows in which a denoiser is told of it."""

    text: str
    rows: tuple[int, ...]


def heard(reader: Reader | Speaker, parts: Sequence[Part]) -> list[Word]:
    """Every word in order; one that is cut into several tokens has a row for each."""
    return clipped(reader, parts) if isinstance(reader, Reader) else spoken(reader, parts)


def words_of(reader: Reader | Speaker, parts: Sequence[Part]) -> list[str]:
    """The words that can be left out, in order."""
    return [found[0] for part in parts for piece in part for found in pattern(reader).finditer(piece.text)]


def without(reader: Reader | Speaker, parts: Sequence[Part], number: int) -> list[Part]:
    """The same, but for one word."""
    numbers = count()

    def kept(found: re.Match[str]) -> str:
        return "" if next(numbers) == number else found[0]

    left = [[Piece(SPACES.sub(" ", pattern(reader).sub(kept, piece.text)), piece.weight) for piece in part]
            for part in parts]  # fmt: skip
    return [[Piece(part[0].text.lstrip(), part[0].weight), *part[1:]] if part else part for part in left]


def pattern(reader: Reader | Speaker) -> re.Pattern[str]:
    """What a word is; the name of an embedding is one."""
    learned = isinstance(reader, Reader) and reader.encoders[0].learned
    return re.compile(f"{NAMED.pattern}|{WORD.pattern}") if learned else WORD


# -- word by word


def clipped(reader: Reader, parts: Sequence[Part]) -> list[Word]:
    """The words of parts that are each read between a start and an end token."""
    encoder = reader.encoders[0]
    lengths = [len(row) for row in encoder.tokens(parts)]
    rows = (n * (CHUNK + 2) + 1 + at for n, length in enumerate(lengths) for at in range(length))
    said = (group for part in parts for piece in part for group in pieces(encoder, piece.text))
    found = [Word(word, tuple(next(rows) for _ in range(tokens))) for word, tokens in said]
    return [word for word in found if word.text]


def pieces(encoder: Encoder, text: str) -> Iterator[tuple[str, int]]:
    """Words with the number of their tokens; what stands between words is no word."""
    end = 0
    for name in NAMED.finditer(text) if encoder.learned else ():
        yield from plain(encoder.tokenizer, text[end : name.start()])
        yield name[0], len(encoder.tokens([[Piece(name[0])]])[0])
        end = name.end()
    yield from plain(encoder.tokenizer, text[end:])


def plain(tokenizer: Any, text: str) -> Iterator[tuple[str, int]]:
    words = list(WORD.finditer(text))
    given = encoded(tokenizer, tokenizer(text, add_special_tokens=False, truncation=False))
    for place, tokens in groupby(owners(given.offsets, words)):
        yield "" if place is None else words[place][0], len(list(tokens))


def owners(offsets: Sequence[tuple[int, int]], words: Sequence[re.Match[str]]) -> list[int | None]:
    """For each token which word it is a part of."""
    return [
        next((n for n, word in enumerate(words) if start < word.end() and word.start() < end), None)
        for start, end in offsets
    ]


def encoded(tokenizer: Any, found: Any) -> Any:
    """Where in a text each token stands, which only some tokenizers tell."""
    if not getattr(found, "encodings", None):
        raise Unsupported(
            f"An explanation is not available: a {type(tokenizer).__name__} does not tell where tokens are.",
            remedy="Use a model that brings a tokenizer.json.",
        )
    return found.encodings[0]


# -- by a pipeline


class Listening:
    """A tokenizer that remembers what it was first given, and what it made of it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.first: tuple[str, Any] | None = None

    def __call__(self, text: Any, *given: Any, **named: Any) -> Any:
        found = self._inner(text, *given, **named)
        if self.first is None:
            self.first = text if isinstance(text, str) else text[0], found
        return found

    def apply_chat_template(self, messages: Any, *given: Any, **named: Any) -> Any:
        found = self._inner.apply_chat_template(messages, *given, **named)
        if self.first is None and named.get("tokenize", True) and named.get("return_dict"):
            self.first = self._again(messages, named, found["input_ids"][0].tolist())
        return found

    def _again(self, messages: Any, named: Mapping[str, Any], ids: list[int]) -> tuple[str, Any] | None:
        """What a conversation was made of, if it can be told: its text, and the tokens of that."""
        asked = {"add_generation_prompt": named.get("add_generation_prompt", False), "tokenize": False}
        text = self._inner.apply_chat_template(messages, **asked)
        text = text if isinstance(text, str) else text[0]
        limits = {name: named[name] for name in ("padding", "truncation", "max_length") if name in named}
        found = getattr(self._inner, "tokenizer", self._inner)(text, add_special_tokens=False, **limits)
        return (text, found) if encoded(self._inner, found).ids == ids else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def spoken(speaker: Speaker, parts: Sequence[Part]) -> list[Word]:
    """The words of a text that a pipeline reads in its own way, perhaps within other words."""
    about = speaker.family.heard
    if not about.tokenizers:
        raise unseen(speaker)
    pipeline = copy.copy(speaker.pipeline)
    ears = {name: Listening(getattr(pipeline, name)) for name in about.tokenizers}
    for name, ear in ears.items():
        object.__setattr__(pipeline, name, ear)  # a pipeline's own would write it into its configuration
    text = joined(parts)
    length = len(replace(speaker, pipeline=pipeline).read(text).embeds)
    said = list(WORD.finditer(text))
    rows: list[list[int]] = [[] for _ in said]
    before = 0
    for ear in ears.values():
        if ear.first is None:
            raise unseen(speaker)
        given, found = ear.first
        made = encoded(ear._inner, found)
        whole = length if len(ears) == 1 else len(made.ids)
        start = within(given, text)
        offsets = [(first - start, last - start) for first, last in made.offsets]
        for owner, row in zip(owners(offsets, said), kept(made.attention_mask, whole), strict=True):
            if owner is not None and row is not None:
                rows[owner].append(before + row)
        before += whole
    return [Word(word[0], tuple(own)) for word, own in zip(said, rows, strict=True) if own]


def unseen(speaker: Speaker) -> Unsupported:
    return Unsupported(
        f"An explanation is not available: how {speaker.family.title} cuts a prompt cannot be seen.",
        remedy="Use `leave_words_out`, which works for every model.",
    )


def within(given: str, text: str) -> int:
    """Where a prompt begins in what a pipeline made of it before it was cut into tokens."""
    start = given.lower().rfind(text.strip().lower())
    if start < 0:
        raise Unsupported(
            "An explanation is not available: the model's pipeline rewrote the prompt before reading it.",
            remedy="Write it in plain words, without line breaks.",
        )
    return start - (len(text) - len(text.lstrip()))


def kept(mask: Sequence[int], length: int) -> Iterator[int | None]:
    """For each token the row that was made of it: all, those that are no filling, or the last ones."""
    if sum(mask) == length < len(mask):
        row = iter(range(length))
        yield from (next(row) if real else None for real in mask)
        return
    cut = len(mask) - length  # below 0 where a pipeline fills up in front
    yield from (at - cut if at >= cut else None for at in range(len(mask)))
