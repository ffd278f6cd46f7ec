"""Networks that judge as people do: LPIPS (Zhang et al., 2018), and LAION's aesthetic heads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch.nn import functional as fn

from engine.errors import BadInput, Unsupported
from engine.models import ModelFile
from engine.types import Image
from engine.weights import header
from nodes._lib import planes
from nodes._lib.arrays import tensor
from nodes._lib.net import Net
from nodes._lib.transformer import Trained, seen

SMALLEST, MOST = 32, 2_097_152
"""Pixels of a side, and of a picture: less does not reach the last layer, more fills gigabytes."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What LPIPS takes from colours of -1 to 1, and divides them by: the means and spreads of ImageNet."""
TINY = 1e-10
LINEAR, DEEP = ("",), ("layers.0.", "layers.2.", "layers.4.", "layers.6.", "layers.7.")
"""Layers of LAION's two heads, by how their weights are called; there is nothing but them."""


class Trunk(NamedTuple):
    """The convolutions of a network, as torchvision numbers them in `features`."""

    kernel: int
    """Of the first one, by which the network is known."""
    stride: int
    padding: int
    """Of the first one too; all others step by 1 and keep the size."""
    stages: tuple[tuple[int, ...], ...]
    """After the last of each stage LPIPS looks."""
    pool: int
    """The side of what is pooled, two apart, before a stage."""
    pooled: tuple[int, ...]
    """The stages before which it is."""


TRUNKS = {
    "VGG-16": Trunk(3, 1, 1, ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)), 2, (1, 2, 3, 4)),
    "AlexNet": Trunk(11, 4, 2, ((0,), (3,), (6,), (8,), (10,)), 3, (1, 2)),
}


