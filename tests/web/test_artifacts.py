"""Files in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from engine.types import Artifact
from tests.web.served import Answer, Site, png, serving
from web.artifacts import headers_of, part, tidy

PNG = {"Content-Type": "image/png"}


async def kept(site: Site, data: bytes, kind: str = "application/octet-stream") -> Answer:
    return await site.post("/api/artifacts", data, headers={"Content-Type": kind})


async def test_an_upload_is_typed_by_its_content_not_by_what_it_says(site: Site) -> None:
    answer = await kept(site, png(12, 8), "video/mp4")
    assert answer.status == 201
    found = answer.json
    assert (found["mime"], found["width"], found["height"], found["bytes"]) == (
        "image/png",
        12,
        8,
        len(png(12, 8)),
    )
    assert answer.headers["Location"] == found["url"]


async def test_a_form_with_a_file_is_an_upload_too(site: Site) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "before the file")
    form.add_field("file", png(), filename="../../red.png")
    answer = await site.ask("POST", "/api/artifacts", data=form)
    assert (answer.status, answer.json["name"]) == (201, "red.png")
    empty = aiohttp.FormData()
    empty.add_field("other", b"x", filename="x")
    assert (await site.ask("POST", "/api/artifacts", data=empty)).status == 422


async def test_a_file_is_served_with_headers_that_let_it_be_cached_and_nothing_else(site: Site) -> None:
    found = (await kept(site, png())).json
    served = await site.get(found["url"])
    assert served.body == png()
    assert served.headers["ETag"] == f'"{found["sha256"]}"'
    assert served.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Content-Security-Policy"].startswith("sandbox")
    assert served.headers["Content-Disposition"].startswith("inline")
    saved = await site.get(found["url"] + "?download=1")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    unchanged = await site.get(found["url"], headers={"If-None-Match": served.headers["ETag"]})
    assert (unchanged.status, unchanged.body) == (304, b"")
    head = await site.ask("HEAD", found["url"])
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(png())), b"")


async def test_pages_and_drawings_are_never_served_as_such(site: Site) -> None:
    for text in (b"<!doctype html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg"/>'):
        served = await site.get((await kept(site, text, "text/html")).json["url"])
        assert served.headers["Content-Type"] == "text/plain"
        assert served.headers["Content-Disposition"] == "attachment"
        assert served.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "application/pdf", "text/plain", ""])
def test_only_pictures_sound_and_video_are_shown_inline(mime: str) -> None:
    headers = headers_of(Artifact("0" * 64, mime, 1, 'a"b\r\n.svg'), "e", save=False)
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22b%0D%0A.svg"


async def test_ranges_give_exactly_the_bytes_asked_for(site: Site) -> None:
    data = png(64, 64)
    url = (await kept(site, data)).json["url"]
    middle = await site.get(url, headers={"Range": "bytes=10-19"})
    assert (middle.status, middle.body) == (206, data[10:20])
    assert middle.headers["Content-Range"] == f"bytes 10-19/{len(data)}"
    tail = await site.get(url, headers={"Range": "bytes=-7"})
    assert (tail.status, tail.body) == (206, data[-7:])
    rest = await site.get(url, headers={"Range": "bytes=20-"})
    assert (rest.status, rest.body) == (206, data[20:])
    beyond = await site.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert beyond.codes == ["bad_range"]
    other = await site.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (other.status, other.body) == (200, data)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=0-0", range(1)),
        ("bytes=2-999999999999999999", range(2, 10)),
        ("bytes=-999", range(10)),
        ("bytes=-0", range(10, 10)),
        ("bytes=10-", range(10, 10)),
    ],
)
def test_a_range_header_is_read_or_ignored(header: str, wanted: range | None) -> None:
    assert part(header, 10) == wanted


async def test_thumbnails_come_in_a_few_sizes(site: Site) -> None:
    url = (await kept(site, png(300, 200))).json["url"]
    small = await site.get(url + "?size=100")
    assert small.status == 200
    assert small.headers["Content-Type"].startswith("image/")
    assert small.headers["ETag"] == (await site.get(url + "?size=128")).headers["ETag"]
    assert small.body == (await site.get(url + "?size=128")).body
    assert small.body != png(300, 200)


async def test_a_deleted_file_is_gone(site: Site) -> None:
    url = (await kept(site, png())).json["url"]
    assert (await site.ask("DELETE", url)).status == 204
    assert (await site.get(url)).status == 404
    assert (await site.ask("DELETE", url)).status == 404


async def test_an_upload_larger_than_the_limit_is_refused_however_it_is_sent() -> None:
    async with serving(upload_limit=10_000) as site:
        data = png() + bytes(20_000)
        assert (await kept(site, data)).status == 413

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 1000):
                yield data[start : start + 1000]

        chunked = await site.ask("POST", "/api/artifacts", data=pieces(), headers=PNG)
        assert (chunked.status, chunked.codes) == (413, ["too_large"])
        form = aiohttp.FormData()
        form.add_field("file", data, filename="big.png")
        assert (await site.ask("POST", "/api/artifacts", data=form)).status == 413


def test_a_file_name_loses_its_folders_and_what_does_not_print() -> None:
    assert tidy("C:\\Users\\me\\cat.png") == "cat.png"
    assert tidy("../../etc/pass\x00wd") == "passwd"
    assert len(tidy("x" * 1000)) == 200
