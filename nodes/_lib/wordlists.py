"""Lists of words that a text may not have, found however they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.errors import GateClosed

LIKE = {
    "a": "аαɑ", "b": "вьβ", "c": "сϲ", "d": "ԁđð", "e": "еεєҽ", "g": "ɡ", "h": "һн", "i": "іιı", "j": "јϳ",
    "k": "кκ", "l": "ӏł", "m": "м", "n": "пηո", "o": "оοօøσ", "p": "рρþ", "q": "ԛ", "r": "г", "s": "ѕ",
    "t": "тτ", "u": "υս", "v": "νѵ", "w": "ԝωшѡ", "x": "хχ", "y": "уγү",
}  # fmt: skip
LOOKALIKES = {ord(other): ours for ours, others in LIKE.items() for other in others}
"""Letters of other alphabets that look like ours."""
SIGNS = str.maketrans("013456789@$!|€£+(", "oieasgtbgasiieltc")
"""Figures and signs that stand for letters, within a word that has letters too."""
OTHER_SIGNS = str.maketrans("1!|", "lll")
"""What else some of them may stand for."""
WORD = re.compile(r"[^\W_]+(?:[@$!|€£+(]+[^\W_]*)*|[@$!|€£+]+[^\W_]+(?:[@$!|€£+(]+[^\W_]*)*")
LONGEST = 200_000


class Token(NamedTuple):
    """A word of a text, in each way that it may be read."""

    forms: frozenset[str]
    spelled: str = ""
    """Of letters that stand apart: all of them, which may be more than one word."""

    def has(self, word: str) -> bool:
        return word in self.forms or (bool(self.spelled) and self.spelled.endswith(word))


class Phrase(NamedTuple):
    """Words in a row; the last may go on (`bomb*`)."""

    text: str
    words: tuple[str, ...]
    open: bool

    def ends(self, tokens: list[Token], start: int) -> int | None:
        """Where the phrase ends in the text if it begins here."""
        if "".join(self.words) in tokens[start].spelled:
            return start + 1
        stop = start + len(self.words)
        if stop > len(tokens):
            return None
        for place, word in enumerate(self.words):
            token = tokens[start + place]
            goes_on = self.open and place == len(self.words) - 1
            if not token.has(word) and not (goes_on and any(form.startswith(word) for form in token.forms)):
                return None
        return stop


class WordList:
    """Words and phrases, one a line; `#` begins a remark, `!` what is allowed all the same."""

    def __init__(self, lines: Iterable[str]) -> None:
        plain = [line.partition("#")[0].strip() for line in lines]
        self.words = [phrase(line) for line in plain if line and line[0] != "!"]
        self.allowed = [phrase(line[1:]) for line in plain if line[:1] == "!"]

    @classmethod
    def read(cls, path: Path) -> WordList:
        """The list in a file, as it is now. Raises GateClosed if it cannot be read."""
        try:
            return kept(path, path.stat().st_mtime_ns)
        except (OSError, UnicodeDecodeError) as error:
            remedy = "Set `word_list` to a text file in UTF-8."
            text = f"The list of words cannot be read ({type(error).__name__})."
            raise GateClosed(text, remedy=remedy) from None

    def found(self, text: str) -> list[str]:
        """The words of the list that a text has, as the list writes them."""
        hits: dict[str, None] = {}
        for tokens in readings(text[:LONGEST]):
            free = [
                (start, stop)
                for start in range(len(tokens))
                for one in self.allowed
                if (stop := one.ends(tokens, start)) is not None
            ]
            for start in range(len(tokens)):
                for one in self.words:
                    stop = one.ends(tokens, start)
                    if stop is not None and not any(a <= start and stop <= b for a, b in free):
                        hits[one.text] = None
        return list(hits)


@lru_cache(maxsize=8)
def kept(path: Path, changed: int) -> WordList:
    return WordList(path.read_text("utf-8").splitlines())


def phrase(line: str) -> Phrase:
    text = line.strip()
    words = tuple(squeezed(word) for word in WORD.findall(folded(text.removesuffix("*"))))
    return Phrase(text, words, text.endswith("*"))


def readings(text: str) -> list[list[Token]]:
    """A text as its words; and, where letters stand apart, with these joined."""
    plain = folded(text)
    found = [tokens(plain)]
    return [*found, list(joined(plain))] if APART.search(plain) else found


APART = re.compile(r"(?<![^\W_])[^\W_]([\W_]{1,3})[^\W_](?:\1[^\W_])+(?![^\W_])")
"""Single letters with the same between them: spaces, dots or the like."""


def joined(plain: str) -> Iterator[Token]:
    """The words of a text, letters that stand apart as one."""
    start = 0
    for match in APART.finditer(plain):
        yield from tokens(plain[start : match.start()])
        letters = re.sub(r"[\W_]", "", match[0])
        yield Token(forms(letters), max(forms(letters)))
        start = match.end()
    yield from tokens(plain[start:])


def folded(text: str) -> str:
    """The text without case, accents, invisible signs, and letters that only look like ours."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    shown = (c for c in plain if unicodedata.category(c) not in ("Mn", "Cf", "Cc") or c in "\n\t\r")
    return "".join(shown).translate(LOOKALIKES)


def tokens(plain: str) -> list[Token]:
    return [Token(forms(match[0])) for match in WORD.finditer(plain)]


def forms(word: str) -> frozenset[str]:
    """A word as it stands, and with its figures and signs as letters."""
    found = {word, word.rstrip("!|+(")}
    if any(c.isalpha() for c in word) and not word.isalpha():
        ends = {word, word.rstrip("!|+(")}
        found |= {one.translate(SIGNS) for one in ends}
        found |= {one.translate(OTHER_SIGNS).translate(SIGNS) for one in ends}
    return frozenset(squeezed(re.sub(r"[\W_]", "", one)) for one in found)


def squeezed(word: str) -> str:
    """Letters that are repeated for emphasis once: `nooo` is `no`, but `too` is not `to`."""
    return re.sub(r"(.)\1{2,}", r"\1", word)
