"""A node is a function. `@node` reads its signature once, describes it as data, and leaves it as it was."""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from engine import ports
from engine.context import Answer, Context
from engine.errors import BadDeclaration
from engine.ports import Class, Either, JsonValue, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var
from engine.types import JsonMark, Value

Fn = TypeVar("Fn", bound=Callable[..., Any])
Kind = Literal["pure", "source", "effect"]
Lane = Literal["inline", "cpu", "gpu", "io"]

KINDS: tuple[str, ...] = get_args(Kind)
LANES: tuple[str, ...] = get_args(Lane)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
RESERVED = ("group", "flow")


class InputPort(Struct, frozen=True, omit_defaults=True):
    """One input: its type, what is used when it is left out, and how an editor shows it."""

    name: str
    type: PortType
    default: JsonValue | UnsetType = UNSET
    help: str = ""
    ui: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        return self.default is UNSET


class OutputPort(Struct, frozen=True, omit_defaults=True):
    """One output."""

    name: str
    type: PortType
    help: str = ""


class Upgrade(Struct, frozen=True, omit_defaults=True):
    """How a step saved for version `to` - 1 becomes one for version `to`, as data."""

    to: int
    rename: dict[str, str] = field(default_factory=dict)
    """Inputs: old name to new name."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Outputs: old name to new name."""
    default: dict[str, JsonValue] = field(default_factory=dict)
    """Values that keep the old behaviour where a step does not say."""
    drop: tuple[str, ...] = ()
    """Inputs that are gone."""


class NodeSpec(Struct, frozen=True, omit_defaults=True):
    """Everything the planner and the editor know about a node. Data only."""

    id: str
    version: int
    title: str
    help: str
    category: str
    kind: Kind
    lane: Lane
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    upgrades: tuple[Upgrade, ...] = ()
    converts: bool = False
    """The planner may insert it to make a wire fit."""
    fingerprinted: bool = False
    """A source whose reading of the world has a key."""
    asks: bool = False
    """It waits for a person."""

    @property
    def steers(self) -> bool:
        """Whether it awaits pieces of graph itself (branches, loops)."""
        return any(isinstance(p.type, Piece) for p in self.inputs)


class Declared(Struct, frozen=True):
    """A node and the function behind it."""

    spec: NodeSpec
    run: Callable[..., Any]
    context: str = ""
    """The parameter that takes the Context, if any."""
    answer: str = ""
    """The parameter that takes the Answer, if any."""
    fingerprint: Callable[..., str] | None = None
    classes: dict[str, type[Value]] = field(default_factory=dict)
    """Value classes on its ports, by port type name: what a codec may build."""


def node(
    *,
    category: str,
    version: int = 1,
    kind: Kind = "pure",
    lane: Lane | None = None,
    id: str = "",
    title: str = "",
    fingerprint: Callable[..., str] | None = None,
    upgrades: tuple[Upgrade, ...] = (),
) -> Callable[[Fn], Fn]:
    """Make a function a node. The signature is the only declaration; the function itself is unchanged.

    `kind`: pure (cached by content), source (reads the world: `fingerprint(**inputs)` keys it, or it reruns),
    effect (changes the world: never cached across jobs). `lane`: inline for trivial work on the loop, cpu, gpu,
    io; left out it is io for `async def` and cpu otherwise. Raises BadDeclaration at import.
    """

    def declare(fn: Fn) -> Fn:
        declared = read(
            fn,
            category=category,
            version=version,
            kind=kind,
            lane=lane,
            id=id,
            title=title,
            fingerprint=fingerprint,
            upgrades=upgrades,
        )
        fn.__dict__["__node__"] = declared
        return fn

    return declare


def conversion(fn: Fn) -> Fn:
    """Make a lossless function of one required input a node that the planner may insert on a wire."""
    declared = read(fn, category="conversions", lane="inline")
    spec = declared.spec
    if len(spec.outputs) != 1 or sum(p.required for p in spec.inputs) != 1 or len(spec.inputs) != 1:
        raise wrong(fn, "a conversion has one input and one output", "Make it an ordinary node.")
    fn.__dict__["__node__"] = msgspec.structs.replace(
        declared, spec=msgspec.structs.replace(spec, converts=True)
    )
    return fn


def declared(fn: Callable[..., Any]) -> Declared:
    """The declaration that `@node` attached to a function."""
    found = getattr(fn, "__node__", None)
    if not isinstance(found, Declared):
        raise BadDeclaration(f"{getattr(fn, '__name__', fn)} is not a node.", remedy="Decorate it with @node.")
    return found


