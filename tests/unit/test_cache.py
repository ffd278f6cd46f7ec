"""What calls gave is remembered in memory and on disk, and never comes back wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.artifacts import Folder
from engine.cache import Cache, Cached, forget_artifact, mentions
from engine.digest import digest
from engine.tables import FILE, connect, tidy
from engine.types import Artifact, Image, Mask, Value

CLASSES: dict[str, type[Value]] = {"Image": Image, "Mask": Mask, "Artifact": Artifact}
MB = 1024**2
Open = Callable[..., Cache]


def cached(*values: Any) -> Cached:
    return Cached(values, tuple(map(digest, values)))


def remember(cache: Cache, key: bytes, *values: Any, **more: Any) -> None:
    told: dict[str, Any] = {
        "node": "add",
        "version": 1,
        "step": "s",
        "epoch": "cpu",
        "inputs": {},
        "seconds": 1.0,
    }
    cache.keep(key, cached(*values), **(told | more))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, said: list[str]) -> Iterator[Open]:
    """Opens the cache of this test, as often as it likes; all are closed at the end."""
    caches: list[Cache] = []

    def open_cache(folder: Path | None = tmp_path, *, memory: int = MB, disk: int = 100 * MB) -> Cache:
        caches.append(Cache(folder, CLASSES, memory, disk, said.append))
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.close()


def rows(folder: Path) -> list[bytes]:
    db = sqlite3.connect(folder / FILE)
    try:
        return [key for (key,) in db.execute("SELECT key FROM calls ORDER BY key")]
    finally:
        db.close()


def test_what_is_kept_is_there_at_once_and_after_a_restart(opened: Open) -> None:
    cache = opened()
    remember(cache, b"k", 1, 1.0, "1", True, None)
    assert cache.peek(b"k") == cached(1, 1.0, "1", True, None)
    assert cache.peek(b"other") is cache.fetch(b"other") is None
    cache.close()
    again = opened()
    assert again.peek(b"k") is None
    found = again.fetch(b"k")
    assert found == cached(1, 1.0, "1", True, None)
    assert [type(value) for value in found.values] == [int, float, str, bool, type(None)]
    assert again.peek(b"k") is found


def test_large_values_lie_beside_the_table_and_come_back_read_only(opened: Open, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    cache = opened()
    remember(cache, b"k", Image(pixels), 3, Mask(np.ones((100, 100), np.float32)))
    cache.close()
    assert len(list(Folder(tmp_path / "blobs").names())) == 2
    found = opened().fetch(b"k")
    assert found is not None
    image, three, mask = found.values
    assert (image.pixels == pixels).all()
    assert three == 3
    assert (mask.pixels == 1).all()
    assert not image.pixels.flags.writeable


@given(st.lists(st.floats() | st.text() | st.integers() | st.lists(st.booleans()), max_size=4))
def test_a_cache_without_a_folder_lives_in_memory(values: list[Any]) -> None:
    cache = Cache(None, {}, MB, MB)
    remember(cache, b"k", *values)
    cache.flush()
    found = cache.fetch(b"k")
    assert found is not None
    assert found.digests == cached(*values).digests
    cache.close()


def test_memory_forgets_what_was_used_longest_ago(opened: Open) -> None:
    cache = opened(None, memory=10_000)
    for n in range(3):
        remember(cache, b"%d" % n, "x" * 2000)
    assert cache.peek(b"0") is not None
    for n in range(3, 5):
        remember(cache, b"%d" % n, "x" * 2000)
    assert [n for n in range(5) if cache.peek(b"%d" % n) is not None] == [0, 3, 4]


def test_what_is_too_large_for_memory_is_fetched_even_before_it_is_on_disk(opened: Open) -> None:
    cache = opened(memory=1000)
    remember(cache, b"k", "x" * 5000)
    assert cache.peek(b"k") is None
    assert cache.fetch(b"k") == cached("x" * 5000)
    cache.flush()
    assert cache.fetch(b"k") == cached("x" * 5000)


async def test_flushing_waits_until_all_is_on_disk(opened: Open, tmp_path: Path) -> None:
    cache = opened()
    for n in range(12_000):
        remember(cache, b"%05d" % n, float(n))
    await cache.flushed()
    assert len(rows(tmp_path)) == 12_000


def test_what_was_flushed_survives_kill_9(tmp_path: Path, opened: Open) -> None:
    code = f"""
