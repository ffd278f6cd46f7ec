"""Packs are found, described at arm's length, imported, and imported anew when saved."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import packs
from engine.packs import Packs
from engine.registry import Failed, Pack

NODE = '''
from engine.node import node

@node(category="test")
def number(a: int = 1) -> int:
    """A number."""
    return {}
'''
GOOD = NODE.format("a + 1")


@pytest.fixture(autouse=True)
def _forget_packs() -> Iterator[None]:
    before = set(sys.modules)
    path = list(getattr(sys.modules.get("custom_nodes"), "__path__", ()))
    yield
    for name in set(sys.modules) - before:
        if name.startswith("custom_nodes"):
            del sys.modules[name]
    if "custom_nodes" in sys.modules:
        sys.modules["custom_nodes"].__path__ = path


def write(folder: Path, name: str, text: str = GOOD) -> Path:
    """A file of a pack; the pack itself is answered."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return folder / Path(name).parts[0]


def call(pack: Pack | Failed, *args: Any) -> Any:
    assert isinstance(pack, Pack), pack
    declared = pack.entries[0].declared
    assert declared is not None
    return declared.run(*args)


async def reason(path: Path, limit: float = packs.LIMIT) -> str:
    found = await packs.describe(path, limit)
    assert isinstance(found, Failed), found
    assert "\n" not in found.reason
    assert str(path.parent) not in found.reason
    return found.reason


def test_packs_are_folders_with_an_init_and_single_files(tmp_path: Path) -> None:
    for name in ("b/__init__.py", "a.py", ".hidden/__init__.py", "_private.py", "notes/README.md", "x.txt"):
        write(tmp_path, name)
    assert [path.name for path in packs.find(tmp_path)] == ["a.py", "b"]
    assert packs.locate(tmp_path, "a") == tmp_path / "a.py"
    assert packs.locate(tmp_path, "notes") is None
    assert packs.find(tmp_path / "nowhere") == []


async def test_a_pack_is_described_without_importing_it_here(tmp_path: Path) -> None:
    found = await packs.describe(write(tmp_path, "untouched/__init__.py"))
    assert isinstance(found, Pack), found
    (entry,) = found.entries
    assert (entry.spec.id, entry.pack, entry.declared) == ("untouched/number", "untouched", None)
    assert entry.epoch == found.epoch == packs.source_digest(tmp_path / "untouched")
    assert entry.spec.inputs[0].default == 1
    assert "custom_nodes.untouched" not in sys.modules


async def test_a_pack_that_prints_does_no_harm(tmp_path: Path) -> None:
    noisy = "import os\nprint('x' * 100_000)\nos.write(1, b'y' * 100_000)\n" + GOOD
    assert isinstance(await packs.describe(write(tmp_path, "noisy.py", noisy)), Pack)


async def test_a_pack_that_leaves_a_thread_running_does_no_harm(tmp_path: Path) -> None:
    busy = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + GOOD
    assert isinstance(await packs.describe(write(tmp_path, "busy.py", busy)), Pack)


async def test_a_pack_that_raises_says_what_and_where(tmp_path: Path) -> None:
    write(tmp_path, "mine/deep/__init__.py", "def go():\n    raise ValueError('no\\nluck')\ngo()\n")
    path = write(tmp_path, "mine/__init__.py", "\nfrom . import deep\n")
    assert await reason(path) == "ValueError: no luck (mine/deep/__init__.py:2)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = (", "SyntaxError: '(' was never closed"),
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("raise SystemExit(3)", "SystemExit: 3 (bad.py:1)"),
        ("raise KeyError", "KeyError (bad.py:1)"),
        ("open('/very/private/place/file.bin')", "No such file or directory: 'file.bin' (bad.py:1)"),
        ("x = 1", "It has no nodes. __init__.py must import"),
        (GOOD.replace('"""A number."""', ""), "bad:4, node 'number': it has no docstring"),
        (
            GOOD + GOOD.replace("def number", "def other").replace('"test"', '"test", id="number"'),
            "Two nodes",
        ),
        ("import os; os._exit(0)", "ended with exit code 0"),
        ("import os; os._exit(7)", "ended with exit code 7"),
        ("input()", "EOFError"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
async def test_a_pack_that_cannot_be_imported_is_told_apart(tmp_path: Path, text: str, says: str) -> None:
    assert says in await reason(write(tmp_path, "bad.py", text))


async def test_a_pack_that_crashes_python_is_named(tmp_path: Path) -> None:
    crash = "import ctypes\nctypes.string_at(0)\n"
    assert "crashed with SIGSEGV" in await reason(write(tmp_path, "crash.py", crash))


async def test_a_pack_that_writes_over_its_description_is_named(tmp_path: Path) -> None:
    text = "import os\nfor n in range(3, 64):\n    try: os.write(n, b'junk')\n    except OSError: pass\n"
    assert "wrote over" in await reason(write(tmp_path, "junk.py", text + GOOD))


async def test_a_pack_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    text = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path(__file__).with_name("child.txt").write_text(str(child.pid))
time.sleep(600)
"""
    path = write(tmp_path, "hang/__init__.py", text)
    begun = time.monotonic()
    assert await reason(path, limit=3) == "importing it took longer than 3 s"
    assert time.monotonic() - begun < 10
    assert not alive(int((path / "child.txt").read_text()))


def alive(pid: int) -> bool:
    """Whether it still runs after a moment; a killed orphan may stay a zombie where nobody reaps."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("name", ["group", "flow", "two words", "1st", "bad-name", "größe"])
async def test_some_names_are_refused_without_importing_anything(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"{name}/__init__.py", "raise RuntimeError('imported')")
    assert "name" in await reason(path)
    assert "imported" not in await reason(path)
    assert isinstance(packs.load(path), Failed)


async def test_a_file_and_a_folder_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, "mine.py")
    write(tmp_path, "mine/__init__.py")
    folder, file = await Packs(tmp_path).described()
    assert isinstance(folder, Pack)
    assert isinstance(file, Failed)
    assert "two packs" in file.reason


