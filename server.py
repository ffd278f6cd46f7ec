"""Tessera's command line: read the configuration, open the engine, hand over."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.config import Settings, settings
from engine.errors import BadInput, Invalid, NotFound, Owned, Problem, TesseraError

if TYPE_CHECKING:
    from engine.service import Engine
    from web.client import Client

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 3, 130
DRAIN = 30.0  # seconds that running jobs have to finish when the server stops
EXIT_CODES = """\
exit codes: 0 done, 1 the input, workflow or configuration has problems,
2 wrong usage, 3 it failed while running, 130 interrupted"""
Args = argparse.Namespace
Act = Callable[[Args], Coroutine[Any, Any, int]]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    args = parser().parse_args(arguments)
    act: Act = args.act
    try:
        return asyncio.run(act(args))
    except TesseraError as error:
        return report(error, args.json)
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(description=__doc__, epilog=EXIT_CODES, formatter_class=style)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: Act, among: Any = commands) -> argparse.ArgumentParser:
        summary = (act.__doc__ or "").partition("\n")[0]
        added: argparse.ArgumentParser = among.add_parser(
            name, help=summary, description=act.__doc__, epilog=EXIT_CODES, formatter_class=style
        )
        added.set_defaults(act=act)
        inner: dict[str, Any] = {} if among is commands else {"default": argparse.SUPPRESS}  # said before it
        added.add_argument("--json", action="store_true", help="answer in JSON", **inner)
        added.add_argument("--data", type=Path, metavar="DIR", help="the data folder; default: data", **inner)
        return added

    add = command("serve", serve).add_argument
    add("--host", help="address to listen on; default: 127.0.0.1")
    add("--port", type=int, help="port to listen on, 0 for any; default: 8188")
    add = command("run", run).add_argument
    files = "a workflow's file, its name in the library, or a picture that holds its workflow"
    add("workflow", metavar="FILE|NAME", help=files)
    named = "a named input; VALUE is JSON or text, @FILE sends a file, @FILE,@FILE several to a list"
    add("--set", action="append", default=[], metavar="INPUT=VALUE", type=pair, dest="inputs", help=named)
    add("--count", type=int, default=1, metavar="N", help="how many runs, each with the next seed")
    modes = "0 Safe, 1 Research, 2 NSFW; default: the server's"
    add("--mode", type=int, choices=(0, 1, 2), metavar="M", help=modes)
    add("--explain", action="store_true", help="also tell which word was heeded where in each picture")
    add("--priority", type=int, default=0, metavar="P", help="-100 to 100; higher runs sooner")
    add("--out", type=Path, metavar="FILE", help="where to write what comes out; a folder for many")
    command("validate", validate).add_argument("file", metavar="FILE", type=Path)
    add = command("nodes", nodes).add_argument
    add("name", metavar="NAME", nargs="?", help="one node, with all it says")
    more = command("models", models).add_subparsers(metavar="fetch|convert")
    add = command("fetch", fetch, more).add_argument
    add("what", metavar="ID", help="a short name, a repository, a file in one, or an https address")
    add("--kind", metavar="KIND", help="what it is, if it does not say so itself: lora, vae, …")
    add("--name", default="", metavar="NAME", help="how it is to be called here")
    add("--variant", default="", metavar="V", help="another precision of the same weights, such as fp16")
    add("--sha256", default="", metavar="SUM", help="what the content of a single file must be")
    add("--yes", action="store_true", help="the licence was read: do not ask")
    add = command("convert", convert, more).add_argument
    add("file", metavar="FILE", type=Path, help="a .ckpt, .pt, .pth or .bin")
    add("--out", type=Path, metavar="FILE", help="where to write it; default: beside it")
    made = "the id of a run or of a file that was made here, or a file saved with the metadata full"
    command("verify", verify).add_argument("what", metavar="RUN|FILE", help=made)
    command("receipt", receipt).add_argument("what", metavar="RUN|FILE", help=made)
    add = command("why", why).add_argument
    add("what", metavar="RUN|FILE", help="the id of a run; with another, also of a file, or a file itself")
    add("other", metavar="OTHER", nargs="?", help="a run or file to compare with, receipt beside receipt")
    command("doctor", doctor)
    more = command("audit", audit).add_subparsers(metavar="verify|export|seal")
    add = command("verify", audit_verify, more).add_argument
    add("file", metavar="FILE", nargs="?", type=Path, help="an exported log; left out, the one of the server")
    add("--noted", default="", metavar="NUMBER:CHAIN", help="a line that must still be as it was then")
    command("export", audit_export, more).add_argument("file", metavar="FILE", type=Path)
    add = command("seal", audit_seal, more).add_argument
    add("--days", type=float, required=True, metavar="N", help="lines older than so many days")
    add("--out", type=Path, required=True, metavar="FILE", help="where the log is exported to before")
    return top


def pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not INPUT=VALUE")
    return name, value


# -- commands


async def serve(args: Args) -> int:
    """Start the server and keep it running until Ctrl+C."""
    from engine.service import Engine
    from web.guard import refuse_unsafe_bind

    conf = settings(host=args.host, port=args.port, data=args.data)
    refuse_unsafe_bind(conf)
    refuse_second(conf)
    listener = listen(conf)
    interrupts = Interrupts()
    async with Engine.open(conf) as engine, published(engine, listener) as url:
        if args.json:
            print(json.dumps({"url": url, "pid": os.getpid(), "data": str(conf.data)}), flush=True)
        else:
            print(f"Tessera is at {url} - Ctrl+C stops it.", flush=True)
        await interrupts.first()
        say("Stopping: running jobs finish or go back into the queue. Ctrl+C again stops at once.")
        await interrupts.unless_second(engine.drain(DRAIN))
    return OK


async def run(args: Args) -> int:
    """Run a workflow and write what comes out; works with and without a server."""
    from web import terminal

    path = Path(args.workflow)
    given: dict[str, Any] = {}
    async with door(settings(data=args.data)) as client:
        if terminal.is_picture(path):
            workflow, given = await terminal.restored(client, path)
        else:
            workflow = load(path) if path.suffix == ".json" or path.is_file() else args.workflow
        inputs = given | await terminal.read_inputs(client, workflow, args.inputs)
        asked = {"workflow": workflow, "inputs": inputs, "count": args.count, "priority": args.priority}
        asked |= {} if args.mode is None else {"mode": args.mode}
        asked |= {"explain": True} if args.explain else {}
        runs = await terminal.follow(client, asked, quiet=args.json)
        written = await terminal.write(client, runs, args.out) if args.out else []
    if args.json:
        print(json.dumps({"runs": runs, "written": written}, ensure_ascii=False))
    else:
        terminal.show(runs, written)
    return OK if all(run["state"] == "done" for run in runs) else FAILED


async def validate(args: Args) -> int:
    """Check a workflow's file: all its problems at once."""
    workflow = load(args.file)
    async with door(settings(data=args.data)) as client:
        checked = await client.post("/api/check", {"workflow": workflow})
    if args.json:
        print(json.dumps(checked, ensure_ascii=False))
    else:
        for kind in ("problems", "warnings"):
            for problem in checked[kind]:
                print(f"{kind[:-1]}: {Problem(**problem).sentence()}")
        print(f"{args.file}: {len(checked['problems'])} problems, {len(checked['warnings'])} warnings")
    return OK if checked["ok"] else REFUSED


