"""Is it the same? A recorded run beside its repetition."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Verdict(Struct):
    """Whether a repeated run gave the same, and what differs if not."""

    run: str
    equal: bool
    outputs: dict[str, bool]
    """By name: whether its content is the same."""
    differs: list[str]
    """Fields of the receipt that are not as they were, each with both values."""
    sentence: str
    """The verdict for a person."""


def compare(run: str, before: dict[str, Any], after: dict[str, Any]) -> Verdict:
    """Two receipts as a verdict."""
    then, now = before.get("outputs", {}), after.get("outputs", {})
    outputs = {name: then.get(name) == now.get(name) for name in {**then, **now}}
    differs = [
        f"{section}.{name}: {old} then, {new} now"
        for section in ("nodes", "packs", "models", "environment", "fallbacks")
        for name in {**before.get(section, {}), **after.get(section, {})}
        if (old := before.get(section, {}).get(name)) != (new := after.get(section, {}).get(name))
    ]
    return Verdict(run, bool(outputs) and all(outputs.values()), outputs, differs, said(outputs, differs))


def said(outputs: dict[str, bool], differs: list[str]) -> str:
    """The verdict as one sentence."""
    if not outputs:
        return "There is nothing to compare: the run has no named outputs."
    other = ", ".join(name for name, same in outputs.items() if not same)
    if not other:
        return f"Equal: {', '.join(outputs)} came out the same, bit for bit."
    cause = "; ".join(differs) or "nothing in the receipt does, so a node is not as repeatable as it says"
    return f"Different: {other}. What differs: {cause}."
