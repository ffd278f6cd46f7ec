"""Guides and holes: what our nodes draw is what the pipelines of diffusers draw with the same weights."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from engine.errors import BadInput
from engine.memory import estimate
from engine.models import models
from engine.types import Conditioning, ControlNet, Guide, Image, Latent, Mask
from nodes.control import canny, guide, load_controlnet
from nodes.latent import decode_latent, empty_latent, encode_for_inpainting, encode_image, mask_latent
from nodes.load import Loaded, load_denoiser, place_of_denoiser
from nodes.sample import sample
from nodes.text import encode_text
from tests import pipelines, tiny
from tests.pictured import noise
from tests.pipelines import quiet

PROMPT = "a red circle"
SIDE = 32
WALK: dict[str, Any] = {"steps": 5, "guidance": 4.0, "method": "ddim", "seed": 7}


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """A models folder with a tiny model, two ControlNets, and a denoiser that fills holes."""
    tiny.controlnet(1).save_pretrained(folder / "controlnet" / "first")
    tiny.controlnet(2).save_pretrained(folder / "controlnet" / "second")
    tiny.filler(folder / "denoisers" / "filler")
    return folder


class Tiny(NamedTuple):
    model: Loaded
    words: Conditioning
    canvas: Latent
    folder: Path

    def pipeline(self, kind: str, **parts: Any) -> Any:
        return quiet(kind, self.folder / "diffusers" / "tiny", **parts)


drawn = partial(pipelines.drawn, prompt=PROMPT, num_inference_steps=5, guidance_scale=4.0)


@pytest.fixture
def here(model: Loaded, folder: Path) -> Tiny:
    words, canvas = encode_text(model.text_encoder, PROMPT), empty_latent(model.denoiser, SIDE, SIDE)
    return Tiny(model, words, canvas, folder)


def picture(seed: int) -> Image:
    return noise(SIDE, SIDE, seed=seed)


def net(folder: Path, name: str) -> Any:
    return diffusers.ControlNetModel.from_pretrained(folder / "controlnet" / name)


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.2, 0.8), (0.5, 1.0)])
@pytest.mark.parametrize("method", ["ddim", "euler", "dpm++ 2m"])
def test_a_guide_draws_the_pixels_of_its_pipeline(here: Tiny, method: Any, start: float, end: float) -> None:
    guides = guide(load_controlnet("first"), picture(1), strength=0.7, start=start, end=end)
    found = sample(here.model.denoiser, here.words, here.canvas, guides=guides, **{**WALK, "method": method})
    pipeline = here.pipeline("StableDiffusionControlNetPipeline", controlnet=net(here.folder, "first"))
    scheduler = {"ddim": "DDIM", "euler": "EulerDiscrete", "dpm++ 2m": "DPMSolverMultistep"}[method]
    pipeline.scheduler = getattr(diffusers, scheduler + "Scheduler").from_config(pipeline.scheduler.config)
    shown = Pillow.fromarray(np.asarray(picture(1).pixels))
    wanted = drawn(
        pipeline, image=shown, controlnet_conditioning_scale=0.7, control_guidance_start=start,
        control_guidance_end=end, height=SIDE, width=SIDE,
    )  # fmt: skip
    assert_close(decode_latent(here.model.vae, found.latent), wanted)
    plain = sample(here.model.denoiser, here.words, here.canvas, **{**WALK, "method": method})
    assert not np.array_equal(plain.latent.samples, found.latent.samples)


def test_several_guides_count_together(here: Tiny) -> None:
    first = guide(load_controlnet("first"), picture(1), strength=0.5)
    both = guide(load_controlnet("second"), picture(2), strength=1.5, end=0.6, others=first)
    found = sample(here.model.denoiser, here.words, here.canvas, guides=both, **WALK)
    nets = [net(here.folder, "first"), net(here.folder, "second")]
    pipeline = here.pipeline("StableDiffusionControlNetPipeline", controlnet=nets)
    wanted = drawn(
        pipeline, image=[Pillow.fromarray(np.asarray(picture(seed).pixels)) for seed in (1, 2)],
        controlnet_conditioning_scale=[0.5, 1.5], control_guidance_start=[0.0, 0.0],
        control_guidance_end=[1.0, 0.6], height=SIDE, width=SIDE,
    )  # fmt: skip
    assert_close(decode_latent(here.model.vae, found.latent), wanted)


def test_a_guide_without_strength_changes_nothing(here: Tiny) -> None:
    weak = guide(load_controlnet("first"), picture(1), strength=0.0)
    found = sample(here.model.denoiser, here.words, here.canvas, guides=weak, **WALK)
    plain = sample(here.model.denoiser, here.words, here.canvas, **WALK)
    np.testing.assert_array_equal(found.latent.samples, plain.latent.samples)


def test_a_guide_of_another_family_is_refused(here: Tiny) -> None:
    other = Guide(msgspec.structs.replace(load_controlnet("first"), family="sdxl"), picture(1))
    with pytest.raises(BadInput, match="family 'sdxl'"):
        sample(here.model.denoiser, here.words, here.canvas, guides=[other], **WALK)
    with pytest.raises(BadInput, match="more than the start"):
        guide(ControlNet("x", "sd15", ""), picture(1), start=0.5, end=0.5)


@pytest.mark.parametrize("strength", [1.0, 0.6])
@pytest.mark.parametrize("method", ["ddim", "euler", "dpm++ 2m"])
def test_a_masked_latent_draws_the_pixels_of_the_inpainting_pipeline(
    here: Tiny, method: Any, strength: float
) -> None:
    start = encode_image(here.model.vae, picture(3))
    options = {**WALK, "method": method, "strength": strength}
    found = sample(here.model.denoiser, here.words, mask_latent(start, box()), **options)
    pipeline = here.pipeline("StableDiffusionInpaintPipeline")
    scheduler = {"ddim": "DDIM", "euler": "EulerDiscrete", "dpm++ 2m": "DPMSolverMultistep"}[method]
    pipeline.scheduler = getattr(diffusers, scheduler + "Scheduler").from_config(pipeline.scheduler.config)
    wanted = drawn(
        pipeline, image=torch.from_numpy(np.array(start.samples))[None], mask_image=torch_mask(),
        masked_image_latents=torch.zeros(1, 4, *start.samples.shape[1:]), strength=strength,
        height=SIDE, width=SIDE, output_type="latent",
    )  # fmt: skip
    np.testing.assert_allclose(numbers(found.latent), wanted, atol=1e-5)


def test_what_the_mask_keeps_stays_as_it_was(here: Tiny) -> None:
    start = encode_image(here.model.vae, picture(3))
    found = sample(here.model.denoiser, here.words, mask_latent(start, box()), **WALK)
    inside = box().pixels[::2, ::2] == 1
    before, after = numbers(start), numbers(found.latent)
    np.testing.assert_array_equal(after[:, ~inside], before[:, ~inside])
    assert np.abs(after[:, inside] - before[:, inside]).mean() > 0.1


def test_a_model_made_to_fill_holes_draws_the_pixels_of_its_pipeline(here: Tiny) -> None:
    filler = load_denoiser("filler")
    start = encode_for_inpainting(here.model.vae, picture(3), box())
    found = sample(filler, here.words, start, **WALK)
    unet = diffusers.UNet2DConditionModel.from_pretrained(here.folder / "denoisers" / "filler" / "unet")
    pipeline = here.pipeline("StableDiffusionInpaintPipeline", unet=unet)
    assert start.hole is not None
    wanted = drawn(
        pipeline, image=torch.from_numpy(np.array(start.samples))[None], mask_image=torch_mask(),
        masked_image_latents=torch.from_numpy(np.array(start.hole))[None], strength=1.0,
        height=SIDE, width=SIDE, output_type="latent",
    )  # fmt: skip
    np.testing.assert_allclose(numbers(found.latent), wanted, atol=1e-5)
    with pytest.raises(BadInput, match="encode_for_inpainting"):
        sample(filler, here.words, here.canvas, **WALK)


def test_a_denoiser_may_lie_there_as_a_unet_itself(here: Tiny) -> None:
    folder = here.folder / "denoisers"
    shutil.copytree(folder / "filler" / "unet", folder / "alone")
    shutil.copytree(folder / "filler" / "vae", folder / "alone" / "vae")  # a cell of tiny ones is smaller
    start = encode_for_inpainting(here.model.vae, picture(3), box())
    found, wanted = (
        sample(load_denoiser(name), here.words, start, **WALK).latent.samples for name in ("alone", "filler")
    )
    np.testing.assert_array_equal(found, wanted)
    sizes = [
        estimate(models().find(name, "denoiser"), place_of_denoiser(load_denoiser(name)), "float32")
        for name in ("alone", "filler")
    ]
    assert sizes[0] == sizes[1] > 0


def test_a_mask_of_another_size_is_refused(here: Tiny) -> None:
    with pytest.raises(BadInput, match="like the picture"):
        mask_latent(here.canvas, Mask(np.zeros((SIDE, SIDE // 2), np.float32)))


def test_canny_finds_the_edges_of_a_square() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[16:48, 16:48] = 255
    edges = np.asarray(canny(Image(pixels)).pixels[..., 0] == 255)
    rows, columns = np.nonzero(edges)
    assert {rows.min(), columns.min()} <= {15, 16}
    assert {rows.max(), columns.max()} <= {47, 48}
    assert not edges[20:44, 20:44].any()
    with pytest.raises(BadInput, match="at least low"):
        canny(Image(pixels), low=200, high=100)


def numbers(latent: Latent) -> NDArray[np.float32]:
    return np.asarray(latent.samples, np.float32)


def box() -> Mask:
    pixels = np.zeros((SIDE, SIDE), np.float32)
    pixels[8:24, 8:24] = 1
    return Mask(pixels)


def torch_mask() -> torch.Tensor:
    return torch.from_numpy(box().pixels)[None, None]


def assert_close(found: Image, wanted: Any) -> None:
    """Within one step of 255: residuals are added in another order than the pipeline adds them."""
    assert np.abs(found.pixels.astype(int) - wanted.astype(int)).max() <= 1
