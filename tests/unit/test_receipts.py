"""Nodes that read and compare what files say of how they were made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import artifacts
from engine.errors import BadInput
from engine.types import Artifact, Image
from nodes.files import save_image
from nodes.receipts import compare_receipts, read_receipt

RECEIPT: dict[str, Any] = {
    "form": 1,
    "step": "save",
    "models": {"starter": "aa"},
    "seeds": {"draw.seed": 7},
    "environment": {"device": "cpu", "threads": 1},
    "steps": {"draw": {"node": "draw", "gave": "11", "values": {"seed": 7}}},
}


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[None]:
    with artifacts.using(artifacts.Folder(tmp_path / "store")):
        yield


def saved(inputs: dict[str, Any], receipt: dict[str, Any], metadata: Any = "full") -> Artifact:
    told = artifacts.origin.set({"inputs": inputs, "workflow": '{"tessera": 1}'})
    voucher = artifacts.voucher.set(lambda: json.dumps(receipt))
    try:
        return save_image(Image(np.zeros((8, 8, 3), np.uint8)), metadata=metadata)
    finally:
        artifacts.origin.reset(told)
        artifacts.voucher.reset(voucher)


def other() -> dict[str, Any]:
    steps = {"draw": {"node": "draw", "gave": "22", "values": {"seed": 8}}}
    return {**RECEIPT, "seeds": {"draw.seed": 8}, "models": {"starter": "bb"}, "steps": steps}


def test_a_receipt_is_read_out_of_its_file() -> None:
    found = read_receipt(saved({"seed": 7}, RECEIPT))
    assert (found.receipt, found.settings, found.workflow) == (RECEIPT, {"seed": 7}, '{"tessera": 1}')
    assert found.look == read_receipt(saved({}, {}, "none")).look
    silent = read_receipt(saved({}, {}, "none"))
    assert (silent.receipt, silent.settings, silent.workflow) == (None, {}, "")


def test_two_files_are_told_apart_by_causes_first() -> None:
    found = compare_receipts(saved({"seed": 7}, RECEIPT), saved({"seed": 8}, other()))
    assert not found.equal
    assert found.text == 'inputs.seed: 7 / 8\nmodels.starter: "aa" / "bb"'
    fields = [difference["field"] for difference in json.loads(json.dumps(found.differences))]
    assert fields[-1] == "gave.draw"
    same = compare_receipts(saved({"seed": 7}, RECEIPT), saved({"seed": 7}, RECEIPT))
    assert (same.equal, same.text, same.differences) == (True, "The receipts say the same.", [])


def test_files_of_which_only_the_inputs_are_known_are_compared_by_these() -> None:
    found = compare_receipts(saved({"seed": 7}, {}, "params"), saved({"seed": 8}, {}, "params"))
    assert found.text == "inputs.seed: 7 / 8"


def test_long_differences_are_cut_to_the_lines_there_are() -> None:
    inputs = {f"n{i}": i for i in range(9)}
    found = compare_receipts(saved(inputs, {}), saved({}, {"form": 1}), lines=4)
    assert found.text.splitlines()[3:] == ["and 6 more"]


def test_a_file_without_a_word_is_refused() -> None:
    with pytest.raises(BadInput, match=r"second.*a file without a word.*full"):
        compare_receipts(saved({"seed": 7}, RECEIPT), saved({}, {}, "none"))
