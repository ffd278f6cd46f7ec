"""The one database: a writer thread that commits whatever waits in one transaction, and migrations."""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from engine.errors import Damaged, DiskFull, TesseraError

# sqlite-utils would load numpy, merely to name its types: 12 MB and a third of the server's start. So this is
# the only module that imports it; the others take Reading and Writing from here.
_BLOCKED = "numpy" not in sys.modules
if _BLOCKED:
    sys.modules["numpy"] = None  # type: ignore[assignment]  # how an import is made to fail
try:
    import sqlite_utils
finally:
    if _BLOCKED:
        del sys.modules["numpy"]

T = TypeVar("T")
Reading = sqlite_utils.Database
"""The database as a read function, or a migration, sees it."""
Migration = tuple[str, Callable[[Reading], None]]
"""A name that is never reused, and what it does. Runs in a transaction: no `executescript`, which commits."""
Listener = Callable[[Any], None]

BATCH = 256  # writes per transaction: the first of them must not wait for an endless queue
CHECKED_BYTES = 256 * 1024**2  # a larger file is not read through at every start; damage shows when it is met
BUSY_MS = 10_000  # another process, such as a backup, may hold the file for a moment


class Newer(TesseraError):
    """The database was written by a newer version."""

    code: ClassVar[str] = "database_newer"


class Writing(sqlite_utils.Database):
    """The database as a write function sees it."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        super().__init__(conn, execute_plugins=False)
        self.said: list[Any] = []
        self.known: dict[str, Any] = {}
        """What write functions remember of what they wrote; empty again when any of it is undone."""

    def tell(self, item: object) -> None:
        """Give this to every listener once the write is committed; never if it is not."""
        self.said.append(item)


class Database:
    """SQLite behind two threads: one writes, one reads. Belongs to the event loop that opened it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        self._loop = loop
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._listeners: list[Listener] = []
        self._closed = False
        self._reader = ThreadPoolExecutor(1, "db-read")
        self._writer = threading.Thread(target=self._write_all, name="db-write", daemon=True)

    @classmethod
    async def open(cls, path: Path, migrations: tuple[Migration, ...]) -> Database:
        """Open or create the file and bring it up to date. Damaged and Newer leave it as it was."""
        db = cls(Path(path), asyncio.get_running_loop())
        try:
            await db._loop.run_in_executor(db._reader, db._open, migrations)
        except BaseException:
            db._reader.shutdown(wait=False)
            raise
        db._writer.start()
        return db

    async def write(self, fn: Callable[[Writing], T]) -> T:
        """Run a function on the writer thread; return when what it wrote is committed.

        Functions that wait at the same time share a transaction, each in its own savepoint: one that raises
        undoes its own work only. Should the transaction itself fail, each runs again alone, so a function
        does nothing that cannot be done twice. It runs even if its caller is cancelled meanwhile.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        waiting = Waiting(fn, self._loop.create_future())
        self._waiting.put(waiting)
        result: T = await waiting.future
        return result

    async def read(self, fn: Callable[[Reading], T]) -> T:
        """Run a function on the reader thread: it sees everything committed so far, and nothing later."""
        if self._closed:
            raise RuntimeError("the database is closed")
        return await self._loop.run_in_executor(self._reader, self._read, fn)

    def listen(self, listener: Listener) -> None:
        """Call this on the event loop with each thing told in a committed write, in order of commit."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop calling it."""
        self._listeners.remove(listener)

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy while work goes on; the name appears only when the copy is whole."""
        await asyncio.to_thread(copy, self.path, Path(path))

    async def close(self) -> None:
        """Finish every write that waits, then close the file."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._close)

    def _open(self, migrations: tuple[Migration, ...]) -> None:
        try:
            check(self.path)
            self._write_db = Writing(connect(self.path))
            try:
                migrate(self._write_db, self.path.name, migrations)
                self._write_db.execute("PRAGMA journal_mode = WAL")
                self._read_db = Reading(connect(self.path), execute_plugins=False)
                self._read_db.execute("PRAGMA query_only = ON")
            except BaseException:
                self._write_db.close()
                raise
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def _close(self) -> None:
        self._reader.shutdown()
        self._read_db.close()
        self._write_db.close()  # the last one out, which folds the log into the file

    def _read(self, fn: Callable[[Reading], T]) -> T:
        self._read_db.execute("BEGIN")  # so that all its statements see the same
        try:
            return fetched(fn(self._read_db))
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            self._read_db.execute("ROLLBACK")

    def _write_all(self) -> None:
        """The writer thread: take what waits, commit it, tell the loop; until close."""
        go_on = True
        while go_on:
            batch = [self._waiting.get()]
            with suppress(queue.Empty):
                while batch[-1] is not None and len(batch) < BATCH:
                    batch.append(self._waiting.get_nowait())
            go_on = batch[-1] is not None
            self._commit([waiting for waiting in batch if waiting is not None])

    def _commit(self, batch: list[Waiting]) -> None:
        db = self._write_db
        db.said = []
        try:
            transact(db, batch)
        except BaseException as error:
            db.known.clear()
            if db.conn.in_transaction:
                db.conn.rollback()
            if len(batch) > 1:
                for waiting in batch:  # the disk may be too full for one of them and not for the others
                    self._commit([waiting])
                return
            db.said = []
            for waiting in batch:
                waiting.failed = error
        with suppress(RuntimeError):  # the loop is gone, and nobody waits any more
            self._loop.call_soon_threadsafe(self._committed, batch, db.said)

    def _committed(self, batch: list[Waiting], said: list[Any]) -> None:
        """On the loop: listeners first, so that a caller finds them up to date."""
        for item in said:
            for listener in tuple(self._listeners):
                try:
                    listener(item)
                except Exception as error:
                    message = "a listener of the database failed"
                    self._loop.call_exception_handler({"message": message, "exception": error})
        for waiting in batch:
            waiting.resolve(self.path)


class Waiting:
    """A write that waits for its turn, and then for its commit."""

    __slots__ = ("failed", "fn", "future", "result")

    def __init__(self, fn: Callable[[Writing], Any], future: asyncio.Future[Any]) -> None:
        self.fn = fn
        self.future = future
        self.failed: BaseException | None = None
        self.result: Any = None

    def resolve(self, path: Path) -> None:
        if self.future.done():  # its caller was cancelled
            return
        if self.failed is None:
            self.future.set_result(self.result)
        elif isinstance(self.failed, StopIteration):  # which a future refuses
            self.future.set_exception(RuntimeError("a write raised StopIteration"))
        else:
            self.future.set_exception(explained(self.failed, path))


def transact(db: Writing, batch: list[Waiting]) -> None:
    """All of the batch in one transaction; raises only if nothing of it is kept."""
    if not batch:
        return
    execute = db.conn.execute
    execute("BEGIN IMMEDIATE")
    for waiting in batch:
        waiting.failed = None
        if len(batch) == 1:  # the transaction is its savepoint
            waiting.result = waiting.fn(db)
            break
        told = len(db.said)
        execute("SAVEPOINT one")
        try:
            waiting.result = waiting.fn(db)
        except BaseException as error:
            if not db.conn.in_transaction:  # a full disk ends the whole transaction
                raise
            execute("ROLLBACK TO one")
            db.known.clear()
            del db.said[told:]
            waiting.failed = error
        execute("RELEASE one")
    execute("COMMIT")


def fetched(result: T) -> T:
    if isinstance(result, sqlite3.Cursor):
        result.close()  # left open it would pin today's view for every later read
        raise TypeError("fetch the rows inside the function; a cursor cannot leave it")
    return result


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose transactions are begun by hand."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    conn.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    # NORMAL: a commit is in the kernel's hands when it returns, so it survives kill -9 of this process. Only
    # a power cut may take the last ones, and even then the file stays whole. FULL would wait for the disk.
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute("PRAGMA journal_size_limit = 67108864")
    return conn


def check(path: Path) -> None:
    """Look for damage before anything may change the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size == 0:
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if path.stat().st_size <= CHECKED_BYTES:
            found = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise damaged(path, str(found))


def migrate(db: Reading, name: str, migrations: tuple[Migration, ...]) -> None:
    """Apply in order those that are not recorded yet, all in one transaction."""
    names = [migration[0] for migration in migrations]
    if len(set(names)) != len(names):
        raise ValueError(f"two migrations have the same name: {sorted(names)}")
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied REAL NOT NULL)")
        applied = {row[0] for row in db.execute("SELECT name FROM migrations")}
        if unknown := sorted(applied - set(names)):
            raise newer(name, unknown[-1])
        for step, apply in migrations:
            if step not in applied:
                apply(db)
                db.execute("INSERT INTO migrations VALUES (?, ?)", (step, time.time()))
        db.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        raise


def copy(source: Path, target: Path) -> None:
    """A backup through SQLite, in one step: writers go on beside it."""
    partial = target.with_name(target.name + ".partial")
    try:
        with closing(connect(source)) as old, closing(sqlite3.connect(partial)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # a copy is one file
        os.replace(partial, target)
    except sqlite3.Error as error:
        raise explained(error, source) from error
    finally:
        partial.unlink(missing_ok=True)


def explained(error: BaseException, path: Path) -> BaseException:
    """What SQLite says, as an error with a remedy where we know one."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return DiskFull(f"The disk that holds {path.name} is full.", remedy="Free some space; work goes on.")
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
        remedy = "See that it is a file on a sound disk, which this user may write."
        return TesseraError(f"The database {path.name} cannot be used: {error}.", remedy=remedy)
    return error


def damaged(path: Path, found: str) -> Damaged:
    first = (found.splitlines() or [""])[-1]
    return Damaged(
        f"The database {path.name} is damaged ({first}). Nothing in it was changed.",
        remedy=f"Restore {path.name} from a copy, or move it away (with {path.name}-wal and {path.name}-shm) "
        "to start with an empty one.",
    )


def newer(name: str, migration: str) -> Newer:
    return Newer(
        f"The database {name} was written by a newer version: this one does not know its migration "
        f"{migration}. Nothing in it was changed.",
        remedy="Start the newer version again, or restore a copy from before the update.",
    )
