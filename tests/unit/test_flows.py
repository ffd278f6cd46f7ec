"""Families whose own pipelines read and draw: what works with all of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import save_file

from engine.context import Context
from engine.errors import BadInput
from engine.types import Conditioning, ControlNet, Guide, Image, Latent, Mask
from nodes._lib.schedules import FLOWS
from nodes.conditioning import average_prompts, limit_to_area, set_sizes, zero_prompt
from nodes.latent import decode_latent, empty_latent, encode_image, mask_latent
from nodes.load import Loaded, load_model, use_lora
from nodes.sample import sample
from nodes.text import count_tokens, encode_text
from tests import pipelines, twins

pytestmark = pytest.mark.usefixtures("residency")

SIDE = 64
WALK: dict[str, Any] = {"steps": 6, "guidance": 3.0, "seed": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("models")
    for name in ("sd3", "flux", "sana", "fibo"):
        twins.make(name).save_pretrained(top / "diffusers" / name)
    (top / "loras").mkdir()
    style = pipelines.changes(twins.make("flux"), 0, transformer=["to_q", "to_v"])
    save_file(style, top / "loras" / "style.safetensors")
    return top


@pytest.fixture
def model() -> Loaded:
    return load_model("sd3")


@pytest.fixture
def words(model: Loaded) -> Conditioning:
    return encode_text(model.text_encoder, "a red circle")


@pytest.fixture
def canvas(model: Loaded) -> Latent:
    return empty_latent(model.denoiser, SIDE, SIDE)


def numbers(latent: Latent) -> NDArray[np.float32]:
    return np.asarray(latent.samples, np.float32)


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_every_method_for_flows_ends_near_the_same_picture(name: str) -> None:
    """The steps are shifted by a constant in the one, by the size of the picture in the other."""
    model = load_model(name)
    words, canvas = encode_text(model.text_encoder, "a cat"), empty_latent(model.denoiser, SIDE, SIDE)
    walk = WALK | {"steps": 30, "guidance": 1.0}
    wanted = numbers(sample(model.denoiser, words, canvas, **walk).latent)
    for method in FLOWS:
        found = numbers(sample(model.denoiser, words, canvas, **walk | {"method": method}).latent)
        far = 2.0 if method in ("lcm", "dpm++ 2m sde") else 0.35  # these two add noise on the way
        assert np.abs(found - wanted).mean() < far * wanted.std(), method


def test_less_strength_keeps_more_and_a_mask_keeps_all(model: Loaded, words: Conditioning) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    start = encode_image(model.vae, Image(pixels))
    far = [
        np.abs(
            numbers(sample(model.denoiser, words, start, strength=part, **WALK).latent) - numbers(start)
        ).mean()
        for part in (0.2, 0.5, 1.0)
    ]
    assert far == sorted(far)
    box = np.zeros((SIDE, SIDE), np.float32)
    box[:, :32] = 1
    found = sample(model.denoiser, words, mask_latent(start, Mask(box)), **WALK).latent
    np.testing.assert_array_equal(numbers(found)[..., 4:], numbers(start)[..., 4:])
    assert not np.allclose(numbers(found)[..., :4], numbers(start)[..., :4], atol=0.1)


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_two_samplers_share_the_steps_and_thrift_changes_little(name: str) -> None:
    model = load_model(name)
    words, canvas = encode_text(model.text_encoder, "a cat"), empty_latent(model.denoiser, SIDE, SIDE)
    whole = sample(model.denoiser, words, canvas, **WALK).latent
    half = sample(model.denoiser, words, canvas, end_step=2, **WALK).latent
    rest = sample(model.denoiser, words, half, start_step=2, **WALK).latent
    np.testing.assert_allclose(numbers(rest), numbers(whole), atol=1e-4)
    thrifty = sample(model.denoiser, words, canvas, ctx=Context(thrift=1), **WALK).latent
    np.testing.assert_allclose(numbers(thrifty), numbers(whole), atol=1e-4)


def test_progress_and_previews_come_without_a_callback_of_the_pipeline(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    told: list[float] = []
    shown: list[Image] = []
    sample(model.denoiser, words, canvas, ctx=Context(told.append, shown.append), **WALK)
    assert told == [pytest.approx((step + 1) / 6) for step in range(6)]
    assert shown[0].pixels.shape == (32, 32, 3)


def test_a_lora_changes_a_transformer_and_comes_off_again(folder: Path) -> None:
    model = load_model("flux")
    words, canvas = encode_text(model.text_encoder, "a cat"), empty_latent(model.denoiser, SIDE, SIDE)

    def drawn(worn: Loaded) -> Any:
        latent = sample(worn.denoiser, words, canvas, **WALK).latent
        return decode_latent(worn.vae, latent).pixels

    plain = drawn(model)
    dressed = use_lora(model.denoiser, model.text_encoder, "style", strength=0.7).denoiser
    found = drawn(model._replace(denoiser=dressed))
    pipeline = twins.make("flux")
    pipeline.load_lora_weights(folder / "loras", weight_name="style.safetensors", adapter_name="style")
    pipeline.set_adapters(["style"], [0.7])
    options = {"height": SIDE, "width": SIDE, "num_inference_steps": 6, "guidance_scale": 3.0}
    off = pipelines.differences(found, pipelines.drawn(pipeline, prompt="a cat", **options))
    assert off.max() <= 1
    assert off.mean() < 1e-3
    assert not np.array_equal(found, plain)
    np.testing.assert_array_equal(drawn(model), plain)


def test_a_text_is_read_as_it_stands(model: Loaded) -> None:
    marked = encode_text(model.text_encoder, "a (red:1.5) [cat:dog:0.5]")
    plain = encode_text(model.text_encoder, "a (red:1.5) [cat:dog:0.5]", marks="off")
    np.testing.assert_array_equal(marked.embeds, plain.embeds)
    assert not marked.stages
    assert count_tokens(model.text_encoder, "a cat").pieces == ["a", "cat"]
    with pytest.raises(BadInput, match="embedding:cat"):
        count_tokens(model.text_encoder, "embedding:cat")


def test_what_such_a_family_cannot_do_is_refused_by_name(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    flux, sana, fibo = load_model("flux"), load_model("sana"), load_model("fibo")
    said = encode_text(flux.text_encoder, "a cat")
    large = empty_latent(flux.denoiser, SIDE, SIDE)
    odd = msgspec.structs.replace(canvas, samples=np.zeros((16, 8, 7), np.float32))
    guided = [Guide(ControlNet("x", "sana", ""), Image(np.zeros((8, 8, 3), np.uint8)))]
    once = encode_text(sana.text_encoder, "a cat")
    paper = empty_latent(sana.denoiser, SIDE, SIDE)
    placed = msgspec.structs.replace(once, mask=np.ones((4, 4), np.float32))
    refused: list[tuple[str, Any]] = [
        (r"method: .*ddim.*'euler', 'heun'", lambda: sample(model.denoiser, words, canvas, method="ddim")),
        (r"spacing: .*leading", lambda: sample(model.denoiser, words, canvas, spacing="leading")),
        (r"start: .*56 × 64.*multiples of 16", lambda: sample(model.denoiser, words, odd)),
        (r"width: .*72.*16", lambda: empty_latent(model.denoiser, 72, 64)),
        (r"negative: .*built in", lambda: sample(flux.denoiser, said, large, said)),
        (r"positive: .*reads the whole prompt", lambda: sample(sana.denoiser, placed, paper)),
        (r"guides: .*UNet", lambda: sample(sana.denoiser, once, paper, guides=guided)),
        (r"prompt: .*word by word", lambda: limit_to_area(once)),
        (r"prompt: .*word by word", lambda: zero_prompt(words)),
        (r"a: .*word by word", lambda: average_prompts(words, words)),
        (r"prompt: .*told sizes", lambda: set_sizes(words, 64, 64)),
        (r"skip: .*0 to 0", lambda: encode_text(model.text_encoder, "a cat", 1)),
        (r"text: .*description in JSON", lambda: encode_text(fibo.text_encoder, "a cat")),
        (r"positive: .*'flux'.*'sd3'", lambda: sample(model.denoiser, said, canvas)),
    ]
    for text, call in refused:
        with pytest.raises(BadInput, match=text):
            call()