import os, signal
from pathlib import Path
from engine.cache import Cache, Cached
from engine.digest import digest
cache = Cache(Path({str(tmp_path)!r}), {{}}, 10**6, 10**8)
more = dict(node="n", version=1, step="s", epoch="", inputs={{}}, seconds=0)
for n in range(500):
    cache.keep(b"%d" % n, Cached((n,), (digest(n),)), **more)
cache.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    cache = opened()
    assert [cache.fetch(b"%d" % n) for n in range(500)] == [cached(n) for n in range(500)]


def test_two_caches_share_a_folder(opened: Open) -> None:
    one, two = opened(), opened()
    remember(one, b"a", 1)
    remember(two, b"b", 2)
    one.flush()
    two.flush()
    assert (one.fetch(b"b"), two.fetch(b"a")) == (cached(2), cached(1))


def test_several_threads_may_fetch_while_one_keeps(opened: Open) -> None:
    cache = opened(memory=3000)
    wrong: list[int] = []

    def look() -> None:
        for n in range(400):
            found = cache.fetch(b"%d" % n)
            if found is not None and found != cached(n):
                wrong.append(n)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(400):
        remember(cache, b"%d" % n, n)
    for thread in threads:
        thread.join()
    assert wrong == []
    cache.flush()
    assert [cache.fetch(b"%d" % n) for n in range(400)] == [cached(n) for n in range(400)]


def test_a_value_outside_the_closed_list_stays_in_memory_only(
    opened: Open, tmp_path: Path, said: list[str]
) -> None:
    cache = opened()
    cache.keep(
        b"k", Cached(({1, 2},), (b"d",)), node="odd", version=1, step="s", epoch="", inputs={}, seconds=1.0
    )
    remember(cache, b"l", 1)
    cache.flush()
    assert cache.peek(b"k") is not None
    assert rows(tmp_path) == [b"l"]
    assert ["odd" in text and "set" in text for text in said] == [True]


def test_a_class_of_a_pack_that_is_not_here_is_a_miss_and_not_a_loss(opened: Open, said: list[str]) -> None:
    cache = opened()
    remember(cache, b"k", Mask(np.ones((2, 2), np.float32)))
    cache.close()
    again = opened()
    again.classes = {}
    assert again.fetch(b"k") is None
    again.classes = CLASSES
    assert again.fetch(b"k") is not None
    assert said == []


# -- damage


def damage_row(folder: Path) -> None:
    db = sqlite3.connect(folder / FILE)
    (data,) = db.execute("SELECT data FROM calls").fetchone()
    db.execute("UPDATE calls SET data = ?", (data[:-1] + bytes([data[-1] ^ 1]),))
    db.commit()
    db.close()


def damage_blob(folder: Path) -> None:
    blobs = Folder(folder / "blobs")
    path = blobs.path(next(blobs.names()))
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def remove_blob(folder: Path) -> None:
    blobs = Folder(folder / "blobs")
    blobs.delete(next(blobs.names()))


@pytest.mark.parametrize("damage", [damage_row, damage_blob, remove_blob])
def test_a_damaged_result_is_removed_reported_and_can_be_kept_again(
    opened: Open, tmp_path: Path, said: list[str], damage: Callable[[Path], None]
) -> None:
    value = np.arange(5000.0)
    cache = opened()
    remember(cache, b"k", value, 1)
    cache.close()
    damage(tmp_path)
    again = opened()
    assert again.fetch(b"k") is None
    assert ["damaged" in text for text in said] == [True]
    remember(again, b"k", value, 1)
    again.close()
    assert rows(tmp_path) == [b"k"]
    found = opened().fetch(b"k")
    assert found is not None
    assert (found.values[0] == value).all()


def test_a_value_that_does_not_have_its_recorded_digest_is_refused(opened: Open, said: list[str]) -> None:
    cache = opened()
    cache.keep(
        b"k", Cached((1,), (digest(2),)), node="n", version=1, step="s", epoch="", inputs={}, seconds=1.0
    )
    cache.close()
    assert opened().fetch(b"k") is None
    assert len(said) == 1


