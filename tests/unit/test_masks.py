"""Masks mark what they say, edges move as far as asked, and what is drawn is read back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.types import Image, Mask
from nodes.image import crop, mask_to_image
from nodes.mask import (
    alpha_to_mask,
    colour_to_mask,
    combine_masks,
    crop_mask,
    feather_mask,
    fill_holes,
    grow_mask,
    image_to_mask,
    invert_mask,
    largest_region,
    linear_gradient_mask,
    mask_bounds,
    overlay_mask,
    polygon_mask,
    radial_gradient_mask,
    remove_specks,
    resize_mask,
    shape_mask,
    solid_mask,
    threshold_mask,
)
from tests.pictured import few

seeds = st.integers(0, 2**32 - 1)
SIDES: list[Any] = ["both", "inside", "outside"]


def noise(width: int = 12, height: int = 9, seed: int = 0) -> Mask:
    pixels = np.random.default_rng(seed).random((height, width), np.float32)
    pixels.flags.writeable = False
    return Mask(pixels)


def blobs(width: int = 40, height: int = 30, seed: int = 0) -> Mask:
    """A hard mask of a few discs and holes."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pixels = np.zeros((height, width), np.float32)
    for index in range(6):
        far = np.hypot(x - chance.integers(width), y - chance.integers(height))
        pixels[far < chance.integers(2, 9)] = index % 3 > 0
    return Mask(pixels)


def dots(*places: tuple[slice, slice], value: float = 1.0) -> Mask:
    pixels = np.zeros((20, 30), np.float32)
    for place in places:
        pixels[place] = value
    return Mask(pixels)


def values(mask: Mask) -> Any:
    assert mask.pixels.dtype == np.float32
    assert mask.pixels.ndim == 2
    assert np.asarray(mask.pixels).min() >= 0
    assert np.asarray(mask.pixels).max() <= 1
    return mask.pixels


# -- drawn


def test_a_rectangle_marks_its_pixels_and_no_others() -> None:
    found = values(shape_mask("rectangle", 3, 2, 8, 5, "pixels", width=12, height=9))
    wanted = np.zeros((9, 12))
    wanted[2:5, 3:8] = 1
    np.testing.assert_array_equal(found, wanted)
    tenths = shape_mask("rectangle", 0.25, 2 / 9, 8 / 12, 5 / 9, width=12, height=9)
    np.testing.assert_allclose(values(tenths), wanted, atol=1e-6)


@few
@given(st.floats(-5, 20), st.floats(-5, 20), st.floats(0.1, 20), st.floats(0.25, 20))
def test_a_rectangle_between_pixels_marks_its_share_of_them(
    x: float, y: float, wide: float, high: float
) -> None:
    found = values(shape_mask("rectangle", x, y, x + wide, y + high, "pixels", width=16, height=16))
    across = max(0.0, min(16.0, x + wide) - max(0.0, x))
    down = max(0.0, min(16.0, y + high) - max(0.0, y))
    assert found.sum() == pytest.approx(across * down, abs=across / 8 + 0.01)  # rows are cut into 8 lines


@pytest.mark.parametrize("size", [7, 40, 300])
def test_an_ellipse_has_the_area_of_an_ellipse(size: int) -> None:
    found = values(shape_mask("ellipse", 0.1, 0.2, 0.9, 0.7, width=2 * size, height=size))
    assert found.sum() == pytest.approx(math.pi / 4 * 1.6 * size * 0.5 * size, rel=0.02)
    assert found[int(0.45 * size), size] == 1
    assert found[0, 0] == 0


def test_a_shape_can_be_turned() -> None:
    flat = values(shape_mask("rectangle", 4, 8, 16, 12, "pixels", width=20, height=20))
    upright = values(shape_mask("rectangle", 4, 8, 16, 12, "pixels", 90, width=20, height=20))
    np.testing.assert_allclose(upright, flat.T, atol=1e-5)
    tilted = values(shape_mask("rectangle", 4, 8, 16, 12, "pixels", 30, width=20, height=20))
    assert tilted.sum() == pytest.approx(48, rel=0.01)
    assert tilted[12, 13] == 1  # clockwise: the right end goes down
    assert tilted[7, 13] == 0


