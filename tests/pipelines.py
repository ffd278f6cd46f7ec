"""Pipelines of diffusers, to compare our nodes with: quiet, their pictures, and LoRAs for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

RANK = 3


def quiet(kind: str, folder: Path, **parts: Any) -> Any:
    """One with the weights of a folder, in place of which others may be given."""
    options = {"dtype": torch.float32, "local_files_only": True, **parts}
    found = getattr(diffusers, kind).from_pretrained(folder, **options)
    found.set_progress_bar_config(disable=True)
    return found


def drawn(pipeline: Any, **options: Any) -> NDArray[Any]:
    """Its picture of seed 7."""
    return np.asarray(pipeline(generator=torch.Generator().manual_seed(7), **options).images[0])


def differences(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """By how many of 255 steps pictures differ, where sums were rounded in another order."""
    return np.asarray(np.abs(found.astype(int) - wanted.astype(int)))


def changes(pipeline: Any, seed: int, **layers: list[str]) -> dict[str, torch.Tensor]:
    """A LoRA by the names of diffusers: random changes of these layers of its parts."""
    found: dict[str, torch.Tensor] = {}
    torch.manual_seed(seed)
    for part, names in layers.items():
        module = getattr(pipeline, part)
        module.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=names, init_lora_weights=False))
        found |= {f"{part}.{name}": value for name, value in get_peft_model_state_dict(module).items()}
    return {name: value.contiguous() for name, value in found.items()}
