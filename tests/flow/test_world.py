"""What runs have to do with the world: people, effects, sources, watchers, requests, verification."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.errors import Conflict, Invalid
from engine.events import Event, Job, Preview, Request
from engine.service import Engine, RunFailed
from tests.engines import CHAIN, WIDE, ended, opened, opens, run, submit, until
from tests.toys import Diary, Wire, group, step, workflow

# -- people


QUESTION = workflow(
    {"choice": "d.out", "length": "w.out"},
    before=step("work", name="before"),
    effect=step("stamp", text="once"),
    d=step("decide", options=["red", "blue"]),
    w=step("join_two", a=Wire("d.out"), b="!", separator=""),
)


async def test_a_question_parks_the_job_and_the_answer_goes_on(engine: Engine, diary: Diary) -> None:
    job = await run(engine, QUESTION)
    assert (job.state, len(job.questions)) == ("waiting", 1)
    [question] = job.questions
    assert (question.call, question.question, question.options) == ("d", "Which?", ["red", "blue"])
    assert not engine.dispatch.host.busy
    assert (await run(engine, CHAIN)).state == "done", "others run meanwhile"
    with pytest.raises(Invalid):
        await engine.answer(job.id, "d", "green")
    await engine.answer(job.id, "d", "blue")
    done = await ended(engine, job)
    assert (done.state, done.outputs) == ("done", {"choice": "blue", "length": "blue!"})
    assert (diary.ran["before"], diary.ran["stamp once"]) == (0, 1)


async def test_a_question_survives_the_engine(tmp_path: Path, diary: Diary) -> None:
    async with opened(tmp_path) as engine:
        job = await run(engine, QUESTION)
    async with opened(tmp_path) as engine:
        assert (await engine.job(job.id)).state == "waiting"
        await engine.answer(job.id, "d", "red")
        done = await ended(engine, job)
    assert (done.outputs["choice"], diary.ran["stamp once"]) == ("red", 1)


async def test_a_loop_may_ask_at_every_turn(engine: Engine) -> None:
    document = workflow(
        {"out": "e.out"},
        groups={"g": group({"d": step("decide", options=["yes", "no"]),
                            "j": step("join_two", b=Wire("d.out"), separator="")}, {"text": "j.a"}, "j.out")},
        e=step("each", body=Wire("#g"), items=["a", "b"]),
    )  # fmt: skip
    job = await run(engine, document)
    answers = ["yes", "no"]
    while job.state == "waiting":
        for question in job.questions:
            await engine.answer(job.id, question.call, answers.pop(0))
        job = await ended(engine, job)
    assert (job.state, job.outputs) == ("done", {"out": ["ayes", "bno"]})


# -- the world


async def test_an_effect_runs_once_per_job_and_again_for_the_next(engine: Engine, diary: Diary) -> None:
    document = workflow({"out": "s.out"}, s=step("stamp", text="x"), f=step("boom"), c=step("plus", a=1))
    document["outputs"]["bad"] = "f.out"
    job = await run(engine, document)
    assert (job.state, diary.ran["stamp x"]) == ("failed", 1)
    await engine.retry(job.id)
    again = await ended(engine, job)
    assert (again.state, diary.ran["stamp x"], diary.ran["boom"]) == ("failed", 1, 2)
    await run(engine, document)
    assert diary.ran["stamp x"] == 2


async def test_effects_in_a_loop_are_each_remembered(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"out": "e.out"},
        groups={"g": group({"s": step("stamp")}, {"text": "s.text"}, "s.out")},
        e=step("each", body=Wire("#g"), items=["a", "b"]),
        f=step("decide", options=["on"]),
        end=step("stamp", text=Wire("f.out")),
    )
    job = await run(engine, document)
    await engine.answer(job.id, job.questions[0].call, "on")
    done = await ended(engine, job)
    assert done.state == "done"
    assert dict(diary.ran) == {"stamp a": 1, "stamp b": 1, "decide": 2, "stamp on": 1}


async def test_what_an_effect_in_a_loop_made_is_kept_for_its_owner(engine: Engine, diary: Diary) -> None:
    document = workflow(
        groups={"g": group({"s": step("stamp")}, {"text": "s.text"}, "s.out")},
        e=step("each", body=Wire("#g"), items=["a", "bb"]),
    )
    job = await run(engine, document, targets=["e"])
    events = await engine.events(job=job.id)
    assert {e.data["name"] for e in events if e.kind == "artifact.created"} == {"a", "bb"}


async def test_a_source_without_a_mark_is_read_once_per_job(engine: Engine, diary: Diary) -> None:
    steps = {"c": step("clock"), "d": step("decide", options=["on"])}
    document = workflow({"out": "c.out", "choice": "d.out"}, **steps)
    job = await run(engine, document)
    await engine.answer(job.id, "d", "on")
    assert (await ended(engine, job)).outputs["out"] == 1
    assert diary.ran["clock"] == 1
    assert (await run(engine, document)).state == "waiting"
    assert diary.ran["clock"] == 2


async def test_a_source_with_a_mark_is_read_when_the_world_changed(engine: Engine, diary: Diary) -> None:
    document = workflow({"out": "r.out"}, r=step("reading", name="x"))
    assert (await run(engine, document)).outputs == {"out": 0}
    assert (await run(engine, document)).outputs == {"out": 0}
    assert diary.ran["read x"] == 1
    diary.world = 7
    assert (await run(engine, document)).outputs == {"out": 7}
    assert diary.ran["read x"] == 2


# -- watching


async def test_progress_and_previews_are_told(engine: Engine, diary: Diary) -> None:
    heard: list[Event | Preview] = []
    engine.subscribe(heard.append)
    job = await submit(engine, workflow({"p": "p.out", "h": "h.out"}, p=step("painted", level=200),
                                        h=step("hold", name="x")))  # fmt: skip
    await opens(diary, "x began")

    def partial() -> list[float]:
        events = [e for e in heard if isinstance(e, Event) and e.kind == "progress"]
        return [e.data["steps"]["h"] for e in events if "h" in e.data["steps"]]

    await until(partial)
    assert 0 < (await engine.job(job.id)).progress < 1
    diary.gate("x").set()
    done = await ended(engine, job)
    assert (done.progress, done.outputs["p"]["artifact"]["mime"]) == (1.0, "image/png")
    previews = [p for p in heard if isinstance(p, Preview)]
    assert previews
    assert all((p.job, p.step, p.data[:3]) == (job.id, "p", b"\xff\xd8\xff") for p in previews)
    progress = [e.data["progress"] for e in heard if isinstance(e, Event) and e.kind == "progress"]
    assert all(0 <= p <= 1 for p in progress)
    kinds = [e.kind for e in heard if isinstance(e, Event) and e.seq]
    assert kinds[0] == "job.created"


async def test_the_stored_events_tell_every_step_to_its_end(engine: Engine) -> None:
    job = await run(engine, WIDE)
    states: dict[str, str] = {}
    for event in await engine.events(job=job.id):
        if event.kind == "steps":
            states.update({id: report["state"] for id, report in event.data["steps"].items()})
    assert states == dict.fromkeys("abcdef", "done")


async def test_previews_may_be_switched_off(tmp_path: Path, diary: Diary) -> None:
    heard: list[Event | Preview] = []
    async with opened(tmp_path, previews=False) as engine:
        engine.subscribe(heard.append)
        await run(engine, workflow({"p": "p.out"}, p=step("painted", level=1)))
    assert not [p for p in heard if isinstance(p, Preview)]


# -- requests


async def test_count_gives_as_many_runs_with_seeds_that_move_on(engine: Engine) -> None:
    document = workflow({"out": "s.out"}, inputs={"seed": "s.seed"}, s=step("random_number"))
    jobs = await engine.submit(Request(document, {"seed": 5}, count=3))
    assert [job.inputs["seed"] for job in jobs] == [5, 6, 7]
    outputs = [(await ended(engine, job)).outputs["out"] for job in jobs]
    assert len(set(outputs)) == 3
    for count in (0, 101):
        with pytest.raises(Invalid):
            await engine.submit(Request(document, count=count))


async def test_a_random_seed_is_drawn_recorded_and_kept(engine: Engine) -> None:
    document = workflow({"out": "s.out"}, inputs={"seed": "s.seed"}, s=step("random_number", seed="random"))
    first, second = await run(engine, document), await run(engine, document)
    seeds = [engine_seed(job) for job in (await engine.job(first.id), await engine.job(second.id))]
    assert seeds[0] != seeds[1]
    given = await run(engine, document, seed="random")
    assert isinstance(given.inputs["seed"], int)
    again = await run(engine, document, seed=given.inputs["seed"])
    assert again.outputs == given.outputs


def engine_seed(job: Job) -> int:
    found = msgspec.json.decode(job.document)["steps"]["s"]["values"]["seed"]
    assert isinstance(found, int)
    return found


async def test_an_idempotency_key_gives_the_same_jobs(engine: Engine, diary: Diary) -> None:
    request = Request(workflow({"out": "a.out"}, a=step("clock")))
    first = await engine.submit(request, key="k")
    second = await engine.submit(request, key="k")
    assert [job.id for job in first] == [job.id for job in second]
    with pytest.raises(Conflict):
        await engine.submit(Request(CHAIN), key="k")
    await ended(engine, first[0])
    assert diary.ran["clock"] == 1
    other = await engine.submit(request, owner="bob", key="k")
    assert other[0].id != first[0].id
    await ended(engine, other[0])


async def test_nan_is_refused_from_python_too(engine: Engine) -> None:
    with pytest.raises(Invalid) as caught:
        await engine.submit(Request(workflow({"out": "a.out"}, a=step("half", a=float("nan")))))
    assert caught.value.problems[0].code == "not_finite"


@pytest.mark.parametrize("needs", [[], 5, {"workflows": []}])
async def test_malformed_needs_are_refused(engine: Engine, needs: object) -> None:
    document = {**workflow({"out": "f.total"}, f=step("flow/loop_example")), "needs": needs}
    with pytest.raises(Invalid):
        await engine.submit(Request(document))


async def test_a_saved_workflow_runs_as_a_node_in_the_version_it_had(engine: Engine) -> None:
    document = workflow({"out": "f.total"}, f=step("flow/loop_example", years=1, start=100.0))
    assert await engine.run(document) == {"out": 203.0}


async def test_a_failed_run_raises_with_what_went_wrong(engine: Engine) -> None:
    with pytest.raises(RunFailed, match="no good: 3"):
        await engine.run(workflow({"out": "f.out"}, f=step("boom", value=3)))


# -- verify


async def test_a_repeated_run_is_compared_without_the_cache(engine: Engine, diary: Diary) -> None:
    job = await run(engine, CHAIN)
    diary.ran.clear()
    verdict = await engine.verify(job.id)
    assert (verdict.equal, verdict.outputs, verdict.differs) == (True, {"out": True}, [])
    assert diary.ran["b"] == 1
    unsteady = await run(engine, workflow({"out": "c.out"}, c=step("clock")))
    verdict = await engine.verify(unsteady.id)
    assert (verdict.equal, verdict.outputs) == (False, {"out": False})


async def test_a_run_that_only_saves_is_compared_by_what_it_saved(engine: Engine) -> None:
    job = await run(engine, workflow(s=step("stamp", text="x")))
    assert (await engine.verify(job.id)).equal