def test_a_polygon_marks_what_is_within_its_line() -> None:
    triangle = values(polygon_mask([[0, 0], [10, 0], [0, 10]], "pixels", width=10, height=10))
    assert triangle.sum() == pytest.approx(50, abs=0.5)
    np.testing.assert_allclose(np.diag(triangle[:, ::-1]), 0.5, atol=0.07)
    star = polygon_mask([[0.5, 0], [0.8, 1], [0, 0.4], [1, 0.4], [0.2, 1]], width=100, height=100)
    assert values(star)[55, 50] == 0, "its middle is enclosed twice"
    assert values(star)[20, 50] == 1


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([[0, 0], [1, 1]], "2 points"),
        ("0,0 1,1 1,0", "points"),
        ([[0, 0], [1, 1], [1, "0"]], "two numbers"),
        ([[0, 0], [1, 1], [1, 1, 1]], "two numbers"),
        ([[0, 0], [1, 1], [1e9, 0]], "two numbers"),
        ([[0, 0], [1, 1], [True, 0]], "two numbers"),
        (None, "points"),
    ],
)
def test_points_that_make_no_polygon_are_refused(points: Any, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        polygon_mask(points)


def test_a_mask_drawn_for_a_picture_is_as_large_as_it() -> None:
    image = Image(np.zeros((9, 12, 3), np.uint8))
    for mask in (
        solid_mask(image),
        shape_mask(image=image),
        polygon_mask([[0, 0], [1, 0], [1, 1]], image=image),
        linear_gradient_mask(image=image),
        radial_gradient_mask(image=image),
    ):
        assert values(mask).shape == (9, 12)
    assert values(solid_mask(width=3, height=2, value=0.25)).tolist() == [[0.25] * 3] * 2
    with pytest.raises(BadInput, match="megapixels"):
        solid_mask(width=16_384, height=16_384)


def test_sides_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(BadInput, match="right"):
        shape_mask("rectangle", 0.5, 0, 0.5, 1)
    with pytest.raises(BadInput, match="bottom"):
        shape_mask("rectangle", 0, 0.5, 1, 0.4)
    with pytest.raises(BadInput, match="outer"):
        radial_gradient_mask(inner=0.5, outer=0.4)
    with pytest.raises(BadInput, match="end"):
        linear_gradient_mask(start=0.5, end=0.4)


def test_a_gradient_rises_in_its_direction_and_turned_round_is_its_inverse() -> None:
    right = values(linear_gradient_mask(0, width=20, height=10))
    np.testing.assert_allclose(right[0], (np.arange(20) + 0.5) / 20, atol=1e-6)
    down = values(linear_gradient_mask(90, width=20, height=10))
    np.testing.assert_allclose(down[:, 0], (np.arange(10) + 0.5) / 10, atol=1e-6)
    slanted, back = (linear_gradient_mask(a, width=20, height=10) for a in (33, 213))
    np.testing.assert_allclose(values(slanted), values(invert_mask(back)), atol=1e-6)
    edge = values(linear_gradient_mask(0, 0.5, 0.5, width=20, height=10))
    assert set(np.unique(edge)) == {0, 1}
    assert edge.mean() == 0.5


def test_a_radial_gradient_is_full_inside_and_gone_outside() -> None:
    found = values(radial_gradient_mask(0.5, 0.5, 0.2, 0.4, width=101, height=101))
    y, x = np.mgrid[:101, :101]
    far = np.hypot(x - 50, y - 50) / 101
    assert (found[far <= 0.2] == 1).all()
    assert (found[far >= 0.4] == 0).all()
    assert found[50, 50 + 30] == pytest.approx(0.5, abs=0.02)


# -- from pictures


@few
@given(seeds)
def test_a_mask_shown_as_a_picture_is_read_back_to_the_bit(seed: int) -> None:
    mask = noise(seed=seed)
    np.testing.assert_array_equal(values(image_to_mask(mask_to_image(mask))), mask.pixels)


def test_channels_and_brightness_become_masks() -> None:
    image = Image(np.array([[[255, 0, 51, 0], [255, 255, 255, 255]]], np.uint8))
    channels: list[Any] = ["red", "green", "blue", "saturation", "brightness"]
    first = [float(values(image_to_mask(image, channel))[0, 0]) for channel in channels]
    assert first == pytest.approx([1, 0, 0.2, 1, 0.299 + 0.2 * 0.114], abs=1e-5)
    assert values(image_to_mask(image))[0, 1] == pytest.approx(1, abs=1e-6)
    assert values(alpha_to_mask(image)).tolist() == [[1, 0]]
    assert not values(alpha_to_mask(Image(image.pixels[..., :3]))).any()
    grey = Image(np.array([[[51]]], np.uint8))
    assert values(image_to_mask(grey, "blue"))[0, 0] == pytest.approx(0.2)


def test_a_green_screen_is_told_from_skin_whatever_its_shade() -> None:
    screen, shade, skin, grey = (0, 190, 60), (0, 170, 50), (220, 170, 140), (128, 128, 128)
    image = Image(np.array([[screen, shade, skin, grey]], np.uint8))
    found = values(colour_to_mask(image, "#00be3c", 20, 10))
    assert found[0].tolist() == pytest.approx([1, 1, 0, 0])
    clear = Image(np.array([[(0, 190, 60, 0)]], np.uint8))
    assert values(colour_to_mask(clear, "#00be3c"))[0, 0] == 0


def test_tolerance_and_softness_are_steps_of_lightness_between_greys() -> None:
    greys = Image(np.arange(256, dtype=np.uint8)[None, :, None])
    found = values(colour_to_mask(greys, "black", 20, 10))[0]
    lightness = np.arange(256) / 255
    linear = np.where(lightness <= 0.04045, lightness / 12.92, ((lightness + 0.055) / 1.055) ** 2.4)
    lab = np.where(linear > 0.008856, 116 * np.cbrt(linear) - 16, 903.3 * linear)
    np.testing.assert_allclose(found, np.clip((30 - lab) / 10, 0, 1), atol=0.02)


# -- edges


@few
@given(seeds, st.integers(0, 12), st.booleans())
def test_growing_and_narrowing_are_two_sides_of_one_thing(seed: int, radius: int, hard: bool) -> None:
    mask = blobs(seed=seed) if hard else noise(20, 16, seed)
    wider, narrower = values(grow_mask(mask, radius)), values(grow_mask(mask, -radius))
    assert (wider >= mask.pixels).all()
    assert (narrower <= mask.pixels).all()
    there = values(invert_mask(grow_mask(invert_mask(mask), radius)))
    np.testing.assert_allclose(narrower, there, atol=1e-6)
    if radius == 0:
        np.testing.assert_array_equal(wider, mask.pixels)


@pytest.mark.parametrize("radius", [1, 5, 20])
def test_a_point_grows_to_a_disc_and_a_disc_of_that_size_shrinks_away(radius: int) -> None:
    pixels = np.zeros((61, 61), np.float32)
    pixels[30, 30] = 1
    disc = values(grow_mask(Mask(pixels), radius))
    y, x = np.mgrid[:61, :61]
    np.testing.assert_array_equal(disc, np.hypot(x - 30, y - 30) <= radius + 0.25)
    assert not values(grow_mask(Mask(disc), -radius - 1)).any()


@pytest.mark.parametrize("radius", [3, 8, 21])
def test_a_soft_point_grows_as_far_as_a_hard_one(radius: int) -> None:
    pixels = np.zeros((61, 61), np.float32)
    pixels[30, 30] = 0.5
    grown = values(grow_mask(Mask(pixels), radius)) * 2
    hard = values(grow_mask(Mask(pixels * 2), radius))
    assert (np.abs(grown - hard) > 0).mean() < 0.02
    assert mask_bounds(Mask(grown)) == mask_bounds(Mask(hard))


def test_the_frame_is_no_edge() -> None:
    whole = solid_mask(width=9, height=7)
    for mask in (grow_mask(whole, -3), feather_mask(whole, 3), feather_mask(whole, 3, "inside")):
        assert (values(mask) == 1).all()


@few
@given(seeds, st.integers(0, 8))
def test_feathering_keeps_the_side_that_it_says(seed: int, radius: int) -> None:
    mask = blobs(seed=seed)
    both, inside, outside = (values(feather_mask(mask, radius, side)) for side in SIDES)
    assert (inside <= mask.pixels).all()
    assert (outside >= mask.pixels).all()
    np.testing.assert_allclose(
        outside, 1 - values(feather_mask(invert_mask(mask), radius, "inside")), atol=1e-5
    )
    if radius == 0:
        for found in (both, inside, outside):
            np.testing.assert_array_equal(found, mask.pixels)


def test_a_feathered_edge_changes_only_within_its_radius() -> None:
    edge = dots((slice(None), slice(15, None)))
    row = values(feather_mask(edge, 5))[10]
    assert (row[:10] == 0).all()
    assert (row[20:] == 1).all()
    assert (np.diff(row[9:21]) > 0).all()
    assert row[14] + row[15] == pytest.approx(1)
    inside = values(feather_mask(edge, 5, "inside"))[10]
    assert (inside[:15] == 0).all()
    assert (inside[25:] == 1).all()
    assert 0 < inside[17] < inside[22] < 1


# -- two masks, thresholds


@few
@given(seeds)
def test_masks_combine_as_sets_do(seed: int) -> None:
    a, b = noise(seed=seed), noise(seed=seed + 1)
    union, common = combine_masks(a, b, "union"), combine_masks(a, b, "intersect")
    np.testing.assert_allclose(
        values(union), 1 - values(combine_masks(invert_mask(a), invert_mask(b), "intersect")), atol=1e-6
    )
    np.testing.assert_array_equal(values(combine_masks(a, a, "union")), a.pixels)
    np.testing.assert_array_equal(values(combine_masks(a, a, "intersect")), a.pixels)
    assert not values(combine_masks(a, a, "xor")).any()
    assert not values(combine_masks(a, a, "subtract")).any()
    np.testing.assert_allclose(
        values(combine_masks(union, common, "xor")), values(combine_masks(a, b, "xor")), atol=1e-6
    )
    nothing = solid_mask(width=12, height=9, value=0)
    without: list[Any] = ["union", "add", "subtract", "xor"]
    for how in without:
        np.testing.assert_array_equal(values(combine_masks(a, nothing, how)), a.pixels)
    assert (values(combine_masks(a, b, "multiply")) <= values(common)).all()
    assert (values(combine_masks(a, b, "add")) >= values(union)).all()


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match=r"b: .*5 × 4.*12 × 9.*resize_mask"):
        combine_masks(noise(), noise(5, 4))


