"""Prompting with pictures: what is drawn is what the pipelines of diffusers draw with the same weights."""

from __future__ import annotations

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
from safetensors.torch import save_file

from engine.context import Context
from engine.errors import BadInput, Cancelled, MissingModel, Unsupported
from engine.memory import Residency
from engine.types import Conditioning, Denoiser, Image, IpAdapter, Latent, Mask
from nodes.conditioning import combine_prompts, limit_to_area
from nodes.control import guide, load_controlnet
from nodes.guidance import limit_guidance, perturb_attention
from nodes.latent import decode_latent, empty_latent
from nodes.likeness import load_ip_adapter, prompt_with_pictures
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text
from nodes.tweaks import draw_in_windows, free_u
from tests import pipelines, tiny, twins
from tests.pipelines import quiet

PROMPT = "a red circle"
SIDE = 32
WALK: dict[str, Any] = {"steps": 4, "guidance": 4.0, "method": "ddim", "seed": 7}
LAYOUTS = ("plain", "full", "plus")


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """Two tiny families, an adapter of each layout, and who looks for them."""
    large = twins.make("sdxl")
    large.save_pretrained(folder / "diffusers" / "sdxl")
    tiny.controlnet(1).save_pretrained(folder / "controlnet" / "first")
    tiny.vision().save_pretrained(folder / "vision" / "eyes")
    (folder / "ip_adapters").mkdir()
    for layout in LAYOUTS:
        save_file(tiny.ip_adapter(tiny.unet(), layout, 1), folder / "ip_adapters" / f"{layout}.safetensors")
    save_file(tiny.ip_adapter(large.unet, "plus", 3), folder / "ip_adapters" / "large.safetensors")
    return folder


class Tiny(NamedTuple):
    model: Loaded
    words: Conditioning
    canvas: Latent
    folder: Path

    def prompted(self, layout: str = "plain", seeds: tuple[int, ...] = (1,), **options: Any) -> Denoiser:
        model = options.pop("model", self.model.denoiser)
        adapter = load_ip_adapter(layout, "eyes")
        return prompt_with_pictures(model, adapter, [picture(seed) for seed in seeds], **options)

    def drawn(self, model: Any = None, **options: Any) -> NDArray[Any]:
        words, canvas = options.pop("words", self.words), options.pop("canvas", self.canvas)
        found = sample(model or self.model.denoiser, words, canvas, **{**WALK, **options})
        return np.asarray(found.latent.samples)

    def pixels(self, model: Denoiser, **options: Any) -> NDArray[Any]:
        found = sample(model, self.words, self.canvas, **{**WALK, **options})
        return np.asarray(decode_latent(self.model.vae, found.latent).pixels)

    def pipeline(self, kind: str, *layouts: str, name: str = "tiny") -> Any:
        found = quiet(kind, self.folder / "diffusers" / name)
        files = [f"{each}.safetensors" for each in layouts]
        where = {"subfolder": "ip_adapters", "image_encoder_folder": "vision/eyes"}
        found.load_ip_adapter(
            str(self.folder), weight_name=files, low_cpu_mem_usage=False, local_files_only=True, **where
        )
        return found


@pytest.fixture
def here(residency: Residency, folder: Path) -> Tiny:
    return loaded("tiny", folder, SIDE)


def loaded(name: str, folder: Path, side: int) -> Tiny:
    model = load_model(name)
    words, canvas = encode_text(model.text_encoder, PROMPT), empty_latent(model.denoiser, side, side)
    return Tiny(model, words, canvas, folder)


def picture(seed: int) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def shown(seed: int) -> Any:
    return Pillow.fromarray(np.asarray(picture(seed).pixels))


drawn = partial(
    pipelines.drawn, prompt=PROMPT, num_inference_steps=4, guidance_scale=4.0, height=SIDE, width=SIDE
)


