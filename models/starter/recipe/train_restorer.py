"""Train the face restorer: faces out of focus, in blocks or in grain made clear again, at their size."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from torch import Tensor, nn

from . import pictures
from .canvas import Picture, paint
from .draw import draw
from .export import save
from .figures import Figure
from .hogwild import Lesson, Plan
from .schooling import School, attend
from .sheet import page
from .train_upscaler import EXACT_FROM
from .train_vae import slopes_apart
from .wear import blurred, compressed, likeness, noisy, pixelated, shown, unit

PLAN = Plan("face-restorer", 6_000, 1e-3, warm=50, hold=0.3, ema=0.995, weight_decay=0)
WIDTH, DEPTH = 32, 12
CROP, BATCH = 64, 2
_LEAK = 0.25
FILE = "face-restorer.safetensors"
DAMAGES = ("blurred", "noisy", "pixelated", "mixed")


class Restoring(msgspec.Struct):
    """The lesson of the restorer: the face before it was damaged."""

    pictures: NDArray[np.uint8]
    faces: NDArray[np.int64]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far pixels and edges are from the face as it was."""
        pairs = [self._pair(rng) for _ in range(BATCH)]
        worn, wanted = (unit(np.stack(some)).to(self.device) for some in zip(*pairs, strict=True))
        with torch.autocast(self.device, torch.bfloat16, enabled=part < EXACT_FROM):
            made = model(worn).float()
        away, edge = (made - wanted).abs().mean(), slopes_apart(made, wanted)
        gain = (worn - wanted).square().mean() / (made.detach() - wanted).square().mean()
        return away + 0.5 * edge, {"loss": float(away.detach()), "gain": float(10 * gain.log10())}

    def _pair(self, rng: np.random.Generator) -> tuple[Picture, Picture]:
        picture = np.asarray(self.pictures[int(rng.choice(self.faces))])
        worn = damaged(rng, picture, DAMAGES[int(rng.integers(len(DAMAGES)))])
        y, x = rng.integers(8, picture.shape[0] - CROP - 7, 2)
        side = -1 if rng.random() < 0.5 else 1
        cut = slice(y, y + CROP), slice(x, x + CROP)
        return worn[cut][:, ::side], picture[cut][:, ::side]


def damaged(rng: np.random.Generator, picture: Picture, how: str) -> Picture:
    """A picture damaged in one of the ways."""
    if how == "blurred":
        return blurred(picture, float(rng.uniform(1, 2.8)))
    if how == "noisy":
        return noisy(rng, picture, float(rng.uniform(8, 28)))
    if how == "pixelated":
        return pixelated(picture, int(rng.integers(2, 5)))
    worn = noisy(rng, blurred(picture, float(rng.uniform(0.6, 2))), float(rng.uniform(3, 12)))
    return compressed(worn, int(rng.integers(40, 90)))


def new_restorer() -> Any:
    """A compact network that starts by giving back what it was shown."""
    net = Compact(num_feat=WIDTH, num_conv=DEPTH, upscale=1)
    with torch.no_grad():
        first, *middle, last = (layer for layer in net.body if isinstance(layer, nn.Conv2d))
        for layer in (first, *middle):
            nn.init.kaiming_normal_(layer.weight, _LEAK)
        for layer in middle:  # twelve layers without a way around them learn nothing for long
            layer.weight.mul_(0.3).add_(nn.init.dirac_(torch.empty_like(layer.weight)))
        nn.init.zeros_(last.weight)
        for layer in (first, *middle, last):
            nn.init.zeros_(layer.bias)
    return net


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the drawn faces."""
    folder = checkpoints / "pictures"
    faces = np.flatnonzero(np.asarray(pictures.kinds(folder)) == "face")
    return Restoring(pictures.load(folder), faces, device)


def write(_: Path, net: Any, folder: Path) -> None:
    """Write the weights in half precision, and how large the faces were."""
    save(net, folder / FILE, {"size": "128"})


def restored(net: Any, worn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces made clear."""
    with torch.inference_mode():
        return np.concatenate([shown(net(some)) for some in unit(worn).to(net.device).split(8)])


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """PSNR of restored faces, by damage, beside the damaged ones; wanted is that and 3 dB."""
    net = ModelLoader(device).load_from_file(family / PLAN.name / FILE)
    wanted = np.stack([paint(draw(seed, "face")) for seed in range(count)])
    found = []
    for how in DAMAGES:
        rng = np.random.default_rng(7)
        worn = np.stack([damaged(rng, face, how) for face in wanted])
        without, reached = likeness(worn, wanted), likeness(restored(net, worn), wanted)
        found.append(Figure(PLAN.name, f"{how} faces", reached, without + 3, without, unit="dB"))
    return found


def contact(family: Path, store: Path) -> None:
    """Damaged faces, restored ones, the truth."""
    net = ModelLoader("cpu").load_from_file(family / PLAN.name / FILE)
    wanted = np.stack([paint(draw(seed, "face")) for seed in (0, 1, 3, 7)])
    rng = np.random.default_rng(7)
    worn = np.stack([damaged(rng, face, DAMAGES[index]) for index, face in enumerate(wanted)])
    page([worn, restored(net, worn), wanted], store)


SCHOOL = School(plan=PLAN, build=lambda _: new_restorer(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
