"""Pictures put together keep what is not touched to the bit, and what is transparent leaves no trace."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.types import Image, Mask
from nodes._lib.blending import MODES
from nodes.compose import (
    composite,
    drop_alpha,
    merge_channels,
    merge_tiles,
    replace_background,
    seamless_clone,
    set_alpha,
    split_channels,
    split_tiles,
    stitch,
)
from nodes.image import BlendMode, blend
from tests.pictured import few

MODE_NAMES: list[Any] = list(get_args(get_args(BlendMode)[0]))
seeds = st.integers(0, 2**32 - 1)
channel_counts = st.sampled_from([1, 3, 4])
formats = st.sampled_from([np.uint8, np.float32])


def noise(width: int, height: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> Image:
    """A picture on a wire: nobody may write to it."""
    chance = np.random.default_rng(seed)
    shape = (height, width, channels)
    pixels: Any = (
        chance.integers(0, 256, shape, np.uint8) if dtype == np.uint8 else chance.random(shape, np.float32)
    )
    pixels.flags.writeable = False
    return Image(pixels)


def plain(colour: tuple[float, ...], width: int = 4, height: int = 3, dtype: Any = np.uint8) -> Image:
    return Image(np.full((height, width, len(colour)), colour, dtype))


def one(below: float, layer: float, mode: Any) -> float:
    """A mode on one pair of grey values."""
    a, b = plain((below,), 1, 1, np.float32), plain((layer,), 1, 1, np.float32)
    return float(blend(a, b, 1.0, mode).pixels[0, 0, 0])


# -- blend modes

KNOWN = {
    "normal": (0.4, 0.3, 0.3),
    "multiply": (0.4, 0.5, 0.2),
    "screen": (0.4, 0.5, 0.7),
    "overlay": (0.25, 0.5, 0.25),
    "hard light": (0.5, 0.25, 0.25),
    "soft light": (0.25, 1.0, 0.5),
    "darken": (0.4, 0.5, 0.4),
    "lighten": (0.4, 0.5, 0.5),
    "difference": (0.2, 0.9, 0.7),
    "exclusion": (0.5, 0.3, 0.5),
    "colour dodge": (0.3, 0.5, 0.6),
    "colour burn": (0.7, 0.5, 0.4),
    "add": (0.7, 0.6, 1.0),
    "subtract": (0.7, 0.6, 0.1),
}


@pytest.mark.parametrize("mode", KNOWN)
def test_each_mode_gives_what_its_formula_says(mode: str) -> None:
    below, layer, wanted = KNOWN[mode]
    assert one(below, layer, mode) == pytest.approx(wanted, abs=1e-6)


def test_the_menu_and_the_formulas_are_the_same_modes() -> None:
    assert {"normal", *MODES} == set(MODE_NAMES)


@few
@given(seeds)
def test_modes_with_a_neutral_colour_leave_the_picture_as_it_is(seed: int) -> None:
    picture = noise(5, 4, 3, seed=seed)
    white, black = plain((255, 255, 255), 5, 4), plain((0, 0, 0), 5, 4)
    neutral: dict[bytes, list[Any]] = {
        white.pixels.tobytes(): ["multiply", "darken", "colour burn"],
        black.pixels.tobytes(): [
            "screen",
            "lighten",
            "difference",
            "exclusion",
            "colour dodge",
            "add",
            "subtract",
        ],
    }
    for layer in (white, black):
        for mode in neutral[layer.pixels.tobytes()]:
            found = blend(picture, layer, 1.0, mode)
            np.testing.assert_array_equal(found.pixels, picture.pixels, mode)


@few
@given(seeds)
def test_modes_of_hue_and_light_take_one_thing_and_leave_the_others(seed: int) -> None:
    a, b = (noise(6, 5, 3, np.float32, seed + i) for i in range(2))
    light = np.array([0.3, 0.59, 0.11])

    def luminosity(image: Image) -> Any:
        return image.pixels.astype(float) @ light

    modes: list[Any] = ["hue", "saturation", "colour"]
    for mode in modes:
        np.testing.assert_allclose(luminosity(blend(a, b, 1.0, mode)), luminosity(a), atol=1e-5)
    np.testing.assert_allclose(luminosity(blend(a, b, 1.0, "luminosity")), luminosity(b), atol=1e-5)
    grey = plain((0.5, 0.5, 0.5), 6, 5, np.float32)
    assert np.ptp(blend(a, grey, 1.0, "saturation").pixels, axis=2).max() < 1e-5


def test_the_hue_of_red_on_blue_is_red_as_light_as_the_blue() -> None:
    red, blue = plain((255, 0, 0), 1, 1), plain((0, 0, 255), 1, 1)
    found = blend(blue, red, 1.0, "colour").pixels[0, 0]
    assert found[0] > 80
    assert found[1] == found[2] == 0


@few
@given(seeds, channel_counts, channel_counts, formats, st.sampled_from(MODE_NAMES))
def test_blending_stays_in_range_and_begins_at_the_first_picture(
    seed: int, one: int, other: int, dtype: Any, mode: Any
) -> None:
    a, b = noise(5, 4, one, dtype, seed), noise(5, 4, other, dtype, seed + 1)
    for amount in (0.0, 0.4, 1.0):
        found = blend(a, b, amount, mode).pixels
        assert found.dtype == dtype
        assert found.shape == (4, 5, max(one, other))
        assert found.min() >= 0
        assert found.max() <= (255 if dtype == np.uint8 else 1)
        if amount == 0:
            np.testing.assert_array_equal(found[..., : min(one, 3)], a.pixels[..., : min(one, 3)])
            np.testing.assert_array_equal(blend(a, b, 0.7, mode, no_mask(a)).pixels, found)


def no_mask(image: Image) -> Mask:
    return Mask(np.zeros((image.height, image.width), np.float32))


@few
@given(seeds, channel_counts, formats, st.floats(0, 1))
def test_a_picture_mixed_with_itself_is_itself(seed: int, channels: int, dtype: Any, amount: float) -> None:
    picture = noise(6, 5, channels, dtype, seed)
    np.testing.assert_array_equal(blend(picture, picture, amount).pixels, picture.pixels)


@few
@given(seeds, st.floats(0, 1))
def test_mixing_is_the_same_from_either_side(seed: int, amount: float) -> None:
    a, b = (noise(6, 5, 4, np.float32, seed + i) for i in range(2))
    there, back = blend(a, b, amount), blend(b, a, 1 - amount)
    np.testing.assert_allclose(there.pixels.astype(float), back.pixels.astype(float), atol=1e-5)


def test_what_is_clear_lends_no_colour_to_the_mix() -> None:
    red, nothing = plain((255, 0, 0, 255)), plain((0, 0, 0, 0))
    assert blend(red, nothing, 0.5).pixels[0, 0].tolist() == [255, 0, 0, 128]


def test_a_mask_says_where_pictures_are_mixed() -> None:
    mask = no_mask(plain((0,)))
    mask.pixels[:, 2:] = 1
    found = blend(plain((10, 20, 30)), plain((200, 100, 0)), 1.0, mask=mask).pixels
    assert found[0, :, 0].tolist() == [10, 10, 200, 200]
    with pytest.raises(BadInput, match=r"mask: .*9 × 9.*4 × 3"):
        blend(plain((1,)), plain((2,)), mask=Mask(np.ones((9, 9), np.float32)))


# -- composite


@few
@given(seeds, channel_counts, channel_counts, formats, st.integers(-9, 9), st.integers(-9, 9))
def test_a_layer_stands_where_it_is_put_and_nothing_else_changes(
    seed: int, below: int, above: int, dtype: Any, left: int, top: int
) -> None:
    ground, layer = noise(8, 7, below, dtype, seed), noise(4, 5, above, dtype, seed + 1)
    found = composite(ground, layer, left, top).pixels
    within = np.zeros((7, 8), bool)
    within[max(0, top) : max(0, top + 5), max(0, left) : max(0, left + 4)] = True
    colours = min(below, 3)
    np.testing.assert_array_equal(found[~within][:, :colours], ground.pixels[~within][:, :colours])
    if above < 4:  # an opaque layer is there as it is
        inside = layer.pixels[max(0, -top) : max(0, 7 - top), max(0, -left) : max(0, 8 - left)]
        np.testing.assert_array_equal(found[within][:, :above], inside.reshape(-1, above))


def test_a_half_clear_layer_shows_half_of_what_is_below() -> None:
    found = composite(plain((0, 0, 200)), plain((255, 0, 0, 128)))
    assert found.pixels[0, 0].tolist() == [128, 0, 100]


def test_edges_on_a_clear_ground_are_not_darkened() -> None:
    found = composite(plain((0, 0, 0, 0)), plain((250, 120, 60, 64)))
    assert found.pixels[0, 0].tolist() == [250, 120, 60, 64]
    twice = composite(found, plain((250, 120, 60, 64)))
    assert twice.pixels[0, 0].tolist() == [250, 120, 60, 112]


@few
@given(seeds, formats, st.floats(0.01, 1))
def test_opacity_is_the_same_as_a_mask_of_it(seed: int, dtype: Any, opacity: float) -> None:
    ground, layer = noise(8, 7, 4, dtype, seed), noise(4, 5, 4, dtype, seed + 1)
    mask = Mask(np.full((5, 4), opacity, np.float32))
    a = composite(ground, layer, 2, 1, opacity, "overlay")
    b = composite(ground, layer, 2, 1, 1.0, "overlay", mask)
    np.testing.assert_allclose(a.pixels.astype(float), b.pixels.astype(float), atol=1e-6)


def test_a_piece_that_was_cut_out_goes_back_without_a_trace() -> None:
    from nodes.image import crop

    opaque = noise(20, 15, 3, np.float32)
    np.testing.assert_array_equal(composite(opaque, crop(opaque, 7, 6, 3, 2), 3, 2).pixels, opaque.pixels)


def test_large_pictures_are_composed_strip_by_strip_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes._lib import planes

    ground, layer = noise(31, 40, 4), noise(30, 37, 4, seed=1)
    whole = composite(ground, layer, 5, 6, 0.7, "screen")
    monkeypatch.setattr(planes, "STRIP", 64)
    np.testing.assert_array_equal(composite(ground, layer, 5, 6, 0.7, "screen").pixels, whole.pixels)


# -- background and alpha


def test_a_colour_goes_behind_what_is_clear() -> None:
    figure = Image(np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8))
    found = replace_background(figure, colour="#0000ff").pixels
    assert found.tolist() == [[[200, 100, 50], [0, 0, 255], [100, 50, 152]]]


def test_a_mask_cuts_the_figure_out_and_another_picture_fills_the_rest() -> None:
    mask = Mask(np.array([[0, 1]], np.float32))
    figure, behind = plain((10, 10, 10), 2, 1), plain((7, 8, 9), 40, 30)
    assert replace_background(figure, behind, mask=mask).pixels.tolist() == [[[10, 10, 10], [7, 8, 9]]]
    clear = replace_background(figure, colour="transparent", mask=mask).pixels
    assert clear.tolist() == [[[10, 10, 10, 255], [10, 10, 10, 0]]]


def test_an_opaque_picture_keeps_its_ground() -> None:
    picture = noise(9, 8)
    np.testing.assert_array_equal(replace_background(picture, colour="red").pixels, picture.pixels)


@pytest.mark.parametrize("fit", ["cover", "stretch"])
@pytest.mark.parametrize("size", [(3, 50), (50, 3), (9, 9), (8, 8)])
def test_a_background_of_any_size_fills_the_picture(fit: Any, size: tuple[int, int]) -> None:
    clear = Image(np.zeros((7, 11, 4), np.uint8))
    found = replace_background(clear, plain((1, 2, 3), *size), fit=fit).pixels
    assert found.shape == (7, 11, 3)
    assert (found == (1, 2, 3)).all()


@few
@given(seeds, channel_counts, formats)
def test_channels_put_together_again_are_the_picture(seed: int, channels: int, dtype: Any) -> None:
    picture = noise(5, 4, channels, dtype, seed)
    red, green, blue, alpha = split_channels(picture)
    found = merge_channels(red, green, blue, alpha if channels == 4 else None).pixels
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[..., :channels], picture.pixels)
    if channels < 4:
        assert (alpha.pixels == (255 if dtype == np.uint8 else 1)).all()


def test_channels_must_be_grey_and_of_one_size() -> None:
    with pytest.raises(BadInput, match=r"green: .*3 channels.*grey picture of 4 × 3"):
        merge_channels(plain((1,)), plain((1, 2, 3)), plain((1,)))
    with pytest.raises(BadInput, match=r"alpha: .*5 × 3"):
        merge_channels(plain((1,)), plain((1,)), plain((1,)), plain((1,), 5))


@few
@given(seeds, formats)
def test_alpha_taken_off_and_set_again_is_the_picture(seed: int, dtype: Any) -> None:
    from nodes.mask import alpha_to_mask

    picture = noise(5, 4, 4, dtype, seed)
    found = set_alpha(drop_alpha(picture), alpha_to_mask(picture))
    assert found.pixels.dtype == dtype
    np.testing.assert_allclose(found.pixels.astype(float), picture.pixels.astype(float), atol=1e-7)


def test_a_mask_of_another_size_is_refused() -> None:
    for call in (set_alpha, replace_background):
        with pytest.raises(BadInput, match="mask"):
            call(plain((1, 2, 3)), mask=Mask(np.zeros((9, 9), np.float32)))


# -- rows


@few
@given(
    seeds,
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_every_picture_of_a_row_is_there_as_it_was(seed: int, sizes: list[tuple[int, int]], gap: int) -> None:
    pictures = [noise(w, h, 3, seed=seed + i) for i, (w, h) in enumerate(sizes)]
    for direction in ("right", "down"):
        row = stitch(pictures, direction, gap, "black", "start").pixels
        at = 0
        for picture in pictures:
            if direction == "right":
                np.testing.assert_array_equal(row[: picture.height, at : at + picture.width], picture.pixels)
                at += picture.width + gap
            else:
                np.testing.assert_array_equal(row[at : at + picture.height, : picture.width], picture.pixels)
                at += picture.height + gap
        assert row.shape[1 if direction == "right" else 0] == at - gap


def test_a_row_is_aligned_filled_and_matched() -> None:
    small, large = plain((9, 9, 9), 2, 2), plain((200, 0, 0), 4, 6)
    assert stitch([small, large], align="end", colour="white").pixels[:, 0, 0].tolist() == [255] * 4 + [9] * 2
    assert stitch([small, large], colour="transparent").pixels[0, 0].tolist() == [0, 0, 0, 0]
    assert stitch([large, small], match=True).pixels.shape == (6, 10, 3)
    with pytest.raises(BadInput, match="images"):
        stitch([])


# -- tiles


@few
@given(
    seeds, channel_counts, formats, st.integers(16, 90), st.integers(16, 90),
    st.integers(16, 40), st.integers(16, 40), st.integers(0, 8),
)  # fmt: skip
def test_tiles_put_together_again_are_the_picture_to_the_bit(
    seed: int, channels: int, dtype: Any, width: int, height: int, wide: int, high: int, overlap: int
) -> None:
    picture = noise(width, height, channels, dtype, seed)
    tiles, tiling = split_tiles(picture, wide, high, overlap)
    assert {(t.width, t.height) for t in tiles} == {(min(wide, width), min(high, height))}
    found = merge_tiles(tiles, tiling).pixels
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, picture.pixels)
    for starts, tile in ((tiling.lefts, min(wide, width)), (tiling.tops, min(high, height))):
        assert all(a + tile - b >= overlap for a, b in pairwise(starts))


def test_tiles_that_differ_fade_into_each_other() -> None:
    picture = plain((0.0,), 100, 20, np.float32)
    tiles, tiling = split_tiles(picture, 60, 20, 20)
    assert tiling.lefts == [0, 40]
    lighter = [tiles[0], Image(np.ones_like(tiles[1].pixels))]
    row = merge_tiles(lighter, tiling).pixels[0, :, 0]
    assert (row[:40] == 0).all()
    assert (row[60:] == 1).all()
    np.testing.assert_allclose(np.diff(row[40:60]), 1 / 20, atol=1e-6)


def test_tiles_enlarged_make_the_picture_enlarged() -> None:
    picture = noise(70, 50)
    tiles, tiling = split_tiles(picture, 32, 32, 8)
    larger = [Image(tile.pixels.repeat(2, 0).repeat(2, 1)) for tile in tiles]
    np.testing.assert_array_equal(
        merge_tiles(larger, tiling).pixels, picture.pixels.repeat(2, 0).repeat(2, 1)
    )


def test_tiles_that_make_no_picture_are_refused() -> None:
    tiles, tiling = split_tiles(noise(70, 50), 32, 32, 8)
    with pytest.raises(BadInput, match=r"tiles: .*want 6 of one size"):
        merge_tiles(tiles[:-1], tiling)
    with pytest.raises(BadInput, match="Scale every tile"):
        merge_tiles([noise(33, 32)] * len(tiles), tiling)
    with pytest.raises(BadInput, match="overlap"):
        split_tiles(noise(70, 50), 32, 32, 17)
    with pytest.raises(BadInput, match="10,000"):
        split_tiles(Image(np.broadcast_to(np.uint8(0), (4000, 4000, 1))), 16, 16, 0)


# -- seamless


def waves(width: int, height: int) -> Any:
    y, x = np.mgrid[:height, :width]
    return 110 + 25 * np.sin(x / 7) + 20 * np.cos(y / 9)


def test_a_cloned_piece_shows_no_seam_and_keeps_its_shapes() -> None:
    ground = np.repeat(waves(120, 90)[..., None], 3, 2).astype(np.uint8)
    piece = np.clip(ground[20:70, 30:90].astype(int) + 70, 0, 255).astype(np.uint8)  # the same, much lighter
    piece[20:30, 25:35] = 255  # and with something on it
    image, patch = Image(ground), Image(piece)
    hard, soft = composite(image, patch, 30, 20).pixels, seamless_clone(image, patch, 30, 20).pixels
    seam_before = np.abs(hard[20:70, 30].astype(int) - ground[20:70, 29]).mean()
    seam_after = np.abs(soft[20:70, 30].astype(int) - ground[20:70, 29]).mean()
    assert seam_before > 60
    assert seam_after < 6
    thing, around = soft[42:48, 57:63].mean(), soft[42:48, 40:50].mean()
    assert thing > around + 40
    outside = np.ones((90, 120), bool)
    outside[20:70, 30:90] = False
    np.testing.assert_array_equal(soft[outside], ground[outside])


@pytest.mark.parametrize(("left", "top"), [(-20, -10), (100, 70), (30, 20), (0, 0)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_piece_of_the_picture_itself_changes_nothing_wherever_it_lies(
    left: int, top: int, channels: int
) -> None:
    large = np.repeat(waves(200, 150)[..., None], channels, 2).astype(np.uint8)
    large[..., 3:] = 255
    image = Image(np.ascontiguousarray(large[30:120, 40:160]))
    patch = Image(np.ascontiguousarray(large[30 + top : 70 + top, 40 + left : 100 + left]))
    mask = Mask(np.zeros((40, 60), np.float32))
    mask.pixels[5:37, 8:51] = 1
    found = seamless_clone(image, patch, left, top, mask).pixels
    assert np.abs(found.astype(int) - image.pixels).max() <= 2


def test_a_piece_beyond_the_picture_or_of_nothing_changes_nothing() -> None:
    image = noise(30, 20, 3, np.float32)
    for left, mask in ((99, None), (2, Mask(np.zeros((5, 5), np.float32)))):
        found = seamless_clone(image, noise(5, 5), left, 2, mask)
        np.testing.assert_array_equal(found.pixels, image.pixels)
