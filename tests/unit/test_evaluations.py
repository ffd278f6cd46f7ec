"""Scores of artifacts: kept once for each thing measured, sorted by, and gone with their artifact."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import assets, evaluations, log
from engine.assets import Assets
from engine.db import Database
from engine.errors import Invalid, NotFound
from engine.evaluate import AGAINST, METRICS, READY, WORKFLOW, Evaluate, only, request, wanted
from engine.evaluations import Evaluations, Wanted
from engine.events import Event
from engine.types import Artifact, Score
from engine.workflow import read
from tests.flow.test_workflow_files import FILES

MIGRATIONS = log.MIGRATIONS + assets.MIGRATIONS + evaluations.MIGRATIONS
FILES_OF_ANN = [Artifact(f"{place:064x}", "image/png", 1, f"{place}.png") for place in range(5)]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Assets]:
    db = await Database.open(tmp_path / "a.db", MIGRATIONS)
    found = Assets(db)
    await found.open()
    yield found
    await db.close()


@pytest.fixture
async def scores(kept: Assets) -> Evaluations:
    """Ann's five pictures, of which four are scored 3, 1, 3 and 2; the last one is an upload."""
    for place, artifact in enumerate(FILES_OF_ANN):
        await kept.add(artifact, "ann", "input" if place == 4 else "output", f"job{place}")
    found = Evaluations(kept._db, kept)
    values = zip((0, 1, 2, 4), (3.0, 1.0, 3.0, 2.0), strict=True)
    await found.record([Score(FILES_OF_ANN[place], "clip", value) for place, value in values], "ann", "run1")
    return found


async def names(scores: Evaluations, owner: str = "ann", **given: Any) -> str:
    return "".join(one.asset.artifact.name[0] for one in await scores.artifacts(owner, Wanted(**given)))


async def test_artifacts_are_listed_by_age_or_by_score(scores: Evaluations) -> None:
    assert await names(scores) == "43210"
    assert await names(scores, metric="clip", order="highest") == "2041"
    assert await names(scores, metric="clip", order="lowest") == "1420"
    assert await names(scores, metric="clip") == "4210", "those without this score are left out"
    assert await names(scores, metric="clip", order="highest", least=2) == "204"
    assert await names(scores, metric="clip", order="highest", least=2, most=2) == "4"
    assert await names(scores, metric="clip", order="highest", kind="output") == "201"
    assert await names(scores, metric="sharpness", order="highest") == ""
    assert await names(scores, run="job2") == "2"
    assert await names(scores, "bob") == ""


@pytest.mark.parametrize(
    "order", [{}, {"metric": "clip", "order": "highest"}, {"metric": "clip", "order": "lowest"}]
)
async def test_pages_follow_each_other_without_gap_or_overlap(scores: Evaluations, order: Any) -> None:
    whole, found, before = await names(scores, **order), "", ""
    while page := await scores.artifacts("ann", Wanted(**order, before=before, limit=2)):
        found += "".join(one.asset.artifact.name[0] for one in page)
        before = page[-1].asset.id
    assert found == whole


async def test_the_newest_score_counts_and_the_same_measured_again_replaces(
    kept: Assets, scores: Evaluations
) -> None:
    first, id = FILES_OF_ANN[0], kept.id_of("ann", FILES_OF_ANN[0].sha256)
    await scores.record([Score(first, "clip", 0.5, "a cat", model="m", model_sha256="1")], "ann", "run2")
    await scores.record([Score(first, "clip", 0.6, "a dog", model="m", model_sha256="1")], "ann", "run3")
    await scores.record([Score(first, "clip", 0.7, "a cat", model="n", model_sha256="1")], "ann", "run4")
    found = [(one.value, one.prompt, one.model, one.run) for one in await scores.of(id, "ann")]
    assert found == [(0.7, "a cat", "n", "run4"), (0.6, "a dog", "m", "run3"), (3.0, "", "", "run1")]
    [one] = [one for one in await scores.artifacts("ann", Wanted()) if one.asset.id == id]
    assert one.scores == {"clip": 0.7}
    assert await names(scores, metric="clip", order="lowest") == "0142"


