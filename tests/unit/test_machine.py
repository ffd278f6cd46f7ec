"""What is said of this machine is true of it, and what changes numbers is in the epoch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as onnx

from engine.errors import OutOfMemory
from engine.machine import dtype_on, environment, epoch, is_out_of_memory


def test_a_cpu_never_computes_in_float16() -> None:
    assert [dtype_on("cpu", kind) for kind in ("auto", "float16", "bfloat16")] == [
        "float32",
        "float32",
        "bfloat16",
    ]
    assert [dtype_on("cuda", kind) for kind in ("auto", "float32")] == ["float16", "float32"]


def test_every_kind_of_memory_running_out_is_recognised() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(OutOfMemory())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    with pytest.raises(cv2.error) as refused:
        cv2.resize(np.zeros((2, 2), np.uint8), (2_000_000, 2_000_000))
    assert is_out_of_memory(refused.value)
    failed = onnx.RuntimeException("Failed to allocate memory for requested buffer of size 9")
    assert is_out_of_memory(failed)
    assert not is_out_of_memory(onnx.RuntimeException("Non-zero status code"))


def test_the_epoch_names_what_changes_numbers() -> None:
    assert epoch("cpu") == epoch("cpu", "float32") == epoch("cpu", "float16")
    assert len({epoch("cpu"), epoch("cuda"), epoch("cpu", "bfloat16")}) == 3
    assert "torch 2." in epoch("cpu")


def test_the_environment_is_for_the_receipt() -> None:
    found = environment("cpu")
    assert found["device"] == "cpu"
    assert str(found["torch"]).startswith("2.")
