"""What a picture came from: a receipt, as data, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

Facts = dict[str, Any]
UNEQUAL = ("run", "seconds", "form")
"""What differs between any two runs and says nothing."""
RESULTS = ("gave", "outputs", "looks", "verdicts", "workflow", "step")
"""Sections that tell what came of the others."""


class Made(Struct, omit_defaults=True):
    """One step on the way to it."""

    node: str
    version: int = 1
    lane: str = ""
    pack: str = ""
    """The digest of the pack's source, if it is a node of a pack."""
    gave: str = ""
    """A digest of what came out; equal digests, equal values."""
    values: Facts = field(default_factory=dict)
    """The plain values that reached its inputs, typed in or by wire; long texts by their digest."""
    cache: str = ""
    """ran, memory, disk, flight or skipped."""
    calls: int = 0
    hits: int = 0
    seconds: float = 0.0
    fallback: str = ""
    elsewhere: Facts = field(default_factory=dict)
    """Where its result comes from the cache: what was different about the machine that computed it."""


class Lora(Struct):
    """A LoRA, in the order in which they were applied."""

    name: str
    sha256: str
    weight: float


class Parent(Struct, omit_defaults=True):
    """A file that it was made from."""

    sha256: str
    mime: str = ""
    name: str = ""
    step: str = ""
    """The step of the same run that made it; empty for what was given to the run."""


class Receipt(Struct, omit_defaults=True):
    """Everything that made an output: enough to make it again, or to say what differs.

    Of a run it tells all its steps, of a file those that it came from. Older versions wrote fewer fields.
    """

    form: int = 0
    """Of the receipt itself: 1 has steps."""
    run: str = ""
    title: str = ""
    workflow: str = ""
    """Digest of the workflow, whatever its layout."""
    mode: int = 0
    """How what leaves was checked: 0 Safe, 1 Research, 2 NSFW."""
    explain: bool = False
    """Whether the run was asked to explain its pictures."""
    step: str = ""
    """The step that made the file, with the turns of the loops around it."""
    inputs: Facts = field(default_factory=dict)
    targets: list[str] | None = None
    nodes: dict[str, int] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    """Name and SHA-256."""
    loras: list[Lora] = field(default_factory=list)
    seeds: Facts = field(default_factory=dict)
    """By step and input, as they were used; within a loop a list, turn by turn."""
    sampling: dict[str, Facts] = field(default_factory=dict)
    """Of each step that draws: model, method, schedule, steps and whatever else it was told."""
    environment: dict[str, str | int] = field(default_factory=dict)
    fallbacks: dict[str, str] = field(default_factory=dict)
    verdicts: list[Facts] = field(default_factory=list)
    """What was said about its safety, each with the step that said it."""
    scores: list[Facts] = field(default_factory=list)
    steps: dict[str, Made] = field(default_factory=dict)
    """In the order in which they depend on each other."""
    parents: list[Parent] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """The SHA-256 behind each artifact id that the request names."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Digest of each output."""
    looks: dict[str, str] = field(default_factory=dict)
    """Digest of the decoded pixels, of the outputs that are files."""
    seconds: float = 0.0


class Paper(Struct):
    """A receipt, and the files that it is the receipt of."""

    receipt: Receipt
    files: dict[str, str]
    """SHA-256 of each, and the place that made it."""


class Difference(Struct):
    """One field that two receipts do not have in common; null where one has it not at all."""

    field: str
    first: Any
    second: Any


def read(found: Mapping[str, Any]) -> Receipt:
    """A receipt as it was stored, by this version or an older one."""
    return msgspec.convert(found, Receipt, strict=False)


def facts(receipt: Receipt) -> Facts:
    """A receipt as plain data."""
    found: Facts = msgspec.to_builtins(receipt)
    return found


def portable(receipt: Receipt) -> str:
    """What a file holds of it, as JSON: nothing that changes from run to run, so that files stay the same."""
    steps = {
        id: msgspec.structs.replace(made, cache="", calls=0, hits=0, seconds=0.0)
        for id, made in receipt.steps.items()
    }
    nameless = [msgspec.structs.replace(parent, name="") for parent in receipt.parents]
    kept = msgspec.structs.replace(
        receipt, run="", title="", inputs={}, seconds=0.0, scores=[], steps=steps, parents=nameless
    )
    return msgspec.json.encode(kept).decode()


def differences(first: Receipt, second: Receipt) -> list[Difference]:
    """Every field that two receipts do not have in common, causes before what came of them."""
    one, two = dict(leaves(said(first))), dict(leaves(said(second)))
    names = {**one, **two}
    return [
        Difference(name, one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name)
    ]


def causes(found: list[Difference]) -> list[Difference]:
    """Those that may be the reason for the others; an input and the step that it goes to are named once."""
    kept, named = [], set()
    for one in found:
        section = one.field.partition(".")[0].partition("[")[0]
        pair = msgspec.json.encode([as_number(one.first), as_number(one.second)])
        if section in RESULTS or (section in ("seeds", "steps") and (section == "steps", pair) in named):
            continue
        kept.append(one)
        named |= {(False, pair), (True, pair)} if section == "inputs" else set()
        named |= {(True, pair)} if section == "seeds" else set()
    return kept


def as_number(value: Any) -> Any:
    """1 and 1.0 are one number here, for an input may make the second out of the first."""
    return float(value) if type(value) is int else value


def said(receipt: Receipt) -> Facts:
    """What is compared: causes first, and nothing twice."""
    found = facts(receipt)
    for name in (*UNEQUAL, "sampling", "files", "scores"):
        found.pop(name, None)
    steps = found.pop("steps", {})
    for made in steps.values():
        for name in ("cache", "calls", "hits", "seconds", "fallback", "pack", "lane"):
            made.pop(name, None)
    results = {name: found.pop(name, {}) for name in ("outputs", "looks")}
    if receipt.step:  # of a file: by what it shows, whatever else it holds
        results["looks"] = sorted(results["looks"].values())
    gave = {id: made.pop("gave", "") for id, made in steps.items()}
    return {**found, "steps": steps, "gave": gave, **results}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value within, by its dotted name."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{name}[{index}]")
    elif value not in ({}, [], "", None):
        yield name, value
