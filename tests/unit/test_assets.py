"""Artifacts belong to owners: ids, deletion, expiry."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine import assets, log
from engine.assets import Assets
from engine.db import Database
from engine.errors import NotFound
from engine.events import Event
from engine.types import Artifact

MIGRATIONS = log.MIGRATIONS + assets.MIGRATIONS
CAT = Artifact("ca" * 32, "image/png", 1234, "cat.png", 640, 480)
DOG = Artifact("d0" * 32, "image/jpeg", 99, "dog.jpg")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    yield db
    await db.close()


@pytest.fixture
async def kept(db: Database) -> Assets:
    kept = Assets(db)
    await kept.open()
    return kept


@pytest.fixture
def heard(db: Database) -> list[Event]:
    heard: list[Event] = []
    log.Log(db).listen(heard.append)
    return heard


def fields(artifact: Artifact) -> tuple[object, ...]:
    return tuple(getattr(artifact, name) for name in artifact.__struct_fields__)


async def test_an_artifact_comes_back_by_its_id_for_its_owner_only(kept: Assets, heard: list[Event]) -> None:
    id = await kept.add(CAT, "ann", "output", "job1")
    assert fields(await kept.get(id, "ann")) == fields(await kept.get(id)) == fields(CAT)
    for wrong, owner in ((id, "bob"), (CAT.sha256, "ann"), (kept.id_of("bob", CAT.sha256), "bob")):
        with pytest.raises(NotFound):
            await kept.get(wrong, owner)
    [event] = heard
    assert (event.kind, event.owner, event.job) == ("artifact.created", "ann", "job1")
    assert event.data["id"] == id
    assert event.data["width"] == 640


async def test_registering_twice_is_registering_once(kept: Assets, heard: list[Event]) -> None:
    ids = [await kept.add(CAT, "ann", "output", job) for job in ("job1", "job2", "")]
    assert len(set(ids)) == len(heard) == len(await kept.list()) == 1
    assert (await kept.list())[0].job == "job2"


async def test_an_id_tells_nothing_and_lasts(tmp_path: Path) -> None:
    made = []
    for name in ("a.db", "a.db", "another.db"):
        db = await Database.open(tmp_path / name, MIGRATIONS)
        kept = Assets(db)
        await kept.open()
        made.append(kept.id_of("ann", CAT.sha256))
        assert made[-1] != kept.id_of("bob", CAT.sha256) != kept.id_of("ann", DOG.sha256)
        await db.close()
    assert made[0] == made[1] != made[2]  # each instance has its own secret
    assert re.fullmatch("[a-z2-7]{24}", made[0])


async def test_an_id_needs_the_secret_to_be_read_first(db: Database) -> None:
    with pytest.raises(RuntimeError, match="open the assets first"):
        Assets(db).id_of("ann", CAT.sha256)


async def test_deleting_says_when_nobody_has_the_content_any_more(kept: Assets, heard: list[Event]) -> None:
    mine, theirs = await kept.add(CAT, "ann", "input"), await kept.add(CAT, "bob", "output", "job1")
    assert mine != theirs
    with pytest.raises(NotFound):
        await kept.delete(theirs, "ann")
    assert await kept.delete(mine, "ann") == (CAT.sha256, False)
    assert await kept.delete(theirs) == (CAT.sha256, True)
    with pytest.raises(NotFound):
        await kept.delete(mine, "ann")
    assert [(event.kind, event.data["id"]) for event in heard[2:]] == [
        ("artifact.deleted", mine), ("artifact.deleted", theirs)
    ]  # fmt: skip
    assert await kept.add(CAT, "ann", "input") == mine


async def test_artifacts_are_listed_newest_first_page_by_page(kept: Assets) -> None:
    cat, theirs = await kept.add(CAT, "ann", "input"), await kept.add(CAT, "bob", "input")
    dog = await kept.add(DOG, "ann", "output", "job1")
    assert [asset.id for asset in await kept.list()] == [dog, theirs, cat]
    assert [asset.id for asset in await kept.list("ann")] == [dog, cat]
    assert [asset.id for asset in await kept.list("ann", "input")] == [cat]
    assert [asset.id for asset in await kept.list(before=dog, limit=1)] == [theirs]
    assert [asset.artifact.name for asset in await kept.list("ann")] == ["dog.jpg", "cat.png"]


async def test_old_outputs_expire_but_neither_uploads_nor_what_is_spared(kept: Assets) -> None:
    upload = await kept.add(CAT, "ann", "input")
    output = await kept.add(DOG, "ann", "output", "job1")
    [asset] = await kept.list("ann", "output")
    future = asset.created + 3600
    assert await kept.expire(asset.created) == []
    assert await kept.expire(future, spare={DOG.sha256}) == []
    assert await kept.expire(future) == [(DOG.sha256, True)]
    assert [asset.id for asset in await kept.list()] == [upload]
    with pytest.raises(NotFound):
        await kept.get(output)


async def test_an_output_made_again_lives_on_and_one_uploaded_too_stays(db: Database, kept: Assets) -> None:
    await kept.add(CAT, "ann", "output")
    await kept.add(DOG, "ann", "output")
    await db.write(lambda db: db.execute("UPDATE assets SET created = 1, renewed = 1").rowcount)
    await kept.add(CAT, "ann", "output")
    await kept.add(DOG, "ann", "input")
    assert await kept.expire(1000.0) == []
    await db.write(lambda db: db.execute("UPDATE assets SET renewed = 1").rowcount)
    assert await kept.expire(1000.0) == [(CAT.sha256, True)]