class Eyes(Net):
    """A backbone up to its last convolution, which tells what it saw on the way."""

    def __init__(self, trunk: Trunk, state: dict[str, Any]) -> None:
        super().__init__()
        self.trunk = trunk
        self.weights, self.biases = (
            torch.nn.ParameterDict(
                {str(n): torch.nn.Parameter(state[f"features.{n}.{what}"]) for n in numbers(trunk)}
            )
            for what in ("weight", "bias")
        )

    def forward(self, pixels: Any) -> list[Any]:
        found = []
        for place, stage in enumerate(self.trunk.stages):
            if place in self.trunk.pooled:
                pixels = fn.max_pool2d(pixels, self.trunk.pool, 2)
            for number in stage:
                pixels = self.folded(number, pixels).relu_()
            found.append(pixels)
        return found

    def folded(self, number: int, pixels: Any) -> Any:
        weight, bias = self.weights[str(number)], self.biases[str(number)]
        stride, padding = (
            (self.trunk.stride, self.trunk.padding) if number == 0 else (1, weight.shape[2] // 2)
        )
        return fn.conv2d(pixels, weight, bias, stride, padding)


# -- LPIPS


def numbers(trunk: Trunk) -> list[int]:
    return [number for stage in trunk.stages for number in stage]


def trunk_of(file: ModelFile) -> Trunk:
    """Which network a file holds. Raises Unsupported for none that LPIPS knows."""
    shapes = {name: about.shape for name, about in header(file.path).items()}
    first = shapes.get("features.0.weight", ())
    for trunk in TRUNKS.values():
        if first[2:] == (trunk.kernel, trunk.kernel) and all(
            len(shapes.get(f"features.{number}.weight", ())) == 4 and f"features.{number}.bias" in shapes
            for number in numbers(trunk)
        ):
            return trunk
    raise Unsupported(
        f"{file.name!r} is no network that LPIPS looks with.",
        remedy=f"Use {' or '.join(TRUNKS)} as torchvision has it: run `python server.py models fetch vgg16`.",
    )


def check_pair(head: ModelFile, eyes: ModelFile) -> None:
    """Raise unless a head was made for what a backbone sees."""
    seen_by = {name: about.shape[0] for name, about in header(eyes.path).items() if name.endswith("weight")}
    wide = [seen_by[f"features.{stage[-1]}.weight"] for stage in trunk_of(eyes).stages]
    shapes = {name: about.shape for name, about in header(head.path).items()}
    found = [shapes.get(weight_of(place)) for place in range(len(wide))]
    if None in found:
        raise Unsupported(
            f"{head.name!r} is no head of LPIPS: it lacks {weight_of(found.index(None))}.",
            remedy="Run `python server.py models fetch lpips-vgg`, and use that.",
        )
    if found != [(1, channels, 1, 1) for channels in wide]:
        raise BadInput(
            "backbone",
            got=f"{eyes.name!r}, which sees {wide} things at its five places",
            want=f"the network for which {head.name!r} was trained: {[s[1] for s in found if s]}",
            remedy="lpips-vgg goes with VGG-16, lpips-alex with AlexNet.",
        )


def weight_of(place: int) -> str:
    """How the weights of a head are called for one of its places: what is before them is a dropout."""
    return f"lin{place}.model.1.weight"


def backbone(file: ModelFile, device: str) -> Eyes:
    trunk = trunk_of(file)
    eyes = Eyes(trunk, load_file(file.path))
    eyes.float().requires_grad_(False).eval().to(device)
    return eyes


def head(file: ModelFile, device: str) -> Any:
    state = load_file(file.path)
    found = [state[weight_of(place)].float().to(device) for place in range(5)]
    return torch.nn.ParameterList(torch.nn.Parameter(one, requires_grad=False) for one in found)


def check_pictures(a: Image, b: Image) -> None:
    """Raise BadInput for pictures that cannot be compared."""
    if (a.width, a.height) != (b.width, b.height):
        want = f"{a.width} × {a.height}, like a"
        raise BadInput("b", got=f"{b.width} × {b.height}", want=want, remedy="Resize one of them.")
    if min(a.width, a.height) < SMALLEST or a.width * a.height > MOST:
        raise BadInput(
            "a",
            got=f"{a.width} × {a.height}",
            want=f"at least {SMALLEST} × {SMALLEST} and at most {MOST:,} pixels",
            remedy="Resize both.",
        )


def distance(eyes: Eyes, head: Any, a: Image, b: Image) -> float:
    """The sum over places of the mean over pixels of weighted squares of differences of directions."""
    with torch.inference_mode():
        here, there = (eyes(scaled(image).to(head[0].device)) for image in (a, b))
        apart = [
            fn.conv2d((directed(x) - directed(y)) ** 2, weight).mean()
            for x, y, weight in zip(here, there, head, strict=True)
        ]
        return float(torch.stack(apart).sum())


def scaled(image: Image) -> Any:
    """Colours as the backbones learnt them: 1 × 3 × height × width."""
    colours = tensor(planes.widened(planes.visible(image), 3)).permute(2, 0, 1)[None].float()
    shift, scale = (torch.tensor(values)[:, None, None] for values in (SHIFT, SCALE))
    return (colours * 2 - 1 - shift) / scale


def directed(seen: Any) -> Any:
    """Every pixel's channels as a direction."""
    return seen / (seen.square().sum(1, keepdim=True).sqrt() + TINY)


# -- aesthetic heads


def check_head(file: ModelFile) -> tuple[str, ...]:
    """The layers of a head, by name. Raises Unsupported for what is none."""
    shapes = {name: about.shape for name, about in header(file.path).items()}
    for names in (LINEAR, DEEP):
        if shapes.keys() == {f"{name}{what}" for name in names for what in ("weight", "bias")}:
            sizes = [shapes[f"{name}weight"] for name in names]
            if sizes[-1][0] == 1 and all(before[0] == after[1] for before, after in pairwise(sizes)):
                return names
    raise Unsupported(
        f"{file.name!r} is no aesthetic head in a layout that is known.",
        remedy="Run `python server.py models fetch aesthetic-linear` or `aesthetic-mlp`, and use that.",
    )


def layers(file: ModelFile, device: str) -> Any:
    """A head as it judges: what its training dropped by chance drops nothing now."""
    state, found = load_file(file.path), []
    for name in check_head(file):
        wide, narrow = state[f"{name}weight"].shape[::-1]
        layer = torch.nn.Linear(wide, narrow, device="meta")
        layer.load_state_dict({what: state[f"{name}{what}"] for what in ("weight", "bias")}, assign=True)
        found.append(layer)
    return torch.nn.Sequential(*found).float().requires_grad_(False).eval().to(device)


def liking(held: Trained, layers: Any, image: Image, name: str) -> float:
    """What a head says of the direction in which a CLIP sees a picture."""
    with torch.inference_mode():
        shown = held.module.get_image_features(**held.given(images=seen(image)))
        found = fn.normalize(getattr(shown, "pooler_output", shown).float()).to(layers[0].weight.device)
        if found.shape[1] != layers[0].in_features:
            raise BadInput(
                "model",
                got=f"a CLIP that tells {found.shape[1]} numbers of a picture",
                want=f"{layers[0].in_features}, as {name!r} was trained",
                remedy="LAION's heads go with ViT-L/14: clip-large.",
            )
        return float(layers(found))
