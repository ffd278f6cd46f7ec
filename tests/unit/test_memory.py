"""Weights come into memory once, stay while they are used, and go when others need the room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import MissingModel, OutOfMemory
from engine.memory import Residency, loader
from engine.models import ModelFile, Models
from engine.types import Model, Vae
from nodes._lib.net import Net

NUMBERS = 1000
SIZE = NUMBERS * 4
"""Bytes of one model here, in float32."""


class Weights(Net):
    def __init__(self, numbers: torch.Tensor) -> None:
        super().__init__()
        self.numbers = torch.nn.Parameter(numbers, requires_grad=False)


@loader(Vae, "tiny")
def load_tiny(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    return Weights(load_file(file.path)["numbers"].to(getattr(torch, dtype)))


@loader(Vae, "slow")
def load_slowly(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    time.sleep(0.05)
    return load_tiny(file, ref, device, dtype)


@loader(Vae, "slowish")
def load_rather_slowly(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    time.sleep(0.005)
    return load_tiny(file, ref, device, dtype)


@loader(Vae, "broken")
def load_nothing(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    raise RuntimeError("broken")


@loader(Vae, "swollen")
def load_more_than_promised(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    return Weights(torch.zeros(NUMBERS * 100))


LOADERS = (load_tiny, load_slowly, load_rather_slowly, load_nothing, load_more_than_promised)
Make = Callable[..., Residency]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "vae").mkdir()
    (tmp_path / "checkpoints").mkdir()
    for index in range(4):
        file = tmp_path / "checkpoints" / f"m{index}.safetensors"
        save_file({"numbers": torch.full((NUMBERS,), float(index))}, file)
    return tmp_path


@pytest.fixture
def make(top: Path) -> Make:
    models = Models([top], hub=top / "hub")
    return lambda limit=10 * SIZE: Residency(LOADERS, models, limit_bytes=limit)


def ref(residency: Residency, index: int, family: str = "tiny", dtype: str = "auto") -> Vae:
    found = residency.models.find(f"m{index}")
    return Vae(found.name, family, residency.models.sha256(found), found.bytes, dtype)


def names(residency: Residency) -> set[str]:
    return {held.name for held in residency.held()}


def test_the_same_weights_are_loaded_once(make: Make) -> None:
    residency = make()
    with residency.hold(ref(residency, 1)) as first:
        assert float(first.numbers[0]) == 1
        assert [held.pins for held in residency.held()] == [1]
    with residency.hold(ref(residency, 1)) as second:
        assert second is first
    assert (residency.loads, residency.bytes) == (1, SIZE)


def test_another_number_format_is_another_thing(make: Make) -> None:
    residency = make()
    with residency.hold(ref(residency, 1)), residency.hold(ref(residency, 1, dtype="bfloat16")) as half:
        assert half.numbers.dtype == torch.bfloat16
    assert residency.bytes == SIZE + SIZE // 2


def test_many_threads_share_one_load(make: Make) -> None:
    residency = make()
    wanted = ref(residency, 1, "slow")
    got: list[object] = []

    def use() -> None:
        with residency.hold(wanted) as value:
            got.append(value)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, got))) == 1
    assert (len(got), residency.loads) == (8, 1)


def test_the_cap_is_kept_by_dropping_what_is_not_in_use(make: Make) -> None:
    residency = make(2 * SIZE)
    with residency.hold(ref(residency, 0)):
        for index in (1, 2, 3):
            with residency.hold(ref(residency, index)):
                assert residency.bytes <= 2 * SIZE
        assert "m0" in names(residency)
    assert residency.loads == 4


def test_what_is_costly_to_load_stays_longer_than_what_is_cheap(make: Make) -> None:
    residency = make(2 * SIZE)
    for index, family in ((0, "slow"), (1, "tiny"), (2, "tiny"), (3, "tiny")):
        with residency.hold(ref(residency, index, family)):
            pass
    assert names(residency) == {"m0", "m3"}


def test_what_is_not_used_any_more_goes_at_last_however_costly(make: Make) -> None:
    residency = make(2 * SIZE)
    with residency.hold(ref(residency, 0, "slowish")):
        pass
    for _ in range(300):
        for index in (1, 2, 3):
            with residency.hold(ref(residency, index)):
                pass
        if "m0" not in names(residency):
            return
    pytest.fail("the costly one was kept for ever")


def test_what_cannot_fit_is_out_of_memory_with_figures(make: Make) -> None:
    residency = make(SIZE + 10)
    with (
        residency.hold(ref(residency, 0)),
        pytest.raises(OutOfMemory) as caught,
        residency.hold(ref(residency, 1)),
    ):
        pass
    assert (caught.value.needed, caught.value.free) == (SIZE, 10)
    assert names(residency) == {"m0"}
    with residency.hold(ref(residency, 1)):
        assert names(residency) == {"m1"}


def test_weights_larger_than_their_file_said_are_not_kept(make: Make) -> None:
    residency = make(2 * SIZE)
    with pytest.raises(OutOfMemory), residency.hold(ref(residency, 0, "swollen")):
        pass
    assert (residency.bytes, residency.held()) == (0, [])


def test_a_failed_load_leaves_nothing_behind_and_may_be_tried_again(make: Make) -> None:
    residency = make()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"), residency.hold(ref(residency, 0, "broken")):
            pass
    assert residency.bytes == 0


def test_eviction_takes_one_or_all_but_never_what_is_in_use(make: Make) -> None:
    residency = make()
    for index in (1, 2, 3):
        with residency.hold(ref(residency, index)):
            pass
    with residency.hold(ref(residency, 0)):
        assert residency.evict() == SIZE
        assert len(residency.held()) == 3
        assert residency.evict(all=True) == 2 * SIZE
        assert names(residency) == {"m0"}
        assert residency.evict() == 0


def test_a_family_that_nobody_loads_is_said(make: Make) -> None:
    residency = make()
    with (
        pytest.raises(MissingModel, match="Vae of family 'unknown'"),
        residency.hold(ref(residency, 0, "unknown")),
    ):
        pass


def test_a_model_whose_content_differs_is_not_loaded(make: Make) -> None:
    residency = make()
    with pytest.raises(MissingModel, match="changed"), residency.hold(Vae("m0", "tiny", "0" * 64)):
        pass
