"""A secret goes to the node that names it, and is found nowhere afterwards."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.serving import Json, Server

CANARY = "c4n4ry+of/Tessera 7f3a9b2e"
QUOTED = quote(CANARY, safe="")
TRACES = [form.encode() for form in (CANARY, QUOTED, "7f3a9b2e", "c4n4ry")]
TRACES.append(base64.b64encode(CANARY.encode())[:20])

PACK = '''
"""Nodes that know a secret, and try to tell."""

import hashlib, logging, os, sys
from typing import Literal
from urllib.parse import quote

from engine import Secret, Value, node
from engine import artifacts
from engine.errors import BadInput
from engine.types import Artifact
from engine.vault import reveal


class Box(Value, frozen=True, eq=False):
    """Something to hide things in."""

    inside: list[str]


@node(category="test")
def use(key: Secret, salt: str = "") -> str:
    """Use it well: what comes out does not tell."""
    print("using", reveal(key), file=sys.stderr)
    print("using", reveal(key))
    sys.stdout.buffer.write(b"bytes of " + reveal(key).encode() + bytes([255, 10]))
    logging.getLogger("pack").warning("using %s", reveal(key))
    return hashlib.sha256((salt + reveal(key)).encode()).hexdigest()[:8]


@node(category="test")
def leave_out(key: Secret = Secret("CANARY")) -> int:
    """Name it by default."""
    return len(reveal(key))


@node(category="test")
def fail(how: str, key: Secret) -> int:
    """Fail in many ways."""
    value = reveal(key)
    if how == "error":
        raise ValueError(f"GET /?key={quote(value, safe='')} with {value} was refused")
    if how == "bad input":
        raise BadInput("key", got=value, want=value, remedy=value)
    if how == "crash":
        print("crashing with", value, file=sys.stderr, flush=True)
        os.abort()
    if how == "exit":
        sys.exit(value)
    raise KeyError(value)


@node(category="test")
def tell(key: Secret) -> Box:
    """Give it out, inside of something."""
    return Box(["a", reveal(key)])


@node(category="test")
def helped(salt: str = "") -> Box:
    """Give out what nobody gave it."""
    return Box([salt + reveal(Secret("CANARY"))])


@node(category="test", kind="effect")
def keep(key: Secret) -> Artifact:
    """Write it into a file."""
    return artifacts.keep(b"text" + reveal(key).encode(), name="note")


@node(category="test")
async def remember(key: Secret) -> list[str]:
    """Give it out in a list."""
    return [reveal(key)]


@node(category="test", kind="source")
def surroundings() -> list[str]:
    """What the environment says."""
    return [f"{name}={value}" for name, value in os.environ.items()]
'''


def of(node: str, **values: object) -> Json:
    return {
        "tessera": 1,
        "steps": {"it": {"node": f"spill/{node}", "values": values}},
        "outputs": {"out": "it.out"},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("secret")
    (folder / "packs" / "spill").mkdir(parents=True)
    (folder / "packs" / "spill" / "__init__.py").write_text(PACK, "utf-8")
    packs = str(folder / "packs")
    server = Server(folder / "data", packs=packs, secret_canary=CANARY, token="a-token-of-length")
    server.log = folder / "log"
    with server:
        yield server


def ask(server: Server, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    answer = server.ask(method, path, body, Authorization="Bearer a-token-of-length")
    assert not [trace for trace in TRACES if trace in answer.data], answer.data
    return answer.status, answer.data


def run(server: Server, document: Json) -> Json:
    import json

    status, data = ask(server, "POST", "/api/runs?wait=60", {"workflow": document})
    found: Json = json.loads(data)
    while status in (200, 202) and found["state"] not in ("done", "failed"):
        found = json.loads(ask(server, "GET", f"/api/runs/{found['id']}?wait=30")[1])
    return found


def test_a_secret_is_found_nowhere_after_runs_that_succeed_fail_and_crash(server: Server) -> None:
    done = run(server, of("use", key="CANARY"))
    assert (done["state"], len(done["outputs"]["out"])) == ("done", 8), done
    assert run(server, of("leave_out"))["outputs"]["out"] == len(CANARY)
    for how in ("error", "bad input", "other", "exit"):
        failed = run(server, of("fail", how=how, key="CANARY"))
        assert failed["state"] == "failed"
        assert "[secret CANARY]" in str(failed["error"]), failed["error"]
    for node in ("tell", "keep", "remember", "helped"):
        stopped = run(server, of(node) if node == "helped" else of(node, key="CANARY"))
        assert "would give out the secret CANARY" in str(stopped["error"]), stopped
    crashed = run(server, of("fail", how="crash", key="CANARY"))
    assert crashed["error"]["code"] == "worker_died"
    around = run(server, of("surroundings"))["outputs"]["out"]
    assert not [line for line in around if line.startswith(("TESSERA_SECRET", "TESSERA_TOKEN"))]

    for path in ("/api/info", "/api/runs", "/api/nodes", "/metrics", "/api/openapi.json"):
        ask(server, "GET", path)
    server.stop()
    assert server.log is not None
    said = server.log.read_text("utf-8", "replace")
    assert "using [secret CANARY]" in said
    assert "bytes of [secret CANARY]" in said
    assert "crashing with [secret CANARY]" in said
    everything = [path for path in server.data.parent.rglob("*") if path.is_file()]
    assert len(everything) > 5
    assert [path for path in everything for trace in TRACES if trace in path.read_bytes()] == []
    server.start()


def test_its_value_is_refused_where_its_name_belongs(server: Server) -> None:
    named = ask(server, "POST", "/api/runs", {"workflow": of("use", key=CANARY)})
    assert named[0] == 422
    assert b"holds_a_secret" in named[1]
    pasted = ask(server, "POST", "/api/runs", {"workflow": of("use", key="sk-somebody-elses-key")})
    assert pasted[0] == 422
    assert b"sk-somebody" not in pasted[1]
    in_a_prompt = {"workflow": of("use", key="CANARY", salt=f"my key is {CANARY}")}
    assert ask(server, "POST", "/api/runs", in_a_prompt)[0] == 422
    assert ask(server, "PUT", "/api/workflows/mine", in_a_prompt["workflow"])[0] == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"/api/workflows/{QUOTED}", {"tessera": 1, "steps": {}}),
        ("GET", f"/api/artifacts/{QUOTED}", None),
        ("GET", f"/api/runs?state={QUOTED}", None),
        ("POST", f"/api/artifacts?name={QUOTED}.txt", b"a text"),
        ("POST", "/api/artifacts", f"a text with {CANARY} in it".encode()),
        ("POST", "/api/models/offer", {"what": CANARY}),
        ("POST", "/api/check", {"workflow": {"tessera": 1, "steps": {"a": {"node": CANARY}}}}),
        ("POST", "/api/runs", {CANARY: 1}),
        ("POST", "/api/apps/two_numbers", {"a": CANARY}),
    ],
)
def test_its_value_is_neither_kept_nor_repeated_wherever_it_is_sent(
    server: Server, method: str, path: str, body: Json | bytes | None
) -> None:
    status, data = ask(server, method, path, body)
    assert (status, b"holds_a_secret" in data) == (422, True), data


def test_a_missing_secret_says_how_to_set_it(server: Server) -> None:
    problem = run(server, of("use", key="ANOTHER"))["error"]
    assert "no secret ANOTHER" in problem["got"]
    assert "TESSERA_SECRET_ANOTHER" in problem["remedy"]
