"""T2I-Adapters: what is drawn is what their pipelines draw with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from safetensors.torch import save_file

from engine.context import Context
from engine.errors import BadInput, MissingModel, Unsupported
from engine.memory import Residency
from engine.types import Conditioning, ControlNet, Guide, Image, Latent
from nodes.control import guide, load_controlnet, load_t2i_adapter
from nodes.latent import empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text
from nodes.tweaks import draw_in_windows, draw_seamless
from tests import tiny, twins
from tests.pipelines import drawn, quiet

PROMPT = "a red circle"
WALK: dict[str, Any] = {"steps": 4, "guidance": 4.0, "seed": 7}
DEEP = (16, 32, 32)


class Tiny(NamedTuple):
    name: str
    folder: Path
    side: int
    model: Loaded
    words: Conditioning
    canvas: Latent

    def drawn(self, guides: list[Guide] | None = None, **options: Any) -> NDArray[Any]:
        canvas = options.pop("canvas", self.canvas)
        model = options.pop("model", self.model.denoiser)
        found = sample(model, self.words, canvas, guides=guides, **{**WALK, **options})
        return np.asarray(found.latent.samples)

    def wanted(self, kind: str, adapter: Any, **options: Any) -> NDArray[Any]:
        """The latent that the pipeline of diffusers draws."""
        pipeline = quiet(kind, self.folder / "diffusers" / self.name, adapter=adapter)
        given = {"num_inference_steps": 4, "guidance_scale": 4.0, "height": self.side, "width": self.side}
        return drawn(pipeline, prompt=PROMPT, output_type="latent", **given, **options)

    def net(self, name: str) -> Any:
        return diffusers.T2IAdapter.from_pretrained(self.folder / "t2i_adapters" / name)


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """Three tiny families, and an adapter of each layout."""
    deep = tiny.diffusers_folder(folder / "diffusers" / "deep")
    torch.manual_seed(4)
    tiny.unet(widths=DEEP).save_pretrained(deep / "unet")
    large = twins.make("sdxl")
    large.save_pretrained(folder / "diffusers" / "large")
    factor = 2 * 2 ** (len(large.vae.config.block_out_channels) - 1)
    made = {
        "full": tiny.t2i_adapter(tiny.unet(), seed=1),
        "other": tiny.t2i_adapter(tiny.unet(), seed=2),
        "grey": tiny.t2i_adapter(tiny.unet(), seed=3, in_channels=1),
        "light": tiny.t2i_adapter(tiny.unet(widths=DEEP), "light_adapter"),
        "large": tiny.t2i_adapter(large.unet, "full_adapter_xl", factor),
    }
    for name, net in made.items():
        net.save_pretrained(folder / "t2i_adapters" / name)
    tiny.controlnet(1).save_pretrained(folder / "controlnet" / "first")
    return folder


@pytest.fixture
def here(residency: Residency, folder: Path) -> Tiny:
    return loaded("tiny", folder, 32)


def loaded(name: str, folder: Path, side: int) -> Tiny:
    model = load_model(name)
    words, canvas = encode_text(model.text_encoder, PROMPT), empty_latent(model.denoiser, side, side)
    return Tiny(name, folder, side, model, words, canvas)


def picture(seed: int, side: int = 32) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8))


def shown(seed: int, side: int = 32) -> Any:
    return Pillow.fromarray(np.asarray(picture(seed, side).pixels))


def assert_close(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize(("name", "base"), [("full", "tiny"), ("light", "deep")])
def test_an_adapter_draws_the_pixels_of_its_pipeline(here: Tiny, name: str, base: str) -> None:
    model = loaded(base, here.folder, 32)
    found = model.drawn(guide(load_t2i_adapter(name), picture(1), strength=0.7), method="ddim")
    wanted = model.wanted(
        "StableDiffusionAdapterPipeline", model.net(name), image=shown(1), adapter_conditioning_scale=0.7
    )
    assert_close(found, wanted)
    assert np.abs(found - model.drawn(method="ddim")).max() > 0.05


def test_a_large_adapter_draws_the_pixels_of_its_pipeline_until_it_ends(here: Tiny) -> None:
    model = loaded("large", here.folder, 64)
    net = load_t2i_adapter("large")
    assert net.family == "sdxl"
    found = model.drawn(guide(net, picture(1, 64), strength=0.7, end=0.5))
    wanted = model.wanted(
        "StableDiffusionXLAdapterPipeline", model.net("large"), image=shown(1, 64),
        adapter_conditioning_scale=0.7, adapter_conditioning_factor=0.5,
    )  # fmt: skip
    assert_close(found, wanted)
    assert np.abs(found - model.drawn()).max() > 0.02


def test_several_adapters_count_together(here: Tiny) -> None:
    first = guide(load_t2i_adapter("full"), picture(1), strength=0.5)
    both = guide(load_t2i_adapter("other"), picture(2), strength=1.5, others=first)
    nets = diffusers.MultiAdapter([here.net("full"), here.net("other")])
    wanted = here.wanted(
        "StableDiffusionAdapterPipeline", nets, image=[shown(1), shown(2)],
        adapter_conditioning_scale=[0.5, 1.5],
    )  # fmt: skip
    assert_close(here.drawn(both, method="ddim"), wanted)


def test_an_adapter_for_grey_pictures_sees_them_grey(here: Tiny) -> None:
    found = here.drawn(guide(load_t2i_adapter("grey"), picture(1)), method="ddim")
    wanted = here.wanted("StableDiffusionAdapterPipeline", here.net("grey"), image=shown(1).convert("L"))
    np.testing.assert_allclose(found, wanted, atol=0.02)  # Pillow makes whole steps of grey


def test_an_adapter_and_a_controlnet_count_side_by_side(here: Tiny) -> None:
    hint = guide(load_t2i_adapter("full"), picture(1), strength=0.7)
    net = guide(load_controlnet("first"), picture(2), strength=0.7)
    both = here.drawn(guide(load_controlnet("first"), picture(2), strength=0.7, others=hint))
    assert all(np.abs(both - here.drawn(one)).max() > 0.05 for one in (hint, net))
    weak = guide(load_t2i_adapter("full"), picture(1), strength=0.0, others=net)
    np.testing.assert_array_equal(here.drawn(weak), here.drawn(net))


def test_it_counts_only_in_its_part_of_the_steps(here: Tiny) -> None:
    net = load_t2i_adapter("full")
    half = sample(here.model.denoiser, here.words, here.canvas, end_step=2, **WALK).latent
    wanted = here.drawn(guide(net, picture(1)), canvas=half, start_step=2)
    np.testing.assert_allclose(here.drawn(guide(net, picture(1), start=0.5)), wanted, atol=1e-5)
    np.testing.assert_array_equal(here.drawn(guide(net, picture(1), start=0.9, end=0.95)), here.drawn())


def test_it_goes_with_half_the_memory_windows_and_edges_that_go_round(here: Tiny) -> None:
    guides = guide(load_t2i_adapter("full"), picture(1))
    short = here.drawn(guides, ctx=Context(lambda _: None, thrift=1))
    np.testing.assert_allclose(short, here.drawn(guides), atol=1e-4)
    wide = empty_latent(here.model.denoiser, 96, 64)
    for model in (
        draw_in_windows(here.model.denoiser, 64, 64, 32),
        draw_seamless(here.model.denoiser, here.model.vae).denoiser,
    ):
        found, plain = (here.drawn(one, model=model, canvas=wide, steps=1) for one in (guides, None))
        assert np.abs(found - plain).max() > 1e-3


def test_what_does_not_fit_is_refused(here: Tiny) -> None:
    with pytest.raises(MissingModel, match=r"models fetch t2i-canny.*TencentARC.*Apache-2.0"):
        load_t2i_adapter()
    with pytest.raises(BadInput, match=r"guides: .*'full'.*16, 32 channels.*16, 32, 32 channels"):
        loaded("deep", here.folder, 32).drawn(guide(load_t2i_adapter("full"), picture(1)))
    with pytest.raises(BadInput, match=r"guides: .*'large'.*family 'sdxl'.*family 'sd15'"):
        here.drawn(guide(load_t2i_adapter("large"), picture(1)))
    large = loaded("large", here.folder, 72)
    with pytest.raises(BadInput, match=r"guides: .*72 × 72.*multiples of 16"):
        large.drawn(guide(load_t2i_adapter("large"), picture(1)))
    save_file({"other": torch.zeros(1)}, here.folder / "t2i_adapters" / "single.safetensors")
    with pytest.raises(Unsupported, match=r"'single' is no T2I-Adapter"):
        load_t2i_adapter("single")
    here.net("full").save_pretrained(here.folder / "controlnet" / "wrong")
    with pytest.raises(Unsupported, match=r"'wrong' is a T2IAdapter, not a ControlNet.*1\.5, 2, XL or 3"):
        load_controlnet("wrong")
    assert isinstance(load_t2i_adapter("full"), ControlNet)
