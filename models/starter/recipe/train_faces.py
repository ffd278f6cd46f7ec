"""Train the face finder: boxes and landmarks of faces, in the layout that OpenCV's FaceDetectorYN reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import seen
from .canvas import Picture, paint
from .draw import KINDS, draw
from .export import export
from .figures import Figure
from .finder import NAMES, STRIDES, Finder
from .hogwild import Lesson, Plan
from .outline import floats
from .schooling import School, attend
from .seen import MARKS, Seen, face_box, landmarks
from .sheet import page
from .wear import blurred, noisy

PLAN = Plan("faces", 10_000, 2e-3, warm=100, hold=0.3, ema=0.99, weight_decay=1e-3)
BATCH = 6
SIZES = (96, 128, 160, 192, 256)
LIMITS = (28, 96)  # widths of faces from which the next coarser grid is asked
FILE = "face-finder.onnx"
SURE = 0.6
_CORE = 0.3  # half the width of the middle of a face whose cells answer, in widths
_FACES = 0.75  # part of the pictures with a face or a person
Marks = NDArray[np.float32]  # (faces, 5, 2)


class Finding(msgspec.Struct):
    """The lesson of the face finder: which cells hold a face, and where it is."""

    seen: Seen
    faces: NDArray[np.int64]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How wrong the cells are about faces, and how far off boxes and marks of faces are."""
        size = int(rng.choice(SIZES))
        pages = [self._page(rng, size) for _ in range(BATCH)]
        shown = torch.from_numpy(np.stack([picture for picture, _ in pages])).permute(0, 3, 1, 2).float()
        shown = shown.contiguous(memory_format=torch.channels_last).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            grids = [grid.float() for grid in model.grids(shown)]
        scores, places, wanted = _matched(grids, [marks for _, marks in pages], size)
        away = functional.smooth_l1_loss(places, wanted, beta=0.1) if len(places) else scores.sum() * 0
        return scores.sum() / max(1, len(places)) + 2 * away, {
            "score": float(scores.detach().sum()) / max(1, len(places)),
            "away": float(away.detach()),
        }

    def _page(self, rng: np.random.Generator, size: int) -> tuple[Picture, Marks]:
        """One picture or four on a page, BGR, and the faces on it."""
        many = 2 if rng.random() < 0.35 else 1
        side = size // many
        canvas, marks = np.zeros((size, size, 3), np.uint8), []
        for y in range(0, size, side):
            for x in range(0, size, side):
                picture, found = self._one(rng, side)
                canvas[y : y + side, x : x + side] = picture
                marks.append(found + floats((x, y)))
        worn = blurred(canvas, float(rng.uniform(0.4, 1.2))) if rng.random() < 0.4 else canvas
        worn = noisy(rng, worn, float(rng.uniform(1, 8))) if rng.random() < 0.3 else worn
        return np.ascontiguousarray(worn[..., ::-1]), np.concatenate(marks)

    def _one(self, rng: np.random.Generator, side: int) -> tuple[Picture, Marks]:
        index = int(rng.choice(self.faces) if rng.random() < _FACES else rng.integers(len(self.seen.faces)))
        picture, marks = np.asarray(self.seen.pictures[index]), np.asarray(self.seen.faces[index], np.float32)
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
            marks = marks[[1, 0, 2, 4, 3]] * floats((-1, 1)) + floats((128, 0))
        way = cv2.INTER_AREA if side < 128 else cv2.INTER_CUBIC
        picture = cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=way)
        return picture, marks[None][~np.isnan(marks[None, :, 0]).any(1)] * np.float32(side / 128)


