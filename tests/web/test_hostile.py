"""Requests that mean harm or make no sense: each gets a problem document, and none hurts the server."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio

from tests.web.served import Site, png, sum_of

TELLTALE = re.compile(r"Traceback|File \"|site-packages|\.py\b|sqlite|/(?:tmp|root|work|home|usr|var)/")
"""What no answer may contain: traces of our code, of our database, of this machine's folders."""
DEEP = 100_000
BIG = 10**400
NUL = "\x00"


class Attack(NamedTuple):
    """One request, and the answers that are right for it."""

    name: str
    method: str
    path: str
    body: object = None
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed
    right: tuple[int, ...] = (400, 422)


def start(name: str, body: object, *right: int) -> Attack:
    return Attack(f"start {name}", "POST", "/api/runs", body, {}, right or (400, 422))


def document(name: str, **changed: Any) -> Attack:
    return start(f"document with {name}", {"workflow": {**sum_of(), **changed}}, 422)


def step(name: str, **changed: Any) -> Attack:
    return document(name, steps={"add": {"node": "add", "version": 1, "values": {"a": 1, "b": 2}, **changed}})


def get(name: str, path: str, *right: int, **headers: str) -> Attack:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Attack(name, "GET", path, None, named, right or (404, 422))


def post(
    name: str, path: str, body: object, right: tuple[int, ...] = (404, 409, 422), **headers: str
) -> Attack:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Attack(name, "POST", path, body, named, right)