def assert_close(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1


# -- as diffusers has it


@pytest.mark.parametrize("guidance", [4.0, 1.0])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_picture_prompt_draws_the_pixels_of_the_pipeline(here: Tiny, layout: str, guidance: float) -> None:
    found = here.pixels(here.prompted(layout, strength=0.8), guidance=guidance)
    pipeline = here.pipeline("StableDiffusionPipeline", layout)
    pipeline.set_ip_adapter_scale(0.8)
    assert_close(found, drawn(pipeline, ip_adapter_image=shown(1), guidance_scale=guidance))
    assert np.abs(found.astype(int) - here.pixels(here.model.denoiser, guidance=guidance)).max() > 3


def test_several_pictures_and_several_adapters_count_together(here: Tiny) -> None:
    model = here.prompted("plain", (1, 2), strength=0.5)
    model = here.prompted("plus", (3,), strength=1.5, model=model)
    pipeline = here.pipeline("StableDiffusionPipeline", "plain", "plus")
    pipeline.set_ip_adapter_scale([0.5, 1.5])
    wanted = drawn(pipeline, ip_adapter_image=[[shown(1), shown(2)], [shown(3)]])
    assert_close(here.pixels(model), wanted)


@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_it_counts_where_its_mask_says_as_in_the_pipeline(here: Tiny, guidance: float) -> None:
    left = np.zeros((SIDE, SIDE), np.float32)
    left[:, : SIDE // 2] = 1
    model = here.prompted("plain", (1, 2), strength=0.8, mask=Mask(left))
    pipeline = here.pipeline("StableDiffusionPipeline", "plain")
    pipeline.set_ip_adapter_scale(0.8)
    where = torch.from_numpy(left)[None, None].expand(1, 2, -1, -1)
    wanted = drawn(
        pipeline, ip_adapter_image=[[shown(1), shown(2)]], guidance_scale=guidance,
        cross_attention_kwargs={"ip_adapter_masks": [where]},
    )  # fmt: skip
    assert_close(here.pixels(model, guidance=guidance), wanted)


def test_a_large_model_is_prompted_as_in_its_pipeline(here: Tiny, folder: Path) -> None:
    large = loaded("sdxl", folder, 64)
    model = large.prompted("large", strength=0.7)
    pipeline = large.pipeline("StableDiffusionXLPipeline", "large", name="sdxl")
    pipeline.set_ip_adapter_scale(0.7)
    wanted = drawn(pipeline, height=64, width=64, ip_adapter_image=shown(1))
    assert_close(large.pixels(model, method="euler"), wanted)


# -- what it means


def test_without_strength_or_after_its_run_nothing_is_left_of_it(here: Tiny) -> None:
    plain = here.drawn()
    model = here.prompted(strength=1.0)
    assert here.prompted(strength=0.0) == here.model.denoiser
    assert np.abs(here.drawn(model) - plain).max() > 0.1
    np.testing.assert_array_equal(here.drawn(), plain)
    nowhere = here.prompted(strength=1.0, mask=Mask(np.zeros((8, 8), np.float32)))
    np.testing.assert_allclose(here.drawn(nowhere), plain, atol=1e-5)


def test_it_counts_only_in_its_part_of_the_steps(here: Tiny) -> None:
    half = sample(here.model.denoiser, here.words, here.canvas, end_step=2, **WALK).latent
    model = here.prompted(strength=1.0, start=0.5)
    wanted = here.drawn(here.prompted(strength=1.0), canvas=half, start_step=2)
    np.testing.assert_allclose(here.drawn(model), wanted, atol=1e-5)
    late = here.prompted(strength=1.0, start=0.9, end=0.95)
    np.testing.assert_array_equal(here.drawn(late), here.drawn())


def test_attention_outside_the_mask_is_what_it_was(here: Tiny) -> None:
    """One step, so that what lies inside cannot spread: the first cross-attention alone differs there."""
    seen: list[torch.Tensor] = []
    left = np.zeros((SIDE, SIDE), np.float32)
    left[:, : SIDE // 2] = 1
    kept = torch.nn.Module.__call__

    def watched(module: Any, *given: Any, **named: Any) -> Any:
        found = kept(module, *given, **named)
        if isinstance(module, diffusers.models.attention_processor.Attention) and module.is_cross_attention:
            seen.append(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "__call__", watched)
        here.drawn(here.model.denoiser, steps=1, guidance=1.0)
        first, seen = seen[0], []
        here.drawn(here.prompted(strength=1.0, mask=Mask(left)), steps=1, guidance=1.0)
    side = int(first.shape[1] ** 0.5)
    moved = (seen[0] - first).abs().amax(2).reshape(side, side)
    assert moved[:, side // 2 + 1 :].max() == 0
    assert moved[:, : side // 2 - 1].min() > 0


def test_it_goes_with_windows_guides_areas_and_other_guidance(here: Tiny) -> None:
    model = here.prompted("plus", strength=1.0, mask=Mask(np.eye(8, dtype=np.float32)))
    guides = guide(load_controlnet("first"), picture(2))
    both = combine_prompts(limit_to_area(here.words, width=0.5), limit_to_area(here.words, left=0.5))
    for options in ({"guides": guides}, {"words": both}, {"ctx": Context(lambda _: None, thrift=1)}):
        plain, found = (here.drawn(one, steps=2, **options) for one in (None, model))
        assert np.abs(found - plain).max() > 1e-2
    wide = empty_latent(model, 96, 64)
    for change in (perturb_attention, free_u, limit_guidance):
        other = change(model)
        assert np.abs(here.drawn(other, steps=2) - here.drawn(change(here.model.denoiser), steps=2)).max() > 0
    tiles = [draw_in_windows(one, 64, 64, 32) for one in (model, here.model.denoiser)]
    found, plain = (here.drawn(one, canvas=wide, steps=1) for one in tiles)
    assert np.abs(found - plain).max() > 1e-3


def test_half_the_memory_draws_the_same(here: Tiny) -> None:
    model = here.prompted("plus", (1, 2), strength=1.0)
    short = here.drawn(model, ctx=Context(lambda _: None, thrift=1))
    np.testing.assert_allclose(short, here.drawn(model), atol=1e-4)


def test_looking_is_cancelled_between_two_pictures(here: Tiny) -> None:
    with pytest.raises(Cancelled):
        here.prompted("plain", (1, 2), ctx=Context(lambda _: None, cancelled=lambda: True))


# -- what does not fit


def test_what_is_missing_is_named_with_the_command_that_fetches_it(here: Tiny) -> None:
    with pytest.raises(MissingModel, match=r"models fetch ip-adapter-sd15.*h94/IP-Adapter.*Apache-2.0"):
        load_ip_adapter("ip-adapter-sd15", "eyes")
    with pytest.raises(MissingModel, match=r"models fetch ip-adapter-vision`.*h94/IP-Adapter"):
        load_ip_adapter("plain")


def test_a_vision_model_of_another_adapter_is_refused(here: Tiny) -> None:
    torch.manual_seed(0)
    wide = {**tiny.ip_adapter(tiny.unet()), "image_proj.proj.weight": torch.zeros(128, 1024)}
    save_file(wide, here.folder / "ip_adapters" / "wide.safetensors")
    with pytest.raises(BadInput, match=r"vision: .*16 numbers.*1024 numbers"):
        load_ip_adapter("wide", "eyes")


def test_files_of_other_kinds_are_refused(here: Tiny) -> None:
    tensors = {"image_proj.norm.weight": torch.zeros(8), "image_proj.proj.0.weight": torch.zeros(8, 8)}
    save_file(tensors, here.folder / "ip_adapters" / "faceid.safetensors")
    save_file({"other": torch.zeros(1)}, here.folder / "ip_adapters" / "none.safetensors")
    save_file({"other": torch.zeros(1)}, here.folder / "vision" / "single.safetensors")
    with pytest.raises(Unsupported, match="InsightFace"):
        load_ip_adapter("faceid", "eyes")
    with pytest.raises(Unsupported, match="layout that is not known"):
        load_ip_adapter("none", "eyes")
    with pytest.raises(Unsupported, match=r"single.*no CLIP vision model"):
        load_ip_adapter("plain", "single")


def test_an_adapter_of_another_model_is_refused(here: Tiny) -> None:
    with pytest.raises(BadInput, match=r"model: .*'large'.*layers"):
        here.drawn(here.prompted("large"))
    foreign: IpAdapter = msgspec.structs.replace(load_ip_adapter("plain", "eyes"), family="sdxl")
    with pytest.raises(BadInput, match=r"adapter: .*family 'sdxl'.*family 'sd15'"):
        prompt_with_pictures(here.model.denoiser, foreign, [picture(1)])
    with pytest.raises(BadInput, match=r"images: .*one or more"):
        here.prompted("plain", ())
    with pytest.raises(BadInput, match="more than the start"):
        here.prompted("plain", start=0.5, end=0.5)
