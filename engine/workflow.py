"""The workflow format: read, check its form, upgrade old steps, write it back byte for byte."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, field

from engine.canonical import Raw, ecmascript
from engine.errors import Invalid, Problem, TooLarge, shown
from engine.node import NAME, NodeSpec
from engine.ports import JsonValue
from engine.types import MAX_SEED

FORMAT = 1
DOCUMENT_LIMIT = 16 * 1024**2
DEPTH_LIMIT = 64
STEP_LIMIT = 50_000

Off = Literal["", "mute", "bypass"]


class Step(Struct, omit_defaults=True):
    """One node on the canvas: the values typed into it and the wires that feed it."""

    node: str
    version: Annotated[int, Meta(ge=0)] = 0
    """Of the node when the step was saved; 0 means the current one."""
    values: dict[str, JsonValue] = field(default_factory=dict)
    wires: dict[str, str] = field(default_factory=dict)
    """Input name to "step.output", or to "#group" for a piece of graph."""
    off: Off = ""


class NamedInput(Struct, omit_defaults=True):
    """An input of the whole: where it goes, and how a form calls it."""

    to: list[str]
    title: str = ""
    help: str = ""
    section: str = ""
    """The heading under which a form has it."""
    least: float | None = None
    """The smallest number that may be given, where that is more than the steps say."""
    most: float | None = None
    """The largest."""


class Group(Struct, omit_defaults=True):
    """Steps that are used as one node, or handed to a node as a piece of graph."""

    steps: dict[str, Step]
    inputs: dict[str, NamedInput] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    title: str = ""


class Pinned(Struct, omit_defaults=True):
    """A saved workflow that this one uses as a node."""

    digest: str = ""
    document: Raw | None = None
    """Put in when a run is queued, so that a job never changes under its feet."""


class Needs(Struct, omit_defaults=True):
    """What the workflow needs from elsewhere."""

    models: dict[str, Any] = field(default_factory=dict)
    packs: dict[str, Any] = field(default_factory=dict)
    workflows: dict[str, Pinned] = field(default_factory=dict)


class Workflow(Struct, omit_defaults=True):
    """A whole document. Fields the engine does not know stay in the document it was read from."""

    steps: dict[str, Step]
    tessera: int = FORMAT
    title: str = ""
    groups: dict[str, Group] = field(default_factory=dict)
    inputs: dict[str, NamedInput] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    published: bool = True
    """Whether it is an app, for whoever has access: a form, and a route of its own."""


def parse(document: bytes | str | Raw, *, limit: int = DOCUMENT_LIMIT) -> Workflow:
    """Read a workflow, or raise Invalid with every problem of its form."""
    return shape(document if isinstance(document, dict) else read(document, limit=limit))


def read(document: bytes | str, *, limit: int = DOCUMENT_LIMIT) -> Raw:
    """The document as plain data; duplicate keys, NaN and numbers a browser cannot hold are refused."""
    data = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    if len(data) > limit:
        raise TooLarge(f"The document has {len(data):,} bytes; {limit:,} are allowed.")
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(
            [Problem("not_json", got=shown(str(error)), remedy="Send one valid JSON document.")]
        ) from None
    if not isinstance(raw, dict):
        raise Invalid([Problem("not_a_workflow", got=shown(raw), want="an object with `steps`")])
    keys, large, problem = survey(raw)
    if problem is not None:
        raise Invalid([problem])
    if keys != STRINGS.sub(b"", data).count(b":"):
        raise Invalid([Problem("duplicate_key", got=duplicate(data), remedy="Keep one of the two.")])
    return as_a_browser_reads(raw) if large else raw


STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


def survey(raw: Raw) -> tuple[int, bool, Problem | None]:
    """How many keys there are in all, whether a number is very large, and the first thing that JSON allows
    and we do not."""
    keys, large = 0, False
    level: list[Any] = [raw]
    for _ in range(DEPTH_LIMIT):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                keys += len(item)
                below.extend(v for v in item.values() if type(v) in NESTED)
            elif type(item) is list:
                below.extend(v for v in item if type(v) in NESTED)
            elif type(item) is int and abs(item) > MAX_SEED:
                if abs(item) >= 10**21 or ecmascript(float(item)) != str(item):
                    want = f"at most {MAX_SEED}"
                    return keys, large, Problem("number_too_large", got=str(item)[:40], want=want)
                large = True
        if not below:
            return keys, large, None
        level = below
    return keys, large, Problem("too_deep", want=f"at most {DEPTH_LIMIT} levels")


NESTED = (dict, list, int)


def as_a_browser_reads(value: Any) -> Any:
    """With whole numbers beyond the exact ones as floats: 1e20 is written as 100000000000000000000."""
    if isinstance(value, dict):
        return {key: as_a_browser_reads(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_a_browser_reads(item) for item in value]
    return float(value) if type(value) is int and abs(value) > MAX_SEED else value


def duplicate(data: bytes) -> str:
    """The first key that stands twice in one object."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found.append(key)
            seen.add(key)

    json.loads(data, object_pairs_hook=look)
    return found[0] if found else "a key"


