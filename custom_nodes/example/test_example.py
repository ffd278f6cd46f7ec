"""A pack's test calls its nodes: they are plain functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom_nodes.example import palette, vignette
from engine.packs import describe
from engine.registry import Pack
from engine.types import Image


def grey(height: int, width: int, channels: int = 3, level: int = 200) -> Image:
    return Image(np.full((height, width, channels), level, np.uint8))


def test_a_vignette_darkens_the_corners_and_keeps_the_centre() -> None:
    pixels = vignette(grey(65, 97), strength=0.5).pixels
    assert pixels[32, 48].tolist() == [200, 200, 200]
    assert pixels[0, 0].tolist() == pixels[-1, -1].tolist() == [100, 100, 100]


def test_a_vignette_without_strength_changes_nothing() -> None:
    image = grey(8, 8)
    assert np.array_equal(vignette(image, strength=0.0).pixels, image.pixels)


@pytest.mark.parametrize("reach", [0.0, 1.0])
def test_a_vignette_takes_any_reach(reach: float) -> None:
    assert vignette(grey(9, 9), reach=reach).pixels.max() == 200


def test_a_vignette_keeps_the_kind_of_numbers_and_the_transparency() -> None:
    image = Image(np.full((8, 8, 4), 0.5, np.float32))
    pixels = vignette(image, strength=1.0).pixels
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels[:, :, 3], image.pixels[:, :, 3])
    assert pixels[0, 0, :3].tolist() == [0.0, 0.0, 0.0]


def test_the_palette_names_the_most_frequent_colour_first() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:, :3] = (255, 136, 0)
    found = palette(Image(pixels), count=2)
    assert found.colours == ["#000000", "#ff8800"]
    assert found.swatch.pixels.shape == (64, 128, 3)
    assert found.swatch.pixels[0, 127].tolist() == [255, 136, 0]


def test_a_picture_of_one_colour_has_a_palette_of_one() -> None:
    assert palette(grey(4, 4, channels=1, level=17), count=5).colours == ["#111111"]


def test_a_float_picture_has_the_same_palette() -> None:
    assert palette(Image(np.ones((4, 4, 3), np.float32)), count=1).colours == ["#ffffff"]


async def test_the_pack_is_described_with_its_two_nodes() -> None:
    pack = await describe(Path(__file__).parent)
    assert isinstance(pack, Pack), pack
    assert [entry.spec.id for entry in pack.entries] == ["example/palette", "example/vignette"]
