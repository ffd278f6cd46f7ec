"""Saved workflows: shipped and own ones, versions, and who saves over whom."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine import library
from engine.db import Database
from engine.errors import Conflict, Invalid, NotFound, Problem, Stale
from engine.events import Event
from engine.library import Library
from engine.log import MIGRATIONS, Log

SHIPPED = (
    b'{"tessera": 1, "title": "Shipped", "inputs": {"prompt": {"to": ["a.b"]}}, "outputs": {"x": "a.out"}}\n'
)


def check(document: bytes) -> None:
    try:
        msgspec.json.decode(document)
    except msgspec.DecodeError as error:
        raise Invalid([Problem("bad_json", got=str(error))]) from None


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(tmp_path / "a.db", MIGRATIONS + library.MIGRATIONS)
    yield db
    await db.close()


@pytest.fixture
def flows(db: Database, tmp_path: Path) -> Library:
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "ready.json").write_bytes(SHIPPED)
    (folder / "not a name.json").write_bytes(SHIPPED)
    (folder / "README.md").write_text("about")
    return Library(db, folder, check)


@pytest.fixture
def heard(db: Database) -> list[Event]:
    heard: list[Event] = []
    Log(db).listen(heard.append)
    return heard


def titled(title: str) -> bytes:
    return b'{"tessera": 1, "title": "%s"}' % title.encode()


async def test_shipped_workflows_are_there_under_their_file_stem(flows: Library) -> None:
    document, etag = await flows.get("ready", "ann")
    assert document == SHIPPED
    [entry] = await flows.names("ann")
    assert entry["name"] == "ready"
    assert entry["title"] == "Shipped"
    assert entry["inputs"] == {"prompt": {"to": ["a.b"]}}
    assert entry["outputs"] == {"x": "a.out"}
    assert entry["etag"] == etag
    assert entry["shipped"] is True


async def test_a_shipped_workflow_may_lie_in_a_folder_and_goes_by_its_name_alone(
    flows: Library, tmp_path: Path
) -> None:
    deeper = tmp_path / "workflows" / "trust"
    deeper.mkdir()
    (deeper / "ranked.json").write_bytes(SHIPPED)
    (deeper / "ready.json").write_bytes(b"{}")
    assert [entry["name"] for entry in await flows.names("ann")] == ["ranked", "ready"]
    assert (await flows.get("ranked", "ann"))[0] == SHIPPED
    assert (await flows.get("ready", "ann"))[0] == SHIPPED, "what lies on top counts"
    with pytest.raises(Invalid):
        await flows.get("trust/ranked", "ann")


async def test_what_is_put_comes_back_byte_for_byte_for_its_owner_only(flows: Library) -> None:
    document = b'{\n  "tessera": 1,\n  "title": "Caf\xc3\xa9"\n}\n'
    etag = await flows.put("mine", "ann", document)
    assert await flows.get("mine", "ann") == (document, etag)
    assert len(etag) == 32
    listed = [(entry["name"], entry["title"]) for entry in await flows.names("ann")]
    assert listed == [("mine", "Café"), ("ready", "Shipped")]
    assert [entry["name"] for entry in await flows.names("bob")] == ["ready"]
    with pytest.raises(NotFound, match="no workflow mine"):
        await flows.get("mine", "bob")


async def test_every_version_is_kept(flows: Library, heard: list[Event]) -> None:
    etags = [await flows.put("mine", "ann", titled(title)) for title in ("one", "two", "two", "one")]
    assert [version["version"] for version in await flows.versions("mine", "ann")] == [3, 2, 1]
    assert await flows.get("mine", "ann", 2) == (titled("two"), etags[1])
    assert etags[0] == etags[3] != etags[1] == etags[2]
    assert [(event.kind, event.owner, event.data["version"]) for event in heard] == [
        ("workflow.saved", "ann", 1), ("workflow.saved", "ann", 2), ("workflow.saved", "ann", 3)
    ]  # fmt: skip
    with pytest.raises(NotFound, match="no workflow mine of version 4"):
        await flows.get("mine", "ann", 4)


async def test_ones_own_shadows_the_shipped_one_until_it_is_deleted(
    flows: Library, heard: list[Event]
) -> None:
    await flows.put("ready", "ann", titled("own"))
    assert (await flows.get("ready", "ann"))[0] == titled("own")
    assert (await flows.get("ready", "bob"))[0] == SHIPPED
    assert (await flows.get("ready", "ann", 0))[0] == SHIPPED
    await flows.delete("ready", "ann")
    assert (await flows.get("ready", "ann"))[0] == SHIPPED
    assert (await flows.get("ready", "ann", 1))[0] == titled("own")
    assert [event.kind for event in heard] == ["workflow.saved", "workflow.deleted"]
    await flows.put("ready", "ann", titled("own"))
    versions = await flows.versions("ready", "ann")
    assert [(v["version"], v["deleted"], v["shipped"]) for v in versions] == [
        (3, False, False), (2, True, False), (1, False, False), (0, False, True)
    ]  # fmt: skip


async def test_a_shipped_one_cannot_be_deleted_and_a_missing_one_is_not_found(flows: Library) -> None:
    with pytest.raises(Conflict, match="ready is shipped"):
        await flows.delete("ready", "ann")
    await flows.put("mine", "ann", titled("one"))
    await flows.delete("mine", "ann")
    for act in (flows.delete("mine", "ann"), flows.get("mine", "ann"), flows.versions("never", "ann")):
        with pytest.raises(NotFound):
            await act
    assert [entry["name"] for entry in await flows.names("ann")] == ["ready"]


async def test_a_change_of_something_else_than_was_loaded_is_stale(flows: Library) -> None:
    old = await flows.put("mine", "ann", titled("one"))
    new = await flows.put("mine", "ann", titled("two"), if_match=old)
    for if_match in (old, "nonsense", ""):
        with pytest.raises(Stale, match=f"mine is at {new}"):
            await flows.put("mine", "ann", titled("three"), if_match=if_match)
        with pytest.raises(Stale):
            await flows.delete("mine", "ann", if_match=if_match)
    assert (await flows.get("mine", "ann"))[1] == new
    await flows.put("mine", "ann", titled("three"), if_match="*")
    with pytest.raises(Stale, match="never does not exist"):
        await flows.put("never", "ann", titled("one"), if_match="*")
    shipped = (await flows.get("ready", "ann"))[1]
    await flows.put("ready", "ann", titled("own"), if_match=shipped)


async def test_of_two_who_save_at_once_over_the_same_version_one_is_told(flows: Library) -> None:
    etag = await flows.put("mine", "ann", titled("start"))
    saves = [flows.put("mine", "ann", titled(f"save {n}"), if_match=etag) for n in range(10)]
    found = await asyncio.gather(*saves, return_exceptions=True)
    assert [type(each) for each in found] == [str] + [Stale] * 9


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "9a", "a" * 65, "ready.json", "é"])
async def test_a_bad_name_is_refused_everywhere(flows: Library, name: str) -> None:
    for act in (flows.get(name, "ann"), flows.put(name, "ann", b"{}"), flows.delete(name, "ann")):
        with pytest.raises(Invalid, match="name: bad name"):
            await act


async def test_what_does_not_parse_is_not_saved(flows: Library) -> None:
    with pytest.raises(Invalid, match="bad json"):
        await flows.put("mine", "ann", b"{")
    with pytest.raises(NotFound):
        await flows.get("mine", "ann")


async def test_a_broken_shipped_file_is_listed_and_spoils_nothing(flows: Library, tmp_path: Path) -> None:
    (tmp_path / "workflows" / "broken.json").write_bytes(b'{"title": 3')
    listed = [(entry["name"], entry["title"]) for entry in await flows.names("ann")]
    assert listed == [("broken", ""), ("ready", "Shipped")]
