"""Runs over HTTP: every row of the table, from the first answer to the last."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.served import Site, chain, png, question, sum_of
from web import views


async def test_a_run_is_accepted_at_once_and_finished_while_the_client_waits(site: Site) -> None:
    started = await site.post("/api/runs", {"workflow": sum_of(), "inputs": {"a": 40}})
    assert started.status == 202
    assert started.json["state"] in ("queued", "running", "done")
    assert started.json["runs"] == [started.json["id"]]
    done = await site.get(started.headers["Location"], params={"wait": "30"})
    run = done.json
    assert (done.status, run["state"], run["outputs"]) == (200, "done", {"sum": 42.0})
    assert run["progress"] == 1
    assert run["error"] is None
    assert run["inputs"] == {"a": 40}
    assert run["created"] <= run["started"] <= run["finished"]
    step = run["steps"]["add"]
    assert (step["state"], step["cache"], step["calls"]) == ("done", "ran", 1)
    assert step["seconds"] >= 0
    assert isinstance(step["why"], str)


async def test_the_second_run_of_the_same_work_says_that_it_came_from_memory(site: Site) -> None:
    await site.run(sum_of())
    again = await site.run(sum_of())
    assert again["steps"]["add"]["cache"] == "memory"
    assert again["steps"]["add"]["calls"] == 0
    assert again["steps"]["add"]["hits"] == 1


async def test_a_workflow_of_the_library_runs_by_its_name(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of())
    answer = await site.post("/api/runs?wait=30", {"workflow": "plus", "inputs": {"b": 5}})
    assert answer.status == 200
    assert answer.json["workflow"] == "plus"
    assert answer.json["outputs"] == {"sum": 6.0}


async def test_all_problems_of_a_workflow_come_at_once_with_place_and_remedy(site: Site) -> None:
    broken = sum_of()
    broken["steps"]["add"]["values"] = {"a": "two", "c": 1}
    broken["steps"]["other"] = {"node": "ad", "version": 1}
    broken["outputs"]["other"] = "other.out"
    answer = await site.post("/api/runs", {"workflow": broken})
    assert answer.status == 422
    places = {(p["step"], p["input"]) for p in answer.json["problems"]}
    assert {("add", "a"), ("add", "c")} <= places
    assert any(step == "other" for step, _ in places)
    assert all(set(p) == {"code", "step", "input", "got", "want", "remedy"} for p in answer.json["problems"])


async def test_the_same_key_starts_nothing_twice_and_another_request_with_it_is_a_conflict(
    site: Site,
) -> None:
    headers = {"Idempotency-Key": "order-7"}
    first = await site.post("/api/runs", {"workflow": sum_of()}, headers=headers)
    again = await site.post("/api/runs", {"workflow": sum_of()}, headers=headers)
    other = await site.post("/api/runs", {"workflow": sum_of(5)}, headers=headers)
    assert (first.status, again.status, other.status) == (202, 202, 409)
    assert first.json["id"] == again.json["id"]
    assert len((await site.get("/api/runs")).json["runs"]) == 1


async def test_count_starts_several_runs_with_one_seed_after_another(site: Site) -> None:
    seeded = {
        "tessera": 1,
        "steps": {"seed": {"node": "seed", "version": 1, "values": {"value": 7}}},
        "inputs": {"seed": {"to": ["seed.value"]}},
        "outputs": {"seed": "seed.out"},
    }
    started = await site.post("/api/runs", {"workflow": seeded, "inputs": {"seed": 7}, "count": 3})
    runs = [(await site.get(f"/api/runs/{id}?wait=30")).json for id in started.json["runs"]]
    assert [run["outputs"]["seed"] for run in runs] == [7, 8, 9]


async def test_a_random_seed_is_resolved_and_recorded(site: Site) -> None:
    seeded = {
        "tessera": 1,
        "steps": {"seed": {"node": "seed", "version": 1, "values": {"value": 7}}},
        "inputs": {"seed": {"to": ["seed.value"]}},
        "outputs": {"seed": "seed.out"},
    }
    run = await site.run(seeded, seed="random")
    assert isinstance(run["inputs"]["seed"], int)
    assert run["outputs"]["seed"] == run["inputs"]["seed"]


async def test_held_runs_start_when_they_are_released(site: Site) -> None:
    held = (await site.post("/api/runs", {"workflow": sum_of(), "hold": True})).json
    assert held["state"] == "held"
    assert (await site.get(f"/api/runs/{held['id']}")).json["state"] == "held"
    released = await site.post(f"/api/runs/{held['id']}/release")
    assert released.status == 200
    assert (await site.get(f"/api/runs/{held['id']}?wait=30")).json["state"] == "done"


async def test_a_held_run_can_be_moved_and_cancelled_and_retried(site: Site) -> None:
    first, second = [
        (await site.post("/api/runs", {"workflow": sum_of(), "hold": True})).json["id"] for _ in range(2)
    ]
    moved = await site.ask("PATCH", f"/api/runs/{second}", {"priority": 9})
    assert (moved.status, moved.json["priority"]) == (200, 9)
    before = await site.ask("PATCH", f"/api/runs/{first}", {"before": second})
    assert before.status == 200
    cancelled = await site.ask("DELETE", f"/api/runs/{first}")
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert (await site.post(f"/api/runs/{first}/hold")).status == 409
    retried = await site.post(f"/api/runs/{first}/retry")
    assert retried.status == 200
    assert (await site.get(f"/api/runs/{first}?wait=30")).json["state"] == "done"


async def test_a_finished_run_cannot_be_moved(site: Site) -> None:
    run = await site.run(sum_of())
    answer = await site.ask("PATCH", f"/api/runs/{run['id']}", {"priority": 1})
    assert (answer.status, answer.codes) == (409, ["conflict"])


async def test_moving_without_saying_where_is_refused(site: Site) -> None:
    run = await site.run(sum_of())
    answer = await site.ask("PATCH", f"/api/runs/{run['id']}", {})
    assert (answer.status, answer.codes) == (422, ["nothing_asked"])


async def test_a_run_that_asks_waits_for_the_answer_and_goes_on(site: Site) -> None:
    waiting = await site.run(question())
    assert waiting["state"] == "waiting"
    [asked] = waiting["questions"]
    assert (asked["question"], asked["options"]) == ("Which?", ["left", "right"])
    wrong = await site.post(asked["url"], {"choice": "up"})
    assert wrong.status in (409, 422)
    assert (await site.post(asked["url"], {"choice": "right"})).status == 200
    done = (await site.get(f"{waiting['url']}?wait=30")).json
    assert (done["state"], done["outputs"]) == ("done", {"choice": "right"})


async def test_runs_are_listed_newest_first_page_by_page(site: Site) -> None:
    ids = [(await site.run(sum_of(i)))["id"] for i in range(3)]
    page = (await site.get("/api/runs?limit=2")).json
    assert [run["id"] for run in page["runs"]] == [ids[2], ids[1]]
    rest = (await site.get("/api/runs", params={"limit": "2", "before": page["next"]})).json
    assert [run["id"] for run in rest["runs"]] == [ids[0]]
    assert rest["next"] is None
    assert len((await site.get("/api/runs?state=done")).json["runs"]) == 3
    assert (await site.get("/api/runs?state=failed")).json["runs"] == []
    assert (await site.get("/api/runs?state=lost")).status == 422


async def test_a_saved_picture_comes_out_as_an_address_that_serves_it(site: Site) -> None:
    upload = (
        await site.post("/api/artifacts?name=red.png", png(), headers={"Content-Type": "image/png"})
    ).json
    workflow = {
        "tessera": 1,
        "steps": {
            "load": {"node": "load_image", "version": 1, "values": {"image": upload["id"]}},
            "save": {
                "node": "save_image",
                "version": 1,
                "values": {"name": "out"},
                "wires": {"image": "load.image"},
            },
        },
        "outputs": {"picture": "save.out"},
    }
    run = await site.run(workflow)
    assert run["state"] == "done", run["error"]
    picture = run["outputs"]["picture"]
    assert (picture["mime"], picture["width"], picture["height"]) == ("image/png", 8, 8)
    served = await site.get(picture["url"])
    assert len(served.body) == picture["bytes"]
    assert served.headers["ETag"] == f'"{picture["sha256"]}"'


async def test_an_output_that_only_looks_like_a_file_stays_what_it_is(site: Site) -> None:
    for value in ({"artifact": "red"}, {"artifact": {"sha256": 1}}, {"artifact": {}, "more": 1}):
        assert views.output(site.engine, value, "local") == value


async def test_the_stream_of_a_run_tells_its_story_and_ends(site: Site) -> None:
    run = await site.run(sum_of())
    told = await site.get(f"/api/runs/{run['id']}/events")
    assert told.headers["Content-Type"] == "text/event-stream"
    lines = told.body.decode().split("\n")
    kinds = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert kinds[0] == "job.created"
    assert kinds[-1] == "job.state"
    ids = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]
    assert ids == sorted(set(ids))
    rest = await site.get(f"/api/runs/{run['id']}/events", headers={"Last-Event-ID": str(ids[0])})
    assert rest.body.count(b"event: ") == len(kinds) - 1
    assert (await site.get(f"/api/runs/{run['id']}/events?after={ids[-1]}")).body.count(b"event: ") == 0


async def test_the_stream_of_a_waiting_run_goes_on_until_it_is_over(site: Site) -> None:
    waiting = await site.run(question())
    following = asyncio.create_task(site.get(f"{waiting['url']}/events"))
    await site.post(waiting["questions"][0]["url"], {"choice": "left"})
    async with asyncio.timeout(30):
        told = await following
    assert b'"done"' in told.body.rpartition(b"event: job.state")[2]


async def test_a_thousand_steps_are_one_document(site: Site) -> None:
    run = await site.run(chain(1000))
    assert (run["state"], run["outputs"]) == ("done", {"count": 1000.0})
    assert len(run["steps"]) == 1000


async def test_a_document_of_many_thousand_steps_is_checked_as_a_whole(site: Site) -> None:
    large = chain(6000)
    large["steps"]["s5999"]["wires"]["a"] = "s9999.out"
    answer = await site.post("/api/check", {"workflow": large})
    assert [problem["step"] for problem in answer.json["problems"]] == ["s5999"]


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "soon", "1e999"])
async def test_a_wait_that_is_no_time_is_refused(site: Site, wait: str) -> None:
    run = await site.run(sum_of())
    answer = await site.get(f"/api/runs/{run['id']}", params={"wait": wait})
    assert (answer.status, answer.codes) == (422, ["bad_parameter"])


async def test_the_log_of_a_run_is_read_from_its_beginning(site: Site) -> None:
    run = await site.run(sum_of())
    other = await site.run(sum_of(3))
    told = (await site.get(f"/api/runs/{run['id']}/log")).json
    kinds = [event["kind"] for event in told["events"]]
    assert (kinds[0], kinds[-1], told["next"]) == ("job.created", "job.state", None)
    assert {event["job"] for event in told["events"]} == {run["id"]}
    steps = [event["data"]["steps"] for event in told["events"] if event["kind"] == "steps"]
    assert steps[-1]["add"]["state"] == "done"
    last = told["events"][-1]["seq"]
    assert (await site.get(f"/api/runs/{run['id']}/log?after={last}")).json["events"] == []
    assert (await site.get(f"/api/runs/{other['id']}/log?after={last}")).json["events"] != []
    assert (await site.get("/api/runs/nobody/log")).status == 404