PARSING = [
    start("with nothing", b""),
    start("with a space", b" "),
    start("with half a document", b'{"workflow": '),
    start("with words", b"hello"),
    start("with two documents", b"{} {}"),
    start("with a list", b"[1]"),
    start("with a text", b'"plus"'),
    start("with null", b"null"),
    start("with NaN", b'{"workflow": "plus", "inputs": {"a": NaN}}'),
    start("with Infinity", b'{"workflow": "plus", "inputs": {"a": -Infinity}}'),
    start("with 1e999", b'{"workflow": "plus", "inputs": {"a": 1e999}}'),
    start("with a number of 400 digits", b'{"workflow": "plus", "inputs": {"a": %d}}' % BIG),
    start("with a number of 5000 digits", b'{"workflow": "plus", "inputs": {"a": ' + b"9" * 5000 + b"}}"),
    start("with a seed past what browsers hold", b'{"workflow": "plus", "inputs": {"a": 9007199254740993}}'),
    start("with broken UTF-8", b'{"workflow": "\xff\xfe"}'),
    start("with UTF-16", '{"workflow": "plus"}'.encode("utf-16")),
    start("with a byte order mark", b'\xef\xbb\xbf{"workflow": "plus"}'),
    start("with half a surrogate", b'{"workflow": "\\ud800"}'),
    start("with a raw control character", b'{"workflow": "a\x01b"}'),
    start("with a key twice", b'{"workflow": "plus", "workflow": "minus"}'),
    start("with a nested key twice", b'{"workflow": "plus", "inputs": {"a": 1, "a": 2}}'),
    start("with a key twice, once escaped", b'{"workflow": "plus", "inputs": {"a": 1, "\\u0061": 2}}'),
    start("with deep lists", b'{"workflow": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    start("with deep objects", b'{"workflow": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}"),
    start("with 100 levels", b'{"workflow": "plus", "inputs": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}"),
    start("with comments", b'{"workflow": "plus" /* why not */}'),
    start("with single quotes", b"{'workflow': 'plus'}"),
    start("with a comma too many", b'{"workflow": "plus",}'),
    start("with more than the limit", b'{"workflow": "' + b"x" * 400_000 + b'"}', 413),
]
TYPES = [
    start("without a workflow", {}),
    start("with a number as workflow", {"workflow": 1}),
    start("with a list as workflow", {"workflow": []}),
    start("with an unknown field", {"workflow": "plus", "sudo": True}),
    start("with text as priority", {"workflow": "plus", "priority": "high"}),
    start("with a fraction as priority", {"workflow": "plus", "priority": 1.5}),
    start("with a priority beyond the scale", {"workflow": "plus", "priority": 101}),
    start("with a huge priority", {"workflow": "plus", "priority": 2**53 - 1}),
    start("zero times", {"workflow": "plus", "count": 0}),
    start("a negative number of times", {"workflow": "plus", "count": -1}),
    start("a billion times", {"workflow": "plus", "count": 10**9}),
    start("with true as count", {"workflow": "plus", "count": True}),
    start("with a list as inputs", {"workflow": "plus", "inputs": []}),
    start("with text as targets", {"workflow": "plus", "targets": "add"}),
    start("to a target that is not there", {"workflow": "plus", "targets": ["nowhere"]}),
    start("with an input that is not there", {"workflow": "plus", "inputs": {"z": 1}}),
    start("with an input of the wrong type", {"workflow": "plus", "inputs": {"a": {"b": []}}}),
    start("with null as input", {"workflow": "plus", "inputs": {"a": None}}),
    start("of a workflow that is not there", {"workflow": "lost"}, 404, 422),
    start("of a workflow with no name", {"workflow": ""}, 404, 422),
    start("of a workflow by a path", {"workflow": "../../etc/passwd"}, 404, 422),
    start("of a workflow with NUL", {"workflow": f"plus{NUL}.json"}, 404, 422),
]
ITSELF = {"x": {"node": "group/g", "version": 1}}
DOCUMENTS = [
    document("no steps", steps={}),
    document("steps that are a list", steps=[]),
    document("steps that are null", steps=None),
    document("another format", tessera=99),
    document("a format that is text", tessera="1"),
    document("outputs from nowhere", outputs={"sum": "nowhere.out"}),
    document("outputs that are no reference", outputs={"sum": "add"}),
    document("outputs that are numbers", outputs={"sum": 1}),
    document("inputs to nowhere", inputs={"a": {"to": ["nowhere.a"]}}),
    document("a step named like a path", steps={"../x": {"node": "add", "version": 1}}),
    document("a step named __proto__ of a list", steps={"__proto__": []}),
    document("a step with an empty name", steps={"": {"node": "add", "version": 1}}),
    document("a group that contains itself", groups={"g": {"steps": ITSELF}}, steps=ITSELF, inputs={},
             outputs={"o": "x.out"}),
    step("a node that is not there", node="os.system"),
    step("a node named like a path", node="../../add"),
    step("a node that is a number", node=7),
    step("a version of the future", version=999),
    step("a wire to itself", wires={"a": "add.out"}, values={"b": 1}),
    step("a wire to nowhere", wires={"a": "x.y"}, values={"b": 1}),
    step("a wire that is a list", wires={"a": ["add", 0]}, values={"b": 1}),
    step("an input that is not there", values={"a": 1, "b": 2, "__class__": 3}),
    step("a missing input", values={"a": 1}),
    step("a switch that is not there", off="maybe"),
]  # fmt: skip
ADDRESSES = [
    get("no such address", "/api/nothing", 404),
    get("a file of ours", "/web/app.py", 404),
    get("a file above", "/..%2f..%2fetc%2fpasswd", 404),
    get("a file above, dotted", "/%2e%2e/%2e%2e/etc/passwd", 404),
    get("a run above", "/api/runs/..%2f..%2fetc", 404, 422),
    get("a run with NUL", "/api/runs/%00", 404, 422),
    get("a run that is a quote", "/api/runs/'%20OR%201=1--", 404, 422),
    get("a run of 5000 characters", "/api/runs/" + "x" * 5000, 404, 422),
    get("a run in broken UTF-8", "/api/runs/%ff%fe", 400, 404, 422),
    get("an artifact above", "/api/artifacts/..%2f..%2f..%2fetc%2fpasswd", 404, 422),
    get("an artifact by its digest", "/api/artifacts/" + "0" * 64, 404, 422),
    get("an artifact with NUL", "/api/artifacts/a%00b", 404, 422),
    get("a workflow above", "/api/workflows/..%2fserver", 404, 422),
    get("a workflow with NUL", "/api/workflows/plus%00", 404, 422),
    get("a workflow in other letters", "/api/workflows/%E2%80%AEsulp", 404, 422),
    get("a workflow's version minus one", "/api/workflows/plus?version=-1", 422),
    get("a workflow's huge version", "/api/workflows/plus?version=" + "9" * 400, 422),
    get("too long an address", "/api/runs?before=" + "x" * 20_000, 400, 414),
    get("a size of minus one", "/api/artifacts/{artifact}?size=-1", 422),
    get("a size in words", "/api/artifacts/{artifact}?size=large", 422),
    get("a size in other digits", "/api/artifacts/{artifact}?size=%D9%A3", 422),
    get("a range past the end", "/api/artifacts/{artifact}", 416, Range="bytes=999999-"),
    get("a range of nothing", "/api/artifacts/{artifact}", 416, Range="bytes=-0"),
    get("a limit of zero", "/api/runs?limit=0", 422),
    get("a limit of a million", "/api/runs?limit=1000000", 422),
    get("a state that is not there", "/api/runs?state=%27", 422),
    get("a wait that is no number", "/api/runs/{run}?wait=NaN", 422),
    get("a wait of minus one", "/api/runs/{run}?wait=-1", 422),
    get("events after minus one", "/api/runs/{run}/events?after=-1", 422),
    get("events after a huge number", "/api/runs/{run}/events?after=" + "9" * 30, 422),
    get("events after words", "/api/runs/{run}/events", 422, Last_Event_ID="first"),
    get("a websocket after words", "/ws?after=x", 422),
    get("a websocket without the upgrade", "/ws", 400, 426),
    get("a websocket of version 1", "/ws", 400, 426, Upgrade="websocket", Connection="Upgrade",
        Sec_WebSocket_Version="1", Sec_WebSocket_Key="x"),
]  # fmt: skip
ACTIONS = [
    post("retry of a run that is not there", "/api/runs/x/retry", None),
    post("retry of a run that is done", "/api/runs/{run}/retry", None),
    post("release of a run that is done", "/api/runs/{run}/release", None),
    post("an answer to a run that asks nothing", "/api/runs/{run}/answers/add", {"choice": "yes"}),
    post("an answer that is a list", "/api/runs/{run}/answers/add", {"choice": []}),
    post("an answer to a path", "/api/runs/{run}/answers/..%2f..%2fx", {"choice": "yes"}),
    post("an answer without a choice", "/api/runs/{run}/answers/add", {}),
    post("an app that is not there", "/api/apps/lost", {}),
    post("an app by a path", "/api/apps/..%2f..%2fx", {}),
    post("an app with an unknown input", "/api/apps/plus", {"exec": "rm"}),
    post("an app with a list", "/api/apps/plus", [1, 2]),
    post("a check of nothing", "/api/check", {}),
    post("a check with a field more", "/api/check", {"workflow": "plus", "run": True}),
    post("a key that is too long", "/api/runs", {"workflow": "plus"}, (422,), Idempotency_Key="k" * 300),
    post("a key in other letters", "/api/runs", {"workflow": "plus"}, (422,), Idempotency_Key="schlüssel"),
    post("an empty upload", "/api/artifacts", b"", (422,), Content_Type="image/png"),
    post("an upload as a form", "/api/artifacts", b"a=b", (415,),
         Content_Type="application/x-www-form-urlencoded"),
    post("an upload of a form without an end", "/api/artifacts", b"--x\r\n\r\n", (400, 422),
         Content_Type="multipart/form-data; boundary=x"),
    post("an upload of a form without a boundary", "/api/artifacts", b"--x--", (400, 422),
         Content_Type="multipart/form-data"),
    post("an upload of a form that is none", "/api/artifacts", b"hello", (400, 422),
         Content_Type="multipart/form-data; boundary=x"),
    post("an upload of too many bytes", "/api/artifacts", bytes(1_100_000), (413,), Content_Type="image/png"),
    post("a body that is not what it says", "/api/runs", b"no gzip", (400, 422), Content_Encoding="gzip"),
    post("a wrong token", "/api/session", {"token": 5}, (422,)),
    Attack("a move to a run that is not there", "PATCH", "/api/runs/{run}", {"before": "x"}, {}, (404, 409)),
    Attack("a move by text", "PATCH", "/api/runs/{run}", {"priority": "1"}, {}, (422,)),
    Attack("a move of everything", "PATCH", "/api/runs/{run}", {"state": "done"}, {}, (422,)),
    Attack("a save under a path", "PUT", "/api/workflows/..%2f..%2fx", sum_of(), {}, (404, 422)),
    Attack("a save under a long name", "PUT", "/api/workflows/" + "x" * 65, sum_of(), {}, (422,)),
    Attack("a save under a hidden name", "PUT", "/api/workflows/.hidden", sum_of(), {}, (422,)),
    Attack("a save of nothing", "PUT", "/api/workflows/plus", b"", {}, (422,)),
    Attack("a save of a list", "PUT", "/api/workflows/plus", [], {}, (422,)),
    Attack("a save of no workflow", "PUT", "/api/workflows/plus", {"hello": 1}, {}, (422,)),
    Attack("a save with a key twice", "PUT", "/api/workflows/plus", b'{"a": 1, "a": 2}', {}, (422,)),
    Attack("a save over a lost version", "PUT", "/api/workflows/plus", sum_of(), {"If-Match": '"x"'}, (412,)),
    Attack("a save with two ETags", "PUT", "/api/workflows/plus", sum_of(), {"If-Match": '"x", "y"'}, (422,)),
    Attack("a save where one is", "PUT", "/api/workflows/plus", sum_of(), {"If-None-Match": "*"}, (412,)),
    Attack("a delete of what is not there", "DELETE", "/api/workflows/lost", None, {}, (404,)),
    Attack("a delete of an artifact that is not there", "DELETE", "/api/artifacts/lost", None, {}, (404,)),
]  # fmt: skip
METHODS = [
    Attack("a post to health", "POST", "/api/health", {}, {}, (405,)),
    Attack("a put to runs", "PUT", "/api/runs", {}, {}, (405,)),
    Attack("a delete of all runs", "DELETE", "/api/runs", None, {}, (405,)),
    Attack("a delete of all workflows", "DELETE", "/api/workflows", None, {}, (405,)),
    Attack("options", "OPTIONS", "/api/runs", None, {"Access-Control-Request-Method": "POST"}, (405,)),
    Attack("trace", "TRACE", "/api/runs", None, {}, (405,)),
    Attack("a made-up method", "BREW", "/api/runs", None, {}, (400, 405)),
    Attack(
        "a post as text", "POST", "/api/runs", b'{"workflow": "plus"}', {"Content-Type": "text/plain"}, (415,)
    ),
    Attack("a post as XML", "POST", "/api/runs", b"<x/>", {"Content-Type": "application/xml"}, (415,)),
    Attack("a post as nonsense", "POST", "/api/runs", b"{}", {"Content-Type": ";;;/"}, (415,)),
    Attack("a put as nothing", "PUT", "/api/workflows/plus", b"{}", {"Content-Type": ""}, (415,)),
]
SITES = [
    get("another host", "/api/info", 403, Host="evil.example"),
    get("a host that looks like ours", "/api/info", 403, Host="127.0.0.1.evil.example"),
    get("a host with a user", "/api/info", 403, Host="127.0.0.1@evil.example"),
    get("a host with a path", "/api/info", 400, 403, Host="127.0.0.1/x"),
    get("a host that is a number", "/api/info", 403, Host="2130706433"),
    get("the host of nowhere", "/api/info", 403, Host="0.0.0.0"),
    get("an empty host", "/api/info", 403, Host=""),
    get("a host on a port too many", "/api/info", 403, Host="127.0.0.1:1:2"),
    post("another origin", "/api/runs", {"workflow": "plus"}, (403,), Origin="https://evil.example"),
    post("no origin in particular", "/api/runs", {"workflow": "plus"}, (403,), Origin="null"),
    post("an origin that is a file", "/api/runs", {"workflow": "plus"}, (403,), Origin="file:///etc/passwd"),
    post("an origin that is nonsense", "/api/runs", {"workflow": "plus"}, (403,), Origin="http://[::1"),
    post("another site", "/api/runs", {"workflow": "plus"}, (403,), Sec_Fetch_Site="cross-site"),
    post("an upload of another site", "/api/artifacts", png(), (403,), Origin="https://evil.example"),
    get("a websocket of another site", "/ws", 403, Origin="https://evil.example", Upgrade="websocket",
        Connection="Upgrade", Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ=="),
    get("a websocket of another site in disguise", "/%77s", 403, 404, Origin="null", Upgrade="websocket",
        Connection="Upgrade", Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ=="),
    get("an unknown expectation", "/api/info", 417, Expect="a miracle"),
    get("an unknown expectation of no address", "/nowhere", 404, 417, Expect="a miracle"),
]  # fmt: skip
ATTACKS = [*PARSING, *TYPES, *DOCUMENTS, *ADDRESSES, *ACTIONS, *METHODS, *SITES]

HOST = b"Host: 127.0.0.1\r\n"
RAW = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "HTTP of the future": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a header with NUL": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    "a header of 100 kB": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "two lengths": b"POST /api/runs HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": b"POST /api/runs HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n{}",
    "a length and chunks": b"POST /api/runs HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks that are none": b"POST /api/runs HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "an address elsewhere": b"GET http://evil.example/api/info HTTP/1.1\r\nHost: evil.example\r\n\r\n",
}


class Target(NamedTuple):
    """A server with something to attack."""

    site: Site
    names: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(shared: Site) -> Target:
    assert (await shared.ask("PUT", "/api/workflows/plus", sum_of())).status in (200, 201)
    run = (await shared.run(sum_of()))["id"]
    kept = await shared.post("/api/artifacts", png(), headers={"Content-Type": "image/png"})
    return Target(shared, {"{run}": run, "{artifact}": kept.json["id"]})


def test_there_are_enough_of_them() -> None:
    assert len(ATTACKS) + len(RAW) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_it_is_refused(attack: Attack, target: Target, caplog: pytest.LogCaptureFixture) -> None:
    path = attack.path
    for mark, name in target.names.items():
        path = path.replace(mark, name)
    site = target.site
    answer = await site.ask(attack.method, path, attack.body, headers=attack.headers)
    assert answer.status in attack.right, answer.body
    check(answer.headers["Content-Type"], answer.status, answer.body, caplog)
    assert (await site.get("/api/health")).status == 200


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", RAW)
async def test_bytes_that_are_no_request_are_refused(
    name: str, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    said = await target.site.raw(RAW[name])
    head, _, body = said.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert 400 <= status < 500
    kind = re.search(rb"content-type: ([^\r]+)", head, re.IGNORECASE)
    assert kind is not None
    check(kind[1].decode(), status, body, caplog)
    assert (await target.site.get("/api/health")).status == 200


def check(kind: str, status: int, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is a problem document that tells nothing of our insides, and nothing went wrong behind it."""
    assert kind == "application/problem+json", body
    found = msgspec.json.decode(body)
    assert found["status"] == status
    assert found["title"]
    assert found["type"].startswith("urn:tessera:")
    assert found["problems"]
    for problem in found["problems"]:
        assert set(problem) == {"code", "step", "input", "got", "want", "remedy"}
        assert problem["code"]
    said = "".join([found["title"], *(p["want"] + p["remedy"] for p in found["problems"])])
    assert not TELLTALE.search(said)
    assert b"Traceback" not in body
    assert len(body) < 20_000
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
