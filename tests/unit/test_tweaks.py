"""What a model does in another way: seamless, in windows, with features weighed; and nobody else notices."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import pytest
import torch
from diffusers.guiders import AdaptiveProjectedGuidance
from numpy.typing import NDArray

from engine import memory
from engine.context import Context
from engine.errors import BadInput, Cancelled
from engine.types import Conditioning, Denoiser, Image, Latent, Mask
from nodes._lib import blurring, coding, doubles
from nodes._lib.net import Net
from nodes._lib.regions import within
from nodes._lib.steering import Level, Steered, Steering
from nodes._lib.windows import Window, Windows, hill, windows
from nodes.conditioning import combine_prompts, limit_to_area
from nodes.control import guide, load_controlnet
from nodes.guidance import (
    blur_attention,
    limit_guidance,
    perturb_attention,
    project_guidance,
    rescale_guidance,
)
from nodes.latent import decode_latent, empty_latent, encode_for_inpainting, mask_latent
from nodes.load import Loaded, load_denoiser
from nodes.sample import sample
from nodes.text import encode_text
from nodes.tweaks import FreeU, Seamless, draw_in_windows, draw_seamless, free_u
from tests import pipelines, tiny
from tests.pictured import noise
from tests.pipelines import quiet

PROMPT = "a red circle"
SIDE = 32
WALK: dict[str, Any] = {"steps": 4, "guidance": 4.0, "method": "ddim", "seed": 7}


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    tiny.controlnet(1).save_pretrained(folder / "controlnet" / "first")
    tiny.filler(folder / "denoisers" / "filler")
    return folder


class Tiny(NamedTuple):
    model: Loaded
    words: Conditioning
    canvas: Latent
    folder: Path

    def drawn(self, model: Any = None, canvas: Latent | None = None, **options: Any) -> NDArray[Any]:
        """The latent that the model draws."""
        found = sample(model or self.model.denoiser, self.words, canvas or self.canvas, **{**WALK, **options})
        return found.latent.samples

    def pixels(self, model: Any, **options: Any) -> NDArray[Any]:
        found = sample(model, self.words, self.canvas, **{**WALK, **options})
        return np.asarray(decode_latent(self.model.vae, found.latent).pixels)

    def pipeline(self, kind: str = "StableDiffusionPipeline", **parts: Any) -> Any:
        return quiet(kind, self.folder / "diffusers" / "tiny", **parts)


drawn = partial(
    pipelines.drawn, prompt=PROMPT, num_inference_steps=4, guidance_scale=4.0, height=SIDE, width=SIDE
)


@pytest.fixture
def here(model: Loaded, folder: Path) -> Tiny:
    words, canvas = encode_text(model.text_encoder, PROMPT), empty_latent(model.denoiser, SIDE, SIDE)
    return Tiny(model, words, canvas, folder)


def seamless(here: Tiny, model: Denoiser | None = None, edges: Any = "all") -> Denoiser:
    return draw_seamless(model or here.model.denoiser, here.model.vae, edges).denoiser


# -- doubles


def test_a_double_has_the_weights_of_the_module_and_settings_of_its_own(here: Tiny) -> None:
    with memory.weights(here.model.denoiser) as held:
        unet = held.module
        before = {name: vars(layer).keys() for name, layer in unet.named_modules()}
        other = doubles.endless(unet, True, True)
        other.enable_freeu(0.9, 0.2, 1.5, 1.6)
        pairs = zip(unet.parameters(), other.parameters(), strict=True)
        assert all(one is two for one, two in pairs)
        assert {name: vars(layer).keys() for name, layer in unet.named_modules()} == before


def test_what_is_done_to_one_run_leaves_no_trace_in_the_next(here: Tiny) -> None:
    plain = here.drawn()
    model = here.model.denoiser
    odd = [free_u(model), perturb_attention(model), seamless(here, model)]
    assert all(not np.array_equal(here.drawn(one), plain) for one in odd)
    np.testing.assert_array_equal(here.drawn(), plain)


def test_tweaks_stand_in_the_reference_once_each_in_any_order(here: Tiny) -> None:
    model = here.model.denoiser
    one = free_u(seamless(here, model), b1=1.2)
    two = seamless(here, free_u(free_u(model), b1=1.2))
    assert [type(tweak).__name__ for tweak in one.tweaks] == ["FreeU", "Seamless"]
    assert [type(tweak) for tweak in two.tweaks] == [type(tweak) for tweak in one.tweaks]
    assert isinstance(two.tweaks[0], FreeU)
    assert two.tweaks[0].b1 == 1.2
    assert free_u(two, 1, 1, 1, 1).tweaks == two.tweaks[1:]


# -- as diffusers has them


def test_free_u_draws_the_pixels_of_the_pipeline(here: Tiny) -> None:
    pipeline = here.pipeline()
    pipeline.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)
    np.testing.assert_array_equal(here.pixels(free_u(here.model.denoiser)), drawn(pipeline))


@pytest.mark.parametrize("method", ["ddim", "heun"])
def test_rescaled_guidance_draws_the_pixels_of_the_pipeline(here: Tiny, method: Any) -> None:
    pipeline = here.pipeline()
    if method == "heun":
        pipeline.scheduler = diffusers.HeunDiscreteScheduler.from_config(pipeline.scheduler.config)
    wanted = drawn(pipeline, guidance_rescale=0.7)
    np.testing.assert_array_equal(here.pixels(rescale_guidance(here.model.denoiser), method=method), wanted)


@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_perturbed_attention_draws_the_pixels_of_its_pipeline(here: Tiny, guidance: float) -> None:
    pipeline = here.pipeline("StableDiffusionPAGPipeline", pag_applied_layers=["mid"])
    wanted = drawn(pipeline, pag_scale=3.0, guidance_scale=guidance)
    found = here.pixels(perturb_attention(here.model.denoiser), guidance=guidance)
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1  # it asks for three answers at once
    assert not np.array_equal(found, here.pixels(here.model.denoiser, guidance=guidance))


@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_blurred_attention_draws_the_pixels_of_its_pipeline(here: Tiny, guidance: float) -> None:
    wanted = drawn(here.pipeline("StableDiffusionSAGPipeline"), sag_scale=1.5, guidance_scale=guidance)
    found = here.pixels(blur_attention(here.model.denoiser, 1.5), guidance=guidance)
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1
    assert not np.array_equal(found, here.pixels(here.model.denoiser, guidance=guidance))
    assert blur_attention(blur_attention(here.model.denoiser), 0).tweaks == ()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_projected_guidance_is_what_the_guider_of_diffusers_computes_for_clean_pictures(
    prediction: str,
) -> None:
    guider = AdaptiveProjectedGuidance(
        guidance_scale=4.0, adaptive_projected_guidance_momentum=-0.5,
        adaptive_projected_guidance_rescale=15.0, eta=0.0,
    )  # fmt: skip
    guider.set_state(step=0, num_inference_steps=4, timestep=torch.tensor(1))
    level = Level(0.6, 0.8, prediction)
    noisy, unwanted, wanted = torch.randn(3, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    how = Steering(4.0, projection=(0.0, 15.0, -0.5))
    steered = Steered(torch.nn.Identity(), how, lambda _: 0, 4, lambda _: level)
    answers = [level.answer(noisy, clean) for clean in (unwanted, wanted)]
    found = level.clean(noisy, steered.together(noisy, 1, *answers))
    torch.testing.assert_close(found, guider.forward(wanted, unwanted).pred, rtol=0, atol=1e-4)


def test_a_projection_that_takes_nothing_away_is_guidance_as_usual(here: Tiny) -> None:
    model = here.model.denoiser
    usual = project_guidance(model, along=1.0, largest=1000.0, momentum=0.0)
    np.testing.assert_allclose(here.drawn(usual), here.drawn(), atol=1e-3)
    assert project_guidance(usual, 1.0, 0.0, 0.0).tweaks == ()
    assert np.abs(here.drawn(project_guidance(model)) - here.drawn()).max() > 0.1


# -- blurred attention


def test_only_what_is_looked_at_is_blurred(here: Tiny) -> None:
    sample_ = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    whole = Window(torch.arange(16), torch.arange(16))
    with memory.weights(here.model.denoiser) as held, torch.no_grad():
        unet = blurring.watching(held.module)
        eyes, watched = blurring.middle(unet).processor, blurring.Watched(unet, whole)
        words = torch.from_numpy(here.words.embeds.copy())[None]
        answer = watched(sample_, torch.tensor(500), encoder_hidden_states=words)[0]
        torch.testing.assert_close(held.module(sample_, 500, words)[0], answer, rtol=0, atol=0)
    assert float(eyes.looked.mean()) == pytest.approx(1)
    level = Level(0.6, 0.8, "epsilon")
    steered = Steered(
        watched, Steering(4.0, blur=1.0), lambda _: 0, 4, lambda _: level, None, [watched], watched
    )
    dim, mask = steered.dimmed(sample_, 500, answer), blurring.where([watched], (16, 16))
    looked = (eyes.looked > 1).reshape(8, 8)
    assert 0 < int(looked.sum()) < 64
    np.testing.assert_array_equal(mask[::2, ::2] == 1, looked)
    changed = (dim - sample_).abs().amax(1)[0] > 1e-6
    assert (changed == (mask == 1)).all()
    torch.testing.assert_close(
        level.clean(dim, answer).mean(), level.clean(sample_, answer).mean(), atol=0.1, rtol=0
    )


def test_blurred_attention_goes_with_windows_areas_and_other_guidance(here: Tiny) -> None:
    model, wide = blur_attention(here.model.denoiser, 2.0), empty_latent(here.model.denoiser, 96, 64)
    one, other = (draw_in_windows(each, 64, 64, 32) for each in (model, here.model.denoiser))
    assert np.abs(here.drawn(one, wide, steps=1) - here.drawn(other, wide, steps=1)).max() > 1e-3
    words = combine_prompts(limit_to_area(here.words, width=0.5), limit_to_area(here.words, left=0.5))
    alike = Tiny(here.model, words, here.canvas, here.folder)
    np.testing.assert_allclose(alike.drawn(model), here.drawn(model), atol=1e-4)
    both = perturb_attention(model)
    assert np.abs(here.drawn(both) - here.drawn(perturb_attention(here.model.denoiser))).max() > 1e-3
    never = limit_guidance(blur_attention(here.model.denoiser), 0.9, 0.95)
    np.testing.assert_allclose(
        here.drawn(never), here.drawn(blur_attention(here.model.denoiser), guidance=1.0), atol=1e-5
    )
    assert here.drawn(model, empty_latent(here.model.denoiser, 16, 16)).shape == (4, 8, 8)


# -- guidance in a part of the steps


def test_guidance_in_no_step_is_no_guidance_and_in_all_of_them_is_guidance(here: Tiny) -> None:
    model = here.model.denoiser
    never = limit_guidance(model, 0.9, 0.95)
    np.testing.assert_allclose(here.drawn(never), here.drawn(guidance=1.0), atol=1e-5)
    assert limit_guidance(never, 0, 1).tweaks == ()
    with pytest.raises(BadInput, match=r"end: .*more than the start"):
        limit_guidance(model, 0.5, 0.5)


def test_guidance_is_left_out_where_the_interval_says_so(here: Tiny) -> None:
    """The first half with guidance, handed over, and the second without."""
    half = sample(here.model.denoiser, here.words, here.canvas, end_step=2, **WALK).latent
    wanted = here.drawn(canvas=half, start_step=2, guidance=1.0)
    found = here.drawn(limit_guidance(here.model.denoiser, end=0.5))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_guidance_tweaks_need_fewer_or_more_answers_as_they_say(here: Tiny) -> None:
    model, asked = here.model.denoiser, []
    with memory.weights(model) as held:
        hook = held.module.conv_in.register_forward_hook(lambda _, given, __: asked.append(len(given[0])))
        here.drawn(limit_guidance(model, end=0.5))
        hook.remove()
    assert asked == [2, 2, 1, 1]


# -- windows


def test_windows_cover_everything_evenly_and_overlap_at_least_as_asked() -> None:
    views = windows((16, 40), (16, 16), 4, (False, False))
    assert [(int(v.columns[0]), len(v.columns), len(v.rows)) for v in views] == [
        (0, 16, 16), (12, 16, 16), (24, 16, 16),
    ]  # fmt: skip
    round_it = windows((16, 40), (16, 16), 4, (False, True))
    assert [int(view.columns[0]) for view in round_it] == [0, 10, 20, 30]
    assert round_it[-1].columns.tolist() == [*range(30, 40), *range(6)]
    assert hill(4).tolist() == [0.5, 1.5, 1.5, 0.5]


def test_a_window_larger_than_the_picture_is_plain_sampling_to_the_bit(here: Tiny) -> None:
    model = draw_in_windows(here.model.denoiser, 64, 64, 16)
    np.testing.assert_array_equal(here.drawn(model), here.drawn())


def test_a_large_picture_is_drawn_with_the_memory_of_one_window(here: Tiny) -> None:
    model = draw_in_windows(here.model.denoiser, 64, 64, 32)
    wide = empty_latent(here.model.denoiser, 224, 96)
    seen: list[tuple[int, ...]] = []
    with memory.weights(model) as held:
        hook = held.module.conv_in.register_forward_hook(lambda _, x, __: seen.append(tuple(x[0].shape)))
        found = here.drawn(model, wide, steps=1)
        hook.remove()
    assert found.shape == (4, 48, 112)
    assert set(seen) == {(2, 4, 32, 32)}
    assert len(seen) == 12


def test_windows_that_would_agree_draw_what_one_look_draws(here: Tiny) -> None:
    """A denoiser whose answer for a place depends on that place alone: no window can differ."""
    sample_ = torch.randn(2, 4, 20, 30, generator=torch.Generator().manual_seed(1))

    class Local(Net):
        def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **_: Any) -> Any:
            return (sample * time,)

    local = Local()
    views = windows((20, 30), (8, 8), 3, (False, True))
    whole = Windows([(view, local) for view in views], (20, 30), lambda: None)
    torch.testing.assert_close(whole(sample_, 3.0, None)[0], sample_ * 3)


def test_prompts_guides_and_masks_keep_their_places_in_windows(here: Tiny) -> None:
    """One window over all of it, and windows so large that they differ from it by nothing but a shift."""
    model = here.model.denoiser
    left = limit_to_area(here.words, 0, 0, 0.5, 1)
    right = limit_to_area(encode_text(here.model.text_encoder, "blue"), 0.5, 0, 0.5, 1)
    words = combine_prompts(left, right)
    wide = empty_latent(model, 64, 32)
    picture = noise(64, 32, seed=1)
    guides = guide(load_controlnet("first"), picture, strength=0.7)
    mask = Mask(np.tile(np.linspace(0, 1, 64, dtype=np.float32), (32, 1)))
    start = mask_latent(wide, mask)
    options: dict[str, Any] = {**WALK, "guides": guides, "steps": 1}
    whole = sample(model, words, start, **options).latent.samples
    tiles = draw_in_windows(model, 64, 64, 32)
    np.testing.assert_array_equal(sample(tiles, words, start, **options).latent.samples, whole)


def test_each_window_sees_its_own_piece_of_the_guide_and_of_the_prompts(here: Tiny) -> None:
    window = Window(torch.arange(4), torch.arange(4, 8))
    picture = torch.arange(64.0).reshape(1, 1, 8, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    seen = window.of(picture, 2)[0, 0, ::2, ::2]
    torch.testing.assert_close(seen, torch.arange(64.0).reshape(8, 8)[:4, 4:])
    left = within(limit_to_area(here.words, 0, 0, 0.5, 1), window, (8, 8))
    right = within(limit_to_area(here.words, 0.5, 0, 0.5, 1), window, (8, 8))
    assert left.mask is not None
    assert right.mask is not None
    assert (float(left.mask.max()), float(right.mask.min())) == (0, 1)


def test_a_run_in_windows_is_cancelled_between_two_of_them(here: Tiny) -> None:
    model = draw_in_windows(here.model.denoiser, 64, 64, 32)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        sample(
            model,
            here.words,
            empty_latent(model, 256, 64),
            ctx=Context(lambda _: None, cancelled=stop),
            **WALK,
        )


def test_windows_must_be_larger_than_twice_their_overlap(here: Tiny) -> None:
    with pytest.raises(BadInput, match=r"overlap: .*at most half"):
        draw_in_windows(here.model.denoiser, 64, 64, 40)


def test_a_model_that_fills_holes_sees_the_piece_of_the_hole_that_a_window_shows(here: Tiny) -> None:
    filler = draw_in_windows(load_denoiser("filler"), 64, 64, 32)
    picture = Image(np.full((64, 128, 3), 90, np.uint8))
    mask = Mask(np.ones((64, 128), np.float32))
    start = encode_for_inpainting(here.model.vae, picture, mask)
    assert here.drawn(filler, start, steps=1).shape == start.samples.shape


# -- seamless


@pytest.mark.parametrize(("edges", "axis"), [("left and right", -1), ("top and bottom", -2)])
def test_a_seamless_model_draws_the_same_wherever_the_picture_is_cut(
    here: Tiny, edges: Any, axis: int
) -> None:
    """Shifting the noise round shifts the answer round, in the direction that is seamless alone."""
    made = draw_seamless(here.model.denoiser, here.model.vae, edges)
    across, down = edges == "left and right", edges != "left and right"
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    with memory.weights(made.denoiser) as held, torch.no_grad():
        unet = doubles.endless(held.module, across, down)
        words = torch.from_numpy(here.words.embeds.copy())[None]

        def shifted_by(amount: int, axis: int) -> Any:
            turned = unet(noise.roll(amount, axis), 500, words).sample
            return turned.roll(-amount, axis)

        torch.testing.assert_close(shifted_by(4, axis), unet(noise, 500, words).sample, rtol=0, atol=1e-5)
        other = shifted_by(4, -3 - axis)
        assert (other - unet(noise, 500, words).sample).abs().max() > 1e-3


def test_a_seamless_picture_is_decoded_the_same_wherever_it_is_cut(here: Tiny) -> None:
    vae = draw_seamless(here.model.denoiser, here.model.vae).vae
    samples = np.random.default_rng(1).normal(size=(4, 16, 16)).astype(np.float32)
    turned = np.ascontiguousarray(np.roll(samples, (4, 4), (1, 2)))
    one, two = (
        decode_latent(vae, Latent(cells, "sd15", 2), "float").pixels.astype(float)
        for cells in (samples, turned)
    )
    assert np.abs(np.roll(two, (-8, -8), (0, 1)) - one).max() < 1e-5
    short = decode_latent(vae, Latent(samples, "sd15", 2), ctx=Context(lambda _: None, thrift=1))
    assert short.pixels.shape == (32, 32, 3)


def test_short_of_memory_a_seamless_picture_is_continued_before_it_is_cut_into_tiles() -> None:
    class Blur(Net):
        """Decodes by looking three cells far."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(1, 1, 7, padding=3)

        def decode(self, cells: Any, return_dict: bool) -> Any:
            return (self.layer(cells),)

    vae, cells = Blur(), torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = doubles.endless(vae, True, False).decode(cells, False)[0]
        found = coding.continued(vae, cells, Seamless(True, False), 1)
    torch.testing.assert_close(found, wanted)


def test_windows_go_round_a_seamless_picture(here: Tiny) -> None:
    model = draw_in_windows(seamless(here, edges="left and right"), 64, 64, 32)
    seen: list[int] = []
    with memory.weights(model) as held:
        hook = held.module.conv_in.register_forward_hook(lambda _, x, __: seen.append(x[0].shape[-1]))
        here.drawn(model, empty_latent(model, 128, 64), steps=1)
        hook.remove()
    assert seen == [32] * 4, "three of them would do for a picture with edges"


def test_a_seamless_run_with_a_guide_lets_the_guide_go_round_too(here: Tiny) -> None:
    picture = noise(SIDE, SIDE, seed=1)
    guides = guide(load_controlnet("first"), picture)
    model = seamless(here)
    assert not np.array_equal(here.drawn(model, guides=guides), here.drawn(guides=guides))
