"""Pictures are resized, cut, mixed, laid out, opened and saved without losing what they need not lose."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from engine import artifacts
from engine.errors import BadInput
from engine.types import Artifact, Image, Mask
from nodes.files import LABEL, load_image, save_image
from nodes.image import blend, contact_sheet, crop, invert, mask_to_image, picture_size, resize


def picture(width: int = 12, height: int = 8, channels: int = 3, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image(values)


def plain(colour: tuple[int, ...], width: int = 12, height: int = 8) -> Image:
    return Image(np.full((height, width, len(colour)), colour, np.uint8))


def test_a_picture_says_its_size() -> None:
    assert picture_size(picture(12, 8)) == (12, 8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "area", "nearest"])
def test_a_plain_picture_stays_plain_at_any_size(channels: int, filter: Any) -> None:
    found = resize(plain((7, 70, 200, 90)[:channels]), 30, 5, filter=filter)
    assert found.pixels.shape == (5, 30, channels)
    assert len(np.unique(found.pixels.reshape(-1, channels), axis=0)) == 1


def test_resizing_keeps_the_number_format() -> None:
    fine = Image(np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12, 1))
    assert resize(fine, 24).pixels.dtype == np.float32
    assert resize(picture(), 24).pixels.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "area"])
def test_what_is_transparent_leaves_no_dark_fringe(filter: Any, dtype: Any) -> None:
    pixels = np.zeros((16, 16, 4), dtype)
    pixels[4:12, 4:12] = np.array((1, 0.8, 0.2, 1)) * (255 if dtype == np.uint8 else 1)
    found = resize(Image(pixels), 5, 5, filter=filter).pixels / pixels.max()
    edge = (found[..., 3] > 0.1) & (found[..., 3] < 0.9)
    assert edge.any()
    assert np.abs(found[edge, :3] - (1, 0.8, 0.2)).max() < 0.02


def test_one_side_gives_the_other() -> None:
    assert picture_size(resize(picture(12, 8), width=24)) == (24, 16)
    assert picture_size(resize(picture(12, 8), height=4)) == (6, 4)


def test_inside_keeps_proportions_and_cover_fills() -> None:
    assert picture_size(resize(picture(12, 8), 24, 24, fit="inside")) == (24, 16)
    assert picture_size(resize(picture(12, 8), 24, 24, fit="cover")) == (24, 24)
    stripes = Image(
        np.concatenate([plain((255,), 4).pixels, plain((0,), 4).pixels, plain((255,), 4).pixels], 1)
    )
    assert resize(stripes, 4, 8, fit="cover", filter="nearest").pixels.max() == 0


def test_resizing_to_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="width"):
        resize(picture())


def test_a_cut_is_the_pixels_within_it() -> None:
    whole = picture(12, 8)
    np.testing.assert_array_equal(crop(whole, 5, 3, 2, 1).pixels, whole.pixels[1:4, 2:7])


@pytest.mark.parametrize(("name", "box"), [("width", (12, 1, 1, 0)), ("height", (1, 9, 0, 0))])
def test_a_cut_beyond_the_picture_is_refused(name: str, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match=name):
        crop(picture(12, 8), *box)


def test_blending_goes_from_one_to_the_other() -> None:
    a, b = plain((0, 100, 200)), plain((200, 100, 0))
    for amount, wanted in ((0.0, (0, 100, 200)), (0.5, (100, 100, 100)), (1.0, (200, 100, 0))):
        assert tuple(blend(a, b, amount).pixels[0, 0]) == wanted
    assert blend(plain((9,)), plain((1, 2, 3, 4))).pixels.shape == (8, 12, 4)
    with pytest.raises(BadInput, match=r"b: .*10 × 8.*12 × 8"):
        blend(a, picture(10, 8))


def test_inverting_twice_changes_nothing_and_transparency_stays() -> None:
    whole = picture(channels=4)
    once = invert(whole)
    np.testing.assert_array_equal(once.pixels[..., 3], whole.pixels[..., 3])
    np.testing.assert_array_equal(once.pixels[..., 0], 255 - whole.pixels[..., 0])
    np.testing.assert_array_equal(invert(once).pixels, whole.pixels)


def test_values_on_wires_are_never_written_to() -> None:
    whole = picture(channels=4)
    whole.pixels.flags.writeable = False
    for found in (
        invert(whole),
        resize(whole, 5, 5),
        crop(whole, 2, 2),
        blend(whole, whole),
        contact_sheet([whole]),
    ):
        assert found is not whole


def test_a_sheet_has_each_picture_in_its_place() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9), (99, 0, 99)]
    sheet = contact_sheet([plain(c) for c in colours], columns=2)
    assert picture_size(sheet) == (2 * 16 + 4, 3 * 12 + 4)
    for index, colour in enumerate(colours):
        assert tuple(sheet.pixels[4 + index // 2 * 12 + 4, 4 + index % 2 * 16 + 6]) == colour
    assert tuple(sheet.pixels[-8, -8]) == (255, 255, 255)


def test_a_sheet_is_about_square_unless_told() -> None:
    assert [picture_size(contact_sheet([plain((1,))] * n))[0] // 16 for n in (1, 2, 4, 5, 9, 10)] == [
        1,
        2,
        2,
        3,
        3,
        4,
    ]


def test_captions_are_written_and_shortened_to_fit() -> None:
    pictures = [plain((0, 0, 0), 60, 20)] * 2
    bare, told = contact_sheet(pictures), contact_sheet(pictures, captions=["seed 7", "long words " * 50])
    assert told.height == bare.height + 16
    strip = told.pixels[24:40]
    assert strip[:, 4:64].min() < 128
    assert strip[:, 128:].min() == 255  # nothing beyond the last picture
    with pytest.raises(BadInput, match="1 for 2 pictures"):
        contact_sheet(pictures, captions=["one"])


def test_a_sheet_of_nothing_and_one_too_large_are_refused() -> None:
    with pytest.raises(BadInput, match="at least one"):
        contact_sheet([])
    huge = Image(np.broadcast_to(np.uint8(0), (16_000, 16_000, 1)))
    with pytest.raises(BadInput, match="megapixels"):
        contact_sheet([huge])


def test_a_mask_is_a_grey_picture_without_loss() -> None:
    mask = Mask(np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12))
    found = mask_to_image(mask).pixels
    assert found.shape == (8, 12, 1)
    np.testing.assert_array_equal(found[..., 0], mask.pixels)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with artifacts.using(artifacts.Folder(tmp_path / "store"), tmp_path / "output"):
        yield tmp_path


def kept(artifact: Artifact) -> Any:
    return pil.open(io.BytesIO(artifacts.read(artifact)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_png_opens_as_the_same_pixels(store: Path, channels: int) -> None:
    whole = picture(channels=channels)
    saved = save_image(whole, "mine")
    assert (saved.mime, saved.width, saved.height) == ("image/png", 12, 8)
    opened = load_image(saved)
    np.testing.assert_array_equal(opened.image.pixels, whole.pixels)
    assert [path.name for path in (store / "output").rglob("*.png")] == [saved.name]


def test_the_mask_of_a_picture_is_what_is_transparent(store: Path) -> None:
    whole = picture(channels=4)
    mask = load_image(save_image(whole)).mask.pixels
    wanted = 1 - whole.pixels[..., 3].astype(float) / 255
    assert np.allclose(mask.astype(float), wanted, atol=1e-6)
    assert not load_image(save_image(picture())).mask.pixels.any()


@pytest.mark.parametrize(("format", "mime"), [("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_lower_quality_is_a_smaller_file(store: Path, format: Any, mime: str) -> None:
    good, bad = (save_image(picture(200, 200), format=format, quality=q) for q in (95, 10))
    assert good.mime == mime
    assert bad.bytes < good.bytes / 2


def test_no_metadata_is_no_bytes_of_it(store: Path) -> None:
    data = artifacts.read(save_image(picture(), metadata="none"))
    assert b"Tessera" not in data
    assert kept(save_image(picture(), metadata="none")).info == {}
    assert not kept(save_image(picture(), format="jpeg", metadata="none")).getexif()


def test_a_label_says_that_the_picture_was_generated(store: Path) -> None:
    assert kept(save_image(picture(), metadata="label")).text == {"Software": LABEL}
    [told] = kept(save_image(picture(), format="webp", metadata="label")).getexif().values()
    assert json.loads(told) == {"Software": LABEL}


def test_a_picture_tells_as_much_of_its_run_as_asked(store: Path) -> None:
    told = {"metadata": "full", "inputs": {"prompt": "ein Café", "seed": 7}, "workflow": '{"tessera": 1}'}
    token = artifacts.origin.set(told)
    try:
        amounts: list[Any] = [None, "params", "label", "none"]
        texts = [kept(save_image(picture(), metadata=amount)).text for amount in amounts]
    finally:
        artifacts.origin.reset(token)
    assert [set(text) for text in texts] == [
        {"Software", "parameters", "workflow"},
        {"Software", "parameters"},
        {"Software"},
        set(),
    ]
    assert json.loads(texts[0]["parameters"]) == told["inputs"]
    assert texts[0]["workflow"] == told["workflow"]