def shape(raw: Raw) -> Workflow:
    """Plain data as a Workflow, or all problems of its form at once."""
    try:
        workflow = msgspec.convert(raw, Workflow)
    except msgspec.ValidationError as error:
        raise Invalid(malformed(raw, str(error))) from None
    if problems := form_problems(workflow):
        raise Invalid(problems)
    return workflow


PARTS: dict[str, type] = {"steps": Step, "groups": Group, "inputs": NamedInput, "outputs": str}
WHOLE: dict[str, type] = {"tessera": int, "title": str, "needs": Needs, "published": bool}


def malformed(raw: Raw, message: str) -> list[Problem]:
    """Each malformed part by its name; msgspec itself reports only the first and hides dictionary keys."""
    problems = malformed_parts(raw, "")
    for name, kind in WHOLE.items():
        if name in raw and (error := misfit(raw[name], kind)):
            problems.append(Problem("malformed", input=name, got=error))
    return problems or [Problem("malformed", got=message, want='{"tessera": 1, "steps": {…}}')]


def malformed_parts(raw: Raw, place: str) -> list[Problem]:
    """What is malformed in the steps, groups, inputs and outputs of a workflow, or of a group in it."""
    problems: list[Problem] = []
    if "steps" not in raw:
        problems.append(Problem("malformed", step=place, input="steps", want="an object with the steps"))
    for section, kind in PARTS.items():
        entries = raw.get(section, {})
        if not isinstance(entries, dict):
            problem = Problem("malformed", step=place, input=section, got=shown(entries), want="an object")
            problems.append(problem)
            continue
        for name, entry in entries.items():
            inner = malformed_parts(entry, name) if kind is Group and isinstance(entry, dict) else []
            if not inner and (error := misfit(entry, kind)):
                step, port = (f"{place}/{name}".lstrip("/"), "") if kind is Step else (name, section)
                inner = [Problem("malformed", step=step, input=port, got=error)]
            problems += inner
    return problems


