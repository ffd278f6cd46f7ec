"""What was made is found by its words, model, workflow, tag, day and mode; starred, and thrown away."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import assets, jobs, papers
from engine.assets import Assets
from engine.db import Database, Writing
from engine.errors import Invalid, NotFound
from engine.events import Event, Job
from engine.gallery import Change, Gallery, Wanted, listed, match, query
from engine.jobs import Jobs
from engine.papers import Papers
from engine.receipt import Made, Paper, Receipt
from engine.types import Artifact

MIGRATIONS = (*jobs.MIGRATIONS, *assets.MIGRATIONS, *papers.MIGRATIONS)


class Shelf:
    """Ann's gallery, and what puts pictures into it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.gallery = Gallery(db)
        self.assets = Assets(db)
        self.jobs = Jobs(db)
        self.papers = Papers(db)

    async def make(
        self, name: str, prompt: str, *, mime: str = "image/png", node: str = "save_image", **asked: Any
    ) -> str:
        """What a run leaves behind that made one file; its id."""
        model, mode = asked.pop("model", "base"), asked.pop("mode", 0)
        [job] = await self.jobs.add([Job("", "ann", b"{}", inputs={"prompt": prompt}, mode=mode, **asked)])
        artifact = Artifact(f"{abs(hash(name)):064x}", mime, 1, name)
        id = await self.assets.add(artifact, "ann", "output", job.id)
        steps = {"save": Made(node), "draw": Made("sample", values={"method": "euler"})}
        receipt = Receipt(step="save", mode=mode, models={model: "0" * 64}, steps=steps)
        await self.papers.keep(job.id, [Paper(receipt, {artifact.sha256: "save"})], {artifact.sha256: id})
        return id

    async def names(self, **wanted: Any) -> str:
        page = await self.gallery.search("ann", Wanted(**wanted))
        return "".join(item.artifact.name[0] for item in page.items)

    async def change(self, *ids: str, **changes: Any) -> int:
        return await self.gallery.change("ann", Change(list(ids), **changes))


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    found = Shelf(db)
    await found.assets.open()
    await found.jobs.open()
    yield found
    await db.close()


@pytest.fixture
async def ids(shelf: Shelf) -> dict[str, str]:
    """Four pictures a to d and a clip, of which c was made in mode 2."""
    return {
        "a": await shelf.make("a", "an orange cat with a blue hat", workflow="text_to_image"),
        "b": await shelf.make("b", "a bluebird on a branch", workflow="text_to_image", model="xl"),
        "c": await shelf.make("c", "a cat in the dark", mode=2),
        "d": await shelf.make("d", "Käse und Brot", title="Lunch"),
        "e": await shelf.make("e", "a cat that runs", mime="video/mp4", model="xl"),
    }


async def test_files_are_found_by_what_is_known_of_them(shelf: Shelf, ids: dict[str, str]) -> None:
    assert await shelf.names() == "edcba"
    assert await shelf.names(text="cat") == "eca"
    assert await shelf.names(text="blu") == "ba", "the beginning of a word is enough"
    assert await shelf.names(text="cat HAT") == "a", "all words, in any case"
    assert await shelf.names(text='"cat that"') == "e"
    assert await shelf.names(text='"cat hat"') == ""
    assert await shelf.names(text="kase") == "d", "without its dots"
    assert await shelf.names(text="lunch") == "d"
    assert await shelf.names(text="euler") == "edcba"
    assert await shelf.names(text='"') == "", "what is no word finds nothing, and fails nowhere"
    assert await shelf.names(model="xl") == "eb"
    assert await shelf.names(workflow="text_to_image", text="branch") == "b"
    assert await shelf.names(kind="clip") == "e"
    assert await shelf.names(mode=2) == "c"
    when = (await shelf.gallery.get("ann", ids["c"])).created
    assert (await shelf.names(since=when), await shelf.names(until=when)) == ("edc", "ba")
    assert (await shelf.gallery.search("bob", Wanted())).items == []


