"""Pictures for guides: lines where something begins, as thick as asked, and surfaces that face rightly."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given

from engine.types import Image
from nodes import hints
from nodes.hints import (
    colour_blocks,
    line_art,
    normal_map,
    reduce_detail,
    scribble,
    soft_edges,
    straight_lines,
)
from tests.pictured import few, noise, pictures, plain, same

SIDE = 96


def halves(left: Any, right: Any, dtype: Any = np.uint8) -> Image:
    """Two colours, side by side."""
    pixels = np.empty((SIDE, SIDE, len(left)), dtype)
    pixels[:, : SIDE // 2], pixels[:, SIDE // 2 :] = left, right
    return Image(pixels)


def disc(colour: Any = (230, 150, 40), ground: Any = (40, 90, 200), radius: int = 30) -> Image:
    pixels = np.full((SIDE, SIDE, len(ground)), ground, np.uint8)
    cv2.circle(pixels, (SIDE // 2, SIDE // 2), radius, colour, -1)
    return Image(pixels)


def rings() -> Any:
    """How far each pixel is from the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.hypot(y, x)


def grey(image: Image) -> Any:
    assert image.pixels.dtype == np.uint8
    assert (image.pixels == image.pixels[..., :1]).all()
    return image.pixels[..., 0].astype(int)


# -- edges


