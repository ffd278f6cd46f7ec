"""May this output feed that input? One function decides, for the editor and the planner alike."""

from __future__ import annotations

from typing import Literal

from engine.ports import Class, Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var

Fit = Literal["as is", "map", "wrap"]
Bound = dict[str, PortType]
"""What each type variable of one node stands for so far."""


def fit(source: PortType, target: PortType, bound: Bound | None = None) -> Fit | None:
    """How a wire from `source` to `target` works, or None if it does not.

    "map": the source is a list and the target wants one value: the node runs once per item.
    "wrap": the target wants a list and the source is one value: a list of one.
    Variables in `target` are bound into `bound` when the wire fits.
    """
    bound = {} if bound is None else bound
    if same(source, target, bound):
        return "as is"
    if isinstance(source, ListOf) and same(source.item, target, bound):
        return "map"
    if isinstance(target, ListOf) and same(source, target.item, bound):
        return "wrap"
    if isinstance(target, Either):
        lists = [o for o in target.options if isinstance(o, ListOf)]
        if any(same(source, o.item, bound) for o in lists):
            return "wrap"
    return None


def same(source: PortType, target: PortType, bound: Bound) -> bool:
    """Whether every value of `source` is a value of `target`."""
    if isinstance(target, Var):
        return same_var(source, target, bound)
    if isinstance(source, Either):
        return all(same(option, target, bound) for option in source.options)
    if isinstance(target, Either):
        return any(same(source, option, bound) for option in target.options)
    match source, target:
        case Class(ancestry=ancestry), Class():
            return target.name in ancestry
        case Nothing(), Nothing():
            return True
        case Menu(options=given), Menu(options=wanted):
            return set(given) <= set(wanted)
        case Menu(options=given), Scalar(name=name):
            return all(plain_name(o) == name or name == "json" for o in given)
        case Scalar(name=given_name), Scalar(name=wanted_name):
            return given_name == wanted_name or (given_name, wanted_name) == ("int", "float") or wanted_name == "json"
        case ListOf(item=given_item), ListOf(item=wanted_item):
            return same(given_item, wanted_item, bound)
        case ListOf(item=item), Scalar(name="json"):
            return same(item, target, bound)
        case Nothing(), Scalar(name="json"):
            return True
        case Piece(), Piece():
            return source == target
        case _:
            return False


def same_var(source: PortType, target: Var, bound: Bound) -> bool:
    if isinstance(source, ListOf):  # one plural only: a list is mapped over, never bound
        return False
    known = bound.get(target.name)
    if known is None:
        bound[target.name] = source
        return True
    if same(source, known, {}):
        return True
    if same(known, source, {}):  # an int first, a float next: the wider one holds both
        bound[target.name] = source
        return True
    return False


def substitute(t: PortType, bound: Bound) -> PortType:
    """The type with its variables replaced by what they are bound to."""
    match t:
        case Var(name=name):
            return bound.get(name, t)
        case ListOf(item=item):
            return ListOf(substitute(item, bound))
        case Either(options=options):
            return Either(tuple(substitute(o, bound) for o in options))
        case Piece(takes=takes, gives=gives):
            return Piece(tuple(substitute(x, bound) for x in takes), substitute(gives, bound))
        case _:
            return t


def plain_name(value: object) -> str:
    return {bool: "bool", int: "int", float: "float", str: "str"}[type(value)]
