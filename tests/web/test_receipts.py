"""Receipts over HTTP."""

from __future__ import annotations

from tests.web.served import Json, Site, png, sum_of

SOLID: Json = {
    "tessera": 1,
    "steps": {
        "plain": {"node": "solid", "values": {"width": 9, "height": 5, "colour": "red"}},
        "save": {"node": "save_image", "values": {"metadata": "full"}, "wires": {"image": "plain.out"}},
    },
    "inputs": {"colour": {"to": ["plain.colour"]}},
    "outputs": {"picture": "save.out"},
}


async def test_a_files_receipt_is_served_and_its_parents_lead_on(site: Site) -> None:
    run = await site.run(SOLID, colour="blue")
    picture = run["outputs"]["picture"]
    receipt = (await site.get(f"{picture['url']}/receipt")).json
    assert (receipt["by"], receipt["run"], receipt["step"]) == ("engine", run["id"], "save")
    assert receipt["inputs"] == {"colour": "blue"}
    assert receipt["steps"]["plain"]["values"]["colour"] == "blue"
    assert receipt["verdicts"] == [{"step": "save.image", "action": "bypassed"}], "tests run in mode 2"
    assert (receipt["scores"], receipt["parents"]) == ([], [])
    opened = {
        "tessera": 1,
        "steps": {"open": {"node": "load_image"}},
        "inputs": {"file": {"to": ["open.image"]}},
        "outputs": {"again": "open.image"},
    }
    other = await site.run(opened, file=picture["id"])
    [parent] = (await site.get(f"{other['outputs']['again']['url']}/receipt")).json["parents"]
    assert (parent["id"], parent["receipt"]) == (picture["id"], f"{picture['url']}/receipt")


async def test_a_file_without_a_receipt_says_so(site: Site) -> None:
    upload = (await site.post("/api/artifacts", png())).json
    for url in (upload["url"], "/api/artifacts/nothing"):
        answer = await site.get(f"{url}/receipt")
        assert (answer.status, answer.codes) == (404, ["not_found"])
    assert (await site.post("/api/artifacts/nothing/verify", {})).status == 404


async def test_a_file_is_verified_and_runs_are_explained_and_compared(site: Site) -> None:
    one, two = await site.run(SOLID), await site.run(SOLID, colour="green")
    verdict = (await site.post(f"{one['outputs']['picture']['url']}/verify", {})).json
    assert (verdict["equal"], verdict["step"], verdict["field"]) == (True, "", "")
    why = (await site.get(f"{two['url']}/why")).json
    assert {step["step"]: step["sentence"] for step in why["steps"]}["plain"] == "ran: colour changed"
    found = await site.get(f"/api/receipts/difference?first={one['id']}&second={two['id']}")
    assert found.json["sentence"] == "1 thing was different: inputs.colour."
    third = await site.run(sum_of())
    files = [one["outputs"]["picture"]["id"], third["id"]]
    found = await site.get(f"/api/receipts/difference?first={files[0]}&second={files[1]}")
    assert "nodes.solid" in {each["field"] for each in found.json["differences"]}
    missing = await site.get(f"/api/receipts/difference?first={one['id']}")
    assert (missing.status, missing.json["problems"][0]["input"]) == (422, "second")
