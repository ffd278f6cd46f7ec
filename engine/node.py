"""A node is a function. `@node` reads its signature once, describes it as data, and leaves it as it was."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from engine import ports
from engine.annotations import describe, meta_of, type_name
from engine.context import Answer, Context
from engine.errors import BadDeclaration
from engine.ports import Either, JsonValue, ListOf, Piece, PortType, Scalar, Var
from engine.types import Secret, Value

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
    effect (changes the world: never cached across jobs). `lane`: inline for trivial work on the loop, cpu,
    gpu, io; left out it is io for `async def` and cpu otherwise. Raises BadDeclaration at import.
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
    if len(spec.inputs) != 1 or len(spec.outputs) != 1 or not spec.inputs[0].required:
        raise wrong(fn, "a conversion has one required input and one output", "Make it an ordinary node.")
    if any(isinstance(port.type, (ListOf, Piece)) for port in (*spec.inputs, *spec.outputs)):
        raise wrong(
            fn, "a conversion of more than one value", "Convert one; a list is gone through by itself."
        )
    fn.__dict__["__node__"] = msgspec.structs.replace(
        declared, spec=msgspec.structs.replace(spec, converts=True)
    )
    return fn


def declared(fn: Callable[..., Any]) -> Declared:
    """The declaration that `@node` attached to a function."""
    found = getattr(fn, "__node__", None)
    if not isinstance(found, Declared):
        name = getattr(fn, "__name__", fn)
        raise BadDeclaration(f"{name} is not a node.", remedy="Decorate it with @node.")
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
        raise wrong(fn, f"a fingerprint on a {kind} node", 'Write kind="source": only that reads the world.')
    hints = hints_of(fn)
    help_text = inspect.getdoc(fn) or ""
    if not help_text:
        raise wrong(fn, "it has no docstring", "Write one: its first line is the tooltip, the rest the help.")
    classes: dict[str, type[Value]] = {}
    inputs, context, answer = read_inputs(fn, hints, classes)
    outputs = read_outputs(fn, hints, classes)
    check_variables(fn, inputs, outputs)
    check_fingerprint(fn, fingerprint, inputs)
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
    if (spec.steers or answer) and type_name(Secret) in classes:
        raise wrong(fn, "it steers the graph and takes a secret", "Let a node of its own use the secret.")
    return Declared(spec, fn, context, answer, fingerprint, classes)


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        remedy = "Import it at the top of the module."
        raise wrong(fn, f"an annotation is unknown here: {error}", remedy) from None


def read_inputs(
    fn: Callable[..., Any], hints: dict[str, Any], classes: dict[str, type[Value]]
) -> tuple[list[InputPort], str, str]:
    inputs: list[InputPort] = []
    context = answer = ""
    for p in inspect.signature(fn).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY):
            raise wrong(
                fn, f"{p.name!r} is not a named input", "Give every input a name; use list[T] for many."
            )
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
            remedy = f"Write `= {'SILENT' if context == p.name else 'nobody'}`: the function stays callable."
            raise wrong(fn, f"{p.name!r} has no default", remedy)
    return inputs, context, answer


def read_input(
    fn: Callable[..., Any], p: inspect.Parameter, hint: Any, classes: dict[str, type[Value]]
) -> InputPort:
    if not NAME.fullmatch(p.name):
        raise wrong(fn, f"{p.name!r} is no input name", "Use ASCII letters, digits and _.")
    kind = describe(hint, classes, f"{place_of(fn)}, input {p.name!r}")
    if p.default is not p.empty:
        default = read_default(fn, p, kind)
    elif ports.optional(kind):
        raise wrong(fn, f"optional input {p.name!r} has no default", f"Write `{p.name}: … | None = None`.")
    else:
        default = UNSET
    text, hints = meta_of(hint)
    return InputPort(p.name, kind, default, text, hints)


def read_default(fn: Callable[..., Any], p: inspect.Parameter, kind: PortType) -> Any:
    """A default as a typed-in value; its exact kind and limits are those of the input."""
    if p.default is None:
        if not ports.optional(kind) and kind != Scalar("json"):
            raise wrong(fn, f"the default of {p.name!r} is None", f"Write `{p.name}: … | None = None`.")
        return None
    given = list(p.default) if isinstance(p.default, tuple) else p.default
    if isinstance(given, Secret):
        given = given.name
    if not ports.typeable(kind):
        raise wrong(fn, f"the default of {p.name!r} is no plain value", "Use None, or leave it out.")
    try:
        return ports.convert(given, kind)
    except msgspec.ValidationError as error:
        remedy = f"Want {ports.words(kind)}."
        raise wrong(fn, f"the default of {p.name!r} does not fit: {error}", remedy) from None


def read_outputs(
    fn: Callable[..., Any], hints: dict[str, Any], classes: dict[str, type[Value]]
) -> tuple[OutputPort, ...]:
    """One port called `out`, or one for each field of a NamedTuple; none for None."""
    if "return" not in hints:
        raise wrong(fn, "it has no return type", "Write `-> Image` or the like; `-> None` for no output.")
    result = hints["return"]
    shape = get_origin(result) or result
    if result is type(None):
        return ()
    fields = {"out": result}
    if isinstance(shape, type) and issubclass(shape, tuple):
        if not hasattr(shape, "_fields"):
            raise wrong(fn, "it returns a plain tuple", "Return a NamedTuple: its fields name the outputs.")
        fields = fields_of(shape, get_args(result))
    return tuple(read_output(fn, name, hint, classes) for name, hint in fields.items())


def read_output(fn: Callable[..., Any], name: str, hint: Any, classes: dict[str, type[Value]]) -> OutputPort:
    if not NAME.fullmatch(name):
        raise wrong(fn, f"{name!r} is no output name", "Use ASCII letters, digits and _.")
    kind = describe(hint, classes, f"{place_of(fn)}, output {name!r}")
    if isinstance(kind, Piece):
        raise wrong(fn, f"output {name!r} is a piece of graph", "Return a value; only inputs take pieces.")
    return OutputPort(name, kind, meta_of(hint)[0])


def fields_of(shape: type, args: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a NamedTuple; a generic one's variables become what the node wrote: Pair[A, B]."""
    given = dict(zip(getattr(shape, "__parameters__", ()), args, strict=False))

    def settled(hint: Any) -> Any:
        if isinstance(hint, TypeVar):
            return given.get(hint, hint)
        names = getattr(hint, "__parameters__", ())
        return hint[tuple(given.get(n, n) for n in names)] if names else hint

    return {name: settled(hint) for name, hint in typing.get_type_hints(shape, include_extras=True).items()}


