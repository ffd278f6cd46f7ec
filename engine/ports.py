"""Port types described as data, so that specs can cross processes and be planned without importing code."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta, Struct

ScalarName = Literal["int", "float", "str", "bool", "json"]
if TYPE_CHECKING:
    JsonValue = Union[None, bool, int, float, str, list["JsonValue"], dict[str, "JsonValue"]]  # noqa: UP007
else:
    JsonValue = Any  # msgspec cannot decode a recursive alias, and any decoded JSON is of this type anyway

PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "json": Any}
LIMITS = ("ge", "gt", "le", "lt", "multiple_of", "pattern", "min_length", "max_length")


class Scalar(Struct, frozen=True, tag="scalar", omit_defaults=True):
    """A number, text, truth value or any JSON, with its limits."""

    name: ScalarName
    ge: float | int | None = None
    gt: float | int | None = None
    le: float | int | None = None
    lt: float | int | None = None
    multiple_of: float | int | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None


class Menu(Struct, frozen=True, tag="menu"):
    """One of a few values, in the order the node's author wrote them."""

    options: tuple[str | int | float | bool, ...]


class Class(Struct, frozen=True, tag="class"):
    """A value with a class of its own, known by its ancestry: itself first, then its bases."""

    ancestry: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.ancestry[0]


class Nothing(Struct, frozen=True, tag="none"):
    """The absence of a value; with a class it makes an optional input."""


class Var(Struct, frozen=True, tag="var", omit_defaults=True):
    """Any type (or any that `of` holds), but the same one wherever the name stands in this node."""

    name: str
    of: PortType | None = None


class ListOf(Struct, frozen=True, tag="list"):
    """Several values of one type."""

    item: PortType


class Either(Struct, frozen=True, tag="union"):
    """A value of any of these types."""

    options: tuple[PortType, ...]


class Piece(Struct, frozen=True, tag="piece"):
    """A piece of graph that the node may await, with the values it must be given."""

    takes: tuple[PortType, ...]
    gives: PortType


PortType = Union[Scalar, Menu, Class, Nothing, Var, ListOf, Either, Piece]  # noqa: UP007

ARTIFACT = "Artifact"
"""The class whose values can be typed in as an artifact id."""
SECRET = "Secret"
"""The class whose values can be typed in as the name of a secret."""
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
NAMED = frozenset((ARTIFACT, SECRET))
"""Classes whose values are typed in by a name or an id."""


def optional(t: PortType) -> bool:
    """Whether None is among the values of this type."""
    return isinstance(t, Nothing) or (isinstance(t, Either) and any(optional(o) for o in t.options))


def typeable(t: PortType) -> bool:
    """Whether a person can type such a value into a form."""
    match t:
        case Scalar() | Menu() | Nothing():
            return True
        case Class(ancestry=ancestry):
            return not NAMED.isdisjoint(ancestry)
        case ListOf(item=item):
            return typeable(item)
        case Either(options=options):
            return any(typeable(o) for o in options if not isinstance(o, Nothing))
        case _:
            return False


def words(t: PortType) -> str:
    """The type as a person would say it: "int 1 to 150", "list of Image"."""
    match t:
        case Scalar():
            return (NAMES[t.name] + " " + limits(t)).strip()
        case Menu(options=options):
            return "one of " + ", ".join(str(o) for o in options)
        case Class():
            return t.name
        case Nothing():
            return "nothing"
        case Var(name=name, of=of):
            return f"{words(of) if of else 'any'} ({name})"
        case ListOf(item=item):
            return f"list of {words(item)}"
        case Either(options=options):
            return " or ".join(words(o) for o in options)
        case Piece(takes=takes, gives=gives):
            return f"piece of graph ({', '.join(map(words, takes))}) giving {words(gives)}"


NAMES = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false", "json": "JSON"}


def limits(t: Scalar) -> str:
    parts = [span(t)]
    if t.multiple_of is not None:
        parts.append(f"in steps of {t.multiple_of}")
    if t.pattern:
        parts.append(f"matching {t.pattern}")
    if t.min_length:
        parts.append(f"at least {t.min_length} long")
    if t.max_length is not None:
        parts.append(f"at most {t.max_length} long")
    return " ".join(part for part in parts if part)


