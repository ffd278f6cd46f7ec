"""Small pictures of artifacts: made once, by processes of their own that have little time and memory."""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
from contextlib import suppress
from pathlib import Path

from engine.artifacts import ROOT, Folder, write_whole, writing
from engine.errors import NotFound, TesseraError, Unsupported

SIZES = (64, 128, 256, 512, 1024)
"""The thumbnails there are, by their longer side: a size asked for gets the next one up."""
SIDE_BY_SIDE = 2
IDLE = 30.0
"""Seconds without a picture after which a process ends; a full page of pictures shares it until then."""
SECONDS = 20
"""What one picture may take."""
MEMORY = 3 * 1024**3
CHILD = "import sys; from engine.thumbnails import serve; serve(sys.argv[1])"
DONE = b"done\n"
SAFE_ENVIRONMENT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TMPDIR", "TEMP")
"""What a process that decodes strangers' pictures may know: no token, no password."""


class Thumbnails:
    """The small pictures of what a folder holds."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._free = [Decoder(folder.root) for _ in range(SIDE_BY_SIDE)]
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def path(self, sha256: str, size: int) -> Path:
        """A small picture of an artifact, made if need be.

        NotFound if there is no such artifact, Unsupported if it is no picture that can be read.
        """
        path = thumbnail_path(self.folder, sha256, size)
        if not path.is_file():
            if not self.folder.has(sha256):
                raise NotFound("There is no such artifact.")
            async with self._room:
                if not path.is_file():
                    await self._make(sha256, size)
        if not path.is_file():
            raise Unsupported("No small picture can be made of this file.")
        return path

    async def _make(self, sha256: str, size: int) -> None:
        decoder = self._free.pop()  # the one used last, so that the other may end
        try:
            await decoder.make(sha256, size)
        finally:
            self._free.append(decoder)

    async def close(self) -> None:
        """End the processes."""
        for decoder in self._free:
            await decoder.stop()


class Decoder:
    """A process that makes small pictures one after another, until one is too much for it or none comes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.child: asyncio.subprocess.Process | None = None

    async def make(self, sha256: str, size: int) -> None:
        """Have it made; where none can be, there is none afterwards."""
        known = self.child is not None
        if not await self._ask(sha256, size) and known:  # it may have ended for want of work
            await self._ask(sha256, size)

    async def _ask(self, sha256: str, size: int) -> bool:
        """Whether it was there to ask. One that failed is replaced: nobody knows what state it is in."""
        child = self.child = self.child or await start(self.root)
        assert child.stdin
        assert child.stdout
        answer = b""
        try:
            async with asyncio.timeout(SECONDS):
                child.stdin.write(f"{sha256} {size}\n".encode())
                await child.stdin.drain()
                answer = await child.stdout.readline()
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            if answer != DONE:
                await self.stop()
        return bool(answer)

    async def stop(self) -> None:
        """End it now."""
        child, self.child = self.child, None
        if child is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def start(root: Path) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in SAFE_ENVIRONMENT if name in os.environ}
    pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(root),
        cwd=ROOT, env=environment | {"OPENBLAS_NUM_THREADS": "1"}, stdin=pipe, stdout=pipe, stderr=quiet,
    )  # fmt: skip


def thumbnail_path(folder: Folder, sha256: str, size: int) -> Path:
    """Where a thumbnail lies, once made."""
    fits = next((s for s in SIZES if s >= size), SIZES[-1])
    return folder.root / "thumbs" / sha256[:2] / f"{folder.path(sha256).name}-{fits}.webp"


# -- inside the process


def serve(root: str) -> None:
    """Make what the lines of the input ask for, until it ends or stays silent."""
    from engine import pictures  # noqa: F401  (loaded before the limits)

    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(asked,), daemon=True).start()
    limit_this_process()
    with suppress(queue.Empty):
        while line := asked.get(timeout=IDLE):
            sha256, size = line.split()
            allow_more_time()
            try:
                thumbnail(Folder(Path(root)), sha256, int(size))
                said = DONE
            except (TesseraError, OSError, MemoryError):
                said = b"no\n"
            sys.stdout.buffer.write(said)
            sys.stdout.buffer.flush()


def listen(asked: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        asked.put(line)
    asked.put("")


def thumbnail(folder: Folder, sha256: str, size: int) -> Path:
    """Make one in this process: only where strangers' pictures may be decoded."""
    from engine.pictures import small

    path = thumbnail_path(folder, sha256, size)
    if not path.is_file():
        data = small(folder.get(sha256), int(path.stem.rpartition("-")[2]))
        with writing():
            write_whole(path, data, folder.root / "tmp")
    return path


def limit_this_process() -> None:
    """Bounds of memory and files, where the system has them."""
    if sys.platform == "win32":
        return
    import resource

    limits = {resource.RLIMIT_AS: MEMORY, resource.RLIMIT_FSIZE: 64 * 1024**2, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        with suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(kind, (limit, limit))


def allow_more_time() -> None:
    """Let the next picture have its seconds of the processor, whatever those before it took."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + SECONDS + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