def read(
    fn: Callable[..., Any],
    *,
    category: str,
    version: int = 1,
    kind: Kind = "pure",
    lane: Lane | None = None,
    id: str = "",
    title: str = "",
    fingerprint: Callable[..., str] | None = None,
    upgrades: tuple[Upgrade, ...] = (),
) -> Declared:
    """Describe a function as a node, or say what is wrong with its declaration."""
    name = id or fn.__name__
    if not NAME.fullmatch(name):
        raise wrong(fn, f"{name!r} is no node name", "Use letters, digits, _ and -, at most 64.")
    if kind not in KINDS or (lane is not None and lane not in LANES):
        raise wrong(fn, f"kind {kind!r}, lane {lane!r}", f"kind is one of {KINDS}, lane one of {LANES}.")
    if type(version) is not int or version < 1:
        raise wrong(fn, f"version {version!r}", "A version is a whole number from 1.")
    if not category:
        raise wrong(fn, "it has no category", 'Write @node(category="…").')
    if fingerprint is not None and kind != "source":
        raise wrong(fn, f"a fingerprint on a {kind} node", "Only kind=\"source\" reads the world.")
    hints = hints_of(fn)
    help_text = inspect.getdoc(fn) or ""
    if not help_text:
        raise wrong(fn, "it has no docstring", "Write one: its first line is the tooltip, the rest the help.")
    classes: dict[str, type[Value]] = {}
    inputs, context, answer = read_inputs(fn, hints, classes)
    outputs = read_outputs(fn, hints, classes)
    check_variables(fn, inputs, outputs)
    is_async = inspect.iscoroutinefunction(fn)
    spec = NodeSpec(
        id=name,
        version=version,
        title=title or name.replace("_", " ").capitalize(),
        help=help_text,
        category=category,
        kind=kind,
        lane=lane or ("io" if is_async else "cpu"),
        inputs=tuple(inputs),
        outputs=outputs,
        upgrades=read_upgrades(fn, upgrades, version),
        fingerprinted=fingerprint is not None,
        asks=bool(answer),
    )
    if (spec.steers or answer) and not is_async:
        raise wrong(fn, "it awaits a piece of graph but is not async", "Write `async def`.")
    return Declared(spec, fn, context, answer, fingerprint, classes)


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except NameError as error:
        raise wrong(fn, f"an annotation is unknown here: {error}", "Import it at the top of the module.") from None


def read_inputs(
    fn: Callable[..., Any], hints: dict[str, Any], classes: dict[str, type[Value]]
) -> tuple[list[InputPort], str, str]:
    inputs: list[InputPort] = []
    context = answer = ""
    for p in inspect.signature(fn).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY):
            raise wrong(fn, f"{p.name!r} is not a named input", "Give every input a name; use list[T] for many.")
        if p.name not in hints:
            raise wrong(fn, f"input {p.name!r} has no type", f"Write `{p.name}: int` or the like.")
        if hints[p.name] is Context:
            context = p.name
        elif hints[p.name] == Answer:
            answer = p.name
        else:
            inputs.append(read_input(fn, p, hints[p.name], classes))
            continue
        if p.default is p.empty:
            raise wrong(fn, f"{p.name!r} has no default", "Write `= SILENT` or `= nobody`: the function stays callable.")
    return inputs, context, answer


def read_input(
    fn: Callable[..., Any], p: inspect.Parameter, hint: Any, classes: dict[str, type[Value]]
) -> InputPort:
    if not NAME.fullmatch(p.name):
        raise wrong(fn, f"{p.name!r} is no input name", "Use ASCII letters, digits and _.")
    kind = describe(hint, classes, f"{fn.__module__}.{fn.__qualname__}, input {p.name!r}")
    if p.default is p.empty:
        if ports.optional(kind):
            raise wrong(fn, f"optional input {p.name!r} has no default", f"Write `{p.name}: … | None = None`.")
        default: Any = UNSET
    else:
        default = p.default
        if default is None and not ports.optional(kind) and kind != Scalar("json"):
            raise wrong(fn, f"the default of {p.name!r} is None", f"Write `{p.name}: … | None = None`.")
        if default is not None:
            if not ports.typeable(kind):
                raise wrong(fn, f"the default of {p.name!r} is no plain value", "Use None, or leave it out.")
            try:
                default = ports.convert(list(default) if isinstance(default, tuple) else default, kind)
            except msgspec.ValidationError as error:
                raise wrong(fn, f"the default of {p.name!r} does not fit: {error}", f"Want {ports.words(kind)}.") from None
    text, hints = meta_of(hint)
    return InputPort(p.name, kind, default, text, hints)


def read_outputs(
    fn: Callable[..., Any], hints: dict[str, Any], classes: dict[str, type[Value]]
) -> tuple[OutputPort, ...]:
    """One port called `out`, or one for each field of a NamedTuple; none for None."""
    if "return" not in hints:
        raise wrong(fn, "it has no return type", "Write `-> Image` or the like; `-> None` for no output.")
    result = hints["return"]
    place = f"{fn.__module__}.{fn.__qualname__}, output"
    if result is type(None):
        return ()
    if isinstance(result, type) and issubclass(result, tuple) and hasattr(result, "_fields"):
        fields = typing.get_type_hints(result, include_extras=True)
        return tuple(
            OutputPort(name, describe(fields[name], classes, f"{place} {name!r}"), meta_of(fields[name])[0])
            for name in result._fields
        )
    return (OutputPort("out", describe(result, classes, place), meta_of(result)[0]),)


