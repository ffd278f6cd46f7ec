"""What type variables come to stand for, and what whole numbers become where numbers are wanted."""

from __future__ import annotations

from typing import Any

from engine.ports import Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var
from engine.wires import Bound, same, substitute


def bind(source: PortType, target: PortType, bound: Bound) -> bool:
    """Whether a piece of graph may give `source`; unlike on a wire, a variable may stand for a list here."""
    if isinstance(target, Var) and isinstance(source, ListOf):
        known = bound.setdefault(target.name, source)
        return known == source
    return same(source, target, bound)


def has_var(t: PortType) -> bool:
    """Whether the type depends on what a variable stands for."""
    match t:
        case Var():
            return True
        case ListOf(item=item):
            return has_var(item)
        case Either(options=options):
            return any(has_var(o) for o in options)
        case Piece(takes=takes, gives=gives):
            return has_var(gives) or any(has_var(x) for x in takes)
        case _:
            return False


def unbound(t: PortType, bound: Bound) -> list[str]:
    """The variables of a type that nothing has bound yet."""
    match t:
        case Var(name=name):
            return [] if name in bound else [name]
        case ListOf(item=item):
            return unbound(item, bound)
        case Either(options=options):
            return [name for o in options for name in unbound(o, bound)]
        case _:
            return []


def type_of(value: object) -> PortType:
    """The port type of a typed-in value."""
    for python, name in ((bool, "bool"), (int, "int"), (float, "float"), (str, "str")):
        if type(value) is python:
            return Scalar(name)  # type: ignore[arg-type]  # one of the four names
    if value is None:
        return Nothing()
    if isinstance(value, list) and value and not any(isinstance(v, (list, dict)) for v in value):
        kinds = {type_of(v) for v in value}
        if kinds <= {Scalar("int"), Scalar("float")}:
            return ListOf(Scalar("int") if kinds == {Scalar("int")} else Scalar("float"))
        return ListOf(kinds.pop() if len(kinds) == 1 else Scalar("json"))
    return Scalar("json")


def widens(source: PortType, target: PortType, bound: Bound) -> bool:
    """Whether whole numbers on this wire must become floats."""
    target = substitute(target, bound)
    plain = source.item if isinstance(source, ListOf) else source
    wanted = target.item if isinstance(target, ListOf) else target
    if isinstance(wanted, Either):
        return not same_plain(plain, wanted) and any(
            isinstance(o, Scalar) and o.name == "float" for o in wanted.options
        )
    return isinstance(wanted, Scalar) and wanted.name == "float" and not same_plain(plain, wanted)


def same_plain(plain: PortType, wanted: PortType) -> bool:
    """Whether a whole number keeps its kind there, or none can come along this wire."""
    if isinstance(wanted, Either):
        return any(isinstance(o, Scalar) and o.name in ("int", "json") for o in wanted.options)
    if isinstance(plain, Either):
        return all(same_plain(o, wanted) for o in plain.options)
    if isinstance(plain, Menu):
        return not any(type(o) is int for o in plain.options)
    return not (isinstance(plain, Scalar) and plain.name == "int")


def widened(value: Any) -> Any:
    """A whole number as a float, also in a list; anything else as it is."""
    if type(value) is int:
        return float(value)
    return [float(v) if type(v) is int else v for v in value] if isinstance(value, list) else value
