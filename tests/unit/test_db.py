"""One writer commits whatever waits; what is committed survives; damage and newer versions are refused."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from engine.config import ROOT
from engine.db import Database, Migration, Newer, Writing
from engine.errors import Cancelled, Damaged, DiskFull, TesseraError


def create(db: sqlite_utils.Database) -> None:
    db.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")


FIRST: tuple[Migration, ...] = (("first", create),)


@asynccontextmanager
async def opened(path: Path, migrations: tuple[Migration, ...] = FIRST) -> AsyncIterator[Database]:
    db = await Database.open(path, migrations)
    try:
        yield db
    finally:
        await db.close()


async def words(db: Database) -> list[str]:
    sql = "SELECT word FROM words ORDER BY rowid"
    return [row[0] for row in await db.read(lambda db: db.execute(sql).fetchall())]


def inserting(*new: str) -> Callable[[Writing], None]:
    def insert(db: Writing) -> None:
        for word in new:
            db.execute("INSERT INTO words VALUES (?)", (word,))
            db.tell(word)

    return insert


async def together(db: Database, *writes: Callable[[Writing], Any]) -> list[Any]:
    """What becomes of writes that wait at the same time, because the writer was busy when they came."""
    gate = threading.Event()
    busy = asyncio.ensure_future(db.write(lambda _: gate.wait()))
    waiting = [asyncio.ensure_future(db.write(write)) for write in writes]
    await asyncio.sleep(0)  # let each of them get in line
    gate.set()
    await busy
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_is_written_is_read_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "a.db") as db:
        await db.write(inserting("one"))
        assert await words(db) == ["one"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.db"]
    async with opened(tmp_path / "new" / "a.db") as db:
        assert await words(db) == ["one"]


async def test_everything_that_waits_is_committed_in_one_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:

        def visible_from_outside(conn: Writing) -> int:
            conn.execute("INSERT INTO words VALUES (hex(randomblob(8)))")
            with closing(sqlite3.connect(tmp_path / "a.db")) as other:
                return int(other.execute("SELECT count(*) FROM words").fetchone()[0])

        assert await together(db, *[visible_from_outside] * 20) == [0] * 20
        assert len(await words(db)) == 20


async def test_a_write_that_fails_undoes_itself_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:

        def fails(conn: Writing) -> None:
            inserting("half")(conn)
            raise KeyError("mine")

        def gives_up(conn: Writing) -> None:
            inserting("given up")(conn)
            raise Cancelled

        heard: list[str] = []
        db.listen(heard.append)
        writes = [inserting("a"), fails, inserting("b"), inserting("a"), gives_up, inserting("c")]
        found = await together(db, *writes)
        assert [type(each) for each in found] == [
            type(None), KeyError, type(None), sqlite3.IntegrityError, Cancelled, type(None)
        ]  # fmt: skip
        assert await words(db) == ["a", "b", "c"] == heard
        with pytest.raises(KeyError):  # alone in its transaction, too
            await db.write(fails)
        assert await words(db) == ["a", "b", "c"] == heard


async def test_listeners_hear_after_the_commit_and_before_the_caller_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        heard: list[str] = []
        db.listen(heard.append)
        for word in ("one", "two"):
            await db.write(inserting(word))
            assert heard[-1] == word
        db.unlisten(heard.append)
        await db.write(inserting("three"))
        assert heard == ["one", "two"]


async def test_a_listener_that_fails_stops_neither_the_others_nor_the_write(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        heard: list[str] = []
        db.listen(lambda word: heard.append(1 / 0))  # type: ignore[arg-type]  # never gets so far
        db.listen(heard.append)
        await db.write(inserting("one"))
        assert heard == ["one"]
        assert isinstance(reported[0]["exception"], ZeroDivisionError)


async def test_a_write_whose_caller_is_cancelled_is_still_made(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        task = asyncio.ensure_future(db.write(inserting("one")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await db.write(inserting("two"))
        assert await words(db) == ["one", "two"]


async def test_close_finishes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "a.db", FIRST)
    writes = [asyncio.ensure_future(db.write(inserting(str(n)))) for n in range(50)]
    await asyncio.sleep(0)
    await db.close()
    await db.close()
    await asyncio.gather(*writes)
    with pytest.raises(RuntimeError, match="closed"):
        await db.write(inserting("late"))
    with pytest.raises(RuntimeError, match="closed"):
        await words(db)
    async with opened(tmp_path / "a.db") as db:
        assert len(await words(db)) == 50


async def test_a_read_cannot_write_and_lets_no_cursor_pin_an_old_view(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        with pytest.raises(TesseraError, match="readonly"):
            await db.read(lambda conn: conn.execute("INSERT INTO words VALUES ('x')"))
        await db.write(inserting("one", "two"))
        with pytest.raises(TypeError, match="fetch the rows"):
            await db.read(lambda conn: conn.execute("SELECT word FROM words"))
        await db.write(inserting("three"))
        assert await words(db) == ["one", "two", "three"]


async def test_a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        pages = await db.write(lambda conn: conn.execute("PRAGMA page_count").fetchone()[0])
        await db.write(lambda conn: conn.execute(f"PRAGMA max_page_count = {pages + 5}").fetchone())
        found = await together(db, inserting("a"), inserting("large" * 20_000), inserting("b"))
        assert [type(each) for each in found] == [type(None), DiskFull, type(None)]
        assert "a.db" in str(found[1])
        with pytest.raises(DiskFull):
            await db.write(inserting("alone" * 20_000))
        await db.write(lambda conn: conn.execute("PRAGMA max_page_count = 1000000").fetchone())
        await db.write(inserting("large" * 20_000))
        assert [word[:5] for word in await words(db)] == ["a", "b", "large"]


async def test_when_a_transaction_is_lost_each_of_its_writes_runs_again_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        heard: list[str] = []
        db.listen(heard.append)

        def loses_the_transaction(conn: Writing) -> None:  # as SQLite does when a disk is full or broken
            conn.conn.execute("ROLLBACK")
            raise sqlite3.OperationalError("lost")

        found = await together(db, inserting("a"), loses_the_transaction, inserting("b"))
        assert [type(each) for each in found] == [type(None), sqlite3.OperationalError, type(None)]
        assert await words(db) == ["a", "b"] == heard


async def test_an_older_database_is_brought_up_to_date(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        await db.write(inserting("one"))

    def second(db: sqlite_utils.Database) -> None:
        db.execute("ALTER TABLE words ADD COLUMN length INTEGER NOT NULL DEFAULT 0")
        db.execute("UPDATE words SET length = length(word)")

    for _ in range(2):  # the second time there is nothing to do
        async with opened(tmp_path / "a.db", (*FIRST, ("second", second))) as db:
            assert await db.read(lambda conn: list(conn["words"].rows)) == [{"word": "one", "length": 3}]


async def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:
        await db.write(inserting("one"))

    def second(db: sqlite_utils.Database) -> None:
        db.execute("DROP TABLE words")
        raise KeyError("oops")

    with pytest.raises(KeyError):
        await Database.open(tmp_path / "a.db", (*FIRST, ("second", second)))
    async with opened(tmp_path / "a.db") as db:
        assert await words(db) == ["one"]


async def test_a_database_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with opened(path, (*FIRST, ("from the future", lambda db: None))):
        pass
    before = path.read_bytes()
    with pytest.raises(Newer, match=r"a\.db.*newer version.*from the future.*Nothing in it was changed"):
        await Database.open(path, FIRST)
    assert path.read_bytes() == before


async def test_a_damaged_database_is_refused_untouched_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with opened(path) as db:
        await db.write(inserting(*[f"{n:0400}" for n in range(500)]))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xa5" * 8192
    for damage in (bytes(data), data[:5000], b"this is no database" * 100):
        path.write_bytes(damage)
        with pytest.raises(Damaged) as caught:
            await Database.open(path, FIRST)
        assert "a.db is damaged" in str(caught.value)
        assert "Restore" in caught.value.remedy
        assert path.read_bytes() == damage


async def test_damage_met_later_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with opened(path) as db:
        await db.write(inserting(*[f"{n:0400}" for n in range(500)]))
        await db.write(lambda conn: conn.execute("PRAGMA page_count"))
    async with opened(path) as db:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096 * 20)
        with pytest.raises(Damaged, match=r"a\.db is damaged"):
            await words(db)


async def test_a_folder_in_its_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(TesseraError, match=r"a\.db cannot be used"):
        await Database.open(tmp_path / "a.db", FIRST)


async def test_a_copy_is_whole_while_work_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path / "a.db") as db:

        async def work(writer: int) -> None:
            for n in range(100):
                await db.write(inserting(f"{writer} {n} left", f"{writer} {n} right"))

        tasks = [asyncio.ensure_future(work(writer)) for writer in range(4)]
        for n in range(3):
            await db.copy_to(tmp_path / "copy.db")
            async with opened(tmp_path / "copy.db") as copied:
                found = await words(copied)
                assert len(found) % 2 == 0
                assert found == (await words(db))[: len(found)], n
        await asyncio.gather(*tasks)
        await db.copy_to(tmp_path / "copy.db")
    async with opened(tmp_path / "copy.db") as copied:
        assert len(await words(copied)) == 800
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "copy.db"]


WRITER = """
import asyncio, sys
from pathlib import Path
from engine.db import Database

