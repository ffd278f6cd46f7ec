"""A worker that dies while a checker looks: nothing has left, and the next one asks again."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.fault.trouble import Diary, ended_within, install, worker_of
from tests.moderator import moderating
from tests.serving import Json, Server

PICTURE: Json = {
    "tessera": 1,
    "steps": {
        "draw": {"node": "trouble/draw", "values": {"number": 3}},
        "save": {"node": "save_image", "values": {"name": "kept"}, "wires": {"image": "draw.out"}},
        "tell": {"node": "trouble/tell", "values": {"number": 1, "name": "told"}},
    },
    "outputs": {"picture": "save.out"},
}


def test_nothing_leaves_a_worker_that_is_killed_while_a_checker_looks(tmp_path: Path) -> None:
    diary, packs = Diary(tmp_path / "diary.txt"), str(install(tmp_path))
    PICTURE["steps"]["tell"]["values"]["diary"] = str(diary.path)
    with moderating() as moderator:
        moderator.slow = threading.Event()
        settings = {"mode": "0", "checkers": "openai", "moderation_url": moderator.url}
        secret = {"secret_openai_api_key": "sk-0123456789"}
        with Server(tmp_path / "data", packs=packs, **settings, **secret) as server:
            run = server.submit(PICTURE)
            assert moderator.began.wait(120)
            assert server.get(f"/api/runs/{run}")["state"] == "running"
            moderator.began.clear()
            worker = worker_of(server)
            worker.kill()
            assert ended_within(worker, 10)
            assert moderator.began.wait(120), "the next worker asks again"
            assert kept(tmp_path) == []
            moderator.slow.set()
            found = server.finished(run)
            assert (found["state"], found["attempts"]) == ("done", 2)
            assert [verdict["action"] for verdict in found["receipt"]["verdicts"]] == ["passed"]
            assert kept(tmp_path) == ["kept_00001.png"]
            assert len(diary.lines("told")) == 1


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data" / "output").glob("*.png"))
