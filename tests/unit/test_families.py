"""Every family draws through our nodes what its own pipeline draws, pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from engine.config import ROOT
from engine.context import Context
from engine.errors import BadInput, Unsupported
from nodes._lib.families import FAMILIES
from nodes._lib.rows import Family
from nodes._lib.sampling import Way
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import drawn, sample
from nodes.text import encode_text
from tests import twins

pytestmark = pytest.mark.usefixtures("residency")

PROMPT, AGAINST = "a red circle on a blue background", "a green square"
SIDE, STEPS, GUIDANCE, SEED = 64, 3, 4.0, 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def kept(name: str, folder: Path) -> tuple[Any, Loaded]:
    """A family's pipeline, and the same weights as our loader finds them in a folder."""
    pipeline = twins.make(name)
    pipeline.save_pretrained(folder / "diffusers" / name)
    return pipeline, load_model(name)


def said(row: Family) -> tuple[str, str]:
    """What is drawn and what is not, as the family wants it said."""
    if row.structured:
        return json.dumps({"short_description": PROMPT}), json.dumps({"short_description": AGAINST})
    return PROMPT, "" if row.untold else AGAINST


def ours(model: Loaded, against: bool = True, **options: Any) -> NDArray[np.uint8]:
    wanted, unwanted = (
        encode_text(model.text_encoder, text) for text in said(FAMILIES[model.denoiser.family])
    )
    negative = unwanted if against else None
    found = sample(
        model.denoiser, wanted, empty_latent(model.denoiser, SIDE, SIDE),
        negative, **{"steps": STEPS, "guidance": GUIDANCE, "seed": SEED, **options},
    )  # fmt: skip
    return np.asarray(decode_latent(model.vae, found.latent).pixels)


def theirs(pipeline: Any, row: Family, **options: Any) -> NDArray[np.uint8]:
    wanted, unwanted = said(row)
    options = {
        "prompt": wanted, "negative_prompt": unwanted, "height": SIDE, "width": SIDE,
        "num_inference_steps": STEPS, **options,
    }  # fmt: skip
    if row.untold:
        del options["negative_prompt"]
    return np.asarray(pipeline(generator=torch.Generator().manual_seed(SEED), **options).images[0])


