"""Type checkers see a node as the function it is: wrong calls are reported, results are exact."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config import ROOT

CALLS = '''
from __future__ import annotations
from typing import Literal, NamedTuple, reveal_type
from engine.context import SILENT, Answer, Context, nobody
from engine.node import conversion, node
from engine.types import Image, Latent, Lazy, Mask, Seed, Steps, T
from nodes import flow, maths

class Sampled(NamedTuple):
    latent: Latent
    seed: Seed

@node(category="test", lane="gpu")
def sample(
    start: Latent,
    mask: Mask | None = None,
    steps: Steps = 20,
    method: Literal["euler", "heun"] = "euler",
    ctx: Context = SILENT,
) -> Sampled:
    """Sample."""
    return Sampled(start, steps)

@node(category="test")
async def either(flag: bool, value: Lazy[T], ask: Answer = nobody) -> list[T]:
    """Await it."""
    return [await value()]

@conversion
def mask_image(mask: Mask) -> Image:
    """Grey."""
    return Image(mask.pixels)

async def right(start: Latent, mask: Mask, image: Image) -> None:
    async def later() -> Image:
        return image

    reveal_type(mask_image)         # R (mask: Mask) -> Image
    reveal_type(sample(start))      # R Sampled
    reveal_type(sample(start).seed)  # R int
    reveal_type(sample(start, mask, steps=5, method="heun").latent)  # R Latent
    reveal_type(mask_image(mask))   # R Image
    reveal_type(await either(True, later))  # R list[Image]
    reveal_type(maths.add(1, 2.5))  # R float
    reveal_type(await flow.choose(True, later, later))  # R Image

async def wrong(start: Latent, mask: Mask, image: Image) -> None:
    sample()                        # E a required input is missing
    sample(image)                   # E an image is no latent
    sample(start, image)            # E nor a mask
    sample(start, steps="20")       # E a word is no number
    sample(start, method="magic")   # E not on the menu
    sample(start, stesp=3)          # E misspelt
    sample(start, None, 5, "heun", SILENT, 7)  # E one too many
    sample(start).picture           # E no such output
    sample(start).seed.upper()      # E a number has no case
    await either(True, image)       # E a value is no piece of graph
    mask_image(image)               # E the wrong way round
    maths.add("1", 2)               # E text is not added
    maths.add(1)                    # E half a sum
    mask = mask_image(mask)         # E an image is no mask

@node(category="test", kind="magic")  # E no such kind
def kinds() -> None:
    """No kind."""

@node(version=2)                    # E a category is needed
def nowhere() -> None:
    """No category."""
'''.lstrip()


def marked(mark: str) -> dict[int, str]:
    """What follows a mark, by line."""
    found = (re.search(rf"# {mark} (.*)", line) for line in CALLS.splitlines())
    return {line: match[1] for line, match in enumerate(found, 1) if match}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("typed") / "calls.py"
    file.write_text(CALLS, "utf-8")
    return file


def checked(*command: str) -> str:
    surroundings = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # it found errors, and did not fail itself
    return done.stdout


def test_mypy_sees_every_call_exactly(calls: Path) -> None:
    said = checked("mypy", "--no-error-summary", str(calls))
    assert {int(line) for line in re.findall(r"calls\.py:(\d+): error", said)} == set(marked("E")), said
    types = re.findall(r'calls\.py:(\d+): note: Revealed type is "(.*)"', said)
    assert {int(line): short(text) for line, text in types} == marked("R")


def short(text: str) -> str:
    """A type as mypy writes it, without modules and inner workings."""
    named_tuples = re.sub(r"tuple\[.*fallback=([\w.]+)\]", r"\1", text)
    return re.sub(r"\b(\w+\.)+", "", named_tuples).removeprefix("def ")


def test_pyright_sees_every_call_exactly(calls: Path) -> None:
    said = json.loads(checked("basedpyright", "--outputjson", str(calls)))["generalDiagnostics"]
    lines = [(found["range"]["start"]["line"] + 1, found["severity"], found["message"]) for found in said]
    assert {line for line, severity, _ in lines if severity == "error"} == set(marked("E")), lines
    types = {line: text for line, severity, text in lines if severity == "information"}
    assert {line: text.split(" is ", 1)[1].strip('"') for line, text in types.items()} == marked("R")