def read_upgrades(fn: Callable[..., Any], upgrades: tuple[Upgrade, ...], version: int) -> tuple[Upgrade, ...]:
    ordered = tuple(sorted(upgrades, key=lambda u: u.to))
    if any(not 2 <= u.to <= version for u in ordered) or len({u.to for u in ordered}) != len(ordered):
        raise wrong(fn, "upgrades that lead nowhere", f"Each `to` is one of 2 to {version}, once.")
    return ordered


def check_variables(fn: Callable[..., Any], inputs: list[InputPort], outputs: tuple[OutputPort, ...]) -> None:
    known = {name for p in inputs for name in variables(p.type)}
    for port in outputs:
        for name in variables(port.type) - known:
            what = f"output {port.name!r} has type variable {name} that no input has"
            raise wrong(fn, what, "Use it on an input too.")


def check_fingerprint(
    fn: Callable[..., Any], fingerprint: Callable[..., str] | None, inputs: list[InputPort]
) -> None:
    try:
        if fingerprint is not None:
            inspect.signature(fingerprint).bind(**{p.name: None for p in inputs})
    except TypeError as error:
        what = f"its fingerprint cannot be called with the node's inputs: {error}"
        raise wrong(fn, what, "Give it the same parameters by name, or **inputs.") from None


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


def wrong(fn: Callable[..., Any], what: str, remedy: str) -> BadDeclaration:
    return BadDeclaration(f"{place_of(fn)}: {what}.", remedy=remedy)


def place_of(fn: Callable[..., Any]) -> str:
    """Where a node is written, for an error."""
    code = getattr(fn, "__code__", None)
    line = f":{code.co_firstlineno}" if code else ""
    return f"{fn.__module__}{line}, node {fn.__name__!r}"


def input_schema(port: InputPort) -> dict[str, Any]:
    """JSON schema of one input, for the editor's widget and for OpenAPI."""
    schema = {**ports.schema(port.type), **port.ui}
    if port.help:
        schema["description"] = port.help
    if not port.required:
        schema["default"] = port.default
    return schema