def read_upgrades(fn: Callable[..., Any], upgrades: tuple[Upgrade, ...], version: int) -> tuple[Upgrade, ...]:
    ordered = tuple(sorted(upgrades, key=lambda u: u.to))
    if any(not 2 <= u.to <= version for u in ordered) or len({u.to for u in ordered}) != len(ordered):
        raise wrong(fn, "upgrades that lead nowhere", f"Each `to` is one of 2 to {version}, once.")
    return ordered


def check_variables(fn: Callable[..., Any], inputs: list[InputPort], outputs: tuple[OutputPort, ...]) -> None:
    known = {name for p in inputs for name in variables(p.type)}
    for port in outputs:
        for name in variables(port.type) - known:
            raise wrong(fn, f"output {port.name!r} has type variable {name} that no input has", "Use it on an input too.")


def variables(t: PortType) -> set[str]:
    match t:
        case Var(name=name):
            return {name}
        case ListOf(item=item):
            return variables(item)
        case Either(options=options):
            return set().union(*(variables(o) for o in options))
        case Piece(takes=takes, gives=gives):
            return set().union(variables(gives), *(variables(x) for x in takes))
        case _:
            return set()


def describe(hint: Any, classes: dict[str, type[Value]], place: str) -> PortType:
    """A port type as data, from an annotation. Classes met on the way are noted in `classes`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return describe_annotated(args, classes, place)
    if origin is Literal:
        return Menu(tuple(args))
    if origin in (Union, types.UnionType):
        return either([describe(a, classes, place) for a in args])
    if origin is list:
        item = describe(args[0], classes, place)
        if isinstance(item, (ListOf, Piece)):
            raise BadDeclaration(f"{place}: a list of lists.", remedy="There is one plural, list[T]; flatten it.")
        return ListOf(item)
    if origin is collections.abc.Callable:
        return describe_piece(args, classes, place)
    if hint in (None, type(None)):
        return Nothing()
    if isinstance(hint, TypeVar):
        return Var(hint.__name__)
    if isinstance(hint, type):
        if hint in (bool, int, float, str):
            return Scalar(typing.cast(ports.ScalarName, hint.__name__))
        if issubclass(hint, Value):
            ancestry = tuple(type_name(c) for c in hint.__mro__ if issubclass(c, Value) and c is not Struct)
            classes[ancestry[0]] = hint
            return Class(ancestry)
    raise BadDeclaration(
        f"{place}: {hint!r} is no port type.",
        remedy="Use int, float, str, bool, Literal, Json, list[T], a Value subclass, or a union of these.",
    )


def describe_annotated(args: tuple[Any, ...], classes: dict[str, type[Value]], place: str) -> PortType:
    if any(isinstance(extra, JsonMark) for extra in args[1:]):
        return Scalar("json")
    base = describe(args[0], classes, place)
    for extra in args[1:]:
        if isinstance(extra, Meta) and isinstance(base, Scalar):
            bounds = {k: getattr(extra, k) for k in ports.LIMITS if getattr(extra, k) is not None}
            base = msgspec.structs.replace(base, **bounds)
    return base


def describe_piece(args: tuple[Any, ...], classes: dict[str, type[Value]], place: str) -> PortType:
    if len(args) != 2 or args[0] is Ellipsis or get_origin(args[1]) is not collections.abc.Awaitable:
        raise BadDeclaration(f"{place}: a callable that is no piece of graph.", remedy="Use Callable[[A], Awaitable[B]].")
    takes = tuple(describe(a, classes, place) for a in args[0])
    return Piece(takes, describe(get_args(args[1])[0], classes, place))


def either(options: list[PortType]) -> PortType:
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
    text, hints = "", {}
    for extra in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(extra, Meta):
            text = extra.description or text
            hints = {**hints, **(extra.extra_json_schema or {})}
    return text, hints


def wrong(fn: Callable[..., Any], what: str, remedy: str) -> BadDeclaration:
    code = getattr(fn, "__code__", None)
    line = f":{code.co_firstlineno}" if code else ""
    return BadDeclaration(f"{fn.__module__}{line}, node {fn.__name__!r}: {what}.", remedy=remedy)


def input_schema(port: InputPort) -> dict[str, Any]:
    """JSON schema of one input, for the editor's widget and for OpenAPI."""
    schema = {**ports.schema(port.type), **port.ui}
    if port.help:
        schema["description"] = port.help
    if not port.required:
        schema["default"] = port.default
    return schema
