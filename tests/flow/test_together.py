"""Runs side by side: lanes, shared calls, cancelling, running out of memory, closing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Conflict
from engine.service import Engine
from tests.engines import CHAIN, ended, flights_of, opened, opens, run, runs_of, submit, until, use
from tests.toys import Diary, Doc, Wire, step, workflow

# -- side by side


async def test_two_branches_run_at_the_same_time(engine: Engine) -> None:
    """Each returns only once the other is there: one after the other would never end."""
    document = workflow({"a": "a.out", "b": "b.out"}, a=step("meet", name="a"), b=step("meet", name="b"))
    assert (await run(engine, document)).state == "done"


async def test_two_jobs_run_at_the_same_time(engine: Engine) -> None:
    jobs = [await submit(engine, workflow({"a": "a.out"}, a=step("meet", name=name))) for name in "ab"]
    assert [(await ended(engine, job)).state for job in jobs] == ["done", "done"]


async def test_the_gpu_does_one_thing_at_a_time(engine: Engine, diary: Diary) -> None:
    document = workflow({"out": "a.out"}, l=step("range", count=12), a=step("alone", number=Wire("l.out")))
    job = await run(engine, document)
    assert (job.outputs, diary.crowd) == ({"out": list(range(12))}, 1)


async def test_owners_take_turns_at_the_only_slot(engine: Engine, diary: Diary) -> None:
    def burst(owner: str, count: int) -> Doc:
        steps = {f"s{i}": step("served", name=f"{owner}{i}") for i in range(count)}
        return workflow({f"o{i}": f"s{i}.out" for i in range(count)}, **steps)

    lanes = flights_of(engine)._lanes
    jobs = [await submit(engine, burst("ann", 6), "ann"), await submit(engine, burst("bob", 3), "bob")]
    await until(lambda: lanes.waiting("gpu") >= 8)
    diary.gate("go").set()
    for job in jobs:
        await ended(engine, job)
    owners = "".join(name[0] for name in diary.order)
    assert owners in ("abababaaa", "bababaaaa", "aabababaa")  # who came first had the slot already
    assert owners.count("b") == 3


async def test_an_urgent_run_overtakes_at_the_slot(engine: Engine, diary: Diary) -> None:
    lanes = flights_of(engine)._lanes
    slow = await submit(engine, workflow({"o": "a.out"}, l=step("range", count=3),
                                         a=step("served", name="slow", value=Wire("l.out"))))  # fmt: skip
    await until(lambda: lanes.waiting("gpu") >= 2)
    fast = await submit(engine, workflow({"o": "a.out"}, a=step("served", name="fast")), priority=5)
    await until(lambda: lanes.waiting("gpu") >= 3)
    diary.gate("go").set()
    await ended(engine, slow)
    await ended(engine, fast)
    assert diary.order == ["slow", "fast", "slow", "slow"]


async def test_equal_calls_of_two_jobs_are_made_once(engine: Engine, diary: Diary) -> None:
    first = await submit(engine, workflow({"out": "a.out"}, a=step("hold", name="x", value=5)))
    await opens(diary, "x began")
    second = await submit(engine, workflow({"same": "b.out"}, b=step("hold", name="x", value=5)), "bob")
    runs = runs_of(engine)
    await until(lambda: second.id in runs and runs[second.id].reports)
    diary.gate("x").set()
    assert (await ended(engine, first)).outputs == {"out": 5}
    done = await ended(engine, second)
    assert (done.outputs, use(done), diary.ran["x began"]) == ({"same": 5}, {"b": "flight"}, 1)


# -- cancel


async def test_cancelling_one_job_does_not_fail_what_another_shares(engine: Engine, diary: Diary) -> None:
    first = await submit(engine, workflow({"out": "a.out"}, a=step("hold", name="x")))
    await opens(diary, "x began")
    second = await submit(engine, workflow({"out": "b.out"}, b=step("hold", name="x")))
    runs = runs_of(engine)
    await until(lambda: second.id in runs and runs[second.id].reports)
    assert (await engine.cancel(first.id)).state == "cancelled"
    diary.gate("x").set()
    assert (await ended(engine, second)).state == "done"
    assert "x cancelled" not in diary.ran
    assert (await engine.job(first.id)).state == "cancelled"


async def test_cancel_stops_what_waits_at_once_and_what_runs_at_its_next_word(
    engine: Engine, diary: Diary
) -> None:
    document = workflow(
        {"out": "d.out"}, h=step("hold", name="x"), d=step("work", name="after", value=Wire("h.out")),
        save=step("stamp", text="now"),
    )  # fmt: skip
    job = await submit(engine, document)
    await opens(diary, "x began")
    assert (await engine.cancel(job.id)).state == "cancelled"
    await opens(diary, "x cancelled")
    assert "after" not in diary.ran
    await until(lambda: not engine.dispatch.host.busy)
    assert (await engine.job(job.id)).state == "cancelled"
    assert (await run(engine, CHAIN)).state == "done"


async def test_a_queued_job_is_cancelled_without_running(engine: Engine, diary: Diary) -> None:
    job = await submit(engine, CHAIN, hold=True)
    await engine.cancel(job.id)
    with pytest.raises(Conflict):
        await engine.release(job.id)
    assert not diary.ran


async def test_a_job_cancelled_while_it_is_planned_does_nothing(engine: Engine, diary: Diary) -> None:
    host: Any = engine.dispatch.host
    plan, began, go = host.runner._plan, asyncio.Event(), asyncio.Event()

    async def slowly(*given: Any) -> Any:
        began.set()
        await go.wait()
        return await plan(*given)

    host.runner._plan = slowly
    job = await submit(engine, workflow(save=step("stamp", text="no")))
    await began.wait()
    await engine.cancel(job.id)
    go.set()
    await until(lambda: not host.busy)
    assert not diary.ran


async def test_a_cancelled_job_may_be_retried_from_the_start(engine: Engine, diary: Diary) -> None:
    document = workflow({"out": "h.out"}, h=step("hold", name="x"))
    job = await submit(engine, document)
    await opens(diary, "x began")
    await engine.cancel(job.id)
    await engine.retry(job.id)
    await opens(diary, "x cancelled")
    diary.gate("x").set()
    assert (await ended(engine, job)).state == "done"


async def test_many_waiting_calls_are_cancelled_at_once(engine: Engine, diary: Diary) -> None:
    steps = {f"s{i}": step("hold", name=f"x{i}") for i in range(1500)}
    job = await submit(engine, workflow({f"o{i}": f"s{i}.out" for i in range(1500)}, **steps))
    await opens(diary, "x0 began")
    await engine.cancel(job.id)
    await until(lambda: not engine.dispatch.host.busy)
    assert sum(name.endswith("began") for name in diary.ran) < 100
    assert (await run(engine, CHAIN)).state == "done", "every slot was given back"


# -- memory


GREEDY = workflow({"out": "g.out"}, g=step("greedy", name="g", value=3))


async def test_out_of_memory_is_tried_again_with_more_thrift(engine: Engine, diary: Diary) -> None:
    diary.pressure = 2
    job = await run(engine, GREEDY)
    assert (job.state, job.outputs) == ("done", {"out": 302})
    assert diary.thrifts == [0, 0, 1, 2]
    assert "ran out of memory, then ran with thrift 2" in job.steps["g"].why


async def test_a_thrifty_result_never_poses_as_the_real_thing(engine: Engine, diary: Diary) -> None:
    diary.pressure = 1
    assert (await run(engine, GREEDY)).outputs == {"out": 301}
    diary.pressure = 0
    assert (await run(engine, GREEDY)).outputs == {"out": 300}
    diary.pressure = 1
    diary.thrifts.clear()
    assert (await run(engine, GREEDY)).outputs == {"out": 300}
    assert diary.thrifts == []


async def test_a_thrifty_result_is_used_again_under_pressure(engine: Engine, diary: Diary) -> None:
    diary.pressure = 1
    await run(engine, GREEDY)
    diary.thrifts.clear()
    job = await run(engine, GREEDY)
    assert job.outputs == {"out": 301}
    assert diary.thrifts == [0, 0], "that of thrift 1 was kept"
    assert job.receipt["fallbacks"] == {"g": "thrift 1"}
    assert "was known with thrift 1" in job.steps["g"].why


async def test_when_nothing_helps_it_says_what_was_needed_and_the_next_job_runs(
    engine: Engine, diary: Diary
) -> None:
    diary.pressure = 99
    job = await run(engine, GREEDY)
    assert job.problem is not None
    assert (job.state, job.problem.code, job.problem.step) == ("failed", "out_of_memory", "g")
    assert "2,097,152 bytes needed" in job.problem.got
    assert "bytes free" in job.problem.got
    assert "smaller" in job.problem.remedy
    diary.pressure = 0
    assert (await run(engine, GREEDY)).outputs == {"out": 300}


# -- closing


async def test_closing_gives_what_runs_back_to_the_queue(tmp_path: Path, diary: Diary) -> None:
    async with opened(tmp_path) as engine:
        job = await submit(engine, workflow({"out": "h.out"}, h=step("hold", name="x")))
        await opens(diary, "x began")
    diary.gate("x").set()
    async with opened(tmp_path) as engine:
        done = await ended(engine, job)
    assert (done.state, done.outputs) == ("done", {"out": 0})