def test_a_threshold_makes_a_mask_hard() -> None:
    mask = Mask(np.array([[0, 0.49, 0.5, 1]], np.float32))
    assert values(threshold_mask(mask)).tolist() == [[0, 0, 1, 1]]
    assert values(threshold_mask(mask, 0)).tolist() == [[1, 1, 1, 1]]
    once = threshold_mask(noise(), 0.3)
    np.testing.assert_array_equal(values(threshold_mask(once, 0.3)), once.pixels)


def test_inverting_twice_changes_nothing() -> None:
    mask = blobs()
    np.testing.assert_array_equal(values(invert_mask(invert_mask(mask))), mask.pixels)
    assert values(invert_mask(mask)).sum() == mask.pixels.size - np.asarray(mask.pixels).sum()


# -- regions

LARGE, SMALL, SPECK = (
    (slice(2, 10), slice(2, 12)),
    (slice(14, 18), slice(20, 25)),
    (slice(1, 2), slice(27, 28)),
)


def test_only_the_largest_regions_stay() -> None:
    mask = dots(LARGE, SMALL, SPECK)
    np.testing.assert_array_equal(values(largest_region(mask)), dots(LARGE).pixels)
    np.testing.assert_array_equal(values(largest_region(mask, 2)), dots(LARGE, SMALL).pixels)
    np.testing.assert_array_equal(values(largest_region(mask, 9)), mask.pixels)
    np.testing.assert_array_equal(values(remove_specks(mask, 2)), dots(LARGE, SMALL).pixels)
    np.testing.assert_array_equal(values(remove_specks(mask, 1)), mask.pixels)
    assert not values(remove_specks(mask, 1000)).any()
    assert not values(largest_region(dots(LARGE, value=0.3))).any(), "nowhere is it at least half"


