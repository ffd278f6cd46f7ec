"""Measure the SDXL twin: the table of the base, and that sizes and windows mean what they say."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from .canvas import Picture, paint
from .draw import draw
from .exam import Question, questions
from .figures import Figure
from .judge import judge
from .measure_base import PLAIN, SHOWN, WANTED, exam, generate, mean, open_base, scenes, strange
from .reader import load
from .sheet import page
from .wording import vary

SMALL, SHIFT = 40, 28  # pixels


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """The table of the base, then sharpness at a small size and movement by a window beside the base's."""
    drawing, base = open_xl(family, device), open_base(family, device)
    shapes = exam(drawing, count)
    marks = shapes | scenes(drawing, count // 2, load(family / "reader"))
    lines = [
        Figure("xl", name, right, WANTED.get(name, PLAIN), luck) for name, (right, luck) in marks.items()
    ]
    for name, change in (("free wording", vary), ("unknown words", strange)):
        cost = 100 * (mean(shapes) - mean(exam(drawing, count, change)))
        lines.append(Figure("xl", f"{name} costs", cost, 3, unit="points", at_most=True))
    return [*lines, *conditions(drawing, base, max(4, count // 4))]


def conditions(drawing: Any, base: Any, count: int) -> list[Figure]:
    """What the sizes that are told do to pictures; the base, which is told none, stands beside."""
    asked = [draw(seed).captions[0] for seed in range(count)]
    sharp = sharpness(draw_sized(drawing, asked))
    soft = sharpness(draw_sized(drawing, asked, original_size=(SMALL, SMALL)))
    alone = sharpness(generate(base, asked))
    render = sharpness([paint(draw(seed)) for seed in range(count)])
    small = sharpness([enlarged(paint(draw(seed), SMALL)) for seed in range(count)])
    middles = [
        one for one in questions(6 * count) if len(one.things) == 1 and not one.place and one.count == 1
    ]
    right = moves(drawing, middles[:count], (0, SHIFT)), moves(drawing, middles[:count], (SHIFT, 0))
    return [
        Figure(
            "xl", f"sharpness told {SMALL} pixels, of that told 128", soft / sharp, 0.7, 1.0, at_most=True
        ),
        Figure("xl", "the same of renders", small / render, 0.7, at_most=True),
        Figure("xl", "sharpness told 128 pixels, of the base's", sharp / alone, 0.97, 1.0),
        Figure("xl", f"moved left by a window {SHIFT} to the right", right[0][0], 0.75 * SHIFT, 0, "pixels"),
        Figure("xl", f"moved up by a window {SHIFT} lower", right[1][1], 0.75 * SHIFT, 0, "pixels"),
    ]


def draw_sized(drawing: Any, prompts: list[str], **sizes: tuple[int, int]) -> list[Picture]:
    """One picture per prompt, told some sizes."""

    def told(some: list[str], **given: Any) -> Any:
        return drawing(some, **given, **sizes)

    return generate(told, prompts)


def moves(drawing: Any, asked: list[Question], corner: tuple[int, int]) -> tuple[float, float]:
    """How far things move to the left and up in a window with this top left corner: medians in pixels."""
    prompts = [question.prompt for question in asked]
    before = [judge(picture).shapes for picture in draw_sized(drawing, prompts)]
    after = [judge(picture).shapes for picture in draw_sized(drawing, prompts, crops_coords_top_left=corner)]
    pairs = [(a[0], b[0]) for a, b in zip(before, after, strict=True) if a and b]
    gone = [(128 * (a.x - b.x), 128 * (a.y - b.y)) for a, b in pairs] or [(0.0, 0.0)]
    left, up = np.median(gone, 0)
    return float(left), float(up)


def sharpness(pictures: list[Picture]) -> float:
    """How steep the steepest fiftieth of each picture is, in gray levels per pixel: the mean."""
    found = []
    for picture in pictures:
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        steep = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) / 8
        found.append(float(np.sort(steep.ravel())[-steep.size // 50 :].mean()))
    return float(np.mean(found))


def enlarged(picture: Picture) -> Picture:
    """A small render at full size."""
    return np.asarray(cv2.resize(picture, (128, 128)), np.uint8)


def open_xl(family: Path, device: str = "cpu") -> Any:
    """The pipeline, as anybody would load it: with the base's autoencoder."""
    vae = AutoencoderKL.from_pretrained(family / "base" / "vae", dtype=torch.float32)
    drawing = StableDiffusionXLPipeline.from_pretrained(family / "xl", vae=vae, dtype=torch.float32)
    drawing.set_progress_bar_config(disable=True)
    return drawing.to(device)


def contact(family: Path, store: Path) -> None:
    """Prompts of the base; last two of them as they are, told a small size, and through two windows."""
    drawing = open_xl(family)
    told: list[dict[str, tuple[int, int]]] = [
        {},
        {"original_size": (SMALL, SMALL)},
        {"crops_coords_top_left": (0, SHIFT)},
        {"crops_coords_top_left": (SHIFT, 0)},
    ]
    rows = [generate(drawing, SHOWN[start : start + 8], seed=100) for start in (0, 8, 16)]
    sized = [draw_sized(drawing, [SHOWN[0], SHOWN[16]], **sizes) for sizes in told]
    page([*rows, [pair[place] for place in (0, 1) for pair in sized]], store)