def create(db):
    db.execute("CREATE TABLE pairs (name TEXT, side TEXT)")

def pair(name):
    def write(db):
        for side in ("left", "right"):
            db.execute("INSERT INTO pairs VALUES (?, ?)", (name, side))
    return write

async def work(db, writer):
    for n in range(1_000_000):
        await db.write(pair(f"{writer}-{n}"))
        print(f"{writer}-{n}", flush=True)

async def main():
    db = await Database.open(Path(sys.argv[1]), (("first", create),))
    await asyncio.gather(*(work(db, writer) for writer in range(8)))

asyncio.run(main())
"""


def promises_until_killed(path: Path, count: int) -> list[str]:
    """Run a process that writes pairs and says so of each; kill it after so many, and return all it said."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        promised = [process.stdout.readline().strip() for _ in range(count)]
        process.kill()
        *rest, _cut_off = process.stdout.read().split("\n")
    return promised + rest


@pytest.mark.parametrize("promises", [1, 100, 700])
async def test_after_kill_9_every_promise_is_kept_and_nothing_is_half_done(
    tmp_path: Path, promises: int
) -> None:
    promised = promises_until_killed(tmp_path / "a.db", promises)
    async with opened(tmp_path / "a.db", (("first", lambda db: None),)) as db:
        sql = "SELECT name, group_concat(side, ' and ') FROM pairs GROUP BY name"
        kept = dict(await db.read(lambda conn: conn.execute(sql).fetchall()))
    assert set(kept.values()) == {"left and right"}
    assert set(promised) <= set(kept)
    assert len(promised) >= promises


def test_the_database_does_not_load_numpy() -> None:
    program = "import sys, engine.jobs, engine.library, engine.assets; print('numpy' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout == "False\n"