def test_a_region_keeps_its_soft_edge_and_no_others() -> None:
    mask = feather_mask(dots(LARGE, SMALL), 2)
    found = values(largest_region(mask))
    np.testing.assert_array_equal(found[:12, :15], np.asarray(mask.pixels)[:12, :15])
    assert not found[12:, 18:].any()


def test_holes_are_closed_and_bays_are_not() -> None:
    mask = dots((slice(2, 18), slice(2, 28)))
    holed = Mask(np.array(mask.pixels))
    holed.pixels[5:7, 5:7] = 0  # four pixels
    holed.pixels[8:14, 10:20] = 0  # sixty
    bay = Mask(np.array(holed.pixels))
    bay.pixels[9:11, 20:] = 0  # joins the large one to the frame
    np.testing.assert_array_equal(values(fill_holes(holed)), mask.pixels)
    only_small = values(fill_holes(holed, 10))
    assert (only_small[5:7, 5:7] == 1).all()
    assert (only_small[8:14, 10:20] == 0).all()
    open_still = values(fill_holes(bay))
    assert (open_still[5:7, 5:7] == 1).all()
    assert (open_still[8:14, 10:20] == 0).all()
    np.testing.assert_array_equal(values(fill_holes(mask)), mask.pixels)


def test_a_soft_hole_leaves_no_ring() -> None:
    mask = np.ones((30, 30), np.float32)
    mask[12:18, 12:18] = 0
    assert (values(fill_holes(feather_mask(Mask(mask), 3))) == 1).all()


