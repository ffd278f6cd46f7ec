"""Receipts: what files say of how they were made, read and compared."""

from __future__ import annotations

import json
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from engine import artifacts
from engine.errors import BadInput
from engine.node import node
from engine.types import Artifact, Json

Lines = Annotated[int, Meta(ge=1, le=1000, description="Lines of text at most.")]


class Read(NamedTuple):
    receipt: Json
    workflow: str
    settings: Json
    look: str


class Compared(NamedTuple):
    equal: bool
    text: str
    differences: Json


@node(category="files")
def read_receipt(file: Artifact) -> Read:
    """Read the receipt in a saved file: models, seeds, method, machine, and every step on the way.

    Files saved with the metadata "full" hold it. `settings` are its named inputs; `look` is a digest of what
    the file shows, the same for two files with the same pixels. What the file does not say stays empty.
    Anybody can write into a file: `server.py verify` makes it again to see whether it is true.
    """
    from engine.looks import look

    data = artifacts.read(file)
    texts = said(data)
    return Read(
        as_object(texts.get("receipt", "")),
        texts.get("workflow", ""),
        settings_in(texts),
        look(data),
    )


@node(category="files")
def compare_receipts(first: Artifact, second: Artifact, lines: Lines = 12) -> Compared:
    """Tell what was different when two saved files were made: the prompt, the seed, a model, the machine.

    `text` has a line for each thing that may be a cause, `differences` also what came of it, step by step.
    Files saved with the metadata "full" tell the most; of "params" only the named inputs are compared.
    """
    from engine.receipt import causes, differences, read

    one, two = (read(record(file, name)) for file, name in ((first, "first"), (second, "second")))
    found = differences(one, two)
    said = [f"{d.field}: {shown(d.first)} / {shown(d.second)}" for d in causes(found)]
    if len(said) > lines:
        said[lines - 1 :] = [f"and {len(said) - lines + 1} more"]
    nothing = "The receipts name no cause." if found else "The receipts say the same."
    data = [{"field": d.field, "first": d.first, "second": d.second} for d in found]
    return Compared(not found, "\n".join(said) or nothing, data)


def record(file: Artifact, name: str) -> dict[str, Any]:
    """The receipt in a file with its named inputs, or at least these."""
    texts = said(artifacts.read(file))
    if not (texts.keys() & {"receipt", "parameters"}):
        remedy = 'Save it with the metadata "full".'
        raise BadInput(name, got="a file without a word", want="one that says how it was made", remedy=remedy)
    found = as_object(texts.get("receipt", "")) or {}
    return {**found, "inputs": settings_in(texts)}


def said(data: bytes) -> dict[str, str]:
    from nodes._lib import labels

    return labels.told(data)[0]


def settings_in(texts: dict[str, str]) -> dict[str, Any]:
    from nodes._lib import labels

    return labels.settings_of(texts.get("parameters", ""))


def as_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, if it is one."""
    from nodes._lib import labels

    return labels.as_json(text)


def shown(value: object) -> str:
    """A value on one line; nothing for what a receipt does not have."""
    text = "–" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
