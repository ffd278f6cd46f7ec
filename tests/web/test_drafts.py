"""Drafts over HTTP, and the queue's order, kept through a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import drafts
from tests.web.served import Site, chain, serving, sum_of


async def test_a_draft_is_given_back_to_the_byte_and_the_workflow_stays_as_it_was(site: Site) -> None:
    saved = await site.ask("PUT", "/api/workflows/plus", sum_of())
    text = b'{\n  "title": "Half done", "tessera": 1, "steps": {"x": {"node": "no_such"}}\n}\n'
    kept = await site.ask("PUT", f"/api/drafts/d1?name=plus&base={saved.json['etag']}", text)
    assert (kept.status, kept.json["title"], kept.json["base"]) == (200, "Half done", saved.json["etag"])
    assert (await site.get("/api/drafts/d1")).body == text
    assert (await site.get("/api/workflows/plus")).json == sum_of()
    [listed] = (await site.get("/api/drafts?name=plus")).json["drafts"]
    assert (listed["id"], listed["name"], listed["bytes"]) == ("d1", "plus", len(text))
    assert (await site.get("/api/drafts?name=other")).json["drafts"] == []


async def test_a_dropped_draft_is_gone(site: Site) -> None:
    await site.ask("PUT", "/api/drafts/d1", sum_of())
    for _ in range(2):
        assert (await site.ask("DELETE", "/api/drafts/d1")).status == 204
    assert (await site.get("/api/drafts/d1")).codes == ["not_found"]


async def test_what_is_no_name_or_no_object_is_refused(site: Site) -> None:
    assert (await site.ask("PUT", "/api/drafts/d%20x", sum_of())).codes == ["bad_name"]
    assert (await site.ask("PUT", "/api/drafts/d1?name=a%20b", sum_of())).codes == ["bad_name"]
    assert (await site.ask("PUT", "/api/drafts/d1", b"[]")).codes == ["not_an_object"]


async def test_only_the_newest_drafts_are_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "KEPT", 2)
    for id in ("a", "b", "c"):
        await site.ask("PUT", f"/api/drafts/{id}", sum_of())
    assert [one["id"] for one in (await site.get("/api/drafts")).json["drafts"]] == ["c", "b"]


async def test_order_holds_and_drafts_outlive_the_server(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as site:
        ids = [
            (await site.post("/api/runs", {"workflow": sum_of(n), "hold": True})).json["id"] for n in range(3)
        ]
        await site.ask("PATCH", f"/api/runs/{ids[0]}", {"after": ids[2]})
        await site.ask("PUT", "/api/drafts/d1", sum_of())
    async with serving(data=tmp_path) as site:
        runs = (await site.get("/api/runs?state=held")).json["runs"]
        in_order = [run["id"] for run in sorted(runs, key=lambda run: run["position"])]
        assert in_order == [ids[1], ids[2], ids[0]]
        assert (await site.get("/api/drafts/d1")).json == sum_of()


async def test_a_run_can_be_put_after_another(site: Site) -> None:
    a, b, c = [
        (await site.post("/api/runs", {"workflow": sum_of(n), "hold": True})).json["id"] for n in range(3)
    ]
    await site.ask("PATCH", f"/api/runs/{c}", {"after": a})
    positions = {id: (await site.get(f"/api/runs/{id}")).json["position"] for id in (a, b, c)}
    assert sorted(positions, key=positions.__getitem__) == [a, c, b]
    both = await site.ask("PATCH", f"/api/runs/{c}", {"after": a, "before": b})
    assert both.codes == ["asked_twice"]


async def test_the_document_of_a_run_can_be_fetched(site: Site) -> None:
    run = await site.run(chain(2))
    assert (await site.get(f"/api/runs/{run['id']}/workflow")).json["steps"].keys() == {"s0", "s1"}
    assert (await site.get("/api/runs/none/workflow")).status == 404
