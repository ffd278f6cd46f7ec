"""The gallery over HTTP: found, starred, thrown away, brought back, made again."""

from __future__ import annotations

from tests.web.served import Json, Site, png
from tests.web.test_receipts import SOLID


async def made(site: Site, colour: str) -> Json:
    found: Json = (await site.run(SOLID, colour=colour))["outputs"]["picture"]
    return found


async def found(site: Site, query: str = "") -> list[str]:
    answer = await site.get(f"/api/gallery?{query}")
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.json["items"]]


async def test_what_runs_make_is_found_by_what_they_were_given(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plain", SOLID)
    run = (await site.post("/api/runs?wait=60", {"workflow": "plain", "inputs": {"colour": "teal"}})).json
    teal, blue = run["outputs"]["picture"], await made(site, "blue")
    await site.post("/api/artifacts", png())
    page = (await site.get("/api/gallery?limit=1")).json
    assert ([one["id"] for one in page["items"]], page["total"], page["hidden"]) == ([blue["id"]], 2, 0)
    assert await found(site, f"before={page['next']}") == [teal["id"]]
    assert await found(site, "text=te&workflow=plain&made_in=2&kind=picture") == [teal["id"]]
    assert await found(site, "mode=1") == []
    assert (await site.get("/api/gallery?mode=1")).json["hidden"] == 2
    assert (await site.get(f"/api/gallery/{teal['id']}?mode=1")).status == 404
    [one] = (await site.get("/api/gallery?text=teal")).json["items"]
    assert (one["url"], one["run"], one["workflow"], one["width"]) == (teal["url"], run["id"], "plain", 9)
    filters = (await site.get("/api/gallery/filters")).json
    assert filters == {"workflows": [{"name": "plain", "count": 1}], "models": [], "tags": [], "trash": 0}
    assert (await site.get("/api/gallery?kind=novel")).codes == ["bad_parameter"]


async def test_a_star_a_tag_and_the_trash(site: Site) -> None:
    red, green = await made(site, "red"), await made(site, "green")
    both = [red["id"], green["id"]]
    answer = await site.ask("PATCH", "/api/gallery", {"ids": both, "starred": True, "tag": ["plain"]})
    assert answer.json == {"changed": 2}
    await site.ask("PATCH", "/api/gallery", {"ids": [red["id"]], "trashed": True})
    assert await found(site, "starred&tag=plain") == [green["id"]]
    assert await found(site, "trash=1") == [red["id"]]
    assert (await site.get(f"/api/gallery/{red['id']}")).json["trashed"] > 0
    assert (await site.ask("DELETE", "/api/gallery/trash")).json == {"deleted": 1}
    assert (await site.get(red["url"])).status == 404, "bytes and rows go together"
    assert await found(site, "trash=1") == []
    assert (await site.ask("DELETE", "/api/gallery/trash")).json == {"deleted": 0}
    many = {"ids": ["x"] * 1001, "starred": True}
    assert (await site.ask("PATCH", "/api/gallery", many)).codes == ["too_many"]


async def test_a_file_says_how_to_make_it_again(site: Site) -> None:
    blue = await made(site, "blue")
    recipe = (await site.get(f"{blue['url']}/recipe")).json
    assert (recipe["name"], recipe["inputs"], recipe["seeds"]) == ("", {"colour": "blue"}, {})
    assert recipe["workflow"] == SOLID
    data = (await site.get(blue["url"])).body
    await site.ask("DELETE", blue["url"])
    again = (await site.post("/api/artifacts", data)).json
    assert (await site.get(f"{again['url']}/recipe")).json["workflow"]["steps"] == SOLID["steps"]
    other = (await site.post("/api/artifacts", png())).json
    assert (await site.get(f"{other['url']}/recipe")).status == 404


async def test_what_has_a_star_does_not_expire(site: Site) -> None:
    red, green = await made(site, "red"), await made(site, "green")
    await site.ask("PATCH", "/api/gallery", {"ids": [red["id"]], "starred": True})
    await site.engine.retention.expire(2**40)
    assert await found(site) == [red["id"]]
    assert (await site.get(green["url"])).status == 404
    assert (await site.get(f"{red['url']}/receipt")).json["inputs"] == {"colour": "red"}