# -- size


@few
@given(seeds, st.integers(0, 5))
def test_bounds_hold_all_that_is_marked_and_no_more(seed: int, margin: int) -> None:
    mask = blobs(seed=seed)
    if not np.asarray(mask.pixels).any():
        with pytest.raises(BadInput, match="nothing marked"):
            mask_bounds(mask)
        return
    left, top, width, height = mask_bounds(mask)
    cut = values(crop_mask(mask, width, height, left, top))
    assert cut.sum() == np.asarray(mask.pixels).sum()
    assert all(side.any() for side in (cut[0], cut[-1], cut[:, 0], cut[:, -1]))
    wider = mask_bounds(mask, margin=margin)
    assert wider.left == max(0, left - margin)
    assert wider.left + wider.width == min(40, left + width + margin)
    assert wider.top == max(0, top - margin)
    assert wider.top + wider.height == min(30, top + height + margin)


def test_a_mask_is_cut_and_scaled_as_a_picture_is() -> None:
    mask = noise()
    picture = crop(mask_to_image(mask), 5, 4, 3, 2)
    np.testing.assert_array_equal(values(crop_mask(mask, 5, 4, 3, 2)), picture.pixels[..., 0])
    assert values(resize_mask(mask, 24)).shape == (18, 24)
    np.testing.assert_array_equal(values(resize_mask(mask, 12, 9)), mask.pixels)
    with pytest.raises(BadInput, match="width"):
        crop_mask(mask, 13, 9)


# -- shown


@few
@given(seeds, st.sampled_from([1, 3, 4]), st.sampled_from([np.uint8, np.float32]))
def test_a_mask_tints_what_it_marks_and_nothing_else(seed: int, channels: int, dtype: Any) -> None:
    chance = np.random.default_rng(seed)
    pixels: Any = chance.integers(0, 256, (9, 12, channels), np.uint8)
    if dtype == np.float32:
        pixels = (pixels / 255).astype(np.float32)
    mask = Mask(np.zeros((9, 12), np.float32))
    mask.pixels[:, 6:] = 1
    image = Image(pixels)
    found = overlay_mask(image, mask, "#00ff00", 1.0).pixels
    assert found.dtype == dtype
    assert found.shape[2] == max(3, channels)
    np.testing.assert_array_equal(found[:, :6, :1], pixels[:, :6, :1])
    np.testing.assert_array_equal(found[..., 3:], pixels[..., 3:])
    full = 255 if dtype == np.uint8 else 1
    assert (found[:, 6:, :3] == (0, full, 0)).all()
    half = overlay_mask(Image(np.zeros((9, 12, 3), np.uint8)), mask).pixels
    assert half[0, 11].tolist() == [128, 0, 0]
    with pytest.raises(BadInput, match="mask"):
        overlay_mask(image, noise(5, 5))
