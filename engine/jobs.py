"""The durable queue: add, claim with a lease, finish, cancel."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine import log, rows
from engine.db import Database, Migration, Writing
from engine.errors import Conflict, Problem, shown
from engine.events import JOB_STATES, Event, Job, JobState, Question, StepReport
from engine.log import Log, append, newest
from engine.rows import allow, answers_of, leased, load, requeue, save, select, settle

MIGRATIONS: tuple[Migration, ...] = (*log.MIGRATIONS, *rows.MIGRATIONS)
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
JobList = list[Job]  # a name of its own, because `list` is a verb below


class Expired(Struct, frozen=True):
    """A job that is gone, and the artifacts that it mentioned."""

    job: str
    owner: str
    artifacts: tuple[str, ...]
    """sha256 of each, uploads as well as outputs; others may still mention them."""


def alone(job: Job) -> bool:
    """Whether it must have its worker to itself, because a worker died under it."""
    return job.crashes > 0


class Jobs:
    """Every job of this instance. Each change and its event are one write, so the log is the audit.

    `owner` None means any; somebody else's job is NotFound. A change that the job's state does not allow is a
    Conflict. What a worker says counts only while its lease holds: afterwards it is refused with False.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ids = Ids()
        self.log = Log(db)
        self.emit, self.events, self.listen = self.log.emit, self.log.events, self.log.listen

    async def open(self) -> None:
        """Go on where the database left off."""
        await self.log.open()
        last = await self._db.read(lambda db: db.execute("SELECT max(id) FROM jobs").fetchone()[0])
        self._ids = Ids(last if ULID.fullmatch(last or "") else "")

    @property
    def last_seq(self) -> int:
        """Sequence number of the newest event."""
        return self.log.last_seq

    def new_id(self) -> str:
        """An id for a job: 26 characters that sort by time."""
        return self._ids.next()

    # -- the queue

    async def add(self, jobs: JobList, key: str = "", fingerprint: str = "") -> JobList:
        """Queue (or hold) them; an empty id is filled in.

        With an idempotency key that the owner used before, the first jobs are returned instead, or Conflict
        raised if the fingerprint of the request is another.
        """
        now = time.time()
        new = [replace(job, id=job.id or self.new_id(), created=job.created or now) for job in jobs]
        for job in new:
            rows.check_priority(job.priority)
        return await self._db.write(lambda db: rows.insert_once(db, new, key, fingerprint))

    async def claim(self, lease: str, *, idle: bool) -> Job | None:
        """Give the next job to a worker: `lease` is its id, `idle` says that nothing else runs in it.

        Highest priority first; then the owner with the fewest running jobs, then the one served longest ago;
        then by position. A job that must run alone goes to an idle worker only. At its turn the others get
        nothing, so that they become idle and it does not starve; nor does its worker while it runs.
        """
        if not lease:
            raise ValueError("a lease needs a name")

        def claim(db: Writing) -> Job | None:
            job = rows.head(db)
            if job is None or (alone(job) and not idle) or rows.has_alone(db, lease):
                return None
            job = replace(job, state="running", attempts=job.attempts + 1, started=time.time())
            settle(db, job, lease)
            rows.served(db, job.owner)
            return job

        return await self._db.write(claim)

    async def update(
        self,
        id: str,
        lease: str,
        *,
        progress: float | None = None,
        steps: dict[str, StepReport] | None = None,
    ) -> bool:
        """Note how far it is. No event: the caller emits what clients should see, batched."""

        def update(db: Writing) -> bool:
            if (job := leased(db, id, lease)) is None:
                return False
            progressed = job.progress if progress is None else progress
            save(db, replace(job, progress=progressed, steps=job.steps | (steps or {})), lease)
            return True

        return await self._db.write(update)

    async def finish(
        self,
        id: str,
        lease: str,
        state: Literal["done", "failed", "cancelled"],
        *,
        outputs: dict[str, Any] | None = None,
        steps: dict[str, StepReport] | None = None,
        problem: Problem | None = None,
        receipt: dict[str, Any] | None = None,
    ) -> bool:
        """End it. False, and nothing changed, if the lease no longer holds: a job is never done twice."""

        def finish(db: Writing) -> bool:
            if (job := leased(db, id, lease)) is None:
                return False
            job = replace(job, state=state, finished=time.time(), problem=problem, outputs=outputs or {})
            job = replace(job, steps=job.steps | (steps or {}), receipt=receipt or {}, questions=[])
            if state == "done":
                job = replace(job, progress=1.0)
                db.execute("DELETE FROM effects WHERE job = ?", (id,))  # it never runs again
            settle(db, job)
            return True

        return await self._db.write(finish)

    async def park(
        self, id: str, lease: str, questions: list[Question], *, steps: dict[str, StepReport] | None = None
    ) -> bool:
        """Let it wait for a person, without a worker; back to the queue if all is answered already."""

        def park(db: Writing) -> bool:
            if (job := leased(db, id, lease)) is None:
                return False
            known = answers_of(db, id)
            still = [question for question in questions if question.call not in known]
            state: JobState = "waiting" if still else "queued"
            settle(db, replace(job, state=state, questions=still, steps=job.steps | (steps or {})))
            return True

        return await self._db.write(park)

    async def crashed(self, lease: str, cause: str) -> JobList:
        """The worker died: its jobs are queued again to run alone, or fail once it was one too many."""

        def crashed(db: Writing) -> JobList:
            return [rows.after_crash(db, job, cause) for job in rows.all_leased(db, lease)]

        return await self._db.write(crashed)

    async def give_back(self, lease: str, ids: Collection[str] | None = None) -> JobList:
        """Queue a worker's jobs again, all or these; it was no fault of theirs and does not count."""

        def give_back(db: Writing) -> JobList:
            return [requeue(db, job) for job in rows.all_leased(db, lease) if ids is None or job.id in ids]

        return await self._db.write(give_back)

    async def void_leases(self) -> JobList:
        """At start: workers of an earlier server are gone, so whatever ran is queued again, uncounted."""
        running = f"{rows.FULL} WHERE state = 'running' ORDER BY position"
        return await self._db.write(lambda db: [requeue(db, job) for job in select(db, running)])

    # -- what remains of a run when it is resumed

    async def remember(self, id: str, path: str, index: int, data: bytes) -> None:
        """Keep what an effect did, so that a resumed job does not do it again."""

        def remember(db: Writing) -> None:
            load(db, id, None, rows.LIGHT)
            db.execute("INSERT OR REPLACE INTO effects VALUES (?, ?, ?, ?)", (id, path, index, data))

        await self._db.write(remember)

    async def remembered(self, id: str) -> dict[tuple[str, int], bytes]:
        """What its effects did so far, by step path and index."""
        sql = "SELECT path, number, data FROM effects WHERE job = ?"
        found = await self._db.read(lambda db: db.execute(sql, (id,)).fetchall())
        return {(path, number): data for path, number, data in found}

    async def answers(self, id: str) -> dict[str, str]:
        """The choices people made, by call."""
        return await self._db.read(lambda db: answers_of(db, id))

    # -- what people do

    async def answer(self, id: str, call: str, choice: str, *, owner: str | None = None) -> Job:
        """Answer a question of a waiting job; after the last one it is queued again, at its old place."""

        def answer(db: Writing) -> Job:
            job = load(db, id, owner)
            known = answers_of(db, id).get(call)
            if known is not None and known != choice:
                raise Conflict(f"{call} of run {id} is already answered with {shown(known)}.")
            if known is not None:
                return job
            allow(job, "be answered", "waiting")
            rows.check_choice(job, call, choice)
            db.execute("INSERT INTO answers VALUES (?, ?, ?)", (id, call, choice))
            append(db, Event("answer", owner=job.owner, job=id, data={"call": call, "choice": choice}))
            job = replace(job, questions=[question for question in job.questions if question.call != call])
            return save(db, job) if job.questions else requeue(db, job)

        return await self._db.write(answer)

    async def cancel(
        self, id: str, *, owner: str | None = None, steps: dict[str, StepReport] | None = None
    ) -> Job:
        """Stop it at once, wherever it is; its worker's lease ends here. Cancelling twice changes nothing.

        `steps` is how far it came in the worker.
        """

        def cancel(db: Writing) -> Job:
            job = load(db, id, owner)
            if job.state == "cancelled":
                return job
            allow(job, "be cancelled", "queued", "held", "running", "waiting")
            if job.state == "running":
                job = replace(job, steps=job.steps | (steps or {}))
            return settle(db, rows.stopped(replace(job, state="cancelled")))

        return await self._db.write(cancel)

    async def retry(self, id: str, *, owner: str | None = None) -> Job:
        """Queue a failed or cancelled job again, at the end.

        A failed one goes on: what its effects did and what people answered is kept. A cancelled one starts
        over. One that killed its workers still runs alone.
        """

        def retry(db: Writing) -> Job:
            job = load(db, id, owner)
            allow(job, "be retried", "failed", "cancelled")
            if job.state == "cancelled":
                rows.forget(db, id)
            return requeue(db, rows.fresh(job, position=float(newest(db) + 1)))

        return await self._db.write(retry)

    async def hold(self, id: str, *, owner: str | None = None) -> Job:
        """Keep a queued job from running."""
        return await self._turn(id, owner, "be held", "queued", "held")

    async def release(self, id: str, *, owner: str | None = None) -> Job:
        """Let a held job run; it keeps its place."""
        return await self._turn(id, owner, "be released", "held", "queued")

    async def _turn(self, id: str, owner: str | None, verb: str, old: JobState, new: JobState) -> Job:
        def turn(db: Writing) -> Job:
            job = load(db, id, owner)
            allow(job, verb, old)
            return settle(db, replace(job, state=new))

        return await self._db.write(turn)

    async def move(
        self,
        id: str,
        *,
        priority: int | None = None,
        before: str | None = None,
        after: str | None = None,
        owner: str | None = None,
    ) -> Job:
        """Change the priority of a queued or held job, or put it beside another with its priority."""
        beside = after if before is None else before

        def move(db: Writing) -> Job:
            job = load(db, id, owner)
            allow(job, "be moved", "queued", "held")
            if beside is not None and beside != id:
                other = load(db, beside, owner, rows.LIGHT)
                allow(other, "be moved beside", "queued", "held")
                place = rows.place_after if before is None else rows.place_before
                job = replace(job, position=place(db, other, id), priority=other.priority)
            job = replace(job, priority=job.priority if priority is None else rows.check_priority(priority))
            data = {"priority": job.priority, "position": job.position, "before": before, "after": after}
            append(db, Event("job.moved", owner=job.owner, job=id, data=data))
            return save(db, job)

        return await self._db.write(move)

    # -- what there is

    async def get(self, id: str, owner: str | None = None) -> Job:
        """One job, with its document."""
        return await self._db.read(lambda db: load(db, id, owner))

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        sql = "SELECT state, count(*) FROM jobs GROUP BY state"
        found = dict(await self._db.read(lambda db: db.execute(sql).fetchall()))
        return {state: found.get(state, 0) for state in JOB_STATES}

    async def needed(self) -> set[str]:
        """sha256 of the files that unfinished jobs were given: not to be deleted yet."""
        jobs = await self._db.read(lambda db: select(db, f"{rows.LIGHT} WHERE {rows.UNFINISHED}"))
        return {file.sha256 for job in jobs for file in job.files.values()}

    async def expire(self, before: float, limit: int = 500) -> list[Expired]:
        """Delete jobs that ended before this time. Their lines in the log stay, but for their steps."""

        def expire(db: Writing) -> list[Expired]:
            old = select(db, f"{rows.LIGHT} WHERE {rows.ENDED} AND finished < ? LIMIT ?", before, limit)
            gone = [Expired(job.id, job.owner, rows.delete(db, job)) for job in old]
            db.execute("DELETE FROM documents WHERE digest NOT IN (SELECT digest FROM jobs)")
            return gone

        return await self._db.write(expire)

    async def list(
        self, owner: str | None = None, state: JobState | None = None, before: str = "", limit: int = 50
    ) -> JobList:
        """Newest first, older than `before`. Their documents are left out (empty): `get` has them."""
        given = {"owner = ?": owner, "state = ?": state, "id < ?": before or None}
        used = {term: value for term, value in given.items() if value is not None}
        where = f"WHERE {' AND '.join(used)}" if used else ""
        sql = f"{rows.LIGHT} {where} ORDER BY id DESC LIMIT ?"
        return await self._db.read(lambda db: select(db, sql, *used.values(), limit))

    async def some(self, ids: Collection[str], owner: str | None = None) -> JobList:
        """Those of these jobs that are still known; without their documents, as in `list`."""
        where = f"WHERE id IN ({', '.join('?' for _ in ids)}) AND (? IS NULL OR owner = ?)"
        sql = f"{rows.LIGHT} {where}"
        return await self._db.read(lambda db: select(db, sql, *ids, owner, owner))


class Ids:
    """Makes ids like ULIDs: 48 bits of milliseconds, 80 random ones, each greater than the one before."""

    def __init__(self, newest: str = "") -> None:
        self._last = sum(DIGITS.index(c) << 5 * place for place, c in enumerate(reversed(newest)))

    def next(self) -> str:
        drawn = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
        # Within a millisecond, or when the clock was set back, one more than the last.
        self._last = drawn if drawn >> 80 > self._last >> 80 else self._last + 1
        return "".join(DIGITS[self._last >> 5 * place & 31] for place in reversed(range(26)))
