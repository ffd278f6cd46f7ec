"""Comparisons over HTTP: started, seen, cancelled, forgotten."""

from __future__ import annotations

import copy

from tests.web.served import Json, Site
from tests.web.test_receipts import SOLID

WIDTHS = {"to": "plain.width", "values": [3, 5, 7], "title": "Width"}
COLOURS = {"to": "plain.colour", "values": ["red", "blue"]}


async def compared(site: Site, workflow: Json | str, *axes: Json) -> Json:
    answer = await site.post("/api/sweeps", {"workflow": workflow, "axes": list(axes)})
    assert answer.status == 202, answer.body
    for run in answer.json["runs"]:
        await site.get(f"/api/runs/{run}?wait=60")
    found: Json = (await site.get(answer.headers["Location"])).json
    return found


async def test_two_axes_give_a_grid_row_by_row_and_each_picture_its_receipt(site: Site) -> None:
    found = await compared(site, SOLID, WIDTHS, COLOURS)
    cells = found["cells"]
    assert [cell["run"] for cell in cells] == found["runs"]
    assert [cell["files"][0]["width"] for cell in cells] == [3, 5, 7, 3, 5, 7]
    receipts = [(await site.get(f"{cell['files'][0]['url']}/receipt")).json for cell in cells]
    colours = [receipt["steps"]["plain"]["values"]["colour"] for receipt in receipts]
    assert colours == ["red"] * 3 + ["blue"] * 3
    assert found["axes"][0]["title"] == "Width"
    [listed] = (await site.get("/api/sweeps")).json["sweeps"]
    assert (listed["id"], listed["cover"]["id"]) == (found["id"], cells[0]["files"][0]["id"])
    assert (await site.get("/api/sweeps?mode=1")).json["sweeps"] == [], "made in mode 2"


async def test_a_workflow_that_names_no_output_shows_what_it_saved(site: Site) -> None:
    bare = {name: value for name, value in SOLID.items() if name not in ("inputs", "outputs")}
    found = await compared(site, bare, WIDTHS)
    assert [cell["files"][0]["width"] for cell in found["cells"]] == [3, 5, 7]


async def test_a_saved_workflow_keeps_its_name_and_a_seed_drawn_once_is_in_all_cells(site: Site) -> None:
    noise = copy.deepcopy(SOLID)
    noise["steps"]["drawn"] = {"node": "random_number", "values": {"seed": "random"}}
    noise["outputs"]["number"] = "drawn.out"
    await site.ask("PUT", "/api/workflows/noise", noise)
    found = await compared(site, "noise", WIDTHS)
    runs = [(await site.get(f"/api/runs/{run}")).json for run in found["runs"]]
    assert {run["workflow"] for run in runs} == {found["workflow"]} == {"noise"}
    assert len({run["outputs"]["number"] for run in runs}) == 1


async def test_nothing_starts_if_one_value_is_wrong(site: Site) -> None:
    async def refused(*axes: Json) -> list[str]:
        return (await site.post("/api/sweeps", {"workflow": SOLID, "axes": list(axes)})).codes

    assert await refused({"to": "plain.width", "values": [3, "wide"]}) == ["bad_value"]
    assert await refused({"to": "plain.size", "values": [1]}) == ["unknown_input"]
    assert await refused({"to": "nobody.width", "values": [1]}) == ["bad_axis"]
    assert await refused({"to": "save.image", "values": [1]}) == ["bad_axis"], "a wire feeds it"
    assert await refused({"to": "a.b", "group": "none", "values": [1]}) == ["bad_axis"]
    assert await refused(WIDTHS, WIDTHS) == ["asked_twice"]
    assert await refused({**WIDTHS, "values": list(range(1, 52))}, COLOURS) == ["too_many_runs"]
    assert (await site.get("/api/runs")).json["runs"] == []


async def test_a_value_goes_into_a_group(site: Site) -> None:
    inner = {"steps": {"plain": SOLID["steps"]["plain"]}, "outputs": {"picture": "plain.out"}}
    grouped = {
        "tessera": 1,
        "steps": {
            "piece": {"node": "group/inner"},
            "save": {"node": "save_image", "wires": {"image": "piece.picture"}},
        },
        "groups": {"inner": inner},
        "outputs": {"picture": "save.out"},
    }
    found = await compared(site, grouped, {**WIDTHS, "group": "inner"})
    assert [cell["files"][0]["width"] for cell in found["cells"]] == [3, 5, 7]


async def test_all_of_it_is_cancelled_at_once_and_forgotten(site: Site) -> None:
    asking = copy.deepcopy(SOLID)
    asking["steps"]["ask"] = {"node": "ask", "values": {"question": "Go on?", "options": ["yes", "no"]}}
    asking["outputs"]["choice"] = "ask.choice"
    started = (await site.post("/api/sweeps", {"workflow": asking, "axes": [WIDTHS]})).json
    address = f"/api/sweeps/{started['id']}"
    cancelled = (await site.post(f"{address}/cancel", {})).json
    assert {cell["state"] for cell in cancelled["cells"]} <= {"cancelled", "done", "failed"}
    assert (await site.ask("DELETE", address)).status == 204
    assert (await site.get(address)).status == 404
    assert (await site.get("/api/sweeps")).json["sweeps"] == []
    assert (await site.get(f"/api/runs/{started['runs'][0]}")).status == 200