def misfit(value: Any, kind: type) -> str:
    """Why plain data is not of this kind, or nothing."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def form_problems(workflow: Workflow) -> list[Problem]:
    problems: list[Problem] = []
    if workflow.tessera != FORMAT:
        remedy = "Update Tessera, or save the workflow from an older one."
        problems.append(
            Problem("unknown_format", input="tessera", got=str(workflow.tessera), want="1", remedy=remedy)
        )
    count = len(workflow.steps) + sum(len(g.steps) for g in workflow.groups.values())
    if count > STEP_LIMIT:
        problems.append(Problem("too_many_steps", got=f"{count:,}", want=f"at most {STEP_LIMIT:,}"))
    groups: Iterable[Workflow | Group] = (workflow, *workflow.groups.values())
    match = NAME.fullmatch
    for part in groups:
        for names in (part.steps, part.inputs, part.outputs):
            problems += [bad_name(name) for name in names if not match(name)]
    problems += [bad_name(name) for name in workflow.groups if not match(name)]
    return problems


def bad_name(name: str) -> Problem:
    return Problem(
        "bad_name", step=shown(name), want="letters, digits, _ and -, not starting with a digit, at most 64"
    )


def upgrade(step: Step, spec: NodeSpec) -> Step:
    """The step as the current version of its node would have saved it."""
    if not step.version or step.version >= spec.version or not spec.upgrades:
        return step
    values, wires = dict(step.values), dict(step.wires)
    for change in spec.upgrades:
        if change.to <= step.version:
            continue
        for side in (values, wires):
            for name in change.drop:
                side.pop(name, None)
            rename(side, change.rename)
        for name, default in change.default.items():
            if name not in values and name not in wires:
                values[name] = default
    return Step(step.node, spec.version, values, wires, step.off)


def rename(side: dict[str, Any], names: Mapping[str, str]) -> None:
    for old, new in names.items():
        if old in side:
            side[new] = side.pop(old)


def renamed_output(port: str, version: int, spec: NodeSpec) -> str:
    """The present name of an output that a step of an older version calls `port`."""
    if version and version < spec.version:
        for change in spec.upgrades:
            if change.to > version:
                port = change.outputs.get(port, port)
    return port


GUESSES = 500
"""Names that are compared with a wrong one at most, so that many mistakes in a large document stay cheap."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """A remedy naming what comes closest, or what there is."""
    names = list(known)
    close = difflib.get_close_matches(name[:64], names, count, 0.5) if len(names) <= GUESSES else []
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"There is: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}." if names else ""


SeedSource = Callable[[], int]


def settle_seeds(
    workflow: Workflow,
    inputs: Mapping[str, JsonValue],
    specs: Callable[[str], NodeSpec | None],
    *,
    draw: SeedSource,
    offset: int = 0,
) -> tuple[dict[tuple[str, str, str], int], dict[str, JsonValue]]:
    """Replace `"random"` seeds by drawn ones and add `offset` to every seed that no wire feeds.

    Returns the new values by (group or "", step, input), and the new inputs.
    """
    changed: dict[tuple[str, str, str], int] = {}
    settled = dict(inputs)
    given: set[tuple[str, str]] = set()
    for name in sorted(inputs.keys() & workflow.inputs.keys()):
        hits = {place for to in workflow.inputs[name].to if is_seed(place := split(to), workflow, "", specs)}
        given |= hits
        if hits:
            settled[name] = moved_seed(inputs[name], draw, offset)
    for group, steps in {"": workflow.steps, **{n: g.steps for n, g in workflow.groups.items()}}.items():
        for name, step in steps.items():
            for port, value in typed_seeds(name, step, workflow, group, specs).items():
                if port in step.wires or (not group and (name, port) in given):
                    continue
                new = moved_seed(value, draw, offset)
                if new != value and type(new) is int:
                    changed[group, name, port] = new
    return changed, settled


Specs = Callable[[str], NodeSpec | None]


def typed_seeds(name: str, step: Step, workflow: Workflow, group: str, specs: Specs) -> dict[str, JsonValue]:
    """The seeds typed into a step; outside of groups also those left at their default."""
    found = {p: value for p, value in step.values.items() if is_seed((name, p), workflow, group, specs)}
    spec = None if group else specs(step.node)
    for port in spec.inputs if spec else ():
        if port.ui.get("x-widget") == "seed" and port.default is not UNSET:
            found.setdefault(port.name, port.default)
    return found


def is_seed(place: tuple[str, str], workflow: Workflow, group: str, specs: Specs) -> bool:
    """Whether an input of a step is a seed, maybe through the inputs of groups."""
    waiting, seen = [(group, *place)], {(group, *place)}
    while waiting:
        group, name, port = waiting.pop()
        steps = workflow.groups[group].steps if group else workflow.steps
        node = steps[name].node if name in steps else ""
        spec = specs(node)
        if spec is not None and any(p.name == port and p.ui.get("x-widget") == "seed" for p in spec.inputs):
            return True
        inner = node.removeprefix("group/")
        if node != inner and inner in workflow.groups and port in workflow.groups[inner].inputs:
            further = {(inner, *split(to)) for to in workflow.groups[inner].inputs[port].to} - seen
            seen |= further
            waiting += further
    return False


def moved_seed(value: JsonValue, draw: SeedSource, offset: int) -> JsonValue:
    if value == "random":
        value = draw()
    return (value + offset) % (MAX_SEED + 1) if type(value) is int and offset else value


def split(wire: str) -> tuple[str, str]:
    """A wire's step and port."""
    step, _, port = wire.rpartition(".")
    return step, port
