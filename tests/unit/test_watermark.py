"""A number that is hidden in a picture is found again, whatever befalls the picture, and in no other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.codecs import picture, picture_bytes
from engine.errors import BadInput
from engine.types import Image
from nodes._lib.pictures import cut
from nodes.transform import resize_by
from nodes.watermark import read_watermark, watermark

NUMBER = 0xC0FFEE42
Change = Callable[[Image], Image]


def scene(width: int = 384, height: int = 320) -> Image:
    """A sky, hills with a texture, and a disc: smooth and rough parts, and edges."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    pixels = np.stack([90 + y / 4, 130 + y / 5, 220 - y / 6], 2)
    hills = y > height * 0.6 + 20 * np.sin(x / 40)
    pixels[hills] = np.array([70, 120, 50]) + rng.normal(0, 12, (height, width, 1))[hills]
    pixels[(x - width / 3) ** 2 + (y - height / 3) ** 2 < 50**2] = (230, 90, 40)
    return Image(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(image: Image, quality: int = 80) -> Image:
    return picture(picture_bytes(image, "jpeg", quality=quality))


def smaller(image: Image) -> Image:
    return resize_by(image, 0.75)


def middle(image: Image) -> Image:
    return cut(image, 33, 21, image.width * 3 // 4, image.height * 3 // 4)


@pytest.mark.parametrize(
    "befalls", [(), (jpeg,), (smaller,), (middle,), (smaller, jpeg), (middle, jpeg), (middle, smaller, jpeg)]
)
def test_the_number_is_found_after_what_befalls_pictures(befalls: tuple[Change, ...]) -> None:
    image = watermark(scene(), NUMBER)
    for change in befalls:
        image = change(image)
    found = read_watermark(image)
    assert (found.found, found.number) == (True, NUMBER)
    assert found.strength > 4


def test_the_size_is_told_and_the_eye_is_not() -> None:
    plain, marked = scene(), watermark(scene(), NUMBER)
    assert read_watermark(smaller(marked)).scale == pytest.approx(0.75, abs=0.004)
    error = np.mean((plain.pixels.astype(float) - marked.pixels) ** 2)
    assert 10 * np.log10(255**2 / error) > 39
    assert np.abs(plain.pixels.astype(int) - marked.pixels).max() <= 20


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(1)
    noise = Image(rng.integers(0, 256, (200, 200, 3), np.uint8))
    for image in (scene(), jpeg(scene()), noise, Image(np.full((100, 100, 1), 7, np.uint8))):
        assert not read_watermark(image).found


def test_another_number_is_another_picture_and_alpha_and_fineness_stay() -> None:
    image = scene(128, 128)
    assert not np.array_equal(watermark(image, 1).pixels, watermark(image, 2).pixels)
    clear = Image(np.dstack([image.pixels, np.full((128, 128), 99, np.uint8)]))
    marked = watermark(clear, 7)
    assert (marked.pixels[..., 3] == 99).all()
    assert read_watermark(marked).number == 7
    fine = Image(image.pixels[..., :1].astype(np.float32) / 255)
    assert watermark(fine, 9).pixels.dtype == np.float32
    assert read_watermark(watermark(fine, 9)).number == 9
    with pytest.raises(BadInput, match="at least 64 pixels"):
        watermark(Image(np.zeros((20, 200, 3), np.uint8)))
