"""ControlNets of transformers: the pixels are those of diffusers, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from engine.errors import BadInput, Unsupported
from engine.types import Guide
from nodes.control import guide, load_controlnet
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text
from tests import twins
from tests.pictured import noise

pytestmark = [
    pytest.mark.usefixtures("residency"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed`"),  # in what diffusers itself does
]

SIDE, STEPS, SEED, GUIDANCE = 64, 3, 7, 4.0
PIPELINES = {"sd3": "StableDiffusion3ControlNetPipeline", "flux": "FluxControlNetPipeline"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two families, each with ControlNets that were never trained."""
    top = tmp_path_factory.mktemp("models")
    for name in PIPELINES:
        pipeline = twins.make(name)
        pipeline.save_pretrained(top / "diffusers" / name)
        for seed in (1, 2):
            net(name, pipeline.transformer, seed).save_pretrained(top / "controlnet" / f"{name}-{seed}")
    union = net("flux", twins.make("flux").transformer, 3, num_mode=2)
    union.save_pretrained(top / "controlnet" / "union")
    return top


def certain(vae: Any) -> None:
    """Let what a VAE tells of a picture be no matter of chance."""
    encode = vae.encode

    def mean(pixels: Any, **more: Any) -> Any:
        found = encode(pixels, **more)
        found.latent_dist.std = torch.zeros(())
        return found

    vae.encode = mean


def net(name: str, transformer: Any, seed: int, **more: Any) -> Any:
    """One for such a transformer, which adds something."""
    torch.manual_seed(seed)
    kind = diffusers.SD3ControlNetModel if name == "sd3" else diffusers.FluxControlNetModel
    wanted = {**transformer.config, **more}
    found = kind(**{key: value for key, value in wanted.items() if key in kind.__init__.__annotations__})
    for part in (getattr(found, key, None) for key in ZEROES):
        for weight in part.parameters() if part is not None else ():
            torch.nn.init.normal_(weight, std=0.5)
    return found


ZEROES = ("controlnet_blocks", "controlnet_single_blocks", "pos_embed_input", "controlnet_x_embedder")
"""What is nothing before a ControlNet is trained."""


def ours(model: Loaded, guides: list[Guide] | None, against: str | None) -> NDArray[np.uint8]:
    negative = None if against is None else encode_text(model.text_encoder, against)
    found = sample(
        model.denoiser, encode_text(model.text_encoder, "a red circle"),
        empty_latent(model.denoiser, SIDE, SIDE), negative,
        steps=STEPS, guidance=GUIDANCE, seed=SEED, guides=guides,
    )  # fmt: skip
    return np.asarray(decode_latent(model.vae, found.latent).pixels)


def theirs(folder: Path, name: str, against: str | None, **options: Any) -> NDArray[np.uint8]:
    """The pipeline's own, from the same noise: it spends some of the seed on the guide's latent."""
    plain = twins.make(name)
    whole = type(plain).from_pretrained(folder / "diffusers" / name)
    one = type(net(name, plain.transformer, 1)).from_pretrained(folder / "controlnet" / f"{name}-1")
    pipeline = getattr(diffusers, PIPELINES[name])(**whole.components, controlnet=one)
    pipeline.set_progress_bar_config(disable=True)
    certain(pipeline.vae)
    start = torch.randn(1, 16, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(SEED))
    latents = start if name == "sd3" else pipeline._pack_latents(start, *start.shape)
    decode = pipeline.vae.decode
    pipeline.vae.decode = lambda cells, **more: decode(cells.contiguous(), **more)
    return np.asarray(
        pipeline(
            "a red circle", negative_prompt=against, latents=latents, height=SIDE, width=SIDE,
            num_inference_steps=STEPS, guidance_scale=GUIDANCE, **options,
        ).images[0]
    )  # fmt: skip


@pytest.mark.parametrize("name", PIPELINES)
def test_a_guide_draws_the_pixels_of_its_pipeline(folder: Path, name: str) -> None:
    model, picture = load_model(name), noise(SIDE, SIDE, seed=1)
    against = "a green square" if name == "sd3" else None
    guides = guide(load_controlnet(f"{name}-1"), picture, strength=0.7, end=0.7)
    drawn = ours(model, guides, against)
    shown = Pillow.fromarray(np.asarray(picture.pixels))
    wanted = theirs(
        folder, name, against,
        control_image=shown, controlnet_conditioning_scale=0.7, control_guidance_end=0.7,
    )  # fmt: skip
    # SD3's encodes the guide twice in one batch, which sums in another order: a pixel in thousands is one off
    np.testing.assert_allclose(drawn.astype(int), wanted.astype(int), atol=int(name == "sd3"))
    assert (drawn != wanted).mean() < 0.001
    assert np.abs(drawn.astype(int) - ours(model, None, against)).mean() > 1


def test_several_guides_add_up(folder: Path) -> None:
    model, picture = load_model("flux"), noise(SIDE, SIDE, seed=1)
    one = guide(load_controlnet("flux-1"), picture, strength=0.5)
    twice = guide(load_controlnet("flux-1"), picture, strength=0.25)
    twice = guide(load_controlnet("flux-1"), picture, strength=0.25, others=twice)
    other = guide(load_controlnet("flux-2"), picture, strength=0.5, others=one)
    first, same, more = (ours(model, guides, None).astype(int) for guides in (one, twice, other))
    assert np.abs(first - same).max() <= 1
    assert np.abs(first - more).mean() > 1


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    picture = noise(SIDE, SIDE, seed=1)
    with pytest.raises(BadInput, match="family 'sd3'"):
        ours(load_model("sd3"), guide(load_controlnet("flux-1"), picture), None)
    with pytest.raises(Unsupported, match="several kinds"):
        ours(load_model("flux"), guide(load_controlnet("union"), picture), None)
