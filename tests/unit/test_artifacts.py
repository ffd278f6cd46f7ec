"""Bytes by digest in a folder, and what nodes read and keep."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import artifacts
from engine.artifacts import (
    Folder,
    keep,
    mentions,
    read,
    safe_stem,
    using,
    write_numbered,
)
from engine.codecs import picture_bytes
from engine.errors import Damaged, NotFound, TesseraError
from engine.thumbnails import thumbnail
from engine.types import Artifact, Image, Value


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "store")


def noise(width: int, height: int) -> bytes:
    return picture_bytes(Image(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)))


def test_bytes_come_back_under_their_digest(folder: Folder) -> None:
    sha256 = folder.put(b"hello")
    assert sha256 == hashlib.sha256(b"hello").hexdigest()
    assert folder.get(sha256) == b"hello"
    assert folder.has(sha256)
    assert folder.path(sha256).read_bytes() == b"hello"


def test_the_same_bytes_are_kept_once(folder: Folder) -> None:
    first = folder.path(folder.put(b"x" * 1000))
    before = first.stat().st_mtime_ns
    assert folder.path(folder.put(b"x" * 1000)) == first
    assert first.stat().st_mtime_ns == before
    assert folder.size() == 1000
    assert list(folder.names()) == [first.name]


def test_what_was_never_kept_is_not_found(folder: Folder) -> None:
    with pytest.raises(NotFound):
        folder.get("0" * 64)
    assert not folder.has("0" * 64)
    folder.delete("0" * 64)


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "/" * 64]
)
def test_no_name_but_a_digest_leads_anywhere(folder: Folder, name: str) -> None:
    for ask in (folder.path, folder.get, folder.has, folder.delete):
        with pytest.raises(NotFound):
            ask(name)


def test_changed_bytes_are_never_handed_out_and_can_be_put_anew(folder: Folder) -> None:
    sha256 = folder.put(b"hello")
    folder.path(sha256).write_bytes(b"jello")
    with pytest.raises(Damaged):
        folder.get(sha256)
    assert not folder.has(sha256)
    folder.put(b"hello")
    assert folder.get(sha256) == b"hello"


def test_a_file_cut_short_by_a_power_cut_is_written_again(folder: Folder) -> None:
    sha256 = folder.put(b"hello")
    folder.path(sha256).write_bytes(b"he")
    folder.put(b"hello")
    assert folder.get(sha256) == b"hello"


def test_deleting_takes_the_thumbnails_along(folder: Folder) -> None:
    sha256 = folder.put(noise(100, 50))
    small = thumbnail(folder, sha256, 64)
    folder.delete(sha256)
    assert not folder.has(sha256)
    assert not small.exists()


def test_leftovers_of_killed_processes_are_swept_and_fresh_ones_left(folder: Folder) -> None:
    folder.put(b"hello")
    old, fresh = folder.root / "tmp" / "old", folder.root / "tmp" / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert folder.sweep() == 1
    assert fresh.exists()
    assert not old.exists()
    assert folder.size() == 5


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
from engine.artifacts import Folder
from engine.errors import DiskFull
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
folder = Folder(Path({str(tmp_path)!r}))
folder.put(b"x" * 900)
try:
    folder.put(b"x" * 5000)
except DiskFull as error:
    left = len(list((folder.root / "tmp").iterdir()))
    print(folder.size(), left, error.remedy != "", {str(tmp_path)!r} in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["900", "0", "True", "False"]


def test_many_threads_may_put_the_same_bytes(folder: Folder) -> None:
    threads = [threading.Thread(target=folder.put, args=(b"y" * 10_000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.size() == 10_000


# -- what nodes say


def test_a_node_keeps_a_picture_and_reads_it_again(folder: Folder, tmp_path: Path) -> None:
    data = noise(30, 20)
    with using(folder, tmp_path / "output"):
        kept = keep(data, name="circle")
        assert read(kept) == data
    assert (kept.mime, kept.bytes, kept.width, kept.height) == ("image/png", len(data), 30, 20)
    assert kept.name == "circle_00001.png"
    assert (tmp_path / "output" / kept.name).read_bytes() == data
    assert folder.get(kept.sha256) == data


def test_without_a_name_no_file_is_written_for_people(folder: Folder, tmp_path: Path) -> None:
    with using(folder, tmp_path / "output"):
        keep(b"some text")
    assert not (tmp_path / "output").exists()


def test_changing_the_file_in_the_output_folder_harms_no_artifact(folder: Folder, tmp_path: Path) -> None:
    with using(folder, tmp_path):
        kept = keep(b"some text", name="note")
    (tmp_path / kept.name).write_bytes(b"other text")
    assert folder.get(kept.sha256) == b"some text"


def test_outside_an_engine_a_node_keeps_and_reads_all_the_same() -> None:
    kept = keep(b"plain call", name="note")
    assert read(kept) == b"plain call"
    assert kept.name == "note"


def test_numbers_go_on_after_the_last_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a_00007.jpg").write_bytes(b"mine")
    (tmp_path / "a_b_00012.png").write_bytes(b"another's")
    names = [write_numbered(tmp_path, "a", ".png", b"x").name for _ in range(2)]
    assert names == ["a_00008.png", "a_00009.png"]
    assert not list(tmp_path.glob(".*"))


def race(folder: str, count: int) -> None:
    for _ in range(count):
        write_numbered(Path(folder), "race", ".txt", str(os.getpid()).encode())


def test_two_processes_never_take_the_same_number(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=race, args=(str(tmp_path), 40)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"race_{n:05}.txt" for n in range(1, 81)]
    written = [file.read_bytes() for file in files]
    assert sorted(written.count(pid) for pid in set(written)) == [40, 40]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a red circle", "a red circle"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "_file"),
        ("", "_file"),
        (".hidden", "hidden"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com¹", "_com¹"),
        ("console", "console"),
        ("a\0b\nc\u202e", "abc"),
        ("x. . .", "x"),
        ('<a:b|c?*">', "_a_b_c____"),
    ],
)
def test_hostile_names_become_harmless(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@given(st.text(st.characters(codec=None), max_size=400))
def test_every_name_becomes_one_that_every_system_takes(name: str) -> None:
    stem = safe_stem(name)
    assert 0 < len(stem.encode()) <= 200
    assert not re.search(r'[\x00-\x1f/\\:*?"<>|]', stem)
    assert stem[0] not in ". "
    assert stem[-1] not in ". "
    assert safe_stem(stem) == stem


def test_a_folder_that_cannot_be_written_is_said_without_its_path(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"a file in the way")
    with using(folder, tmp_path / "output"), pytest.raises(TesseraError) as caught:
        keep(b"text", name="note")
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.remedy


class Album(Value, frozen=True, eq=False):
    """Artifacts inside a value."""

    cover: Artifact
    pages: list[Artifact]


def test_every_artifact_inside_values_is_mentioned() -> None:
    a, b, c = (Artifact(letter * 64, "image/png", 1) for letter in "abc")
    assert set(mentions([1.0, [a], {"k": Album(b, [c, a])}])) == {a.sha256, b.sha256, c.sha256}
    assert mentions([1, "x", None, [2.0], np.zeros(2)]) == ()


PNG = picture_bytes(Image(np.zeros((4, 4, 3), np.uint8)))


def test_a_call_that_was_killed_after_it_wrote_its_file_finds_it_again(tmp_path: Path) -> None:
    store, output = Folder(tmp_path / "store"), tmp_path / "output"
    token = artifacts.effect.set("job|save|0")
    try:
        with using(store, output):
            first = keep(PNG, name="circle")
            again = keep(PNG, name="circle")
            artifacts.effect_over(output, "job|save|0")
            later = keep(PNG, name="circle")
    finally:
        artifacts.effect.reset(token)
    assert first.name == again.name == "circle_00001.png"
    assert later.name == "circle_00002.png"
    artifacts.effect_over(output, "job|save|0")
    assert sorted(path.name for path in output.iterdir()) == ["circle_00001.png", "circle_00002.png"]


def test_a_file_half_written_by_a_killed_call_is_written_anew(tmp_path: Path) -> None:
    store, output = Folder(tmp_path / "store"), tmp_path / "output"
    output.mkdir()
    (output / artifacts.part_of("job|save|0", "circle", PNG)).write_bytes(PNG[:5])
    token = artifacts.effect.set("job|save|0")
    try:
        with using(store, output):
            assert keep(PNG, name="circle").name == "circle_00001.png"
    finally:
        artifacts.effect.reset(token)
    assert (output / "circle_00001.png").read_bytes() == PNG