async def test_what_is_above_the_viewers_mode_is_absent_and_counted(
    shelf: Shelf, ids: dict[str, str]
) -> None:
    page = await shelf.gallery.search("ann", Wanted(text="cat", most=1))
    assert [item.artifact.name for item in page.items] == ["e", "a"]
    assert (page.total, page.hidden) == (2, 1)
    with pytest.raises(NotFound, match="in this mode"):
        await shelf.gallery.get("ann", ids["c"], most=1)
    assert [one.count for one in (await shelf.gallery.filters("ann", 1)).models] == [2, 2]
    assert [one.count for one in (await shelf.gallery.filters("ann", 2)).models] == [3, 2]


async def test_pages_follow_each_other_also_when_the_last_one_goes(shelf: Shelf, ids: dict[str, str]) -> None:
    first = await shelf.gallery.search("ann", Wanted(limit=2))
    assert (first.total, first.next) == (5, first.items[-1].seq)
    await shelf.assets.delete(first.items[-1].id)
    assert await shelf.names(limit=2, before=first.next) == "cb"
    last = await shelf.gallery.search("ann", Wanted(limit=2, before=first.items[-1].seq - 2))
    assert (len(last.items), last.next, last.total) == (1, 0, None)


async def test_stars_and_tags_are_set_found_and_taken_back(shelf: Shelf, ids: dict[str, str]) -> None:
    heard: list[Event] = []
    shelf.jobs.listen(heard.append)
    assert await shelf.change(ids["a"], ids["b"], "nothing", starred=True, tag=[" for  Anna "]) == 2
    assert (heard[-1].kind, heard[-1].data["ids"]) == ("artifact.changed", [ids["a"], ids["b"]])
    assert await shelf.names(starred=True) == await shelf.names(tag="for Anna") == "ba"
    assert await shelf.names(text="anna") == "ba", "tags are words too"
    assert [one.name for one in (await shelf.gallery.filters("ann")).tags] == ["for Anna"]
    await shelf.change(ids["a"], starred=False, untag=["for Anna"])
    assert await shelf.names(starred=True) == await shelf.names(text="anna") == "b"
    assert await shelf.gallery.change("bob", Change([ids["b"]], starred=False)) == 0
    with pytest.raises(Invalid, match="tag"):
        await shelf.change(ids["a"], tag=[" "])
    assert len(await shelf.gallery.starred()) == 1


async def test_the_trash_gives_back_what_is_in_it(shelf: Shelf, ids: dict[str, str]) -> None:
    await shelf.change(ids["a"], trashed=True)
    assert (await shelf.names(), await shelf.names(trash=True)) == ("edcb", "a")
    filters = await shelf.gallery.filters("ann")
    assert (filters.trash, [one.count for one in filters.models]) == (1, [2, 2]), "of three and two"
    [(id, _)] = await shelf.gallery.thrown(before=2**40)
    assert id == ids["a"]
    assert await shelf.gallery.thrown(before=1) == []
    await shelf.change(ids["a"], trashed=False)
    assert (await shelf.names(), await shelf.names(trash=True)) == ("edcba", "")
    await shelf.change(ids["a"], trashed=True)
    await shelf.make("a", "an orange cat")
    assert await shelf.names() == "edcba", "made again, it is wanted again"


async def test_a_deleted_file_leaves_nothing_behind(shelf: Shelf, ids: dict[str, str]) -> None:
    await shelf.change(ids["a"], tag=["mine"])
    await shelf.assets.delete(ids["a"])
    assert await shelf.names() == "edcb"
    assert await shelf.names(text="hat") == await shelf.names(tag="mine") == ""
    assert "mine" not in [one.name for one in (await shelf.gallery.filters("ann")).tags]


