"""File names from patterns: braces stand for values, of which only what is safe in a name is kept."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping

from engine.artifacts import COUNTER
from engine.errors import BadInput

BRACES = re.compile(r"\{([^{}]*)\}")
UNSAFE = re.compile(r"[^\w .,()+=&'-]+")
LONGEST = 60
"""Characters of one value: names stay readable, and no file system refuses them."""


def filled(pattern: str, known: Mapping[str, object]) -> str:
    """The pattern with its braces filled in; `{counter}` is left to whoever numbers the file."""
    if pattern.count(COUNTER) > 1:
        raise BadInput("name", got=pattern, want=f"{COUNTER} once", remedy="Leave the others out.")
    return BRACES.sub(lambda found: found[0] if found[0] == COUNTER else value_of(found[1], known), pattern)


def value_of(name: str, known: Mapping[str, object]) -> str:
    value = known.get(name)
    if name not in known or isinstance(value, Mapping):
        usable = [key for key, item in known.items() if not isinstance(item, Mapping)]
        names = ", ".join(f"{{{key}}}" for key in [*usable[:20], "counter"])
        remedy = "Make it a named input of the workflow, or use one of these."
        raise BadInput("name", got=f"{{{name}}}", want=f"a name of: {names}", remedy=remedy)
    return safe(worded(value))


def worded(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(worded, value))
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return "" if value is None else str(value)


def safe(text: str) -> str:
    """Letters, digits and a few marks, shortened after a word."""
    plain = UNSAFE.sub("_", unicodedata.normalize("NFC", " ".join(text.split())))
    if len(plain) <= LONGEST:
        return plain.strip(" .")
    cut = plain[:LONGEST]
    return (cut.rpartition(" ")[0] or cut).strip(" .,")
