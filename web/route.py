"""A route as data, and the words every handler uses: who asks, one body, one number, one answer."""

from __future__ import annotations

import asyncio
import math
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from engine import workflow
from engine.errors import Forbidden, Invalid, Problem, TooLarge, Unsupported, shown
from engine.service import Engine
from web.problems import Handler

T = TypeVar("T")
ENGINE: web.AppKey[Engine] = web.AppKey("engine", Engine)
OWNER = "local"
"""Whose runs, workflows and artifacts these are. There is one owner until there are accounts."""
LONGEST_WAIT = 60.0
LARGE = 256 * 1024  # bytes of JSON that are read in a thread, so that others need not wait
SEND_JSON = "Send JSON with Content-Type: application/json."
BROKEN = (aiohttp.ClientPayloadError, aiohttp.http.HttpProcessingError, web.RequestPayloadError)
"""What aiohttp raises on a body that is cut short or garbled."""


class Param(Struct, frozen=True):
    """A query parameter or header that a route understands."""

    name: str
    help: str
    type: str = "string"
    where: str = "query"


class Route(Struct, frozen=True):
    """One row of the HTTP interface: what is served, what is documented and what is tested."""

    method: str
    path: str
    handler: Handler
    tag: str
    answer: Any = None
    """Type of the answer's JSON body; None when it is not JSON."""
    body: Any = None
    """Type of the request's JSON body."""
    status: int = 200
    params: tuple[Param, ...] = ()
    media: str = "application/json"
    """Media type of the answer."""
    takes: str = "application/json"
    """Media type of the body, where there is one."""
    also: tuple[str, ...] = ()
    """Further addresses with the same answer: the app reads the address itself."""

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").partition("\n")[0]


WAIT = Param("wait", "Seconds to wait for the run to finish, at most 60.", "number")
MODE = Param("mode", "0 Safe, 1 Research, 2 NSFW; left out, the server's default.", "integer")
EXPLAIN = Param("explain", "Whether to tell which word was heeded where in each picture.", "boolean")
KEY = Param("Idempotency-Key", "The same request with the same key starts nothing twice.", where="header")


def engine(request: web.Request) -> Engine:
    return request.app[ENGINE]


def owner(request: web.Request) -> str:
    return OWNER


def admin(request: web.Request) -> None:
    """Let through only whoever runs this server."""
    if owner(request) != OWNER:
        raise Forbidden("This is for whoever runs the server.")


async def body(request: web.Request, kind: type[T]) -> T:
    """The request's JSON body as a Struct, strictly: no duplicate keys, no unknown fields, no surprises."""
    try:
        return msgspec.convert(await record(request), kind)
    except msgspec.ValidationError as error:
        raise Invalid([from_msgspec(error)]) from None


async def record(request: web.Request) -> dict[str, Any]:
    """The request's JSON body as plain data."""
    data = await document(request)
    if len(data) < LARGE:
        return workflow.read(data)
    limit = engine(request).settings.document_limit
    return await asyncio.to_thread(workflow.read, data, limit=limit)


async def document(request: web.Request) -> bytes:
    """The bytes of a JSON object sent as the body."""
    if not is_json(request.content_type):
        raise Unsupported(f"The body is {shown(request.content_type)}.", remedy=SEND_JSON)
    data = await content(request)
    if data.lstrip()[:1] != b"{":
        got = shown(data[:80].decode("utf-8", "replace")) or "nothing"
        raise Invalid([Problem("not_an_object", input="body", got=got, want="one JSON object")])
    return data


async def content(request: web.Request) -> bytes:
    """The body's bytes, at most `document_limit` of them."""
    try:
        data = await request.read()
    except BROKEN:
        raise unreadable() from None
    except web.HTTPRequestEntityTooLarge:
        limit = engine(request).settings.document_limit
        raise TooLarge("The body is too large.", remedy=f"At most {limit:,} bytes are accepted.") from None
    engine(request).vault.refuse_request(data)
    return data


def unreadable() -> Invalid:
    return Invalid([Problem("unreadable_body", input="body", remedy="Send the body whole and uncompressed.")])


def is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def from_msgspec(error: msgspec.ValidationError) -> Problem:
    """msgspec's "Expected `int`, got `str` - at `$.priority`" as a problem with its place."""
    said, _, place = str(error).partition(" - at ")
    name = place.strip("`").removeprefix("$").lstrip(".")
    return Problem("bad_body", input=name or "body", got=shown(said, 200))


def seconds(request: web.Request) -> float:
    """How long the client is ready to wait."""
    raw = request.query.get("wait", "0")
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise Invalid([Problem("bad_parameter", input="wait", got=shown(raw), want="seconds from 0 to 60")])
    return min(value, LONGEST_WAIT)


def whole(request: web.Request, name: str, default: int, *, low: int = 0, high: int = 2**53 - 1) -> int:
    """A whole number from the query."""
    raw = request.query.get(name)
    return default if raw is None else parse_whole(raw, name, low=low, high=high)


def flag(request: web.Request, name: str) -> bool:
    """Yes or no from the query; the bare name says yes."""
    raw = request.query.get(name, "false")
    if raw not in FLAGS:
        raise Invalid([Problem("bad_parameter", input=name, got=shown(raw), want="true or false")])
    return FLAGS[raw]


FLAGS = {"": True, "true": True, "1": True, "false": False, "0": False}


def parse_whole(raw: str, name: str, *, low: int = 0, high: int = 2**53 - 1) -> int:
    if raw.isascii() and raw.isdigit() and len(raw) <= 16 and low <= int(raw) <= high:
        return int(raw)
    want = f"a whole number {low} to {high}"
    raise Invalid([Problem("bad_parameter", input=name, got=shown(raw), want=want)])


def idempotency_key(request: web.Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > 200 or not key.isascii() or not key.isprintable():
        want = "at most 200 printable ASCII characters"
        raise Invalid([Problem("bad_header", input="Idempotency-Key", got=shown(key), want=want)])
    return key


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A value as JSON."""
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type="application/json", headers=headers
    )


def matches(request: web.Request, etag: str) -> bool:
    """Whether the client already holds this version."""
    return any(given.value in (etag, "*") for given in request.if_none_match or ())


def quoted(etag: str) -> dict[str, str]:
    return {hdrs.ETAG: f'"{etag}"'}
