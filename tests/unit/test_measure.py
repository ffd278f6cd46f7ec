"""Measures of pictures whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.types import Image
from nodes.measure import measure_picture


def test_an_even_grey_is_half_bright_and_nothing_else() -> None:
    measures = measure_picture(Image(np.full((8, 8, 3), 0.5, np.float32)))
    assert measures == pytest.approx((0.5, 0, 0, 0))


def test_a_chessboard_has_all_contrast_and_all_sharpness() -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    measures = measure_picture(Image(board.astype(np.uint8)[..., None]))
    assert measures == pytest.approx((0.5, 1, 1, 0))


def test_a_pure_colour_is_saturated_and_as_bright_as_the_eye_sees_it() -> None:
    red = np.zeros((4, 4, 4), np.uint8)
    red[..., 0] = red[..., 3] = 255  # the last channel is opacity, and no colour
    assert measure_picture(Image(red)) == pytest.approx((0.299, 0, 0, 1))


def test_bytes_and_fractions_measure_alike() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    fractions = (pixels / 255).astype(np.float32)
    assert measure_picture(Image(pixels)) == pytest.approx(measure_picture(Image(fractions)), abs=1e-6)


def test_one_pixel_has_no_edges() -> None:
    assert measure_picture(Image(np.full((1, 1, 3), 255, np.uint8))).sharpness == 0


def test_an_edge_between_two_colours_of_one_brightness_is_sharp_too() -> None:
    halves = np.zeros((4, 4, 3), np.float32)
    halves[:, :2] = (0.5, 0, 0)
    halves[:, 2:] = (0, 0.299 / 0.587 / 2, 0)
    measures = measure_picture(Image(halves))
    assert measures.contrast == pytest.approx(0, abs=1e-6)
    assert measures.sharpness > 0.03
