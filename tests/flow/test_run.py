"""Runs through the engine: what is computed and what is not, loops, lists, failures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.errors import Invalid
from engine.events import Request
from engine.service import Engine
from tests.engines import CHAIN, WIDE, ended, opened, opens, run, submit, use
from tests.toys import Diary, Doc, Wire, group, step, workflow

# -- what is not computed again


async def test_a_run_gives_its_named_outputs(engine: Engine) -> None:
    assert await engine.run(CHAIN) == {"out": 6}


async def test_the_same_again_calls_nothing(engine: Engine, diary: Diary) -> None:
    document = CHAIN
    first = await run(engine, document)
    diary.ran.clear()
    second = await run(engine, document)
    assert (second.outputs, diary.ran) == (first.outputs, {})
    assert use(first) == dict.fromkeys("abcd", "ran")
    assert use(second) == dict.fromkeys("abcd", "memory")
    assert [report.calls for report in second.steps.values()] == [0] * 4


async def test_the_cache_survives_the_engine(tmp_path: Path, diary: Diary) -> None:
    document = CHAIN
    async with opened(tmp_path) as engine:
        await run(engine, document)
    diary.ran.clear()
    async with opened(tmp_path) as engine:
        job = await run(engine, document)
    assert (job.outputs, diary.ran) == ({"out": 6}, {})
    assert use(job) == dict.fromkeys("abcd", "disk")


async def test_one_value_edited_runs_exactly_its_cone(engine: Engine, diary: Diary) -> None:
    await run(engine, WIDE)
    diary.ran.clear()
    steps = {**WIDE["steps"], "b": step("work", name="b", value=5)}
    job = await run(engine, {**WIDE, "steps": steps})
    assert set(diary.ran) == {"b", "d", "f"}
    assert use(job) == {"a": "memory", "c": "memory", "e": "memory", "b": "ran", "d": "ran", "f": "ran"}


async def test_an_edit_that_changes_nothing_further_up_stops_there(engine: Engine, diary: Diary) -> None:
    def document(a: int, b: int) -> Doc:
        steps = {"p": step("plus", a=a, b=b), "w": step("work", name="w", value=Wire("p.out"))}
        return workflow({"out": "w.out"}, **steps)

    await run(engine, document(1, 4))
    diary.ran.clear()
    await run(engine, document(2, 3))
    assert diary.ran == {"plus": 1}


async def test_the_receipt_names_every_kind_of_model_by_its_content(tmp_path: Path, diary: Diary) -> None:
    shelf = tmp_path / "shelf" / "loras"
    shelf.mkdir(parents=True)
    save_file({"unet.down": np.ones(4, np.float32)}, shelf / "ink.safetensors")
    document = workflow({"out": "w.out"}, w=step("wear", model="starter", lora="ink"))
    async with opened(tmp_path, models=[tmp_path / "shelf"]) as engine:
        job = await run(engine, document)
    content = hashlib.sha256((shelf / "ink.safetensors").read_bytes()).hexdigest()
    assert set(job.receipt["models"]) == {"starter", "ink"}
    assert job.receipt["models"]["ink"] == content


@pytest.mark.model
async def test_the_receipt_names_embeddings_and_what_comes_by_wire(tmp_path: Path, diary: Diary) -> None:
    shelf = tmp_path / "shelf" / "embeddings"
    shelf.mkdir(parents=True)
    save_file({"emb_params": np.ones((1, 128), np.float32)}, shelf / "cat.safetensors")
    document = workflow(
        {"tokens": "count.tokens"},
        name=step("text", value="starter"),
        words=step("join_two", a="a", b="embedding:cat"),
        model=step("load_model", model=Wire("name.out")),
        count=step("count_tokens", encoder=Wire("model.text_encoder"), text=Wire("words.out")),
    )
    async with opened(tmp_path, models=[tmp_path / "shelf"]) as engine:
        first, again = await run(engine, document), await run(engine, document)
    content = hashlib.sha256((shelf / "cat.safetensors").read_bytes()).hexdigest()
    assert set(first.receipt["models"]) == {"starter", "embedding:cat"}
    assert first.receipt["models"]["embedding:cat"] == content
    assert again.steps["count"].calls == 0
    assert again.receipt["models"] == first.receipt["models"], "also when nothing had to run"


async def test_a_model_is_found_also_where_nothing_runs_on_the_device(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf" / "detectors"
    shelf.mkdir(parents=True)
    (shelf / "mine.onnx").write_bytes(b"a finder")
    document = workflow({"finder": "f.out"}, f=step("load_face_finder", model="mine"))
    async with opened(tmp_path, models=[tmp_path / "shelf"]) as engine:
        job = await run(engine, document)
    assert job.state == "done", job.problem


async def test_renaming_steps_runs_nothing(engine: Engine, diary: Diary) -> None:
    await run(engine, workflow({"out": "a.out"}, a=step("work", name="x")))
    diary.ran.clear()
    await run(engine, workflow({"picture": "renamed.out"}, renamed=step("work", name="x")))
    assert not diary.ran


async def test_why_says_what_changed(engine: Engine, diary: Diary) -> None:
    def document(name: str, value: int) -> Doc:
        return workflow({"out": "a.out"}, a=step("work", name=name, value=value))

    assert (await run(engine, document("x", 1))).steps["a"].why == "first run of this node"
    assert (await run(engine, document("x", 2))).steps["a"].why == "value changed"
    assert (await run(engine, document("y", 3))).steps["a"].why == "name and value changed"


async def test_equal_calls_of_one_run_are_made_once(engine: Engine, diary: Diary) -> None:
    twins = {f"s{i}": step("hold", name="x") for i in range(4)}
    job = await submit(engine, workflow({f"o{i}": f"s{i}.out" for i in range(4)}, **twins))
    await opens(diary, "x began")
    diary.gate("x").set()
    done = await ended(engine, job)
    assert diary.ran["x"] == 1
    assert sorted(use(done).values()) == ["flight", "flight", "flight", "ran"]


async def test_a_run_to_a_target_runs_only_its_ancestors(engine: Engine, diary: Diary) -> None:
    job = await run(engine, WIDE, targets=["c"])
    assert set(diary.ran) == {"a", "c"}
    assert job.outputs == {"c.out": 2}


async def test_a_chain_of_thousands_runs(engine: Engine, diary: Diary) -> None:
    steps = {f"s{i}": step("plus", a=Wire(f"s{i - 1}.out"), b=1) for i in range(1, 3000)}
    job = await run(engine, workflow({"out": "s2999.out"}, s0=step("plus", a=0), **steps))
    assert (job.state, job.outputs) == ("done", {"out": 2999})


# -- branches and loops


async def test_choose_leaves_the_other_branch_alone(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"out": "c.out"}, inputs={"condition": "c.condition"},
        y=step("work", name="yes"), n=step("work", name="no"),
        c=step("choose", yes=Wire("y.out"), no=Wire("n.out")),
    )  # fmt: skip
    job = await run(engine, document, condition=True)
    assert (dict(diary.ran), job.outputs) == ({"yes": 1}, {"out": 1})
    assert "n" not in job.steps


BY = Wire("by.out")
LOOP = workflow(
    {"out": "loop.out"},
    inputs={"times": "loop.times", "by": "by.value"},
    groups={"turn": group({"w": step("work", name="turn"), "p": step("plus", a=Wire("w.out"), b=BY)},
                          {"value": "w.value"}, "p.out")},
    by=step("work", name="by", value=9),
    loop=step("repeat", body=Wire("#turn"), start=0),
)  # fmt: skip


async def test_a_longer_loop_pays_only_for_the_new_turns(engine: Engine, diary: Diary) -> None:
    assert (await run(engine, LOOP, times=4)).outputs == {"out": 44}
    assert diary.ran["turn"] == 4
    job = await run(engine, LOOP, times=6)
    assert (diary.ran["turn"], job.outputs) == (6, {"out": 66})
    report = job.steps["loop/turn/w"]
    assert (report.calls, report.hits) == (2, 4)


async def test_a_shorter_loop_pays_nothing(engine: Engine, diary: Diary) -> None:
    await run(engine, LOOP, times=4)
    diary.ran.clear()
    assert (await run(engine, LOOP, times=2)).outputs == {"out": 22}
    assert not diary.ran


async def test_loops_in_loops_run(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"out": "outer.out"},
        groups={
            "outer": group({"l": step("repeat", body=Wire("#inner"), times=2)}, {"v": "l.start"}, "l.out"),
            "inner": group({"s": step("plus", b=Wire("top.out"))}, {"value": "s.a"}, "s.out"),
        },
        top=step("work", name="top", value=4),
        outer=step("repeat", body=Wire("#outer"), start=1, times=3),
    )
    assert (await run(engine, document)).outputs == {"out": 31}


async def test_each_runs_a_group_for_every_item_at_once(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"out": "e.out"},
        groups={"g": group({"m": step("meet")}, {"name": "m.name"}, "m.out")},
        e=step("each", body=Wire("#g"), items=["a", "b"]),
    )
    assert (await run(engine, document)).outputs == {"out": ["a", "b"]}


async def test_while_and_retry_end_when_they_should(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"grown": "w.out", "found": "r.out"},
        groups={
            "add": group({"s": step("plus", b=3)}, {"value": "s.a"}, "s.out"),
            "small": group({"c": step("compare", b=10, operator="<")}, {"value": "c.a"}, "c.out"),
            "big": group({"c": step("compare", b=2, operator=">")}, {"value": "c.a"}, "c.out"),
            "turn": group({"s": step("work", name="try")}, {"turn": "s.value"}, "s.out"),
        },
        w=step("while", body=Wire("#add"), condition=Wire("#small"), start=0),
        r=step("retry", body=Wire("#turn"), good=Wire("#big")),
    )
    assert (await run(engine, document)).outputs == {"grown": 12, "found": 3}
    assert diary.ran["try"] == 3


async def test_a_loop_that_makes_too_many_calls_is_stopped(tmp_path: Path, diary: Diary) -> None:
    async with opened(tmp_path, call_limit=50) as engine:
        job = await run(engine, LOOP, times=10_000)
    assert job.state == "failed"
    assert job.problem is not None
    assert "too many calls" in job.problem.got


# -- lists


async def test_a_list_is_gone_through_item_by_item(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"out": "m.out", "sum": "s.out"}, inputs={"items": "l.items"},
        l=step("list_of_whole_numbers", items=[1, 2, 1]), m=step("work", name="m", value=Wire("l.out")),
        s=step("numbers", items=Wire("m.out")),
    )  # fmt: skip
    job = await run(engine, document)
    assert job.outputs == {"out": [2, 3, 2], "sum": 7.0}
    assert diary.ran["m"] == 2, "equal items are one call"
    job = await run(engine, document, items=[1, 2, 5])
    assert (job.outputs["out"], diary.ran["m"]) == ([2, 3, 6], 3)
    job = await run(engine, document, items=[])
    assert (job.outputs, diary.ran["m"]) == ({"out": [], "sum": 0.0}, 3)


async def test_lists_of_unequal_length_are_refused_with_the_remedy(engine: Engine) -> None:
    document = workflow(
        {"out": "m.out"}, l=step("list_of_whole_numbers", items=[1, 2]), t=step("twins", value=1),
        x=step("list_of_whole_numbers", items=[1, 2, 3]), m=step("plus", a=Wire("l.out"), b=Wire("x.out")),
    )  # fmt: skip
    job = await run(engine, document)
    assert job.problem is not None
    assert (job.state, job.problem.step, job.problem.got) == ("failed", "m", "a: 2, b: 3")
    assert "cross_product" in job.problem.remedy


async def test_a_node_that_changes_its_list_changes_only_its_own(engine: Engine) -> None:
    document = workflow(
        {"one": "a.out", "two": "b.out"}, l=step("twins", value=3),
        a=step("spoil", items=Wire("l.out")), b=step("plus", a=Wire("c.out"), b=Wire("a.out")),
        c=step("spoil", items=Wire("r.out")), r=step("reverse", items=Wire("l.out")),
    )  # fmt: skip
    assert (await run(engine, document)).outputs == {"one": 7, "two": 14}
    typed = workflow({"out": "s.out"}, s=step("spoil", items=[1]))
    assert await engine.run(typed) == {"out": 2}
    assert await engine.run({**typed, "title": "another"}) == {"out": 2}


# -- failures


async def test_a_failure_reaches_every_reader_and_other_branches_go_on(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"bad": "r2.out", "good": "g.out"},
        f=step("boom", value=3),
        r1=step("work", name="r1", value=Wire("f.out")),
        r2=step("work", name="r2", value=Wire("r1.out")),
        g=step("work", name="g"),
        s=step("stamp", text="still"),
    )
    job = await run(engine, document)
    assert job.state == "failed"
    assert job.problem is not None
    assert (job.problem.code, job.problem.step) == ("node_failed", "f")
    assert "ValueError: no good: 3" in job.problem.got
    assert "toys.py" not in job.problem.got
    assert {id: r.state for id, r in job.steps.items()} == {
        "f": "failed", "r1": "skipped", "r2": "skipped", "g": "done", "s": "done",
    }  # fmt: skip
    assert job.outputs == {"good": 1}
    assert set(diary.ran) == {"boom", "g", "stamp still"}


async def test_a_failure_through_a_long_chain_stays_short(engine: Engine) -> None:
    steps = {f"s{i}": step("plus", a=Wire(f"s{i - 1}.out")) for i in range(1, 3000)}
    job = await run(engine, workflow({"out": "s2999.out"}, s0=step("boom"), **steps))
    assert (job.state, job.problem.step if job.problem else "") == ("failed", "s0")


async def test_a_failure_is_not_remembered(engine: Engine, diary: Diary) -> None:
    document = workflow({"out": "f.out"}, f=step("boom"))
    await run(engine, document)
    await run(engine, document)
    assert diary.ran["boom"] == 2


@pytest.mark.parametrize(
    "bad",
    [
        step("endless", value=1, way="stop"),
        step("endless", value=1, way="exit"),
        step("endless", value=1, way="interrupt"),
        step("endless_inline", value=1),
        step("endless_async", value=1),
    ],
    ids=["StopIteration", "exit", "interrupt", "exit inline", "exit async"],
)
async def test_a_node_that_would_end_more_than_itself_only_fails(engine: Engine, bad: Doc) -> None:
    job = await run(engine, workflow({"out": "bad.out", "good": "good.out"}, bad=bad, good=step("plus", a=1)))
    assert (job.state, job.outputs) == ("failed", {"good": 1})


async def test_a_node_that_returns_what_it_did_not_declare_is_named(engine: Engine) -> None:
    job = await run(engine, workflow({"out": "l.out"}, l=step("lie", value=1)))
    assert job.problem is not None
    assert "lie returned 1 for out, which is declared as whole number" in job.problem.got


async def test_a_failure_in_a_loop_names_the_step_in_it(engine: Engine) -> None:
    document = workflow(
        {"out": "l.out"}, groups={"g": group({"b": step("boom")}, {"value": "b.value"}, "b.out")},
        l=step("repeat", body=Wire("#g"), start=7),
    )  # fmt: skip
    job = await run(engine, document)
    assert job.problem is not None
    assert (job.problem.step, job.steps["l"].state) == ("l/g/b", "failed")


async def test_a_wired_value_outside_the_limits_is_named(engine: Engine) -> None:
    document = workflow({"out": "l.out"}, p=step("plus", a=200), l=step("limited", steps=Wire("p.out")))
    job = await run(engine, document)
    assert job.problem is not None
    assert (job.problem.step, job.problem.input, job.problem.got) == ("l", "steps", "200")


async def test_a_refused_request_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(Invalid) as caught:
        await engine.submit(Request(workflow({"out": "a.out"}, a=step("nope"))))
    assert [p.code for p in caught.value.problems] == ["unknown_node"]
    assert await engine.jobs() == []
