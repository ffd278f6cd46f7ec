"""What models see in pictures: how near things are, people's joints, things and their outlines."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.context import SILENT, Context
from engine.errors import BadInput, Unsupported
from engine.types import Box, Image, Mask, Pose
from nodes._lib.arrays import array
from nodes._lib.skeletons import JOINTS
from nodes._lib.transformer import Trained, seen

DISTANCE = {"depth_pro", "glpn", "zoedepth"}
"""Layouts whose large values are far away; those of all others are near."""
AT_ONCE = 8
"""People whose joints are looked for at once."""
EXPERT = 0
"""Of the experts of a ViTPose++: the one for people, as COCO marks them."""


# -- depth


class Near(NamedTuple):
    """How near everything is, and what the model really said."""

    pixels: NDArray[np.float32]
    """Height × width: 1 is the nearest, 0 the farthest"""
    nearest: float
    farthest: float


def near(held: Trained, image: Image) -> Near:
    """The nearness of every pixel."""
    values = array(depth(held, image)).astype(np.float32)
    least, most = float(values.min()), float(values.max())
    spread = (values - np.float32(least)) / np.float32(max(most - least, 1e-9))
    return Near(1 - spread, least, most) if is_distance(held) else Near(spread, most, least)


def depth(held: Trained, image: Image) -> torch.Tensor:
    """What the model says of every pixel, as large as the picture."""
    size = [(image.height, image.width)]
    read = held.senses.post_process_depth_estimation
    sizes = {
        name: size for name in ("source_sizes", "target_sizes") if name in inspect.signature(read).parameters
    }
    with torch.inference_mode():
        answer = held.module(**held.given(images=seen(image)))
        found: torch.Tensor = read(answer, **sizes)[0]["predicted_depth"]
    return found


def is_distance(held: Trained) -> bool:
    config = held.module.config
    return config.model_type in DISTANCE or getattr(config, "depth_estimation_type", "") == "metric"


# -- poses


def poses(
    held: Trained, image: Image, boxes: Sequence[Box], thrift: int = 0, ctx: Context = SILENT
) -> list[Pose]:
    """The joints of the person in each box."""
    if held.module.config.num_labels != JOINTS:
        text = f"This model finds {held.module.config.num_labels} joints, not the {JOINTS} of COCO."
        raise Unsupported(text, remedy="Choose a ViTPose that was trained on COCO.")
    rows = [[box.left, box.top, box.width, box.height] for box in boxes]
    step = max(1, AT_ONCE >> thrift)
    found: list[Pose] = []
    for start in ctx.track(range(0, len(rows), step)):
        found += some_poses(held, image, [rows[start : start + step]])
    return found


def some_poses(held: Trained, image: Image, boxes: list[list[list[float]]]) -> list[Pose]:
    given = held.given(images=seen(image), boxes=boxes)
    if getattr(held.module.config.backbone_config, "num_experts", 1) > 1:
        given["dataset_index"] = torch.full((len(boxes[0]),), EXPERT, device=held.module.device)
    with torch.inference_mode():
        answer = held.module(**given)
    answer.heatmaps = answer.heatmaps.float()
    people = held.senses.post_process_pose_estimation(answer, boxes=boxes)[0]
    return [
        Pose(array(one["keypoints"]), np.clip(array(one["scores"]), 0, 1), image.width, image.height)
        for one in people
    ]


# -- things


def things(held: Trained, image: Image, names: Sequence[str], least: float) -> list[Box]:
    """What is found, the surest first; only things of these names, if there are any."""
    wanted = {known(held, name) for name in names}
    size = [(image.height, image.width)]
    with torch.inference_mode():
        answer = held.module(**held.given(images=seen(image)))
        found = held.senses.post_process_object_detection(answer, threshold=least, target_sizes=size)[0]
    boxes = [
        boxed(held.labels[int(label)], float(score), corners.tolist(), image)
        for score, label, corners in zip(found["scores"], found["labels"], found["boxes"], strict=True)
        if not wanted or int(label) in wanted
    ]
    return sorted((box for box in boxes if box.width and box.height), key=lambda box: -box.score)


def boxed(label: str, score: float, corners: list[float], image: Image) -> Box:
    """A box within the picture, from its corners."""
    left, right = (min(max(value, 0.0), float(image.width)) for value in corners[0::2])
    top, bottom = (min(max(value, 0.0), float(image.height)) for value in corners[1::2])
    return Box(left, top, max(0.0, right - left), max(0.0, bottom - top), label, score)


def known(held: Trained, name: str) -> int:
    """The number of a class by its name, or by one of several names that it has."""
    numbers = {
        part.strip().lower(): index for index, label in held.labels.items() for part in label.split(",")
    }
    if (found := numbers.get(name.strip().lower())) is not None:
        return found
    near = difflib.get_close_matches(name.lower(), numbers, 5, 0.5) or sorted(numbers)[:20]
    raise BadInput("names", got=name, want=f"what the model knows, such as: {', '.join(near)}")


# -- areas


class Parsed(NamedTuple):
    """What the pixels of a picture belong to."""

    image: Image
    names: list[str]
    masks: list[Mask]
    shares: list[float]


def parsed(held: Trained, image: Image, names: Sequence[str], least: float) -> Parsed:
    """The areas of a picture, the largest first, or those of the given names in their order."""
    size = [(image.height, image.width)]
    wanted = [known(held, name) for name in names]
    with torch.inference_mode():
        answer = held.module(**held.given(images=seen(image)))
        found = held.senses.post_process_semantic_segmentation(answer, target_sizes=size)[0]
    map = found.cpu().numpy().astype(np.int64)
    counts = dict(zip(*(part.tolist() for part in np.unique(map, return_counts=True)), strict=True))
    shares = {index: count / map.size for index, count in counts.items() if index in held.labels}
    largest = sorted((index for index in shares if shares[index] >= least), key=lambda index: -shares[index])
    order = wanted or largest
    return Parsed(
        Image(PALETTE[np.where(map < 0, 255, map % 256)]),
        [held.labels[index] for index in order],
        [Mask((map == index).astype(np.float32)) for index in order],
        [shares.get(index, 0.0) for index in order],
    )


def palette() -> NDArray[np.uint8]:
    """256 colours that are far apart, as the PASCAL VOC challenge numbers them: bits spread over channels."""
    numbers = np.arange(256)
    found = np.zeros((256, 3), np.uint8)
    for round in range(8):
        for channel in range(3):
            found[:, channel] |= (((numbers >> (3 * round + channel)) & 1) << (7 - round)).astype(np.uint8)
    return found


PALETTE = palette()


class Outlined(NamedTuple):
    """What was pointed at."""

    mask: Mask
    score: float


def outlined(held: Trained, image: Image, points: Any, signs: list[int], box: Box | None) -> Outlined:
    """The best outline of what lies at points (x and y in pixels; sign 1) and not at others (0)."""
    asked: dict[str, Any] = {}
    if points:
        asked = {"input_points": [[points]], "input_labels": [[signs]]}
    if box is not None:
        asked["input_boxes"] = [[[box.left, box.top, box.left + box.width, box.top + box.height]]]
    given = held.given(images=seen(image), **asked)
    with torch.inference_mode():
        answer = held.module(**given, multimask_output=True)
    sizes = [given[name].cpu() for name in ("original_sizes", "reshaped_input_sizes") if name in given]
    masks = held.senses.post_process_masks(answer.pred_masks.float().cpu(), *sizes)[0][0]
    scores = answer.iou_scores[0, 0].float().cpu()
    best = int(scores.argmax())
    return Outlined(Mask(masks[best].numpy().astype(np.float32)), float(scores[best]))
