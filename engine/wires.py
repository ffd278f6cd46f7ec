"""May this output feed that input? One function decides, for the editor and the planner alike."""

from __future__ import annotations

from typing import Literal

from engine.ports import Class, Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, ScalarName, Var

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
    if settle(source, target, bound):
        return "as is"
    if isinstance(source, ListOf) and settle(source.item, target, bound):
        return "map"
    if any(settle(source, wanted.item, bound) for wanted in lists(target)):
        return "wrap"
    return None


def lists(t: PortType) -> list[ListOf]:
    """The lists that a type takes."""
    return [o for o in (t.options if isinstance(t, Either) else (t,)) if isinstance(o, ListOf)]


def settle(source: PortType, target: PortType, bound: Bound) -> bool:
    """As `same`, but what is tried in vain binds nothing."""
    trial = dict(bound)
    if not same(source, target, trial):
        return False
    bound.update(trial)
    return True


def same(source: PortType, target: PortType, bound: Bound) -> bool:
    """Whether every value of `source` is a value of `target`."""
    if isinstance(target, Var):
        return same_var(source, target, bound)
    if isinstance(target, Either):
        return same_either(source, target, bound)
    if isinstance(source, Either):
        return all(same(option, target, bound) for option in source.options)
    match source, target:
        case Class(ancestry=ancestry), Class():
            return target.name in ancestry
        case Menu(options=given), Menu(options=wanted):  # by kind as well: 1 is not True
            return {(type(o), o) for o in given} <= {(type(o), o) for o in wanted}
        case Menu(options=given), Scalar():
            return all(same(Scalar(plain_name(o)), target, bound) for o in given)
        case Scalar(name=given_name), Scalar(name=wanted_name):
            return wanted_name in (given_name, "json") or (given_name, wanted_name) == ("int", "float")
        case ListOf(item=given_item), ListOf(item=wanted_item):
            return same(given_item, wanted_item, bound)
        case ListOf(item=item), Scalar(name="json"):
            return same(item, target, bound)
        case Nothing(), Nothing() | Scalar(name="json"):
            return True
        case Piece(), Piece():
            return source == target
        case _:
            return False


def same_either(source: PortType, target: Either, bound: Bound) -> bool:
    """Each option of the source to an option of the target; a variable takes together what is left."""
    options = source.options if isinstance(source, Either) else (source,)
    plain = [o for o in target.options if not isinstance(o, Var)]
    left = tuple(o for o in options if not any(settle(o, wanted, bound) for wanted in plain))
    rest = left[0] if len(left) == 1 else Either(left)
    return not left or any(settle(rest, o, bound) for o in target.options if isinstance(o, Var))


def same_var(source: PortType, target: Var, bound: Bound) -> bool:
    if any(isinstance(o, ListOf) for o in (source.options if isinstance(source, Either) else (source,))):
        return False  # one plural only: a list is mapped over, never bound
    if target.of is not None and not same(source, target.of, {}):
        return False
    known = bound.get(target.name)
    if known is not None and same(source, known, {}):
        return True
    if known is None or same(known, source, {}):  # an int first, a float next: the wider one holds both
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


def plain_name(value: str | int | float | bool) -> ScalarName:
    names: dict[type, ScalarName] = {bool: "bool", int: "int", float: "float", str: "str"}
    return names[type(value)]
