"""Inputs that a node awaits itself: a wire, a value, or a closed piece of graph, typed on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine import ports
from engine.node import InputPort
from engine.plan import Body, Branch, Const, From, Handed, Source
from engine.ports import Piece, PortType, Scalar
from engine.scope import Feed, Flat, Lost, PieceOf, Typed, Wire
from engine.variables import bind, type_of, widens
from engine.wires import Bound, substitute

if TYPE_CHECKING:
    from engine.compile import Compile, Seen


def lazy(work: Compile, flat: Flat, port: InputPort, bound: Bound, sources: dict[str, Source]) -> None:
    """Settle one input whose value the node may ask for."""
    kind = port.type
    assert isinstance(kind, Piece)
    feed = work.through(flat.feeds.get(port.name))
    if isinstance(feed, PieceOf):
        body(work, flat, port, feed, bound, sources)
    elif feed is None:
        work.missing(flat, port)
    elif kind.takes and not isinstance(feed, Lost):
        remedy = "Give a group, as #name."
        work.problem(flat, "wrong_type", port.name, got="a wire", want=ports.words(kind), remedy=remedy)
    elif isinstance(feed, Typed):
        if isinstance(feed.value, list) and isinstance(kind.gives, ports.Var):
            if bind(type_of(feed.value), kind.gives, bound):
                sources[port.name] = Const(feed.value)
            else:
                work.bad_value(flat, port, feed)
        else:
            work.typed(flat, InputPort(port.name, kind.gives), feed, bound, sources)
    else:
        branch(work, flat, port, feed, bound, sources)


def branch(
    work: Compile, flat: Flat, port: InputPort, feed: Feed, bound: Bound, sources: dict[str, Source]
) -> None:
    """A wire that is followed only when the node awaits it."""
    assert isinstance(port.type, Piece)
    seen = work.look(feed, flat, port)
    if seen is None or seen[1] is None or isinstance(seen[0], Const):
        if isinstance(feed, Wire) and feed.step in work.gone:
            work.gone[flat.id] = f"it needs {feed.step}"
        return
    source, given = seen[0], seen[1]
    if bind(given, port.type.gives, bound):
        sources[port.name] = Branch(replace(source, widen=widens(given, port.type.gives, bound)))
    else:
        want = ports.words(substitute(port.type.gives, bound))
        remedy = "Connect an output of that type, or put a node between that makes one."
        work.problem(flat, "wrong_type", port.name, got=ports.words(given), want=want, remedy=remedy)


def body(
    work: Compile, flat: Flat, port: InputPort, feed: PieceOf, bound: Bound, sources: dict[str, Source]
) -> None:
    """A group, compiled for the values that the node hands in and those it captures."""
    kind, takes = port.type, len(feed.scope.takes)
    assert isinstance(kind, Piece)
    if takes > len(kind.takes):
        want = f"a group with at most {len(kind.takes)} input{'s' if len(kind.takes) != 1 else ''}"
        work.problem(flat, "wrong_type", port.name, got=f"{takes} inputs", want=want)
        return
    captured = captures(work, flat, port, feed)
    if captured is None:
        return
    while True:
        handed = [open_as_json(substitute(t, bound)) for t in kind.takes[:takes]]
        inner = compiled(work, feed, [*handed, *(kind for _, kind in captured)])
        gives = next(iter(inner.plan.types.values()), None)
        fits = gives is not None and bind(gives, kind.gives, bound)
        if not fits or handed == [open_as_json(substitute(t, bound)) for t in kind.takes[:takes]]:
            break  # else a turn gives a wider type than it was handed: type the next turn for that
    work.found += [(flat.id, p) for p in inner.blocking]
    work.packs |= inner.packs
    if fits and gives is not None:
        done = Body(inner.plan, tuple(source for source, _ in captured))
        sources[port.name] = widen(work, done, kind.gives, bound)
    elif gives is not None:
        want = ports.words(substitute(kind.gives, bound))
        work.problem(flat, "wrong_type", port.name, got=f"a group giving {ports.words(gives)}", want=want)


def captures(
    work: Compile, flat: Flat, port: InputPort, feed: PieceOf
) -> list[tuple[From | Handed | Const, PortType]] | None:
    """What the group needs from around it; None where one of these has no value or a problem."""
    found: list[Seen] = []
    for wire in feed.scope.captured:
        outside = work.through(work.outside(wire))
        if isinstance(outside, Typed):
            found.append((Const(outside.value), type_of(outside.value)))
            continue
        seen = work.look(outside, flat, port) if outside is not None else None
        if seen is None and isinstance(outside, Wire) and outside.step in work.gone:
            work.gone[flat.id] = f"it needs {outside.step}"
        found.append(seen or (Const(None), None))
    known = [(source, kind) for source, kind in found if kind is not None]
    return known if len(known) == len(found) else None


def compiled(work: Compile, feed: PieceOf, given: list[PortType]) -> Compile:
    """The group typed for these values, once for all who hand it the same types."""
    place = (id(feed.scope), tuple(given))
    inner = work.compiled.get(place)
    if inner is None:
        inner = work.compiled[place] = work.inner(feed.scope, given)
    return inner


def open_as_json(kind: PortType) -> PortType:
    """A variable that nothing binds may stand for anything: JSON."""
    return Scalar("json") if isinstance(kind, ports.Var) else kind


def widen(work: Compile, source: Body, target: PortType, bound: Bound) -> Body:
    """The same piece of graph, giving floats where its whole numbers must become such."""
    plan = source.plan
    [(name, plain), *others] = plan.outputs.items()
    if not widens(plan.types[name], target, bound) or isinstance(plain, Const):
        return source
    outputs: dict[str, From | Handed | Const] = {name: replace(plain, widen=True), **dict(others)}
    return Body(replace(plan, outputs=outputs), source.captured)