def test_a_loaded_pack_runs(tmp_path: Path) -> None:
    write(tmp_path, "mine/parts.py")
    path = write(tmp_path, "mine/__init__.py", "from .parts import number\n")
    pack = packs.load(path)
    assert call(pack, 4) == 5
    assert packs.load(path) is pack


def test_a_saved_file_gives_the_new_code(tmp_path: Path) -> None:
    write(tmp_path, "mine/parts.py")
    path = write(tmp_path, "mine/__init__.py", "from .parts import number\n")
    old = packs.load(path)
    write(tmp_path, "mine/parts.py", NODE.format("a + 2"))  # as long as before, in the same second
    new = packs.load(path)
    assert (call(old, 4), call(new, 4)) == (5, 6)
    assert isinstance(old, Pack)
    assert isinstance(new, Pack)
    assert old.epoch != new.epoch


def test_a_pack_broken_and_mended_loads_again(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.py", "raise ValueError('not yet')")
    assert packs.load(path) == Failed("mine", "ValueError: not yet (mine.py:1)")
    write(tmp_path, "mine.py")
    assert call(packs.load(path), 1) == 2


def test_classes_of_a_pack_carry_its_name(tmp_path: Path) -> None:
    text = (
        "from engine.types import Value\n"
        "class Depth(Value, frozen=True):\n    level: int\n" + GOOD.replace("a: int = 1", "a: Depth")
    )
    pack = packs.load(write(tmp_path, "mine.py", text))
    assert isinstance(pack, Pack)
    assert set(pack.classes) == {"mine/Depth"}


def test_two_packs_may_use_each_others_modules(tmp_path: Path) -> None:
    write(tmp_path, "tools/__init__.py")
    path = write(tmp_path, "mine.py", "from custom_nodes.tools import number as other\n" + GOOD)
    pack = packs.load(path)
    assert isinstance(pack, Pack), pack
    assert [entry.spec.id for entry in pack.entries] == ["mine/number"]


def test_the_digest_follows_what_a_node_is_made_of(tmp_path: Path) -> None:
    path = write(tmp_path, "mine/__init__.py")
    digests = [packs.source_digest(path)]
    for name in ("mine/parts.py", "mine/table.json", "mine/sub/deep.py"):
        write(tmp_path, name, "1")
        digests.append(packs.source_digest(path))
    (path / "parts.py").rename(path / "other.py")
    digests.append(packs.source_digest(path))
    assert len(set(digests)) == 5
    for name in (
        "mine/README.md",
        "mine/tests/x.py",
        "mine/test_x.py",
        "mine/.git/x",
        "mine/__pycache__/x.pyc",
    ):
        write(tmp_path, name, "1")
    assert packs.source_digest(path) == digests[-1]


async def test_a_pack_is_described_again_only_when_it_changes(tmp_path: Path) -> None:
    note = "with Path(__file__).parent.with_name('log').open('a') as f: f.write('x')"
    count = f"from pathlib import Path\n{note}\n"
    folder, log = tmp_path / "packs", tmp_path / "packs" / "log"
    write(folder, "good/__init__.py", count + GOOD)
    write(folder, "bad/__init__.py", count + "raise ValueError")
    known = Packs(folder)
    first = await known.described()
    assert await known.described() == first
    assert log.read_text() == "xx"
    write(folder, "good/__init__.py", count + NODE.format("0"))
    second = await known.described()
    assert log.read_text() == "xxx"
    assert second[0] == first[0]
    assert second[1] != first[1]


async def test_descriptions_outlive_the_process_but_failures_are_tried_again(tmp_path: Path) -> None:
    folder, file = tmp_path / "packs", tmp_path / "packs.msgpack"
    write(folder, "good.py", "import os\nif 'BROKEN' in os.environ: raise ValueError\n" + GOOD)
    write(folder, "bad.py", "import os\nif 'BROKEN' not in os.environ: raise ValueError\n" + GOOD)
    bad, good = await Packs(folder, file).described()
    assert isinstance(bad, Failed)
    assert isinstance(good, Pack)
    os.environ["BROKEN"] = "1"
    try:
        again = await Packs(folder, file).described()
    finally:
        del os.environ["BROKEN"]
    assert again[1] == good
    assert isinstance(again[0], Pack)
    file.write_bytes(b"damaged")
    assert (await Packs(folder, file).described())[1] == good


async def test_a_pack_that_is_removed_is_forgotten(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.py")
    known = Packs(tmp_path)
    assert len(await known.described()) == 1
    path.unlink()
    assert await known.described() == ()


async def test_saving_a_file_of_a_pack_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, "mine/__init__.py")
    seen: asyncio.Queue[set[str]] = asyncio.Queue()
    task = asyncio.create_task(packs.watch(tmp_path, seen.put))
    try:
        for attempt in range(50):  # until the watch stands
            write(path, "parts.py", f"x = {attempt}")
            try:
                assert await asyncio.wait_for(seen.get(), 0.5) == {"mine"}
                break
            except TimeoutError:
                continue
        else:
            pytest.fail("nobody noticed")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
