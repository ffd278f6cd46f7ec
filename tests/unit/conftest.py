"""What a test of a model node has around it: a folder of tiny models, and nodes that find only those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import memory, models
from engine.machine import prepare
from engine.memory import Residency
from engine.models import Models
from engine.registry import Registry

if TYPE_CHECKING:
    from nodes.load import Loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a tiny Stable Diffusion. A file of tests adds to it, or makes one of its own."""
    from tests import tiny  # most tests here need no torch

    top = tmp_path_factory.mktemp("models")
    tiny.diffusers_folder(top / "diffusers" / "tiny")
    return top


@pytest.fixture
def residency(folder: Path) -> Iterator[Residency]:
    """Nodes find the models of the folder alone, and keep here what they load."""
    prepare()
    found = Models([folder], hub=folder / "hub")
    held = Residency(Registry.core().loaders, found, dtype="float32")
    tokens = models.current.set(found), memory.current.set(held)
    yield held
    models.current.reset(tokens[0])
    memory.current.reset(tokens[1])


@pytest.fixture
def model(residency: Residency) -> Loaded:
    """The tiny model of the folder, as its node loads it."""
    from nodes.load import load_model

    return load_model("tiny")
