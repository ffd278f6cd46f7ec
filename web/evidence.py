"""The log on the command line: who asked for what, how it ended, and whether the log is whole."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from engine.audit import Checker, Line, Noted, Report, imported
from engine.errors import Invalid, NotFound, Problem, shown
from web.client import Client

MODES = ("safe", "research", "nsfw")


class Asked(Struct):
    """A run as the log tells it."""

    at: float
    owner: str
    run: str
    what: str
    mode: str = ""
    state: str = ""
    verdict: str = ""
    inputs: dict[str, Any] = msgspec.field(default_factory=dict)
    """Those given and those that the workflow has; the prompt is mostly one of them."""
    models: dict[str, str] = msgspec.field(default_factory=dict)
    """Name and SHA-256."""


def asked(lines: Iterable[Line]) -> list[Asked]:
    """The runs that a log tells of, in order."""
    found: dict[str, Asked] = {}
    for line in lines:
        if line.kind not in ("job.created", "job.state") or line.data is UNSET:
            continue
        data = msgspec.json.decode(line.data)
        if line.kind == "job.created":
            what = data.get("title") or data.get("workflow") or "untitled"
            found[line.job] = Asked(line.at, line.owner, line.job, what, inputs=data.get("inputs", {}))
        if (one := found.get(line.job)) is not None:
            one.state = str(data.get("state", ""))
            one.mode = named(data["mode"]) if "mode" in data else one.mode
            one.verdict = said(data["verdicts"]) if "verdicts" in data else one.verdict
            one.inputs |= data.get("inputs", {})
            one.models |= data.get("models", {})
    return list(found.values())


def named(mode: int) -> str:
    return MODES[mode] if 0 <= mode < len(MODES) else str(mode)


def said(verdicts: list[dict[str, Any]]) -> str:
    """What was done with what came out, each thing once."""
    return ", ".join(dict.fromkeys(str(verdict.get("action", "")) for verdict in verdicts))


def told(runs: list[Asked]) -> str:
    """The runs as a table for a person."""
    return "\n".join(map(row, runs)) or "Nobody has asked for anything."


def row(run: Asked) -> str:
    how = f"{run.state:<9} {run.mode:<8} {run.verdict:<9}"
    prompt = run.inputs.get("prompt")
    what = f"{run.what}: {shown(prompt)}" if isinstance(prompt, str) and prompt else run.what
    return f"{moment(run.at)}  {run.owner:<8} {run.run}  {how} {what}"


def moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


async def lines(client: Client) -> list[Line]:
    data = await client.download("/api/audit")
    return await asyncio.to_thread(lambda: list(imported(data.splitlines())))


async def saved(client: Client, file: Path) -> int:
    """Write the log to a file; how many lines."""
    data = await client.download("/api/audit")
    file.write_bytes(data)
    return data.count(b"\n")


def checked(file: Path, noted: Noted) -> Report:
    """Follow the chain of an exported log, without any server."""
    checker = Checker(noted)
    try:
        with file.open("rb") as opened:
            checker.take(imported(opened))
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from None
    return checker.report()


def noted(text: str) -> Noted:
    """NUMBER:CHAIN, as `audit verify` says it."""
    seq, _, chain = text.partition(":")
    try:
        return msgspec.convert({"seq": int(seq or 0), "chain": chain}, Noted)
    except (ValueError, msgspec.ValidationError):
        remedy = "Give what `audit verify` said then."
        raise Invalid([Problem("bad_argument", "", "noted", text, "NUMBER:CHAIN", remedy)]) from None
