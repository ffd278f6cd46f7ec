"""A websocket client that reads nothing: the server's memory stays bounded, and everybody else is served."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

import psutil
import pytest

from tests.graphs import chain
from tests.serving import Server

CLIENTS = 8
JOBS = 60
LENGTH = 200
BOUND = 48 * 1024**2
"""What eight clients may cost: their queues, with room for the noise of an allocator."""


def deaf_client(server: Server) -> socket.socket:
    """A websocket from the first event on, of which nothing is ever read."""
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET /ws?after=0 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def memory(server: Server) -> int:
    return int(psutil.Process(server.pid).memory_info().rss)


def work(server: Server, first: int) -> int:
    """Run jobs of which none is cached; the bytes of their events."""
    said = 0
    for number in range(first, first + JOBS):
        run = server.run(chain(LENGTH, start=number * 1000.0))
        assert run["outputs"]["out"] == number * 1000.0 + LENGTH
        said += len(server.ask("GET", f"/api/runs/{run['id']}/events").data)
    return said


@pytest.mark.timeout(120)
def test_clients_that_read_nothing_cost_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        work(server, 0)
        before = memory(server)
        clients = [deaf_client(server) for _ in range(CLIENTS)]
        said = work(server, JOBS)
        grown = memory(server) - before
        assert said > 400_000
        assert grown < BOUND, f"{grown:,} bytes more, for {CLIENTS} clients and {said:,} bytes of events"
        assert server.run(chain(3))["outputs"] == {"out": 3.0}
        for client in clients:
            client.close()
