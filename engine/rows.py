"""A job as rows of the database: read, written, and taken from state to state within one write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict, replace

from engine.db import Migration, Reading, Writing
from engine.errors import Conflict, Invalid, NotFound, Problem, shown
from engine.events import Event, Job, JobState, Question, StepReport, builtins
from engine.log import append, erase, newest
from engine.ports import JsonValue
from engine.types import Artifact

CRASHES = 3
"""Workers that may die under a job before it is set aside."""
SMALL = 16_384
"""Bytes of inputs or outputs that an event still carries; larger ones are asked for with the run."""
MOST_URGENT = 100

CHANGING = ("state", "priority", "position", "progress", "attempts", "crashes", "started", "finished")
COLUMNS = ("id", "owner", "created", *CHANGING)
LIGHT = f"SELECT {', '.join(COLUMNS)}, asked, found, x'' FROM jobs"
"""Without the document, which may be large."""
FULL = f"SELECT {', '.join(COLUMNS)}, asked, found, document FROM jobs JOIN documents USING (digest)"
INSERT = f"""INSERT INTO jobs ({", ".join(COLUMNS)}, asked, found, digest, key, fingerprint)
    VALUES ({", ".join("?" for _ in COLUMNS)}, ?, ?, ?, ?, ?)"""
UPDATE = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in CHANGING)}, lease = ?, found = ? WHERE id = ?"
NEXT_OWNER = """WITH RECURSIVE
    top (priority) AS (SELECT max(priority) FROM jobs INDEXED BY jobs_queued WHERE state = 'queued'),
    owners (owner) AS (  -- one look-up per owner that waits, however many jobs each has
        SELECT (SELECT min(owner) FROM jobs WHERE state = 'queued' AND priority = (SELECT priority FROM top))
        UNION ALL
        SELECT (SELECT min(owner) FROM jobs WHERE state = 'queued'
            AND priority = (SELECT priority FROM top) AND owner > owners.owner)
        FROM owners WHERE owners.owner IS NOT NULL),
    busy (owner, jobs) AS (
        SELECT owner, count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' GROUP BY owner)
    SELECT priority, owner FROM owners, top LEFT JOIN busy USING (owner) LEFT JOIN turns USING (owner)
    WHERE owner IS NOT NULL ORDER BY coalesce(busy.jobs, 0), coalesce(turns.served, 0), owner LIMIT 1"""


class Asked(Struct):
    """What never changes of a job. JSON, which holds whole numbers of any size, as its inputs may be."""

    title: str = ""
    workflow: str = ""
    inputs: dict[str, JsonValue] = field(default_factory=dict)
    targets: list[str] | None = None
    files: dict[str, Artifact] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)
    mode: int = 0
    explain: bool = False


class Found(Struct):
    """What a job comes to. msgpack, which holds bytes and every float, as its outputs may."""

    outputs: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, StepReport] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    problem: Problem | None = None
    receipt: dict[str, Any] = field(default_factory=dict)


ASKED = msgspec.json.Decoder(Asked)
FOUND = msgspec.msgpack.Decoder(Found)


# -- read


def select(db: Reading, sql: str, *values: object) -> list[Job]:
    return [job_of(row) for row in db.execute(sql, values)]


def load(db: Reading, id: str, owner: str | None, sql: str = FULL) -> Job:
    """A job of this owner (None: of anybody), or NotFound."""
    found = select(db, f"{sql} WHERE id = ?", id)
    if not found or owner not in (None, found[0].owner):
        raise NotFound(f"There is no run {shown(id)}.")
    return found[0]


def leased(db: Reading, id: str, lease: str) -> Job | None:
    """The job, without its document, if it runs under this lease."""
    found = select(db, f"{LIGHT} WHERE id = ? AND state = 'running' AND lease = ?", id, lease)
    return found[0] if found else None


def all_leased(db: Reading, lease: str) -> list[Job]:
    return select(db, f"{FULL} WHERE state = 'running' AND lease = ? ORDER BY position", lease)


def answers_of(db: Reading, id: str) -> dict[str, str]:
    return dict(db.execute("SELECT call, choice FROM answers WHERE job = ?", (id,)).fetchall())


def job_of(row: Any) -> Job:
    *plain, asked, found, document = row
    rest = asdict(ASKED.decode(asked)) | asdict(FOUND.decode(found))
    return Job(**dict(zip(COLUMNS, plain, strict=True)), **rest, document=document)


# -- write


def insert_once(db: Writing, jobs: list[Job], key: str, fingerprint: str) -> list[Job]:
    """Insert, unless the owner has used this idempotency key before."""
    if key and jobs:
        used = (jobs[0].owner, key)
        sql = "SELECT fingerprint FROM jobs WHERE owner = ? AND key = ? AND key != ''"
        first = db.execute(sql, used).fetchone()
        if first and first[0] != fingerprint:
            raise Conflict(
                f"The idempotency key {shown(key)} was used for a different request.",
                remedy="Use a new key for a new request.",
            )
        if first:
            return select(db, f"{FULL} WHERE owner = ? AND key = ? AND key != '' ORDER BY id", *used)
    return [insert(db, job, key, fingerprint) for job in jobs]


def insert(db: Writing, job: Job, key: str, fingerprint: str) -> Job:
    if job.state not in ("queued", "held"):
        raise ValueError(f"a job is added queued or held, not {job.state}")
    data = {"title": job.title, "workflow": job.workflow, "state": job.state, "priority": job.priority}
    data["mode"] = job.mode
    data |= small("inputs", job.inputs)
    created = append(db, Event("job.created", owner=job.owner, job=job.id, data=data))
    job = replace(job, position=float(created.seq))  # grows over restarts, whatever the clock does
    digest = hashlib.blake2b(job.document, digest_size=16).digest()
    db.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", (digest, job.document))
    row = [getattr(job, name) for name in COLUMNS]
    asked = msgspec.json.encode({name: getattr(job, name) for name in Asked.__struct_fields__})
    row += [asked, pack_found(job), digest, key, fingerprint]
    db.execute(INSERT, row)
    return job


def save(db: Writing, job: Job, lease: str = "") -> Job:
    """Write what may change of a job."""
    values = [getattr(job, name) for name in CHANGING]
    db.execute(UPDATE, [*values, lease, pack_found(job), job.id])
    return job


def settle(db: Writing, job: Job, lease: str = "") -> Job:
    """Write a job that is in a new state, and say so."""
    save(db, job, lease)
    data: dict[str, Any] = {"state": job.state, "progress": job.progress}
    if job.problem:
        data["problem"] = builtins(job.problem)
    if job.questions:
        data["questions"] = builtins(job.questions)
    if job.outputs:
        data |= small("outputs", job.outputs)
    for name in ("inputs", "models", "workflow"):  # also those inputs that the document itself gives
        if told := job.receipt.get(name):
            data |= small(name, told)
    if verdicts := job.receipt.get("verdicts"):
        data |= {"mode": job.mode} | small("verdicts", verdicts)
    append(db, Event("job.state", owner=job.owner, job=job.id, data=data))
    return job


def small(name: str, value: object) -> dict[str, Any]:
    """As an event's data, or nothing if it is too large for one."""
    data = builtins(value)
    return {name: data} if len(msgspec.json.encode(data)) <= SMALL else {}


def pack_found(job: Job) -> bytes:
    return msgspec.msgpack.encode({name: getattr(job, name) for name in Found.__struct_fields__})


# -- from state to state


def allow(job: Job, verb: str, *states: JobState) -> None:
    """Raise Conflict unless the job is in one of these states."""
    if job.state not in states:
        raise Conflict(
            f"Run {job.id} is {job.state} and cannot {verb}.",
            remedy=f"Only a run that is {' or '.join(states)} can.",
        )


def requeue(db: Writing, job: Job) -> Job:
    return settle(db, replace(job, state="queued"))


def fresh(job: Job, position: float) -> Job:
    """As it was before it first ran, but at this position and still alone if it killed a worker."""
    job = replace(job, outputs={}, steps={}, questions=[], problem=None, receipt={}, progress=0.0)
    return replace(job, position=position, started=0.0, finished=0.0, crashes=min(job.crashes, 1))


def after_crash(db: Writing, job: Job, cause: str) -> Job:
    job = replace(job, crashes=job.crashes + 1)
    if job.crashes < CRASHES:
        return requeue(db, job)
    remedy = "See the server's log; if memory ran out, use a smaller size. Then retry the run."
    problem = Problem("worker_died", got=f"{cause} ({job.crashes} times)", remedy=remedy)
    return settle(db, stopped(replace(job, state="failed", problem=problem)))


def stopped(job: Job) -> Job:
    """Ended now, with whatever steps were under way."""
    steps = {
        path: replace(step, state="cancelled") if step.state in ("waiting", "running", "asking") else step
        for path, step in job.steps.items()
    }
    return replace(job, finished=time.time(), steps=steps, questions=[])


def check_priority(priority: int) -> int:
    if -MOST_URGENT <= priority <= MOST_URGENT:
        return priority
    want = f"{-MOST_URGENT} to {MOST_URGENT}"
    raise Invalid([Problem("out_of_range", input="priority", got=str(priority), want=want)])


def check_choice(job: Job, call: str, choice: str) -> None:
    """The call is a question of this job, and the choice one of its options, if it has any."""
    question = next((question for question in job.questions if question.call == call), None)
    if question is None:
        raise NotFound(f"Run {job.id} asks nothing called {shown(call)}.")
    if question.options and choice not in question.options:
        want = "one of " + ", ".join(shown(option) for option in question.options)
        raise Invalid([Problem("not_an_option", step=call, got=shown(choice), want=want)])


# -- the order of the queue


def head(db: Writing) -> Job | None:
    """The queued job whose turn it is."""
    if (turn := db.execute(NEXT_OWNER).fetchone()) is None:
        return None
    sql = f"{FULL} WHERE state = 'queued' AND priority = ? AND owner = ? ORDER BY position LIMIT 1"
    return select(db, sql, *turn)[0]


def served(db: Writing, owner: str) -> None:
    """It was this owner's turn just now."""
    db.execute("INSERT OR REPLACE INTO turns SELECT ?, max(seq) FROM events", (owner,))


def has_alone(db: Writing, lease: str) -> bool:
    """Whether a job that must run alone runs under this lease."""
    sql = "SELECT 1 FROM jobs WHERE state = 'running' AND lease = ? AND crashes > 0"
    return db.execute(sql, (lease,)).fetchone() is not None


def place_before(db: Writing, other: Job, id: str) -> float:
    """A position between another job and the one that comes before it."""
    sql = f"SELECT max(position) FROM jobs WHERE {UNFINISHED} AND position < ? AND id != ?"
    previous = db.execute(sql, (other.position, id)).fetchone()[0]
    if previous is None:
        return other.position - 1
    between = float(previous + other.position) / 2
    if previous < between < other.position:
        return between
    renumber(db)  # halved so often that no number is left between them
    return place_before(db, load(db, other.id, None, LIGHT), id)


def place_after(db: Writing, other: Job, id: str) -> float:
    """A position between another job and the one that comes after it, or the end."""
    sql = f"SELECT id FROM jobs WHERE {UNFINISHED} AND position > ? AND id != ? ORDER BY position LIMIT 1"
    if (found := db.execute(sql, (other.position, id)).fetchone()) is None:
        return float(newest(db) + 1)
    return place_before(db, load(db, found[0], None, LIGHT), id)


def renumber(db: Writing) -> None:
    ids = db.execute(f"SELECT id FROM jobs WHERE {UNFINISHED} ORDER BY position").fetchall()
    for position, (id,) in enumerate(ids, 1):  # below any later job's, which is the number of an event
        db.execute("UPDATE jobs SET position = ? WHERE id = ?", (float(position), id))


# -- the end


def forget(db: Writing, id: str) -> None:
    """Let a job start over: what its effects did, and what people answered."""
    db.execute("DELETE FROM effects WHERE job = ?", (id,))
    db.execute("DELETE FROM answers WHERE job = ?", (id,))


def delete(db: Writing, job: Job) -> tuple[str, ...]:
    """Remove a job with all that hangs on it; returns the sha256 of the artifacts it mentions."""
    forget(db, job.id)
    db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
    erase(db, job.id, "steps")
    return tuple(dict.fromkeys(mentioned([builtins(job.files), job.outputs])))


def mentioned(data: Any) -> Iterator[str]:
    """Every sha256 inside plain data."""
    if isinstance(data, dict):
        if isinstance(sha256 := data.get("sha256"), str):
            yield sha256
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from mentioned(item)


def create(db: Reading) -> None:
    for statement in SCHEMA:
        db.execute(statement)


UNFINISHED = "state IN ('queued', 'held', 'running', 'waiting')"
ENDED = "state IN ('done', 'failed', 'cancelled')"
SCHEMA = (
    # A document is kept once, however often it is run; and a job's changes do not rewrite it.
    "CREATE TABLE documents (digest BLOB PRIMARY KEY, document BLOB NOT NULL)",
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL,
        state TEXT NOT NULL, priority INTEGER NOT NULL, position REAL NOT NULL, progress REAL NOT NULL,
        attempts INTEGER NOT NULL, crashes INTEGER NOT NULL, started REAL NOT NULL, finished REAL NOT NULL,
        lease TEXT NOT NULL DEFAULT '', key TEXT NOT NULL, fingerprint TEXT NOT NULL,
        digest BLOB NOT NULL, asked BLOB NOT NULL, found BLOB NOT NULL)""",
    "CREATE INDEX jobs_queued ON jobs (priority, owner, position) WHERE state = 'queued'",
    "CREATE INDEX jobs_running ON jobs (lease, owner, crashes) WHERE state = 'running'",
    "CREATE INDEX jobs_owner ON jobs (owner, id)",
    "CREATE INDEX jobs_state ON jobs (state, id)",
    "CREATE INDEX jobs_key ON jobs (owner, key) WHERE key != ''",
    "CREATE INDEX jobs_digest ON jobs (digest)",
    "CREATE TABLE turns (owner TEXT PRIMARY KEY, served INTEGER NOT NULL)",
    """CREATE TABLE effects (
        job TEXT NOT NULL, path TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (job, path, number)) WITHOUT ROWID""",
    """CREATE TABLE answers (
        job TEXT NOT NULL, call TEXT NOT NULL, choice TEXT NOT NULL,
        PRIMARY KEY (job, call)) WITHOUT ROWID""",
)
MIGRATIONS: tuple[Migration, ...] = (("jobs 1", create),)
