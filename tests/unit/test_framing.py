"""What was found in a picture is framed and named on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.types import Box
from nodes.see import draw_boxes
from tests.pictured import KINDS, noise, plain, same

BOXES = [Box(20, 30, 60, 40, "cat", 0.9), Box(90, 30, 20, 20, "dog", 0.8), Box(90, 60, 20, 20, "cat", 0.7)]


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_frames_lie_within_the_edges_of_any_kind_of_picture(channels: int, dtype: Any) -> None:
    image = noise(120, 100, channels, dtype)
    found = draw_boxes(image, BOXES[:1], names=False)
    assert found.pixels.dtype == dtype
    changed = (np.asarray(found.pixels)[..., :3] != np.asarray(image.pixels)[..., :3]).any(2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 69, 20, 79)
    assert not changed[31:69, 21:79].any(), "what is inside can still be seen"
    if channels == 4:
        assert (np.asarray(found.pixels)[30, 20:80, 3] == (255 if dtype == np.uint8 else 1)).all()


def test_each_name_has_its_colour() -> None:
    pixels: Any = draw_boxes(plain((0, 0, 0), 120, 100), BOXES, names=False).pixels
    cat, dog, other = (tuple(pixels[int(box.top), int(box.left) + 5]) for box in BOXES)
    assert cat == other != dog


def test_names_stand_above_or_within_and_never_outside() -> None:
    image = plain((0, 0, 0), 160, 100)
    named: Any = draw_boxes(image, BOXES[:1]).pixels
    assert named[16:30, 20:40].any()
    at_the_top: Any = draw_boxes(image, [Box(20, 2, 60, 40, "cat", 0.9)]).pixels
    assert at_the_top[3:12, 22:40].any()
    for edge in (Box(150, 95, 10, 5, "a very long name of a thing", 0.5), Box(-9, -9, 400, 400, "all", 0.5)):
        assert draw_boxes(image, [edge]).pixels.shape == (100, 160, 3)


def test_a_box_drawn_by_hand_has_no_name_and_nothing_changes_nothing() -> None:
    image = plain((0, 0, 0), 120, 100)
    by_hand = [Box(20, 30, 60, 40)]
    assert same(draw_boxes(image, by_hand), draw_boxes(image, by_hand, names=False))
    assert same(draw_boxes(image, []), image)


def test_thicker_lines_cover_more() -> None:
    image = plain((0, 0, 0), 400, 320)
    thin, thick = (
        np.asarray(draw_boxes(image, BOXES, line=line, names=False).pixels).any(2).sum() for line in (1, 3)
    )
    assert thick > 2 * thin
