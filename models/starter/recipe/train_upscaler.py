"""Train the upscaler: four times the size, in the layout of ESRGAN."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from spandrel import ModelLoader
from spandrel.architectures.ESRGAN import ESRGAN
from torch import Tensor, nn

from . import large, pictures
from .canvas import Picture, paint
from .draw import draw
from .export import save
from .figures import Figure
from .hogwild import Lesson, Plan
from .schooling import School, attend
from .sheet import page
from .train_vae import slopes_apart
from .wear import likeness, mailed, shown, shrunk, unit

PLAN = Plan("upscaler", 15_000, 5e-4, warm=100, hold=0.3, ema=0.995, weight_decay=0)
FACTOR = 4
WIDTH, BLOCKS = 24, 1
PATCH, BATCH = 24, 2  # pixels of the small side; pictures
_COLOURS, _LEAK = 3, 0.2
_GENTLE = 0.3  # of the usual random weights: with more, the first updates drown the colours
_GRAY = 0.5  # what a layer sees beyond the border
_SHARP = ((0.0, -0.12, 0.0), (-0.12, 1.48, -0.12), (0.0, -0.12, 0.0))
_SMOOTH = ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625))  # of doubled pixels
_SHARPER = ((0.0, -0.25, 0.0), (-0.25, 2.0, -0.25), (0.0, -0.25, 0.0))
_SAME = ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
EXACT_FROM = 0.8  # part of the run after which plain areas are no longer rounded to half a level
FILE = "upscaler.safetensors"


class Enlarging(msgspec.Struct):
    """The lesson of the upscaler: the render that a small picture came from."""

    renders: NDArray[np.uint8]  # (n, 128, 128, 3)
    large: NDArray[np.uint8]  # (m, 512, 512, 3)
    copies: NDArray[np.uint8]  # (m, 128, 128, 3)
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far pixels and edges are from the render."""
        pairs = [self._pair(rng) for _ in range(BATCH)]
        small, wanted = (unit(np.stack(some)).to(self.device) for some in zip(*pairs, strict=True))
        with torch.autocast(self.device, torch.bfloat16, enabled=part < EXACT_FROM):
            made = model(small).float()
        away, edge = (made - wanted).abs().mean(), slopes_apart(made, wanted)
        error = float((made.detach() - wanted).square().mean())
        return away + 0.5 * edge, {"loss": float(away.detach()), "psnr": -10 * np.log10(error)}

    def _pair(self, rng: np.random.Generator) -> tuple[Picture, Picture]:
        """A small patch and the large one it came from: of a render at one of three sizes, or of a copy."""
        which = rng.random()
        if which < 0.35:
            wanted = np.asarray(self.renders[int(rng.integers(len(self.renders)))])
            return _cut(rng, _small(rng, wanted), wanted)
        index = int(rng.integers(len(self.large)))
        wanted = np.asarray(self.large[index])
        if which < 0.7:
            wanted = shrunk(wanted, 2)
            return _cut(rng, _small(rng, wanted), wanted)
        small = np.asarray(self.copies[index]) if which < 0.9 else _small(rng, wanted)
        return _cut(rng, small, wanted)


def new_upscaler() -> Any:
    """An RRDBNet that starts as smooth enlargement: random weights would first learn colours."""
    net = ESRGAN(num_filters=WIDTH, num_blocks=BLOCKS, scale=FACTOR)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, _LEAK).mul_(_GENTLE)
                nn.init.zeros_(layer.bias)
        net.model[1].sub[-1].weight[: 2 * _COLOURS] = 0
        first, rise, rise_again, fine, last = (layer for layer in net.model if isinstance(layer, nn.Conv2d))
        _carry(first, _SHARP, given=1)
        _carry(rise, _SMOOTH, given=1)
        _carry(rise_again, _SMOOTH, given=2)
        _carry(fine, _SHARPER, given=2)
        _carry(last, _SAME, given=2)
        first.bias[:_COLOURS], first.bias[_COLOURS : 2 * _COLOURS] = -_GRAY, _GRAY
        nn.init.constant_(last.bias, _GRAY)
    return net


