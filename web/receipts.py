"""Receipts over HTTP: how a file came to be, whether it does so again, and what tells two apart."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from engine.errors import Invalid, Problem
from engine.proofs import Compared, Reasons
from engine.receipt import Lora, Made
from engine.verify import Verdict
from web.route import Param, Route, answer, engine, owner


class ParentView(Struct):
    """A file that it was made from."""

    sha256: str
    mime: str
    name: str
    step: str
    """The step of the same run that made it; empty for what was given to the run."""
    id: str | None
    """Under which it is here; null if it is not."""
    receipt: str | None
    """Where its own receipt is, if it has one."""


class ReceiptView(Struct):
    """How a file came to be."""

    id: str
    by: Literal["engine", "file"]
    """`engine` kept it when it made the file; a `file` says it of itself, which anybody can write."""
    run: str
    step: str
    """The step that made it, with the turns of the loops around it."""
    title: str
    workflow: str
    """Digest of the workflow, wherever its steps lie on the canvas."""
    mode: int
    """How what left was checked: 0 Safe, 1 Research, 2 NSFW."""
    inputs: dict[str, Any]
    nodes: dict[str, int]
    packs: dict[str, str]
    models: dict[str, str]
    loras: list[Lora]
    seeds: dict[str, Any]
    sampling: dict[str, dict[str, Any]]
    environment: dict[str, str | int]
    """Device, dtype, threads, kernel settings, versions of libraries."""
    fallbacks: dict[str, str]
    verdicts: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    steps: dict[str, Made]
    parents: list[ParentView]
    looks: dict[str, str]
    """Digest of the decoded pixels, by the SHA-256 of the file."""


async def show(request: web.Request) -> web.StreamResponse:
    """Tell how a file came to be: workflow, models, seeds, machine, and every step on the way."""
    id, who = request.match_info["id"], owner(request)
    proofs = engine(request).proofs
    told = await proofs.receipt_of_file(id, who)
    receipt = told.receipt
    found = {name: getattr(receipt, name) for name in receipt.__struct_fields__}
    found = {name: value for name, value in found.items() if name in ReceiptView.__struct_fields__}
    parents = []
    for parent in receipt.parents:
        here, has = await proofs.where(parent.sha256, who)
        url = f"/api/artifacts/{here}/receipt" if has else None
        parents.append(ParentView(**msgspec.structs.asdict(parent), id=here, receipt=url))
    return answer(ReceiptView(**{**found, "id": id, "by": told.by, "parents": parents}))


async def verify(request: web.Request) -> web.StreamResponse:
    """Make a file again by its receipt, without the cache: equal, or the first step that differs and why."""
    id = request.match_info["id"]
    await engine(request).artifact(id, owner=owner(request))
    return answer(await engine(request).verify(id, owner=owner(request)))


async def why(request: web.Request) -> web.StreamResponse:
    """Tell of every step of a run why it ran, or what saved it from that."""
    return answer(await engine(request).proofs.why(request.match_info["id"], owner(request)))


async def difference(request: web.Request) -> web.StreamResponse:
    """Compare two receipts, of runs or files: every field that differs, causes before what came of them."""
    first, second = (request.query.get(name, "") for name in ("first", "second"))
    if not (first and second):
        name = "second" if first else "first"
        raise Invalid([Problem("missing", input=name, want="the id of a run or a file")])
    return answer(await engine(request).proofs.difference(first, second, owner(request)))


TWO = (Param("first", "The id of a run or a file."), Param("second", "The id of another."))
ROUTES = (
    Route("GET", "/api/artifacts/{id}/receipt", show, "receipts", answer=ReceiptView),
    Route("POST", "/api/artifacts/{id}/verify", verify, "receipts", answer=Verdict),
    Route("GET", "/api/runs/{id}/why", why, "receipts", answer=Reasons),
    Route("GET", "/api/receipts/difference", difference, "receipts", answer=Compared, params=TWO),
)
