"""Figures are cut out of their background with a clean edge, by a network that only looks at brightness."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.context import Context
from engine.errors import Cancelled, MissingModel, Unsupported
from engine.memory import Residency, weights
from engine.models import content_of
from engine.types import Image
from nodes.background import load_background_remover, remove_background
from nodes.compose import replace_background
from tests.enhancers import remover
from tests.pictured import KINDS, noise

pytestmark = pytest.mark.usefixtures("residency")

WHITE, BLUE = (255, 240, 220), (10, 20, 120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("models") / "background"
    top.mkdir()
    remover(top / "mine.onnx", 320)
    remover(top / "large.onnx", 1024)
    remover(top / "u2netp.onnx", "side")
    remover(top / "sam.onnx", 320)
    (top / "broken.onnx").write_bytes(b"\xff\xfe no network")
    return top.parent


def figure(width: int = 96, height: int = 64, alpha: bool = False) -> Image:
    """A light disc on blue; its rim is half of each."""
    y, x = np.mgrid[0:height, 0:width]
    cover = np.clip(20 - np.hypot(x - 48, y - 32), 0, 1)[..., None]
    pixels = np.rint(cover * WHITE + (1 - cover) * BLUE).astype(np.uint8)
    if alpha:
        pixels = np.concatenate([pixels, np.where(x < 48, 255, 0)[..., None].astype(np.uint8)], 2)
    return Image(pixels)


def numbers(array: Any) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)


def disc(image: Image) -> NDArray[np.bool_]:
    y, x = np.mgrid[0 : image.height, 0 : image.width]
    return np.asarray(np.hypot(x - 48, y - 32) < 19.5)


@pytest.mark.parametrize("name", ["mine", "large", "u2netp"])
@pytest.mark.parametrize("edge", ["as found", "matted"])
def test_the_figure_stays_and_the_rest_goes(name: str, edge: Literal["as found", "matted"]) -> None:
    picture = figure()
    found = remove_background(load_background_remover(name), picture, edge=edge)
    kept, wanted = numbers(found.mask.pixels) < 0.5, disc(picture)
    assert (kept & wanted).sum() / (kept | wanted).sum() > 0.95
    assert found.image.pixels.shape == (64, 96, 4)
    middle, corner = found.image.pixels[32, 48], found.image.pixels[4, 4]
    assert np.abs(middle.astype(int) - (*WHITE, 255)).max() <= 12
    assert corner[3] <= 20


def test_a_clean_edge_has_no_colour_of_what_was_behind() -> None:
    remover, picture = load_background_remover("mine"), figure()
    rims = []
    for clean in (True, False):
        pixels = numbers(remove_background(remover, picture, clean=clean).image.pixels)
        soft = (pixels[..., 3] > 60) & (pixels[..., 3] < 200)
        assert soft.any()
        rims.append(np.abs(pixels[soft][:, :3] - WHITE).mean())
    assert rims[0] < 0.3 * rims[1]


def test_on_a_new_ground_the_rim_is_between_the_two() -> None:
    found = remove_background(load_background_remover("mine"), figure())
    pixels = replace_background(found.image, colour="#ff0000").pixels
    assert np.abs(pixels[4, 4].astype(int) - (255, 0, 0)).max() <= 20
    assert pixels[..., 0].min() >= 240, "a dark rim"


def test_a_hard_edge_is_all_or_nothing() -> None:
    remover, picture = load_background_remover("mine"), figure()
    hard = remove_background(remover, picture, hardness=1.0).mask.pixels
    assert set(np.unique(hard)) == {0, 1}
    soft, between = (remove_background(remover, picture, hardness=h).mask.pixels for h in (0.0, 0.6))
    widths = [int(((numbers(m) > 0.02) & (numbers(m) < 0.98)).sum()) for m in (soft, between, hard)]
    assert widths[0] > widths[1] > widths[2] == 0


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_every_kind_of_picture_gets_an_alpha(channels: int, dtype: type) -> None:
    found = remove_background(load_background_remover("mine"), noise(24, 16, channels, dtype))
    assert found.image.pixels.shape == (16, 24, 4)
    assert found.image.pixels.dtype == dtype
    assert found.mask.pixels.shape == (16, 24)
    assert found.mask.pixels.dtype == np.float32


def test_what_was_transparent_stays_so() -> None:
    found = remove_background(load_background_remover("mine"), figure(alpha=True)).image.pixels
    assert found[32, 40, 3] > 240
    assert not found[:, 48:, 3].any()


def test_a_picture_of_one_colour_has_nothing_in_front() -> None:
    plain = Image(np.full((16, 24, 3), 200, np.uint8))
    found = remove_background(load_background_remover("mine"), plain, edge="matted")
    assert (found.mask.pixels == 1).all()


def test_the_same_picture_gives_the_same_mask_and_the_threads_are_bounded(residency: Residency) -> None:
    remover = load_background_remover("mine")
    one, two = (remove_background(remover, figure(), edge="matted").mask.pixels for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (residency.loads, residency.bytes) == (1, remover.bytes)
    with weights(remover) as session:
        options = session.inner_session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_the_content_of_the_file_is_the_key_and_nothing_is_looked_for_elsewhere(folder: Path) -> None:
    before = dict(os.environ)
    content = content_of("background")
    assert content(model="mine") == load_background_remover("mine").sha256 != content(model="large")
    remove_background(load_background_remover("mine"), noise())
    assert dict(os.environ) == before
    with pytest.raises(MissingModel, match="models fetch isnet-general-use"):
        load_background_remover("isnet-general-use")


@pytest.mark.parametrize(("name", "said"), [("sam", "in front"), ("broken", "not an ONNX file")])
def test_what_is_no_remover_is_refused(name: str, said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        remove_background(load_background_remover(name), noise())


def test_a_cancel_stops_before_the_edge_is_matted() -> None:
    with pytest.raises(Cancelled):
        remove_background(load_background_remover("mine"), noise(), ctx=Context(cancelled=lambda: True))
