"""Previews by a small decoder: chosen where there is one for the model, bounded, and without any effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray

from engine import memory, models
from engine.context import Context
from engine.types import Image
from nodes._lib import glimpses, schedules
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text

Pixels = NDArray[Any]


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
    begun = sample(model.denoiser, words, canvas, steps=6, end_step=1, method="ddim", seed=7).latent
    half = sample(model.denoiser, words, canvas, steps=6, end_step=2, method="ddim", seed=7).latent
    small = AutoencoderTiny.from_pretrained(folder / "previews" / "taesd")
    clean = foreseen(model, torch.from_numpy(begun.samples.copy()), torch.from_numpy(half.samples.copy()))
    with torch.no_grad():
        wanted = small.decode(clean[None]).sample[0].permute(1, 2, 0)
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


def foreseen(model: Loaded, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Where DDIM's second step of 6 was heading: it goes straight from noise to picture."""
    with memory.weights(model.denoiser) as held:
        ddim = schedules.scheduler(held.schedule, "ddim", "model")
    ddim.set_timesteps(6)
    shares = [float(ddim.alphas_cumprod[ddim.timesteps[step]]) for step in (1, 2)]
    (a, b), (c, d) = ((share**0.5, (1 - share) ** 0.5) for share in shares)
    return (after * b - before * d) / (c * b - a * d)


@pytest.mark.model
@pytest.mark.parametrize("method", ["euler", "euler ancestral", "dpm++ 2m", "ddim", "heun", "lcm"])
def test_a_preview_shows_where_the_picture_is_heading(method: str) -> None:
    """Half-way it is nearer to the end than the noisy latent is, whatever the method does with noise."""
    loaded = load_model("starter")
    words, canvas = (
        encode_text(loaded.text_encoder, "a red circle on a blue background"),
        empty_latent(loaded.denoiser, 128, 128),
    )
    shown: list[Image] = []
    given: dict[str, Any] = {"steps": 8, "guidance": 4.0, "seed": 7, "method": method}
    ctx = Context(lambda _: None, shown.append)
    whole = decode_latent(loaded.vae, sample(loaded.denoiser, words, canvas, ctx=ctx, **given).latent).pixels
    noisy = sample(loaded.denoiser, words, canvas, end_step=4, **given).latent
    small = glimpses.decoder(loaded.denoiser)
    assert small is not None
    with memory.weights(small) as decoder, memory.weights(loaded.denoiser) as held:
        before = glimpses.glimpse(torch.from_numpy(noisy.samples.copy())[None], held, decoder).pixels
    assert decibels(shown[1].pixels, whole) > decibels(before, whole) + 3


@pytest.mark.model
@pytest.mark.parametrize("prompt", ["a happy green cat on a pink background", "a red house by a blue sea"])
def test_the_starter_s_previews_come_near_to_the_picture(prompt: str) -> None:
    """Its own small decoder, beside the rough colours of the same step."""
    loaded = load_model("starter")
    words, canvas = encode_text(loaded.text_encoder, prompt), empty_latent(loaded.denoiser, 128, 128)
    shown: list[Image] = []
    ctx = Context(lambda _: None, shown.append)
    found = sample(loaded.denoiser, words, canvas, steps=20, guidance=4, seed=7, ctx=ctx).latent
    whole = decode_latent(loaded.vae, found).pixels
    before = sample(loaded.denoiser, words, canvas, steps=20, end_step=16, guidance=4, seed=7).latent
    with memory.weights(loaded.denoiser) as held:
        rough = glimpses.glimpse(torch.from_numpy(before.samples.copy())[None], held).pixels
    assert shown[-1].pixels.shape == whole.shape
    large = rough.repeat(2, 0).repeat(2, 1)
    assert decibels(shown[-1].pixels, whole) > decibels(large, whole) + 2


def decibels(found: Pixels, wanted: Pixels) -> float:
    return float(20 * np.log10(255) - 10 * np.log10(np.square(found.astype(float) - wanted).mean()))
