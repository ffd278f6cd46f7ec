"""A port type, read from an annotation."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from engine import ports
from engine.errors import BadDeclaration
from engine.ports import Class, Either, JsonValue, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var
from engine.types import JsonMark, Value


def describe(hint: Any, classes: dict[str, type[Value]], place: str) -> PortType:
    """A port type as data, from an annotation. Classes met on the way are noted in `classes`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return describe_annotated(args, classes, place)
    if origin is Literal:
        return describe_menu(args, place)
    if origin in (Union, types.UnionType):
        return either([describe(a, classes, place) for a in args], place)
    if origin is list:
        return describe_list(args[0], classes, place)
    if origin is collections.abc.Callable:
        return describe_piece(args, classes, place)
    if hint in (None, type(None)):
        return Nothing()
    if isinstance(hint, TypeVar):
        return describe_variable(hint, classes, place)
    if isinstance(hint, type):
        if hint in (bool, int, float, str):
            return Scalar(typing.cast(ports.ScalarName, hint.__name__))
        if issubclass(hint, Value):
            ancestry = tuple(type_name(c) for c in hint.__mro__ if issubclass(c, Value))
            classes[ancestry[0]] = hint
            return Class(ancestry)
    raise BadDeclaration(
        f"{place}: {hint!r} is no port type.",
        remedy="Use int, float, str, bool, Literal, Json, list[T], a Value subclass, or a union of these.",
    )


def describe_menu(options: tuple[Any, ...], place: str) -> PortType:
    plain = tuple(o for o in options if o is not None)
    if any(type(o) not in (str, int, bool) for o in plain):
        raise BadDeclaration(
            f"{place}: a menu of {options}.", remedy="Use words, whole numbers or truth values."
        )
    menu = Menu(plain)
    return menu if plain == options else Either((menu, Nothing()))


def describe_list(hint: Any, classes: dict[str, type[Value]], place: str) -> PortType:
    item = describe(hint, classes, place)
    if any(isinstance(o, ListOf) for o in (item.options if isinstance(item, Either) else (item,))):
        raise BadDeclaration(f"{place}: a list of lists.", remedy="There is one plural, list[T]; flatten it.")
    if isinstance(item, Piece):
        raise BadDeclaration(f"{place}: a list of pieces of graph.", remedy="Take one piece of graph.")
    return ListOf(item)


def describe_variable(hint: TypeVar, classes: dict[str, type[Value]], place: str) -> PortType:
    """A type variable with what its bound or its constraints let it stand for."""
    allowed = [hint.__bound__] if hint.__bound__ is not None else list(hint.__constraints__)
    return Var(
        hint.__name__, either([describe(a, classes, place) for a in allowed], place) if allowed else None
    )


def describe_annotated(args: tuple[Any, ...], classes: dict[str, type[Value]], place: str) -> PortType:
    if any(isinstance(extra, JsonMark) for extra in args[1:]):
        return Scalar("json")
    base = describe(args[0], classes, place)
    limits: dict[str, Any] = {}
    for extra in args[1:]:
        if isinstance(extra, Meta):
            limits |= {k: getattr(extra, k) for k in ports.LIMITS if getattr(extra, k) is not None}
    if not limits:
        return base
    if not isinstance(base, Scalar):
        raise BadDeclaration(
            f"{place}: limits on {ports.words(base)}.", remedy="Put them on a number or text."
        )
    limited = msgspec.structs.replace(base, **limits)
    try:
        msgspec.inspect.type_info(ports.python(limited))
    except (TypeError, ValueError) as error:
        remedy = "Whole limits within 64 bits for int; lengths and patterns for str only."
        raise BadDeclaration(f"{place}: limits that cannot be: {error}.", remedy=remedy) from None
    return limited


def describe_piece(args: tuple[Any, ...], classes: dict[str, type[Value]], place: str) -> PortType:
    if len(args) != 2 or args[0] is Ellipsis or get_origin(args[1]) is not collections.abc.Awaitable:
        what = f"{place}: a callable that is no piece of graph."
        raise BadDeclaration(what, remedy="Use Callable[[A], Awaitable[B]].")
    takes = tuple(describe(a, classes, place) for a in args[0])
    return Piece(takes, describe(get_args(args[1])[0], classes, place))


def either(options: list[PortType], place: str) -> PortType:
    if any(isinstance(o, Piece) for o in options) and len(options) > 1:
        what = f"{place}: a piece of graph or something else."
        raise BadDeclaration(what, remedy="Take just the piece; a plain value may be wired to it too.")
    flat: list[PortType] = []
    for option in options:
        for one in option.options if isinstance(option, Either) else (option,):
            if one not in flat:
                flat.append(one)
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def type_name(cls: type) -> str:
    """A class's name as a port type; a pack's classes carry the pack's name, so two packs cannot clash."""
    parts = cls.__module__.split(".")
    return f"{parts[1]}/{cls.__name__}" if parts[0] == "custom_nodes" and len(parts) > 1 else cls.__name__


def meta_of(hint: Any) -> tuple[str, dict[str, JsonValue]]:
    """Help text and editor hints of an annotation (also inside `… | None`)."""
    if get_origin(hint) in (Union, types.UnionType):
        found = [meta_of(a) for a in get_args(hint)]
        return next((f for f in found if f[0] or f[1]), ("", {}))
    text = ""
    hints: dict[str, JsonValue] = {}
    for extra in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(extra, Meta):
            text = extra.description or text
            hints = {**hints, **(extra.extra_json_schema or {})}
    return text, hints
