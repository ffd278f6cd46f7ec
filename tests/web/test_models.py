"""Models over HTTP and at a terminal: listed, offered, fetched, watched, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine.config import ROOT, Settings
from engine.events import Event
from engine.fetches import Agreed, Fetches
from tests.hub import Hub, hub, safetensors
from tests.serving import environment
from tests.web.served import Site, serving

LORA = safetensors("lora_up", size=200_000)


@pytest_asyncio.fixture
async def shelf(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    async with hub() as found:
        found.put("org/style", **{"ink.safetensors": LORA})
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield found


@pytest_asyncio.fixture
async def site(shelf: Hub, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(fetch_to=tmp_path / "models") as found:
        yield found


def fetched(listed: Iterable[dict[str, Any]]) -> list[str]:
    """The names of those that do not come along."""
    return [model["name"] for model in listed if not model["name"].startswith("starter")]


async def over(site: Site, id: str) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = (await site.get(f"/api/models/fetch/{id}")).json
        if found["state"] not in ("waiting", "running"):
            return found
        await asyncio.sleep(0.02)


async def test_a_model_is_offered_fetched_and_listed(site: Site, tmp_path: Path) -> None:
    offered = await site.post("/api/models/offer", {"what": "org/style"})
    assert (offered.status, offered.json["licence"], offered.json["bytes"]) == (200, "mit", len(LORA))
    assert offered.json["place"] == "loras/ink.safetensors"
    started = await site.post("/api/models/fetch", {"what": "org/style", "licence": "mit"})
    assert started.status == 202
    assert started.headers["Location"] == f"/api/models/fetch/{started.json['id']}"
    done = await over(site, started.json["id"])
    assert (done["state"], done["place"], done["bytes"]) == ("done", "loras/ink.safetensors", len(LORA))
    assert (tmp_path / "models" / done["place"]).read_bytes() == LORA
    listed = (await site.get("/api/models?kind=lora")).json
    assert fetched(listed["models"]) == ["ink"]
    assert {short["name"] for short in (await site.get("/api/models?kind=vae")).json["known"]} >= {
        "vae-ft-mse"
    }
    assert [one["id"] for one in (await site.get("/api/models/fetch")).json["fetches"]] == [done["id"]]


async def test_a_prompt_is_counted_as_its_model_reads_it(site: Site) -> None:
    found = await site.post("/api/tokens", {"text": "a (red:1.3) circle"})
    assert (found.status, found.json) == (200, {"tokens": 5, "limit": 77, "parts": 1})
    unknown = await site.post("/api/tokens", {"text": "a", "model": "nothing"})
    assert unknown.codes == ["missing_model"]


async def test_what_can_be_fetched_says_where_from(site: Site) -> None:
    known = {one["name"]: one for one in (await site.get("/api/models")).json["known"]}
    assert known["sd15"]["source"].startswith("https://huggingface.co/")
    assert known["sd15"]["licence"]


async def test_parts_of_models_are_told_as_such_and_take_no_room_of_their_own(site: Site) -> None:
    found = (await site.get("/api/models")).json
    whole = sum(one["bytes"] for one in found["models"] if not one["part_of"])
    assert {one["part_of"] for one in found["models"] if one["name"] == "starter/vae"} == {"starter"}
    assert 0 < found["bytes"] <= whole


async def test_progress_and_end_are_events(site: Site) -> None:
    async with site.session.ws_connect(f"{site.url}/ws") as socket:
        await socket.receive_json()
        await site.post("/api/models/fetch", {"what": "org/style", "licence": "mit"})
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["data"].get("state") != "done":
            heard.append(await socket.receive_json(timeout=20))
    assert {event["kind"] for event in heard} == {"model.fetch", "model.progress"}
    progress = [event for event in heard if event["kind"] == "model.progress"]
    assert progress[-1]["data"]["bytes"] == len(LORA)
    assert heard[-1]["seq"] > 0


async def test_without_the_licence_that_was_read_nothing_is_fetched(site: Site) -> None:
    assert (await site.post("/api/models/fetch", {"what": "org/style"})).status == 422
    wrong = await site.post("/api/models/fetch", {"what": "org/style", "licence": "other"})
    assert (wrong.status, wrong.codes) == (409, ["conflict"])
    assert "mit" in wrong.json["detail"]
    assert (await site.get("/api/models/fetch")).json["fetches"] == []


async def test_a_fetch_that_fails_says_why(site: Site, shelf: Hub) -> None:
    shelf.served = lambda data: b"x" * len(data)
    started = await site.post("/api/models/fetch", {"what": "org/style", "kind": "lora", "licence": "mit"})
    done = await over(site, started.json["id"])
    assert done["state"] == "failed"
    assert done["problem"]["code"] == "source_failed"


async def test_a_defect_of_ours_is_told_to_the_log_even_by_a_server_that_closes(
    shelf: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def emit(event: Event) -> None:
        if event.data["state"] == "running":
            raise RuntimeError("the disk of the log is gone")

    fetches = Fetches(Settings(fetch_to=tmp_path / "models"), emit, lambda event: None)
    started = await fetches.start(Agreed("org/style", licence="mit"))
    await fetches.close()
    problem = fetches.get(started.id).problem
    assert problem is not None
    assert (problem.code, "log" in problem.remedy) == ("internal_error", True)
    [record] = [record for record in caplog.records if record.name == "tessera.fetches"]
    assert record.getMessage() == f"{started.source} could not be fetched"
    assert "RuntimeError: the disk of the log is gone" in caplog.text


async def test_a_fetch_is_stopped_on_request(site: Site, shelf: Hub) -> None:
    shelf.slow = True
    started = await site.post("/api/models/fetch", {"what": "org/style", "kind": "lora", "licence": "mit"})
    id = started.json["id"]
    again = await site.post("/api/models/fetch", {"what": "org/style", "kind": "lora", "licence": "mit"})
    assert again.status == 409
    assert (await site.ask("DELETE", f"/api/models/fetch/{id}")).status == 204
    await shelf.drop()
    assert (await over(site, id))["state"] == "stopped"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"what": "http://127.0.0.1:1/x.safetensors"}, 403),
        ({"what": "https://10.0.0.1/x.safetensors"}, 403),
        ({"what": "org/none"}, 404),
        ({"what": "nothing"}, 422),
        ({"what": "org/style", "kind": "soup"}, 422),
        ({"what": "org/style", "name": "../x"}, 422),
        ({"what": "org/style", "more": 1}, 422),
    ],
)
async def test_what_is_no_model_is_refused(site: Site, body: dict[str, Any], status: int) -> None:
    assert (await site.post("/api/models/offer", body)).status == status


async def test_an_unknown_fetch_is_not_found(site: Site) -> None:
    for method in ("GET", "DELETE"):
        assert (await site.ask(method, "/api/models/fetch/none")).status == 404


async def test_offline_refuses_with_the_name_of_the_setting(shelf: Hub, tmp_path: Path) -> None:
    async with serving(fetch_to=tmp_path, offline=True) as site:
        refused = await site.post("/api/models/offer", {"what": "org/style"})
    assert refused.status == 403
    assert "`offline`" in refused.json["detail"]
    assert shelf.seen == []


# -- at a terminal


class Terminal:
    """`server.py models …`, with and without a person."""

    def __init__(self, shelf: Hub, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **environment(folder / "data", fetch_to=str(folder / "models")),
            "HF_ENDPOINT": shelf.url,
        }

    async def run(self, *words: object, typed: str = "") -> tuple[int, str, str]:
        return await asyncio.to_thread(self._run, [str(word) for word in words], typed)

    def _run(self, words: list[str], typed: str) -> tuple[int, str, str]:
        command = [sys.executable, str(ROOT / "server.py"), "models", *words]
        mine, theirs = pty.openpty()
        os.write(mine, typed.encode())
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=self.folder,
                stdin=theirs if typed else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            os.close(mine)
            os.close(theirs)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def terminal(shelf: Hub, tmp_path: Path) -> Terminal:
    return Terminal(shelf, tmp_path)


async def test_at_a_terminal_the_licence_comes_first(terminal: Terminal, shelf: Hub) -> None:
    code, out, err = await terminal.run("fetch", "org/style")
    assert (code, out) == (1, "")
    assert "licence   mit" in err
    assert "--yes" in err
    code, out, err = await terminal.run("fetch", "org/style", typed="n\n")
    assert (code, out) == (1, "")
    assert "Fetch it? [y/N]" in err
    assert not any(seen.path.startswith("/cdn/") and seen.range for seen in shelf.seen)
    code, out, err = await terminal.run("fetch", "org/style", typed="y\n")
    assert (code, out) == (0, "lora ink is here: models/loras/ink.safetensors\n"), err
    assert (terminal.folder / "models/loras/ink.safetensors").read_bytes() == LORA


async def test_a_script_says_yes_and_reads_json(terminal: Terminal) -> None:
    code, out, err = await terminal.run("fetch", "org/style", "--yes", "--json", "--name", "pen")
    assert code == 0, err
    assert json.loads(out)["place"] == "loras/pen.safetensors"
    code, out, err = await terminal.run("fetch", "org/style", "--yes", "--name", "pen")
    assert (code, out) == (1, "")
    assert "already" in err
    assert "Traceback" not in err
    code, out, _ = await terminal.run("--json")
    assert fetched(model for model in json.loads(out) if model["kind"] == "lora") == ["pen"]


async def test_a_kind_that_is_none_is_answered_with_those_that_are(terminal: Terminal) -> None:
    code, out, err = await terminal.run("fetch", "org/style", "--kind", "loras")
    assert (code, out) == (1, "")
    assert "--kind: bad input, got loras, want one of model, denoiser, lora," in err


async def test_a_pickle_is_converted_by_a_command(terminal: Terminal) -> None:
    import torch

    torch.save({"params_ema": {"conv_first.weight": torch.ones(2)}, "iter": 1}, terminal.folder / "net.pth")
    code, out, err = await terminal.run("convert", "net.pth")
    assert (code, out) == (0, "net.safetensors\n"), err
    assert "Left out, as no weights: iter." in err
    code, _, err = await terminal.run("convert", "nothing.pth")
    assert code == 1
    assert "There is no file nothing.pth." in err
