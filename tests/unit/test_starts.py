"""What a picture starts from and where its steps lie: seeds, noise, schedules, larger latents."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from engine import memory
from engine.config import ROOT
from engine.errors import BadInput
from engine.types import MAX_SEED, Conditioning, Latent, Mask, Noise, Schedule
from nodes._lib import noise as noises
from nodes._lib import schedules, shelf
from nodes.latent import decode_latent, empty_latent, mask_latent, resize_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.schedules import (
    make_schedule,
    published_schedule,
    schedule_chart,
    schedule_sigmas,
    write_schedule,
)
from nodes.seeds import seeds, vary_seed
from nodes.text import encode_text
from tests import pipelines

pytestmark = pytest.mark.model

PROMPT = "a red circle on a blue background"
SIDE = 64


@pytest.fixture(scope="module")
def model() -> Loaded:
    return load_model("starter")


@pytest.fixture(scope="module")
def words(model: Loaded) -> Conditioning:
    return encode_text(model.text_encoder, PROMPT)


@pytest.fixture(scope="module")
def canvas(model: Loaded) -> Latent:
    return empty_latent(model.denoiser, SIDE, SIDE)


@pytest.fixture
def drawn(model: Loaded, words: Conditioning, canvas: Latent) -> Any:
    def draw(**options: Any) -> Any:
        given = {"steps": 3, "guidance": 4.0, "method": "ddim", **options}
        return sample(model.denoiser, words, canvas, **given).latent.samples

    return draw


# -- seeds


@pytest.mark.parametrize("method", ["ddim", "euler ancestral"])
def test_no_variation_is_the_seed_and_a_whole_one_the_other_to_the_bit(drawn: Any, method: str) -> None:
    one, two = drawn(seed=3, method=method), drawn(seed=9, method=method)
    np.testing.assert_array_equal(drawn(noise=vary_seed(3, 9, 0.0), method=method), one)
    np.testing.assert_array_equal(drawn(noise=vary_seed(3, 9, 1.0), method=method), two)
    between = drawn(noise=vary_seed(3, 9, 0.3), method=method)
    assert np.abs(between - one).mean() < np.abs(between - two).mean()


def test_the_noise_between_two_seeds_is_noise_as_well() -> None:
    first = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(3))
    for amount in (0.1, 0.5, 0.9):
        found = noises.between(first, 9, amount)
        assert float(found.std()) == pytest.approx(1, abs=0.03)
    mean = (first + noises.between(first, 9, 1.0)) / 2
    assert float(mean.std()) < 0.75, "a plain mean would be too calm"
    torch.testing.assert_close(noises.between(first, 9, 0.0), first)


def test_the_sampler_tells_the_seed_of_the_noise(model: Loaded, words: Conditioning, canvas: Latent) -> None:
    found = sample(model.denoiser, words, canvas, steps=1, seed=1, noise=Noise(5, 6, 0.5))
    assert found.seed == 5


def test_seeds_come_one_after_another_and_start_again_at_the_end() -> None:
    assert seeds(7, 3) == [7, 8, 9]
    assert seeds(MAX_SEED, 2) == [MAX_SEED, 0]


# -- schedules


@pytest.mark.filterwarnings("ignore:__array_wrap__")  # numpy about the scheduler of dpm2
@pytest.mark.parametrize("method", ["dpm2", "dpm2 ancestral"])
def test_a_method_that_asks_between_its_steps_walks_a_schedule_too(model: Loaded, method: str) -> None:
    with memory.weights(model.denoiser) as held:
        found = schedules.given(held.schedule, method, [10, 3, 1, 0.1])
    found.set_timesteps(4)
    assert sorted(set(found.sigmas.tolist())) == pytest.approx([0, 0.1, 1, 3, 10])


@pytest.mark.parametrize("method", ["euler", "heun", "lms", "dpm++ 2m", "unipc"])
def test_the_steps_of_a_scheduler_written_as_a_schedule_draw_the_same(
    model: Loaded, drawn: Any, method: str
) -> None:
    with memory.weights(model.denoiser) as held:
        own = schedules.scheduler(held.schedule, method, "karras")
    own.set_timesteps(3)
    sigmas = [float(sigma) for sigma in own.sigmas if sigma > 0]
    made = write_schedule([one for one, two in itertools.pairwise([*sigmas, 0.0]) if one != two])
    wanted = np.asarray(drawn(method=method, spacing="karras"), np.float32)
    assert np.abs(drawn(method=method, schedule=made) - wanted).max() < 1e-3


def test_karras_and_exponential_schedules_reach_over_all_that_a_model_was_taught(
    model: Loaded, drawn: Any
) -> None:
    made = make_schedule(model.denoiser, 3, "karras")
    wanted = drawn(method="dpm++ 2m", spacing="karras")
    assert np.abs(drawn(method="dpm++ 2m", schedule=made) - wanted).max() < 1e-3
    with memory.weights(model.denoiser) as held:
        own = schedules.scheduler(held.schedule, "dpm++ 2m", "exponential")
    own.set_timesteps(5)
    even = make_schedule(model.denoiser, 5, "exponential")
    assert schedule_sigmas(even) == pytest.approx(own.sigmas.tolist(), rel=1e-4)
    low, high = schedule_sigmas(make_schedule(model.denoiser, 30))[-2::-29]
    assert low == pytest.approx(0.0292, abs=1e-3)
    assert high == pytest.approx(14.61, abs=0.02)


def test_a_schedule_draws_the_pixels_of_the_pipeline_with_these_sigmas(
    model: Loaded, words: Conditioning, canvas: Latent, drawn: Any
) -> None:
    import diffusers

    ten = published_schedule("align your steps, SD 1.5", 10)
    sigmas = diffusers.schedulers.AysSchedules["StableDiffusionSigmas"]
    assert schedule_sigmas(ten) == pytest.approx(sigmas)
    pipeline = pipelines.quiet("StableDiffusionPipeline", ROOT / "models" / "starter" / "base")
    pipeline.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    options = {"sigmas": sigmas, "guidance_scale": 4.0, "height": SIDE, "width": SIDE}
    wanted = pipelines.drawn(pipeline, prompt=PROMPT, **options)
    found = sample(
        model.denoiser, words, canvas, guidance=4.0, method="euler", seed=7, schedule=ten, steps=99
    ).latent
    off = pipelines.differences(decode_latent(model.vae, found).pixels, wanted)
    assert off.max() <= 1
    assert off.mean() < 1e-3


def test_euler_ancestral_walks_a_schedule_too(model: Loaded, drawn: Any) -> None:
    own = make_schedule(model.denoiser, 3, "trailing")
    wanted = drawn(method="euler ancestral", spacing="trailing")
    assert np.abs(drawn(method="euler ancestral", schedule=own) - wanted).max() < 2e-3


def test_a_schedule_is_shared_by_two_samplers_through_their_steps(
    model: Loaded, words: Conditioning, canvas: Latent
) -> None:
    made = make_schedule(model.denoiser, 6, "karras", bend=5)
    options: dict[str, Any] = {"guidance": 4.0, "method": "euler", "seed": 7, "schedule": made}
    whole = sample(model.denoiser, words, canvas, **options).latent
    half = sample(model.denoiser, words, canvas, end_step=2, **options).latent
    rest = sample(model.denoiser, words, half, start_step=2, **options).latent
    assert np.abs(rest.samples.astype(float) - whole.samples.astype(float)).max() < 1e-3


def test_a_published_schedule_of_other_length_keeps_its_ends_and_falls() -> None:
    long = schedule_sigmas(published_schedule("align your steps, SDXL", 25))
    assert [long[0], long[-2], long[-1]] == pytest.approx([14.615, 0.113, 0])
    assert long == sorted(long, reverse=True)
    assert len(long) == 26


def test_ends_and_bend_of_a_schedule_are_as_asked(model: Loaded) -> None:
    made = schedule_sigmas(make_schedule(model.denoiser, 5, "karras", 7, highest=10, lowest=0.1))
    assert [made[0], made[-2]] == pytest.approx([10, 0.1])
    straight = schedule_sigmas(make_schedule(model.denoiser, 5, "karras", 1, highest=10, lowest=2))
    assert straight == pytest.approx([10, 8, 6, 4, 2, 0])


def test_wrong_schedules_are_refused_with_a_remedy(model: Loaded, drawn: Any) -> None:
    made = write_schedule([14.6, 3, 0.5, 0])
    assert schedule_sigmas(made) == pytest.approx([14.6, 3, 0.5, 0])
    refused: list[tuple[str, Any]] = [
        ("sigmas: .*fall", lambda: write_schedule([1, 2])),
        ("sigmas: .*0 steps", lambda: write_schedule([0])),
        ("highest: .*more than the lowest", lambda: make_schedule(model.denoiser, highest=0.01)),
        ("schedule: .*'ddim'.*'euler'", lambda: drawn(schedule=made)),
    ]
    for text, call in refused:
        with pytest.raises(BadInput, match=text):
            call()


def test_a_chart_of_a_schedule_falls_from_left_to_right() -> None:
    chart = schedule_chart(Schedule(np.array([10, 3, 1, 0.1])), 120, 100).pixels
    bright = chart.astype(int)[..., 0] - chart.astype(int)[..., 2]
    rows = [int(np.argmax(bright[:, x : x + 3].max(1))) for x in (15, 44, 73, 102)]
    assert rows == sorted(rows)
    assert rows[-1] > rows[0] + 50


def test_every_preset_has_a_spacing_that_its_method_takes() -> None:
    for name, preset in shelf.entries(shelf.OURS / "presets.json", shelf.Preset).items():
        method = schedules.METHODS[preset.method]
        assert schedules.takes(method, schedules.SPACINGS[preset.spacing]), name


# -- larger latents


@pytest.mark.parametrize("way", ["nearest", "bilinear", "bicubic", "area"])
def test_a_resized_latent_shows_the_same_picture_in_its_new_size(canvas: Latent, way: Any) -> None:
    planes = np.stack([np.tile(np.linspace(-1, 1, 8, dtype=np.float32), (8, 1))] * 4)
    found = resize_latent(Latent(planes, canvas.family), 2.0, way=way)
    assert found.samples.shape == (4, 16, 16)
    small = found.samples.reshape(4, 8, 2, 8, 2).mean((2, 4))
    assert np.abs(small - planes).max() < 0.05
    assert found.samples.flags.c_contiguous


def test_a_side_that_is_not_given_follows_and_a_mask_comes_along(canvas: Latent) -> None:
    start = mask_latent(canvas, Mask(np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))))
    assert resize_latent(start, width=128).samples.shape == (4, 16, 16)
    both = resize_latent(start, width=128, height=96)
    assert both.samples.shape == (4, 12, 16)
    assert both.mask is not None
    assert both.mask.shape == (12, 16)
    assert (both.mask.min() >= 0) & (both.mask.max() <= 1)
    assert resize_latent(start, 1.0) is start
    assert resize_latent(start, 0.5).samples.shape == (4, 4, 4)


def test_a_noisy_latent_is_not_resized(canvas: Latent) -> None:
    with pytest.raises(BadInput, match=r"latent: .*still has noise"):
        resize_latent(Latent(canvas.samples, canvas.family, noisy=True))
    with pytest.raises(BadInput, match=r"width: .*multiple of 16"):
        resize_latent(Latent(canvas.samples, canvas.family, 16), width=72)
