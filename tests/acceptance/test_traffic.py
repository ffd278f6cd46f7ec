"""What a large graph sends over the websocket, and what hostile requests get, from a real server process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest

from tests.graphs import chain, total
from tests.serving import Json, Server

STEPS = 1000
MEGABYTE = 1_000_000
HOSTILE: tuple[tuple[str, str, object], ...] = (
    ("POST", "/api/runs", b"{"),
    ("POST", "/api/runs", b"\xff\xfe\x00"),
    ("POST", "/api/runs", []),
    ("POST", "/api/runs", {"workflow": 7}),
    ("POST", "/api/runs", {"workflow": "../../etc/passwd"}),
    ("POST", "/api/runs", {"workflow": total(), "surprise": True}),
    ("POST", "/api/runs", {"workflow": total(), "inputs": {"a": "one"}}),
    ("POST", "/api/runs", {"workflow": total(), "inputs": {"nobody": 1}}),
    ("POST", "/api/runs", {"workflow": {"tessera": 1, "steps": {"x": {"node": "no_such_node"}}}}),
    ("POST", "/api/runs", {"workflow": {"tessera": 1, "steps": {}}}),
    ("POST", "/api/runs", {"workflow": total(), "count": -1}),
    ("POST", "/api/runs", {"workflow": total(), "priority": 10**9}),
    ("POST", "/api/runs", b'{"workflow": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ("POST", "/api/check", {"workflow": None}),
    ("POST", "/api/artifacts", b""),
    ("GET", "/api/artifacts/../../../etc/passwd", None),
    ("GET", "/api/artifacts/" + "0" * 64, None),
    ("GET", "/api/runs/..%2f..%2fetc%2fpasswd", None),
    ("GET", "/api/runs/nobody", None),
    ("GET", "/api/runs?limit=1e9", None),
    ("GET", "/api/runs?state=asleep", None),
    ("PUT", "/api/workflows/..%2fevil", total()),
    ("GET", "/api/no/such/route", None),
    ("DELETE", "/api/health", None),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("traffic") / "data") as server:
        yield server


async def heard(server: Server, workflow: Json) -> tuple[int, Json]:
    """Bytes that a client gets while this runs, and the run."""
    count = 0
    live = server.url + "/ws"
    async with aiohttp.ClientSession() as session, session.ws_connect(live, compress=0) as socket:
        async with session.post(server.url + "/api/runs", json={"workflow": workflow}) as answer:
            run = (await answer.json())["id"]
        async with asyncio.timeout(60):
            async for message in socket:
                count += len(message.data)
                line = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if line.get("job") == run and line["data"].get("state") in ("done", "failed"):
                    break
        async with session.get(f"{server.url}/api/runs/{run}") as answer:
            found: Json = await answer.json()
    return count, found


async def test_a_graph_of_a_thousand_steps_sends_at_most_a_megabyte(server: Server) -> None:
    fresh, first = await heard(server, chain(STEPS))
    cached, second = await heard(server, chain(STEPS))
    assert first["outputs"] == second["outputs"] == {"out": float(STEPS)}
    assert sum(step["calls"] for step in first["steps"].values()) == STEPS
    assert sum(step["calls"] for step in second["steps"].values()) == 0
    assert 0 < fresh <= MEGABYTE
    assert 0 < cached <= MEGABYTE


async def test_one_number_edited_in_a_thousand_steps_runs_exactly_what_depends_on_it(server: Server) -> None:
    """The edit is at step 600 of 1,000: 400 run, and 600 are known."""
    _, first = await heard(server, chain(STEPS, start=5.0))
    edited = chain(STEPS, start=5.0)
    edited["steps"]["s600"]["values"]["b"] = 1.5
    _, run = await heard(server, edited)
    assert run["outputs"]["out"] == first["outputs"]["out"] + 0.5
    again = {id for id, step in run["steps"].items() if step["calls"]}
    assert again == {f"s{i}" for i in range(600, STEPS)}
    assert "b changed" in run["steps"]["s600"]["why"]


async def test_moved_and_renamed_steps_are_not_run_again(server: Server) -> None:
    document = chain(STEPS, start=9.0)
    await heard(server, document)
    text = json.dumps(document).replace('"s', '"renamed_').replace('"renamed_teps"', '"steps"')
    moved = json.loads(text) | {"layout": {"renamed_5": {"x": 100, "y": 7}}}
    _, run = await heard(server, moved)
    assert run["state"] == "done"
    assert len(run["steps"]) == STEPS
    assert sum(step["calls"] for step in run["steps"].values()) == 0


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_request_gets_a_problem_document(server: Server, number: int) -> None:
    method, path, body = HOSTILE[number]
    answer = server.ask(method, path, body)
    assert 400 <= answer.status < 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["problems"]
    for telling in (b"Traceback", b"/engine/", b"/web/", str(server.data).encode()):
        assert telling not in answer.data
