"""What the server tells about itself: health, figures, nodes, every route."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from engine.config import ROOT
from tests.web.served import Site, serving, sum_of
from web.app import ROUTES
from web.route import Route


async def test_the_server_says_that_it_lives_and_of_what_it_is_made(site: Site) -> None:
    health = await site.get("/api/health")
    assert (health.status, health.json["status"]) == (200, "ok")
    info = (await site.get("/api/info")).json
    assert info["version"] == health.json["version"]
    assert info["queue"]["paused"] == ""
    assert health.json["queue"] == "running"


async def test_figures_are_for_prometheus_and_count_what_happened(site: Site) -> None:
    await site.run(sum_of())
    await site.run(sum_of())
    answer = await site.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }
    assert found["tessera_jobs_finished_total", "done"] == 2
    assert found["tessera_jobs", "queued"] == 0
    assert found["tessera_request_seconds_count", "POST", "/api/runs", "200"] == 2
    assert found["tessera_events_total", "job.created"] == 2
    assert found["tessera_steps_total", "memory"] == 1


async def test_a_defect_of_ours_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        raise KeyError("/etc/secret")

    async with serving(Route("GET", "/broken", broken, "tests")) as site:
        answer = await site.get("/broken")
    assert (answer.status, answer.codes) == (500, ["internal_error"])
    assert b"secret" not in answer.body
    assert "secret" in caplog.text


async def test_every_node_is_listed_with_its_ports(site: Site) -> None:
    answer = await site.get("/api/nodes")
    nodes = {node["id"]: node for node in answer.json["nodes"]}
    add = nodes["add"]
    assert {"id", "version", "title", "help", "category", "kind", "lane", "inputs", "outputs"} <= set(add)
    assert [port["name"] for port in add["inputs"]] == ["a", "b"]
    assert all("schema" in port for node in nodes.values() for port in node["inputs"])
    assert [port["name"] for port in add["outputs"]] == ["out"]
    assert answer.json["failed"] == []
    unchanged = await site.get("/api/nodes", headers={"If-None-Match": answer.headers["ETag"]})
    assert unchanged.status == 304


async def test_every_route_and_every_saved_workflow_is_described(site: Site) -> None:
    await site.ask("PUT", "/api/workflows/plus", sum_of())
    described = (await site.get("/api/openapi.json")).json
    assert described["openapi"] == "3.1.0"
    for route in ROUTES:
        path = re.sub(r":[^}]*}", "}", route.path)
        operation = described["paths"][path][route.method.lower()]
        assert operation["summary"].endswith(".") or operation["summary"].startswith("Call")
    schemas = described["components"]["schemas"]
    named = set(re.findall(r'#/components/schemas/(\w+)"', str(described).replace("'", '"')))
    assert named <= set(schemas)
    plus = described["paths"]["/api/apps/plus"]["post"]
    inputs = plus["requestBody"]["content"]["application/json"]["schema"]
    assert inputs["properties"]["a"]["type"] == "number"
    assert set(inputs["properties"]) == {"a", "b"}


async def test_operation_names_are_unique(site: Site) -> None:
    paths = (await site.get("/api/openapi.json")).json["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_run_nothing_but_their_own_script(site: Site, path: str) -> None:
    page = await site.get(path)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    [scripts] = re.findall("script-src ([^;]*)", page.headers["Content-Security-Policy"])
    assert scripts == "'self'" or scripts.startswith("'sha256-"), scripts
    assert b"http://" not in page.body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in page.body


def test_every_route_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "http-api.md").read_text("utf-8")
    for route in ROUTES:
        path = re.sub(r":[^}]*}", "}", route.path)
        assert f"`{route.method} {path}`" in guide, route


def test_the_guide_names_no_route_that_is_not_there() -> None:
    guide = (ROOT / "docs" / "http-api.md").read_text("utf-8")
    known = {f"{route.method} {re.sub(r':[^}]*}', '}', route.path)}" for route in ROUTES}
    named = set(re.findall(r"`((?:GET|PUT|POST|PATCH|DELETE) /[^` ?]*)`", guide))
    assert named <= known


def test_the_web_never_imports_torch() -> None:
    code = "import sys, web.app; print(sorted(set(sys.modules) & {'torch', 'diffusers', 'numpy', 'cv2'}))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
