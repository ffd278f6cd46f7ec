"""Our own HTTP API from the outside, for the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from engine.errors import Problem, TesseraError

Json = dict[str, Any]
FINAL = ("done", "failed", "cancelled")


class Refused(TesseraError):
    """The server refused the request."""

    code = "refused"

    def __init__(self, answer: int, detail: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(detail, problems=problems)
        self.answer = answer
        """The HTTP status."""


class Unreachable(TesseraError):
    """The server does not answer."""

    code = "unreachable"


class Client:
    """One server, as methods."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = session

    async def get(self, path: str, **query: str | float) -> Json:
        return await self._json("GET", path, params=query)

    async def post(self, path: str, body: Json) -> Json:
        headers = {"Content-Type": "application/json"}
        return await self._json("POST", path, data=msgspec.json.encode(body), headers=headers)

    async def cancel(self, run: str) -> None:
        """Cancel a run; one that is already over stays as it is."""
        await self._bytes("DELETE", f"/api/runs/{run}")

    async def upload(self, path: Path) -> str:
        """Send a file; its artifact id."""
        with path.open("rb") as file:
            form = aiohttp.FormData()
            form.add_field("file", file, filename=path.name)
            answer = await self._json("POST", "/api/artifacts", data=form)
        return str(answer["id"])

    async def download(self, path: str) -> bytes:
        return await self._bytes("GET", path)

    async def watch(self, run: str, every: float) -> AsyncIterator[Json]:
        """The run document again and again, until the run is over or waits for a person."""
        while True:
            document = await self.get(f"/api/runs/{run}", wait=every)
            yield document
            if document["state"] in FINAL:
                return

    async def _json(self, method: str, path: str, **options: Any) -> Json:
        data = await self._bytes(method, path, **options)
        answer: Json = msgspec.json.decode(data)
        return answer

    async def _bytes(self, method: str, path: str, **options: Any) -> bytes:
        try:
            async with self._session.request(method, self.url + path, **options) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            raise Unreachable(f"{self.url} does not answer: {said}.", remedy="Is it still running?") from None
        if response.status >= 400:
            raise refused(response.status, data)
        return data


def refused(status: int, data: bytes) -> Refused:
    """A problem document as an error."""
    try:
        document = msgspec.json.decode(data)
        problems = tuple(msgspec.convert(p, Problem) for p in document["problems"])
        return Refused(status, str(document["detail"]), problems)
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Refused(status, f"The server answered {status}.", ())


@asynccontextmanager
async def connect(url: str, token: str = "") -> AsyncIterator[Client]:
    """Speak to the server at `url`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as session:
        yield Client(session, url)
