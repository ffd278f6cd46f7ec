"""Is it the same? A recorded run beside its repetition: where it first differs, and what explains that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine.receipt import Made, Receipt, read

SECTIONS = ("nodes", "packs", "models", "environment", "fallbacks")
MACHINE = ("numpy", "opencv", "pillow", "python", "system")
"""What of the environment counts for steps that do not use torch."""


class Verdict(Struct):
    """Whether a repeated run gave the same, and what differs if not."""

    run: str
    equal: bool
    outputs: dict[str, bool]
    """By name: whether its content is the same; of a picture, whether its decoded pixels are."""
    differs: list[str]
    """Fields of the receipt that are not as they were, each with both values."""
    sentence: str
    """The verdict for a person."""
    step: str = ""
    """The first step that gave something else; empty if all gave the same, or the receipt has no steps."""
    field: str = ""
    """The field of the receipt that explains it; empty if none does."""


class Change(Struct):
    """A field of a receipt that is not as it was."""

    field: str
    then: Any
    now: Any

    def said(self) -> str:
        return f"{self.field}: {self.then} then, {self.now} now"


def compare(run: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Verdict:
    """Two receipts of runs as a verdict."""
    then, now = read(before), read(after)
    looks = {name: now.looks.get(name) == look for name, look in then.looks.items() if name in now.looks}
    names = {**then.outputs, **now.outputs}
    content = {name: then.outputs.get(name) == now.outputs.get(name) for name in names}
    return judge(run, {**content, **looks}, then, now)


def judge(run: str, outputs: dict[str, bool], then: Receipt, now: Receipt) -> Verdict:
    """The verdict on outputs of which it is known whether they are the same."""
    equal = bool(outputs) and all(outputs.values())
    step = "" if equal else first_step(then, now)
    changed = list(changes(then, now, step))
    cause = next(iter(sorted(changed, key=lambda change: rank(change, then.steps.get(step)))), None)
    if cause is not None and rank(cause, then.steps.get(step)) >= IRRELEVANT:
        cause = None
    field = "" if equal or cause is None else cause.field
    sentence = said(outputs, step, then.steps.get(step), cause, changed)
    return Verdict(run, equal, outputs, [change.said() for change in changed], sentence, step, field)


def first_step(then: Receipt, now: Receipt) -> str:
    """The first step, in the order in which they depend on each other, that gave something else."""
    for id, made in then.steps.items():
        again = now.steps.get(id)
        if again is not None and made.gave and again.gave and made.gave != again.gave:
            return id
    return ""


def changes(then: Receipt, now: Receipt, step: str) -> Iterator[Change]:
    """Every field that is not as it was; of the machine as it was when that step was computed."""
    for section in SECTIONS:
        old, new = around(then, section, step), around(now, section, step)
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                yield Change(f"{section}.{name}", old.get(name), new.get(name))
    if then.mode != now.mode:
        yield Change("mode", then.mode, now.mode)


def around(receipt: Receipt, section: str, step: str) -> dict[str, Any]:
    found: dict[str, Any] = getattr(receipt, section)
    if section == "environment" and step in receipt.steps:
        return {**found, **receipt.steps[step].elsewhere}
    return found


IRRELEVANT = 9


def rank(change: Change, made: Made | None) -> int:
    """How near a changed field is to a step; the nearest explains what it gave."""
    section, _, name = change.field.partition(".")
    if section == "mode":
        return 8
    if made is None:  # an old receipt, without steps
        return ("nodes", "packs", "models", "fallbacks", "environment").index(section)
    if section == "nodes":
        return 0 if name == made.node else IRRELEVANT
    if section == "packs":
        return 1 if made.node.startswith(f"{name}/") else IRRELEVANT
    if section == "environment":
        if made.lane and made.lane != "gpu" and name not in MACHINE:
            return IRRELEVANT
        return {"device": 4, "dtype": 5, "threads": 6}.get(name, 7)
    return {"models": 2, "fallbacks": 3}[section]


def said(
    outputs: dict[str, bool], step: str, made: Made | None, cause: Change | None, changed: list[Change]
) -> str:
    """The verdict as one sentence or two."""
    if not outputs:
        return "There is nothing to compare: the run has no named outputs."
    other = ", ".join(name for name, same in outputs.items() if not same)
    if not other:
        return f"Equal: {', '.join(outputs)} came out the same, bit for bit."
    if not step:
        why = "; ".join(change.said() for change in changed)
        why = why or "nothing in the receipt does, so a node is not as repeatable as it says"
        return f"Different: {other}. What differs: {why}."
    where = f"{step} ({made.node})" if made else step
    if cause is None:
        why = "Nothing in the receipt explains it, so that node is not as repeatable as it says"
    else:
        why = f"What explains it: {cause.said()}"
    more = "; ".join(change.said() for change in changed if change is not cause)
    return f"Different: {other}. The first step that gave something else is {where}. {why}." + (
        f" Also different: {more}." if more else ""
    )
