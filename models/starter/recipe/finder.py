"""The face finder: three grids of cells that say whether a face is there, and where its marks are.

Its outputs are those that OpenCV's FaceDetectorYN reads: for each grid of 8, 16 and 32 pixels `cls` and `obj`
(0 to 1; the score is the root of their product), `bbox` (middle in cells from the cell's own corner, and the
logarithm of width and height in cells) and `kps` (five marks in cells from that corner).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .net import Net

STRIDES = (8, 16, 32)
WIDTHS = (16, 24, 32, 40, 48)
NECK = 32
NAMES = tuple(f"{what}_{stride}" for what in ("cls", "obj", "bbox", "kps") for stride in STRIDES)
_PARTS = (1, 1, 4, 10)


class Finder(Net):
    """Five halvings, a way back up, and one head for the three grids."""

    def __init__(self, widths: Sequence[int] = WIDTHS, neck: int = NECK) -> None:
        super().__init__()
        befores = (3, *widths[:-1])
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_fold(before, after, 2), *([_fold(after, after)] if at > 1 else []))
                for at, (before, after) in enumerate(zip(befores, widths, strict=True))
            ]
        )
        self.across = nn.ModuleList([nn.Conv2d(width, neck, 1) for width in widths[2:]])
        self.look = _fold(neck, neck)
        self.say = nn.Conv2d(neck, sum(_PARTS), 1)
        with torch.no_grad():
            self.say.weight.mul_(0.3)
            self.say.bias[:2] = -3  # most cells hold no face
            self.say.bias[4:6] = 1  # and a face is a few cells wide

    def grids(self, pictures: Tensor) -> list[Tensor]:
        """What the cells say, scores before the sigmoid: (n, 3, h, w) to three of (n, 16, h / s, w / s)."""
        found, levels = pictures / 127.5 - 1, []
        for at, stage in enumerate(self.stages):
            found = stage(found)
            if at > 1:
                levels.append(self.across[at - 2](found))
        for low in (1, 0):
            levels[low] = levels[low] + functional.interpolate(levels[low + 1], scale_factor=2.0)
        return [self.say(self.look(level)) for level in levels]

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """One picture (1, 3, h, w), BGR, 0 to 255, to the twelve outputs in the order of NAMES."""
        rows = [grid.permute(0, 2, 3, 1).reshape(1, -1, sum(_PARTS)) for grid in self.grids(pictures)]
        parts = [torch.split(row, _PARTS, 2) for row in rows]
        return tuple(
            torch.sigmoid(part[what]) if what < 2 else part[what] for what in range(4) for part in parts
        )


def _fold(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
