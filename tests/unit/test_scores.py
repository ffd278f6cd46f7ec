"""Scores mean what their makers published: LPIPS, LAION's heads, Hasler and Süsstrunk; and they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file

from engine.errors import BadInput, MissingModel, Unsupported
from engine.types import Artifact, Image
from nodes.effects import blur, compare_pictures
from nodes.maths import standardised
from nodes.measure import colourfulness, measure_picture
from nodes.scores import (
    aesthetic_score,
    load_aesthetic_head,
    load_perceptual_model,
    perceptual_distance,
    record_score,
)
from nodes.tell import load_matcher
from tests import judges, sights
from tests.judges import LOOKS, Judges
from tests.sights import opened, picture

pytestmark = pytest.mark.usefixtures("residency")


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sights.make(tmp_path_factory.mktemp("models"), "clip")


@pytest.fixture(scope="module")
def made(top: Path) -> Judges:
    return judges.make(top)


@pytest.fixture(scope="module")
def folder(top: Path, made: Judges) -> Path:
    save_file({"layers.0.weight": torch.zeros(1, 2)}, top / "aesthetic" / "odd.safetensors")
    return top


# -- LPIPS


def published(net: Any, head: list[torch.Tensor], places: tuple[int, ...], a: Image, b: Image) -> float:
    """d(x, x₀) = Σₗ 1/(Hₗ·Wₗ) Σₕᵥ ‖wₗ ⊙ (ŷₗₕᵥ − ŷ₀ₗₕᵥ)‖². What lies in a head is the squares of wₗ."""
    total = 0.0
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    seen = []
    for image in (a, b):
        colours = (np.asarray(image.pixels, np.float64) / 255 * 2 - 1 - shift) / scale
        x, found = torch.from_numpy(colours.transpose(2, 0, 1)[None].copy()).float(), []
        for number, layer in enumerate(net[: places[-1] + 1]):
            x = layer(x).detach().clone()
            if number in places:
                found.append(x[0].double().numpy())
        seen.append(found)
    for y, y0, w in zip(*seen, head, strict=True):
        unit, unit0 = (v / np.sqrt((v**2).sum(0, keepdims=True)).clip(1e-10) for v in (y, y0))
        height, width = y.shape[1:]
        weight = w[0, :, 0, 0].double().numpy()[:, None, None]
        total += float((weight * (unit - unit0) ** 2).sum() / (height * width))
    return total


@pytest.mark.parametrize("name", ["vgg", "alex"])
def test_lpips_is_what_its_authors_published(name: str, made: Judges) -> None:
    model = load_perceptual_model(name, name)
    a, b = picture(1), picture(2)
    wanted = published(made.nets[name], made.heads[name], LOOKS[name], a, b)
    assert wanted > 0.01
    assert perceptual_distance(model, a, b) == pytest.approx(wanted, rel=1e-4)
    assert perceptual_distance(model, b, a) == pytest.approx(wanted, rel=1e-4)
    assert perceptual_distance(model, a, a) == 0
    grey = Image(np.asarray(a.pixels)[..., :1].copy())
    assert perceptual_distance(model, a, grey) > 0
    exact = Image(np.asarray(a.pixels, np.float32) / np.float32(255))
    assert perceptual_distance(model, a, exact) == pytest.approx(0, abs=1e-9)


def test_what_differs_more_is_further_apart() -> None:
    model, image = load_perceptual_model("vgg", "vgg"), picture(3)
    apart = [perceptual_distance(model, image, blur(image, radius)) for radius in (0.5, 1, 2, 4)]
    assert apart == sorted(apart)


def test_without_the_real_files_there_is_no_score_but_the_command_that_fetches_them() -> None:
    with pytest.raises(MissingModel, match="no LPIPS head named 'lpips-vgg'") as head:
        load_perceptual_model()
    assert "`python server.py models fetch lpips-vgg`" in head.value.remedy
    assert "PerceptualSimilarity" in head.value.remedy
    with pytest.raises(MissingModel, match="vgg16") as eyes:
        load_perceptual_model("vgg")
    assert "`python server.py models fetch vgg16`" in eyes.value.remedy
    with pytest.raises(MissingModel) as taste:
        load_aesthetic_head()
    assert "`python server.py models fetch aesthetic-linear`" in taste.value.remedy


def test_a_head_goes_with_the_network_that_it_was_trained_for() -> None:
    with pytest.raises(BadInput, match="backbone"):
        load_perceptual_model("vgg", "alex")


def test_only_pictures_of_one_size_that_are_large_enough_are_compared() -> None:
    model = load_perceptual_model("vgg", "vgg")
    with pytest.raises(BadInput, match="80 × 56"):
        perceptual_distance(model, picture(), picture(width=96))
    with pytest.raises(BadInput, match="at least 32"):
        perceptual_distance(model, picture(width=24), picture(width=24))


# -- aesthetic heads


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_an_aesthetic_score_is_what_laions_script_gives(name: str, folder: Path, made: Judges) -> None:
    place = folder / "clip" / "clip"
    clip = transformers.CLIPModel.from_pretrained(place, dtype=torch.float32).eval()
    processor = transformers.CLIPProcessor.from_pretrained(place)
    pixels = processor(images=opened(picture()), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        shown = clip.visual_projection(clip.vision_model(pixels).pooler_output)
        layer = made.tastes[name]
        wanted = getattr(layer, "layers", layer)(shown / shown.norm(dim=-1, keepdim=True)).item()
    found = aesthetic_score(load_aesthetic_head(name), load_matcher("clip"), picture())
    assert found == pytest.approx(wanted, abs=1e-5)


def test_what_is_no_aesthetic_head_is_refused() -> None:
    with pytest.raises(Unsupported, match="no aesthetic head"):
        load_aesthetic_head("odd")


# -- without models


def test_grey_has_no_colour_and_paint_has_much() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    assert colourfulness(Image(grey)) == colourfulness(Image(grey.repeat(3, 2))) == 0
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert colourfulness(Image(red)) == pytest.approx(0.3 * np.hypot(255, 127.5))
    halves = red.copy()
    halves[:, 2:] = (0, 0, 255)  # rg is 255 or 0, yb 127.5 or -255
    wanted = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, -63.75)
    assert colourfulness(Image(halves)) == pytest.approx(wanted)
    exact = Image((halves / 255).astype(np.float32))
    assert colourfulness(exact) == pytest.approx(wanted, rel=1e-6)
    opaque = np.concatenate([halves, np.full((4, 4, 1), 255, np.uint8)], 2)
    assert colourfulness(Image(opaque)) == pytest.approx(wanted)


def test_a_picture_is_the_less_sharp_the_more_it_is_blurred() -> None:
    sharp = [measure_picture(blur(picture(5), radius)).sharpness for radius in (0, 0.5, 1, 2, 4, 8)]
    assert sharp == sorted(sharp, reverse=True)
    assert len(set(sharp)) == len(sharp)


def test_psnr_and_ssim_are_what_their_formulas_give() -> None:
    """A shift by d of everything: PSNR is 20·log₁₀(1/d), and SSIM has but its term of brightness."""
    a = np.full((32, 32, 3), 100, np.uint8)
    b = a + np.uint8(20)
    found = compare_pictures(Image(a), Image(b))
    x, y = 100 / 255, 120 / 255
    assert found.psnr == pytest.approx(20 * np.log10(255 / 20), abs=1e-4)
    assert found.ssim == pytest.approx((2 * x * y + 0.01**2) / (x * x + y * y + 0.01**2), abs=1e-4)
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (64, 64, 1)).clip(0, 1).astype(np.float32)
    negative = compare_pictures(Image(noisy), Image(1 - noisy))
    assert negative.ssim < -0.8, "what is reversed is unlike"


def test_standardised_scores_have_the_mean_0_and_the_spread_1() -> None:
    found = standardised([0.2, 0.3, 0.25, 0.31])
    assert np.mean(found) == pytest.approx(0, abs=1e-12)
    assert np.std(found) == pytest.approx(1)
    assert standardised([200.0, 300.0, 250.0, 310.0]) == pytest.approx(found)
    assert standardised([0.1 + 0.2, 0.3]) == [0, 0]
    assert standardised([7]) == [0]
    assert standardised([0, 0]) == [0, 0]
    with pytest.raises(BadInput):
        standardised([])


def test_a_record_says_what_was_measured_with_what() -> None:
    kept, other = Artifact("a" * 64, "image/png", 1), Artifact("b" * 64, "image/png", 1)
    model = load_matcher("clip")
    value, record = record_score(kept, "clip", 0.3, "a cat", other, model)
    assert (record.artifact, value) == (kept, 0.3)
    assert (record.metric, record.value, record.prompt) == ("clip", 0.3, "a cat")
    assert (record.model, record.model_sha256, record.reference) == ("clip", model.sha256, "b" * 64)
    with pytest.raises(BadInput, match="finite"):
        record_score(kept, "clip", float("nan"))
