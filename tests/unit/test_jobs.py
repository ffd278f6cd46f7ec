"""The queue is fair, a job is done once, and every change is in the log."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.config import ROOT
from engine.db import Database
from engine.errors import Conflict, Invalid, NotFound, Problem
from engine.events import Event, Job, Question, StepReport
from engine.jobs import MIGRATIONS, Ids, Jobs, alone
from engine.types import Artifact

DOCUMENT = b'{"tessera": 1}'


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    yield db
    await db.close()


@pytest.fixture
async def jobs(db: Database) -> Jobs:
    jobs = Jobs(db)
    await jobs.open()
    return jobs


@pytest.fixture
def heard(jobs: Jobs) -> list[Event]:
    heard: list[Event] = []
    jobs.listen(heard.append)
    return heard


async def add(jobs: Jobs, owner: str = "ann", **fields: Any) -> str:
    return (await jobs.add([Job(id="", owner=owner, document=DOCUMENT, **fields)]))[0].id


async def claim(jobs: Jobs, lease: str = "w1", *, idle: bool = True) -> Job:
    job = await jobs.claim(lease, idle=idle)
    assert job is not None
    return job


async def running(jobs: Jobs, lease: str = "w1") -> str:
    await add(jobs)
    return (await claim(jobs, lease)).id


async def waiting(jobs: Jobs, *calls: str) -> str:
    id = await running(jobs)
    assert await jobs.park(id, "w1", [Question(call, "Which?", ["left", "right"]) for call in calls])
    return id


async def in_state(jobs: Jobs, state: str) -> str:
    if state in ("queued", "held"):
        return await add(jobs, state=state)
    if state == "waiting":
        return await waiting(jobs, "ask")
    id = await running(jobs)
    if state != "running":
        assert await jobs.finish(id, "w1", state)  # type: ignore[arg-type]  # one of the three
    return id


# -- add


async def test_a_job_comes_back_as_it_was_given_also_after_a_restart(tmp_path: Path) -> None:
    picture = Artifact("ab" * 32, "image/png", 1234, "cat.png", 640, 480)
    given = Job(
        id="",
        owner="ann",
        document=b'{"tessera": 1, "steps": {}}',
        title="A cat",
        workflow="cats",
        inputs={"prompt": "a cat", "seed": 10**30, "list": [1, None, {"a": 0.5}]},
        targets=["save"],
        files={"artifact1": picture},
        priority=7,
        warnings=[Problem("unreachable", step="note")],
    )
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    [added] = await Jobs(db).add([given])
    await db.close()
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    got = await Jobs(db).get(added.id)
    await db.close()
    for name in ("title", "workflow", "inputs", "targets", "document", "priority", "warnings", "state"):
        assert getattr(got, name) == getattr(given, name) == getattr(added, name)
    kept = got.files["artifact1"]
    assert (kept.sha256, kept.mime, kept.bytes, kept.name) == (picture.sha256, "image/png", 1234, "cat.png")
    assert got.created > 0
    assert given.id == ""  # what was given is not changed


def test_ids_sort_by_time_and_grow_within_a_process_whatever_the_clock_does() -> None:
    ids = Ids()
    made = [ids.next() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {len(id) for id in made} == {26}
    future = "7" + "Z" * 8 + "0" * 17
    assert Ids(future).next() == future[:-1] + "1"


async def test_ids_go_on_after_a_restart_though_the_clock_was_set_back(db: Database, jobs: Jobs) -> None:
    [ahead] = await jobs.add([Job(id="7" + "Z" * 8 + "0" * 17, owner="ann", document=DOCUMENT)])
    again = Jobs(db)
    await again.open()
    assert await add(again) > ahead.id


async def test_a_document_is_kept_once_however_often_it_is_run(db: Database, jobs: Jobs) -> None:
    for _ in range(5):
        await add(jobs)
    assert await db.read(lambda db: db["documents"].count) == 1


async def test_the_same_key_and_request_give_the_first_jobs(jobs: Jobs, heard: list[Event]) -> None:
    def request(owner: str = "ann") -> list[Job]:
        return [Job(id="", owner=owner, document=DOCUMENT, title=title) for title in ("one", "two")]

    many = await asyncio.gather(*[jobs.add(request(), "key", "print") for _ in range(10)])
    assert len({tuple(job.id for job in got) for got in many}) == 1
    assert [job.title for job in many[0]] == ["one", "two"]
    assert len(heard) == 2
    with pytest.raises(Conflict, match="key was used for a different request"):
        await jobs.add(request(), "key", "another print")
    others = await jobs.add(request("bob"), "key", "another print")
    assert {job.id for job in others}.isdisjoint(job.id for job in many[0])


async def test_a_batch_is_added_whole_or_not_at_all(jobs: Jobs, heard: list[Event]) -> None:
    job = Job(id="twice", owner="ann", document=DOCUMENT)
    with pytest.raises(Exception, match="UNIQUE"):
        await jobs.add([job, job])
    assert await jobs.list() == []
    assert heard == []


async def test_a_priority_out_of_range_is_refused(jobs: Jobs) -> None:
    with pytest.raises(Invalid, match="priority: out of range, got 101, want -100 to 100"):
        await add(jobs, priority=101)
    id = await add(jobs)
    with pytest.raises(Invalid):
        await jobs.move(id, priority=-101)


# -- whose turn it is


async def test_nothing_is_claimed_from_an_empty_queue(jobs: Jobs) -> None:
    await add(jobs, state="held")
    assert await jobs.claim("w1", idle=True) is None


async def test_the_first_job_of_somebody_new_goes_before_the_rest_of_a_hundred(jobs: Jobs) -> None:
    for _ in range(100):
        await add(jobs, "ann")
    assert (await claim(jobs)).owner == "ann"
    await add(jobs, "bob")
    assert (await claim(jobs)).owner == "bob"


async def test_owners_take_turns_while_each_keeps_its_order(jobs: Jobs) -> None:
    ids = {owner: [await add(jobs, owner) for _ in range(4)] for owner in ("ann", "bob", "eve")}
    served = []
    for _ in range(12):  # one at a time, so it is the turns that count, not what runs
        job = await claim(jobs)
        served.append(job)
        await jobs.finish(job.id, "w1", "done")
    assert [job.owner for job in served] == ["ann", "bob", "eve"] * 4
    for owner, expected in ids.items():
        assert [job.id for job in served if job.owner == owner] == expected


async def test_who_has_fewer_running_jobs_goes_first(jobs: Jobs) -> None:
    for _ in range(3):
        await add(jobs, "ann")
    first = [await claim(jobs) for _ in range(2)]
    for _ in range(3):
        await add(jobs, "bob")
    assert [(await claim(jobs)).owner for _ in range(2)] == ["bob", "bob"]
    await jobs.finish(first[0].id, "w1", "done")
    assert (await claim(jobs)).owner == "ann"


async def test_a_higher_priority_goes_before_any_turn(jobs: Jobs) -> None:
    await add(jobs, "bob")
    low = await add(jobs, "ann", priority=-1)
    high = [await add(jobs, "ann", priority=5) for _ in range(2)]
    order = [(await claim(jobs)).id for _ in range(4)]
    assert order[:2] == high
    assert order[3] == low


async def test_many_workers_at_once_never_get_the_same_job(jobs: Jobs) -> None:
    for n in range(40):
        await add(jobs, f"owner {n % 3}")
    claimed = await asyncio.gather(*[jobs.claim(f"w{n}", idle=False) for n in range(60)])
    ids = [job.id for job in claimed if job]
    assert len(ids) == len(set(ids)) == 40


async def test_moving_a_job_before_another_lets_it_run_sooner(jobs: Jobs) -> None:
    a, b, c, d = [await add(jobs) for _ in range(4)]
    await jobs.move(d, before=b)
    await jobs.move(c, before=a)
    moved = await jobs.move(b, priority=3)
    assert moved.priority == 3
    assert [(await claim(jobs)).id for _ in range(4)] == [b, c, a, d]


async def test_moving_before_a_more_urgent_job_takes_its_priority(jobs: Jobs) -> None:
    urgent, lazy = await add(jobs, priority=9), await add(jobs)
    assert (await jobs.move(lazy, before=urgent)).priority == 9
    assert (await claim(jobs)).id == lazy


async def test_there_is_always_room_between_two_jobs(jobs: Jobs) -> None:
    ids = [await add(jobs) for _ in range(5)]
    for _ in range(100):  # each halves a distance, and a float has 53 bits
        await jobs.move(ids[3], before=ids[2])
        ids[2], ids[3] = ids[3], ids[2]
    late = await add(jobs)
    assert [(await claim(jobs)).id for _ in range(6)] == [*ids, late]


# -- leases


async def test_a_job_is_finished_once_and_by_its_lease_only(jobs: Jobs, heard: list[Event]) -> None:
    id = await running(jobs)
    assert not await jobs.finish(id, "w2", "done")
    outputs = {"x": 1.5, "raw": b"\0\xff"}
    assert await jobs.finish(id, "w1", "done", outputs=outputs, receipt={"device": "cpu"})
    assert not await jobs.finish(id, "w1", "failed", problem=Problem("late"))
    job = await jobs.get(id)
    assert (job.state, job.progress, job.problem, job.attempts) == ("done", 1.0, None, 1)
    assert job.outputs == {"x": 1.5, "raw": b"\0\xff"}
    assert job.receipt == {"device": "cpu"}
    assert job.created <= job.started <= job.finished
    assert [event.data.get("state") for event in heard] == ["queued", "running", "done"]


async def test_a_worker_whose_lease_is_void_can_say_nothing_more(jobs: Jobs) -> None:
    id = await running(jobs)
    assert [job.id for job in await jobs.void_leases()] == [id]
    assert not await jobs.update(id, "w1", progress=0.5)
    assert not await jobs.park(id, "w1", [])
    assert not await jobs.finish(id, "w1", "done")
    job = await claim(jobs, "w2")
    assert (job.id, job.attempts, job.crashes) == (id, 2, 0)
    assert not await jobs.finish(id, "w1", "done")
    assert await jobs.finish(id, "w2", "done")


async def test_progress_and_steps_are_kept_bit_by_bit(jobs: Jobs, heard: list[Event]) -> None:
    id = await running(jobs)
    before = len(heard)
    steps = {"a": StepReport("done"), "b": StepReport("running")}
    assert await jobs.update(id, "w1", progress=0.25, steps=steps)
    assert await jobs.update(id, "w1", steps={"b": StepReport("done", "ran", calls=2, why="new")})
    assert len(heard) == before  # said by the caller, batched
    job = await jobs.get(id)
    assert job.progress == 0.25
    assert job.steps == {"a": StepReport("done"), "b": StepReport("done", "ran", calls=2, why="new")}


async def test_giving_back_counts_against_nobody(jobs: Jobs) -> None:
    ids = [await running(jobs) for _ in range(3)]
    await running(jobs, "w2")
    assert [job.id for job in await jobs.give_back("w1", [ids[1]])] == [ids[1]]
    assert [job.id for job in await jobs.give_back("w1")] == [ids[0], ids[2]]
    assert {(await jobs.get(id)).state for id in ids} == {"queued"}
    assert {(await jobs.get(id)).crashes for id in ids} == {0}
    assert (await jobs.counts())["running"] == 1


async def test_a_job_is_set_aside_after_its_third_crash(jobs: Jobs, heard: list[Event]) -> None:
    id = await running(jobs)
    other = await running(jobs, "w2")
    for crash in (1, 2):
        [job] = await jobs.crashed("w1", "killed by signal 9")
        assert (job.state, job.crashes) == ("queued", crash)
        assert alone(job)
        assert (await claim(jobs)).id == id
    await jobs.update(id, "w1", steps={"sample": StepReport("running"), "words": StepReport("done")})
    [job] = await jobs.crashed("w1", "killed by signal 9")
    assert job.state == "failed"
    assert job.problem is not None
    assert (job.problem.code, job.problem.got) == ("worker_died", "killed by signal 9 (3 times)")
    assert {path: step.state for path, step in job.steps.items()} == {"sample": "cancelled", "words": "done"}
    assert heard[-1].data["problem"]["code"] == "worker_died"
    assert (await jobs.get(other)).crashes == 0
    assert await jobs.crashed("w1", "again") == []
    again = await jobs.retry(id)
    assert (again.state, again.crashes) == ("queued", 1)  # alone still, but with two more chances


async def test_a_job_that_crashed_runs_alone_and_does_not_starve(jobs: Jobs) -> None:
    id, neighbour = await running(jobs), await running(jobs)
    await jobs.give_back("w1", [neighbour])
    await jobs.crashed("w1", "out of memory")
    young = await add(jobs)
    assert await jobs.claim("w1", idle=False) is None  # its turn: nothing else starts, so the worker drains
    assert (await claim(jobs)).id == id
    assert await jobs.claim("w1", idle=False) is None  # and it stays alone
    assert (await claim(jobs, "w2", idle=False)).id == neighbour
    assert await jobs.finish(id, "w1", "done")
    assert (await claim(jobs, idle=False)).id == young


# -- waiting for people


async def test_a_parked_job_is_queued_again_after_its_last_answer(jobs: Jobs, heard: list[Event]) -> None:
    id = await waiting(jobs, "first", "second#1")
    assert heard[-1].data["questions"][0]["options"] == ["left", "right"]
    assert await jobs.claim("w1", idle=True) is None
    job = await jobs.answer(id, "second#1", "left", owner="ann")
    assert (job.state, [question.call for question in job.questions]) == ("waiting", ["first"])
    job = await jobs.answer(id, "first", "right")
    assert (job.state, job.questions) == ("queued", [])
    assert await jobs.answers(id) == {"first": "right", "second#1": "left"}
    assert [(event.kind, event.data.get("choice")) for event in heard[-3:]] == [
        ("answer", "left"), ("answer", "right"), ("job.state", None)
    ]  # fmt: skip
    assert (await claim(jobs)).attempts == 2


async def test_answers_are_checked(jobs: Jobs) -> None:
    id = await waiting(jobs, "ask", "other")
    with pytest.raises(Invalid, match="ask: not an option, got up, want one of left, right"):
        await jobs.answer(id, "ask", "up")
    with pytest.raises(NotFound, match="asks nothing called nope"):
        await jobs.answer(id, "nope", "left")
    await jobs.answer(id, "ask", "left")
    assert (await jobs.answer(id, "ask", "left")).state == "waiting"  # sent twice
    with pytest.raises(Conflict, match="already answered with left"):
        await jobs.answer(id, "ask", "right")
    with pytest.raises(NotFound):
        await jobs.answer(id, "other", "left", owner="bob")


async def test_a_job_that_asks_what_was_answered_before_does_not_wait(jobs: Jobs) -> None:
    id = await waiting(jobs, "ask")
    await jobs.answer(id, "ask", "left")
    await claim(jobs)
    assert await jobs.park(id, "w1", [Question("ask", "Which?", ["left", "right"])])
    assert (await jobs.get(id)).state == "queued"


# -- effects


async def test_effects_are_remembered_until_the_job_is_done(jobs: Jobs) -> None:
    id = await running(jobs)
    await jobs.remember(id, "save", 0, b"one")
    await jobs.remember(id, "save", 0, b"one again")
    await jobs.remember(id, "each/save", 3, b"three")
    await jobs.void_leases()
    expected = {("save", 0): b"one again", ("each/save", 3): b"three"}
    assert await jobs.remembered(id) == expected
    await claim(jobs)
    await jobs.finish(id, "w1", "done")
    assert await jobs.remembered(id) == {}
    with pytest.raises(NotFound):
        await jobs.remember("nobody", "save", 0, b"")


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_a_failed_job_goes_on_when_retried_and_a_cancelled_one_starts_over(
    jobs: Jobs, state: str
) -> None:
    id = await waiting(jobs, "ask")
    await jobs.answer(id, "ask", "left")
    await claim(jobs)
    await jobs.remember(id, "save", 0, b"saved")
    problem = Problem("node_failed") if state == "failed" else None
    await jobs.finish(id, "w1", state, problem=problem, outputs={"x": 1})  # type: ignore[arg-type]  # as above
    later = await add(jobs)
    job = await jobs.retry(id)
    assert (job.state, job.problem, job.outputs, job.finished, job.steps) == ("queued", None, {}, 0.0, {})
    kept = state == "failed"
    assert await jobs.remembered(id) == ({("save", 0): b"saved"} if kept else {})
    assert await jobs.answers(id) == ({"ask": "left"} if kept else {})
    assert [(await claim(jobs)).id for _ in range(2)] == [later, id]


# -- from state to state

LEGAL = {
    "cancel": {"queued", "held", "running", "waiting", "cancelled"},
    "retry": {"failed", "cancelled"},
    "hold": {"queued"},
    "release": {"held"},
}


@pytest.mark.parametrize("verb", LEGAL)
@pytest.mark.parametrize("state", ["queued", "held", "running", "waiting", "done", "failed", "cancelled"])
async def test_an_act_that_the_state_does_not_allow_is_a_conflict(
    jobs: Jobs, heard: list[Event], verb: str, state: str
) -> None:
    id = await in_state(jobs, state)
    before = len(heard)
    if state in LEGAL[verb]:
        job = await getattr(jobs, verb)(id, owner="ann")
        assert job.state == {"cancel": "cancelled", "hold": "held"}.get(verb, "queued")
        assert heard[before:] == ([] if job.state == state else heard[-1:])
    else:
        with pytest.raises(Conflict, match=f"{id} is {state} and cannot"):
            await getattr(jobs, verb)(id)
        assert (await jobs.get(id)).state == state
        assert len(heard) == before


async def test_only_what_has_not_started_can_be_moved(jobs: Jobs) -> None:
    ran, queued = await running(jobs), await add(jobs)
    for id, before in ((ran, None), (queued, ran)):
        with pytest.raises(Conflict, match=f"{ran} is running and cannot be moved"):
            await jobs.move(id, priority=1, before=before)


async def test_a_cancelled_job_says_so_of_its_steps_and_ends_its_lease(jobs: Jobs) -> None:
    id = await running(jobs)
    await jobs.update(id, "w1", steps={"a": StepReport("running"), "b": StepReport("running")})
    job = await jobs.cancel(id, steps={"b": StepReport("done"), "c": StepReport("waiting")})
    assert {name: step.state for name, step in job.steps.items()} == {
        "a": "cancelled",
        "b": "done",
        "c": "cancelled",
    }
    assert job.finished > 0
    assert not await jobs.finish(id, "w1", "done")
    assert await jobs.crashed("w1", "killed") == []


async def test_somebody_elses_job_is_not_found(jobs: Jobs) -> None:
    id = await add(jobs, "ann")
    for act in (jobs.cancel, jobs.retry, jobs.hold, jobs.release, jobs.move):
        with pytest.raises(NotFound):
            await act(id, owner="bob")
    with pytest.raises(NotFound):
        await jobs.get(id, "bob")
    with pytest.raises(NotFound):
        await jobs.move(await add(jobs, "bob"), before=id, owner="bob")
    assert (await jobs.get(id, "ann")).id == id


# -- what there is


async def test_jobs_are_listed_newest_first_page_by_page(jobs: Jobs) -> None:
    ids = [await add(jobs, owner) for owner in ("ann", "bob", "ann", "ann")]
    await jobs.cancel(ids[2])
    assert [job.id for job in await jobs.list()] == ids[::-1]
    assert [job.id for job in await jobs.list("ann", limit=2)] == [ids[3], ids[2]]
    assert [job.id for job in await jobs.list("ann", before=ids[2])] == [ids[0]]
    assert [job.id for job in await jobs.list("ann", "cancelled")] == [ids[2]]
    assert {job.document for job in await jobs.list()} == {b""}
    assert (await jobs.counts()) == {
        "queued": 3, "held": 0, "running": 0, "waiting": 0, "done": 0, "failed": 0, "cancelled": 1
    }  # fmt: skip


async def test_what_was_heard_is_what_is_stored_and_can_be_replayed(db: Database, jobs: Jobs) -> None:
    heard: list[Event] = []
    jobs.listen(heard.append)
    mine, theirs = await add(jobs, "ann", title="T", inputs={"prompt": "p"}), await add(jobs, "bob")
    paused = Event("queue.paused", data={"why": "disk"})
    await asyncio.gather(jobs.hold(mine), jobs.cancel(theirs), jobs.emit(paused))
    await jobs.emit(Event("steps", owner="ann", job=mine, data={"steps": {"a": {"state": "done"}}}))
    assert [event.seq for event in heard] == [1, 2, 3, 4, 5, 6]
    assert heard[0].data == {
        "title": "T", "workflow": "", "state": "queued", "priority": 0, "mode": 0, "inputs": {"prompt": "p"}
    }  # fmt: skip
    assert await jobs.events(0) == heard
    assert await jobs.events(2, limit=2) == heard[2:4]
    assert await jobs.events(0, owner="bob") == [e for e in heard if e.owner in ("bob", "")]
    assert await jobs.events(0, job=mine) == [e for e in heard if e.job == mine]
    again = Jobs(db)
    await again.open()
    assert jobs.last_seq == again.last_seq == 6


async def test_large_outputs_stay_out_of_events(jobs: Jobs, heard: list[Event]) -> None:
    small, large = await running(jobs), await running(jobs)
    await jobs.finish(small, "w1", "done", outputs={"words": "few"})
    await jobs.finish(large, "w1", "done", outputs={"words": "many " * 10_000})
    assert heard[-2].data == {"state": "done", "progress": 1.0, "outputs": {"words": "few"}}
    assert heard[-1].data == {"state": "done", "progress": 1.0}
    assert len((await jobs.get(large)).outputs["words"]) == 50_000


async def test_old_finished_jobs_are_deleted_and_say_what_they_mentioned(db: Database, jobs: Jobs) -> None:
    upload = Artifact("aa" * 32, "image/png", 1)
    [old] = await jobs.add([Job(id="", owner="ann", document=b"old", files={"in": upload})], "key", "print")
    await claim(jobs)
    await jobs.remember(old.id, "save", 0, b"x")
    await jobs.emit(Event("steps", owner="ann", job=old.id, data={"steps": {}}))
    out = {"sha256": "bb" * 32, "mime": "image/png"}
    await jobs.finish(old.id, "w1", "failed", outputs={"picture": out, "list": [{"file": out}], "n": 1})
    [young] = await jobs.add([Job(id="", owner="ann", document=b"young", files={"in": upload})])
    assert await jobs.needed() == {upload.sha256}

    assert await jobs.expire((await jobs.get(old.id)).finished) == []
    [gone] = await jobs.expire(young.created + 3600)
    assert (gone.job, gone.owner, gone.artifacts) == (old.id, "ann", ("aa" * 32, "bb" * 32))
    assert [job.id for job in await jobs.list()] == [young.id]
    assert await jobs.remembered(old.id) == {}
    assert await db.read(lambda db: [row["document"] for row in db["documents"].rows]) == [b"young"]
    kept = [event.kind for event in await jobs.events(0, job=old.id)]
    assert kept == ["job.created", "job.state", "job.state"]
    [new] = await jobs.add([Job(id="", owner="ann", document=b"new")], "key", "another print")
    assert new.id != old.id


# -- kill -9

WORKER = """
import asyncio, sys
from pathlib import Path
from engine.db import Database
from engine.events import Job
from engine.jobs import MIGRATIONS, Jobs