async def nodes(args: Args) -> int:
    """List the nodes, or describe one."""
    from web import terminal

    async with door(settings(data=args.data)) as client:
        palette = await client.get("/api/nodes")
    found = terminal.chosen(palette["nodes"], args.name)
    if args.json:
        print(json.dumps(found[0] if args.name else palette, ensure_ascii=False))
    else:
        print(terminal.described(found[0]) if args.name else terminal.listed(found))
        for pack in palette["failed"]:
            say(f"Pack {pack['pack']} is not available: {pack['reason']}")
    return OK


async def models(args: Args) -> int:
    """List the models on this machine, fetch one, or convert one."""
    from engine.models import Models

    found = Models.of(settings(data=args.data)).list()
    if args.json:
        names = ("name", "kind", "layout", "bytes", "source")
        print(json.dumps([{name: getattr(file, name) for name in names} for file in found]))
    else:
        for file in found:
            print(f"{file.name:<32} {file.kind:<10} {file.bytes / 1e6:>9,.1f} MB  {file.source}")
    return OK


async def fetch(args: Args) -> int:
    """Fetch a model: licence and size first, then its files, checked."""
    from engine.sources import Asked
    from engine.weights import KINDS
    from web.fetching import bring

    words = {name: getattr(args, name) for name in ("what", "kind", "name", "variant", "sha256")}
    try:
        asked = msgspec.convert(words, Asked)
    except msgspec.ValidationError:  # all else is free text
        raise BadInput("--kind", got=args.kind, want=f"one of {', '.join(KINDS)}") from None
    agreed = await bring(settings(data=args.data), asked, yes=args.yes, as_json=args.json)
    return OK if agreed else REFUSED


