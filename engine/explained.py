"""What explains a picture: the report that a run kept of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from engine.artifacts import Folder
from engine.assets import Asset, Assets
from engine.errors import NotFound, TesseraError
from engine.looks import look
from engine.types import Artifact

LARGEST = 4_000_000
"""Bytes of a report at most; what is larger is some other JSON."""


async def explanation(assets: Assets, store: Folder, id: str, owner: str) -> tuple[Asset, dict[str, Any]]:
    """The newest report on this picture, or one of the same pixels, and what it says; else NotFound."""
    picture = await assets.get(id, owner)
    seen = ""
    for report in await assets.reports(id, owner):
        if report.artifact.bytes <= LARGEST:
            said = await asyncio.to_thread(told, store, report.artifact.sha256)
            if said.get("tessera") != "explanation":
                continue
            seen = seen or await asyncio.to_thread(seen_in, store, picture)
            if said.get("picture") == picture.sha256 or said.get("look") == seen:
                return report, said
    raise NotFound(
        "This picture has no explanation.",
        remedy="Run its workflow again with `explain`: the picture stays the same.",
    )


def seen_in(store: Folder, picture: Artifact) -> str:
    """The digest of what a picture shows; that of no explanation if it cannot be read."""
    try:
        return look(store.get(picture.sha256)) if picture.mime.startswith("image/") else "none"
    except TesseraError:
        return "none"


def told(store: Folder, sha256: str) -> dict[str, Any]:
    """What a JSON file says; nothing if it is gone or no object."""
    try:
        found = msgspec.json.decode(store.get(sha256))
    except (TesseraError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) else {}