async def work(jobs, n):
    for _ in range(1_000_000):
        [job] = await jobs.add([Job(id="", owner=f"owner {n}", document=b"{}")])
        print("added", job.id, flush=True)
        claimed = await jobs.claim(f"w{n}", idle=False)
        if claimed and await jobs.finish(claimed.id, f"w{n}", "done"):
            print("done", claimed.id, flush=True)

async def main():
    jobs = Jobs(await Database.open(Path(sys.argv[1]), MIGRATIONS))
    await jobs.open()
    await asyncio.gather(*(work(jobs, n) for n in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [5, 500])
async def test_after_kill_9_no_job_is_lost_and_none_is_done_twice(tmp_path: Path, lines: int) -> None:
    said = said_until_killed(tmp_path / "a.db", lines)
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    jobs = Jobs(db)
    await jobs.open()
    await jobs.void_leases()
    done_before = {job.id for job in await jobs.list(state="done", limit=10_000)}
    while (job := await jobs.claim("new", idle=True)) is not None:
        assert await jobs.finish(job.id, "new", "done")
    known = {job.id for job in await jobs.list(limit=10_000)}
    events = await jobs.events(0, limit=100_000)
    await db.close()

    assert {id for verb, id in said if verb == "added"} <= known
    assert {id for verb, id in said if verb == "done"} <= done_before
    ended = [event.job for event in events if event.data.get("state") == "done"]
    assert sorted(ended) == sorted(known)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def said_until_killed(path: Path, lines: int) -> list[tuple[str, str]]:
    command = [sys.executable, "-c", WORKER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines()[:-1]  # the last one may be cut off
    return [(verb, id) for verb, id in (line.split() for line in said)]
