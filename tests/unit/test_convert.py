"""Pickles become safetensors bit for bit, or are refused with the reason."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.convert import beside, convert
from engine.errors import Conflict, UnsafeModel
from nodes._lib.unpickling import Refused, load, separate, weights

TENSORS = {
    "half": torch.tensor([1.5, float("nan"), float("-inf"), -0.0]).half(),
    "bfloat": torch.randn(3).bfloat16(),
    "whole": torch.arange(4),
    "view": torch.randn(10, 10)[::2, 1:],
    "empty": torch.zeros(0, 3),
    "weight": torch.randn(3, 4),
}


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.system, (f"echo > {self.mark}",))


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().flatten().view(torch.uint8).numpy())


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_the_bits_of_every_tensor_are_kept(tmp_path: Path, new: bool) -> None:
    tied = {**TENSORS, "tied": TENSORS["weight"]}
    torch.save({"state_dict": tied, "epoch": 3, "optimizer": {"lr": 1}}, tmp_path / "old.ckpt",
               _use_new_zipfile_serialization=new)  # fmt: skip
    done = convert(tmp_path / "old.ckpt", tmp_path / "new.safetensors")
    found = load_file(tmp_path / "new.safetensors")
    assert (done.tensors, done.left) == (len(tied), ["epoch", "optimizer"])
    assert found.keys() == tied.keys()
    for name, tensor in tied.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor)
    assert {path.name for path in tmp_path.iterdir()} == {"old.ckpt", "new.safetensors"}


def test_a_file_that_would_run_code_runs_none_and_leaves_nothing(tmp_path: Path) -> None:
    torch.save({"state_dict": TENSORS, "x": Evil(tmp_path / "mark")}, tmp_path / "evil.pt")
    with pytest.raises(UnsafeModel, match=r"holds also \w+\.system, which could run code"):
        convert(tmp_path / "evil.pt", tmp_path / "evil.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"evil.pt"}


def test_memory_is_limited(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(60_000_000)}, tmp_path / "large.pt")
    with pytest.raises(UnsafeModel, match="memory"):
        convert(tmp_path / "large.pt", tmp_path / "out.safetensors", {"memory": 50_000_000})


def test_time_is_limited(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "slow.pt")
    with pytest.raises(UnsafeModel, match="seconds"):
        convert(tmp_path / "slow.pt", tmp_path / "out.safetensors", {"seconds": 0.01})
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("wrapping", ["state_dict", "params_ema", "params"])
def test_what_training_programs_wrap_weights_in_is_taken_off(wrapping: str) -> None:
    tensors, left = weights({"iter": 5, wrapping: {"a": TENSORS["weight"], "step": 1}})
    assert list(tensors) == ["a"]
    assert sorted(left) == ["iter", "step"]


def test_of_two_sets_of_weights_the_averaged_ones_are_taken() -> None:
    other = torch.zeros(1)
    tensors, left = weights({"params": {"a": other}, "params_ema": {"a": TENSORS["weight"]}})
    assert tensors["a"] is TENSORS["weight"]
    assert left == ["params"]


def test_nested_names_are_joined_as_their_safetensors_have_them() -> None:
    found = {"image_proj": {"proj.weight": torch.ones(1)}, "ip_adapter": {"1.to_k_ip.weight": torch.ones(2)}}
    assert set(weights(found)[0]) == {"image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"}


def test_a_textual_inversion_gets_the_name_it_has_in_safetensors() -> None:
    vectors = torch.randn(2, 8)
    found = {"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": "cat", "step": 9}
    tensors, _ = weights(found)
    assert torch.equal(tensors["emb_params"], vectors)


@pytest.mark.parametrize("found", [[1], torch.ones(1), {}, {"a": 1}, {"state_dict": {"a": "b"}}])
def test_what_holds_no_named_tensors_is_refused(found: object) -> None:
    with pytest.raises(Refused):
        weights(found)


def test_sparse_tensors_are_refused() -> None:
    with pytest.raises(Refused, match="a is not a plain tensor"):
        separate({"a": torch.eye(3).to_sparse()})


def test_a_plain_pickle_is_not_called(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(pickle.dumps(Evil(tmp_path / "mark"), protocol=2))
    with pytest.raises(Refused, match="could run code"):
        load(tmp_path / "x.bin")
    assert not (tmp_path / "mark").exists()


def test_the_converted_file_lies_beside_and_overwrites_nothing(tmp_path: Path) -> None:
    assert beside(tmp_path / "a.ckpt") == tmp_path / "a.safetensors"
    assert beside(tmp_path / "a.ckpt", tmp_path / "b") == tmp_path / "b.safetensors"
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(Conflict, match="there already"):
        beside(tmp_path / "a.ckpt")
    with pytest.raises(UnsafeModel, match="no pickle by its name"):
        beside(tmp_path / "a.txt")
