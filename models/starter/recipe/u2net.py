"""A narrow U²-Net: a U of blocks that are themselves small U's, with a mask read from every level.

After Qin and others, "U²-Net: going deeper with nested U-structure for salient object detection" (2020),
with the halving first convolution of the same authors' later IS-Net, so that the 320 x 320 of a rembg session
cost as much as 160 x 160.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .net import Net

WIDTH, MIDDLE = 24, 10
_DEPTHS = (7, 6, 5, 4)  # halvings shrink with the level; the two lowest blocks widen instead
_LEVELS = 6


class Step(Net):
    """A convolution that may look wide, normalised and rectified."""

    def __init__(self, before: int, after: int, reach: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=reach, dilation=reach, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, after, h, w)."""
        return functional.relu(self.norm(self.conv(x)))


class Nested(Net):
    """A residual U-block: a small U around which its input is carried; with `flat`, it widens its reach
    instead of halving."""

    def __init__(self, before: int, middle: int, after: int, depth: int, *, flat: bool = False) -> None:
        super().__init__()
        self.flat = flat
        self.enter = Step(before, after)
        widths = [after] + [middle] * (depth - 1)
        self.down = nn.ModuleList([Step(widths[at], middle, 2**at if flat else 1) for at in range(depth - 1)])
        self.bottom = Step(middle, middle, 2 ** (depth - 1) if flat else 2)
        self.up = nn.ModuleList(
            [Step(2 * middle, after if at == 0 else middle, 2**at if flat else 1) for at in range(depth - 1)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, after, h, w)."""
        start = self.enter(x)
        found, kept = start, []
        for at, step in enumerate(self.down):
            if at and not self.flat:
                found = functional.max_pool2d(found, 2, 2, ceil_mode=True)
            found = step(found)
            kept.append(found)
        found = self.bottom(found)
        for step, beside in zip(reversed(list(self.up)), reversed(kept), strict=True):
            found = step(torch.cat((_sized(found, beside), beside), 1))
        return start + found


class U2Net(Net):
    """Six levels down, five up, and a mask from each of the six sides and from all together."""

    def __init__(self, width: int = WIDTH, middle: int = MIDDLE) -> None:
        super().__init__()
        blocks = [(depth, False) for depth in _DEPTHS] + [(4, True)] * (_LEVELS - len(_DEPTHS))
        self.enter = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.down = nn.ModuleList([Nested(width, middle, width, depth, flat=flat) for depth, flat in blocks])
        self.up = nn.ModuleList(
            [Nested(2 * width, middle, width, depth, flat=flat) for depth, flat in blocks[:-1]]
        )
        self.sides = nn.ModuleList([nn.Conv2d(width, 1, 3, padding=1) for _ in blocks])
        self.all = nn.Conv2d(len(blocks), 1, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Masks of 0 to 1, the one to use first: (n, 3, h, w) to seven of (n, 1, h, w)."""
        return tuple(torch.sigmoid(scores) for scores in self.scores(pictures))

    def scores(self, pictures: Tensor) -> list[Tensor]:
        """The masks as scores, in the order of `forward`."""
        found, kept = self.enter(pictures), []
        for at, block in enumerate(self.down):
            if at:
                found = functional.max_pool2d(found, 2, 2, ceil_mode=True)
            found = block(found)
            kept.append(found)
        levels = [found]
        for block, beside in zip(reversed(list(self.up)), reversed(kept[:-1]), strict=True):
            found = block(torch.cat((_sized(found, beside), beside), 1))
            levels.insert(0, found)
        masks = [_sized(side(level), kept[0]) for side, level in zip(self.sides, levels, strict=True)]
        joined = self.all(torch.cat(masks, 1))
        return [_sized(mask, pictures) for mask in (joined, *masks)]


class Ready(Net):
    """The net as it is exported: pictures in, the one mask out."""

    def __init__(self, net: U2Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, h, w), normalised as rembg does, to (n, 1, h, w)."""
        mask: Tensor = torch.sigmoid(self.net.scores(pictures)[0])
        return mask


def _sized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
