"""A call of a node's function: what goes in, what may come out, and what its error says."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.cache import Cached
from engine.codecs import freeze
from engine.context import Context
from engine.digest import digest
from engine.errors import NodeFailed, Problem, TesseraError, shown
from engine.node import Declared
from engine.plan import Shape
from engine.ports import Class, Either, ListOf, Menu, Nothing, PortType, Scalar, words
from engine.types import Value


class Call(Struct):
    """A node with concrete inputs."""

    shape: Shape
    declared: Declared
    path: str
    values: list[Any]
    digests: list[bytes]
    key: bytes | None = None
    """None for what is never cached."""
    place: str = ""
    """Of an effect: its step and turn, the same when a resumed job runs it again."""


def arguments(call: Call, context: Context) -> dict[str, Any]:
    """What the function is called with: its inputs by name, and the context if it asks for one."""
    given = dict(zip(call.shape.names, call.values, strict=True))
    for name, value in given.items():
        if type(value) is list or type(value) is dict:
            given[name] = own(value)
    if call.declared.context:
        given[call.declared.context] = context
    return given


def settle(call: Call, value: Any, classes: Mapping[str, type[Value]]) -> Cached:
    """What the function returned, checked against its types, read-only, with digests."""
    shape = call.shape
    fields = (value,) if shape.single else () if value is None else tuple(value)
    ports = shape.spec.outputs
    if len(fields) != len(ports):
        raise NodeFailed(f"{shape.spec.id} returned {len(fields)} values for {len(ports)} outputs.")
    settled = []
    for port, field in zip(ports, fields, strict=True):
        if type(field) is float and type(port.type) is Scalar and port.type.name == "float":
            settled.append(field)
            continue
        fits, field = conform(field, port.type, classes)
        if not fits:
            got = f"{shape.spec.id} returned {shown(field)} for {port.name}"
            remedy = "This is an error in the node; tell its author."
            raise NodeFailed(f"{got}, which is declared as {words(port.type)}.", remedy=remedy)
        settled.append(freeze(field))
    return Cached(tuple(settled), tuple([digest(v) for v in settled]))


def perform(call: Call, arguments: dict[str, Any]) -> Any:
    """Call the function; what would end more than the call becomes an ordinary failure of it."""
    try:
        return call.declared.run(**arguments)
    except UNRULY as error:
        raise unruly(call, error) from error


async def perform_async(call: Call, arguments: dict[str, Any]) -> Any:
    """The same for a function that is awaited."""
    try:
        return await call.declared.run(**arguments)
    except UNRULY as error:
        raise unruly(call, error) from error


def unruly(call: Call, error: BaseException) -> NodeFailed:
    return NodeFailed(f"{call.shape.spec.id} raised {type(error).__name__} {error}".rstrip() + ".")


UNRULY = (SystemExit, KeyboardInterrupt, StopIteration)
"""Errors that end a process, or that a future cannot hold."""


def own(value: Any) -> Any:
    """A list or object of the node's own, so that it cannot change what the cache holds."""
    if type(value) is list:
        return [own(item) for item in value]
    if type(value) is dict:
        return {key: own(item) for key, item in value.items()}
    return value


def conform(value: Any, kind: PortType, classes: Mapping[str, type[Value]]) -> tuple[bool, Any]:
    """Whether a returned value is of the declared type, and the value in exactly that type."""
    match kind:
        case Scalar(name="float"):
            if type(value) is int:
                return True, float(value)
            return isinstance(value, float), float(value) if isinstance(value, float) else value
        case Scalar(name="int"):
            return type(value) is int and -(2**63) <= value < 2**63, value
        case Scalar(name="str"):
            return isinstance(value, str), value
        case Scalar(name="bool"):
            return type(value) is bool, value
        case Menu(options=options):
            return any(type(o) is type(value) and o == value for o in options), value
        case Class():
            known = classes.get(kind.name)
            return known is not None and isinstance(value, known), value
        case Nothing():
            return value is None, value
        case ListOf(item=item):
            if not isinstance(value, (list, tuple)):
                return False, value
            pairs = [conform(v, item, classes) for v in value]
            return all(fits for fits, _ in pairs), [v for _, v in pairs]
        case Either(options=options):
            exact = sorted(
                options, key=lambda o: o == Scalar("float")
            )  # an int stays one where ints are allowed
            found = (c for option in exact if (c := conform(value, option, classes))[0])
            return next(found, (False, value))
        case _:
            return True, value


def explain(error: BaseException, path: str) -> Problem:
    """An error of a node as a problem with its step: where in its code, never where on this machine."""
    if isinstance(error, TesseraError):
        first = error.problems[0]
        return Problem(first.code, path, first.input, first.got, first.want, first.remedy or error.remedy)
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if "/engine/" not in f.filename.replace("\\", "/")
    ]
    where = f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""
    text = without_paths(f"{type(error).__name__}: {shown(str(error), 300)}")
    return Problem("node_failed", path, got=text + where, remedy="Look at the values that reach this step.")


def without_paths(text: str) -> str:
    """The text with folders of this machine left out of it."""
    words = text.split(" ")
    return " ".join(w.rpartition("/")[2] if w.count("/") > 1 and "://" not in w else w for w in words)
