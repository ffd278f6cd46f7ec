"""The shape of the code: who may import whom, how large a module may grow, what a start may load."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from engine.config import PREFIX, ROOT, Settings

BANDS = {
    "declare": "types ports annotations node context wires errors config safety prompting",
    "keep": "vault certificates credentials digest codecs pictures media artifacts thumbnails tables shelf "
    "cache db log audit rows jobs library drafts assets evaluations explained receipt papers made gallery "
    "looks known weights kinds hashes models remote hub sources convert fetch tokens",
    "plan": "registry packs canonical workflow scope variables pieces compile plan planner policy insight",
    "run": "events machine memory lanes calls ladder flights frame run assignment outward runner "
    "workers child requests sweeps gate lineage dispatch verify proofs evaluate fetches retention service "
    "owner doctor",
}
"""Each band imports itself and the bands above it. A new module of the engine is given its band here."""

ORDER = list(BANDS)
BAND_OF = {module: band for band, names in BANDS.items() for module in names.split()}
ANYBODY = {"events", "owner"}
"""Data that says what happened, and the mark on a data folder: any band may speak of them."""

HEAVY = {
    *("torch", "torchvision", "diffusers", "transformers", "accelerate", "spandrel"),
    *("cv2", "numpy", "scipy"),
}
MAY_NOT = {
    "engine": {"nodes", "web", "server", "custom_nodes", "aiohttp"},
    "nodes": {"web", "server", "custom_nodes", "aiohttp"},
    "custom_nodes": {"nodes", "web", "server", "aiohttp"},
    "web": {"nodes", "server", "custom_nodes"},
    "server.py": {"nodes", "custom_nodes"},
}
HEAVY_WITHIN = re.compile(r"nodes/_lib/|models/starter/recipe/|tests/|custom_nodes/\w+/test_")
"""Where a heavy library may be imported with the module."""
TORCH_WITHIN = re.compile(r"nodes/|custom_nodes/|engine/(machine|codecs)\w*\.py|models/|tests/")
"""Where torch may be imported inside a function."""

LARGEST = 600
TEXT = re.compile(r"(|\.(py|md|toml|json|ts|css|html|example|lock|ya?ml|sql))")
ELSEWHERE = re.compile(
    r"/(?:root|work|home/\w+|Users/\w+)/|[A-Z]:\\Users\\"  # somebody's machine
    # a registry; the brackets keep its names out of this file too
    r"|py[p]i\.\w|files\.python[h]osted|download\.py[t]orch|\b(?:extra-)?index[-]url\b|INDEX[_]URL\b",
)


class Import(NamedTuple):
    """One import statement."""

    path: str
    line: int
    module: str
    at_import: bool
    """Runs when the module is imported, not when a function of it is called."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def files() -> list[Path]:
    """What belongs to the project: tracked, or new and not ignored."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-coz", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


@cache
def modules() -> dict[str, str]:
    """Path to text, of every Python module of ours."""
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in files() if p.suffix == ".py"}


@cache
def imports() -> list[Import]:
    return [found for path, text in modules().items() for found in imports_in(path, ast.parse(text), True)]


def imports_in(path: str, node: ast.AST, at_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(path, child.lineno, name.name, at_import) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (Import(path, child.lineno, name, at_import) for name in named(path, child))
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports_in(path, child, at_import and not function)


def named(path: str, statement: ast.ImportFrom) -> list[str]:
    """`from engine import plan` imports engine.plan; `from engine.plan import check` does too."""
    parts = path.removesuffix(".py").split("/")[: -statement.level] if statement.level else []
    module = ".".join([*parts, *([statement.module] if statement.module else [])])
    submodules = [f"{module}.{name.name}" for name in statement.names]
    return [name for name in submodules if is_module(name)] or [module]


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def listed(found: list[Import]) -> str:
    return "\n".join(map(str, found))


@pytest.mark.parametrize("part", list(MAY_NOT))
def test_imports_go_one_way(part: str) -> None:
    """server → web → engine ← nodes; only the registry, which finds the nodes, asks for them when called."""
    wrong = [
        i
        for i in imports()
        if i.path.split("/")[0] == part and i.top in MAY_NOT[part]
        if (i.path, i.top, i.at_import) != ("engine/registry.py", "nodes", False)
    ]
    assert not wrong, listed(wrong)


def test_bands_of_the_engine_import_upwards_only() -> None:
    wrong = []
    for i in imports():
        here, there = Path(i.path).stem, i.module.removeprefix("engine.").partition(".")[0]
        if not i.path.startswith("engine/") or i.top != "engine" or "__init__" in i.path or there in ANYBODY:
            continue
        if there in BAND_OF and ORDER.index(BAND_OF[there]) > ORDER.index(BAND_OF.get(here, ORDER[-1])):
            wrong.append(i)
    assert not wrong, listed(wrong)


def test_every_module_of_the_engine_has_a_band() -> None:
    found = {Path(path).stem for path in modules() if path.startswith("engine/")} - {"__init__"}
    assert found <= set(BAND_OF), f"Give these a band: {sorted(found - set(BAND_OF))}"


def test_heavy_libraries_load_late() -> None:
    """At import only in nodes/_lib and tests; torch inside functions only where numbers are made or kept."""
    at_import = [i for i in imports() if i.top in HEAVY and i.at_import and not HEAVY_WITHIN.match(i.path)]
    torch = [i for i in imports() if i.top == "torch" and not i.at_import and not TORCH_WITHIN.match(i.path)]
    assert not at_import + torch, listed(at_import + torch)


def test_a_start_loads_no_heavy_library(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does reading every node module, as the server does for its palette."""
    code = (
        "import sys, json, time, pkgutil, importlib; began = time.process_time()\n"
        "import engine, nodes, web.app, server\n"
        "for m in pkgutil.iter_modules(nodes.__path__):\n"
        "    if not m.name.startswith('_'): importlib.import_module('nodes.' + m.name)\n"
        "print(json.dumps([time.process_time() - began, sorted(sys.modules)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, loaded = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\nimports of a start: {seconds:.2f} s CPU, {len(loaded)} modules")
    assert not HEAVY & set(loaded)


def test_no_module_frightens(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {path: text.count("\n") for path, text in modules().items() if text.strip()}
    largest = max(sizes, key=lambda path: sizes[path])
    with capsys.disabled():
        middle = statistics.median(sizes.values())
        print(f"\n{len(sizes)} modules, median {middle:.0f} lines, largest {largest} with {sizes[largest]}")
    assert {path: n for path, n in sizes.items() if n > LARGEST} == {}


def test_every_module_says_its_idea() -> None:
    trees = {path: ast.parse(text) for path, text in modules().items() if text.strip()}
    assert not [path for path, tree in trees.items() if not ast.get_docstring(tree)]


def test_no_file_knows_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files()
        if TEXT.fullmatch(path.suffix) and path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", ["docs/configuration.md", ".env.example"])
def test_every_setting_is_documented(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    variables = {PREFIX + name.upper() for name in msgspec.structs.asdict(Settings())}
    mentioned = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text)) - {PREFIX + "CONFIG"}
    assert mentioned == variables