def span(t: Scalar) -> str:
    """From where to where a number may go."""
    if t.ge is not None and t.le is not None:
        return f"{t.ge} to {t.le}"
    low = f"from {t.ge}" if t.ge is not None else f"more than {t.gt}" if t.gt is not None else ""
    high = f"up to {t.le}" if t.le is not None else f"less than {t.lt}" if t.lt is not None else ""
    return ", ".join(end for end in (low, high) if end)


@lru_cache(maxsize=4096)
def python(t: PortType) -> Any:
    """The Python type that msgspec checks typed-in values against."""
    match t:
        case Scalar():
            bounds = {k: getattr(t, k) for k in LIMITS if getattr(t, k) is not None}
            plain = PLAIN[t.name]
            return Annotated[plain, Meta(**bounds)] if bounds else plain
        case Nothing():
            return None
        case Class(ancestry=ancestry) if ARTIFACT in ancestry:
            return str
        case Class(ancestry=ancestry) if SECRET in ancestry:
            return Annotated[str, Meta(pattern=f"^{SECRET_NAME.pattern}$")]
        case _:
            raise msgspec.ValidationError(f"Expected {words(t)}, which cannot be typed in")


def convert(value: object, t: PortType) -> object:
    """Check a typed-in value and give it its exact Python type (1 becomes 1.0 for a float).

    Raises msgspec.ValidationError when the value is not of the type or outside its limits.
    """
    match t:
        case Either(options=options):
            return convert_either(value, options)
        case ListOf(item=item):
            if not isinstance(value, (list, tuple)):
                raise msgspec.ValidationError(f"Expected {words(t)}")
            return [convert_item(v, item, i) for i, v in enumerate(value)]
        case Menu(options=options):  # by kind as well: Literal[1] is not True
            if not any(type(o) is type(value) and o == value for o in options):
                raise msgspec.ValidationError(f"Expected {words(t)}")
            return value
        case _:
            return finite(msgspec.convert(value, python(t)))


def convert_either(value: object, options: tuple[PortType, ...]) -> object:
    """By the first option that takes it; one with limits of its own can refuse where the next does not."""
    for option in options:
        try:
            return convert(value, option)
        except msgspec.ValidationError:
            continue
    raise msgspec.ValidationError(f"Expected {' or '.join(map(words, options))}")


def convert_item(value: object, t: PortType, index: int) -> object:
    try:
        return convert(value, t)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at item {index}") from None


def finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError("Expected a finite number")
    return value


def schema(t: PortType) -> dict[str, Any]:
    """JSON schema of a type; what cannot be typed in is marked with `x-port`."""
    match t:
        case Scalar(name="json"):
            return {}
        case Scalar():
            kind = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}[t.name]
            return {
                "type": kind,
                **{JSON_LIMITS[k]: getattr(t, k) for k in LIMITS if getattr(t, k) is not None},
            }
        case Menu(options=options):
            return {"enum": list(options)}
        case Class(ancestry=ancestry) if ARTIFACT in ancestry:
            return {
                "type": "string",
                "x-port": t.name,
                "description": "An artifact id, from an upload or a run.",
            }
        case Class(ancestry=ancestry) if SECRET in ancestry:
            return {
                "type": "string",
                "pattern": f"^{SECRET_NAME.pattern}$",
                "x-port": t.name,
                "x-widget": "secret",
                "description": "The name of a secret, never its value.",
            }
        case Class():
            return {"x-port": t.name}
        case Nothing():
            return {"type": "null"}
        case ListOf(item=item):
            return {"type": "array", "items": schema(item)}
        case Either(options=options):
            return {"anyOf": [schema(o) for o in options]}
        case Var(name=name):
            return {"x-port": name, "x-any": True}
        case Piece():
            return {"x-port": words(t), "x-piece": True}


JSON_LIMITS = {
    "ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf", "pattern": "pattern", "min_length": "minLength", "max_length": "maxLength",
}  # fmt: skip