DRAWING = [name for name in FAMILIES if name != "sdxl-refiner"]
METHODS = {
    "DPMSolverMultistepScheduler": "dpm++ 2m",
    "CogVideoXDDIMScheduler": "ddim",
    "DDIMScheduler": "ddim",
    "DDPMScheduler": "ddpm",
    "EulerDiscreteScheduler": "euler",
    "FlowMatchEulerDiscreteScheduler": "euler",
}


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed`")  # in what diffusers itself does
@pytest.mark.parametrize("name", DRAWING)
def test_a_family_draws_the_pixels_of_its_pipeline(name: str, folder: Path) -> None:
    pipeline, model = kept(name, folder)
    row = FAMILIES[name]
    assert model.denoiser.family == name
    method: Any = METHODS[type(pipeline.scheduler).__name__]
    if model.denoiser.distilled:
        found = ours(model, False, method=method)
        wanted = theirs(
            pipeline, row, negative_prompt=None, **{row.embedded or row.guidance: GUIDANCE}, **row.options
        )
    else:
        found = ours(model, method=method)
        wanted = theirs(pipeline, row, **{row.guidance: GUIDANCE}, **row.options)
    np.testing.assert_array_equal(found, wanted)
    assert found.std() > 1


def test_words_of_many_layers_are_shared_out_when_a_batch_is_drawn_one_by_one(folder: Path) -> None:
    _, model = kept("hidream", folder)
    wanted, found = ours(model), ours(model, ctx=Context(thrift=1))
    np.testing.assert_allclose(found.astype(int), wanted.astype(int), atol=1)


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0])
def test_guidance_of_one_or_less_is_none(guidance: float, folder: Path) -> None:
    pipeline, model = kept("z-image", folder)  # which itself guides above 0
    wanted = theirs(pipeline, FAMILIES["z-image"], guidance_scale=0.0)
    np.testing.assert_array_equal(ours(model, False, guidance=guidance), wanted)
    np.testing.assert_array_equal(ours(model, True, guidance=guidance), wanted)


@pytest.mark.parametrize("name", ["z-image", "fibo"])
def test_without_a_negative_prompt_the_empty_one_is_not_drawn(name: str, folder: Path) -> None:
    pipeline, model = kept(name, folder)
    wanted = theirs(pipeline, FAMILIES[name], negative_prompt="", guidance_scale=GUIDANCE)
    np.testing.assert_array_equal(ours(model, False), wanted)


def test_a_latent_consistency_model_has_its_guidance_built_in(folder: Path) -> None:
    torch.manual_seed(0)
    plain = twins.make("sd15")
    net = type(plain.unet)(**{**plain.unet.config, "time_cond_proj_dim": 8})
    pipeline = diffusers.LatentConsistencyModelPipeline(
        plain.vae, plain.text_encoder, plain.tokenizer, net, diffusers.LCMScheduler(steps_offset=1),
        None, None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder / "diffusers" / "lcm")
    model = load_model("lcm")
    for guidance in (GUIDANCE, 8.0):
        options = {"prompt": PROMPT, "height": SIDE, "width": SIDE, "num_inference_steps": STEPS}
        noise = torch.Generator().manual_seed(SEED)
        wanted = pipeline(**options, guidance_scale=guidance, generator=noise).images[0]
        found = ours(model, False, method="lcm", guidance=guidance)
        np.testing.assert_array_equal(found, np.asarray(wanted))
    with pytest.raises(BadInput, match="none, since this model has its guidance built in"):
        ours(model, True, method="lcm")


def test_a_distilled_model_says_so_in_its_index(folder: Path) -> None:
    pipeline = twins.make("flux2-klein")
    pipeline.register_to_config(is_distilled=True)
    pipeline.save_pretrained(folder / "diffusers" / "flux2-klein")
    wanted = theirs(pipeline, FAMILIES["flux2-klein"], guidance_scale=1.0)
    np.testing.assert_array_equal(ours(load_model("flux2-klein")), wanted)


@pytest.mark.parametrize("name", ["hidream", "cogview3-plus"])
def test_several_prompts_at_once_draw_what_each_draws_alone(name: str, folder: Path) -> None:
    _, model = kept(name, folder)
    prompts = [encode_text(model.text_encoder, text) for text in (PROMPT, AGAINST)]
    canvas, way = empty_latent(model.denoiser, SIDE, SIDE), Way("euler", "model", 2, 0, 2, GUIDANCE, SEED)
    together = drawn(model.denoiser, prompts, canvas, None, way, (), Context())
    for found, prompt in zip(together, prompts, strict=True):
        [alone] = drawn(model.denoiser, [prompt], canvas, None, way, (), Context())
        one, other = (np.asarray(latent.samples, np.float32) for latent in (found, alone))
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_family_that_only_diffusers_knows_is_refused_with_the_way_to_add_it(folder: Path) -> None:
    for kind, want in (("AmusedPipeline", "diffusers has that family"), ("MyPipeline", "is made for MyPipe")):
        place = folder / "diffusers" / kind
        (place / "transformer").mkdir(parents=True)
        (place / "model_index.json").write_text(json.dumps({"_class_name": kind}))
        save_file({"x": torch.zeros(1)}, place / "transformer" / "model.safetensors")
        with pytest.raises(Unsupported, match=want) as error:
            load_model(kind)
        assert ("families.py" in str(error.value.remedy)) == kind.startswith("Amused")


def test_the_page_on_families_has_every_row() -> None:
    page = (ROOT / "docs" / "families.md").read_text("utf-8")
    for row in FAMILIES.values():
        where = "folder, single file" if row.single else "folder"
        assert f"| {row.title} | `{row.name}` | {where} | `{row.latents}` |" in page
