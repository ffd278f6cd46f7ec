"""Colour nodes do what their names say, where a mask says so, and nothing at all at rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import artifacts
from engine.errors import BadInput
from engine.node import declared
from engine.ports import convert
from engine.types import Artifact, Image
from nodes.colour import (
    Grey,
    apply_lut,
    auto_contrast,
    brightness_contrast,
    curves,
    describe_colours,
    equalize,
    gradient,
    grayscale,
    histogram,
    hue_saturation,
    levels,
    match_colours,
    palette,
    posterize,
    solid,
    temperature,
    threshold,
)
from tests.pictured import KINDS, few, half, mask_of, noise, on_wire, pictures, plain, same

Change = Callable[..., Image]

WORKING: list[tuple[Change, dict[str, Any]]] = [
    (levels, {"black": 0.1, "gamma": 1.5}),
    (levels, {"white": 0.8, "channel": "green"}),
    (brightness_contrast, {"brightness": 0.2, "contrast": 0.3}),
    (curves, {"points": [[0, 0.1], [0.5, 0.7], [1, 1]]}),
    (auto_contrast, {"cutoff": 10.0}),
    (auto_contrast, {"cutoff": 10.0, "how": "colours"}),
    (equalize, {}),
    (equalize, {"how": "whole"}),
    (temperature, {"temperature": 0.5}),
    (posterize, {"steps": 3}),
    (threshold, {}),
]
COLOURED: list[tuple[Change, dict[str, Any]]] = [
    (hue_saturation, {"hue": 90}),
    (hue_saturation, {"saturation": -0.5}),
    (grayscale, {}),
    (grayscale, {"how": "red"}),
]
"""What does nothing to a picture without colours."""
RESTING: list[tuple[Change, dict[str, Any]]] = [
    (levels, {}),
    (brightness_contrast, {}),
    (curves, {"points": [[0, 0], [1, 1]]}),
    (curves, {"points": [[0, 0], [0.25, 0.25], [0.5, 0.5], [1, 1]]}),
    (hue_saturation, {}),
    (hue_saturation, {"hue": 360}),
    (temperature, {}),
]


def name(case: Any) -> str | None:
    return case.__name__ if callable(case) else None


@few
@given(pictures(), st.sampled_from(RESTING))
def test_a_correction_at_rest_changes_no_bit(image: Image, case: tuple[Change, dict[str, Any]]) -> None:
    assert same(case[0](image, **case[1]), image)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize(("change", "settings"), WORKING + COLOURED, ids=name)
def test_a_correction_works_on_pictures_of_every_kind(
    change: Change, settings: dict[str, Any], channels: int, dtype: Any
) -> None:
    image = noise(24, 16, channels, dtype)
    found = change(image, **settings)
    assert found.pixels.dtype == dtype
    assert found.pixels.shape[:2] == (16, 24)
    idle = channels == 1 and (change, settings) in COLOURED
    assert same(found, image) == idle
    assert 0 <= found.pixels.min() <= found.pixels.max() <= (255 if dtype == np.uint8 else 1)
    if channels == 4:
        assert np.array_equal(found.pixels[..., 3], image.pixels[..., 3]), "transparency stays"


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize(("change", "settings"), WORKING, ids=name)
def test_a_mask_limits_a_correction(
    change: Change, settings: dict[str, Any], channels: int, dtype: Any
) -> None:
    image = noise(24, 16, channels, dtype)
    found, whole = change(image, **settings, mask=half(24, 16)), change(image, **settings)
    for c in range(found.pixels.shape[2]):
        assert np.array_equal(found.pixels[:, :12, c], image.pixels[:, :12, min(c, channels - 1)])
        assert np.array_equal(
            found.pixels[:, 12:, c], whole.pixels[:, 12:, min(c, whole.pixels.shape[2] - 1)]
        )
    with pytest.raises(BadInput, match=r"mask: .*3 × 2.*24 × 16"):
        change(image, **settings, mask=mask_of(np.ones((2, 3))))


def test_a_large_picture_is_changed_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes._lib import planes

    image = noise(30, 40, 4)
    whole = curves(image, [[0, 0.2], [1, 0.9]], mask=half(30, 40))
    monkeypatch.setattr(planes, "STRIP", 90)
    assert same(curves(image, [[0, 0.2], [1, 0.9]], mask=half(30, 40)), whole)


def ramp() -> Image:
    """Every 8-bit grey, once."""
    return on_wire(np.arange(256, dtype=np.uint8)[None, :, None].copy())


def tones(image: Image) -> list[int]:
    return [int(v) for v in image.pixels[0, :, 0]]


# -- tones


def test_levels_move_black_white_and_the_middle() -> None:
    found = tones(levels(ramp(), black=0.2, white=0.8))
    assert (found[51], found[204], found[0], found[255]) == (0, 255, 0, 255)
    assert 126 <= found[127] <= 129
    assert tones(levels(ramp(), gamma=2.0))[64] == pytest.approx(255 * (64 / 255) ** 0.5, abs=0.51)
    faded = tones(levels(ramp(), low=0.2, high=0.8))
    assert (faded[0], faded[255]) == (51, 204)
    assert (np.diff(found) >= 0).all()
    with pytest.raises(BadInput, match=r"black: .*less than white"):
        levels(ramp(), black=0.5, white=0.5)


def test_one_channel_changes_alone() -> None:
    image = plain((100, 100, 100))
    assert tuple(levels(image, white=0.5, channel="green").pixels[0, 0]) == (100, 200, 100)
    assert tuple(curves(plain((100,)), [[0, 1], [1, 0]], "blue").pixels[0, 0]) == (100, 100, 155)


@few
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_brightness_and_contrast_never_reverse_an_order(brightness: float, contrast: float) -> None:
    found = tones(brightness_contrast(ramp(), brightness, contrast))
    assert (np.diff(found) >= 0).all()
    brighter = tones(brightness_contrast(ramp(), min(1, brightness + 0.1), 0))
    assert (np.array(brighter) >= tones(brightness_contrast(ramp(), brightness, 0))).all()


def test_brightness_and_contrast_go_to_their_ends() -> None:
    assert set(tones(brightness_contrast(ramp(), 1.0))) == {255}
    assert set(tones(brightness_contrast(ramp(), -1.0))) == {0}
    assert set(tones(brightness_contrast(ramp(), 0, -1.0))) == {128}
    assert set(tones(brightness_contrast(ramp(), 0, 1.0))) == {0, 255}


@few
@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_a_curve_goes_through_its_points_and_never_beyond(heights: list[float]) -> None:
    places = np.linspace(0, 1, len(heights))
    points = [[float(x), y] for x, y in zip(places, heights, strict=True)]
    at = Image(places.astype(np.float32)[None, :, None])
    assert curves(at, points).pixels[0, :, 0] == pytest.approx(heights, abs=1e-5)
    all_of_it = curves(Image(np.linspace(0, 1, 200, dtype=np.float32)[None, :, None]), points).pixels
    assert min(heights) - 1e-6 <= all_of_it.min() <= all_of_it.max() <= max(heights) + 1e-6


def test_beyond_its_ends_a_curve_is_level() -> None:
    found = tones(curves(ramp(), [[0.2, 0.4], [0.8, 0.6]]))
    assert set(found[:51]) == {102}
    assert set(found[205:]) == {153}


@pytest.mark.parametrize(
    "points",
    [None, [], [[0, 0]], [[0, 0], [0, 1]], [[1, 1], [0, 0]], [[0, 0], [2, 1]], [[0, 0], [1]], ["ab", "cd"],
     [[0, True], [1, 1]], {"a": 1}, [[0, float("nan")], [1, 1]]],
)  # fmt: skip
def test_points_that_make_no_curve_are_refused(points: Any) -> None:
    with pytest.raises(BadInput, match=r"points: .*Write them like"):
        curves(ramp(), points)


def test_auto_contrast_goes_from_black_to_white() -> None:
    flat = on_wire((np.arange(100, 150, dtype=np.uint8)[None, :, None]).copy())
    found = auto_contrast(flat, 0).pixels
    assert (found.min(), found.max()) == (0, 255)
    assert same(auto_contrast(ramp(), 0), ramp())
    for image in (plain((99,)), plain((99, 98, 97, 50))):
        assert same(auto_contrast(image, how="colours"), image), "one colour has nothing to stretch"
        assert same(equalize(image, "whole"), image)


def test_specks_do_not_count_and_a_cast_may_go() -> None:
    pixels = np.full((20, 20, 3), 100, np.uint8)
    pixels[10:] = 150
    pixels[0, 0] = 255
    assert auto_contrast(Image(pixels), 0).pixels.max() == 255
    assert auto_contrast(Image(pixels), 1).pixels[15, 5, 0] == 255
    cast = np.stack([np.linspace(60, 255, 64), np.linspace(30, 200, 64), np.linspace(0, 150, 64)], 1)
    image = Image(np.rint(cast).astype(np.uint8)[None])
    neutral = auto_contrast(image, 0, "colours").pixels.astype(int)
    assert np.abs(neutral - neutral.mean(2, keepdims=True)).max() <= 2
    kept = auto_contrast(image, 0, "brightness").pixels[0, 32].astype(int)
    assert kept[0] > kept[2] + 50


@pytest.mark.parametrize("how", ["adaptive", "whole"])
def test_equalizing_brings_out_what_lies_in_the_dark(how: Any) -> None:
    dark = Image((noise(64, 64, 3).pixels // 16 + 8).astype(np.uint8))
    found = equalize(dark, how)
    assert found.pixels.std() > 2 * dark.pixels.std()
    stronger = equalize(dark, how, limit=10)
    assert (stronger.pixels.std() > found.pixels.std()) == (how == "adaptive")


def test_equalizing_the_whole_makes_every_brightness_as_frequent() -> None:
    image = Image(np.random.default_rng(1).random((100, 100, 1), np.float32) ** 3)
    found = equalize(image, "whole").pixels
    shares = np.histogram(found, 10, (0, 1))[0] / found.size
    assert np.abs(shares - 0.1).max() < 0.01


# -- colours


def test_hues_go_round_the_wheel() -> None:
    red, grey = plain((255, 0, 0)), plain((90, 90, 90))
    found = [tuple(int(v) for v in hue_saturation(red, hue).pixels[0, 0]) for hue in (120, 180, 240, -120)]
    assert found == [(0, 255, 0), (0, 255, 255), (0, 0, 255), (0, 0, 255)]
    assert same(hue_saturation(grey, 77), grey)


@few
@given(pictures(), st.integers(-180, 180))
def test_a_hue_turned_back_is_the_same_hue(image: Image, hue: int) -> None:
    if image.pixels.dtype == np.float32:
        back = hue_saturation(hue_saturation(image, hue), -hue)
        assert np.allclose(back.pixels, image.pixels, atol=1e-4)


def test_saturation_and_lightness_go_to_their_ends() -> None:
    image = noise(dtype=np.float32)
    grey = hue_saturation(image, saturation=-1).pixels
    assert grey == pytest.approx(np.repeat(grayscale(image).pixels, 3, 2), abs=1e-6)
    assert set(np.unique(hue_saturation(image, lightness=-1).pixels)) == {0}
    assert set(np.unique(hue_saturation(image, lightness=1).pixels)) == {1}
    vivid = hue_saturation(plain((140, 120, 120)), saturation=1).pixels[0, 0].astype(int)
    assert vivid[0] - vivid[1] == pytest.approx(40, abs=1)


def test_warm_light_is_red_cool_light_blue_and_grey_stays_as_bright() -> None:
    grey = plain((0.5, 0.5, 0.5), dtype=np.float32)
    warm, cool, pink = (
        temperature(grey, t, tint).pixels[0, 0].astype(float) for t, tint in ((0.5, 0), (-0.5, 0), (0, 0.5))
    )
    assert warm[0] > warm[1] > warm[2]
    assert cool[0] < cool[1] < cool[2]
    assert pink[1] < 0.5 < min(pink[0], pink[2])
    for found in (warm, cool, pink):
        linear = ((found + 0.055) / 1.055) ** 2.4
        assert linear @ (0.2126, 0.7152, 0.0722) == pytest.approx(((0.5 + 0.055) / 1.055) ** 2.4, abs=1e-5)
    assert not temperature(plain((0, 0, 0)), 1.0).pixels.any()


def test_grey_is_as_bright_as_it_looks_or_as_one_colour() -> None:
    image = plain((200, 100, 50))
    found = {how: int(grayscale(image, how).pixels[0, 0, 0]) for how in get_args(Grey)}
    assert found == {"luma": 124, "average": 117, "red": 200, "green": 100, "blue": 50}
    assert grayscale(image).pixels.shape[2] == 1
    clear = grayscale(plain((200, 100, 50, 7))).pixels[0, 0]
    assert clear.tolist() == [124, 124, 124, 7]


@few
@given(pictures(), st.integers(2, 12))
def test_a_poster_has_so_many_steps_and_stays_one(image: Image, steps: int) -> None:
    once = posterize(image, steps)
    colours = once.pixels[..., :3]
    assert len(np.unique(colours)) <= steps
    assert same(posterize(once, steps), once)


def test_a_threshold_parts_dark_from_bright() -> None:
    assert tones(threshold(ramp(), 0.5)) == [0] * 128 + [255] * 128
    two = np.full((10, 10, 1), 40, np.uint8)
    two[5:] = 90
    found = threshold(Image(two)).pixels
    assert (found[:5] == 0).all()
    assert (found[5:] == 255).all()


# -- tables


@pytest.fixture
def store(tmp_path: Any) -> Any:
    with artifacts.using(artifacts.Folder(tmp_path / "store"), tmp_path / "output"):
        yield


def cube(text: str) -> Artifact:
    return artifacts.keep(text.encode())


def table(size: int, change: Callable[[float, float, float], tuple[float, ...]]) -> str:
    """A .cube file; red goes fastest."""
    steps = [i / (size - 1) for i in range(size)]
    rows = [change(r, g, b) for b in steps for g in steps for r in steps]
    return f'TITLE "of a test"\n# a remark\nLUT_3D_SIZE {size}\n\n' + "\n".join(
        " ".join(f"{v:.6f}" for v in row) for row in rows
    )


@pytest.mark.parametrize("size", [2, 5, 17])
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_the_identity_table_changes_nothing(store: None, size: int, channels: int, dtype: Any) -> None:
    image = noise(20, 20, channels, dtype)
    found = apply_lut(image, cube(table(size, lambda r, g, b: (r, g, b)))).pixels
    wanted = image.pixels if channels > 1 else np.repeat(image.pixels, 3, 2)
    assert np.abs(found.astype(float) - wanted).max() <= (0 if dtype == np.uint8 else 1e-5)


def test_a_table_knows_red_from_blue_and_mixes_between_its_points(store: None) -> None:
    swap = cube(table(3, lambda r, g, b: (b, g, r)))
    assert tuple(apply_lut(plain((200, 100, 50)), swap).pixels[0, 0]) == (50, 100, 200)
    assert tuple(apply_lut(plain((200, 100, 50)), swap, 0.5).pixels[0, 0]) == (125, 100, 125)
    image = noise()
    assert same(apply_lut(image, swap, 0), image)
    bent = cube(table(2, lambda r, g, b: (r * g * b,) * 3))
    assert apply_lut(plain((0.5, 0.5, 0.5), dtype=np.float32), bent).pixels[0, 0, 0] == pytest.approx(0.125)


def test_a_table_of_curves_and_a_domain_are_understood(store: None) -> None:
    inverse = cube("LUT_1D_SIZE 2\r\n1 1 1\r\n0 0 0\r\n")
    assert tuple(apply_lut(plain((200, 100, 50)), inverse).pixels[0, 0]) == (55, 155, 205)
    wide = cube("LUT_1D_SIZE 2\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 2\n0 0 0\n1 1 1\n")
    assert apply_lut(plain((0.8,) * 3, dtype=np.float32), wide).pixels[0, 0, 0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no LUT_3D_SIZE"),
        ("\x89PNG\r\n\x1a\n\x00\x01", "line 1"),
        ("LUT_3D_SIZE 2\n0 0 0\n", "1 colours"),
        ("LUT_3D_SIZE 999999999999\n", "2 to 65"),
        ("LUT_3D_SIZE -2\n", "2 to 65"),
        ("LUT_1D_SIZE 2\n0 0 0\n0 0 nan\n", "line 3"),
        ("LUT_1D_SIZE 2\n0 0 0\n0 0\n", "line 3"),
        ("LUT_1D_SIZE 2\n0 0 0\n0 0 1e999\n", "line 3"),
        ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n1 1 1\n", "line 4"),
        ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2\n", "line 2"),
        ("LUT_1D_SIZE 2\nDOMAIN_MIN 1 1 1\n0 0 0\n1 1 1\n", "domain"),
        ("0 0 0\n1 1 1\n", "line 1"),
        ("0 " * 1000, "line 1: 1999 characters"),
    ],
)
def test_what_is_no_table_is_refused_with_the_line(store: None, text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=f"lut: .*{problem}"):
        apply_lut(noise(), cube(text))


def test_a_huge_table_is_refused_unread() -> None:
    from nodes._lib.cubes import parsed

    with pytest.raises(BadInput, match=r"lut: .*at most 16"):
        parsed(b" " * (17 * 2**20))


# -- other pictures' colours


@few
@given(pictures(), st.sampled_from(["mean", "histogram"]))
def test_matching_a_picture_with_itself_keeps_it(image: Image, how: Any) -> None:
    found = match_colours(image, image, how).pixels.astype(float)
    assert np.abs(found - image.pixels).max() <= (1 if image.pixels.dtype == np.uint8 else 4e-3)
    assert same(match_colours(image, noise(), how, 0), image) or image.pixels.shape[2] == 1


@pytest.mark.parametrize("how", ["mean", "histogram"])
def test_a_picture_takes_the_colours_of_another(how: Any) -> None:
    here = Image((noise(40, 40, seed=1).pixels // 4 + 20).astype(np.uint8))
    there = Image((noise(30, 50, seed=2).pixels.astype(int) // 4 + (140, 90, 10)).astype(np.uint8))
    found = match_colours(here, there, how).pixels.astype(float)
    assert found.mean((0, 1)) == pytest.approx(there.pixels.mean((0, 1)), abs=4)
    halfway = match_colours(here, there, how, 0.5).pixels.astype(float)
    assert halfway == pytest.approx((found + here.pixels) / 2, abs=1)


def test_what_is_transparent_lends_no_colour() -> None:
    clear = np.zeros((10, 10, 4), np.uint8)
    clear[5:] = (200, 40, 40, 255)
    found = match_colours(noise(20, 20), Image(clear)).pixels.astype(float)
    assert found.mean((0, 1)) == pytest.approx([200, 40, 40], abs=25)


# -- telling


def patches(*parts: tuple[tuple[int, ...], int]) -> Image:
    """Columns of each colour, so many wide."""
    rows = [np.full((10, wide, len(colour)), colour, np.uint8) for colour, wide in parts]
    return on_wire(np.concatenate(rows, 1))


def test_the_palette_is_the_colours_that_are_there() -> None:
    image = patches(((255, 136, 0), 6), ((0, 0, 255), 3), ((10, 10, 10), 1))
    card, colours, shares = palette(image)
    assert colours == ["#ff8800", "#0000ff", "#0a0a0a"]
    assert shares == pytest.approx([0.6, 0.3, 0.1])
    assert card.width == 3 * 96
    assert [tuple(card.pixels[40, 96 * i + 40]) for i in range(3)] == [
        (255, 136, 0),
        (0, 0, 255),
        (10, 10, 10),
    ]
    assert card.pixels[100:].min() < 60, "with their hex texts below"


@few
@given(pictures(), st.integers(1, 8))
def test_a_palette_is_always_the_same_and_whole(image: Image, count: int) -> None:
    if image.pixels.shape[2] != 4:
        found, again = palette(image, count), palette(image, count)
        assert found.colours == again.colours
        assert 1 <= len(found.colours) <= count
        assert sum(found.shares) == pytest.approx(1)
        assert found.shares == sorted(found.shares, reverse=True)


def test_a_large_noisy_picture_still_has_its_few_colours() -> None:
    image = patches(((200, 30, 30), 600), ((30, 30, 200), 400))
    grainy = np.clip(
        image.pixels.repeat(60, 0).astype(int) + np.random.default_rng(0).normal(0, 8, (600, 1000, 1)), 0, 255
    )
    _, [first, second], shares = palette(Image(grainy.astype(np.uint8)), 2)
    assert shares == pytest.approx([0.6, 0.4], abs=0.01)
    assert [int(first[i : i + 2], 16) for i in (1, 3, 5)] == pytest.approx([200, 30, 30], abs=3)
    assert [int(second[i : i + 2], 16) for i in (1, 3, 5)] == pytest.approx([30, 30, 200], abs=3)


def test_what_is_transparent_is_in_no_palette() -> None:
    image = patches(((255, 0, 0, 255), 5), ((0, 255, 0, 0), 5))
    assert palette(image).colours == ["#ff0000"]
    with pytest.raises(BadInput, match="image"):
        palette(plain((1, 2, 3, 0)))
    assert describe_colours(plain((1, 2, 3, 0))) == ("nothing to see", [])


@pytest.mark.parametrize(
    ("colour", "word"),
    [((250, 20, 20), "red"), ((20, 180, 30), "green"), ((30, 60, 230), "blue"), ((255, 240, 40), "yellow"),
     ((250, 140, 20), "orange"), ((130, 30, 140), "purple"), ((250, 170, 190), "pink"),
     ((110, 65, 25), "brown"),
     ((250, 250, 248), "white"), ((8, 8, 10), "black"), ((128, 128, 128), "gray"), ((60, 220, 230), "cyan"),
     ((20, 30, 90), "dark blue"), ((170, 210, 240), "light blue"), ((20, 70, 25), "dark green")],
)  # fmt: skip
def test_colours_are_called_what_people_call_them(colour: tuple[int, ...], word: str) -> None:
    assert describe_colours(plain(colour)) == (word, [word])


def test_colours_are_told_in_a_sentence() -> None:
    image = patches(((250, 140, 20), 8), ((8, 8, 8), 5), ((250, 250, 250), 4), ((0, 0, 255), 3))
    assert describe_colours(image) == ("orange, black and white", ["orange", "black", "white"])
    mostly = patches(((250, 140, 20), 18), ((8, 8, 8), 2))
    assert describe_colours(mostly).text == "mostly orange, with black"
    assert describe_colours(image, 4).text == "orange, black, white and blue"


def test_a_histogram_stands_where_the_brightness_is() -> None:
    image = patches(((64, 64, 64), 8), ((192, 64, 0), 4))
    found = histogram(image, 100).pixels.astype(int)
    assert found.shape == (100, 512, 3)
    lit = found > 128
    assert lit[99, 128, :2].all(), "red and green at 64"
    assert lit[99, 384].tolist() == [True, False, False], "red alone at 192"
    assert lit[:, 384, 0].mean() == pytest.approx(4 / 12, abs=0.02)
    assert lit[:, 128, 1].all()
    assert histogram(image, 100, "log").pixels[:, 384, 0].mean() > found[:, 384, 0].mean()


# -- pictures of colours


@pytest.mark.parametrize(
    ("text", "pixel"),
    [("#ff8800", [255, 136, 0]), ("#f80", [255, 136, 0]), ("Orange", [255, 165, 0]),
     ("#ff880080", [255, 136, 0, 128]), ("transparent", [0, 0, 0, 0])],
)  # fmt: skip
def test_a_colour_is_written_as_hex_or_by_name(text: str, pixel: list[int]) -> None:
    found = solid(5, 3, text).pixels
    assert found.shape == (3, 5, len(pixel))
    assert (found == pixel).all()


@pytest.mark.parametrize("text", ["oragne", "notacolour"])
def test_an_unknown_name_is_refused_with_what_was_meant(text: str) -> None:
    with pytest.raises(BadInput, match=r"colour: .*Did you mean orange|colour: .*Write it like #ff8800"):
        solid(5, 3, text)


@pytest.mark.parametrize("text", ["#ff", "#gggggg", "rgb(1,2,3)", "", "#ff88001", "a" * 41])
def test_what_cannot_be_a_colour_is_refused_before_anything_runs(text: str) -> None:
    port = next(port for port in declared(solid).spec.inputs if port.name == "colour")
    assert port.ui["x-widget"] == "colour"
    with pytest.raises(msgspec.ValidationError):
        convert(text, port.type)
    assert convert("#ff8800", port.type) == "#ff8800"


def test_a_gradient_goes_from_its_first_colour_to_its_last() -> None:
    found = gradient(101, 11, ["black", "red", "white"]).pixels
    assert [found[5, x].tolist() for x in (0, 50, 100)] == [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    assert (found == found[:1]).all()
    down = gradient(11, 101, ["black", "white"], degrees=90).pixels
    assert (down[0, 0, 0], down[100, 5, 0]) == (0, 255)
    assert (down == down[:, :1]).all()
    corner = gradient(50, 30, ["black", "white"], degrees=45).pixels[..., 0]
    assert (corner[0, 0], corner[-1, -1]) == (0, 255)
    back = gradient(101, 11, ["white", "red", "black"], degrees=180).pixels
    assert np.abs(back.astype(int) - found).max() <= 1


def test_a_radial_gradient_starts_in_the_middle() -> None:
    found = gradient(41, 21, ["white", "black"], "radial").pixels[..., 0]
    assert (found[10, 20], found[0, 0], found[20, 40]) == (255, 0, 0)
    assert (np.diff(found[10, 20:].astype(int)) <= 0).all()
    assert gradient(1, 1, ["red", "black"], "radial").pixels.tolist() == [[[255, 0, 0]]]


def test_fading_to_transparent_makes_no_grey_fringe() -> None:
    found = gradient(64, 1, ["#ff0000", "transparent"]).pixels[0]
    assert found.shape == (64, 4)
    assert (found[:-1, :3] == (255, 0, 0)).all()
    assert (found[0, 3], found[-1, 3]) == (255, 0)
    with pytest.raises(BadInput, match=r"colours: .*2 to 64"):
        gradient(5, 5, ["red"])
    with pytest.raises(BadInput, match=r"width: .*megapixels"):
        gradient(16_000, 16_000, ["red", "blue"])
