"""Small networks that judge pictures, in the layouts of LPIPS and of LAION's heads, with chance weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import alexnet
from torchvision.models.vgg import make_layers

from tests.sights import lively

VGG: list[Any] = [4, 6, "M", 5, 8, "M", 4, 4, 8, "M", 4, 4, 6, "M", 4, 4, 7, "M"]
"""VGG-16 with fewer channels."""
LOOKS = {"vgg": (3, 8, 15, 22, 29), "alex": (1, 4, 7, 9, 11)}
"""Where LPIPS looks in torchvision's `features`, as its authors wrote."""
SEEN = 16
"""Numbers that the small CLIP tells of a picture."""


class Judges(NamedTuple):
    """What was written, as the libraries have it that it stands for."""

    nets: dict[str, Any]
    heads: dict[str, list[torch.Tensor]]
    tastes: dict[str, Any]


def make(top: Path) -> Judges:
    """Write backbones with their heads and aesthetic heads into a models folder."""
    torch.manual_seed(0)
    nets = {name: features(name) for name in LOOKS}
    heads = {
        name: [torch.rand(1, net[place - 1].weight.shape[0], 1, 1) for place in LOOKS[name]]
        for name, net in nets.items()
    }
    for kind in ("backbones", "lpips", "aesthetic"):
        (top / kind).mkdir(parents=True)
    for name, net in nets.items():
        classifier = {"classifier.0.weight": torch.zeros(2, 2)}  # comes along, and is not used
        state = {f"features.{key}": value for key, value in net.state_dict().items()}
        save_file(state | classifier, top / "backbones" / f"{name}.safetensors")
        counts = {f"lin{place}.model.1.weight": weight for place, weight in enumerate(heads[name])}
        save_file(counts, top / "lpips" / f"{name}.safetensors")
    tastes = {"linear": nn.Linear(SEEN, 1), "deep": deep()}
    for name, layers in tastes.items():
        save_file(layers.state_dict(), top / "aesthetic" / f"{name}.safetensors")
    return Judges(nets, heads, tastes)


def features(name: str) -> Any:
    """torchvision's own layers; AlexNet without those that classify."""
    if name == "vgg":
        return lively(make_layers(VGG))
    with torch.device("meta"):
        found = alexnet().features
    found.to_empty(device="cpu").apply(lambda layer: getattr(layer, "reset_parameters", int)())
    return lively(found)


def deep() -> Any:
    """The head of five layers, as its author's script builds it."""
    found, linear, dropout = nn.Module(), nn.Linear, nn.Dropout
    found.layers = nn.Sequential(
        *(linear(SEEN, 12), dropout(0.2), linear(12, 8), dropout(0.2)),
        *(linear(8, 6), dropout(0.1), linear(6, 4), linear(4, 1)),
    )
    return found.eval()
