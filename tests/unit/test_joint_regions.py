"""Places of prompts where words and picture are one row: each prompt counts where its place is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.types import Conditioning
from nodes.conditioning import combine_prompts, limit_to_area
from nodes.latent import empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text
from tests import twins

pytestmark = [
    pytest.mark.usefixtures("residency"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed`"),  # in what diffusers itself does
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("models")
    for name in ("sd3", "flux", "chroma"):
        twins.make(name).save_pretrained(top / "diffusers" / name)
    return top


def drawn(
    model: Loaded, prompt: Conditioning, steps: int = 1, against: Conditioning | None = None
) -> NDArray[np.float32]:
    """A latent, of which one step shows what each cell was told."""
    canvas = empty_latent(model.denoiser, 64, 64)
    guidance = 1.0 if model.denoiser.family == "sd3" and against is None else 4.0
    found = sample(model.denoiser, prompt, canvas, against, steps=steps, guidance=guidance, seed=3)
    return np.asarray(found.latent.samples, np.float32)


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_each_half_hears_its_own_prompt(name: str) -> None:
    model = load_model(name)
    red, blue = (encode_text(model.text_encoder, text) for text in ("a red circle", "the blue sea"))
    left, right = limit_to_area(red, 0, 0, 0.5, 1), limit_to_area(blue, 0.5, 0, 0.5, 1)
    both, one, other = (drawn(model, prompt) for prompt in (combine_prompts(left, right), red, blue))
    np.testing.assert_allclose(both[..., :4], one[..., :4], atol=1e-5)
    np.testing.assert_allclose(both[..., 4:], other[..., 4:], atol=1e-5)
    assert np.abs(one - other).max() > 1e-3


def test_what_is_not_wanted_may_have_a_place_too() -> None:
    model = load_model("sd3")
    red, blue = (encode_text(model.text_encoder, text) for text in ("a red circle", "the blue sea"))
    halves = combine_prompts(limit_to_area(blue, 0, 0, 0.5, 1), limit_to_area(blue, 0.5, 0, 0.5, 1))
    found, wanted = (drawn(model, red, 2, against) for against in (halves, blue))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_family_whose_words_are_laid_out_otherwise_refuses_places() -> None:
    model = load_model("chroma")
    with pytest.raises(BadInput, match="a prompt for Chroma"):
        limit_to_area(encode_text(model.text_encoder, "a red circle"), 0, 0, 0.5, 1)