async def convert(args: Args) -> int:
    """Convert a pickled model to safetensors, in a process of its own."""
    from web.fetching import rewrite

    await rewrite(args.file, args.out, as_json=args.json)
    return OK


async def verify(args: Args) -> int:
    """Make a finished run or a file again without the cache: equal, or what differs and why."""
    from web import proving

    async with door(settings(data=args.data)) as client:
        verdict = await proving.verified(client, args.what)
    print(json.dumps(verdict, ensure_ascii=False) if args.json else verdict["sentence"])
    return OK if verdict["equal"] else FAILED


async def receipt(args: Args) -> int:
    """Show how a file or a run came to be."""
    from web import proving

    async with door(settings(data=args.data)) as client:
        found = await proving.receipt(client, args.what)
    print(json.dumps(found, ensure_ascii=False) if args.json else proving.told(found))
    return OK


async def why(args: Args) -> int:
    """Say why every step of a run ran, or what two runs or files do not have in common."""
    from web import proving

    async with door(settings(data=args.data)) as client:
        found = await proving.why(client, args.what, args.other)
    said = proving.differences(found) if args.other else proving.reasons(found)
    print(json.dumps(found, ensure_ascii=False) if args.json else said)
    return OK


async def doctor(args: Args) -> int:
    """Say what is wrong with this machine, and the one fix for each thing."""
    from engine.doctor import examine

    findings = list(examine(settings(data=args.data)))
    if args.json:
        print(json.dumps([{name: getattr(f, name) for name in f.__struct_fields__} for f in findings]))
    else:
        for finding in findings:
            print(f"{finding.state:<5} {finding.name:<12} {finding.found}")
            if finding.remedy:
                print(f"{'':<18} {finding.remedy}")
    return FAILED if any(finding.state == "bad" for finding in findings) else OK


async def audit(args: Args) -> int:
    """Who asked for what, in which mode and with which verdict; verify, export or shorten the log."""
    from web import evidence

    async with door(settings(data=args.data)) as client:
        runs = evidence.asked(await evidence.lines(client))
    print(msgspec.json.encode(runs).decode() if args.json else evidence.told(runs))
    return OK


async def audit_verify(args: Args) -> int:
    """Follow the chain of the log, or of an export: finds an edit, a gap, another order."""
    from web import evidence

    noted = evidence.noted(args.noted)
    if args.file is not None:
        report = msgspec.to_builtins(evidence.checked(args.file, noted))
    else:
        async with door(settings(data=args.data)) as client:
            report = await client.post("/api/audit/verify", {"seq": noted.seq, "chain": noted.chain})
    print(json.dumps(report) if args.json else report["sentence"])
    for fault in [] if args.json else report["faults"][1:]:
        print(f"also: {fault['what']}")
    return OK if report["whole"] else FAILED


async def audit_export(args: Args) -> int:
    """Write the log to a file, as JSON lines."""
    from web import evidence

    async with door(settings(data=args.data)) as client:
        count = await evidence.saved(client, args.file)
    print(json.dumps({"lines": count}) if args.json else f"{args.file}: {count:,} lines")
    return OK


