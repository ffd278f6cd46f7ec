"""The doctor finds what is wrong, and has one remedy for it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from engine import doctor
from engine.config import ROOT, Settings
from engine.doctor import Torch

GPU_BUILD = Torch(version="2.14.1+cu130", cuda="13.0", devices=["cpu"])
CPU_BUILD = Torch(version="2.14.1+cpu", devices=["cpu"])


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose driver tool tells of one card with driver 550."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '550.54.15, NVIDIA H200'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tool


def test_a_cpu_build_beside_a_card_is_told(card: Path) -> None:
    found = doctor.graphics(CPU_BUILD, "auto")
    assert (found.state, "NVIDIA H200" in found.found) == ("bad", True)
    assert "CUDA build" in found.remedy


def test_a_driver_too_old_for_the_build_is_told_with_the_one_it_needs(card: Path) -> None:
    found = doctor.graphics(GPU_BUILD, "auto")
    assert found.state == "bad"
    assert "580" in found.remedy


def test_a_card_that_torch_uses_is_well(card: Path) -> None:
    working = Torch(version="2.14.1", cuda="13.0", devices=["cpu", "cuda"])
    assert doctor.graphics(working, "auto").state == "ok"


def test_a_card_that_this_build_cannot_compute_on_is_told_with_what_torch_said(card: Path) -> None:
    broken = Torch(version="2.14.1", cuda="13.0", devices=["cpu"], problems={"cuda": "no kernel image"})
    assert "no kernel image" in doctor.graphics(broken, "auto").found


def test_a_configured_device_that_is_not_there_is_told() -> None:
    found = doctor.graphics(CPU_BUILD, "xpu")
    assert (found.state, "TESSERA_DEVICE=auto" in found.remedy) == ("bad", True)


def test_a_library_that_misses_a_system_library_gets_the_command_that_installs_it() -> None:
    said = "libGL.so.1: cannot open shared object file: No such file or directory"
    (found,) = doctor.libraries(Torch(problems={"cv2": said}))
    assert "apt-get install libgl1" in found.remedy


def test_the_installed_versions_are_the_locked_ones() -> None:
    (found,) = doctor.packages()
    assert found.state == "ok"


def test_a_port_in_use_is_told_with_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = doctor.port(Settings(port=port, data=Path("nowhere")))
    assert (found.state, f"--port {port + 1}" in found.remedy) == ("bad", True)
    assert doctor.port(Settings(port=port, data=Path("nowhere"))).state == "ok"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (found, *_) = doctor.data_folder(Settings(data=tmp_path / "data", disk_reserve=2**60))
    assert (found.state, "--data" in found.remedy) == ("bad", True)
    assert not (tmp_path / "data").exists()


def test_an_open_address_needs_a_token() -> None:
    assert doctor.address(Settings(host="0.0.0.0")).state == "bad"
    assert doctor.address(Settings(host="0.0.0.0", token="x")).state == "ok"
    assert doctor.address(Settings()).state == "ok"


def test_a_model_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = list(doctor.weights(Settings(data=tmp_path, models=[tmp_path / "typo"])))
    assert ("bad", True) in [(f.state, "typo" in f.found) for f in found]


def test_weights_that_were_cut_short_are_told(tmp_path: Path) -> None:
    (unet, *_) = (ROOT / "models" / "starter" / "base" / "unet").glob("*.safetensors")
    assert doctor.whole(unet)
    cut, pointer = tmp_path / "cut.safetensors", tmp_path / "pointer.safetensors"
    cut.write_bytes(unet.read_bytes()[:-1])
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert not doctor.whole(cut)
    assert not doctor.whole(pointer)


def test_a_clock_behind_the_programs_own_files_is_told() -> None:
    assert doctor.clock().state == "ok"
    assert doctor.clock(lambda: time.time() - 30 * 365 * 86_400).state == "bad"
