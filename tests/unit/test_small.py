"""Weights that wait in eight bits: a quarter of the memory on a CPU, and nearly the same picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import Unsupported
from engine.memory import Residency, current, weights
from engine.registry import Registry
from nodes._lib import turns
from nodes.latent import decode_latent, empty_latent
from nodes.load import load_model, use_lora
from nodes.sample import sample
from nodes.text import encode_text
from nodes.tweaks import free_u
from tests import pipelines, tiny

pytestmark = pytest.mark.usefixtures("residency")


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """With a LoRA."""
    pipeline = pipelines.quiet("StableDiffusionPipeline", folder / "diffusers" / "tiny")
    (folder / "loras").mkdir()
    save_file(pipelines.changes(pipeline, 1, unet=["to_q"]), folder / "loras" / "style.safetensors")
    return folder


def drawn(dtype: Any = "auto", tweaked: bool = False) -> Any:
    model = load_model("tiny", dtype)
    denoiser = free_u(model.denoiser) if tweaked else model.denoiser
    positive = encode_text(model.text_encoder, "a red circle")
    found = sample(denoiser, positive, empty_latent(denoiser, 64, 64), steps=2, seed=3)
    return decode_latent(model.vae, found.latent).pixels.astype(int)


def test_the_picture_is_nearly_the_same_and_the_weights_are_a_quarter() -> None:
    found = drawn("float8")
    assert 0 < np.abs(found - drawn()).mean() < 6
    small, whole = [load_model("tiny", dtype) for dtype in ("float8", "auto")]
    with weights(small.denoiser) as waiting, weights(whole.denoiser) as plain:
        assert turns.shrunk(waiting.module)
        assert not turns.shrunk(plain.module)
        assert waiting.module.dtype == torch.float32, "as it computes"
        sizes = [sum(w.numel() * w.element_size() for w in m.module.parameters()) for m in (waiting, plain)]
    assert sizes[0] < 0.4 * sizes[1]  # a tiny model is norms and first layers to a large part
    assert (small.text_encoder.dtype, small.vae.dtype) == ("auto", "auto")


def test_settings_of_the_model_and_turns_on_the_device_go_with_it(residency: Residency) -> None:
    wanted = drawn("float8", tweaked=True)
    assert np.abs(wanted - drawn("float8")).max() > 0
    held = Residency(Registry.core().loaders, residency.models, device="cpu", dtype="float32", turns=True)
    before = current.set(held)
    found = drawn("float8", tweaked=True)
    current.reset(before)
    np.testing.assert_array_equal(found, wanted)


def test_weights_that_another_library_made_small_are_refused_by_its_name(folder: Path) -> None:
    config = tiny.diffusers_folder(folder / "diffusers" / "four_bits") / "unet" / "config.json"
    about = json.loads(config.read_text())
    config.write_text(json.dumps({**about, "quantization_config": {"quant_method": "bitsandbytes"}}))
    with pytest.raises(Unsupported, match="The unet of model 'four_bits' is quantised by bitsandbytes"):
        load_model("four_bits")


def test_a_lora_is_refused_with_the_remedy() -> None:
    model = load_model("tiny", "float8")
    denoiser, _ = use_lora(model.denoiser, model.text_encoder, "style")
    with pytest.raises(Unsupported, match="eight bits") as caught, weights(denoiser):
        pass
    assert "dtype" in str(caught.value.problems[0].remedy)