def _carry(layer: nn.Conv2d, kernel: Sequence[Sequence[float]], given: int) -> None:
    """Let colours less gray pass a layer; a second time with the other sign, which the leaky halves need."""
    taps = torch.tensor(kernel)
    layer.weight[: 2 * _COLOURS] = 0
    for out in range(min(2 * _COLOURS, layer.out_channels)):
        sign = 1 if out < _COLOURS else -1
        for side in range(given):
            way = sign if side == 0 else -sign
            layer.weight[out, side * _COLOURS + out % _COLOURS] = (
                way * taps / (1 if given == 1 else 1 + _LEAK)
            )


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from drawn pictures."""
    return Enlarging(pictures.load(checkpoints / "pictures"), *large.load(checkpoints), device)


def write(_: Path, net: Any, folder: Path) -> None:
    """Write the weights in half precision."""
    save(net, folder / FILE)


def enlarged(net: Any, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures four times as large."""
    with torch.inference_mode():
        return np.concatenate([shown(net(some)) for some in unit(pictures).to(net.device).split(4)])


def bicubic(pictures: NDArray[np.uint8], factor: int = FACTOR) -> NDArray[np.uint8]:
    """Pictures made larger without a model."""
    size = pictures.shape[2] * factor, pictures.shape[1] * factor
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in pictures])


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """PSNR of enlarged renders, clean and damaged, beside bicubic enlargement; wanted is that and 3 dB."""
    net = ModelLoader(device).load_from_file(family / "upscaler" / FILE)
    rng = np.random.default_rng(3)
    found = []
    for size in (256, 128):
        wanted = np.stack([paint(draw(seed), size) for seed in range(count)])
        clean = np.stack([shrunk(picture) for picture in wanted])
        damaged = np.stack([mailed(rng, picture) for picture in wanted])
        for name, small in (("clean", clean), ("damaged", damaged)):
            without = likeness(bicubic(small), wanted)
            reached = likeness(enlarged(net, small), wanted)
            found.append(
                Figure("upscaler", f"{name}, {size // 4} to {size}", reached, without + 3, without, unit="dB")
            )
    return found


def contact(family: Path, store: Path) -> None:
    """Small pictures; then a part of each by bicubic enlargement, by the model, and the truth."""
    net = ModelLoader("cpu").load_from_file(family / "upscaler" / FILE)
    seeds = (3, 11, 26, 35, 40, 52)
    wanted = np.stack([paint(draw(seed), 256) for seed in seeds])
    small = np.stack([shrunk(picture) for picture in wanted])
    corner = slice(64, 192)
    rows = [bicubic(small), enlarged(net, small), wanted]
    page([list(small), *([one[corner, corner] for one in row] for row in rows)], store)


def _small(rng: np.random.Generator, wanted: Picture) -> Picture:
    return shrunk(wanted) if rng.random() < 0.5 else mailed(rng, wanted)


def _cut(rng: np.random.Generator, small: Picture, wanted: Picture) -> tuple[Picture, Picture]:
    """The liveliest of three patches, turned at random."""
    corners = rng.integers(0, small.shape[0] - PATCH + 1, (3, 2))
    y, x = max(corners, key=lambda at: float(small[at[0] : at[0] + PATCH, at[1] : at[1] + PATCH].std()))
    near = small[y : y + PATCH, x : x + PATCH]
    far = wanted[FACTOR * y : FACTOR * (y + PATCH), FACTOR * x : FACTOR * (x + PATCH)]
    turn, mirror = int(rng.integers(4)), bool(rng.random() < 0.5)
    near, far = np.rot90(near, turn), np.rot90(far, turn)
    return (near[:, ::-1], far[:, ::-1]) if mirror else (near, far)


SCHOOL = School(plan=PLAN, prepare=large.prepare, build=lambda _: new_upscaler(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
