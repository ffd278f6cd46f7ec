"""Draw the pictures of the gallery again, by the commands that stand beside them.

python -m tests.gallery_pictures [NAME ...]
"""

from __future__ import annotations

import io
import math
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from engine.config import ROOT
from tests.test_gallery_page import TOLD, Shown, shown

LARGEST = 150_000
"""Bytes of a picture in the documentation."""

_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sources() -> str:
    """The commands that make what the others begin with."""
    found = _BLOCK.search(TOLD.read_text("utf-8"))
    assert found
    return found[1]


def command(name: str) -> str:
    """The command of a workflow."""
    section = TOLD.read_text("utf-8").partition(f"### `{name}`\n")[2]
    found = _BLOCK.search(section)
    assert found
    return found[1]


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Make a folder one in which the commands work, with a server, so that models are loaded once."""
    (folder / "server.py").symlink_to(ROOT / "server.py")
    command = [sys.executable, "server.py", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        sys.stdout.write(server.stdout.readline())
        try:
            yield
        finally:
            server.terminate()


def run(text: str, folder: Path) -> None:
    """Run commands of the page in a folder, as on a terminal where 2 is the answer to every question."""
    writer, terminal = pty.openpty()
    os.write(writer, b"2\n")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path}
    subprocess.run(["bash", "-ec", text], cwd=folder, env=environment, stdin=terminal, check=True)
    os.close(terminal)
    os.close(writer)


def result(text: str, folder: Path) -> Path:
    """What a command made: the file that it names, or the largest picture of its folder, its sheet."""
    words = shlex.split(text)
    out = folder / words[words.index("--out") + 1]
    return out if out.is_file() else max(out.glob("*.png"), key=lambda one: math.prod(size(one)))


def size(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def small(picture: Path) -> bytes:
    """The picture as a PNG, with fewer colours if it would be too large otherwise."""
    with Image.open(picture) as image:
        for colours in (0, 256, 128, 64):
            store = io.BytesIO()
            fewer = image.convert("RGB").quantize(colours) if colours else image
            fewer.save(store, "png", optimize=True)
            if store.tell() < LARGEST:
                return store.getvalue()
    raise SystemExit(f"{picture} is too large to be shown.")


def main() -> None:
    wanted = sys.argv[1:]
    with TemporaryDirectory() as place:
        folder = Path(place)
        with serving(folder):
            run(sources(), folder)
            for one in shown():
                if not wanted or one.name in wanted:
                    draw(one, folder)


def draw(one: Shown, folder: Path) -> None:
    """Run the command of a workflow, and keep its picture."""
    text = command(one.name)
    run(text, folder)
    (TOLD.parent / one.image).write_bytes(small(result(text, folder)))
    sys.stdout.write(f"{one.image}\n")


if __name__ == "__main__":
    main()
