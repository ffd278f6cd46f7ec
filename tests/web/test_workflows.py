"""The library over HTTP, and workflows called as functions."""

from __future__ import annotations

from tests.web.served import Site, sum_of


async def test_the_document_that_is_saved_is_the_document_that_is_served(site: Site) -> None:
    saved = await site.ask("PUT", "/api/workflows/plus", sum_of())
    assert saved.status == 201
    loaded = await site.get("/api/workflows/plus")
    assert loaded.json == sum_of()
    assert loaded.headers["ETag"] == saved.headers["ETag"] == f'"{saved.json["etag"]}"'
    again = await site.ask("PUT", "/api/workflows/plus", loaded.body)
    assert (again.status, again.json["etag"]) == (200, saved.json["etag"])
    unchanged = await site.get("/api/workflows/plus", headers={"If-None-Match": saved.headers["ETag"]})
    assert (unchanged.status, unchanged.body) == (304, b"")


async def test_who_saves_over_a_newer_version_is_told(site: Site) -> None:
    first = (await site.ask("PUT", "/api/workflows/plus", sum_of())).headers["ETag"]
    second = await site.ask("PUT", "/api/workflows/plus", sum_of(2), headers={"If-Match": first})
    assert second.status == 200
    late = await site.ask("PUT", "/api/workflows/plus", sum_of(3), headers={"If-Match": first})
    assert (late.status, late.codes) == (412, ["stale"])
    assert (await site.get("/api/workflows/plus")).json == sum_of(2)
    taken = await site.ask("PUT", "/api/workflows/plus", sum_of(4), headers={"If-None-Match": "*"})
    assert taken.status == 412
    none = await site.ask("PUT", "/api/workflows/minus", sum_of(4), headers={"If-Match": "*"})
    assert none.status == 412
    junk = await site.ask("PUT", "/api/workflows/plus", sum_of(4), headers={"If-Match": "junk"})
    assert junk.status == 422
    assert (await site.ask("DELETE", "/api/workflows/plus", headers={"If-Match": first})).status == 412


async def test_earlier_versions_are_kept_and_can_be_fetched(site: Site) -> None:
    for a in (1, 2, 3):
        await site.ask("PUT", "/api/workflows/plus", sum_of(a))
    versions = (await site.get("/api/workflows/plus/versions")).json["versions"]
    assert len(versions) == 3
    oldest = min(version["version"] for version in versions)
    assert (await site.get(f"/api/workflows/plus?version={oldest}")).json == sum_of(1)
    assert (await site.get("/api/workflows/plus?version=999")).status == 404


async def test_a_deleted_workflow_is_gone(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of())
    names = [w["name"] for w in (await site.get("/api/workflows")).json["workflows"]]
    assert "plus" in names
    assert (await site.ask("DELETE", "/api/workflows/plus")).status == 204
    gone = await site.get("/api/workflows/plus")
    assert (gone.status, gone.codes) == (404, ["not_found"])


async def test_a_workflow_is_checked_without_being_run(site: Site) -> None:
    good = (await site.post("/api/check", {"workflow": sum_of()})).json
    assert (good["ok"], good["problems"]) == (True, [])
    bad = (await site.post("/api/check", {"workflow": sum_of(), "inputs": {"a": "x", "z": 1}})).json
    assert not bad["ok"]
    assert len(bad["problems"]) == 2
    assert (await site.get("/api/runs")).json["runs"] == []


async def test_a_saved_workflow_is_a_typed_function(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of())
    called = await site.post("/api/apps/plus?wait=30", {"a": 2, "b": 3})
    assert (called.status, called.json["outputs"]) == (200, {"sum": 5.0})
    assert (await site.post("/api/apps/plus?wait=30")).json["outputs"] == {"sum": 3.0}
    assert (await site.post("/api/apps/plus", {"a": 2})).status == 202
    told = await site.post("/api/apps/plus?explain=true", {"a": 2})
    assert (told.status, told.codes) == (422, ["not_explained"])
    assert (await site.post("/api/apps/plus?explain=maybe", {"a": 2})).codes == ["bad_parameter"]
    assert (await site.post("/api/apps/plus?wait=30&explain=false", {"a": 2})).status == 200
    wrong = await site.post("/api/apps/plus", {"a": "two"})
    assert (wrong.status, wrong.json["problems"][0]["input"]) == (422, "a")
    unknown = await site.post("/api/apps/plus", {"c": 1})
    assert unknown.status == 422
    assert (await site.post("/api/apps/minus", {})).status == 404


async def test_calling_a_function_again_with_the_same_key_starts_nothing_twice(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of())
    calls = [await site.post("/api/apps/plus", {"a": 2}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert calls[0].json["id"] == calls[1].json["id"]


async def test_a_workflow_that_is_not_published_is_no_app(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of() | {"published": False})
    assert (await site.post("/api/apps/plus?wait=30", {"a": 2})).codes == ["not_found"]
    assert "/api/apps/plus" not in (await site.get("/api/openapi.json")).json["paths"]
    listed = {one["name"]: one["published"] for one in (await site.get("/api/workflows")).json["workflows"]}
    assert (listed["plus"], listed["text_to_image"]) == (False, True)
    run = await site.post("/api/runs?wait=30", {"workflow": "plus", "inputs": {"a": 2}})
    assert run.json["state"] == "done"


async def test_an_input_has_its_own_limits_for_every_caller(site: Site) -> None:
    document = sum_of()
    document["inputs"]["a"] |= {"least": 0, "most": 10, "section": "Figures"}
    await site.ask("PUT", "/api/workflows/plus", document)
    assert (await site.post("/api/apps/plus?wait=30", {"a": 10})).status == 200
    over = await site.post("/api/apps/plus", {"a": 10.5})
    assert (over.status, over.json["problems"][0]["want"]) == (422, "at most 10")
    under = await site.post("/api/runs", {"workflow": "plus", "inputs": {"a": -1}})
    assert (under.status, under.json["problems"][0]["want"]) == (422, "at least 0")
    described = (await site.get("/api/openapi.json")).json["paths"]["/api/apps/plus"]["post"]
    [schema] = described["requestBody"]["content"].values()
    a = schema["schema"]["properties"]["a"]
    assert (a["minimum"], a["maximum"]) == (0, 10)


async def test_templates_come_by_section_with_pictures(site: Site) -> None:
    listed = {one["name"]: one for one in (await site.get("/api/templates")).json["templates"]}
    assert listed["text_to_image"]["section"] == "Make"
    assert listed["text_to_image"]["says"].startswith("Draws a picture of a prompt")
    picture = await site.get("/api/templates/text_to_image/picture")
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/webp")
    assert (await site.get("/api/templates/leap_year/picture")).status == 404
    assert (await site.get("/api/templates/nothing/picture")).status == 404
