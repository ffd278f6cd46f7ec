"""In Safe mode nothing leaves that was not looked at, whatever a workflow does."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageSequence

from engine.canonical import canonical
from engine.errors import Forbidden, Invalid
from engine.events import Event, Job, Preview, Request
from engine.service import Engine
from tests.engines import ended, opened, opens, run, until
from tests.gatekeepers import BAD, GOOD, GREY, Log, gated, shades
from tests.toys import Diary, Doc, Wire, group, step, workflow

REGISTRY = gated()
PALE = 6
"""How much of a shade JPEG and the like may change."""
MADE = {"make": group({"d": step("mine/draw")}, {"shade": "d.shade"}, "d.out")}


@pytest.fixture
def log() -> Log:
    Log.now = Log()
    return Log.now


@pytest_asyncio.fixture
async def safe(tmp_path: Path, log: Log) -> AsyncIterator[Engine]:
    async with opened(tmp_path, REGISTRY, mode=0, mode_limit=2) as engine:
        yield engine


async def leaked(engine: Engine, log: Log, previews: list[Preview]) -> list[str]:
    """Every door through which a bad picture has left."""
    found = [f"sent {what}" for what in log.sent if BAD in shades(what)]
    for asset in await engine.assets.list("local", "output", limit=1000):
        data = engine.store.get(asset.artifact.sha256)
        if is_bad(data):
            found.append(f"artifact {asset.artifact.mime} of {asset.job}")
    folder = engine.settings.data / "output"
    found += [f"file {path.name}" for path in folder.glob("*") if is_bad(path.read_bytes())]
    return found + [f"preview of {one.step}" for one in previews if is_bad(one.data)]


def is_bad(data: bytes) -> bool:
    """Whether a file shows the bad shade, in any frame, or is full of it."""
    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            return any(
                (np.asarray(frame.convert("RGB")) >= BAD - PALE).any()
                for frame in ImageSequence.Iterator(picture)
            )
    except OSError:
        return bytes([BAD]) * 16 in data or b"data:image/png" in data


def heard(engine: Engine) -> list[Preview]:
    found: list[Preview] = []

    def hear(item: Event | Preview) -> None:
        if isinstance(item, Preview):
            found.append(item)

    engine.subscribe(hear)
    return found


def drawn(shade: int = BAD) -> Doc:
    return step("mine/draw", shade=shade)


def through(node: str, port: str = "image", **given: Any) -> Doc:
    """A step that is given the bad picture."""
    wires: dict[str, Any] = {port: Wire("d.out")}
    return step(node, **wires, **given)


BOTH = {"d": drawn(), "g": drawn(GOOD), "l": step("same", a=Wire("g.out"), b=Wire("d.out"))}
SAVE = {"d": step("mine/draw"), "s": through("save_image")}
WAYS: dict[str, Doc] = {
    "an output": workflow({"p": "d.out"}, d=drawn()),
    "an output of a list": workflow({"p": "l.out"}, **BOTH),
    "a saved picture": workflow(d=drawn(), s=through("save_image")),
    "a saved picture as jpeg": workflow({"p": "s.out"}, d=drawn(), s=through("save_image", format="jpeg")),
    "a saved clip": workflow(**BOTH, s=step("save_animation", frames=Wire("l.out"))),
    "a mask": workflow({"p": "m.out"}, d=drawn(), m=through("mine/as_mask")),
    "behind transparency": workflow({"p": "c.out"}, d=drawn(), c=through("mine/clear")),
    "a file of a pack": workflow({"p": "f.out"}, d=drawn(), f=through("mine/file")),
    "a file of a pack, disguised": workflow({"p": "f.out"}, d=drawn(), f=through("mine/disguise")),
    "an effect that draws": workflow(p=step("mine/paint", shade=BAD)),
    "an effect that draws, named": workflow({"p": "p.out"}, p=step("mine/paint", shade=BAD)),
    "sent": workflow(d=drawn(), s=through("mine/send", "what")),
    "sent in a box": workflow(d=drawn(), b=through("mine/box"), s=step("mine/send", what=Wire("b.out"))),
    "sent as data": workflow(
        d=drawn(), p=through("mine/pretend"), s=step("mine/send_data", what=Wire("p.out"))
    ),
    "sent later": workflow(d=drawn(), s=through("mine/send_later", "what")),
    "made and sent": workflow(groups=MADE, s=step("mine/send_made", make=Wire("#make"), shade=BAD)),
    "asked about": workflow({"a": "s.out"}, d=drawn(), s=through("mine/show")),
    "made and asked about": workflow(
        {"a": "s.out"}, groups=MADE, s=step("mine/show_made", make=Wire("#make"), shade=BAD)
    ),
    "saved in a loop": workflow(
        {"p": "e.out"},
        groups={"save": group(SAVE, {"x": "d.shade"}, "s.out")},
        e=step("each", body=Wire("#save"), items=[BAD, GOOD]),
    ),
    "checked by hand": workflow({"p": "c.out"}, d=drawn(), c=through("check_safety", "value", flagged="log")),
    "bypassed": workflow({"p": "m.out"}, d=drawn(), m=through("mine/mirror", off="bypass")),
}
CLOSED: dict[str, Doc] = {
    "a box": workflow({"p": "b.out"}, d=step("mine/draw", shade=BAD, side=40), b=through("mine/box")),
    "plain data": workflow({"p": "p.out"}, d=drawn(), p=through("mine/pretend")),
    "within a text": workflow({"p": "f.out"}, d=drawn(), f=through("mine/spell")),
    "bytes of no kind": workflow({"p": "f.out"}, d=drawn(), f=through("mine/raw")),
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_way_leads_past_the_gate(safe: Engine, log: Log, way: str) -> None:
    previews = heard(safe)
    job = await run(safe, WAYS[way])
    assert job.state in ("done", "waiting"), job.problem
    assert await leaked(safe, log, previews) == []
    verdicts = [verdict for report in job.steps.values() for verdict in report.verdicts]
    assert {verdict["action"] for verdict in verdicts} >= {"blocked"}


@pytest.mark.parametrize("way", CLOSED)
async def test_what_nobody_can_look_at_stays_here(safe: Engine, log: Log, way: str) -> None:
    job = await run(safe, CLOSED[way])
    assert await leaked(safe, log, []) == []
    if way != "a box":
        assert job.state == "failed"
        assert job.problem is not None
        assert job.problem.code == "gate_closed"


@pytest.mark.parametrize("way", [*WAYS, *CLOSED])
async def test_each_way_is_open_where_the_mode_says_so(safe: Engine, log: Log, way: str) -> None:
    """So the test of the gate tests a gate."""
    previews = heard(safe)
    document = WAYS.get(way) or CLOSED[way]
    [job] = await safe.submit(Request(document, mode=2))
    job = await ended(safe, job)
    assert job.state in ("done", "waiting"), job.problem
    assert previews or "d" not in document["steps"]
    assert await leaked(safe, log, previews) != []
    assert log.looked == 0 or way == "checked by hand"


async def test_a_step_that_is_asked_for_by_name_is_checked_too(safe: Engine, log: Log) -> None:
    [job] = await safe.submit(Request(WAYS["a mask"], targets=["d"]))
    job = await ended(safe, job)
    assert (job.state, list(job.outputs)) == ("done", ["d.out"])
    assert await leaked(safe, log, []) == []


async def test_research_lets_out_and_tells_what_was_found(safe: Engine, log: Log) -> None:
    [job] = await safe.submit(Request(WAYS["an output"], mode=1))
    job = await ended(safe, job)
    assert await leaked(safe, log, []) != []
    [verdict] = job.receipt["verdicts"]
    assert (verdict["step"], verdict["checked"]) == ("p:check_safety", 1)
    [event] = [e for e in await safe.events(job=job.id) if e.data.get("state") == "done"]
    assert (event.data["mode"], event.data["verdicts"]) == (1, [verdict])


async def test_in_nsfw_the_log_says_that_checks_were_bypassed(safe: Engine, log: Log) -> None:
    [job] = await safe.submit(Request(WAYS["a saved picture"], mode=2))
    job = await ended(safe, job)
    assert job.receipt["verdicts"] == [{"step": "s.image", "action": "bypassed"}]
    assert not any(":check_safety" in id for id in job.steps)


async def test_a_check_is_a_call_like_any_other(safe: Engine, log: Log) -> None:
    first = await run(safe, WAYS["a saved picture"])
    again = await run(safe, WAYS["a saved picture"])
    assert first.steps["s.image:check_safety"].cache == "ran"
    assert again.steps["s.image:check_safety"].cache == "disk"
    assert log.looked == 1 + 1, "once for the preview"
    assert again.receipt["verdicts"] == first.receipt["verdicts"]
    assert first.receipt["nodes"]["check_safety"] == 1


async def test_what_is_no_picture_is_not_checked(safe: Engine, log: Log) -> None:
    job = await run(safe, workflow({"out": "a.out"}, a=step("add", a=1, b=2)))
    assert (job.outputs, list(job.steps), log.looked) == ({"out": 3.0}, ["a"], 0)
    assert "verdicts" not in job.receipt


async def test_a_good_picture_comes_out_as_it_is(safe: Engine, log: Log) -> None:
    previews = heard(safe)
    job = await run(safe, workflow({"p": "d.out"}, d=drawn(GOOD)))
    assert job.state == "done"
    made = job.outputs["p"]["artifact"]["sha256"]
    with Pillow.open(io.BytesIO(safe.store.get(made))) as picture:
        assert set(np.unique(np.asarray(picture))) == {GOOD}
    async with asyncio.timeout(10):
        while not previews:
            await asyncio.sleep(0.01)


async def test_of_a_list_and_a_run_only_what_is_flagged_is_covered(safe: Engine, log: Log) -> None:
    job = await run(safe, WAYS["saved in a loop"])
    found = set()
    for made in job.outputs["p"]:
        with Pillow.open(io.BytesIO(safe.store.get(made["artifact"]["sha256"]))) as picture:
            found |= set(np.unique(np.asarray(picture)))
    assert found == {GOOD, GREY}


async def test_an_upload_that_is_given_out_again_is_looked_at_too(safe: Engine, log: Log) -> None:
    data = io.BytesIO()
    Pillow.new("RGB", (8, 8), (BAD,) * 3).save(data, "png")
    id = await safe.add_artifact(data.getvalue())
    document = workflow({"p": "i.image"}, i=step("load_image", image=id))
    job = await run(safe, document)
    assert job.state == "done"
    assert await leaked(safe, log, []) == []


# -- trouble


async def test_a_broken_checker_closes_the_gate(safe: Engine, log: Log) -> None:
    log.broken = True
    previews = heard(safe)
    for way in ("an output", "a saved picture", "sent", "an effect that draws", "asked about"):
        job = await run(safe, WAYS[way])
        assert job.state == "failed", way
        assert job.problem is not None
        assert job.problem.code == "gate_closed"
    assert await leaked(safe, log, previews) == []
    assert list((safe.settings.data / "output").glob("*.png")) == []
    log.broken = False
    assert (await run(safe, WAYS["an output"])).state == "done", "a failure is not remembered"


async def test_a_slow_checker_holds_back_and_can_be_cancelled(safe: Engine, log: Log) -> None:
    log.slow = threading.Event()
    [job] = await safe.submit(Request(workflow({"p": "d.out"}, d=drawn(GOOD))))
    assert await asyncio.to_thread(log.began.wait, 10)
    await asyncio.sleep(0.05)
    assert (await safe.job(job.id)).state == "running"
    assert await safe.assets.list("local", "output") == []
    assert (await safe.cancel(job.id)).state == "cancelled"
    log.slow.set()
    assert await safe.assets.list("local", "output") == []


# -- who may ask for what


@pytest.mark.parametrize(
    ("changes", "owner", "mode", "who"),
    [
        ({}, "local", 1, "the setting mode of this server"),
        ({"mode_limit": 1}, "local", 2, "the setting mode_limit of this server"),
        ({"mode_limit": 2, "mode_limits": {"alice": 1}}, "alice", 2, "mode_limits for the owner 'alice'"),
        ({"mode_limit": 1, "mode_limits": {"alice": 2}}, "alice", 2, "the setting mode_limit of this server"),
    ],
)
async def test_more_than_is_allowed_is_refused_with_who_says_so(
    tmp_path: Path, log: Log, changes: dict[str, Any], owner: str, mode: int, who: str
) -> None:
    async with opened(tmp_path, REGISTRY, mode=0, **changes) as engine:
        with pytest.raises(Forbidden, match=who) as refused:
            await engine.submit(Request(WAYS["an output"], mode=mode), owner=owner)
        assert refused.value.status == 403
        [job] = await engine.submit(Request(WAYS["an output"]), owner=owner)
        assert job.mode == 0


async def test_a_run_that_was_queued_in_a_higher_mode_is_run_in_what_holds_now(
    tmp_path: Path, log: Log
) -> None:
    async with opened(tmp_path, REGISTRY, mode=0, mode_limit=2) as engine:
        [job] = await engine.submit(Request(WAYS["a saved picture"], mode=2, hold=True))
    async with opened(tmp_path, REGISTRY, mode=0) as engine:
        await engine.release(job.id)
        job = await ended(engine, job)
        assert job.receipt["verdicts"][0]["action"] == "blocked"
        assert await leaked(engine, log, []) == []


async def test_what_a_run_saved_in_a_higher_mode_is_looked_at_when_it_goes_on(
    tmp_path: Path, log: Log, diary: Diary
) -> None:
    """Its worker is gone half-way, and when it goes on the server allows less."""
    document = workflow(
        {"p": "s.out", "z": "h.out"}, d=drawn(), s=through("save_image"), h=step("hold", name="x")
    )
    async with opened(tmp_path, REGISTRY, mode=0, mode_limit=2) as engine:
        [job] = await engine.submit(Request(document, mode=2))
        await until(lambda: list((engine.settings.data / "output").glob("*.png")))
        await opens(diary, "x began")
        await until(lambda: not list((engine.settings.data / "output").glob(".*.part")))
    async with opened(tmp_path, REGISTRY, mode=0) as engine:
        diary.gate("x").set()
        job = await ended(engine, job)
        assert job.steps["s"].cache == "disk"
        kept = await engine.assets.list("local", "output")
        assert not [asset for asset in kept if is_bad(engine.store.get(asset.artifact.sha256))]


async def test_verify_names_the_mode_where_that_explains_a_difference(tmp_path: Path, log: Log) -> None:
    async with opened(tmp_path, REGISTRY, mode=0, mode_limit=2) as engine:
        [job] = await engine.submit(Request(workflow({"p": "s.out"}, **SAVE | {"d": drawn()}), mode=2))
        job = await ended(engine, job)
        assert (await engine.verify(job.id)).equal
    async with opened(tmp_path, REGISTRY, mode=0) as engine:
        file = engine.assets.id_of("local", job.outputs["p"]["artifact"]["sha256"])
        for id in (job.id, file):
            verdict = await engine.verify(id)
            assert (verdict.equal, verdict.field) == (False, "mode")
            assert "mode: 2 then, 0 now" in verdict.sentence


# -- any workflow

STEPS = st.sampled_from([
    "draw", "mirror", "box", "open_box", "pretend", "as_mask", "clear", "file", "send", "send_data", "paint",
    "send_later", "show", "same", "save_image", "save_animation", "check_safety", "nested", "each",
])  # fmt: skip
OFF = st.sampled_from(["", "", "", "", "mute", "bypass"])
IMAGES = {
    "mirror": "image", "box": "image", "pretend": "image", "as_mask": "image", "clear": "image",
    "file": "image", "send": "what", "send_data": "what", "send_later": "what", "show": "image",
    "save_image": "image", "save_animation": "frames", "check_safety": "value", "open_box": "box",
}  # fmt: skip
SHOWS = workflow(
    {"out": "s.out"}, inputs={"shade": "d.shade"}, d=drawn(), s=step("save_image", image=Wire("d.out"))
)

INNER = canonical(SHOWS)


@st.composite
def documents(draw: Any) -> Doc:
    """Pictures drawn, passed on in all kinds of ways, and let out wherever it may be tried."""
    steps: Doc = {"s0": drawn(draw(st.sampled_from([BAD, GOOD])))}
    outputs: dict[str, str] = {}
    for number in range(1, draw(st.integers(2, 8))):
        what, name = draw(STEPS), f"s{number}"
        earlier = [Wire(f"s{draw(st.integers(0, number - 1))}.out") for _ in range(2)]
        if what in ("draw", "paint"):
            made = step(f"mine/{what}", shade=draw(st.sampled_from([BAD, GOOD])))
        elif what == "same":
            made = step("same", a=earlier[0], b=earlier[1])
        elif what == "nested":
            made = step("flow/inner", shade=draw(st.sampled_from([BAD, GOOD])))
        elif what == "each":
            made = step("each", body=Wire("#make"), items=[GOOD, BAD])
        else:
            own = what in ("save_image", "save_animation", "check_safety")
            given_to: dict[str, Any] = {
                IMAGES[what]: earlier[0],
                **({"flagged": "log"} if what == "check_safety" else {}),
            }
            made = step(what if own else f"mine/{what}", off=draw(OFF), **given_to)
        steps[name] = made
        if draw(st.booleans()):
            outputs[name] = f"{name}.out"
    return workflow(outputs or {"s0": "s0.out"}, groups=MADE, **steps)


def test_no_workflow_lets_a_bad_picture_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    tried: list[Job] = []

    async def trial(document: Doc) -> None:
        folder = tmp_path_factory.mktemp("any")
        Log.now = log = Log()
        async with opened(folder, REGISTRY, mode=0, mode_limit=2) as engine:
            await engine.library.put("inner", "local", INNER)
            previews = heard(engine)
            try:
                job = await run(engine, document)
            except Invalid:
                return
            tried.append(job)
            assert await leaked(engine, log, previews) == [], document

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(documents())
    def every(document: Doc) -> None:
        asyncio.run(trial(document))

    every()
    assert len([job for job in tried if job.state in ("done", "waiting")]) > 5
