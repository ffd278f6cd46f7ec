"""This machine: the device to compute on, its memory, and what about it changes numbers."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

OWN_MEMORY = ("cuda", "xpu")
"""Devices whose memory is not the machine's, so that weights can wait there."""
GPU_SHARE = 0.85
"""Of a GPU's own memory, for weights; the rest is for the pictures being made."""


def prepare(threads: int = 0) -> None:
    """Set a worker up before torch is used: offline, deterministic, one thread count for its whole life."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        DO_NOT_TRACK="1",
        TOKENIZERS_PARALLELISM="false",
        CUBLAS_WORKSPACE_CONFIG=":4096:8",
    )
    import torch

    # With a thread on every core, each operation waits for the slowest: 5 times slower beside any other work.
    torch.set_num_threads(threads or max(1, min(8, cores() - 1)))
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def warm() -> None:
    """Import the parts of the model libraries that nearly every picture needs; they take seconds."""
    import diffusers.models.autoencoders.autoencoder_kl
    import diffusers.models.unets.unet_2d_condition
    import diffusers.schedulers  # noqa: F401
    import transformers.models.clip.modeling_clip
    import transformers.models.clip.tokenization_clip  # noqa: F401


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def device(wanted: str = "auto") -> str:
    """The kind of device to compute on: what is wanted, or the best there is."""
    if wanted != "auto":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "xpu" if hasattr(torch, "xpu") and torch.xpu.is_available() else "cpu"


def dtype_on(device: str, wanted: str = "auto") -> str:
    """The number format to compute in. A CPU is 160 times slower in float16, so it takes float32."""
    if device == "cpu":
        return "bfloat16" if wanted == "bfloat16" else "float32"
    return "float16" if wanted == "auto" else wanted


SMALL = "float8"
"""Weights wait in eight bits, and are widened layer by layer to what suits the device."""


def default_limit(device: str) -> int:
    """Most of a GPU's own memory, or half of what this process may use."""
    if device == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory * GPU_SHARE)
    return total_memory() // 2


def total_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the container's if that is less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            total = min(total, int(Path(limit).read_text("ascii")))
    return total


def release(device: str) -> None:
    """Give memory that nothing uses back to the system."""
    gc.collect()
    if device in ("cuda", "mps", "xpu"):
        import torch

        getattr(torch, device).empty_cache()
    elif sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim and needs none
            ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    if isinstance(error, MemoryError):
        return True
    library = type(error).__module__.partition(".")[0]
    if type(error).__name__ == "OutOfMemoryError" and library == "torch":
        return True
    text = str(error)
    if isinstance(error, RuntimeError) or library in ("cv2", "onnxruntime"):
        return any(sign in text for sign in OUT_OF_MEMORY)
    return False


OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "ALLOC_FAILED",
    "Failed to allocate",  # onnxruntime and OpenCV
    "bad allocation",
    "bad_alloc",
)
"""What libraries say when memory has run out."""


def environment(device: str, dtype: str = "auto") -> dict[str, str | int]:
    """What a receipt says about the machine: device, number format, threads, kernels, libraries."""
    import torch

    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "dtype": dtype_on(device, dtype),
        "threads": torch.get_num_threads(),
        **kernels(device),
        **{name: version(name) for name in ("torch", "diffusers", "transformers")},
        **surroundings(),
    }


def kernels(device: str) -> dict[str, str | int]:
    """Settings and versions that choose which code computes: the same numbers need the same of each."""
    import torch

    found: dict[str, str | int] = {
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "matmul": torch.get_float32_matmul_precision(),
        "mkldnn": "on" if torch.backends.mkldnn.is_available() else "off",
        "deterministic": "on" if torch.backends.cudnn.deterministic else "off",
    }
    if device == "cuda":
        ways = {"flash": "flash_sdp", "efficient": "mem_efficient_sdp", "math": "math_sdp"}
        enabled = [way for way, name in ways.items() if getattr(torch.backends.cuda, f"{name}_enabled")()]
        found |= {"cuda": str(torch.version.cuda), "cudnn": torch.backends.cudnn.version() or 0}
        found["attention"] = ", ".join(enabled)
        found["workspace"] = os.environ.get("CUBLAS_WORKSPACE_CONFIG", "")
    return found


@cache
def surroundings() -> dict[str, str | int]:
    """The system, and the libraries that nodes without torch compute with."""
    libraries = {"numpy": "numpy", "pillow": "pillow", "opencv": "opencv-python"}
    known = {name: version(package) for name, package in libraries.items()}
    machine = f"{platform.system()} {platform.machine()}"
    return {**known, "python": platform.python_version(), "system": machine}


def epoch(device: str, dtype: str = "auto") -> str:
    """What changes numbers besides the inputs: a part of the key of every call that uses torch."""
    libraries = [f"{name} {'.'.join(version(name).split('.')[:2])}" for name in ("torch", "diffusers")]
    return " ".join([*libraries, device, dtype_on(device, dtype)])
