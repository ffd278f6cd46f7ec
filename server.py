"""Tessera's command line: read the configuration, open the engine, hand over."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.config import Settings, settings
from engine.errors import Forbidden, Invalid, NotFound, Owned, Problem, TesseraError

if TYPE_CHECKING:
    from engine.service import Engine
    from web.client import Client

OK, REFUSED, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = """\
exit codes: 0 done; 1 the input, the workflow or the configuration has problems; 2 wrong usage;
3 it failed while running; 130 interrupted"""
Args = argparse.Namespace
Json = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    args = parser().parse_args(arguments)
    try:
        act: Callable[[Args], Awaitable[int]] = args.act
        return asyncio.run(run_async(act, args))
    except TesseraError as error:
        return report(error, args.json)
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED


async def run_async(act: Callable[[Args], Awaitable[int]], args: Args) -> int:
    return await act(args)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="server.py", description=__doc__, epilog=EXIT_CODES, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: Callable[[Args], Awaitable[int]]) -> argparse.ArgumentParser:
        help = (act.__doc__ or "").partition("\n")[0]
        added = commands.add_parser(name, help=help, description=act.__doc__, epilog=EXIT_CODES)
        added.set_defaults(act=act)
        added.add_argument("--json", action="store_true", help="answer in JSON")
        added.add_argument("--data", type=Path, metavar="DIR", help="the data folder; default: data")
        return added

    serving = command("serve", serve)
    serving.add_argument("--host", help="address to listen on; default: 127.0.0.1")
    serving.add_argument("--port", type=int, help="port to listen on, 0 for any; default: 8188")
    running = command("run", run)
    running.add_argument("workflow", metavar="FILE|NAME", help="a workflow's file, or its name in the library")
    running.add_argument("--set", action="append", default=[], metavar="INPUT=VALUE", type=pair, dest="values",
                         help="a named input; VALUE is JSON or text, @FILE sends a file")  # fmt: skip
    running.add_argument("--count", type=int, default=1, metavar="N", help="how many runs, each with its own seed")
    running.add_argument("--priority", type=int, default=0, help="-100 to 100; higher runs sooner")
    running.add_argument("--out", type=Path, metavar="PICTURE", help="where to write what comes out")
    command("validate", validate).add_argument("file", metavar="FILE", type=Path)
    command("nodes", nodes).add_argument("name", metavar="NAME", nargs="?", help="one node, with all it says")
    command("models", models)
    command("verify", verify).add_argument("run", metavar="RUN", help="the id of a run that is done")
    command("doctor", doctor)
    return top


def pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not INPUT=VALUE")
    return name, value


# -- serve


async def serve(args: Args) -> int:
    """Start the server and keep it running until Ctrl+C."""
    from web.guard import refuse_unsafe_bind

    conf = settings(host=args.host, port=args.port, data=args.data)
    refuse_unsafe_bind(conf)
    refuse_second(conf)
    listener = listen(conf)
    stop = Interrupts()
    from engine.service import Engine

    async with Engine.open(conf) as engine, published(engine, listener) as url:
        if args.json:
            print(json.dumps({"url": url, "pid": os.getpid(), "data": str(conf.data)}), flush=True)
        else:
            print(f"Tessera is at {url}\nCtrl+C stops it.", flush=True)
        await stop.first()
        say("Stopping: running jobs finish or go back into the queue. Ctrl+C again stops at once.")
        await stop.unless_second(engine.drain())
    return OK


def refuse_second(conf: Settings) -> None:
    from engine.owner import owner_of

    if (owner := owner_of(conf.data)) is not None:
        where = f"the server at {owner.url}" if owner.url else "another program"
        raise Owned(
            f"The data folder {conf.data} belongs to {where} (process {owner.pid}).",
            remedy="Use that one, or name another folder: --data DIR.",
        )


def listen(conf: Settings) -> socket.socket:
    """Take the port first: a server that cannot be reached should not touch the data folder."""
    family = socket.AF_INET6 if ":" in conf.host else socket.AF_INET
    try:
        return socket.create_server((conf.host.strip("[]"), conf.port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Invalid(
            [
                Problem(
                    "cannot_listen",
                    got=f"{conf.host}:{conf.port} ({said})",
                    remedy=f"Stop the program that uses it, or choose another port: --port {conf.port + 1}.",
                )
            ]
        ) from None


@asynccontextmanager
async def published(engine: Engine, listener: socket.socket) -> AsyncIterator[str]:
    """The engine over HTTP; its address is written down for other programs that use the data folder."""
    from aiohttp import web

    from engine.owner import announce
    from web.app import build

    runner = web.AppRunner(build(engine), access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    announce(engine.settings.data, url, engine.settings.token)
    try:
        yield url
    finally:
        await runner.cleanup()


class Interrupts:
    """Ctrl+C and polite kills, counted: the first asks, the second insists."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._seen = 0
        self._changed = asyncio.Event()
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), lambda *_: self._loop.call_soon_threadsafe(self._notice))

    def _notice(self) -> None:
        self._seen += 1
        self._changed.set()

    async def first(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def unless_second(self, work: Awaitable[None]) -> None:
        """Wait for `work`, but not past a second interrupt."""
        insisted = asyncio.ensure_future(self._changed.wait())
        working = asyncio.ensure_future(work)
        await asyncio.wait((insisted, working), return_when=asyncio.FIRST_COMPLETED)
        insisted.cancel()
        if working.done():
            working.result()
        else:
            working.cancel()


# -- run


@asynccontextmanager
async def door(conf: Settings) -> AsyncIterator[Client]:
    """The HTTP API of the server that owns the data folder; without one, of an engine opened here meanwhile."""
    from engine.owner import owner_of
    from web.client import connect

    owner = owner_of(conf.data)
    if owner is not None and owner.url:
        async with connect(owner.url, owner.token) as client:
            yield client
        return
    refuse_second(conf)
    async with here(conf) as (engine, url), connect(url, engine.settings.token) as client:
        yield client


@asynccontextmanager
async def here(conf: Settings) -> AsyncIterator[tuple[Engine, str]]:
    """An engine in this process, reachable under a token of its own."""
    import secrets

    from engine.service import Engine

    own = {"host": "127.0.0.1", "token": conf.token or secrets.token_urlsafe(24)}
    async with Engine.local(conf.data, **own) as engine:
        async with published(engine, socket.create_server(("127.0.0.1", 0))) as url:
            yield engine, url


async def run(args: Args) -> int:
    """Run a workflow and write what comes out; works with and without a server."""
    path = Path(args.workflow)
    document = load(path) if path.suffix == ".json" or path.is_file() else None
    async with door(settings(data=args.data)) as client:
        if document is None:
            document = await client.get(f"/api/workflows/{quoted(args.workflow)}")
        schemas = input_schemas(document, (await client.get("/api/nodes"))["nodes"])
        inputs = {name: await value(client, text, schemas.get(name, {})) for name, text in args.values}
        body = {"workflow": document if path.is_file() else args.workflow, "inputs": inputs}
        ids = (await client.post("/api/runs", {**body, "count": args.count, "priority": args.priority}))["runs"]
        finished: list[Json] = []
        try:
            with progress_bar(f"{document.get('title') or path.stem}", args.json) as show:
                for number, id in enumerate(ids):
                    finished.append(await follow(client, id, lambda f, n=number: show((n + f) / len(ids))))
        except asyncio.CancelledError:
            for id in ids[len(finished) :]:
                await client.cancel(id)
            raise
        written = await write(client, finished, args.out) if args.out else []
    return outcome(finished, written, args.json)


def load(path: Path) -> Json:
    """A workflow's file, as the server will read it."""
    from engine import workflow

    try:
        return workflow.read(path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None


def input_schemas(document: Json, palette: list[Json]) -> dict[str, Json]:
    """What each named input takes, by the first port that it goes to."""
    ports = {node["id"]: {port["name"]: port["schema"] for port in node["inputs"]} for node in palette}
    found = {}
    for name, declared in (document.get("inputs") or {}).items():
        step, _, port = next(iter(declared.get("to") or []), "").partition(".")
        found[name] = ports.get((document["steps"].get(step) or {}).get("node"), {}).get(port, {})
    return found


async def value(client: Client, text: str, schema: Json) -> Any:
    """What was typed behind `=`, as the input wants it."""
    if text.startswith("@"):
        if not Path(text[1:]).is_file():
            raise NotFound(f"There is no file {text[1:]}.")
        return await client.upload(Path(text[1:]))
    return typed(text, schema)


def typed(text: str, schema: Json) -> Any:
    """Text stays text where the input takes text; elsewhere it is JSON if it can be."""
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("type") == "string" or text in kind.get("enum", ()) for kind in kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


async def follow(client: Client, id: str, show: Callable[[float], None]) -> Json:
    """Watch one run until it is over, asking the person at the terminal what it asks."""
    document: Json = {}
    async for document in client.watch(id, every=0.3 if sys.stderr.isatty() else 20):
        show(document["progress"])
        if document["state"] == "waiting":
            for question in document["questions"]:
                await client.post(question["url"], {"choice": await ask(id, question)})
    return document


async def ask(id: str, question: Json) -> str:
    options: list[str] = question["options"]
    listed = "".join(f"\n  {number} {option}" for number, option in enumerate(options, 1))
    if not sys.stdin.isatty():
        remedy = f"POST the choice to {question['url']}; meanwhile the run waits."
        raise TesseraError(f"Run {id} asks: {question['question']}{listed}\n", remedy=remedy)
    while True:
        say(f"{question['question']}{listed}")
        answer = (await line()).strip()
        if answer in options:
            return answer
        if answer.isdigit() and 1 <= int(answer) <= len(options):
            return options[int(answer) - 1]


async def line() -> str:
    """A line typed at the terminal. Read in a daemon thread: one that waits would keep Ctrl+C from ending us."""
    loop = asyncio.get_running_loop()
    typed_in: asyncio.Future[str] = loop.create_future()
    read = lambda: loop.call_soon_threadsafe(typed_in.set_result, sys.stdin.readline())  # noqa: E731
    threading.Thread(target=read, daemon=True).start()
    return await typed_in


@contextmanager
def progress_bar(title: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda fraction: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


async def write(client: Client, runs: list[Json], out: Path) -> list[str]:
    """Write every file that came out: the first as `out`, further ones with a number; into a folder by name."""
    files = [file for run in runs for output in run["outputs"].values() for file in files_in(output)]
    written = []
    for number, file in enumerate(files, 1):
        if out.is_dir():
            path = out / f"{file['id']}{Path(file.get('name') or '').suffix}"
        else:
            path = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_asked(await client.download(file["url"]), file["mime"], path))
        written.append(str(path))
    return written


def files_in(output: Any) -> list[Json]:
    items = output if isinstance(output, list) else [output]
    return [item for item in items if isinstance(item, dict) and {"id", "url", "mime"} <= item.keys()]


def as_asked(data: bytes, mime: str, path: Path) -> bytes:
    """The file as it is, or the picture in the format that the name asks for."""
    import io
    import mimetypes

    wanted = mimetypes.guess_type(path.name)[0] or mime
    if wanted == mime or not (mime.startswith("image/") and wanted.startswith("image/")):
        return data
    from PIL import Image

    picture, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    kind = wanted.removeprefix("image/").upper()
    picture.convert("RGB" if kind == "JPEG" else picture.mode).save(buffer, kind)
    return buffer.getvalue()
