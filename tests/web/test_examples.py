"""Nodes at work over HTTP."""

from __future__ import annotations

import msgspec

from engine.config import ROOT
from tests.web.served import Site


async def test_a_node_is_shown_at_work_in_shipped_workflows(site: Site) -> None:
    found = (await site.get("/api/nodes/sample/examples")).json["examples"]
    assert 0 < len(found) <= 4
    [path] = (ROOT / "workflows").rglob(f"{found[0]['name']}.json")
    nodes = [step["node"] for step in msgspec.json.decode(path.read_bytes())["steps"].values()]
    assert "sample" in nodes
    assert (await site.get("/api/nodes/nobody/examples")).status == 404


async def test_every_node_that_comes_along_is_at_work_in_some_workflow(site: Site) -> None:
    nodes = (await site.get("/api/nodes")).json["nodes"]
    idle = [
        node["id"]
        for node in nodes
        if not node.get("pack") and not (await site.get(f"/api/nodes/{node['id']}/examples")).json["examples"]
    ]
    assert idle == []
