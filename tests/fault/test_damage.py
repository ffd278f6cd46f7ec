"""Damaged files: a cached result is computed again and reported, the jobs' database is refused untouched."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.config import ROOT
from tests.fault.trouble import Diary, chore, expected, install
from tests.serving import Json, Server, environment


class Spoiled:
    """A data folder with one finished job, and a server that may be started over it again."""

    def __init__(self, folder: Path) -> None:
        self.diary = Diary(folder / "diary.txt")
        self.server = Server(folder / "data", packs=str(install(folder)))
        self.cache = folder / "data" / "cache"
        with self.server as server:
            self.first = self.again()
            server.stop()
        assert self.first["outputs"]["sum"] == expected(1)[0]
        with closing(sqlite3.connect(self.cache / "cache.db")) as db:  # all of it into the one file
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def again(self) -> Json:
        return self.server.run(chore(1, self.diary))

    def after_restart(self) -> Json:
        """The same job on a new server; its outputs must be those of the first."""
        with self.server:
            run = self.again()
        assert run["state"] == "done"
        assert run["outputs"]["sum"] == self.first["outputs"]["sum"]
        assert run["outputs"]["picture"]["sha256"] == self.first["outputs"]["picture"]["sha256"]
        return run

    def ran(self, run: Json) -> set[str]:
        """The pure steps that were really computed."""
        return {id for id, step in run["steps"].items() if step["calls"]} - {"save", "tell"}


@pytest.fixture
def spoiled(tmp_path: Path) -> Spoiled:
    return Spoiled(tmp_path)


def flip(file: Path, *places: int) -> None:
    data = bytearray(file.read_bytes())
    for place in places:
        data[place] ^= 0x40
    file.write_bytes(data)


def test_undamaged_nothing_is_computed_after_a_restart(spoiled: Spoiled) -> None:
    run = spoiled.after_restart()
    assert spoiled.ran(run) == set()
    assert {run["steps"][id]["cache"] for id in ("own", "common", "sum", "draw")} == {"disk"}


def test_a_cached_row_with_one_bit_changed_is_computed_again_and_reported(
    spoiled: Spoiled, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(spoiled.cache / "cache.db", isolation_level=None)) as db:
        rows = db.execute("SELECT key, data FROM calls").fetchall()
        assert len(rows) == 4
        for key, data in rows:
            middle = len(data) // 2
            changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            db.execute("UPDATE calls SET data = ? WHERE key = ?", (changed, key))
    run = spoiled.after_restart()
    assert spoiled.ran(run) == {"own", "common", "sum", "draw"}
    assert "A cached result was damaged" in capfd.readouterr().err
    assert spoiled.ran(spoiled.after_restart()) == set()


def test_a_cached_file_with_one_bit_changed_is_computed_again_and_reported(
    spoiled: Spoiled, capfd: pytest.CaptureFixture[str]
) -> None:
    blobs = [path for path in (spoiled.cache / "blobs").glob("??/??/*") if path.is_file()]
    assert len(blobs) == 1
    flip(blobs[0], blobs[0].stat().st_size // 2)
    run = spoiled.after_restart()
    assert spoiled.ran(run) == {"draw"}
    assert "A cached result was damaged" in capfd.readouterr().err
    assert spoiled.ran(spoiled.after_restart()) == set()


@pytest.mark.parametrize("seed", range(3))
def test_a_cache_with_damage_anywhere_never_gives_a_wrong_result(spoiled: Spoiled, seed: int) -> None:
    draw = random.Random(seed)
    file = spoiled.cache / "cache.db"
    flip(file, *(draw.randrange(file.stat().st_size) for _ in range(200)))
    spoiled.after_restart()
    spoiled.after_restart()


def test_a_cache_that_is_no_database_is_begun_afresh(
    spoiled: Spoiled, capfd: pytest.CaptureFixture[str]
) -> None:
    (spoiled.cache / "cache.db").write_bytes(b"not a database" * 500)
    run = spoiled.after_restart()
    assert spoiled.ran(run) == {"own", "common", "sum", "draw"}
    assert "set aside" in capfd.readouterr().err


def test_without_its_cache_folder_everything_is_computed_again(spoiled: Spoiled) -> None:
    shutil.rmtree(spoiled.cache)
    assert spoiled.ran(spoiled.after_restart()) == {"own", "common", "sum", "draw"}


@pytest.mark.parametrize("damage", ["header", "middle", "cut"])
def test_a_damaged_jobs_database_is_refused_in_one_sentence_and_left_as_it_is(
    spoiled: Spoiled, damage: str
) -> None:
    file = spoiled.server.data / "tessera.db"
    data = bytearray(file.read_bytes())
    if damage == "header":
        data[:16] = b"something else!!"
    elif damage == "middle":
        for page in range(4096, len(data) - 4096, 4096):
            data[page : page + 64] = bytes(64)
    else:
        del data[len(data) // 2 :]
    file.write_bytes(data)
    serve = [sys.executable, str(ROOT / "server.py"), "serve", "--port", "0"]
    done = subprocess.run(
        serve, env=environment(spoiled.server.data), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode not in (0, 2)
    [sentence] = done.stderr.strip().splitlines()
    assert "tessera.db is damaged" in sentence
    assert "Traceback" not in sentence
    assert done.stdout == ""
    assert file.read_bytes() == bytes(data)
