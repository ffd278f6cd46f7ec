"""Live clients: what they are sent, in which order, and what becomes of slow ones."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from engine.dispatch import Live
from engine.events import Event, Preview
from tests.web.served import Json, Site, chain, serving, sum_of
from web import sockets
from web.sockets import Outbox, frame, newer


def told(seq: int, job: str = "j", size: int = 1) -> Event:
    return Event("steps", seq, 1.0, "local", job, {"text": "x" * size})


def progress(step: str, fraction: float, seq: int = 0, job: str = "j") -> Event:
    return Event("progress", seq, 1.0, "local", job, {"progress": 0.5, "steps": {step: fraction}})


def outbox(*items: Event | Preview, job: str = "") -> Outbox:
    box = Outbox("local", job)
    box.behind = False
    for item in items:
        box.put(item)
    return box


async def test_progress_replaces_the_older_one_of_its_step_where_it_stands() -> None:
    box = outbox(progress("a", 0.1), progress("b", 0.2), told(1), progress("a", 0.9))
    first, second = box.take()
    assert isinstance(first, Event)
    assert first.data["steps"] == {"a": 0.9, "b": 0.2}
    assert second == told(1)
    assert box.take() == []


async def test_previews_replace_each_other_too() -> None:
    old, new = (Preview("j", "s", data, "local") for data in (b"old", b"new"))
    assert outbox(old, new).take() == [new]


async def test_too_many_stored_events_are_left_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "QUEUE_BYTES", 10_000)
    box = outbox(*(told(seq, size=3000) for seq in range(1, 9)))
    assert box.behind
    assert box.take() == []


async def test_an_outbox_stays_within_its_bounds_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "QUEUE_ITEMS", 50)
    box = outbox(*(progress("s", 0.5, job=f"j{i}") for i in range(1000)))
    assert not box.behind
    assert len(box.take()) == 50
    monkeypatch.setattr(sockets, "QUEUE_BYTES", 100_000)
    box = outbox(*(Preview("j", f"s{i}", bytes(30_000), "local") for i in range(40)))
    assert sum(len(item.data) for item in box.take() if isinstance(item, Preview)) <= 100_000


async def test_who_comes_while_something_runs_sees_its_newest_preview_at_once(site: Site) -> None:
    site.engine.dispatch.live["j"] = Live("local", "w")
    site.engine.dispatch.on_preview("j", "s", b"old")
    site.engine.dispatch.on_preview("j", "s", b"new")
    async with site.session.ws_connect(site.url + "/ws") as socket:
        await socket.receive_json()
        assert (await socket.receive_bytes()).endswith(b"new")
    assert site.engine.previews("somebody") == []


async def test_what_concerns_others_is_not_for_this_client() -> None:
    others = Event("job.state", 1, 1.0, "somebody", "k", {})
    everybody = Event("queue.paused", 2, 1.0, "", "", {})
    assert outbox(others, everybody).take() == [everybody]
    assert outbox(told(3, "k"), told(4, "j"), everybody, job="j").take() == [told(4, "j")]


def test_what_the_log_has_shown_is_not_sent_again_nor_is_progress_of_before() -> None:
    items = [progress("a", 0.5), told(7), progress("b", 0.5), told(8)]
    assert newer(items, 7) == items[2:]
    assert newer(items, 0) == items
    assert newer(items, 8) == []


def test_a_preview_is_one_message_with_its_header_in_front() -> None:
    data = frame(Preview("j", "sample", b"\xff\xd8jpeg", "local", 7))
    version, kind, length = struct.unpack(">BBH", data[:4])
    assert (version, kind) == (1, 1)
    head = json.loads(data[4 : 4 + length])
    assert head == {"job": "j", "step": "sample", "seq": 7, "mime": "image/jpeg"}
    assert data[4 + length :] == b"\xff\xd8jpeg"


async def lines(socket: aiohttp.ClientWebSocketResponse, until: str) -> list[Json]:
    """Messages until a stored event says that a job is in this state."""
    found: list[Json] = []
    async with asyncio.timeout(60):
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            line = json.loads(message.data)
            found.append(line)
            if line["kind"] == "job.state" and line["data"].get("state") == until:
                return found
    raise AssertionError(f"closed with {socket.close_code}")


def stored(found: Sequence[Json]) -> list[Json]:
    return [line for line in found if line["kind"] not in ("hello", "progress", "preview")]


async def test_a_client_hears_everything_from_the_first_event_to_the_last(site: Site) -> None:
    async with site.session.ws_connect(site.url + "/ws") as socket:
        run = await site.run(sum_of())
        found = await lines(socket, "done")
    assert found[0]["kind"] == "hello"
    events = stored(found)
    assert events[0]["kind"] == "job.created"
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    assert all(set(e) == {"seq", "kind", "at", "job", "data"} for e in events)
    assert {e["job"] for e in events} == {run["id"]}


async def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(site: Site) -> None:
    async with site.session.ws_connect(site.url + "/ws?after=0") as socket:
        await site.run(sum_of(1))
        before = stored(await lines(socket, "done"))
    await site.run(sum_of(2))
    last = before[-1]["seq"]
    async with site.session.ws_connect(f"{site.url}/ws?after={last}") as socket:
        missed = stored(await lines(socket, "done"))
        await site.run(sum_of(3))
        new = stored(await lines(socket, "done"))
    everything = await site.engine.events(0, owner="local")
    assert [e["seq"] for e in before + missed + new] == [e.seq for e in everything]


async def test_without_a_number_only_what_happens_now_is_told(site: Site) -> None:
    await site.run(sum_of(1))
    async with site.session.ws_connect(site.url + "/ws") as socket:
        hello = await socket.receive_json()
        assert hello == {"kind": "hello", "seq": site.engine.last_seq}
        run = await site.run(sum_of(2))
        assert {e["job"] for e in stored(await lines(socket, "done"))} == {run["id"]}


async def test_a_thousand_steps_cost_less_than_a_megabyte(site: Site) -> None:
    reader, writer = await upgraded(site, "/ws")
    run = await site.run(chain(1000))
    assert run["state"] == "done"
    data = b""
    while b'"state":"done"' not in data.rpartition(b"job.state")[2]:
        async with asyncio.timeout(30):
            data += await reader.read(65536)
    writer.close()
    assert len(data) <= 1_000_000


async def test_a_client_that_reads_nothing_costs_little_and_still_gets_every_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "QUEUE_BYTES", 50_000)
    boxes: list[Outbox] = []

    class Watched(Outbox):
        def __init__(self, owner: str, job: str = "") -> None:
            super().__init__(owner, job)
            boxes.append(self)

    monkeypatch.setattr(sockets, "Outbox", Watched)
    async with serving() as site:
        _, deaf = await upgraded(site, "/ws?after=0", limit=1024)
        async with site.session.ws_connect(site.url + "/ws?after=0") as socket:
            await flood(site)
            await site.run(sum_of())
            found = stored(await lines(socket, "done"))
        assert [e["seq"] for e in found] == [e.seq for e in await site.engine.events(0, owner="local")]
        assert all(box._bytes <= 50_000 for box in boxes)
        deaf.close()


async def test_a_client_that_takes_nothing_for_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "STUCK", 0.3)
    async with serving() as site:
        reader, writer = await upgraded(site, "/ws?after=0", limit=1024)
        await flood(site)
        async with asyncio.timeout(20):
            while await clients(site):
                await site.engine.jobs_store.emit(Event("packs"))
        assert await drained(reader)
        writer.close()


async def test_messages_of_clients_are_ignored_and_long_ones_end_the_connection(site: Site) -> None:
    async with site.session.ws_connect(site.url + "/ws") as socket:
        await socket.send_str('{"kind": "job.cancel"}')
        await socket.send_bytes(b"\x00\x01")
        await site.run(sum_of())
        await lines(socket, "done")
        await socket.send_str("x" * 100_000)
        async with asyncio.timeout(20):
            while (await socket.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_more_clients_than_there_is_room_for_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_CLIENTS", 1)
    async with serving() as site, site.session.ws_connect(site.url + "/ws"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.session.ws_connect(site.url + "/ws")
        assert refused.value.status == 503


async def test_a_stopping_server_says_goodbye() -> None:
    async with serving() as site:
        socket = await site.session.ws_connect(site.url + "/ws")
        await socket.receive()
        leaving = asyncio.create_task(lines(socket, "never"))
        await asyncio.sleep(0)
        await site.stop()
        with pytest.raises(AssertionError, match=str(aiohttp.WSCloseCode.GOING_AWAY.value)):
            await leaving


async def flood(site: Site) -> None:
    """More events than the buffers between a server and its client hold."""
    for _ in range(30):
        await site.engine.jobs_store.emit(Event("packs", data={"text": "x" * 500_000}))


async def clients(site: Site) -> float:
    """How many clients the server says it has."""
    text = (await site.get("/metrics")).body.decode()
    [count] = re.findall(r"^tessera_live_clients (\S+)$", text, re.MULTILINE)
    return float(count)


async def drained(reader: asyncio.StreamReader) -> bool:
    """Read until the connection ends, in good order or not."""
    try:
        async with asyncio.timeout(20):
            while await reader.read(65536):
                pass
    except ConnectionError:
        pass
    return True


async def upgraded(site: Site, path: str, limit: int = 2**16) -> tuple[asyncio.StreamReader, Any]:
    """A websocket whose bytes are ours to read or to leave."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=limit)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer
