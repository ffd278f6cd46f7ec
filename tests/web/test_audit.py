"""The log over HTTP and on the command line: exported, verified, sealed, and told as who asked for what."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.audit import Line
from engine.errors import Forbidden
from server import main
from tests.web.served import Site, sum_of
from web import route
from web.evidence import asked, told


async def test_the_log_is_exported_verified_and_sealed(site: Site) -> None:
    await site.run(sum_of(1, 2))
    lines = (await site.get("/api/audit")).body.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[0] == "job.created"
    assert {"seq", "at", "kind", "chain", "data"} <= json.loads(lines[0]).keys()
    report = (await site.post("/api/audit/verify", {})).json
    assert (report["whole"], report["lines"]) == (True, len(lines))
    noted = {"seq": report["last"], "chain": report["chain"]}
    sealed = (await site.post("/api/audit/seal", {"days": 0})).json
    assert (sealed["through"], sealed["chain"]) == (report["last"], report["chain"])
    assert (await site.post("/api/audit/verify", noted)).json["whole"]
    wrong = (await site.post("/api/audit/verify", {**noted, "chain": "0" * 64})).json
    assert not wrong["whole"]
    assert (await site.post("/api/audit/verify", {"seq": 1, "chain": "no"})).status == 422


async def test_only_whoever_runs_the_server_may_see_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "owner", lambda request: "ann")
    for ask in (
        site.get("/api/audit"),
        site.post("/api/audit/verify", {}),
        site.post("/api/audit/seal", {"days": 1}),
    ):
        assert (await ask).status == Forbidden.status


def test_the_log_tells_who_asked_for_what_in_which_mode_and_with_which_verdict() -> None:
    def line(seq: int, kind: str, data: object) -> Line:
        return Line(seq, float(seq), kind, "", "ann", "j", msgspec.Raw(msgspec.json.encode(data)))

    [run] = asked(
        [
            line(
                1,
                "job.created",
                {"title": "A cat", "inputs": {"prompt": "a cat"}, "state": "queued", "mode": 1},
            ),
            line(2, "steps", {}),
            line(
                3,
                "job.state",
                {"state": "done", "mode": 1, "models": {"m": "ab"}, "verdicts": [{"action": "logged"}] * 2},
            ),
        ]
    )
    assert (run.owner, run.what, run.inputs) == ("ann", "A cat", {"prompt": "a cat"})
    assert (run.mode, run.state, run.verdict, run.models) == ("research", "done", "logged", {"m": "ab"})
    assert told([run]).endswith("done      research logged    A cat: a cat")


def test_the_command_line_exports_verifies_and_finds_a_changed_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, file = str(tmp_path / "data"), tmp_path / "log.jsonl"
    workflow = tmp_path / "sum.json"
    workflow.write_text(json.dumps(sum_of(1, 2)), "utf-8")
    assert main(["run", str(workflow), "--data", data]) == 0
    assert main(["audit", "--data", data]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["audit", "export", str(file), "--data", data]) == 0
    assert main(["audit", "verify", "--data", data]) == 0
    assert main(["audit", "verify", str(file)]) == 0
    assert "The log is whole" in capsys.readouterr().out
    file.write_text(file.read_text("utf-8").replace('"local"', '"other"', 1), "utf-8")
    assert main(["audit", "verify", str(file)]) == 3
    assert "line 1 was changed" in capsys.readouterr().out
    out = str(tmp_path / "old.jsonl")
    assert main(["audit", "seal", "--days", "0", "--out", out, "--data", data]) == 0
    assert "are sealed away" in capsys.readouterr().out
