"""What a server costs end to end: a start, trivial jobs, cached jobs, large graphs, a restart."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil

from tests.bench.table import REPEATS, Row, quantile
from tests.graphs import chain, total, wide
from tests.serving import Json, Server

IDLE = 2.0  # seconds until an idle server has come to rest
JOBS, AT_ONCE = 2000, 16
RATE, SECONDS = 50, 20
MEGABYTE = 1_000_000


class Client:
    """One connection pool to a server; its answers are not looked at more than needed."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def submit(self, workflow: Json, wait: float = 0.0, **inputs: object) -> Json:
        url = f"{self.server.url}/api/runs" + (f"?wait={wait}" if wait else "")
        async with self.session.post(url, json={"workflow": workflow, "inputs": inputs}) as answer:
            found: Json = await answer.json()
            assert answer.status in (200, 202), found
            return found

    async def run(self, workflow: Json, **inputs: object) -> Json:
        """To its end; the run without asking anew."""
        found = await self.submit(workflow, wait=60.0, **inputs)
        assert found["state"] == "done", found["error"]
        return found

    async def settled(self) -> None:
        """Return when no run is queued or running."""
        while True:
            async with self.session.get(f"{self.server.url}/api/info") as answer:
                queue = (await answer.json())["queue"]
            if not queue["queued"] and not queue["running"]:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def client(**settings: str) -> AsyncIterator[Client]:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data", **settings) as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
            yield Client(server, session)


async def start() -> list[Row]:
    """From nothing to the first answer, and at rest."""
    seconds, resident, torch = [], [], 0
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
            server.get("/api/health")
            process = psutil.Process(server.pid)
            used = process.cpu_times()
            seconds.append(used.user + used.system)
            await asyncio.sleep(IDLE)
            resident.append(process.memory_info().rss / MEGABYTE)
            torch += sum("torch" in file.path for file in process.memory_maps())
    return [
        Row("4", "server: CPU until it answers", statistics.median(seconds), "s", 1.0),
        Row("4", "server: resident memory at rest", statistics.median(resident), "MB", 120),
        Row("4", "server: files of torch in its memory", torch, "", 0),
    ]


async def throughput() -> list[Row]:
    """Trivial jobs as fast as they go, each a new one; then a known one fifty times a second."""
    async with client() as asking:
        await asking.run(total(0, 1))
        waiting = iter(range(JOBS))

        async def submit() -> None:
            for number in waiting:
                await asking.submit(total(), a=number, b=0.5)

        began = time.perf_counter()
        await asyncio.gather(*(submit() for _ in range(AT_ONCE)))
        await asking.settled()
        rate = JOBS / (time.perf_counter() - began)
        times = await paced(asking)
    return [
        Row("5", f"{JOBS:,} trivial jobs over HTTP, each computed", rate, "/s", 200, at_least=True),
        Row("5", f"cached job at {RATE}/s, asked to answered: p99", quantile(times, 0.99) * 1e3, "ms", 20),
        Row("5", f"cached job at {RATE}/s, asked to answered: median", statistics.median(times) * 1e3, "ms"),
    ]


async def paced(asking: Client) -> list[float]:
    """Seconds that each of the jobs took, started at a steady rate whether the last is back or not."""
    times: list[float] = []

    async def one() -> None:
        began = time.perf_counter()
        await asking.run(total(1, 1))
        times.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for turn in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began + turn / RATE - time.perf_counter()))
            group.create_task(one())
    return times


async def large() -> list[Row]:
    """Graphs of 1,000 and 4,000 additions over HTTP, and what a client hears of them."""
    rows: list[Row] = []
    shapes: dict[str, Callable[[int, float], Json]] = {"chain": chain, "wide": wide}
    async with client() as asking:
        await asking.run(total(0, 1))
        for name, shape in shapes.items():
            took = {}
            for size in (1000, 4000):
                took[size] = statistics.median(
                    [await timed(asking, shape(size, turn * 1e7)) for turn in range(1, REPEATS + 1)]
                )
                per_step = took[size] / size * 1e6
                rows.append(Row("1", f"{name} of {size:,} over HTTP: wall per step", per_step, "µs", 400))
            ratio = took[4000] / took[1000]
            rows.append(Row("1", f"{name} over HTTP: 4,000 against 1,000", ratio, "times", 6))
        again = statistics.median([await timed(asking, chain(1000, 1e7)) for _ in range(REPEATS)])
        rows.append(Row("2", "1,000 cached steps resubmitted, over HTTP", again * 1e3, "ms", 150))
        heard = await listened(asking, chain(1000, 99e7))
        rows.append(Row("2", "1,000 steps: bytes over the websocket", heard / MEGABYTE, "MB", 1.0))
    return rows


async def timed(asking: Client, workflow: Json) -> float:
    began = time.perf_counter()
    await asking.run(workflow)
    return time.perf_counter() - began


async def listened(asking: Client, workflow: Json) -> int:
    """Bytes, uncompressed, that a websocket client gets while this runs."""
    count = 0
    async with asking.session.ws_connect(asking.server.url + "/ws", compress=0) as socket:
        id = (await asking.submit(workflow))["id"]
        async for message in socket:
            count += len(message.data)
            line = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
            if line.get("job") == id and line["data"].get("state") == "done":
                break
    return count


async def restart() -> list[Row]:
    """kill -9, start, ask again: everything comes from disk."""
    size = 1000
    async with client() as asking:
        await asking.run(chain(size))
        asking.server.kill()
        asking.server.start()
        run = asking.server.run(chain(size))
    hits = sum(step["cache"] == "disk" for step in run["steps"].values())
    return [Row("3", "killed, restarted, resubmitted: from disk", hits / size * 100, "%", 100, at_least=True)]


async def job_growth() -> list[Row]:
    """What a thousand jobs leave in the server's memory, once it is warm."""
    async with client() as asking:
        process = psutil.Process(asking.server.pid)

        async def thousands(first: int, count: int) -> None:
            for number in range(first * 1000, (first + count) * 1000, AT_ONCE):
                jobs = (asking.submit(total(), a=n, b=0.25) for n in range(number, number + AT_ONCE))
                await asyncio.gather(*jobs)
            await asking.settled()

        await thousands(0, 2)
        before = process.memory_info().rss
        await thousands(2, 4)
        grown = (process.memory_info().rss - before) / 4
    return [Row("4", "server: growth per 1,000 jobs", grown / MEGABYTE, "MB", 1.0)]
