"""The documentation is true: its code runs, its links lead somewhere, nothing is left out."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.config import ROOT
from engine.registry import Registry

ADDRESS = "127.0.0.1:8188"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WORKFLOWS = sorted((ROOT / "workflows").rglob("*.json"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A piece of code on a page."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in FENCE.finditer(text)]


README = blocks(ROOT / "README.md")
MAKE_RUN = next(b for b in README if b.code == "make run\n")
MAKE_TEST = next(b for b in README if b.code == "make test\n")
SHELL = [b for b in README if b.language == "bash" and b not in (MAKE_RUN, MAKE_TEST)]
PYTHON = [b for b in README if b.language == "python"]
JSON = [b for page in PAGES for b in blocks(page) if b.language == "json"]


class Clone(NamedTuple):
    """What a reader has after cloning and setting up, without installing everything again."""

    folder: Path
    address: str
    environment: dict[str, str]

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """The project in a folder of its own, its server started as the README says."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in ROOT.iterdir():
        if entry.name not in (".venv", ".git", ".env", "data", "tessera.toml"):
            (folder / entry.name).symlink_to(entry)
    scripts = folder / ".venv" / "bin"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "requirements.lock", folder / ".venv")
    (scripts / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (scripts / "python").chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    environment = {**clean, "TESSERA_PORT": "0", "PYTHONPATH": str(ROOT)}
    command = ["bash", "-euc", MAKE_RUN.code]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            yield Clone(folder, address_of(server), environment)
        finally:
            os.killpg(server.pid, signal.SIGINT)  # as a terminal does: to make and to the server


def address_of(server: subprocess.Popen[str]) -> str:
    """Where the server says that it is."""
    said = []
    for line in server.stdout or ():
        if found := re.search(r"Tessera is at http://(\S+)", line):
            return found[1]
        said.append(line)
    raise AssertionError(f"the server did not start: {said}")


@pytest.mark.model
@pytest.mark.parametrize("block", SHELL, ids=str)
def test_the_readmes_commands_work(block: Block, clone: Clone) -> None:
    before = set(clone.folder.iterdir())
    said = clone.run(["bash", "-euc", block.code.replace(ADDRESS, clone.address)])
    made = {path for path in clone.folder.iterdir() if path.suffix == ".png"} - before
    assert made or json.loads(said)["state"] == "done"


@pytest.mark.model
@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_the_readmes_python_works(block: Block, clone: Clone) -> None:
    clone.run([sys.executable, "-c", block.code.replace(ADDRESS, clone.address)])


@pytest.mark.parametrize("block", [b for b in README if b.language == "json"], ids=str)
def test_the_readmes_workflows_are_valid(block: Block, clone: Clone) -> None:
    (clone.folder / "document.json").write_text(block.code, "utf-8")
    clone.run([sys.executable, "server.py", "validate", "document.json"])


def test_every_block_of_the_readme_is_of_a_kind_that_is_run() -> None:
    assert {b.language for b in README} == {"bash", "python", "json"}
    assert len(SHELL) + len(PYTHON) + 2 == len([b for b in README if b.language != "json"])


@pytest.mark.parametrize("target", ["test", "setup", "check", "bench", "soak", "lock", "clean"])
def test_the_makefile_has_what_the_pages_name(target: str) -> None:
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_on_a_page_is_json(block: Block) -> None:
    assert json.loads(block.code) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if link.startswith(("http://", "https://")):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    names = [page.name for page in PAGES if page.parent.name == "docs" and page.name != "README.md"]
    assert [name for name in names if f"]({name})" not in index] == []


def test_every_workflow_is_in_the_docs() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [file.stem for file in WORKFLOWS if f"`{file.stem}`" not in text] == []


def test_every_node_has_help_and_an_example() -> None:
    """Help is what the author wrote; an example is a shipped workflow or a page that shows the node."""
    text = "".join(file.read_text("utf-8") for file in [*WORKFLOWS, *PAGES])
    nodes = Registry.core().nodes.values()
    assert nodes
    assert [entry.spec.id for entry in nodes if len(entry.spec.help) < 15] == []
    shown = {found[1] or found[2] for found in re.finditer(r'"node": *"([\w/-]+)"|`([\w/-]+)`', text)}
    assert [entry.spec.id for entry in nodes if entry.spec.id not in shown and not entry.spec.converts] == []


def test_every_command_is_in_the_docs() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    command = [sys.executable, "server.py", "--help"]
    help = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^    (\w+) ", help, re.MULTILINE)
    assert len(commands) == 10
    assert [command for command in commands if f"server.py {command}" not in text] == []
