"""Faces found in pictures: by the ONNX files that OpenCV reads, or by facexlib's RetinaFace."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.types import Box, Face, Image
from engine.weights import ONNX
from nodes._lib import pictures

Rows = NDArray[np.float32]
"""A row for each face: left, top, width, height, five marks, score."""
OVERLAP = 0.3
"""Of two faces that overlap by more the surer one counts."""
BACKBONES = {"body.conv1.weight": "resnet50", "body.stage1.0.0.weight": "mobile0.25"}


@dataclass(frozen=True)
class Yunet:
    """A network with outputs as those of YuNet, which OpenCV runs."""

    weights: bytes

    def __call__(self, picture: Any, sure: float) -> Rows:
        """A new detector each time: one holds the size of its picture, and is not to be shared."""
        size = picture.shape[1], picture.shape[0]
        detector = cv2.FaceDetectorYN.create(
            "onnx", np.frombuffer(self.weights, np.uint8), np.zeros(0, np.uint8), size, sure, OVERLAP
        )
        _, rows = detector.detect(picture)
        return np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)


@dataclass(frozen=True)
class Retina:
    """A RetinaFace of facexlib."""

    module: Any

    def __call__(self, picture: Any, sure: float) -> Rows:
        with torch.inference_mode():
            found = np.asarray(self.module.detect_faces(picture, sure, OVERLAP), np.float32)
        boxes = np.concatenate([found[:, :2], found[:, 2:4] - found[:, :2]], 1)
        return np.concatenate([boxes, found[:, 5:], found[:, 4:5]], 1)


def load(file: ModelFile, device: str) -> Yunet | Retina:
    """A finder in either layout."""
    if file.path.suffix.lower() == ONNX:
        return Yunet(file.path.read_bytes())
    state = {name.removeprefix("module."): value for name, value in load_file(file.path).items()}
    kind = next((kind for name, kind in BACKBONES.items() if name in state), "")
    if not kind:
        raise unknown(file)
    from facexlib.detection.retinaface import RetinaFace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was written for an older torchvision
        module = RetinaFace(kind, device=torch.device(device))
    try:
        module.load_state_dict(state)
    except RuntimeError:
        raise unknown(file) from None
    return Retina(module.requires_grad_(False).eval())


def unknown(file: ModelFile) -> Unsupported:
    return Unsupported(
        f"{file.name!r} is no face finder that is known.",
        remedy="Use an ONNX file with the outputs of YuNet, or facexlib's RetinaFace as .safetensors.",
    )


def faces(finder: Callable[[Any, float], Rows], image: Image, sure: float, sight: int) -> list[Face]:
    """The faces of a picture, the largest first; it is looked at no larger than `sight`."""
    pixels = np.ascontiguousarray(pictures.bytes_of(pictures.rgb(image))[..., ::-1])
    scale = min(1, sight / max(image.width, image.height))
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    across, down = image.width / pixels.shape[1], image.height / pixels.shape[0]
    rows = finder(pixels, sure)
    rows = rows[np.isfinite(rows).all(1) & (rows[:, 2:4] > 0).all(1)]
    rows[:, :14] *= np.tile(np.array((across, down), np.float32), 7)
    order = np.argsort(-rows[:, 2] * rows[:, 3], kind="stable")
    return [face(row) for row in rows[order]]


def face(row: Rows) -> Face:
    left, top, width, height = (float(value) for value in row[:4])
    marks = np.ascontiguousarray(row[4:14].reshape(5, 2))
    return Face(left, top, width, height, "face", float(row[14]), marks)


def within(finder: Callable[[Any, float], Rows], image: Image, box: Box, sure: float, sight: int) -> Box:
    """The face in a box, with its marks if they can be found there."""
    spare = max(box.width, box.height) / 2
    left, top = max(0, int(box.left - spare)), max(0, int(box.top - spare))
    right = min(image.width, int(box.left + box.width + spare) + 1)
    bottom = min(image.height, int(box.top + box.height + spare) + 1)
    part = pictures.cut(image, left, top, max(1, right - left), max(1, bottom - top))
    for found in faces(finder, part, sure, sight):
        x, y = found.left + found.width / 2 + left, found.top + found.height / 2 + top
        if 0 <= x - box.left <= box.width and 0 <= y - box.top <= box.height and found.marks is not None:
            marks = np.asarray(found.marks, np.float32) + np.array((left, top), np.float32)
            return Face(box.left, box.top, box.width, box.height, box.label, box.score, marks)
    return box
