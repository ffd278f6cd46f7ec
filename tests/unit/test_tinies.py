"""TAESD in one file: for previews as its makers publish the decoder, and as a VAE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from engine import memory, models
from engine.errors import BadInput, Unsupported
from engine.machine import prepare
from engine.memory import Residency
from engine.models import Models
from engine.types import Denoiser, Image, Latent
from nodes import load
from nodes._lib import glimpses
from nodes.latent import decode_latent, encode_image
from nodes.load import load_vae

DENOISER = Denoiser(
    "any", "sd15", "0" * 64, 1, "float32", channels=4, factor=8, size=64, prediction="epsilon"
)


@pytest.fixture(scope="module")
def whole() -> Any:
    torch.manual_seed(3)
    return AutoencoderTiny().eval().requires_grad_(False)


@pytest.fixture
def top(tmp_path: Path, whole: Any) -> Iterator[Path]:
    """A models folder with the decoder in its first layout, and the whole in that of diffusers."""
    prepare()
    (tmp_path / "vae_approx").mkdir()
    (tmp_path / "vae").mkdir()
    save_file(published(whole), tmp_path / "vae_approx" / "taesd_decoder.safetensors")
    save_file(dict(whole.state_dict()), tmp_path / "vae" / "taesd.safetensors")
    found = Models([tmp_path], hub=tmp_path / "hub")
    loaders = (load.read_vae, load.read_preview)
    held = memory.current.set(Residency(loaders, found, limit_bytes=10**9, dtype="float32"))
    named = models.current.set(found)
    yield tmp_path
    models.current.reset(named)
    memory.current.reset(held)


def published(whole: Any) -> dict[str, torch.Tensor]:
    """The decoder by the names of its makers: a plain sequence, whose first layer is a clamp."""
    found = {}
    for name, weight in whole.decoder.layers.state_dict().items():
        layer, _, rest = name.partition(".")
        found[f"{int(layer) + 1}.{rest}"] = weight
    assert {"1.weight", "3.conv.0.weight"} <= found.keys()
    return found


def latent() -> Latent:
    return Latent(np.random.default_rng(0).normal(size=(4, 6, 8)).astype(np.float32), "sd15", 8)


def decoded(whole: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    picture = whole.decode(torch.from_numpy(latent().samples)[None]).sample[0].permute(1, 2, 0)
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = (
        ((picture * 0.5 + 0.5).clamp(0, 1) * 255).round().byte().numpy()
    )
    return pixels


def test_the_published_decoder_is_found_for_previews(top: Path, whole: Any) -> None:
    found = glimpses.decoder(DENOISER)
    assert found is not None
    assert found.name == "taesd_decoder"
    with memory.weights(found) as small, torch.no_grad():
        samples = torch.from_numpy(latent().samples)[None]
        assert torch.equal(small.decode(samples).sample, whole.decode(samples).sample)


@pytest.mark.parametrize("name", ["taesd", "taesd/diffusion_pytorch_model"])
def test_the_whole_in_one_file_serves_previews_too(top: Path, whole: Any, name: str) -> None:
    (top / "vae_approx" / "taesd_decoder.safetensors").unlink()
    path = top / "previews" / f"{name}.safetensors"
    path.parent.mkdir(parents=True)
    save_file(dict(whole.state_dict()), path)
    found = glimpses.decoder(DENOISER)
    assert found is not None
    assert found.name == name


def test_the_whole_in_one_file_is_a_vae(top: Path, whole: Any) -> None:
    with pytest.raises(BadInput, match=r"family.*sd15 or sdxl.*choose"):
        load_vae("taesd")
    vae = load_vae("taesd", family="sd15")
    assert (vae.family, vae.factor) == ("sd15", 8)
    assert np.array_equal(decode_latent(vae, latent()).pixels, decoded(whole))
    picture = Image(np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8))
    pixels = torch.from_numpy(picture.pixels.astype(np.float32) / 255).permute(2, 0, 1)[None] * 2 - 1
    found = encode_image(vae, picture).samples.astype(np.float32)
    np.testing.assert_allclose(found, whole.encode(pixels).latents[0].numpy(), atol=1e-5)


def test_a_decoder_alone_is_no_vae(top: Path, whole: Any) -> None:
    save_file(published(whole), top / "vae" / "half.safetensors")
    with pytest.raises(Unsupported, match="'half' is of no family"):
        load_vae("half")


def test_a_file_that_only_begins_like_one_is_refused(top: Path, whole: Any) -> None:
    weights = published(whole)
    weights.pop("7.weight")
    save_file(weights, top / "vae_approx" / "taesd_decoder.safetensors")
    found = glimpses.decoder(DENOISER)
    assert found is not None
    refused = pytest.raises(Unsupported, match=r"taesd_decoder.*layout of TAESD.*decoder\.layers\.6\.weight")
    with refused, memory.weights(found):
        pass
