"""Small pictures of what is kept, made by processes of their own."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as pil

from engine import thumbnails
from engine.artifacts import Folder
from engine.codecs import dimensions, picture_bytes, sniff
from engine.errors import BadInput, NotFound, Unsupported
from engine.thumbnails import Thumbnails, thumbnail
from engine.types import Image


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "store")


@pytest_asyncio.fixture
async def small(folder: Folder) -> AsyncIterator[Thumbnails]:
    made = Thumbnails(folder)
    yield made
    await made.close()


def noise(width: int, height: int, seed: int = 3) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return picture_bytes(Image(pixels))


def process_of(small: Thumbnails) -> int:
    """The process that makes the next one."""
    child = small._free[-1].child
    assert child is not None
    return child.pid


async def test_a_thumbnail_is_made_outside_and_once(folder: Folder, small: Thumbnails) -> None:
    sha256 = folder.put(noise(300, 150))
    path = await small.path(sha256, 100)
    data = path.read_bytes()
    assert sniff(data) == "image/webp"
    assert dimensions(data) == (128, 64)
    path.write_bytes(b"seen")
    assert (await small.path(sha256, 120)).read_bytes() == b"seen"


def bomb() -> bytes:
    out = io.BytesIO()
    pil.new("L", (1, 1)).save(out, "png")
    data = bytearray(out.getvalue())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


async def test_what_cannot_be_shown_small_is_an_error_and_leaves_nothing(
    folder: Folder, small: Thumbnails
) -> None:
    for data in (b"plain text", bomb()):
        with pytest.raises(Unsupported):
            await small.path(folder.put(data), 64)
    with pytest.raises(NotFound):
        await small.path("0" * 64, 64)
    assert not list(folder.root.glob("thumbs/*/*"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_picture_has_a_thumbnail(folder: Folder, mode: str) -> None:
    out = io.BytesIO()
    pil.new(mode, (200, 100)).save(out, "tiff" if mode == "CMYK" else "png")
    assert dimensions(thumbnail(folder, folder.put(out.getvalue()), 64).read_bytes()) == (64, 32)


def test_a_small_picture_is_not_blown_up(folder: Folder) -> None:
    assert dimensions(thumbnail(folder, folder.put(noise(20, 10)), 512).read_bytes()) == (20, 10)


def test_a_hostile_picture_is_bad_input_where_it_is_decoded(folder: Folder) -> None:
    with pytest.raises(BadInput, match="megapixels"):
        thumbnail(folder, folder.put(bomb()), 64)


async def test_a_page_of_pictures_shares_a_process(folder: Folder, small: Thumbnails) -> None:
    await small.path(folder.put(noise(40, 20)), 64)
    first = process_of(small)
    for seed in range(5):
        await small.path(folder.put(noise(40, 20, seed + 10)), 64)
    assert process_of(small) == first


async def test_one_that_fails_has_its_process_replaced_and_the_next_is_made(
    folder: Folder, small: Thumbnails
) -> None:
    await small.path(folder.put(noise(40, 20)), 64)
    first = process_of(small)
    with pytest.raises(Unsupported):
        await small.path(folder.put(bomb()), 64)
    assert (await small.path(folder.put(noise(40, 20, 5)), 64)).is_file()
    assert process_of(small) != first


async def test_a_process_that_ended_meanwhile_is_started_again(folder: Folder, small: Thumbnails) -> None:
    await small.path(folder.put(noise(40, 20)), 64)
    child = small._free[-1].child
    assert child is not None
    child.kill()
    await child.wait()
    assert (await small.path(folder.put(noise(40, 20, 5)), 64)).is_file()


async def test_an_idle_process_ends_by_itself(
    folder: Folder, small: Thumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = "from engine import thumbnails; thumbnails.IDLE = 0.05; "
    monkeypatch.setattr(thumbnails, "CHILD", short + thumbnails.CHILD)
    await small.path(folder.put(noise(40, 20)), 64)
    child = small._free[-1].child
    assert child is not None
    assert await child.wait() == 0
    assert (await small.path(folder.put(noise(40, 20, 5)), 64)).is_file()