def test_an_edge_is_as_strong_as_its_step() -> None:
    found = [
        grey(soft_edges(halves((0,), (level,)), 2.0, gain=1.0))[SIDE // 2, SIDE // 2]
        for level in (64, 128, 255)
    ]
    assert found == pytest.approx([64, 128, 255], rel=0.08)


def test_an_edge_of_equal_brightness_is_seen_by_its_colours() -> None:
    red, grey_of_it = (200, 40, 40), (88, 88, 88)
    found = grey(soft_edges(halves(red, grey_of_it)))
    assert found[40, SIDE // 2] > 150
    assert found[:, : SIDE // 4].max() == 0


def test_soft_edges_are_softer_than_a_line() -> None:
    row = grey(soft_edges(halves((0,), (255,)), 2.0, 1.0))[10]
    assert ((row > 20) & (row < 235)).sum() >= 4


@pytest.mark.parametrize("node", [soft_edges, scribble, straight_lines])
def test_nothing_is_found_where_nothing_is(node: Any) -> None:
    assert grey(node(plain((120, 30, 200), SIDE, SIDE))).max() == 0
    clear = np.concatenate([noise(SIDE, SIDE).pixels, np.zeros((SIDE, SIDE, 1), np.uint8)], 2)
    assert grey(node(Image(clear))).max() == 0, "what cannot be seen has no edges"


# -- lines


def test_a_disc_becomes_one_ring_on_its_rim() -> None:
    ink = grey(line_art(disc(), thickness=1)) < 128
    assert np.abs(rings()[ink] - 30).max() < 3
    count, _ = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    holes, _ = cv2.connectedComponents((~ink).astype(np.uint8), connectivity=4)
    assert (count - 1, holes - 1) == (1, 2), "one closed line: an inside and an outside"


def test_a_dark_stroke_becomes_one_line_in_its_middle() -> None:
    page = np.full((SIDE, SIDE, 3), 250, np.uint8)
    cv2.line(page, (10, 48), (85, 48), (30, 30, 30), 3)
    rows = np.flatnonzero((grey(line_art(Image(page), thickness=1)) < 128)[:, SIDE // 2])
    assert rows.tolist() == [48]


@pytest.mark.parametrize("thickness", [1.0, 2.0, 3.5, 6.0])
def test_every_line_is_as_thick_as_asked(thickness: float) -> None:
    drawn = 255 - grey(line_art(halves((20, 20, 20), (230, 230, 230)), thickness=thickness))
    assert drawn[SIDE // 2].sum() / 255 == pytest.approx(thickness, abs=1.01)
    strong = 255 - grey(line_art(halves((90, 90, 90), (150, 150, 150)), thickness=thickness))
    assert strong[SIDE // 2].sum() == drawn[SIDE // 2].sum(), "also where the contrast is small"


def test_ink_can_be_white() -> None:
    dark = grey(line_art(disc(), ink="black on white"))
    light = grey(line_art(disc(), ink="white on black"))
    assert np.array_equal(dark, 255 - light)
    assert dark.mean() > 200


def test_faint_and_short_lines_are_left_out_as_asked() -> None:
    faint = halves((100, 100, 100), (115, 115, 115))
    assert (grey(line_art(faint, contrast=0.1)) == 255).all()
    assert grey(line_art(faint, contrast=0.03)).min() == 0
    speck = disc(radius=4)
    assert grey(line_art(speck, shortest=4)).min() == 0
    assert (grey(line_art(speck, shortest=60)) == 255).all()


def test_a_scribble_leaves_out_what_is_small_and_is_thick() -> None:
    page = disc().pixels.copy()
    page[4:8:3, 4:90:8] = 255  # specks at the rim
    assert grey(line_art(Image(page), ink="white on black", shortest=2))[:10].max() == 255
    drawn = grey(scribble(Image(page))) > 128
    assert not drawn[:10].any()
    assert drawn.sum() / (2 * np.pi * 30) == pytest.approx(4, rel=0.3)


def test_a_straight_edge_is_found_and_a_disc_is_not() -> None:
    box = np.zeros((SIDE, SIDE, 3), np.uint8)
    box[20:70, 25:80] = 255
    drawn = grey(straight_lines(Image(box), shortest=30)) > 128
    for row, column in ((20, 50), (69, 50), (45, 25), (45, 79)):
        assert drawn[row - 2 : row + 3, column - 2 : column + 3].any(), (row, column)
    assert not drawn[30:60, 35:70].any()
    assert grey(straight_lines(disc(), shortest=30)).max() == 0


# -- areas


def test_detail_goes_and_colour_stays() -> None:
    fine = np.zeros((SIDE, SIDE, 3), np.uint8)
    fine[:, ::2] = (200, 100, 60)
    found = reduce_detail(Image(fine), 8).pixels
    assert found.shape == fine.shape
    assert np.abs(found.astype(int) - (100, 50, 30)).max() <= 1
    broad = halves((200, 20, 20), (20, 200, 20))
    edge = reduce_detail(broad, 4).pixels
    assert np.array_equal(edge[:, :40], broad.pixels[:, :40])
    assert same(reduce_detail(broad, 1), broad)


def test_what_is_clear_lends_no_colour() -> None:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[:, :48], pixels[:, 48:] = (0, 255, 0, 0), (200, 40, 40, 255)
    for node in (reduce_detail, colour_blocks):
        found: Any = node(Image(pixels)).pixels
        seen = found[..., 3] > 200
        assert np.abs(found[seen][:, :3].astype(int) - (200, 40, 40)).max() <= 2


def test_blocks_have_the_colours_of_what_they_cover() -> None:
    image = halves((200, 20, 20), (20, 20, 200))
    assert np.array_equal(colour_blocks(image, 8).pixels, image.pixels)
    y, x = np.mgrid[:SIDE, :SIDE]
    slope = Image(np.stack([2 * x + 20, 2 * y + 20, 128 + 0 * x], 2).astype(np.uint8))
    found = colour_blocks(slope, 20).pixels
    assert 10 <= len(np.unique(found.reshape(-1, 3), axis=0)) <= 30
    assert np.abs(found.mean((0, 1)) - slope.pixels.mean((0, 1))).max() < 1
    assert np.abs(found.astype(int) - slope.pixels).mean() < 15


def test_blocks_of_a_large_picture_are_found_in_a_small_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes._lib import tracing

    image = Image(cv2.resize(disc().pixels, (400, 300)))
    whole = colour_blocks(image, 40).pixels.astype(int)
    monkeypatch.setattr(tracing, "LARGEST", 100 * 75)
    found = colour_blocks(image, 40).pixels.astype(int)
    assert np.abs(found - whole).mean() < 8
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 60


# -- surfaces


def test_a_slope_faces_away_from_what_is_near() -> None:
    rising = np.repeat(np.linspace(0, 1, SIDE, dtype=np.float32)[None, :, None], SIDE, 0)
    found = normal_map(Image(rising), relief=1 - 1 / SIDE, smooth=0).pixels * 2 - 1
    assert found.dtype == np.float32
    half = 1 / np.sqrt(2)  # as steep as wide: 45 degrees
    np.testing.assert_allclose(found[48, 48], (-half, 0, half), atol=1e-4)
    turned = Image(np.ascontiguousarray(rising.transpose(1, 0, 2)))
    upwards = normal_map(turned, relief=1 - 1 / SIDE, smooth=0)
    np.testing.assert_allclose(upwards.pixels[48, 48] * 2 - 1, (0, half, half), atol=1e-4)


def test_a_ball_faces_every_way() -> None:
    height = np.sqrt(np.clip(1 - (rings() / 40) ** 2, 0, 1)).astype(np.float32)[..., None]
    found = normal_map(Image(height), relief=40 / SIDE).pixels
    left, right, top, bottom = found[48, 28], found[48, 68], found[28, 48], found[68, 48]
    assert right[0] > 0.6 > 0.4 > left[0]
    assert top[1] > 0.6 > 0.4 > bottom[1]
    turned = normal_map(Image(height), relief=40 / SIDE, red="left", green="down").pixels
    np.testing.assert_allclose(turned[48, 28], (1 - left[0], 1 - left[1], left[2]), atol=1e-6)


def test_a_plain_wall_is_light_blue() -> None:
    assert (normal_map(plain((90,), SIDE, SIDE)).pixels == (128, 128, 255)).all()
    assert (normal_map(noise(SIDE, SIDE), relief=0).pixels == (128, 128, 255)).all()


@few
@given(pictures())
def test_every_picture_has_hints_of_its_size(image: Image) -> None:
    for node in (soft_edges, line_art, scribble, straight_lines, reduce_detail, colour_blocks, normal_map):
        found = node(image)
        assert (found.width, found.height) == (image.width, image.height), node.__name__
        assert found.pixels.shape[2] in (1, 3, 4)
        if node in (reduce_detail, colour_blocks):
            assert found.pixels.dtype == image.pixels.dtype
            assert found.pixels.shape == image.pixels.shape


def test_the_inputs_are_not_changed() -> None:
    image = noise(SIDE, SIDE, 4)
    before = image.pixels.copy()
    for name in ("soft_edges", "line_art", "colour_blocks", "normal_map", "reduce_detail"):
        getattr(hints, name)(image)
    assert np.array_equal(image.pixels, before)