async def audit_seal(args: Args) -> int:
    """Export the log, then delete its old lines; what is left proves how they ended."""
    from web import evidence

    async with door(settings(data=args.data)) as client:
        await evidence.saved(client, args.out)
        sealed = await client.post("/api/audit/seal", {"days": args.days})
    said = f"{sealed['lines']:,} lines up to {sealed['through']}:{sealed['chain']} are sealed away."
    print(json.dumps(sealed) if args.json else said if sealed["lines"] else "No line is that old.")
    return OK


# -- the engine, near or far


@asynccontextmanager
async def door(conf: Settings) -> AsyncIterator[Client]:
    """The HTTP API of the server that owns the data folder, or of an engine opened here meanwhile."""
    from engine.owner import owner_of
    from engine.service import Engine
    from web.client import connect

    owner = owner_of(conf.data)
    if owner is not None and owner.url:
        async with connect(owner.url, owner.token) as client:
            yield client
        return
    refuse_second(conf)
    listener = socket.create_server(("127.0.0.1", 0))
    async with (
        Engine.local(conf.data, host="127.0.0.1", token=conf.token or os.urandom(16).hex()) as engine,
        published(engine, listener) as url,
        connect(url, engine.settings.token) as client,
    ):
        yield client


@asynccontextmanager
async def published(engine: Engine, listener: socket.socket) -> AsyncIterator[str]:
    """The engine over HTTP; its address is noted for other programs that use the data folder."""
    from aiohttp.web import SockSite

    from engine.vault import veiled
    from web.app import build, runner

    serving = runner(build(engine))
    await serving.setup()
    await SockSite(serving, listener).start()
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    engine.listens_at(url)
    try:
        with veiled(engine.vault):
            yield url
    finally:
        await serving.cleanup()


def refuse_second(conf: Settings) -> None:
    """A data folder has one owner."""
    from engine.owner import owner_of

    if (owner := owner_of(conf.data)) is not None:
        who = f"the server at {owner.url}" if owner.url else "another program"
        raise Owned(
            f"The data folder {conf.data} belongs to {who} (process {owner.pid}).",
            remedy="Use that one, or name another folder: --data DIR.",
        )


def listen(conf: Settings) -> socket.socket:
    """Take the port first: a server that nobody can reach should not touch the data folder."""
    family = socket.AF_INET6 if ":" in conf.host else socket.AF_INET
    try:
        return socket.create_server((conf.host.strip("[]"), conf.port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        remedy = f"Stop the program that uses it, or choose another port: --port {conf.port + 1}."
        raise Invalid(
            [Problem("cannot_listen", got=f"{conf.host}:{conf.port} ({said})", remedy=remedy)]
        ) from None


class Interrupts:
    """Ctrl+C and polite kills, counted: the first asks, the second insists."""

    def __init__(self) -> None:
        loop, self._seen = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._seen.set))

    async def first(self) -> None:
        await self._seen.wait()
        self._seen.clear()

    async def unless_second(self, work: Awaitable[None]) -> None:
        """Wait for `work`, but not past a second interrupt."""
        working, insisted = asyncio.ensure_future(work), asyncio.ensure_future(self._seen.wait())
        await asyncio.wait((working, insisted), return_when=asyncio.FIRST_COMPLETED)
        insisted.cancel()
        if working.done():
            working.result()
        working.cancel()


# -- words


def load(path: Path) -> dict[str, Any]:
    """A workflow's file, read as the server will read it."""
    from engine import workflow

    try:
        return workflow.read(path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def report(error: TesseraError, as_json: bool) -> int:
    """What went wrong, in one sentence for each problem."""
    if as_json:
        plain = [{name: getattr(p, name) for name in p.__struct_fields__} for p in error.problems]
        print(json.dumps({"error": str(error), "problems": plain}, ensure_ascii=False))
    elif len(error.problems) > 1 or isinstance(error, Invalid):
        for problem in error.problems:
            say(problem.sentence())
    else:
        say(str(error))
    status = getattr(error, "answer", error.status)
    return REFUSED if 400 <= status < 500 or isinstance(error, Owned) else FAILED


if __name__ == "__main__":
    sys.exit(main())
