"""Writing networks of our own: as ONNX, for programs that know no torch, or their weights alone."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def export(
    net: nn.Module,
    example: Tensor,
    path: Path,
    *,
    given: str,
    answers: Sequence[str],
    free: dict[str, dict[int, str]] | None = None,
) -> None:
    """Write a network with its names for what it is given and what it answers; `free` sides may vary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = net.to(memory_format=torch.contiguous_format).eval()
    with warnings.catch_warnings():
        # the exporter through TorchScript is announced to go; the other needs a package more
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            plain,
            (example,),
            path,
            input_names=[given],
            output_names=list(answers),
            dynamic_axes=free,
            dynamo=False,
        )


def save(net: nn.Module, path: Path, told: dict[str, str] | None = None) -> None:
    """Write the weights in half precision, and what else a loader is told."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: weight.half().contiguous() for name, weight in net.state_dict().items()}
    save_file(halves, path, told)
