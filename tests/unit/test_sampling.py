"""Our nodes draw exactly what the diffusers pipeline draws with the same weights, seed and scheduler."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
import torch

from engine import memory
from engine.config import ROOT
from engine.context import Context
from engine.errors import BadInput, Cancelled
from engine.types import Conditioning, Image, Latent
from nodes._lib.schedules import METHODS, SPACINGS
from nodes.latent import decode_latent, empty_latent, encode_image
from nodes.load import Loaded, load_model
from nodes.sample import Method, Spacing, sample
from nodes.text import encode_text
from tests import pipelines

pytestmark = pytest.mark.model

PROMPT = "a red circle on a blue background"
STEPS = 4


@pytest.fixture(scope="module")
def model() -> Loaded:
    return load_model("starter")


@pytest.fixture(scope="module")
def words(model: Loaded) -> Conditioning:
    return encode_text(model.text_encoder, PROMPT)


@pytest.fixture(scope="module")
def canvas(model: Loaded) -> Latent:
    return empty_latent(model.denoiser)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return quiet("StableDiffusionPipeline")


def quiet(kind: str) -> Any:
    found = pipelines.quiet(kind, ROOT / "models" / "starter" / "base", use_safetensors=True)
    found.trained = dict(found.scheduler.config)
    return found


def scheduled(pipeline: Any, method: str, spacing: str = "model") -> Any:
    """The pipeline with the scheduler that diffusers itself makes for this method."""
    import diffusers

    how = METHODS[method]
    kind = getattr(diffusers, how.scheduler)
    pipeline.scheduler = kind.from_config(pipeline.trained, **{**how.options, **SPACINGS[spacing]})
    return pipeline


drawn = partial(pipelines.drawn, prompt=PROMPT, num_inference_steps=STEPS, guidance_scale=4.0)


@pytest.mark.filterwarnings("ignore:__array_wrap__")  # numpy about the scheduler of dpm2
@pytest.mark.parametrize("method", METHODS)
def test_every_method_draws_the_pixels_of_the_pipeline(
    method: Any, model: Loaded, words: Conditioning, canvas: Latent, pipeline: Any
) -> None:
    found = sample(model.denoiser, words, canvas, steps=STEPS, guidance=4.0, method=method, seed=7)
    picture = decode_latent(model.vae, found.latent)
    np.testing.assert_array_equal(picture.pixels, drawn(scheduled(pipeline, method)))


@pytest.mark.parametrize(
    ("method", "spacing"), [("dpm++ 2m", "karras"), ("euler", "beta"), ("ddim", "leading")]
)
def test_a_spacing_is_that_of_the_scheduler(
    method: Any, spacing: Any, model: Loaded, words: Conditioning, canvas: Latent, pipeline: Any
) -> None:
    options: dict[str, Any] = {
        "steps": STEPS,
        "guidance": 4.0,
        "method": method,
        "spacing": spacing,
        "seed": 7,
    }
    picture = decode_latent(model.vae, sample(model.denoiser, words, canvas, **options).latent)
    np.testing.assert_array_equal(picture.pixels, drawn(scheduled(pipeline, method, spacing)))


def test_the_menus_are_those_of_the_tables() -> None:
    assert get_args(get_args(Method)[0]) == tuple(METHODS)
    assert get_args(get_args(Spacing)[0]) == tuple(SPACINGS)


def test_a_negative_prompt_another_size_and_no_guidance_are_the_pipelines_too(
    model: Loaded, words: Conditioning, pipeline: Any
) -> None:
    scheduled(pipeline, "euler")
    against = encode_text(model.text_encoder, "a green square")
    wide = empty_latent(model.denoiser, 160, 96)
    found = sample(model.denoiser, words, wide, against, steps=STEPS, guidance=4.0, seed=7)
    wanted = drawn(pipeline, negative_prompt="a green square", width=160, height=96)
    np.testing.assert_array_equal(decode_latent(model.vae, found.latent).pixels, wanted)
    plain = sample(model.denoiser, words, wide, against, steps=STEPS, guidance=1.0, seed=7)
    wanted = drawn(pipeline, width=160, height=96, guidance_scale=1.0)
    np.testing.assert_array_equal(decode_latent(model.vae, plain.latent).pixels, wanted)


@pytest.mark.parametrize(
    "method", ["euler", "heun", "ddim", "dpm++ 2m", "dpm++ 2s", "euler ancestral", "plms", "lcm"]
)
def test_image_to_image_draws_the_pixels_of_its_pipeline(
    method: Any, model: Loaded, words: Conditioning, image: Image, pipeline: Any
) -> None:
    from diffusers import StableDiffusionImg2ImgPipeline

    start = encode_image(model.vae, image)
    options: dict[str, Any] = {"steps": 8, "guidance": 4.0, "method": method, "strength": 0.6, "seed": 7}
    found = sample(model.denoiser, words, start, **options)
    other = StableDiffusionImg2ImgPipeline(
        **scheduled(pipeline, method).components, requires_safety_checker=False
    )
    other.set_progress_bar_config(disable=True)
    latent = torch.from_numpy(start.samples)[None]
    wanted = drawn(other, image=latent, strength=0.6, num_inference_steps=8)
    np.testing.assert_array_equal(decode_latent(model.vae, found.latent).pixels, wanted)


@pytest.fixture(scope="module")
def image() -> Image:
    pixels = np.full((128, 128, 3), 230, np.uint8)
    pixels[30:90, 40:100] = (20, 160, 40)
    return Image(pixels)


def test_a_picture_is_encoded_as_the_pipeline_encodes_it(model: Loaded, image: Image, pipeline: Any) -> None:
    from PIL import Image as pil

    tensor = pipeline.image_processor.preprocess(pil.fromarray(image.pixels))
    with torch.no_grad():
        spread = pipeline.vae.encode(tensor).latent_dist
    scale = pipeline.vae.config.scaling_factor
    np.testing.assert_array_equal(encode_image(model.vae, image).samples, (spread.mean * scale)[0].numpy())
    random = (spread.sample(torch.Generator().manual_seed(5)) * scale)[0].numpy()
    np.testing.assert_array_equal(encode_image(model.vae, image, 5).samples, random)


def test_a_picture_comes_back_from_its_latent_nearly_as_it_was(model: Loaded, image: Image) -> None:
    back = decode_latent(model.vae, encode_image(model.vae, image))
    error = np.abs(back.pixels.astype(float) - image.pixels.astype(float)).mean()
    assert error < 12


def test_every_array_is_in_the_order_it_will_have_when_it_comes_from_the_cache(
    model: Loaded, words: Conditioning, canvas: Latent, image: Image
) -> None:
    latent = sample(model.denoiser, words, canvas, steps=1).latent
    arrays = [
        words.embeds,
        latent.samples,
        decode_latent(model.vae, latent).pixels,
        decode_latent(model.vae, latent, "float").pixels,
        encode_image(model.vae, image).samples,
    ]
    assert all(array.flags.c_contiguous for array in arrays)
    strided = Image(np.asfortranarray(image.pixels))
    plain = encode_image(model.vae, image).samples
    np.testing.assert_array_equal(encode_image(model.vae, strided).samples, plain)


def test_float_pixels_round_to_the_8_bit_ones(model: Loaded, image: Image) -> None:
    latent = encode_image(model.vae, image)
    fine = decode_latent(model.vae, latent, "float").pixels
    assert fine.dtype == np.float32
    np.testing.assert_array_equal(
        (fine * 255).round().astype(np.uint8), decode_latent(model.vae, latent).pixels
    )


def test_strength_0_keeps_the_start_and_1_ignores_it(
    model: Loaded, words: Conditioning, canvas: Latent, image: Image
) -> None:
    start = encode_image(model.vae, image)
    assert sample(model.denoiser, words, start, strength=0.0).latent is start
    fresh = sample(model.denoiser, words, canvas, steps=STEPS, seed=1).latent
    other = sample(model.denoiser, words, start, steps=STEPS, seed=1, strength=1.0).latent
    np.testing.assert_array_equal(fresh.samples, other.samples)


@pytest.mark.parametrize("method", ["euler", "ddim", "heun"])
def test_two_samplers_that_share_the_steps_draw_what_one_does(
    method: Any, model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    options: dict[str, Any] = {"steps": 8, "guidance": 4.0, "method": method, "seed": 7}
    whole = sample(model.denoiser, words, canvas, **options).latent
    half = sample(model.denoiser, words, canvas, end_step=3, **options).latent
    rest = sample(model.denoiser, words, half, start_step=3, **options).latent
    assert (half.noisy, rest.noisy, whole.noisy) == (True, False, False)
    assert np.allclose(rest.samples.astype(float), whole.samples.astype(float), atol=1e-3)


def test_a_noisy_latent_has_unit_scale_so_that_another_method_goes_on_from_it(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    half = sample(model.denoiser, words, canvas, steps=8, end_step=2, guidance=4.0, seed=7).latent
    assert 0.5 < float(half.samples.std()) < 1.5
    rest = sample(model.denoiser, words, half, steps=8, start_step=2, guidance=4.0, method="ddim").latent
    whole = sample(model.denoiser, words, canvas, steps=8, guidance=4.0, seed=7).latent
    one, two = (decode_latent(model.vae, latent).pixels.astype(float) for latent in (rest, whole))
    assert np.abs(one - two).mean() < 12


def test_the_same_seed_draws_the_same_and_another_something_else(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    def once(seed: int) -> Any:
        return sample(
            model.denoiser, words, canvas, steps=2, method="euler ancestral", seed=seed
        ).latent.samples

    np.testing.assert_array_equal(once(2**53 - 1), once(2**53 - 1))
    assert np.abs(once(1) - once(2)).max() > 0.1


def test_progress_is_told_at_each_step_and_previews_a_few_times(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    told: list[float] = []
    shown: list[Image] = []
    sample(
        model.denoiser, words, canvas, steps=20, guidance=4.0, seed=7, ctx=Context(told.append, shown.append)
    )
    assert told == [pytest.approx((i + 1) / 20) for i in range(20)]
    assert len(shown) == 4
    assert shown[0].pixels.dtype == np.uint8
    corner, middle = shown[-1].pixels[4, 4], shown[-1].pixels[64, 64]
    assert (int(corner.argmax()), int(middle.argmax())) == (2, 0)  # blue around red


def test_a_cancelled_run_stops_at_the_next_step(model: Loaded, words: Conditioning, canvas: Latent) -> None:
    told: list[float] = []
    ctx = Context(told.append, cancelled=lambda: len(told) >= 3)
    with pytest.raises(Cancelled):
        sample(model.denoiser, words, canvas, steps=20, ctx=ctx)
    assert len(told) == 3


def test_prompts_are_read_as_the_pipeline_reads_them(model: Loaded, pipeline: Any) -> None:
    for text in (PROMPT, "", "A Café, très joli!! 8k", "red " * 75):
        for skip in (0, 1):
            ours = encode_text(model.text_encoder, text, skip).embeds
            tokens = pipeline.tokenizer(
                text, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
            )
            with torch.no_grad():
                hidden = pipeline.text_encoder(tokens.input_ids, output_hidden_states=True)
                norm = pipeline.text_encoder.final_layer_norm
                wanted = norm(hidden.hidden_states[-2]) if skip else hidden.last_hidden_state
            np.testing.assert_array_equal(ours, wanted[0].numpy())


def test_a_long_prompt_is_read_in_parts_and_nothing_is_cut_off(model: Loaded, canvas: Latent) -> None:
    first = encode_text(model.text_encoder, "red " * 75).embeds
    long = encode_text(model.text_encoder, "red " * 75 + "circle")
    assert long.embeds.shape == (154, 128)
    np.testing.assert_array_equal(long.embeds[:77], first)
    np.testing.assert_array_equal(long.embeds[77:], encode_text(model.text_encoder, "circle").embeds)
    assert sample(model.denoiser, long, canvas, steps=1).latent.samples.shape == (4, 16, 16)


def test_the_empty_prompt_is_read_once(model: Loaded, words: Conditioning, canvas: Latent) -> None:
    with memory.weights(model.text_encoder) as reader:
        assert reader.empty is reader.empty
    empty = encode_text(model.text_encoder, "")
    one = sample(model.denoiser, words, canvas, steps=1).latent.samples
    two = sample(model.denoiser, words, canvas, empty, steps=1).latent.samples
    np.testing.assert_array_equal(one, two)


def test_wrong_values_are_refused_by_name_with_a_remedy(
    model: Loaded, words: Conditioning, canvas: Latent, image: Image
) -> None:
    stranger = msgspec.structs.replace(canvas, family="flux")
    thin = Latent(canvas.samples[:3], canvas.family, canvas.factor)
    narrow = Conditioning(words.embeds[:, :64], words.family)
    refused: list[tuple[str, Any]] = [
        ("start: .*'flux'.*want family 'sd15'", lambda: sample(model.denoiser, words, stranger)),
        (r"start: .*\(3, 16, 16\).*empty_latent", lambda: sample(model.denoiser, words, thin)),
        ("positive: .*64 wide.*want 128 wide", lambda: sample(model.denoiser, narrow, canvas)),
        ("negative: .*64 wide", lambda: sample(model.denoiser, words, canvas, narrow)),
        (
            "spacing: .*karras.*'euler'",
            lambda: sample(model.denoiser, words, canvas, method="ddim", spacing="karras"),
        ),
        ("steps: .*60", lambda: sample(model.denoiser, words, canvas, method="lcm", steps=60)),
        ("start_step: .*20", lambda: sample(model.denoiser, words, canvas, start_step=20)),
        ("end_step: .*0", lambda: sample(model.denoiser, words, canvas, end_step=0)),
        ("end_step: .*5", lambda: sample(model.denoiser, words, canvas, strength=0.5, end_step=5)),
        ("latent: .*'flux'", lambda: decode_latent(model.vae, stranger)),
        (r"latent: .*\(3, 16, 16\)", lambda: decode_latent(model.vae, thin)),
        (
            "image: .*127 pixels.*Use 120 or 128",
            lambda: encode_image(model.vae, Image(image.pixels[:, :127])),
        ),
        ("skip: .*3.*0 to 2", lambda: encode_text(model.text_encoder, "red", 3)),
    ]
    for text, call in refused:
        with pytest.raises(BadInput, match=text):
            call()


def test_an_empty_latent_has_the_models_native_size(model: Loaded) -> None:
    assert empty_latent(model.denoiser).samples.shape == (4, 16, 16)
    assert empty_latent(model.denoiser, 64).samples.shape == (4, 16, 8)
    assert not empty_latent(model.denoiser, height=64).samples.any()