async def test_nobody_scores_or_reads_what_is_not_theirs(kept: Assets, scores: Evaluations) -> None:
    id = kept.id_of("ann", FILES_OF_ANN[3].sha256)
    await scores.record([Score(FILES_OF_ANN[3], "clip", 9.0)], "bob", "run2")
    assert await scores.of(id, "ann") == []
    with pytest.raises(NotFound):
        await scores.of(id, "bob")


async def test_whoever_listens_hears_what_was_measured(kept: Assets, scores: Evaluations) -> None:
    heard: list[Event] = []
    log.Log(kept._db).listen(heard.append)
    cat, dog = (kept.id_of("ann", FILES_OF_ANN[place].sha256) for place in (0, 1))
    measured = [(0, "clip", 1.0), (1, "clip", 2.0), (0, "sharpness", 3.0)]
    found = [Score(FILES_OF_ANN[place], metric, value) for place, metric, value in measured]
    await scores.record([*found, Score(Artifact("f" * 64, "image/png", 1), "clip", 1.0)], "ann", "run9")
    assert {(event.kind, event.owner, event.job) for event in heard} == {("artifact.scored", "ann", "run9")}
    assert [event.data for event in heard] == [
        {"id": cat, "scores": {"clip": 1.0, "sharpness": 3.0}},
        {"id": dog, "scores": {"clip": 2.0}},
    ]


async def test_scores_go_with_their_artifact(kept: Assets, scores: Evaluations) -> None:
    id = kept.id_of("ann", FILES_OF_ANN[0].sha256)
    await kept.delete(id, "ann")
    assert await names(scores, metric="clip", order="highest") == "241"
    await kept.add(FILES_OF_ANN[0], "ann", "output")
    assert await scores.of(id, "ann") == []


# -- what is asked for


def document() -> bytes:
    [file] = [file for file in FILES if file.stem == WORKFLOW]
    return file.read_bytes()


def test_the_shipped_workflow_gives_every_metric_and_nothing_else() -> None:
    raw = read(document())
    assert tuple(raw["outputs"]) == METRICS
    assert {raw["steps"][name]["values"]["metric"] for name in METRICS} == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_only_what_a_metric_needs_is_run(metric: Any) -> None:
    asked = request(Evaluate(["a"], "a cat", "b", [metric]), document())
    assert isinstance(asked.workflow, dict)
    assert list(asked.workflow["outputs"]) == [metric]
    assert asked.inputs.keys() == {"images", *filter(None, [AGAINST.get(metric)])}
    loaders = {step["node"] for step in asked.workflow["steps"].values() if "load_" in step["node"]}
    wanted = {"clip": {"load_matcher"}, "aesthetic": {"load_matcher", "load_aesthetic_head"}}
    wanted |= {"faces": {"load_face_finder"}, "lpips": {"load_perceptual_model"}}
    assert loaders == {"load_image"} | wanted.get(metric, set())
    assert only(asked.workflow, [metric]) == asked.workflow


def test_left_out_it_is_what_comes_along_and_can_be_measured() -> None:
    assert wanted(Evaluate(["a"])) == ["sharpness", "colourfulness"]
    assert wanted(Evaluate(["a"], "a cat")) == ["clip", "sharpness", "colourfulness"]
    assert wanted(Evaluate(["a"], "a cat", "b")) == list(READY)
    assert wanted(Evaluate(["a"], metrics=["faces", "sharpness", "faces"])) == ["faces", "sharpness"]


def test_everything_that_lacks_is_named_at_once() -> None:
    with pytest.raises(Invalid) as error:
        wanted(Evaluate(["a"], " ", metrics=["lpips", "clip", "psnr", "clip"]))
    assert [problem.input for problem in error.value.problems] == ["reference", "prompt", "reference"]


def test_other_models_are_named_where_they_are_used() -> None:
    asked = request(Evaluate(["a"], "a cat", metrics=["clip"], models={"clip": "mine"}), document())
    assert asked.inputs["clip_model"] == "mine"