def _matched(grids: Sequence[Tensor], pages: Sequence[Marks], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of every cell's scores; then what the cells of faces say of boxes and marks, and the truth."""
    scores, places, wanted = [], [], []
    for level, (grid, stride) in enumerate(zip(grids, STRIDES, strict=True)):
        holds = torch.zeros(grid.shape[0], *grid.shape[2:])
        for row, marks in enumerate(pages):
            for one in marks:
                for y, x, said in _cells(one, level, stride, size):
                    holds[row, y, x] = 1
                    places.append(grid[row, 2:, y, x])
                    wanted.append(torch.from_numpy(said))
        goal = holds.to(grid.device)
        for channel in (0, 1):
            plain = functional.binary_cross_entropy_with_logits(grid[:, channel], goal, reduction="none")
            hard = (torch.sigmoid(grid[:, channel].detach()) - goal).abs()
            scores.append((plain * hard.square()).sum())
    if not places:
        return torch.stack(scores), torch.zeros(0), torch.zeros(0)
    return torch.stack(scores), torch.stack(places), torch.stack(wanted).to(places[0].device)


def _cells(
    marks: NDArray[np.float32], level: int, stride: int, size: int
) -> list[tuple[int, int, NDArray[np.float32]]]:
    """The cells of a grid that answer for a face: row, column, and what they must say."""
    box = face_box(marks)
    width = float(box[2] - box[0])
    if level != sum(width >= limit for limit in LIMITS):
        return []
    middle = (box[:2] + box[2:]) / 2
    found = []
    for y in range(size // stride):
        for x in range(size // stride):
            off = np.abs(floats((x + 0.5, y + 0.5)) * stride - middle)
            if off.max() <= max(_CORE * width, stride / 2):
                corner = floats((x, y))
                shape = np.log((box[2:] - box[:2]) / stride)
                spots = (marks / stride - corner).ravel()
                found.append(
                    (y, x, np.concatenate((middle / stride - corner, shape, spots)).astype(np.float32))
                )
    return found


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the noted truths."""
    known = seen.load(checkpoints)
    return Finding(known, known.of("face", "person"), device)


def write(_: Path, net: Any, folder: Path) -> None:
    """Write the finder as ONNX, for pictures whose sides are multiples of 32."""
    free = {"input": {2: "height", 3: "width"}, **{name: {1: "cells"} for name in NAMES}}
    export(net, torch.zeros(1, 3, 128, 128), folder / FILE, given="input", answers=NAMES, free=free)


def find(family: Path, pictures: Sequence[Picture], sure: float = SURE) -> list[NDArray[np.float32]]:
    """What OpenCV finds with the model: per picture (faces, 15) of left, top, width, height, marks, score."""
    found = []
    for picture in pictures:
        size = picture.shape[1], picture.shape[0]
        finder = cv2.FaceDetectorYN.create(str(family / PLAN.name / FILE), "", size, sure, 0.3)
        _, faces = finder.detect(np.ascontiguousarray(picture[..., ::-1]))
        found.append(np.zeros((0, 15), np.float32) if faces is None else faces)
    return found


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """Recall and precision on scenes of all kinds, and how far off the marks of found faces are.

    Beside them, what a finder would reach that sees one face of the usual size in the middle of everything.
    """
    scenes = [draw(seed, kind) for kind in KINDS for seed in range(max(1, count // 2))]
    truths = [marks[None][~np.isnan(marks[None, :, 0]).any(1)] for marks in map(landmarks, scenes)]
    found = find(family, [paint(scene) for scene in scenes])
    middle = floats([[28, 34, 72, 72, *[64] * 10, 1]])
    recall, precision, off = marked(found, truths)
    luck = marked([middle] * len(scenes), truths)
    name = PLAN.name
    return [
        Figure(name, "recall", recall, 0.95, luck[0]),
        Figure(name, "precision", precision, 0.95, luck[1]),
        Figure(name, "marks off, in distances of the eyes", off, 0.1, luck[2], at_most=True),
    ]


def marked(found: Sequence[NDArray[np.float32]], truths: Sequence[Marks]) -> tuple[float, float, float]:
    """Recall and precision at half overlap, and the mean distance of marks in distances of the eyes."""
    right = said = there = 0
    off: list[float] = []
    for faces, marks in zip(found, truths, strict=True):
        said, there = said + len(faces), there + len(marks)
        open_ = list(marks)
        for face in sorted(faces, key=lambda one: -float(one[14])):
            fits = [overlap(face, face_box(one)) for one in open_]
            if fits and max(fits) >= 0.5:
                one = open_.pop(int(np.argmax(fits)))
                right += 1
                off.append(
                    float(np.linalg.norm(face[4:14].reshape(MARKS, 2) - one, axis=1).mean())
                    / float(np.linalg.norm(one[1] - one[0]))
                )
    return right / max(1, there), right / max(1, said), float(np.mean(off)) if off else 1.0


def overlap(face: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Intersection over union of a found face and a box by its corners."""
    corner, end = face[:2], face[:2] + face[2:4]
    both = np.maximum(0, np.minimum(end, box[2:]) - np.maximum(corner, box[:2])).prod()
    return float(both / (face[2] * face[3] + (box[2:] - box[:2]).prod() - both))


def contact(family: Path, store: Path) -> None:
    """Faces and people, with what is found."""
    pictures = [paint(draw(seed, kind)) for kind in ("face", "person") for seed in range(8)]
    drawn = [_drawn(*pair) for pair in zip(pictures, find(family, pictures), strict=True)]
    page([drawn[:8], drawn[8:]], store)


def _drawn(picture: Picture, faces: NDArray[np.float32]) -> Picture:
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    for face in faces:
        left, top, width, height = (int(2 * value) for value in face[:4])
        cv2.rectangle(large, (left, top), (left + width, top + height), (255, 255, 255), 2)
        for x, y in face[4:14].reshape(MARKS, 2):
            cv2.circle(large, (int(2 * x), int(2 * y)), 3, (220, 30, 30), -1, cv2.LINE_AA)
    return np.asarray(cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)


SCHOOL = School(plan=PLAN, prepare=seen.prepare, build=lambda _: Finder(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
