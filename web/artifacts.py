"""Files in and out: uploads with a cap, downloads with ranges, caching and no way to run anything."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from urllib.parse import quote, unquote

import aiohttp
from aiohttp import BodyPartReader, hdrs, web
from msgspec.structs import replace

from engine.errors import Invalid, Problem, TooLarge, Unsupported, shown
from engine.thumbnails import SIZES
from engine.types import Artifact
from web import views
from web.problems import document
from web.route import BROKEN, Param, Route, answer, engine, matches, owner, quoted, unreadable, whole
from web.views import FileView

INLINE = re.compile(r"image/(png|jpeg|webp|gif|avif)|audio/[\w.+-]+|video/[\w.+-]+")
THUMBNAIL = "image/webp"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CHUNK = 256 * 1024
UPLOADS_AT_ONCE = 2  # each is held in memory until it is kept
LOCKED = "sandbox; default-src 'none'"
UPLOADS: web.AppKey[asyncio.Semaphore] = web.AppKey("uploads", asyncio.Semaphore)


async def upload(request: web.Request) -> web.StreamResponse:
    """Keep a file, sent as the body or as the `file` field of a form; its type is read from its content."""
    limit = engine(request).settings.upload_limit
    if (request.content_length or 0) > limit + CHUNK:
        raise too_large(limit)
    async with request.app[UPLOADS]:
        data, name = await received(request, limit)
        if not data:
            raise Invalid([Problem("empty_upload", input="body", want="a file of at least one byte")])
        id = await engine(request).add_artifact(data, name=tidy(name), owner=owner(request))
    view = views.file_named(id, await engine(request).artifact(id, owner=owner(request)))
    return answer(view, 201, {"Location": view.url})


async def download(request: web.Request) -> web.StreamResponse:
    """Fetch a file, or with `size` a small picture of it."""
    size = thumbnail(whole(request, "size", 0, high=2**31))
    path, artifact = await engine(request).artifact_path(
        request.match_info["id"], size=size, owner=owner(request)
    )
    etag = f"{artifact.sha256}-{size}" if size else artifact.sha256
    if size:
        artifact = replace(artifact, mime=THUMBNAIL, name="")
    headers = headers_of(artifact, etag, save="download" in request.query)
    if matches(request, etag):
        return web.Response(status=304, headers=headers)
    return await send(request, path, etag, headers)


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a file; results that were computed from it are forgotten."""
    await engine(request).delete_artifact(request.match_info["id"], owner=owner(request))
    return web.Response(status=204)


async def received(request: web.Request, limit: int) -> tuple[bytes, str]:
    """The bytes and the name of what is uploaded."""
    try:
        if request.content_type == "multipart/form-data":
            return await from_form(request, limit)
        if request.content_type in ("application/x-www-form-urlencoded", "text/plain"):
            raise Unsupported(
                f"The upload is sent as {request.content_type}.",
                remedy="Send Content-Type: application/octet-stream, or the file's own type.",
            )
        return await capped(request.content, limit), request.query.get("name", "")
    except (ValueError, *BROKEN):
        raise unreadable() from None


async def from_form(request: web.Request, limit: int) -> tuple[bytes, str]:
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            return await capped(part, limit), unquote(part.filename or "")
    raise Invalid([Problem("no_file", input="file", want="a form with a field named `file`")])


async def capped(source: aiohttp.StreamReader | BodyPartReader, limit: int) -> bytes:
    """All of the bytes, if they are not more than allowed."""
    data = io.BytesIO()  # hands its bytes over without a second copy
    more = source.read_chunk if isinstance(source, BodyPartReader) else source.read
    while chunk := await more(CHUNK):
        if data.tell() + len(chunk) > limit:
            raise too_large(limit)
        data.write(chunk)
    return data.getvalue()


def too_large(limit: int) -> TooLarge:
    return TooLarge("The upload is too large.", remedy=f"At most {limit:,} bytes are accepted.")


def tidy(name: str) -> str:
    """A client's file name without folders and characters that do not print."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[:200]


def thumbnail(asked: int) -> int:
    """The next size that thumbnails have; 0 is the file itself."""
    return next((size for size in SIZES if size >= asked), SIZES[-1]) if asked else 0


def headers_of(artifact: Artifact, etag: str, *, save: bool) -> dict[str, str]:
    inline = not save and INLINE.fullmatch(artifact.mime) is not None
    name = f"; filename*=UTF-8''{quote(artifact.name, safe='')}" if artifact.name else ""
    return {
        **quoted(etag),
        hdrs.CONTENT_TYPE: artifact.mime or "application/octet-stream",
        hdrs.CONTENT_DISPOSITION: ("inline" if inline else "attachment") + name,
        hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable",
        hdrs.ACCEPT_RANGES: "bytes",
        "Content-Security-Policy": LOCKED,
    }


async def send(request: web.Request, path: Path, etag: str, headers: dict[str, str]) -> web.StreamResponse:
    """The file, or the part of it that is asked for."""
    total = path.stat().st_size
    span = part(request.headers.get("Range", ""), total)
    if request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        span = None
    if span is not None and not span:
        return out_of_range(request, total)
    wanted = range(total) if span is None else span
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    response.content_length = len(wanted)
    if span is not None:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.stop - 1}/{total}"
    await response.prepare(request)
    if request.method != "HEAD":
        await copy(path, response, wanted)
    await response.write_eof()
    return response


def out_of_range(request: web.Request, total: int) -> web.Response:
    want = f"bytes of 0 to {total - 1}"
    problem = Problem("bad_range", input="Range", got=shown(request.headers["Range"]), want=want)
    headers = {"Content-Range": f"bytes */{total}"}
    return document(416, problem.code, "", problem.sentence(), [problem], headers)


async def copy(path: Path, response: web.StreamResponse, wanted: range) -> None:
    with path.open("rb") as file:
        file.seek(wanted.start)
        left = len(wanted)
        while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK, left))):
            await response.write(chunk)
            left -= len(chunk)


def part(header: str, total: int) -> range | None:
    """The bytes that a Range header asks for: None is all of them, empty is none that there are."""
    match = RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        return range(max(total - int(last), 0), total)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, total) if last else total)


SIZE = Param("size", "A small picture at most this wide and high.", "integer")
SAVE = Param("download", "Present: to be saved, not shown.")
NAME = Param("name", "How the file is called.")
FILE = "application/octet-stream"
ROUTES = (
    Route("POST", "/api/artifacts", upload, "artifacts", FileView, bytes, 201, params=(NAME,), takes=FILE),
    Route("GET", "/api/artifacts/{id}", download, "artifacts", media=FILE, params=(SIZE, SAVE)),
    Route("DELETE", "/api/artifacts/{id}", delete, "artifacts", status=204, media=""),
)
