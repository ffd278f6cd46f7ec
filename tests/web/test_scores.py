"""Pictures scored over HTTP, their scores read, and files listed by them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.web.served import Site, png


async def upload(site: Site, data: bytes) -> str:
    answer = await site.post("/api/artifacts", data, headers={"Content-Type": "image/png"})
    return str(answer.json["id"])


def inline(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


async def evaluate(site: Site, **asked: Any) -> Any:
    answer = await site.post("/api/evaluate?wait=60", asked)
    assert answer.status == 200, answer.body
    assert answer.json["state"] == "done", answer.json["error"]
    assert answer.headers["Location"] == answer.json["url"]
    return answer.json


async def test_pictures_are_scored_in_their_order_and_keep_it(site: Site) -> None:
    id, reference = await upload(site, png()), png(8, 8)
    found = await evaluate(
        site, images=[id, inline(png(8, 8))], reference=inline(reference), metrics=["colourfulness", "ssim"]
    )
    assert [one["id"] for one in found["pictures"]] == [id, id], "equal bytes are one file"
    for one in found["pictures"]:
        assert one["scores"] == {"colourfulness": pytest.approx(85.5, abs=0.1), "ssim": pytest.approx(1)}
        assert one["url"] == f"/api/artifacts/{id}"
    scores = (await site.get(f"/api/artifacts/{id}/scores")).json["scores"]
    assert {one["metric"] for one in scores} == {"colourfulness", "ssim"}
    assert {one["run"] for one in scores} == {found["run"]}
    [ssim] = [one for one in scores if one["metric"] == "ssim"]
    assert ssim["reference"] == (await site.get("/api/artifacts")).json["artifacts"][0]["sha256"]
    run = (await site.get(found["url"])).json
    assert run["outputs"]["ssim"] == [one["scores"]["ssim"] for one in found["pictures"]]


async def test_files_are_listed_by_score(site: Site) -> None:
    ids = [await upload(site, png(side, 16)) for side in (8, 16, 24)]
    await evaluate(site, images=ids[:2], metrics=["sharpness"])
    page = (await site.get("/api/artifacts?limit=2")).json
    assert [one["id"] for one in page["artifacts"]] == ids[:0:-1]
    assert page["next"] == ids[1]
    rest = (await site.get(f"/api/artifacts?limit=2&before={page['next']}")).json
    assert ([one["id"] for one in rest["artifacts"]], rest["next"]) == ([ids[0]], None)
    by = (await site.get("/api/artifacts?metric=sharpness&order=lowest&least=0&most=1&kind=input")).json
    assert {one["id"] for one in by["artifacts"]} == set(ids[:2])
    assert all(one["scores"].keys() == {"sharpness"} and one["kind"] == "input" for one in by["artifacts"])
    assert by["artifacts"][0]["width"] in (8, 16)
    assert (await site.get("/api/artifacts?metric=sharpness&least=0.5")).json["artifacts"] == []


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"images": []}, "images"),
        ({"images": ["x"] * 65}, "images"),
        ({"images": ["nobodys"], "metrics": ["sharpness"]}, "images"),
        ({"images": ["data:image/png;base64,***"]}, "images[0]"),
        ({"images": ["x"], "metrics": ["clip"]}, "prompt"),
        ({"images": ["x"], "metrics": ["lpips"]}, "reference"),
        ({"images": ["x"], "metrics": ["beauty"]}, "metrics[0]"),
        ({"images": ["x"], "metric": ["clip"]}, "body"),
        ({"images": ["x"], "prompt": "a" * 20_001}, "prompt"),
    ],
)
async def test_what_is_wrong_is_named(site: Site, asked: Any, place: str) -> None:
    answer = await site.post("/api/evaluate", asked)
    assert answer.status == 422
    assert [problem["input"] for problem in answer.json["problems"]] == [place]


@pytest.mark.parametrize(
    "query", ["order=best", "kind=any", "least=x&metric=a", "most=nan&metric=a", "least=1", "order=highest"]
)
async def test_a_list_that_cannot_be_is_refused(site: Site, query: str) -> None:
    assert (await site.get(f"/api/artifacts?{query}")).status == 422


async def test_a_model_that_is_not_here_is_named_with_what_fetches_it(site: Site) -> None:
    id = await upload(site, png(32, 32))
    asked = {"images": [id], "reference": id, "metrics": ["psnr", "lpips"]}
    found = (await site.post("/api/evaluate?wait=60", asked)).json
    assert found["state"] == "failed"
    assert found["error"]["code"] == "missing_model"
    assert "models fetch lpips-vgg" in found["error"]["remedy"]


async def test_the_same_request_under_one_key_is_measured_once(site: Site) -> None:
    asked = {"images": [inline(png())], "metrics": ["colourfulness"]}
    runs = [
        (await site.post("/api/evaluate", asked, headers={"Idempotency-Key": "k"})).json["run"] for _ in "12"
    ]
    assert runs[0] == runs[1]
