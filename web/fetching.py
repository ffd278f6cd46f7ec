"""Models at a terminal: the licence is read before a model is fetched, and what was converted is said."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from threading import Event as Signal

from engine.config import Settings
from engine.convert import beside, convert
from engine.errors import Forbidden, NotFound
from engine.fetch import Job, check_allowed, fetch, target
from engine.remote import Remote
from engine.sources import Asked, Offer, offer
from web.terminal import Bar, line


async def bring(conf: Settings, asked: Asked, *, yes: bool, as_json: bool) -> bool:
    """Ask its source, then the person, then fetch; whether it was agreed to."""
    remote = Remote.of_environment(offline=conf.offline)
    check_allowed(conf.fetch_to)
    offered = await asyncio.to_thread(offer, asked, remote)
    target(offered, conf.fetch_to)
    print(described(offered), file=sys.stderr)
    if not yes and not await agreed(offered):
        return False
    stop = Signal()
    with Bar(quiet=as_json, title="Fetching") as bar:
        job = Job(offered, conf.fetch_to, remote, lambda done, total: bar.show(done / max(total, 1)), stop)
        try:
            place = await asyncio.to_thread(fetch, job)
        except asyncio.CancelledError:
            stop.set()  # the thread ends with the next bytes; what came is kept
            raise
    if as_json:
        found = {"name": offered.name, "kind": offered.kind, "bytes": offered.bytes, "place": place}
        print(json.dumps({**found, "licence": offered.licence, "source": offered.source}))
    else:
        print(f"{offered.kind} {offered.name} is here: {conf.fetch_to.name}/{place}")
    return True


def described(offered: Offer) -> str:
    """What a person should know before it comes."""
    count = len(offered.pieces)
    lines = {
        "model": f"{offered.name} ({offered.kind})",
        "from": offered.source,
        "licence": offered.licence or "not said; look at its page",
        "size": f"{offered.bytes / 1e6:,.1f} MB" + (f" in {count} files" if count > 1 else ""),
        "goes to": offered.place,
    }
    if offered.gated:
        lines["access"] = "only for those who accepted its licence with an account"
    if offered.pickled:
        lines["converts"] = "from a pickle to safetensors, in a process of its own"
    if not all(piece.check for piece in offered.pieces):
        lines["checksum"] = "none is known; give one with --sha256"
    return "\n".join(f"{name:<9} {text}" for name, text in lines.items())


async def agreed(offered: Offer) -> bool:
    """Whether the person at the terminal says yes. Raises Forbidden if there is nobody."""
    if not sys.stdin.isatty():
        raise Forbidden(
            "Nobody is here to agree to the licence.", remedy="Read it, and add --yes to the command."
        )
    print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
    return (await line()).strip().lower() in ("y", "yes")


async def rewrite(file: Path, out: Path | None, *, as_json: bool) -> None:
    """Convert a pickle that is here."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    into = beside(file, out)
    done = await asyncio.to_thread(convert, file, into)
    if as_json:
        about = {"file": str(into), "tensors": done.tensors, "bytes": done.bytes, "left": done.left}
        print(json.dumps(about))
        return
    print(into)
    left = f" Left out, as no weights: {', '.join(done.left[:8])}." if done.left else ""
    print(f"{done.tensors} tensors, {done.bytes / 1e6:,.1f} MB.{left}", file=sys.stderr)
