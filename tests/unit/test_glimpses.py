"""Previews by a small decoder: chosen where there is one for the model, bounded, and without any effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from engine import memory, models
from engine.context import Context
from engine.types import Image
from nodes._lib import glimpses
from nodes.latent import empty_latent
from nodes.load import Loaded
from nodes.sample import sample
from nodes.text import encode_text


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    torch.manual_seed(1)
    sizes = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    AutoencoderTiny(**sizes).save_pretrained(folder / "previews" / "taesd")
    AutoencoderTiny(**sizes).save_pretrained(folder / "starter" / "preview")
    return folder


def test_the_decoder_is_the_one_that_its_makers_name_for_these_latents(model: Loaded) -> None:
    found = glimpses.decoder(model.denoiser)
    assert found is not None
    assert found.name == "taesd"
    assert [file.name for file in models.models().list("preview")] == ["starter-preview", "taesd"]


def test_a_preview_is_what_the_small_decoder_makes_of_the_latent(model: Loaded, folder: Path) -> None:
    words = encode_text(model.text_encoder, "red")
    shown: list[Image] = []
    canvas = empty_latent(model.denoiser, 32, 32)
    ctx = Context(lambda _: None, shown.append)
    found = sample(model.denoiser, words, canvas, steps=6, method="ddim", seed=7, ctx=ctx).latent
    assert [image.pixels.shape for image in shown] == [(128, 128, 3)] * 2
    half = sample(model.denoiser, words, canvas, steps=6, end_step=2, method="ddim", seed=7).latent
    small = AutoencoderTiny.from_pretrained(folder / "previews" / "taesd")
    with torch.no_grad():
        wanted = small.decode(torch.from_numpy(half.samples.copy())[None]).sample[0].permute(1, 2, 0)
    expected = (wanted * 127.5 + 127.5).clamp(0, 255).round().numpy()
    assert np.abs(shown[0].pixels - expected).max() <= 1
    plain = sample(model.denoiser, words, canvas, steps=6, method="ddim", seed=7).latent
    np.testing.assert_array_equal(plain.samples, found.samples)


def test_a_preview_of_a_large_latent_is_a_small_picture(model: Loaded) -> None:
    small = glimpses.decoder(model.denoiser)
    assert small is not None
    with memory.weights(small) as decoder, memory.weights(model.denoiser) as held:
        found = glimpses.glimpse(torch.zeros(1, 4, 32, 128), held, decoder)
    assert found.pixels.shape == (128, 512, 3)


def test_without_a_decoder_the_colours_are_rough(model: Loaded) -> None:
    with memory.weights(model.denoiser) as held:
        assert glimpses.glimpse(torch.zeros(1, 4, 8, 8), held).pixels.shape == (32, 32, 3)
