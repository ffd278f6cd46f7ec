"""The one way to write a document, byte for byte: also numbers, as a browser would."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from engine.errors import Invalid, Problem
from engine.types import MAX_SEED

Raw = dict[str, Any]


def canonical(raw: Raw) -> bytes:
    """The one way to write a document: key order kept, two spaces, LF, numbers as ECMAScript prints them."""
    parts: list[str] = []
    write(raw, "\n", parts.append)
    return ("".join(parts) + "\n").encode("utf-8", "surrogatepass")


def write(value: Any, indent: str, put: Callable[[str], None]) -> None:
    if isinstance(value, dict) and value:
        inner = indent + "  "
        for i, (key, item) in enumerate(value.items()):
            put(("," if i else "{") + inner + quoted(key) + ": ")
            write(item, inner, put)
        put(indent + "}")
    elif isinstance(value, list) and value:
        inner = indent + "  "
        for i, item in enumerate(value):
            put(("," if i else "[") + inner)
            write(item, inner, put)
        put(indent + "]")
    else:
        put(scalar(value))


def scalar(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return ecmascript(value)
    return json.dumps(value)


def quoted(text: str) -> str:
    plain = json.dumps(text, ensure_ascii=False)
    return SURROGATE.sub(lambda m: f"\\u{ord(m[0]):04x}", plain)


SURROGATE = re.compile("[\ud800-\udfff]")


def ecmascript(number: float) -> str:
    """A float as `Number.prototype.toString` of ECMA-262 prints it."""
    if not math.isfinite(number):
        raise Invalid([Problem("not_finite", got=str(number), want="a finite number")])
    if number == int(number) and abs(number) <= MAX_SEED:
        return str(int(number))
    digits, _, exponent = repr(number).removesuffix(".0").partition("e")
    if not exponent:
        return digits
    power = int(exponent)
    sign, mantissa = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{mantissa.replace('.', '')}"
    if 0 < power < 21:
        return sign + mantissa.replace(".", "").ljust(power + 1, "0")
    return f"{digits}e{'+' if power > 0 else '-'}{abs(power)}"
