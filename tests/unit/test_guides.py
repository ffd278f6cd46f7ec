"""What the guides show runs as they show it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from engine.canonical import canonical
from engine.config import ROOT
from engine.planner import Planner
from engine.registry import Registry
from engine.workflow import parse, read
from nodes import flow, maths, words

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall((DOCS / page).read_text("utf-8")) if kind == language]


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An empty module that the blocks of one page are run in, one after another."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("guide_to_nodes")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_every_block_of_the_guide_to_nodes_runs(guide: ModuleType) -> None:
    code = blocks("writing-nodes.md", "python")
    assert len(code) > 10
    for number, block in enumerate(code, 1):
        exec(compile(block, f"writing-nodes.md, block {number}", "exec"), guide.__dict__)
    registry = Registry.of([guide])
    assert {"fade", "halve", "first_that_works", "depth_as_mask"} <= set(registry.nodes)


@pytest.mark.parametrize("document", blocks("workflow-format.md", "json"))
def test_every_document_of_the_format_page_is_canonical_and_has_a_plan(document: str) -> None:
    assert canonical(read(document)).decode() == document
    plan = Planner(Registry.of([maths, words, flow])).plan(parse(document))
    assert plan.warnings == ()
    assert len(plan.types) == 1
