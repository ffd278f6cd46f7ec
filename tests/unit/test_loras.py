"""LoRAs: the pixels are those of diffusers, several add up, and what is taken off leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from engine import memory
from engine.errors import MissingModel, Unsupported
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, use_lora
from nodes.sample import sample
from nodes.text import encode_text
from tests import pipelines

pytestmark = pytest.mark.filterwarnings("ignore:Already found a")  # in what diffusers itself does

PROMPT = "a red circle"


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """A tiny model, two LoRAs as diffusers writes them, the first also as kohya does, and misfits."""
    (folder / "loras").mkdir()
    for seed, name in ((1, "first"), (2, "second")):
        save_file(changes(folder, seed), folder / "loras" / f"{name}.safetensors")
    save_file(as_kohya(changes(folder, 1)), folder / "loras" / "kohya.safetensors")
    larger = {name: torch.cat([value, value], -1) for name, value in changes(folder, 1).items()}
    save_file(larger, folder / "loras" / "larger.safetensors")
    save_file({"something.else": torch.zeros(2)}, folder / "loras" / "other.safetensors")
    return folder


def changes(folder: Path, seed: int) -> dict[str, torch.Tensor]:
    """Of every attention layer."""
    layers = {
        "unet": ["to_q", "to_k", "to_v", "to_out.0"],
        "text_encoder": ["q_proj", "k_proj", "v_proj", "out_proj"],
    }
    return pipelines.changes(quiet(folder), seed, **layers)


def as_kohya(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same, by the names of kohya's scripts, whose encoder still had a `text_model`."""
    found: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        layer, _, which = name.removesuffix(".weight").rpartition(".")
        part, _, layer = layer.partition(".")
        prefix = "lora_unet_" if part == "unet" else "lora_te_text_model_"
        stem = prefix + layer.removeprefix("text_model.").replace(".", "_")
        found[f"{stem}.{'lora_down' if which == 'lora_A' else 'lora_up'}.weight"] = value
        found[f"{stem}.alpha"] = torch.tensor(float(pipelines.RANK))
    return found


def quiet(folder: Path) -> Any:
    return pipelines.quiet("StableDiffusionPipeline", folder / "diffusers" / "tiny")


def ours(model: Loaded, *loras: tuple[str, float], text_strength: float | None = None) -> NDArray[np.uint8]:
    denoiser, encoder = model.denoiser, model.text_encoder
    for name, strength in loras:
        denoiser, encoder = use_lora(denoiser, encoder, name, strength, text_strength)
    words = encode_text(encoder, PROMPT)
    found = sample(denoiser, words, empty_latent(denoiser), steps=3, guidance=4.0, method="ddim", seed=7)
    return np.asarray(decode_latent(model.vae, found.latent).pixels, np.uint8)


def theirs(folder: Path, *loras: tuple[str, float]) -> NDArray[np.uint8]:
    pipeline = quiet(folder)
    for place, (name, _) in enumerate(loras):
        pipeline.load_lora_weights(
            folder / "loras", weight_name=f"{name}.safetensors", adapter_name=f"n{place}"
        )
    pipeline.set_adapters([f"n{place}" for place in range(len(loras))], [weight for _, weight in loras])
    return pipelines.drawn(pipeline, prompt=PROMPT, num_inference_steps=3, guidance_scale=4.0)


@pytest.mark.parametrize(
    "loras", [(("first", 1.0),), (("first", 0.4),), (("kohya", 1.0),), (("first", 0.7), ("second", -0.5))]
)
def test_the_pixels_are_those_of_diffusers(
    model: Loaded, folder: Path, loras: tuple[tuple[str, float], ...]
) -> None:
    np.testing.assert_array_equal(ours(model, *loras), theirs(folder, *loras))


def test_kohya_and_diffusers_files_of_the_same_changes_draw_the_same(model: Loaded) -> None:
    np.testing.assert_array_equal(ours(model, ("first", 1.0)), ours(model, ("kohya", 1.0)))


def test_what_is_taken_off_leaves_no_trace(model: Loaded) -> None:
    plain = ours(model)
    worn = ours(model, ("first", 1.0))
    assert not np.array_equal(plain, worn)
    np.testing.assert_array_equal(ours(model), plain)
    np.testing.assert_array_equal(ours(model, ("first", 1.0)), worn)
    with memory.weights(model.denoiser) as held:
        assert not any("lora" in name for name, _ in held.module.named_parameters())


def test_the_order_of_several_stands_in_the_reference_and_weight_0_is_none(model: Loaded) -> None:
    first = use_lora(model.denoiser, model.text_encoder, "first")
    both = use_lora(*first, "second", strength=0.5, text_strength=0.25)
    assert [(name, weight) for name, _, weight in both.denoiser.loras] == [("first", 1.0), ("second", 0.5)]
    assert [weight for _, _, weight in both.text_encoder.loras] == [1.0, 0.25]
    off = use_lora(model.denoiser, model.text_encoder, "first", strength=0)
    assert off == (model.denoiser, model.text_encoder)


def test_the_reading_may_be_changed_more_or_less_than_the_drawing(model: Loaded) -> None:
    alike, drawn_only = ours(model, ("first", 1.0)), ours(model, ("first", 1.0), text_strength=0)
    assert not np.array_equal(alike, drawn_only)


def test_the_same_weights_are_shared_by_all_who_wear_something_else(model: Loaded) -> None:
    with memory.weights(model.denoiser) as plain:
        pass
    with memory.weights(use_lora(model.denoiser, model.text_encoder, "first").denoiser) as worn:
        assert worn is plain


@pytest.mark.parametrize("name", ["larger", "other"])
def test_a_lora_for_another_model_is_refused_and_nothing_stays_on(model: Loaded, name: str) -> None:
    before = ours(model)
    with pytest.raises(Unsupported, match=f"'{name}' does not fit"):
        ours(model, (name, 1.0))
    np.testing.assert_array_equal(ours(model), before)


def test_a_lora_that_is_not_there_is_named(model: Loaded) -> None:
    with pytest.raises(MissingModel, match=r"no lora named .fist.*first"):
        use_lora(model.denoiser, model.text_encoder, "fist")
