"""What words name is marked as CLIPSeg finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import BadInput, Unsupported
from engine.memory import weights
from nodes.segment import load_segmenter, mask_by_words
from tests import sights
from tests.pictured import KINDS, noise

pytestmark = pytest.mark.usefixtures("residency")

SIDE = sights.SIDE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    sights.clipseg(top / "segmenters" / "tiny")
    sights.segformer(top / "segmenters" / "classes")
    broken = top / "segmenters" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "clipseg"}', "utf-8")
    (broken / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return top


def likely(words: str, **options: Any) -> NDArray[np.float64]:
    found = mask_by_words(load_segmenter("tiny"), noise(SIDE, SIDE), words, **options)
    return np.asarray(found.pixels, np.float64)


def test_the_mask_is_what_transformers_says() -> None:
    """At the model's own size, and as soft as can be, the mask is the likelihood itself."""
    picture = noise(SIDE, SIDE)
    with weights(load_segmenter("tiny")) as held:
        given = held.processor(
            text=["a red circle"], images=[picture.pixels.copy()], padding="max_length", return_tensors="pt"
        )
        with torch.inference_mode():
            wanted = torch.sigmoid(held.module(**given).logits).reshape(SIDE, SIDE).numpy()
    assert wanted.std() > 1e-4
    np.testing.assert_allclose(likely("a red circle", threshold=0.5, softness=1.0), wanted, atol=1e-5)


def test_several_things_are_marked_together() -> None:
    options = {"threshold": 0.5, "softness": 1.0}
    one, two = likely("a cat", **options), likely("the sea", **options)
    assert np.abs(one - two).max() > 1e-6
    np.testing.assert_allclose(likely("a cat, the sea", **options), np.maximum(one, two), atol=1e-6)


def test_a_higher_threshold_marks_less_and_without_softness_all_or_nothing() -> None:
    places = np.quantile(likely("a cat", threshold=0.5, softness=1.0), (0.25, 0.75))
    low, high = (likely("a cat", threshold=float(place), softness=0.0) for place in places)
    assert low.sum() > high.sum()
    assert set(np.unique(low)) <= {0, 1}


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_the_mask_is_as_large_as_any_kind_of_picture(channels: int, dtype: Any) -> None:
    found = mask_by_words(load_segmenter("tiny"), noise(30, 20, channels, dtype), "a cat")
    assert found.pixels.shape == (20, 30)
    assert found.pixels.dtype == np.float32


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="words"):
        likely(" , ")
    with pytest.raises(Unsupported, match="no whole CLIPSeg"):
        mask_by_words(load_segmenter("broken"), noise(), "a cat")
    with pytest.raises(Unsupported, match=r"it is segformer.*load_scene_parser"):
        load_segmenter("classes")
