"""What a saved file can say of how it came to be, and whether that is true."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image as pil
from safetensors.numpy import save_file

from engine.artifacts import Folder
from engine.errors import Damaged, NotFound
from engine.models import content, content_of
from engine.node import node
from engine.receipt import Receipt
from engine.registry import Registry
from engine.service import Engine
from engine.types import Artifact, LoraName
from tests.engines import opened, run
from tests.toys import Diary, Doc, Wire, group, step, workflow
from tests.web.served import png

SAVED = workflow(
    {"picture": "save.out", "plain": "paint.out"},
    inputs={"level": "paint.level"},
    paint=step("painted", level=3),
    save=step("save_image", image=Wire("paint.out"), name="level {level}"),
    beside=step("work", name="beside"),
)


async def files(engine: Engine, kind: Any = "output") -> dict[str, Artifact]:
    return {asset.id: asset.artifact for asset in await engine.assets.list("local", kind)}


async def receipts(engine: Engine) -> dict[str, Receipt]:
    """The receipt of every output, by its name."""
    found = await files(engine)
    return {file.name: (await engine.proofs.receipt(id)).receipt for id, file in found.items()}


async def test_every_file_that_is_made_has_its_receipt(engine: Engine, diary: Diary) -> None:
    job = await run(engine, SAVED, level=9)
    found = await receipts(engine)
    saved, plain = found["level 9_00001.png"], found["image"]
    assert (saved.run, saved.step, plain.step) == (job.id, "save", "paint")
    assert list(saved.steps) == ["paint", "save"], "what it did not need is not in it"
    assert list(plain.steps) == ["paint"]
    assert saved.inputs == {"level": 9}
    assert saved.nodes == {"painted": 1, "save_image": 1}
    paint = saved.steps["paint"]
    assert (paint.node, paint.values, paint.cache, paint.lane) == ("painted", {"level": 9}, "ran", "cpu")
    assert paint.seconds > 0
    assert saved.environment["numpy"] == np.__version__
    assert saved.looks.keys() == {job.outputs["picture"]["artifact"]["sha256"]}
    assert list(saved.looks.values()) == list(plain.looks.values()) == [job.receipt["looks"]["picture"]]
    with pytest.raises(NotFound, match="no receipt"):
        await engine.proofs.receipt(await engine.add_artifact(png()))


async def test_a_receipt_leads_back_to_the_files_it_came_from(engine: Engine, diary: Diary) -> None:
    upload = await engine.add_artifact(png(), name="red.png")
    document = workflow(
        {"picture": "again.out"},
        open=step("load_image", image=upload),
        save=step("save_image", image=Wire("open.image"), name="once"),
        reopen=step("load_image", image=Wire("save.out")),
        turned=step("invert", image=Wire("reopen.image")),
        again=step("save_image", image=Wire("turned.out"), name="twice"),
    )
    await run(engine, document)
    found = await receipts(engine)
    once, twice = found["once_00001.png"], found["twice_00001.png"]
    assert [(p.name, p.step) for p in once.parents] == [("red.png", "")]
    assert [(p.name, p.step) for p in twice.parents] == [("red.png", ""), ("once_00001.png", "save")]
    assert once.files == {upload: once.parents[0].sha256}
    assert await engine.proofs.where(once.parents[0].sha256, "local") == (upload, False)


async def test_a_loop_tells_the_turn_and_the_seeds_of_all_its_turns(engine: Engine, diary: Diary) -> None:
    steps: Doc = {
        "draw": step("random_whole_number", low=0, high=200),
        "paint": step("painted", level=Wire("draw.out")),
        "save": step("save_image", image=Wire("paint.out"), name="turn"),
    }
    each = {"turn": group(steps, {"item": "draw.seed"}, "save.out")}
    document = workflow(
        {"pictures": "all.out"}, groups=each,
        many=step("range", start=5, count=3), all=step("each", items=Wire("many.out"), body=Wire("#turn")),
    )  # fmt: skip
    job = await run(engine, document)
    assert job.state == "done", job.problem
    found = [(await engine.proofs.receipt(id)).receipt for id in await files(engine)]
    assert len({receipt.step for receipt in found}) == 3
    assert all(receipt.step.endswith("/save") or "save" in receipt.step for receipt in found)
    drawn = next(seeds for name, seeds in found[0].seeds.items() if name.endswith("draw.seed"))
    assert sorted(drawn) == [5, 6, 7]
    assert "many" in found[0].steps, "the list that the loop goes through"
    assert (await engine.verify(next(iter(await files(engine))))).equal


async def test_a_file_that_was_edited_where_it_lies_is_not_called_equal(engine: Engine, diary: Diary) -> None:
    job = await run(engine, SAVED)
    sha256 = job.outputs["picture"]["artifact"]["sha256"]
    id = engine.assets.id_of("local", sha256)
    assert (await engine.verify(id)).equal
    path = engine.store.path(sha256)
    path.chmod(0o600)
    path.write_bytes(png())
    with pytest.raises(Damaged, match="has changed on disk"):
        await engine.verify(id)


async def test_files_of_one_content_have_the_receipt_of_the_last_run(engine: Engine, diary: Diary) -> None:
    await run(engine, SAVED)
    last = await run(engine, SAVED)
    found = await receipts(engine)
    assert found["level 3_00001.png"].run == last.id
    assert found["level 3_00001.png"].steps["paint"].cache == "memory"


async def test_a_receipt_stays_with_its_file_and_goes_with_it(tmp_path: Path, diary: Diary) -> None:
    async with opened(tmp_path) as engine:
        await run(engine, SAVED)
        kept = next(id for id, file in (await files(engine)).items() if file.name != "image")
        data = (await engine.artifact_path(kept))[0].read_bytes()
        assert await engine.add_artifact(data) == kept, "now also an upload, which does not expire"
        await engine.retention.expire(time.time() + 1)
        assert (await engine.jobs()) == []
        assert (await engine.proofs.receipt(kept)).receipt.step == "save"
        assert (await engine.verify(kept)).equal, "its workflow has outlived the run"
        await engine.delete_artifact(kept)
    with closing(sqlite3.connect(tmp_path / "data" / "tessera.db")) as db:
        assert [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES] == [(0,), (0,)]


TABLES = ("papers", "receipts")


async def test_a_file_is_verified_by_its_receipt(engine: Engine, diary: Diary) -> None:
    await run(engine, SAVED)
    diary.ran.clear()
    for id in await files(engine):
        verdict = await engine.verify(id)
        assert (verdict.equal, verdict.step, verdict.field) == (True, "", "")


async def test_a_file_from_elsewhere_is_verified_by_what_it_holds(
    engine: Engine, tmp_path: Path, diary: Diary
) -> None:
    upload = await engine.add_artifact(png(), name="red.png")
    document = workflow(
        {"picture": "save.out"},
        inputs={"picture": "open.image", "degrees": "turn.degrees"},
        open=step("load_image"),
        turn=step("rotate", image=Wire("open.image"), degrees=90),
        save=step("save_image", image=Wire("turn.image"), metadata="full", format="webp", quality=70),
    )
    job = await run(engine, document, picture=upload)
    path, _ = await engine.artifact_path(next(iter(await files(engine))))
    made, source = path.read_bytes(), png()
    assert job.state == "done"
    async with opened(tmp_path / "other") as elsewhere:
        there = await elsewhere.add_artifact(made, name="turned.webp")
        with pytest.raises(NotFound, match="SHA-256"):
            await elsewhere.verify(there)
        await elsewhere.add_artifact(source)
        told = await elsewhere.proofs.receipt(there)
        assert (told.by, told.receipt.step, list(told.receipt.steps)) == (
            "file",
            "save",
            ["open", "turn", "save"],
        )
        assert (await elsewhere.verify(there)).equal
        forged = tmp_path / "forged.webp"
        with pil.open(path) as file:
            pil.eval(file, lambda value: 255 - value).save(forged, exif=file.info["exif"], lossless=True)
        verdict = await elsewhere.verify(
            await elsewhere.add_artifact(forged.read_bytes(), name="forged.webp")
        )
        assert (verdict.equal, verdict.outputs) == (False, {"forged.webp": False})
        silent = await elsewhere.add_artifact(png(9, 9))
        with pytest.raises(NotFound, match='metadata "full"'):
            await elsewhere.verify(silent)


async def test_equal_runs_give_equal_files_with_their_receipts(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"picture": "save.out"},
        paint=step("painted", level=3),
        save=step("save_image", image=Wire("paint.out"), metadata="full"),
    )
    first, second = await run(engine, document), await run(engine, document)
    name = "picture"
    assert first.outputs[name]["artifact"]["sha256"] == second.outputs[name]["artifact"]["sha256"]


PACK = '''
"""A node that adds."""

from engine import node


@node(category="test")
def add(value: int = 0) -> int:
    """Add one."""
    return value + 1
'''


async def test_a_changed_pack_is_what_explains_another_result(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "mine.py").write_text(PACK, "utf-8")
    async with opened(tmp_path) as own:
        document = workflow({"out": "b.out"}, a=step("mine/add"), b=step("plus", a=Wire("a.out"), b=1))
        job = await run(own, document)
        assert job.outputs == {"out": 2}
        (packs / "mine.py").write_text(PACK.replace("value + 1", "value + 5"), "utf-8")
        verdict = await own.verify(job.id)
        assert (verdict.equal, verdict.step, verdict.field) == (False, "a", "packs.mine")


@node(category="test", kind="source", lane="io", fingerprint=content_of("lora", "name"))
def ink(name: LoraName) -> str:
    """Says what a file holds."""
    return content(name, "lora")


async def test_a_changed_model_file_is_what_explains_another_result(tmp_path: Path) -> None:
    file = tmp_path / "loras" / "ink.safetensors"
    file.parent.mkdir()
    save_file({"down": np.zeros((4, 4), np.float32)}, file)
    core, ours = Registry.core(), Registry.of([sys.modules[__name__]])
    registry = Registry([*core.nodes.values(), ours.nodes["ink"]], classes=core.classes, loaders=core.loaders)
    document = workflow(
        {"out": "join.out"}, a=step("ink", name="ink"), join=step("join_two", a=Wire("a.out"), b="!")
    )
    async with opened(tmp_path, registry, models=[tmp_path]) as engine:
        job = await run(engine, document)
        assert job.receipt["models"] == {"ink": hashlib.sha256(file.read_bytes()).hexdigest()}
        save_file({"down": np.ones((4, 4), np.float32)}, file)
        verdict = await engine.verify(job.id)
        assert (verdict.equal, verdict.step, verdict.field) == (False, "a", "models.ink")


async def test_the_report_says_of_each_step_why_it_ran(engine: Engine, diary: Diary) -> None:
    await run(engine, SAVED)
    job = await run(engine, SAVED, level=4)
    found = await engine.proofs.why(job.id)
    assert {step.step: step.sentence for step in found.steps} == {
        "paint": "ran: level changed",
        "save": "ran: it changes the world",
    } | ({"beside": "was known, in memory"} if len(found.steps) == 3 else {})
    assert "steps ran" in found.sentence


async def test_any_two_receipts_are_compared(engine: Engine, diary: Diary) -> None:
    one, two = await run(engine, SAVED, level=3), await run(engine, SAVED, level=5)
    found = await engine.proofs.difference(one.id, two.id)
    assert not found.equal
    assert found.sentence == "1 thing was different: inputs.level."
    assert {"inputs.level", "gave.paint", "looks.picture"} <= {d.field for d in found.differences}
    by_name = {file.name: id for id, file in (await files(engine)).items()}
    between = await engine.proofs.difference(by_name["level 3_00001.png"], one.id)
    assert "inputs.level" not in {d.field for d in between.differences}
    assert (await engine.proofs.difference(one.id, one.id)).equal


async def test_two_pictures_stand_over_what_was_different(engine: Engine, diary: Diary) -> None:
    document = workflow(
        {"picture": "save.out"},
        inputs={"level": "paint.level"},
        paint=step("painted"),
        save=step("save_image", image=Wire("paint.out"), metadata="full"),
    )
    jobs = [await run(engine, document, level=level) for level in (10, 200)]
    ids = [engine.assets.id_of("local", job.outputs["picture"]["artifact"]["sha256"]) for job in jobs]
    job = await run(engine, "compare_two_receipts", first=ids[0], second=ids[1])
    assert (job.outputs["equal"], job.outputs["text"]) == (False, "inputs.level: 10 / 200")
    sheet = job.outputs["sheet"]["artifact"]
    pixels = np.asarray(pil.open(engine.store.path(sheet["sha256"])).convert("L"))
    assert (pixels[100, 100], pixels[100, 900]) == (10, 200)
    assert pixels[490:].min() < 50, "words in black"
    assert pixels[490:, 500:].min() == 255, "and white beside them"


async def test_the_receipt_of_a_run_is_plain_data(engine: Engine, diary: Diary) -> None:
    job = await run(engine, SAVED)
    assert msgspec.json.decode(msgspec.json.encode(job.receipt)) == job.receipt
    assert isinstance(engine.store, Folder)
