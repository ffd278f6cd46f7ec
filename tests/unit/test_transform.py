"""Pictures are turned, padded, cut and scaled to the shape that was asked for, and come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.types import Image
from nodes.image import crop
from nodes.transform import (
    aspect_size,
    crop_to_aspect,
    crop_to_mask,
    flip,
    letterbox,
    pad,
    pad_to_aspect,
    resize_by,
    resize_to_megapixels,
    resize_to_multiple,
    resize_to_side,
    rotate,
)
from tests.pictured import KINDS, few, mask_of, noise, pictures, plain, same

room = st.integers(0, 9)


def size(image: Image) -> tuple[int, int]:
    return image.width, image.height


# -- rotate and flip


@few
@given(pictures())
def test_quarter_turns_move_every_pixel_and_change_none(image: Image) -> None:
    right = rotate(image, 90).image
    assert size(right) == (image.height, image.width)
    assert same(Image(right.pixels[:, -1]), Image(image.pixels[0])), "the top row is now on the right"
    back = rotate(rotate(right, 90).image, -180).image
    assert same(back, image)
    assert same(rotate(image, 0).image, image)
    assert same(rotate(image, -270).image, right)


@few
@given(pictures())
def test_two_flips_are_none_and_both_flips_are_half_a_turn(image: Image) -> None:
    across, down = flip(image, "horizontal"), flip(image, "vertical")
    assert same(Image(across.pixels[:, 0]), Image(image.pixels[:, -1]))
    assert same(flip(across, "horizontal"), image)
    assert same(flip(down, "vertical"), image)
    assert same(flip(across, "vertical"), rotate(image, 180).image)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_a_turned_picture_lies_whole_in_a_larger_frame(channels: int, dtype: Any) -> None:
    level = 200 if dtype == np.uint8 else 0.8
    found, mask = rotate(plain((level,) * channels, 40, 20, dtype), 30)
    assert size(found) == (45, 38)
    assert found.pixels.shape[2] == 4
    assert found.pixels.dtype == dtype
    assert found.pixels[19, 22, 0] == pytest.approx(level)
    assert (found.pixels[0, 0, 3], mask.pixels[0, 0], mask.pixels[19, 22]) == (0, 1, 0)
    assert (1 - mask.pixels).sum() == pytest.approx(40 * 20, rel=0.01), "its area stays"


def test_rotation_is_clockwise() -> None:
    pixels = np.zeros((41, 41, 1), np.uint8)
    pixels[:20, 18:23] = 255  # a hand at twelve o'clock
    found = rotate(Image(pixels), 45, expand=False, fill="black").image
    assert found.pixels.shape == (41, 41, 1)
    assert found.pixels[10, 30, 0] > 250
    assert found.pixels[10, 10, 0] < 5


def test_empty_corners_take_the_fill_without_a_dark_rim() -> None:
    found = rotate(plain((255, 255, 255), 30, 30), 20, fill="white").image
    assert found.pixels.shape[2] == 3
    assert found.pixels.min() == 255
    clear = rotate(plain((200, 100, 50), 30, 30), 20).image.pixels
    seen = clear[clear[..., 3].astype(int) > 20][:, :3].astype(int)
    assert np.abs(seen - (200, 100, 50)).max() <= 1, "half transparent pixels keep the colour"


def test_a_turn_without_expanding_keeps_the_size() -> None:
    image = noise(30, 20)
    assert size(rotate(image, 33, expand=False).image) == (30, 20)
    quarter, mask = rotate(image, 90, expand=False, fill="red")
    assert size(quarter) == (30, 20)
    assert tuple(quarter.pixels[0, 0]) == (255, 0, 0)
    assert mask.pixels.sum() == 30 * 20 - 20 * 20


def test_there_and_back_again_is_almost_the_same() -> None:
    y, x = np.mgrid[0:64, 0:64] / 10
    image = Image((np.sin(x) * np.cos(y) / 2 + 0.5).astype(np.float32)[..., None])
    back = rotate(rotate(image, 25, expand=False, fill="gray").image, -25, expand=False, fill="gray").image
    assert np.abs(back.pixels.astype(float) - image.pixels)[20:44, 20:44].max() < 0.01


# -- pad


@few
@given(
    pictures(), st.tuples(room, room, room, room), st.sampled_from(["colour", "edge", "reflect"]),
    st.sampled_from(["red", "gray", "transparent", "#12345678"]), room,
)  # fmt: skip
def test_a_crop_of_a_padded_picture_is_the_picture(
    image: Image, sides: tuple[int, int, int, int], fill: Any, colour: str, feather: int
) -> None:
    left, top, right, bottom = sides
    found, mask = pad(image, left, top, right, bottom, fill, colour, feather)
    assert size(found) == (image.width + left + right, image.height + top + bottom)
    assert mask.pixels.shape == found.pixels.shape[:2]
    back = crop(found, image.width, image.height, left, top)
    channels = image.pixels.shape[2]
    assert np.array_equal(back.pixels[..., :channels], image.pixels) or channels == 1
    assert np.array_equal(back.pixels[..., 0], image.pixels[..., 0])
    outside = np.ones(mask.pixels.shape, bool)
    outside[top : top + image.height, left : left + image.width] = False
    assert (mask.pixels[outside] == 1).all()
    if not feather:
        assert not mask.pixels[~outside].any()


def test_each_way_to_fill_does_what_it_says() -> None:
    image = Image(np.array([[[10], [20], [30]]], np.uint8))
    row = {fill: pad(image, 2, 0, 2, 0, fill, "white").image.pixels[0, :, 0].tolist() for fill in FILLS}
    assert row["edge"] == [10, 10, 10, 20, 30, 30, 30]
    assert row["reflect"] == [30, 20, 10, 20, 30, 20, 10]
    assert row["colour"] == [255, 255, 10, 20, 30, 255, 255]


FILLS: tuple[Any, ...] = ("edge", "reflect", "colour")


def test_a_picture_gets_the_channels_that_the_colour_needs() -> None:
    grey = plain((7,))
    assert [pad(grey, 1, colour=c).image.pixels.shape[2] for c in ("gray", "red", "transparent")] == [1, 3, 4]
    clear = pad(plain((7, 8, 9)), left=1, colour="transparent").image.pixels
    assert (clear[0, 0, 3], clear[0, 1, 3]) == (0, 255)


def test_the_mask_fades_into_the_picture_on_padded_sides_only() -> None:
    mask = pad(plain((7,), 20, 10), left=3, feather=4).mask.pixels
    assert mask[5, :8].tolist() == pytest.approx([1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])
    assert not mask[:, 8:].any()


@few
@given(
    pictures(2),
    st.sampled_from(["1:1", "4:3", "16:9", "9:16", "2.39:1"]),
    st.sampled_from(["top left", "right"]),
)
def test_padding_to_an_aspect_adds_and_never_cuts(image: Image, aspect: Any, anchor: Any) -> None:
    found, mask = pad_to_aspect(image, aspect, anchor)
    width, height = map(float, aspect.split(":"))
    assert found.width >= image.width
    assert found.height >= image.height
    assert image.width == found.width or image.height == found.height
    assert found.width * height == pytest.approx(found.height * width, abs=max(width, height))
    assert (mask.pixels == 0).sum() == image.width * image.height
    inner = found.pixels[:, :, 0][mask.pixels == 0].reshape(image.pixels.shape[:2])
    assert np.array_equal(inner, image.pixels[..., 0])


@few
@given(pictures(), st.integers(1, 40), st.integers(1, 40))
def test_a_letterboxed_picture_has_the_size_and_lies_whole_in_it(
    image: Image, width: int, height: int
) -> None:
    found, mask = letterbox(image, width, height, colour="blue")
    assert size(found) == (width, height)
    inside = np.argwhere(mask.pixels == 0)
    high, wide = inside.max(0) - inside.min(0) + 1
    assert wide == width or high == height
    assert wide / image.width == pytest.approx(high / image.height, abs=1 / min(image.width, image.height))


def test_bars_are_where_the_picture_is_not() -> None:
    found, mask = letterbox(plain((255,), 40, 20), 40, 40)
    assert found.pixels.shape == (40, 40, 1)
    assert found.pixels[:, 0, 0].tolist() == [0] * 10 + [255] * 20 + [0] * 10
    assert (mask.pixels == (found.pixels[..., 0] == 0)).all()
    top = letterbox(plain((255,), 40, 20), 40, 40, anchor="top")
    assert top.image.pixels[:20].min() == 255


def test_scaling_may_be_limited() -> None:
    small = noise(10, 10)
    assert (letterbox(small, 30, 30, "shrink").mask.pixels == 0).sum() == 100
    assert (letterbox(small, 5, 5, "shrink").mask.pixels == 0).sum() == 25
    kept = letterbox(small, 30, 30, "never").image
    assert np.array_equal(kept.pixels[10:20, 10:20], small.pixels)
    with pytest.raises(BadInput, match=r"scale: .*10 × 10.*5 × 5"):
        letterbox(small, 5, 5, "never")


# -- sizes


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (("1:1", 1.0, 64), (1024, 1024)),
        (("16:9", 1.0, 64), (1344, 768)),
        (("9:16", 1.0, 64), (768, 1344)),
        (("1:1", 0.25, 8), (512, 512)),
        (("21:9", 1.0, 8), (1568, 672)),
        (("3:2", 0.1, 1), (397, 264)),
    ],
)
def test_an_aspect_has_the_size_that_models_know(asked: Any, wanted: tuple[int, int]) -> None:
    assert aspect_size(*asked) == wanted


def test_a_size_beyond_reason_is_refused() -> None:
    with pytest.raises(BadInput, match="megapixels"):
        aspect_size("1:1", 100.0)
    with pytest.raises(BadInput, match="degrees"):
        rotate(Image(np.broadcast_to(np.uint8(0), (8000, 12_000, 1))), 45)
    with pytest.raises(BadInput, match="factor"):
        resize_by(noise(1000, 1000), 32)


@few
@given(pictures(2), st.sampled_from(["1:1", "4:3", "16:9", "9:16"]))
def test_a_crop_to_an_aspect_is_the_largest_there_is(image: Image, aspect: Any) -> None:
    found, left, top = crop_to_aspect(image, aspect)
    assert found.width == image.width or found.height == image.height
    exact = aspect_of(aspect)
    assert abs(found.width - found.height * exact) <= max(1.0, exact)
    assert np.array_equal(found.pixels, image.pixels[top : top + found.height, left : left + found.width])


def aspect_of(aspect: str) -> float:
    width, height = aspect.split(":")
    return float(width) / float(height)


def test_the_anchor_says_which_part_stays() -> None:
    wide = Image(np.arange(12, dtype=np.uint8).reshape(1, 12, 1).repeat(4, 0))
    cuts: dict[Any, Any] = {a: crop_to_aspect(wide, "1:1", a) for a in ("left", "centre", "right")}
    assert {a: c.image.pixels[0, :, 0].tolist() for a, c in cuts.items()} == {
        "left": [0, 1, 2, 3], "centre": [4, 5, 6, 7], "right": [8, 9, 10, 11]}  # fmt: skip
    assert [c.left for c in cuts.values()] == [0, 4, 8]


def test_a_crop_to_a_mask_is_what_the_mask_marks() -> None:
    image, marks = noise(40, 30), np.zeros((30, 40))
    marks[10:13, 20:25] = 0.5
    cut = crop_to_mask(image, mask_of(marks))
    assert (cut.left, cut.top, size(cut.image)) == (20, 10, (5, 3))
    assert np.array_equal(cut.image.pixels, image.pixels[10:13, 20:25])
    assert (cut.mask.pixels == 0.5).all()
    wider = crop_to_mask(image, mask_of(marks), margin=2)
    assert (wider.left, wider.top, size(wider.image)) == (18, 8, (9, 7))
    assert size(crop_to_mask(image, mask_of(marks), 2, 8).image) == (16, 8)
    assert size(crop_to_mask(image, mask_of(marks), 100, 8).image) == (40, 30), "all that there is"


@few
@given(st.integers(0, 39), st.integers(0, 29), st.integers(0, 50), st.sampled_from([1, 8, 16]))
def test_a_crop_to_a_mask_never_loses_a_mark(x: int, y: int, margin: int, multiple: Any) -> None:
    marks = np.zeros((30, 40))
    marks[y, x] = marks[15, 20] = 1
    cut = crop_to_mask(noise(40, 30), mask_of(marks), margin, multiple)
    assert cut.mask.pixels.sum() == marks.sum()
    assert cut.mask.pixels.shape == cut.image.pixels.shape[:2]
    assert min(cut.left, cut.top) >= 0


def test_an_empty_mask_and_one_of_another_size_are_refused() -> None:
    with pytest.raises(BadInput, match=r"mask: .*nothing marked"):
        crop_to_mask(noise(), mask_of(np.zeros((8, 12))))
    with pytest.raises(BadInput, match=r"mask: .*5 × 5.*12 × 8"):
        crop_to_mask(noise(), mask_of(np.ones((5, 5))))


@few
@given(pictures())
def test_scaling_to_the_same_size_is_the_same_picture(image: Image) -> None:
    assert same(resize_by(image, 1.0), image)
    assert same(resize_to_side(image, max(size(image))), image)
    assert same(resize_to_multiple(image, 1), image)


def test_each_way_to_scale_gives_its_size() -> None:
    image = noise(40, 20)
    assert size(resize_by(image, 1.5)) == (60, 30)
    assert size(resize_to_side(image, 100)) == (100, 50)
    assert size(resize_to_side(image, 100, "shorter")) == (200, 100)
    assert size(resize_to_side(image, 100, multiple=8)) == (96, 48)
    assert size(resize_to_megapixels(image, 0.02)) == (208, 104)
    assert size(resize_to_multiple(image, 16)) == (32, 16)
    assert size(resize_to_multiple(image, 16, "pad")) == (48, 32)
    assert size(resize_to_multiple(image, 16, "stretch")) == (32, 16)
    with pytest.raises(BadInput, match=r"multiple: .*40 × 20"):
        resize_to_multiple(image, 64)


def test_cropping_and_padding_to_a_multiple_change_no_pixel() -> None:
    image = noise(21, 13)
    assert np.array_equal(resize_to_multiple(image, 8).pixels, image.pixels[2:10, 2:18])
    padded = resize_to_multiple(image, 8, "pad", "top left").pixels
    assert np.array_equal(padded[:13, :21], image.pixels)
    assert np.array_equal(padded[15, :21], image.pixels[12])


@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "area"])
def test_scaling_a_cut_out_makes_no_dark_rim(filter: Any) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[4:12, 4:12] = (240, 200, 100, 255)
    found = resize_by(Image(pixels), 3.3, filter).pixels.astype(int)
    seen = found[found[..., 3] > 8][:, :3]
    assert np.abs(seen - (240, 200, 100)).max() <= 1
