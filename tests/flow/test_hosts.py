"""One suite for every place where runs may happen: this process, and a child process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engine.config import settings
from engine.errors import Conflict
from engine.events import Event, Preview
from engine.registry import Registry
from engine.service import Engine
from tests.engines import ended, run, submit, until
from tests.toys import Doc, Wire, step, workflow

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACK = '''
"""Nodes that say what they did in a file."""

import os
from pathlib import Path

from engine import SILENT, Context, Image, node


def note(diary: str, line: str) -> None:
    handle = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line} in {os.getpid()}\\n".encode())
    os.close(handle)


@node(category="test")
def work(diary: str, name: str, value: int = 0) -> int:
    """Add one."""
    note(diary, name)
    return value + 1


@node(category="test")
def boom(value: int) -> int:
    """Fail."""
    raise ValueError(f"no good: {value}")


@node(category="test")
def hold(diary: str, ctx: Context = SILENT) -> str:
    """Go on when the file appears."""
    note(diary, "hold")
    for _ in ctx.track(range(10_000)):
        if Path(diary + ".go").exists():
            break
        __import__("time").sleep(0.005)
    return "went on"


@node(category="test", kind="effect")
def stamp(diary: str, text: str) -> str:
    """Change the world."""
    note(diary, f"stamp {text}")
    return text


@node(category="test")
def painted(level: int, ctx: Context = SILENT) -> Image:
    """Paint, and show it on the way."""
    import numpy as np

    picture = Image(np.full((16, 24, 3), level, np.uint8))
    ctx.preview(picture)
    return picture
'''


@pytest_asyncio.fixture(params=["this process", "a child process"], scope="module", loop_scope="module")
async def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("host")
    packs = folder / "packs"
    packs.mkdir()
    (packs / "toy.py").write_text(PACK, "utf-8")
    if request.param == "this process":
        async with Engine.local(folder / "data", registry=Registry.core(), packs=packs) as engine:
            yield engine
    else:
        async with Engine.open(settings(data=folder / "data", packs=packs, warm=False)) as engine:
            yield engine


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def lines(diary: Path) -> list[str]:
    """What the nodes wrote, without the process that they ran in."""
    if not diary.exists():
        return []
    return [line.partition(" in ")[0] for line in diary.read_text("utf-8").splitlines()]


def chain(diary: Path, name: str) -> Doc:
    return workflow(
        {"out": "b.out"},
        a=step("toy/work", diary=str(diary), name=f"{name}1"),
        b=step("toy/work", diary=str(diary), name=f"{name}2", value=Wire("a.out")),
    )


async def test_a_run_is_done_with_its_outputs_and_receipt(engine: Engine, diary: Path) -> None:
    job = await run(engine, chain(diary, "x"))
    assert (job.state, job.outputs, job.progress) == ("done", {"out": 2}, 1.0)
    assert lines(diary) == ["x1", "x2"]
    assert job.receipt["nodes"] == {"toy/work": 1}
    assert set(job.receipt["packs"]) == {"toy"}
    assert {id: (r.state, r.cache, r.calls) for id, r in job.steps.items()} == {
        "a": ("done", "ran", 1), "b": ("done", "ran", 1),
    }  # fmt: skip


async def test_the_same_again_calls_nothing(engine: Engine, diary: Path) -> None:
    await run(engine, chain(diary, "y"))
    job = await run(engine, chain(diary, "y"))
    assert (job.outputs, lines(diary)) == ({"out": 2}, ["y1", "y2"])
    assert {report.cache for report in job.steps.values()} == {"memory"}


async def test_a_failure_says_where_and_why(engine: Engine) -> None:
    job = await run(engine, workflow({"bad": "f.out", "good": "g.out"}, f=step("toy/boom", value=3),
                                     g=step("add", a=1, b=2)))  # fmt: skip
    assert job.problem is not None
    assert (job.state, job.problem.code, job.problem.step) == ("failed", "node_failed", "f")
    assert "ValueError: no good: 3" in job.problem.got
    assert "/" not in job.problem.got
    assert job.outputs == {"good": 3.0}


async def test_a_cancelled_run_stops_and_the_next_one_runs(engine: Engine, diary: Path) -> None:
    job = await submit(engine, workflow({"out": "h.out"}, h=step("toy/hold", diary=str(diary))))
    await until(lambda: lines(diary))
    assert (await engine.cancel(job.id)).state == "cancelled"
    await until(lambda: not engine.dispatch.host.busy)
    assert (await engine.job(job.id)).state == "cancelled"
    with pytest.raises(Conflict):
        await engine.hold(job.id)
    assert (await run(engine, chain(diary, "after"))).state == "done"


async def test_a_question_parks_the_run_and_effects_are_not_repeated(engine: Engine, diary: Path) -> None:
    document = workflow(
        {"choice": "q.choice", "end": "end.out"},
        first=step("toy/stamp", diary=str(diary), text="before"),
        q=step("ask", question="Which?", options=["red", "blue"]),
        end=step("toy/stamp", diary=str(diary), text=Wire("q.choice")),
    )
    job = await run(engine, document)
    assert (job.state, [q.call for q in job.questions]) == ("waiting", ["q"])
    assert lines(diary) == ["stamp before"]
    await engine.answer(job.id, "q", "blue")
    done = await ended(engine, job)
    assert (done.state, done.outputs) == ("done", {"choice": "blue", "end": "blue"})
    assert lines(diary) == ["stamp before", "stamp blue"]


async def test_a_retried_run_goes_on_where_it_failed(engine: Engine, diary: Path) -> None:
    document = workflow(
        {"bad": "f.out", "s": "s.out"}, f=step("toy/boom", value=1),
        s=step("toy/stamp", diary=str(diary), text="once"),
    )  # fmt: skip
    job = await run(engine, document)
    await engine.retry(job.id)
    assert (await ended(engine, job)).state == "failed"
    assert lines(diary) == ["stamp once"]


async def test_pictures_are_shown_and_kept(engine: Engine) -> None:
    heard: list[Event | Preview] = []
    engine.subscribe(heard.append)
    job = await run(engine, workflow({"picture": "p.out"}, p=step("toy/painted", level=90)))
    engine.unsubscribe(heard.append)
    picture = job.outputs["picture"]["artifact"]
    assert (picture["mime"], picture["width"], picture["height"]) == ("image/png", 24, 16)
    path, _ = await engine.artifact_path(engine.assets.id_of("local", picture["sha256"]))
    assert path.read_bytes()[:4] == b"\x89PNG"
    [preview] = [p for p in heard if isinstance(p, Preview)]
    assert (preview.job, preview.step, preview.data[:3]) == (job.id, "p", b"\xff\xd8\xff")


async def test_two_runs_share_the_machine(engine: Engine, diary: Path) -> None:
    held = await submit(engine, workflow({"out": "h.out"}, h=step("toy/hold", diary=str(diary))))
    await until(lambda: lines(diary))
    assert (await run(engine, chain(diary, "beside"))).state == "done"
    Path(f"{diary}.go").touch()
    assert (await ended(engine, held)).outputs == {"out": "went on"}


async def test_every_event_of_a_run_is_in_order(engine: Engine, diary: Path) -> None:
    job = await run(engine, chain(diary, "z"))
    events = await engine.events(job=job.id)
    assert [e.seq for e in events] == sorted(e.seq for e in events)
    states = [e.data["state"] for e in events if e.kind == "job.state"]
    assert (events[0].kind, states) == ("job.created", ["running", "done"])


async def test_a_repetition_is_compared(engine: Engine, diary: Path) -> None:
    job = await run(engine, chain(diary, "v"))
    verdict = await engine.verify(job.id)
    assert (verdict.equal, lines(diary)) == (True, ["v1", "v2", "v1", "v2"])


async def test_a_saved_pack_gives_the_new_code_on_the_next_run(engine: Engine, diary: Path) -> None:
    """Last, since it changes the pack for the rest."""
    document = chain(diary, "pack")
    assert (await run(engine, document)).outputs == {"out": 2}
    pack = engine.settings.packs / "toy.py"
    changed = asyncio.Event()

    def listen(event: Event | Preview) -> None:
        if isinstance(event, Event) and event.kind == "packs":
            changed.set()

    engine.subscribe(listen)
    pack.write_text(PACK.replace("return value + 1", "return value + 10"), "utf-8")
    await asyncio.wait_for(changed.wait(), 60)
    job = await run(engine, document)
    assert job.outputs == {"out": 20}
    assert "changed" in job.steps["a"].why