async def test_uploads_reports_and_pictures_that_explain_are_not_in_it(shelf: Shelf) -> None:
    await shelf.make("report", "a cat", mime="application/json")
    await shelf.make("heat", "a cat", node="save_explanation")
    assert await shelf.names() == ""


async def test_what_was_made_before_there_was_a_gallery_is_in_it(shelf: Shelf, ids: dict[str, str]) -> None:
    def forget(db: Writing) -> None:
        for name in ("made_words", "made_models", "made_tags", "made"):
            db.execute(f"DROP TABLE {name}")
        db.execute("DROP TRIGGER made_gone")
        db.execute("DELETE FROM migrations WHERE name IN ('made 1', 'made 3')")

    await shelf.db.write(forget)
    await shelf.db.close()
    shelf = Shelf(await Database.open(shelf.db.path, MIGRATIONS))
    assert await shelf.names() == "edcba"
    assert await shelf.names(text="bluebird") == "b"
    await shelf.db.close()


def test_what_somebody_types_is_never_a_query_of_its_own() -> None:
    assert match("cat NOT dog*") == '"cat"* "NOT"* "dog*"*'
    assert match('a "b c" -') == '"a"* "b c"'
    assert match('x" OR y') == '"x"* "OR"* "y"*'


SHELVES = [
    {}, {"text": "cat"}, {"model": "m3"}, {"workflow": "w5"}, {"tag": "t2"}, {"starred": True},
    {"since": 5.0, "until": 9.0}, {"mode": 1}, {"trash": True}, {"before": 50}, {"kind": "picture"},
]  # fmt: skip


@pytest.mark.parametrize("wanted", SHELVES, ids=str)
async def test_every_search_goes_by_an_index(shelf: Shelf, wanted: dict[str, Any]) -> None:
    await shelf.db.write(lambda db: seed(db, 500))
    sql, values = query("ann", Wanted(**wanted))
    rows = await shelf.db.read(lambda db: db.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
    plan = [str(row[3]) for row in rows]
    assert not [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step], plan
    assert not [step for step in plan if "TEMP B-TREE FOR ORDER" in step and "trash" not in wanted], plan


@pytest.mark.parametrize("name", ["model", "tag"])
async def test_models_and_tags_are_counted_by_their_own_table_alone(shelf: Shelf, name: str) -> None:
    sql = f"EXPLAIN QUERY PLAN {listed(name)}"
    plan = await shelf.db.read(lambda db: db.execute(sql, ("ann", 2)).fetchall())
    assert plan[0][3] == f"SEARCH made_{name}s USING PRIMARY KEY (owner=?)"


def seed(db: Writing, count: int) -> None:
    """So many pictures of Ann, with words, models, workflows, tags, stars and some in the trash."""
    drawn = random.Random(1)
    nouns = [f"thing{number}" for number in range(500)]
    for seq in range(1, count + 1):
        mode, star, gone = drawn.choices((0, 1, 2), (8, 1, 1))[0], seq % 20 == 0, seq % 50 == 0
        words = " ".join(["a", drawn.choice(("cat", "dog", "bird")), *drawn.choices(nouns, k=12)])
        asset = (seq, f"id{seq}", "ann", f"{seq:064x}", "image/png", 1, "", 512, 512, "output", "j", seq, seq)
        db.execute(f"INSERT INTO assets VALUES ({', '.join('?' * 13)})", asset)
        made = (
            seq,
            f"id{seq}",
            "ann",
            seq,
            mode,
            "picture",
            f"w{seq % 30}",
            "",
            words,
            words,
            "[]",
            star,
            gone,
        )
        db.execute(f"INSERT INTO made VALUES ({', '.join('?' * 13)})", made)
        db.execute("INSERT INTO made_models (owner, model, seq) VALUES ('ann', ?, ?)", (f"m{seq % 12}", seq))
        if seq % 9 == 0:
            db.execute("INSERT INTO made_tags (owner, tag, seq) VALUES ('ann', ?, ?)", (f"t{seq % 7}", seq))
