"""Effects do what their names say, where a mask says so, and nothing at all at rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.types import Image
from nodes.effects import (
    Grain,
    add_noise,
    blur,
    compare_pictures,
    draw_text,
    motion_blur,
    pixelate,
    reduce_noise,
    sharpen,
    vignette,
)
from tests.pictured import KINDS, few, half, mask_of, noise, pictures, plain, same

Effect = Callable[..., Image]

WORKING: list[tuple[Effect, dict[str, Any]]] = [
    (blur, {"radius": 2.5}),
    (blur, {"radius": 2, "how": "box"}),
    (blur, {"radius": 1, "how": "median"}),
    (blur, {"radius": 3, "how": "median"}),
    (motion_blur, {"length": 6, "degrees": 30}),
    (sharpen, {"amount": 1.5}),
    (reduce_noise, {"strength": 0.7}),
    (reduce_noise, {"strength": 0.7, "how": "non-local means"}),
    (add_noise, {"amount": 0.3}),
    (add_noise, {"amount": 0.3, "how": "gaussian", "coloured": True, "size": 2.0}),
    (add_noise, {"amount": 0.3, "how": "uniform"}),
    (pixelate, {"size": 5}),
    (vignette, {"amount": 0.8}),
]
RESTING: list[tuple[Effect, dict[str, Any]]] = [
    (blur, {"radius": 0}),
    (motion_blur, {"length": 1}),
    (sharpen, {"amount": 0}),
    (sharpen, {"amount": 3.0, "threshold": 1.0}),
    (reduce_noise, {"strength": 0}),
    (add_noise, {"amount": 0}),
    (pixelate, {"size": 1}),
    (vignette, {"amount": 0}),
    (draw_text, {"text": " \n "}),
]


def name(case: Any) -> str | None:
    return case.__name__ if callable(case) else None


@few
@given(pictures(), st.sampled_from(RESTING))
def test_an_effect_at_rest_changes_no_bit(image: Image, effect: tuple[Effect, dict[str, Any]]) -> None:
    assert same(effect[0](image, **effect[1]), image)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize(("effect", "settings"), WORKING, ids=name)
def test_an_effect_works_on_pictures_of_every_kind(
    effect: Effect, settings: dict[str, Any], channels: int, dtype: Any
) -> None:
    image = noise(24, 16, channels, dtype)
    found = effect(image, **settings)
    assert found.pixels.dtype == dtype
    assert found.pixels.shape[:2] == (16, 24)
    assert found.pixels.shape[2] == (3 if settings.get("coloured") and channels == 1 else channels)
    assert not np.array_equal(found.pixels, image.pixels)
    assert 0 <= found.pixels.min() <= found.pixels.max() <= (255 if dtype == np.uint8 else 1)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize(
    ("effect", "settings"), [c for c in WORKING if c[0] not in (vignette, add_noise)], ids=name
)
def test_one_colour_stays_that_colour(
    effect: Effect, settings: dict[str, Any], channels: int, dtype: Any
) -> None:
    colour = (200, 90, 30, 120)[:channels] if dtype == np.uint8 else (0.8, 0.4, 0.1, 0.5)[:channels]
    image = plain(colour, 24, 16, dtype)
    found = effect(image, **settings).pixels.astype(float)
    assert np.abs(found - image.pixels).max() <= (0 if dtype == np.uint8 else 1e-5)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize(("effect", "settings"), [c for c in WORKING if c[0] is not vignette], ids=name)
def test_a_mask_limits_an_effect(effect: Effect, settings: dict[str, Any], channels: int, dtype: Any) -> None:
    image = noise(24, 16, channels, dtype)
    found = effect(image, **settings, mask=half(24, 16))
    assert np.array_equal(found.pixels[:, :12, :channels], image.pixels[:, :12]) or channels == 1
    assert np.array_equal(found.pixels[:, :12, 0], image.pixels[:, :12, 0])
    assert not np.array_equal(found.pixels[:, 12:], image.pixels[:, 12:])
    with pytest.raises(BadInput, match=r"mask: .*3 × 2.*24 × 16"):
        effect(image, **settings, mask=mask_of(np.ones((2, 3))))


@pytest.mark.parametrize("how", ["gaussian", "box"])
@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_a_blur_spreads_a_dot_and_loses_nothing(how: Any, radius: float) -> None:
    dot = np.zeros((41, 41, 1), np.float32)
    dot[20, 20] = 1
    found = blur(Image(dot), radius, how).pixels[..., 0]
    assert found.sum() == pytest.approx(1, abs=1e-4)
    y, x = np.mgrid[-20:21, -20:21]
    spread = float((found * x**2).sum())
    wanted = radius**2 if how == "gaussian" else radius * (radius + 1) / 3
    assert spread == pytest.approx(wanted, rel=0.05)
    assert float((found * y).sum()) == pytest.approx(0, abs=1e-4)


def test_a_median_removes_specks_and_keeps_an_edge() -> None:
    pixels = np.zeros((20, 20, 1), np.uint8)
    pixels[:, 10:] = 200
    speckled = pixels.copy()
    speckled[5, 5], speckled[12, 15] = 255, 0
    assert np.array_equal(blur(Image(speckled), 1, "median").pixels, pixels)
    for radius in (3, 7):
        fine = blur(Image(speckled.astype(np.float32) / 255), radius, "median").pixels
        assert fine.dtype == np.float32
        assert np.allclose(fine, pixels / 255)


@pytest.mark.parametrize(("degrees", "across"), [(0, True), (90, False), (180, True), (-90, False)])
def test_motion_blur_goes_along_its_line_only(degrees: float, across: bool) -> None:
    dot = np.zeros((31, 31, 1), np.float32)
    dot[15, 15] = 1
    found = motion_blur(Image(dot), 9, degrees).pixels[..., 0].astype(float)
    line, other = (found[15], found[:, 15]) if across else (found[:, 15], found[15])
    assert line.sum() == pytest.approx(1, abs=1e-4)
    assert (line > 0.05).sum() == 9
    assert (other > 1e-4).sum() == 1


def test_blurring_a_cut_out_makes_no_dark_rim() -> None:
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[8:16, 8:16] = (240, 200, 100, 255)
    for found in (blur(Image(pixels), 2), pixelate(Image(pixels), 5), motion_blur(Image(pixels), 7, 20)):
        seen = found.pixels[found.pixels[..., 3].astype(int) > 8][:, :3].astype(int)
        assert np.abs(seen - (240, 200, 100)).max() <= 1
        assert 0 < found.pixels[7, 9, 3] < 255, "and its edge is soft"


def test_sharpening_raises_steps_and_spares_small_ones() -> None:
    pixels = np.full((8, 20, 1), 0.3, np.float32)
    pixels[:, 10:] = 0.6
    pixels[:, 15:] += 0.01
    found = sharpen(Image(pixels), 1, 1).pixels[4, :, 0]
    assert found[9] < 0.3 < 0.6 < found[10]
    assert found[15] > 0.61
    assert sharpen(Image(pixels), 1, 1, threshold=0.02).pixels[4, 15, 0] == np.float32(0.61)


def test_noise_is_as_strong_as_said_and_the_same_for_a_seed() -> None:
    grey = plain((0.5,), 200, 200, np.float32)
    spreads: dict[Grain, float] = {"gaussian": 0.1, "film": 0.1, "uniform": 0.1 / 3**0.5}
    for how, spread in spreads.items():
        found = add_noise(grey, 0.1, how, seed=3)
        assert float(found.pixels.std()) == pytest.approx(spread, rel=0.05), how
        assert float(found.pixels.mean()) == pytest.approx(0.5, abs=0.005), how
        assert same(found, add_noise(grey, 0.1, how, seed=3))
        assert not same(found, add_noise(grey, 0.1, how, seed=4))


def test_film_grain_leaves_black_and_white_clean() -> None:
    for level in (0, 255):
        image = plain((level,) * 3)
        assert same(add_noise(image, 0.5, "film"), image)


def test_noise_is_grey_unless_coloured_and_may_have_coarse_grains() -> None:
    grey = plain((128, 128, 128), 100, 100)
    found = add_noise(grey, 0.1).pixels.astype(int)
    assert (found[..., 0] == found[..., 2]).all()
    assert (add_noise(grey, 0.1, coloured=True).pixels.std(axis=2) > 0).any()
    assert steps(add_noise(grey, 0.1, size=6)) < steps(add_noise(grey, 0.1)) / 3


def steps(image: Image) -> float:
    """How far neighbours are apart."""
    return float(np.abs(np.diff(image.pixels.astype(float), axis=1)).mean())


@few
@given(pictures(), st.integers(2, 9))
def test_pixelating_twice_is_pixelating_once(image: Image, size: int) -> None:
    once = pixelate(image, size)
    twice = pixelate(once, size).pixels.astype(float)
    assert np.abs(twice - once.pixels).max() <= (1 if image.pixels.dtype == np.uint8 else 1e-4)
    block = once.pixels[:size, :size]
    assert (block == block[0, 0]).all()
    if image.pixels.shape[2] != 4:
        scale = 1 if image.pixels.dtype == np.uint8 else 1 / 255
        assert block[0, 0] == pytest.approx(image.pixels[:size, :size].mean((0, 1)), abs=0.51 * scale)


def test_a_vignette_darkens_corners_and_spares_the_middle() -> None:
    found = vignette(plain((0.8, 0.8, 0.8), 101, 51, np.float32), 0.5).pixels[..., 0]
    assert found[25, 50] == np.float32(0.8)
    assert found[0, 0] == pytest.approx(0.4, abs=0.02)
    assert np.allclose(found, found[::-1, ::-1])
    assert (np.diff(found[25, 50:]) <= 0).all()
    red = vignette(plain((200,), 30, 30), 1.0, 0.0, "red").pixels
    assert red.shape[2] == 3
    assert red[0, 0, 0] > red[0, 0, 1] + 100
    with pytest.raises(BadInput, match="colour"):
        vignette(noise(), colour="transparent")


@pytest.mark.parametrize("how", ["bilateral", "non-local means"])
def test_noise_goes_and_an_edge_stays(how: Any) -> None:
    clean = np.full((48, 48, 3), 60, np.uint8)
    clean[:, 24:] = 190
    dirty = add_noise(Image(clean), 0.04, "gaussian", coloured=True)
    found = reduce_noise(dirty, 0.5, how)
    before, after = (float(np.abs(i.pixels.astype(float) - clean).mean()) for i in (dirty, found))
    assert after < before / 2
    assert found.pixels[:, 24].mean() - found.pixels[:, 23].mean() > 115


# -- words


def ink(image: Image, ground: int = 0) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what was written."""
    rows, columns = np.where((image.pixels != ground).any(2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_words_stand_where_the_anchor_says() -> None:
    paper = plain((0,), 300, 200)
    left, top, right, bottom = ink(draw_text(paper, "Hello", 30, anchor="centre"))
    assert abs(left + right - 299) < 8
    assert abs(top + bottom - 199) < 20
    assert 15 <= bottom - top <= 32
    left, top, _, _ = ink(draw_text(paper, "Hello", 30, anchor="top left", margin=20))
    assert 18 <= left <= 26
    assert 18 <= top <= 34
    _, _, right, bottom = ink(draw_text(paper, "Hello", 30, anchor="bottom right", margin=20))
    assert 272 <= right <= 282
    assert 165 <= bottom <= 180


def test_long_lines_are_wrapped_and_stay_within_the_margin() -> None:
    paper = plain((0,), 200, 200)
    words = "many words that do not fit on one line of this picture"
    left, top, right, bottom = ink(draw_text(paper, words, 20, margin=10, anchor="centre"))
    assert left >= 8
    assert right <= 191
    assert bottom - top > 50
    endless = ink(draw_text(paper, "W" * 60, 20, margin=10, anchor="centre"))
    assert endless[0] >= 8
    assert endless[2] <= 191


def test_words_change_only_the_pixels_they_cover() -> None:
    for channels, dtype in KINDS:
        image = noise(120, 80, channels, dtype)
        found = draw_text(image, "Ag", 30, colour="gray", outline_colour="black", outline=2)
        share = (found.pixels != image.pixels).any(2).mean()
        assert found.pixels.shape == image.pixels.shape
        assert found.pixels.dtype == dtype
        assert 0.02 < share < 0.4
        assert np.array_equal(found.pixels[:12], image.pixels[:12])


def test_an_outline_surrounds_the_letters() -> None:
    paper = plain((120, 120, 120), 200, 120)
    found = draw_text(paper, "Hi", 40, "white", outline=4, outline_colour="#ff0000", anchor="centre").pixels
    red = (found == (255, 0, 0)).all(2)
    white = (found == (255, 255, 255)).all(2)
    assert white.sum() > 50
    assert red.sum() > white.sum()
    rows, columns = np.where(white)
    around = (columns.min() - 3, columns.max() + 3, rows.min() - 3, rows.max() + 3)
    assert red[:, around[0]].any()
    assert red[:, around[1]].any()
    assert red[around[2]].any()
    assert red[around[3]].any()


@pytest.mark.parametrize("text", ["Grüße", "Žluťoučký kůň", "Ωμέγα", "Привет", "你好", "こんにちは", "안녕"])
def test_words_of_many_languages_are_written(text: str) -> None:
    """Each letter has a shape of its own: none is the box of a missing one."""
    paper = plain((0,), 400, 100)
    shapes = {draw_text(paper, letter, 40, anchor="centre").pixels.tobytes() for letter in set(text) - {" "}}
    assert len(shapes) == len(set(text) - {" "})


def test_bold_is_heavier_and_every_line_is_aligned() -> None:
    paper = plain((0,), 300, 120)
    light, heavy = (draw_text(paper, "Word", 40, weight=w).pixels.sum() for w in ("regular", "bold"))
    assert heavy > light * 1.2
    left = draw_text(paper, "i\nwide words", 30, align="left").pixels
    right = draw_text(paper, "i\nwide words", 30, align="right").pixels
    assert np.where(left[:60].any((0, 2)))[0].max() < np.where(right[:60].any((0, 2)))[0].min()


def test_words_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match=r"text: .*lines that need"):
        draw_text(plain((0,), 100, 50), "too much " * 20, 20)
    with pytest.raises(BadInput, match="margin"):
        draw_text(plain((0,), 40, 50), "x", 20, margin=30)
    with pytest.raises(BadInput, match=r"outline_colour: .*want a colour"):
        draw_text(plain((0,), 100, 100), "x", 20, outline=2, outline_colour="nocolour")


# -- two pictures


@few
@given(pictures(3))
def test_a_picture_is_equal_to_itself(image: Image) -> None:
    heat, mean, psnr, ssim = compare_pictures(image, image)
    assert (mean, psnr) == (0, 100)
    assert ssim == pytest.approx(1)
    assert not heat.pixels.any()


def test_the_figures_are_what_they_are_called() -> None:
    a, b = plain((100, 100, 100), 16, 16), plain((110, 100, 100), 16, 16)
    heat, mean, psnr, _ = compare_pictures(a, b, gain=255)
    assert mean == pytest.approx(10 / 255 / 3)
    assert psnr == pytest.approx(-10 * np.log10((10 / 255) ** 2 / 3), abs=0.01)
    assert heat.pixels.any(2).all()
    there = compare_pictures(b, a)
    assert (there.mean_difference, there.psnr) == pytest.approx((mean, psnr))


def test_more_damage_scores_worse_and_shows_where_it_is() -> None:
    image = blur(noise(64, 64), 2)
    little, much = (compare_pictures(image, add_noise(image, amount, "gaussian")) for amount in (0.02, 0.2))
    assert little.psnr > much.psnr
    assert little.ssim > much.ssim
    assert little.mean_difference < much.mean_difference
    partly = add_noise(image, 0.2, "gaussian", mask=half(64, 64))
    heat = compare_pictures(image, partly).heat.pixels
    assert not heat[:, :32].any()
    assert heat[:, 32:].any(2).mean() > 0.9


def test_grey_and_coloured_pictures_compare_and_sizes_must_agree() -> None:
    assert compare_pictures(plain((9,)), plain((9, 9, 9))).mean_difference == 0
    with pytest.raises(BadInput, match=r"b: .*9 × 9.*12 × 8"):
        compare_pictures(noise(12, 8), noise(9, 9))
    with pytest.raises(BadInput, match="3 × 3"):
        compare_pictures(noise(2, 8), noise(2, 8))