def scribble_start(file: Path) -> None:
    file.write_bytes(b"this is no database" * 500)


def scribble_middle(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    file.write_bytes(data)


@pytest.mark.parametrize("scribble", [scribble_start, scribble_middle])
def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(
    opened: Open, tmp_path: Path, said: list[str], scribble: Callable[[Path], None]
) -> None:
    cache = opened()
    for n in range(300):
        remember(cache, b"%03d" % n, n)
    cache.close()
    scribble(tmp_path / FILE)
    again = opened()
    for n in range(300):
        assert again.fetch(b"%03d" % n) in (None, cached(n))
    remember(again, b"new", 1)
    again.close()
    assert any("damaged" in text for text in said)
    assert opened().fetch(b"new") == cached(1)
    assert (tmp_path / "cache.damaged").is_file()


def test_a_file_of_another_version_is_begun_afresh(opened: Open, tmp_path: Path, said: list[str]) -> None:
    opened().close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 999")
    db.close()
    cache = opened()
    remember(cache, b"k", 1)
    cache.close()
    assert rows(tmp_path) == [b"k"]
    assert "another version" in said[0]


def test_a_full_disk_stops_the_writing_with_one_report_and_raises_nothing(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
from engine.cache import Cache, Cached
from engine.digest import digest
said = []
cache = Cache(Path({str(tmp_path)!r}), {{}}, 10**8, 10**9, said.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
def keep(n, value):
    more = dict(node="n", version=1, step=str(n), epoch="", inputs={{}}, seconds=0)
    cache.keep(b"%d" % n, Cached((value,), (digest(value),)), **more)
for n in range(400):
    keep(n, str(n) * 1000)
    if n % 100 == 99:
        cache.flush()
keep(400, "x" * 1_000_000)
cache.flush()
assert all(cache.peek(b"%d" % n) for n in range(401))
cache.close()
print(len(said), said[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 Results are kept in memory only for a while: the disk is full")


def test_a_folder_that_cannot_be_made_leaves_the_memory(
    opened: Open, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    cache = opened(tmp_path / "file")
    remember(cache, b"k", 1)
    cache.flush()
    assert cache.fetch(b"k") == cached(1)
    assert ["memory only" in text for text in said] == [True]


# -- limits


def test_over_the_limit_what_is_cheap_to_compute_for_its_size_goes_first(
    opened: Open, tmp_path: Path
) -> None:
    cache = opened(disk=100_000)
    remember(cache, b"dear", "d" * 20_000, seconds=60.0)
    remember(cache, b"small", 1.0, seconds=0.01)
    for n in range(9):
        remember(cache, b"cheap%d" % n, str(n) * 20_000, seconds=0.01)
        cache.flush()
    left = rows(tmp_path)
    assert {b"dear", b"small"} < set(left)
    assert 1 <= len(left) - 2 <= 4
    assert Folder(tmp_path / "blobs").size() <= 100_000
    assert cache.fetch(b"dear") == cached("d" * 20_000)


def test_a_blob_lives_as_long_as_any_call_mentions_it(opened: Open, tmp_path: Path) -> None:
    blobs = Folder(tmp_path / "blobs")
    cache = opened()
    for letter in "ab":
        remember(cache, letter.encode(), "x" * 20_000, artifacts=(letter * 64,))
    cache.flush()
    assert len(list(blobs.names())) == 1
    forget_artifact(tmp_path, "a" * 64)
    assert len(list(blobs.names())) == 1
    forget_artifact(tmp_path, "b" * 64)
    assert len(list(blobs.names())) == 0


def test_tidying_removes_blobs_that_no_call_mentions_once_they_are_old(opened: Open, tmp_path: Path) -> None:
    cache = opened()
    remember(cache, b"k", "x" * 20_000)
    cache.close()
    blobs = Folder(tmp_path / "blobs")
    old, fresh = blobs.put(b"left by a killed process"), blobs.put(b"being written")
    used = next(name for name in blobs.names() if name not in (old, fresh))
    for name in (old, used):
        os.utime(blobs.path(name), (0, 0))
    db = connect(tmp_path / FILE)
    tidy(db, blobs)
    db.close()
    assert set(blobs.names()) == {fresh, used}


# -- artifacts


def test_deleting_an_artifact_forgets_what_was_made_from_it_or_gives_it(opened: Open, tmp_path: Path) -> None:
    artifact = Artifact("a" * 64, "image/png", 1)
    cache = opened()
    remember(cache, b"from", 1, artifacts=mentions([artifact]))
    remember(cache, b"gives", [artifact])
    remember(cache, b"other", 2)
    cache.flush()
    cache.forget_artifact("a" * 64)
    assert [cache.fetch(key) for key in (b"from", b"gives", b"other")] == [None, None, cached(2)]
    assert rows(tmp_path) == [b"other"]


def test_an_artifact_is_forgotten_from_another_process_and_after_a_restart(
    opened: Open, tmp_path: Path
) -> None:
    cache = opened()
    remember(cache, b"from", 1, artifacts=("a" * 64,))
    cache.close()
    code = "import sys, pathlib, engine.cache as c; c.forget_artifact(pathlib.Path(sys.argv[1]), 'a' * 64)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert opened().fetch(b"from") is None


def test_a_result_read_from_disk_still_knows_its_artifacts(opened: Open) -> None:
    cache = opened()
    remember(cache, b"from", 1, artifacts=("a" * 64,))
    cache.close()
    again = opened()
    assert again.fetch(b"from") == cached(1)
    again.forget_artifact("a" * 64)
    assert again.peek(b"from") is again.fetch(b"from") is None


def test_forgetting_where_no_cache_is_does_nothing(tmp_path: Path) -> None:
    forget_artifact(tmp_path / "none", "a" * 64)
    assert not (tmp_path / "none").exists()


# -- why

INPUTS = {name: digest(name) for name in ("prompt", "steps", "seed", "guidance", "size")}


def changed(*names: str) -> dict[str, bytes]:
    return {name: digest(name + "!") if name in names else value for name, value in INPUTS.items()}


def ran(
    cache: Cache, step: str = "s", inputs: dict[str, bytes] = INPUTS, version: int = 1, epoch: str = "cpu"
) -> None:
    remember(cache, os.urandom(16), 1, node="sample", step=step, inputs=inputs, version=version, epoch=epoch)


@pytest.mark.parametrize(
    ("version", "epoch", "inputs", "text"),
    [
        (1, "cpu", changed("prompt"), "prompt changed"),
        (1, "cpu", changed("seed", "steps"), "steps and seed changed"),
        (1, "cpu", changed("prompt", "seed", "steps"), "prompt, steps and seed changed"),
        (1, "cpu", changed(*INPUTS), "prompt, steps, seed and 2 more changed"),
        (1, "cpu", {**INPUTS, "mask": digest(1)}, "mask changed"),
        (1, "cpu", {k: v for k, v in INPUTS.items() if k != "size"}, "size changed"),
        (2, "cpu", INPUTS, "node version 1 → 2"),
        (1, "cuda", INPUTS, "torch, diffusers, device or dtype changed"),
        (2, "cpu", changed("seed"), "node version 1 → 2; seed changed"),
        (1, "cpu", INPUTS, "its earlier result is no longer kept"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
def test_why_names_what_differs(
    opened: Open, restarted: bool, version: int, epoch: str, inputs: dict[str, bytes], text: str
) -> None:
    cache = opened()
    ran(cache)
    if restarted:
        cache.close()
        cache = opened()
    assert cache.why("sample", version, "s", epoch, inputs) == text


def test_the_first_run_of_a_node_says_so(opened: Open) -> None:
    cache = opened()
    ran(cache)
    assert cache.why("decode", 1, "s", "cpu", INPUTS) == "first run of this node"


def test_why_compares_with_the_same_step_before_any_other_of_the_node(opened: Open) -> None:
    cache = opened()
    ran(cache, "first", changed("seed"))
    ran(cache, "second", changed("prompt"))
    assert cache.why("sample", 1, "first", "cpu", INPUTS) == "seed changed"
    assert cache.why("sample", 1, "third", "cpu", INPUTS) == "prompt changed"
    cache.close()
    again = opened()
    assert again.why("sample", 1, "first", "cpu", INPUTS) == "seed changed"
    ran(again, "first", changed("size"))
    assert again.why("sample", 1, "first", "cpu", INPUTS) == "size changed"
