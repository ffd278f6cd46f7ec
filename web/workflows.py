"""The library over HTTP: the file that is saved is the file that is served."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct, field

from engine.errors import Invalid, NotFound, Problem, Stale
from engine.ports import JsonValue
from web.route import Param, Route, answer, body, document, engine, matches, owner, quoted, whole

VERSION = Param("version", "An earlier version, 0 the shipped one; left out, the current one.", "integer")
IF_MATCH = Param("If-Match", "Only if the saved version still has this ETag.", where="header")
IF_NONE_MATCH = Param("If-None-Match", "`*`: only if there is no workflow of this name.", where="header")


class Listed(Struct):
    """Every workflow in the library."""

    workflows: list[dict[str, Any]]


class Version(Struct):
    """One version of a workflow, or the mark that it was deleted."""

    version: int
    """From 1; 0 is the shipped one."""
    etag: str
    saved: float
    """Seconds since 1970; 0 of a shipped one."""
    bytes: int
    shipped: bool
    deleted: bool


class Versions(Struct):
    """Every version of one workflow, newest first."""

    versions: list[Version]


class Saved(Struct):
    """Where a workflow was saved, and as which version."""

    name: str
    etag: str


class Check(Struct, forbid_unknown_fields=True):
    """What should be checked without being run."""

    workflow: str | dict[str, Any]
    inputs: dict[str, JsonValue] = field(default_factory=dict)
    targets: list[str] | None = None


class Checked(Struct):
    """All problems and warnings at once."""

    ok: bool
    problems: list[dict[str, str]]
    warnings: list[dict[str, str]]


async def library(request: web.Request) -> web.StreamResponse:
    """List the saved workflows, shipped and own."""
    return answer({"workflows": await engine(request).library.names(owner(request))})


async def load(request: web.Request) -> web.StreamResponse:
    """Fetch a workflow: the document itself, with an ETag."""
    version = whole(request, "version", 0, high=2**31) if "version" in request.query else None
    data, etag = await engine(request).library.get(request.match_info["name"], owner(request), version)
    headers = {**quoted(etag), "Cache-Control": "private, no-cache"}
    if matches(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=data, content_type="application/json", headers=headers)


async def save(request: web.Request) -> web.StreamResponse:
    """Save a workflow under a name; earlier versions are kept."""
    name, data = request.match_info["name"], await document(request)
    new = await is_new(request, name)
    if not new and request.headers.get("If-None-Match", "").strip() == "*":
        raise Stale(f"There is a workflow named {name} already.", remedy="Choose another name.")
    etag = await engine(request).library.put(name, owner(request), data, expected(request))
    return answer(Saved(name, etag), 201 if new else 200, quoted(etag))


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove a workflow from the library; a shipped one of that name shows again."""
    await engine(request).library.delete(request.match_info["name"], owner(request), expected(request))
    return web.Response(status=204)


async def versions(request: web.Request) -> web.StreamResponse:
    """List the versions of a workflow."""
    found = await engine(request).library.versions(request.match_info["name"], owner(request))
    return answer(msgspec.convert({"versions": found}, Versions))


async def check(request: web.Request) -> web.StreamResponse:
    """Check a workflow without running it: all problems and warnings at once."""
    asked = await body(request, Check)
    problems, warnings = await engine(request).check(
        asked.workflow, asked.inputs, asked.targets, owner=owner(request)
    )
    return answer(Checked(not problems, plain(problems), plain(warnings)))


async def is_new(request: web.Request, name: str) -> bool:
    try:
        await engine(request).library.get(name, owner(request))
    except NotFound:
        return True
    return False


def expected(request: web.Request) -> str | None:
    """The version that the client thinks it changes; "*" is any."""
    if "If-Match" not in request.headers:
        return None
    tags = request.if_match
    if not tags or len(tags) != 1:
        raise Invalid([Problem("bad_header", input="If-Match", want="the ETag that GET answered, in quotes")])
    return tags[0].value


def plain(problems: list[Problem]) -> list[dict[str, str]]:
    return [msgspec.structs.asdict(problem) for problem in problems]


ROUTES = (
    Route("GET", "/api/workflows", library, "workflows", answer=Listed),
    Route("GET", "/api/workflows/{name}", load, "workflows", answer=dict[str, Any], params=(VERSION,)),
    Route(
        "PUT",
        "/api/workflows/{name}",
        save,
        "workflows",
        answer=Saved,
        body=dict[str, Any],
        params=(IF_MATCH, IF_NONE_MATCH),
    ),
    Route("DELETE", "/api/workflows/{name}", remove, "workflows", status=204, media="", params=(IF_MATCH,)),
    Route("GET", "/api/workflows/{name}/versions", versions, "workflows", answer=Versions),
    Route("POST", "/api/check", check, "workflows", answer=Checked, body=Check),
)
