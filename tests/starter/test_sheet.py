"""Contact sheets: everything is on them, and they are small."""

from pathlib import Path

import numpy as np
from PIL import Image
from recipe.canvas import paint
from recipe.draw import draw
from recipe.sheet import MOST, page, sheet


def test_a_page_has_its_rows_at_one_size(tmp_path: Path) -> None:
    small, large = np.full((32, 32, 3), 40, np.uint8), np.full((256, 256, 3), 200, np.uint8)
    page([[small, large], [large, small]], tmp_path / "page.jpg", size=64)
    with Image.open(tmp_path / "page.jpg") as shown:
        pixels = np.asarray(shown.convert("RGB"))
    assert pixels.shape == (128, 128, 3)
    assert [int(pixels[y, x, 0]) for y in (32, 96) for x in (32, 96)] == [40, 200, 200, 40]


def test_words_stand_above_their_pictures(tmp_path: Path) -> None:
    white = np.full((128, 128, 3), 255, np.uint8)
    sheet([white, white], tmp_path / "sheet.jpg", columns=2, labels=["a red star " * 3, ""])
    with Image.open(tmp_path / "sheet.jpg") as shown:
        gray = np.asarray(shown.convert("L"))
    assert gray.shape[0] > 128
    assert gray[:-128, :128].min() < 100
    assert gray[:, 128:].min() == 255


def test_a_sheet_of_many_pictures_is_small_enough_for_the_card(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 40, (8, 128, 128, 3))
    shown = [np.clip(paint(draw(seed)) + grain, 0, 255).astype(np.uint8) for seed, grain in enumerate(noise)]
    sheet(shown, tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size <= MOST
