"""The packages realesrgan, gfpgan and basicsr, which need a module that torchvision has no more."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torchvision.transforms import functional


def elder(name: str) -> Any:
    """A module of theirs."""
    lost = ModuleType("torchvision.transforms.functional_tensor")
    lost.__dict__["rgb_to_grayscale"] = functional.rgb_to_grayscale
    sys.modules.setdefault(lost.__name__, lost)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def pickled(net: Any, file: Path) -> Path:
    """Weights as those packages want them."""
    torch.save({"params_ema": net.state_dict()}, file)
    return file
