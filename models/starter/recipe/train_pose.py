"""Train the pose estimator: the 17 joints of a person, in the layout of ViTPose."""

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    AutoImageProcessor,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessor,
)

from . import seen
from .canvas import Picture, paint
from .draw import draw
from .figures import Figure
from .hogwild import Lesson, Plan
from .outline import floats
from .schooling import School, attend
from .seen import JOINTS, Seen
from .sheet import page
from .train_depth import normal, places
from .wear import generated, unit

PLAN = Plan("pose", 3_300, 1e-3, warm=200, hold=0.4, ema=0.99, weight_decay=0.02)
SIDE, PATCH, WIDTH, LAYERS = 128, 8, 128, 4
HEAT = 64  # side of a heat map
BATCH = 8
_ROUND = 2.0  # radius of a spot, in cells of the heat map
_PADDED = 1.25  # the processor's room around a box
_MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
_BONES = ((5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (11, 12), (5, 11), (6, 12), (11, 13), (13, 15), (12, 14))
Points = NDArray[np.float32]  # (17, 2)
Box = tuple[float, float, float, float]  # left, top, width, height


class Posing(msgspec.Struct):
    """The lesson of the pose estimator: a warm spot on every joint."""

    seen: Seen
    people: NDArray[np.int64]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far the heat maps are from spots on the joints, and the part of warmest cells near them."""
        pairs = [self._crop(rng, int(rng.choice(self.people))) for _ in range(BATCH)]
        shown = normal(generated(rng, unit(np.stack([crop for crop, _ in pairs])))).to(self.device)
        points = np.stack([found for _, found in pairs])
        wanted, counted = (torch.from_numpy(some).to(self.device) for some in spots(points))
        with torch.autocast(self.device, torch.bfloat16):
            heat = model(shown).heatmaps
        heat = heat.float()
        loss = ((heat - wanted).square() * counted[..., None, None]).sum((2, 3)).mean()
        return loss, {"loss": float(loss.detach()), "near": _near(heat.detach().cpu(), points)}

    def _crop(self, rng: np.random.Generator, index: int) -> tuple[Picture, Points]:
        """A person as the processor cuts it out of a loosely drawn box, and its joints in heat cells."""
        known = np.asarray(self.seen.people[index], np.float32)
        joints, (corner, end) = known[:JOINTS], known[JOINTS:]
        box = (0.0, 0.0, 128.0, 128.0)
        if rng.random() < 0.8:
            loose = (end - corner) * rng.uniform(-0.08, 0.08, (2, 2))
            corner, end = corner + loose[0], end + loose[1]
            box = (float(corner[0]), float(corner[1]), *(end - corner).tolist())
        crop, found = cut_out(np.asarray(self.seen.pictures[index]), joints, box)
        if rng.random() < 0.5:
            found = found[_MIRRORED] * (-1, 1) + floats((HEAT - 1, 0))
            crop = crop[:, ::-1]
        return crop, found.astype(np.float32)


def cut_out(picture: Picture, joints: Points, box: Box) -> tuple[Picture, Points]:
    """What the processor shows the model of a box, and the joints in cells of the heat map."""
    side = _PADDED * max(box[2], box[3])
    corner = floats((box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2))
    scale = (SIDE - 1) / side
    move = floats(((scale, 0, -scale * corner[0]), (0, scale, -scale * corner[1])))
    crop = np.asarray(cv2.warpAffine(picture, move, (SIDE, SIDE)), np.uint8)
    return crop, floats((joints - corner) * (HEAT - 1) / side)


def spots(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Heat maps (n, 17, 64, 64) for joints (n, 17, 2), and which of them count: those inside."""
    line = np.arange(HEAT, dtype=np.float32)
    across, down = (np.exp(-((line - points[..., axis, None]) ** 2) / (2 * _ROUND**2)) for axis in (0, 1))
    inside = ((points >= 0) & (points <= HEAT - 1)).all(-1)
    return down[..., :, None] * across[..., None, :], floats(inside)


def new_pose() -> Any:
    """A VitPoseForPoseEstimation of four layers on patches of 8 x 8."""
    backbone = VitPoseBackboneConfig(
        image_size=(SIDE, SIDE),
        patch_size=(PATCH, PATCH),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        out_indices=[LAYERS],
        initializer_range=0.05,
    )
    model = VitPoseForPoseEstimation(
        VitPoseConfig(
            backbone_config=backbone,
            num_labels=JOINTS,
            scale_factor=HEAT * PATCH // SIDE,
            initializer_range=0.05,
        )
    )
    model.backbone.set_attn_implementation("eager")  # for 256 patches the fused one takes longer here
    with torch.no_grad():
        model.backbone.embeddings.position_embeddings.copy_(places(SIDE // PATCH, WIDTH))
        model.head.conv.weight.mul_(0.2)
    return model


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the noted truths."""
    known = seen.load(checkpoints)
    return Posing(known, known.of("person"), device)


def write(_: Path, model: Any, folder: Path) -> None:
    """Write the model in half precision, with its image processor."""
    model.half().save_pretrained(folder)
    VitPoseImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def estimate(folder: Path, pictures: list[Picture], boxes: list[Box], device: str = "cpu") -> list[Points]:
    """The joints of the person in each box."""
    processor = AutoImageProcessor.from_pretrained(folder)
    model = VitPoseForPoseEstimation.from_pretrained(folder, dtype=torch.float32).to(device)
    found: list[Points] = []
    for start in range(0, len(pictures), 16):
        some, around = pictures[start : start + 16], [[list(box)] for box in boxes[start : start + 16]]
        with torch.inference_mode():
            answer = model(**processor(some, boxes=around, return_tensors="pt").to(device))
        ready = processor.post_process_pose_estimation(answer, boxes=around)
        found += [people[0]["keypoints"].numpy() for people in ready]
    return found


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """The part of joints within 4 pixels, from the person's box and from the whole picture.

    Beside it, the part that a mean person standing in the box would have.
    """
    scenes = [draw(seed, "person") for seed in range(count)]
    known = np.stack([seen.person(scene) for scene in scenes])
    joints, corners, ends = known[:, :JOINTS], known[:, JOINTS], known[:, JOINTS + 1]
    boxes = [_box(corner, end) for corner, end in zip(corners, ends, strict=True)]
    pictures = [paint(scene) for scene in scenes]
    inside = np.asarray(((joints >= 0) & (joints <= 128)).all(-1))
    size = (ends - corners)[:, None]
    usual = ((joints - corners[:, None]) / size).mean(0) * size + corners[:, None]
    without = _within(usual, joints, inside)
    found = []
    for name, around in (("its box", boxes), ("the whole picture", [(0.0, 0.0, 128.0, 128.0)] * count)):
        guess = np.stack(estimate(family / PLAN.name, pictures, around, device))
        reached = _within(guess, joints, inside)
        found.append(Figure(PLAN.name, f"joints within 4 px, from {name}", reached, 0.9, without))
    return found


def contact(family: Path, store: Path) -> None:
    """People, and the joints that the model sees."""
    scenes = [draw(seed, "person") for seed in range(16)]
    pictures = [paint(scene) for scene in scenes]
    known = [seen.person(scene) for scene in scenes]
    boxes = [_box(one[JOINTS], one[JOINTS + 1]) for one in known]
    drawn = [
        _bones(*pair) for pair in zip(pictures, estimate(family / PLAN.name, pictures, boxes), strict=True)
    ]
    page([drawn[:8], drawn[8:]], store)


def _within(guess: NDArray[np.float32], joints: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    return float((np.linalg.norm(guess - joints, axis=-1) <= 4)[inside].mean())


def _near(heat: Tensor, points: NDArray[np.float32]) -> float:
    """The part of maps whose warmest cell is within two cells of the joint."""
    best = heat.flatten(2).argmax(2).numpy()
    found = np.stack((best % HEAT, best // HEAT), -1)
    return float((np.linalg.norm(found - points, axis=-1) <= 2).mean())


def _box(corner: NDArray[np.float32], end: NDArray[np.float32]) -> Box:
    left, top, width, height = (float(value) for value in (*corner, *(end - corner)))
    return left, top, width, height


def _bones(picture: Picture, joints: Points) -> Picture:
    drawn = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    dots = [(int(2 * x), int(2 * y)) for x, y in joints]
    for a, b in _BONES:
        cv2.line(drawn, dots[a], dots[b], (255, 255, 255), 2, cv2.LINE_AA)
    for dot in dots:
        cv2.circle(drawn, dot, 3, (220, 30, 30), -1, cv2.LINE_AA)
    return np.asarray(cv2.resize(drawn, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)


SCHOOL = School(plan=PLAN, prepare=seen.prepare, build=lambda _: new_pose(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
