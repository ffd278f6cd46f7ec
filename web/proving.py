"""Receipts at a terminal: shown, compared, explained, and files made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.jobs import ULID
from web.client import Client, Json


async def named(client: Client, what: str) -> str:
    """The id of a run or a file; a path is sent first."""
    path = Path(what)
    return await client.upload(path) if path.is_file() else what


def is_run(what: str) -> bool:
    return ULID.fullmatch(what) is not None and not Path(what).is_file()


async def verified(client: Client, what: str) -> Json:
    """The verdict on a run, on a file that was made here, or on one that holds its receipt."""
    kind = "runs" if is_run(what) else "artifacts"
    return await client.post(f"/api/{kind}/{quote(await named(client, what), safe='')}/verify", {})


async def receipt(client: Client, what: str) -> Json:
    """The receipt of a run or a file."""
    if is_run(what):
        found: Json = (await client.get(f"/api/runs/{quote(what, safe='')}"))["receipt"]
        return found
    return await client.get(f"/api/artifacts/{quote(await named(client, what), safe='')}/receipt")


async def why(client: Client, what: str, other: str | None) -> Json:
    """Why the steps of a run ran; or what two runs or files do not have in common."""
    if other is None:
        return await client.get(f"/api/runs/{quote(what, safe='')}/why")
    first, second = await named(client, what), await named(client, other)
    return await client.get("/api/receipts/difference", first=first, second=second)


def told(receipt: Json) -> str:
    """A receipt for a person: a heading for each part, and a line for each step."""
    heads = ("run", "step", "by", "title", "workflow")
    lines = [f"{name:<12} {receipt[name]}" for name in heads if receipt.get(name)]
    for name in PARTS:
        if part := receipt.get(name):
            lines += ["", name, *(f"  {line}" for line in part_lines(part))]
    if steps := receipt.get("steps"):
        width = max(map(len, steps))
        lines += ["", "steps", *(f"  {id:<{width}}  {step_line(made)}" for id, made in steps.items())]
    return "\n".join(lines)


PARTS = (
    "inputs", "seeds", "sampling", "models", "loras", "nodes", "packs", "environment",
    "fallbacks", "verdicts", "scores", "parents",
)  # fmt: skip


def part_lines(part: Any) -> list[str]:
    if isinstance(part, list):
        return [", ".join(f"{name} {shown(value)}" for name, value in item.items() if value) for item in part]
    width = max(map(len, part))
    return [f"{name:<{width}}  {shown(value)}" for name, value in part.items()]


def step_line(made: Json) -> str:
    words = [f"{made['node']} {made.get('version', 1)}"]
    if use := made.get("cache"):
        words.append(f"{use}, {made.get('seconds', 0.0):.3f} s" if use == "ran" else use)
    return ", ".join([*words, *([f"with {made['fallback']}"] if made.get("fallback") else [])])


def reasons(found: Json) -> str:
    """The report on a run: a sentence, and a line for each step."""
    width = max((len(step["step"]) for step in found["steps"]), default=0)
    lines = [
        f"  {step['step']:<{width}}  {step['sentence']}"
        + (f" ({step['seconds']:.3f} s)" if step["calls"] else "")
        for step in found["steps"]
    ]
    return "\n".join([f"Run {found['run']} is {found['state']}: {found['sentence']}", *lines])


def differences(found: Json) -> str:
    """What differs, a line for each field."""
    lines = [f"  {d['field']}: {shown(d['first'])} / {shown(d['second'])}" for d in found["differences"]]
    return "\n".join([found["sentence"], *lines])


def shown(value: Any) -> str:
    """A value on one line; a dash for what is not there."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict):
        text = ", ".join(f"{name} {shown(item)}" for name, item in value.items())
    else:
        text = "–" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:299]}…"
