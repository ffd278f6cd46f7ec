"""Train the background remover: which pixels belong to the things in front."""

import os
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from . import seen
from .canvas import Picture, paint, truth
from .draw import draw
from .export import export
from .figures import Figure
from .hogwild import Lesson, Plan
from .outline import floats
from .scene import Kind
from .schooling import School, attend
from .seen import Seen
from .sheet import page
from .u2net import Ready, U2Net
from .wear import generated

PLAN = Plan("background", 3_200, 2e-3, warm=50, hold=0.3, ema=0.99, weight_decay=1e-4)
KINDS: tuple[Kind, ...] = ("object", "person", "face", "shapes")
BATCH = 4
SIDE = 320  # what a rembg session shows the net
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILE = "background.onnx"


class Cutting(msgspec.Struct):
    """The lesson of the background remover: the mask of all things in a picture."""

    seen: Seen
    chosen: NDArray[np.int64]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross entropy and missing overlap, of the joined mask and of every side."""
        index = np.sort(rng.choice(self.chosen, BATCH))
        side = int(rng.choice((128, 160))) if part < 0.5 else SIDE if part > 0.7 else 224
        shown = torch.stack([looked_at(np.asarray(self.seen.pictures[i]), side) for i in index])
        masks = torch.from_numpy(self.seen.fronts(index)).float()[:, None]
        mirror = rng.random() < 0.5
        shown, masks = (some.flip(-1) if mirror else some for some in (shown, masks))
        shown = generated(rng, shown).contiguous(memory_format=torch.channels_last)
        shown, masks = shown.to(self.device), masks.to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            scores = model.scores(shown)
        # compared at the size of the truth
        scores = [
            functional.interpolate(one.float(), size=masks.shape[-2:], mode="bilinear") for one in scores
        ]
        losses = [
            functional.binary_cross_entropy_with_logits(one, masks) + 0.5 * _missed(one, masks)
            for one in scores
        ]
        overlap = 1 - float(_missed((scores[0].detach() > 0) * 40.0 - 20, masks))
        return losses[0] + 0.3 * torch.stack(losses[1:]).mean(), {
            "loss": float(losses[0].detach()),
            "iou": overlap,
        }


def looked_at(picture: Picture, side: int) -> Tensor:
    """A picture as a rembg session shows it to the net: (3, side, side)."""
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
    large = (large / max(1.0, float(large.max())) - floats(_MEAN)) / floats(_SPREAD)
    return torch.from_numpy(large).permute(2, 0, 1)


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the noted truths."""
    known = seen.load(checkpoints)
    return Cutting(known, known.of(*KINDS), device)


def write(_: Path, net: Any, folder: Path) -> None:
    """Write the net as ONNX."""
    example = torch.zeros(1, 3, SIDE, SIDE)
    export(Ready(net), example, folder / FILE, given="picture", answers=["mask"])


def cut(family: Path, pictures: list[Picture]) -> list[NDArray[np.bool_]]:
    """The masks that rembg gives with the model."""
    from rembg import new_session, remove

    home = os.environ.get("U2NET_HOME")
    model = (family / PLAN.name / FILE).resolve()
    os.environ["U2NET_HOME"] = str(model.parent)  # rembg reads models in its own folder only
    try:
        session = new_session("u2net_custom", model_path=str(model))
    finally:
        os.environ.pop("U2NET_HOME") if home is None else os.environ.update(U2NET_HOME=home)
    masks = [remove(Image.fromarray(picture), session=session, only_mask=True) for picture in pictures]
    return [np.asarray(mask) > 127 for mask in masks]


def overlap(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """Overlap with the true masks by kind of scene, beside that of a mask of everything."""
    found = []
    for kind in KINDS:
        scenes = [draw(seed, kind) for seed in range(max(1, count // 2))]
        wanted = [truth(scene).owner >= 0 for scene in scenes]
        masks = cut(family, [paint(scene) for scene in scenes])
        reached = np.mean([overlap(*pair) for pair in zip(masks, wanted, strict=True)])
        without = np.mean([mask.mean() for mask in wanted])
        found.append(Figure(PLAN.name, f"overlap, {kind}", float(reached), 0.95, float(without)))
    return found


def contact(family: Path, store: Path) -> None:
    """Pictures, and below each what is left of it on white."""
    pictures = [paint(draw(seed, kind)) for kind in KINDS for seed in (1, 2)]
    left = [
        np.where(mask[..., None], picture, np.uint8(255))
        for picture, mask in zip(pictures, cut(family, pictures), strict=True)
    ]
    page([pictures, left], store)


def _missed(scores: Tensor, masks: Tensor) -> Tensor:
    """One less the overlap of soft masks."""
    soft = torch.sigmoid(scores)
    both = (soft * masks).sum((1, 2, 3))
    either = (soft + masks).sum((1, 2, 3)) - both
    return (1 - (both + 1) / (either + 1)).mean()


SCHOOL = School(plan=PLAN, prepare=seen.prepare, build=lambda _: U2Net(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
