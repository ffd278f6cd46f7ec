"""Stable Diffusion XL: sizes, two readers, the refiner, guides, holes and LoRAs, as in its pipelines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from safetensors.torch import save_file

from engine.errors import BadInput
from engine.memory import Residency
from engine.types import Conditioning, Image, Latent, Mask
from nodes.conditioning import combine_prompts, limit_to_area, set_sizes
from nodes.control import guide, load_controlnet
from nodes.latent import decode_latent, empty_latent, encode_image, mask_latent
from nodes.load import Loaded, load_model, use_lora
from nodes.sample import sample
from nodes.text import count_tokens, encode_text
from tests import pipelines, twins
from tests.pictured import noise

PROMPT, AGAINST = "a red circle on a blue background", "a green square"
SIDE = 64
WALK: dict[str, Any] = {"steps": 5, "guidance": 4.0, "seed": 7}
LAYERS = {
    "unet": ["to_q", "to_k", "to_v", "to_out.0"],
    "text_encoder": ["q_proj", "v_proj"],
    "text_encoder_2": ["q_proj", "v_proj"],
}
"""What the LoRA changes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a tiny base, refiner, ControlNet and LoRA."""
    top = tmp_path_factory.mktemp("models")
    base, refiner = twins.make("sdxl"), twins.make("sdxl-refiner", 1)
    base.save_pretrained(top / "diffusers" / "sdxl")
    refiner.save_pretrained(top / "diffusers" / "refiner")
    twins.large_controlnet(1).save_pretrained(top / "controlnet" / "edges")
    (top / "loras").mkdir()
    save_file(pipelines.changes(base, 5, **LAYERS), top / "loras" / "style.safetensors")
    return top


@pytest.fixture
def model(residency: Residency) -> Loaded:
    return load_model("sdxl")


@pytest.fixture
def words(model: Loaded) -> Conditioning:
    return encode_text(model.text_encoder, PROMPT)


@pytest.fixture
def canvas(model: Loaded) -> Latent:
    return empty_latent(model.denoiser, SIDE, SIDE)


def quiet(kind: str, folder: Path, name: str = "sdxl", **parts: Any) -> Any:
    return pipelines.quiet(kind, folder / "diffusers" / name, **parts)


drawn = partial(pipelines.drawn, prompt=PROMPT, num_inference_steps=5, guidance_scale=4.0)


def picture(seed: int) -> Image:
    return noise(SIDE, SIDE, seed=seed)


def pixels(model: Loaded, latent: Latent) -> NDArray[np.uint8]:
    return np.asarray(decode_latent(model.vae, latent).pixels)


def test_without_a_negative_prompt_it_is_told_nothing_as_it_was_taught(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    found = sample(model.denoiser, words, canvas, **WALK)
    wanted = drawn(quiet("StableDiffusionXLPipeline", folder), height=SIDE, width=SIDE)
    np.testing.assert_array_equal(pixels(model, found.latent), wanted)
    plain = sample(model.denoiser, words, canvas, **{**WALK, "guidance": 1.0})
    wanted = drawn(quiet("StableDiffusionXLPipeline", folder), height=SIDE, width=SIDE, guidance_scale=1.0)
    np.testing.assert_array_equal(pixels(model, plain.latent), wanted)


def test_sizes_are_told_as_the_pipeline_tells_them(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    told = set_sizes(words, 512, 256, left=16, top=8, target_width=80, target_height=72)
    found = sample(model.denoiser, told, canvas, **WALK)
    wanted = drawn(
        quiet("StableDiffusionXLPipeline", folder), height=SIDE, width=SIDE,
        original_size=(256, 512), crops_coords_top_left=(8, 16), target_size=(72, 80),
    )  # fmt: skip
    np.testing.assert_array_equal(pixels(model, found.latent), wanted)
    plain = sample(model.denoiser, words, canvas, **WALK)
    assert not np.array_equal(plain.latent.samples, found.latent.samples)


def test_sizes_that_are_left_out_are_those_that_are_drawn(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    told, whole = set_sizes(words, left=16), set_sizes(words, SIDE, SIDE, 16, 0, SIDE, SIDE)
    found, same = (sample(model.denoiser, one, canvas, **WALK).latent.samples for one in (told, whole))
    np.testing.assert_array_equal(found, same)
    old = sample(model.denoiser, set_sizes(words, 512, 256), canvas, **WALK)
    wanted = drawn(
        quiet("StableDiffusionXLPipeline", folder), height=SIDE, width=SIDE, original_size=(256, 512)
    )
    np.testing.assert_array_equal(pixels(model, old.latent), wanted)


def test_a_negative_prompt_may_be_told_other_sizes(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    against = set_sizes(encode_text(model.text_encoder, AGAINST), 32, 16, left=8, top=4)
    found = sample(model.denoiser, words, canvas, against, **WALK)
    wanted = drawn(
        quiet("StableDiffusionXLPipeline", folder), height=SIDE, width=SIDE, negative_prompt=AGAINST,
        negative_original_size=(16, 32), negative_crops_coords_top_left=(4, 8),
        negative_target_size=(SIDE, SIDE),
    )  # fmt: skip
    np.testing.assert_array_equal(pixels(model, found.latent), wanted)


def test_each_is_told_only_what_it_was_taught(words: Conditioning) -> None:
    said = encode_text(load_model("refiner").text_encoder, PROMPT)
    refused: list[tuple[str, Callable[[], object]]] = [
        (r"height: .*got nothing, want a number, as width is given", lambda: set_sizes(words, 512)),
        (r"target_width: .*as target_height is given", lambda: set_sizes(words, target_height=64)),
        (r"aesthetic_score: .*got 6.*Stable Diffusion XL", lambda: set_sizes(words, aesthetic_score=6)),
        (r"target_width: .*got 64.*the refiner", lambda: set_sizes(said, target_width=64, target_height=64)),
    ]
    for text, call in refused:
        with pytest.raises(BadInput, match=text):
            call()


def test_layers_are_skipped_and_both_encoders_read_as_the_pipeline_does(model: Loaded, folder: Path) -> None:
    pipeline = quiet("StableDiffusionXLPipeline", folder)
    for skip in (0, 1):
        found = encode_text(model.text_encoder, PROMPT, skip)
        with torch.no_grad():
            wanted = pipeline.encode_prompt(PROMPT, do_classifier_free_guidance=False, clip_skip=skip or None)
        np.testing.assert_array_equal(found.embeds, wanted[0][0].numpy())
        assert found.pooled is not None
        np.testing.assert_array_equal(found.pooled, wanted[2][0].numpy())
    with pytest.raises(BadInput, match="skip"):
        encode_text(model.text_encoder, PROMPT, 2)


def test_weights_breaks_and_counts_work_as_with_one_encoder(model: Loaded) -> None:
    texts = ("a red circle", "a (red:1.5) circle")
    plain, strong = (np.asarray(encode_text(model.text_encoder, text).embeds, np.float32) for text in texts)
    moved = np.abs(strong - plain)
    for half in (moved[:, :32], moved[:, 32:]):
        assert half[2].max() > 3 * np.delete(half, 2, 0).max()
    both = encode_text(model.text_encoder, "red BREAK a blue circle")
    assert both.embeds.shape == (154, 64)
    assert count_tokens(model.text_encoder, "a (red:1.2) circle") == (3, 1, ["a", "red", "circle"])


def test_a_prompt_may_apply_in_a_part_of_the_picture_and_for_some_steps(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    other = encode_text(model.text_encoder, "a green square")
    left, right = limit_to_area(words, width=0.5), limit_to_area(other, left=0.5, width=0.5)
    once = {**WALK, "steps": 1}
    both, alone = (
        np.asarray(sample(model.denoiser, prompt, canvas, **once).latent.samples, np.float32)
        for prompt in (combine_prompts(left, right), words)
    )
    half = both.shape[2] // 2
    np.testing.assert_allclose(both[..., :half], alone[..., :half], atol=1e-5)
    assert not np.allclose(both[..., half:], alone[..., half:], atol=1e-3)
    turning = encode_text(model.text_encoder, f"[{PROMPT}:a green square:0.4]")
    assert sample(model.denoiser, turning, canvas, **WALK).latent.samples.std() > 0.1


def test_image_to_image_draws_the_pixels_of_its_pipeline(
    model: Loaded, words: Conditioning, folder: Path
) -> None:
    start = encode_image(model.vae, picture(3))
    found = sample(model.denoiser, words, start, strength=0.6, **WALK)
    wanted = drawn(
        quiet("StableDiffusionXLImg2ImgPipeline", folder),
        image=torch.from_numpy(np.array(start.samples))[None], strength=0.6,
        original_size=(SIDE, SIDE), target_size=(SIDE, SIDE),
    )  # fmt: skip
    np.testing.assert_array_equal(pixels(model, found.latent), wanted)


def test_a_masked_latent_is_filled_as_by_the_inpainting_pipeline(
    model: Loaded, words: Conditioning, folder: Path
) -> None:
    start = encode_image(model.vae, picture(3))
    box = np.zeros((SIDE, SIDE), np.float32)
    box[16:48, 16:48] = 1
    found = sample(model.denoiser, words, mask_latent(start, Mask(box)), **WALK)
    wanted = drawn(
        quiet("StableDiffusionXLInpaintPipeline", folder),
        image=torch.from_numpy(np.array(start.samples))[None], mask_image=torch.from_numpy(box)[None, None],
        masked_image_latents=torch.zeros(1, *start.samples.shape), strength=1.0,
        height=SIDE, width=SIDE, output_type="latent",
    )  # fmt: skip
    np.testing.assert_allclose(np.asarray(found.latent.samples), wanted, atol=1e-5)


def test_a_guide_draws_the_pixels_of_its_pipeline(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    net = load_controlnet("edges")
    assert net.family == "sdxl"
    found = sample(model.denoiser, words, canvas, guides=guide(net, picture(1), strength=0.7), **WALK)
    pipeline = quiet(
        "StableDiffusionXLControlNetPipeline", folder,
        controlnet=diffusers.ControlNetModel.from_pretrained(folder / "controlnet" / "edges"),
    )  # fmt: skip
    shown = Pillow.fromarray(np.asarray(picture(1).pixels))
    wanted = drawn(pipeline, image=shown, controlnet_conditioning_scale=0.7, height=SIDE, width=SIDE)
    assert np.abs(pixels(model, found.latent).astype(int) - wanted).max() <= 1


def test_a_lora_changes_all_three_parts_and_comes_off_again(
    model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    plain = pixels(model, sample(model.denoiser, words, canvas, **WALK).latent)
    worn = use_lora(model.denoiser, model.text_encoder, "style", 0.8)
    said = encode_text(worn.text_encoder, PROMPT)
    found = pixels(model, sample(worn.denoiser, said, canvas, **WALK).latent)
    pipeline = quiet("StableDiffusionXLPipeline", folder)
    pipeline.load_lora_weights(folder / "loras", weight_name="style.safetensors", adapter_name="style")
    pipeline.set_adapters(["style"], [0.8])
    np.testing.assert_array_equal(found, drawn(pipeline, height=SIDE, width=SIDE))
    assert not np.array_equal(said.embeds[:, :32], words.embeds[:, :32])
    assert not np.array_equal(said.embeds[:, 32:], words.embeds[:, 32:])
    again = encode_text(model.text_encoder, PROMPT)
    np.testing.assert_array_equal(pixels(model, sample(model.denoiser, again, canvas, **WALK).latent), plain)


@pytest.mark.parametrize("part", [0.6, 0.8])
def test_the_refiner_goes_on_from_the_base_as_in_the_pipelines(
    part: float, model: Loaded, words: Conditioning, canvas: Latent, folder: Path
) -> None:
    refiner = load_model("refiner")
    assert (refiner.denoiser.family, refiner.vae.family) == ("sdxl-refiner", "sdxl")
    walk = {**WALK, "steps": 10}
    at = int(10 * part)
    noisy = sample(model.denoiser, words, canvas, end_step=at, **walk).latent
    said = encode_text(refiner.text_encoder, PROMPT)
    found = sample(refiner.denoiser, said, noisy, start_step=at, **walk).latent
    base = quiet("StableDiffusionXLPipeline", folder)
    half = base(
        PROMPT, num_inference_steps=10, guidance_scale=4.0, height=SIDE, width=SIDE, denoising_end=part,
        output_type="latent", generator=torch.Generator().manual_seed(7),
    ).images  # fmt: skip
    wanted = drawn(
        quiet("StableDiffusionXLImg2ImgPipeline", folder, "refiner"),
        image=half, denoising_start=part, num_inference_steps=10,
        original_size=(SIDE, SIDE), target_size=(SIDE, SIDE),
    )  # fmt: skip
    assert np.abs(pixels(refiner, found).astype(int) - wanted).max() <= 1
    whole = sample(model.denoiser, words, canvas, **walk).latent
    assert not np.allclose(np.asarray(whole.samples), np.asarray(found.samples), atol=1e-2)


def test_the_refiner_reads_its_own_prompts(model: Loaded, words: Conditioning, canvas: Latent) -> None:
    refiner = load_model("refiner")
    with pytest.raises(BadInput, match=r"positive.*'sdxl'.*'sdxl-refiner'"):
        sample(refiner.denoiser, words, canvas, **WALK)
    said = encode_text(refiner.text_encoder, PROMPT)
    dull = set_sizes(said, SIDE, SIDE, aesthetic_score=2.0)
    one, two = (sample(refiner.denoiser, prompt, canvas, **WALK).latent for prompt in (said, dull))
    assert not np.array_equal(one.samples, two.samples)
    other = msgspec.structs.replace(canvas, family="sd15")
    with pytest.raises(BadInput, match=r"start.*'sd15'"):
        sample(model.denoiser, words, other, **WALK)
