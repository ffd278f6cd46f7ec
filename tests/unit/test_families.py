"""Every family draws through our nodes what its own pipeline draws, pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from engine.config import ROOT
from engine.errors import Unsupported
from nodes._lib.families import FAMILIES
from nodes._lib.rows import Family
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
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
    return PROMPT, AGAINST


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
    return np.asarray(pipeline(generator=torch.Generator().manual_seed(SEED), **options).images[0])


DRAWING = [name for name in FAMILIES if name != "sdxl-refiner"]
METHODS = {
    "DPMSolverMultistepScheduler": "dpm++ 2m",
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
        drawn = ours(model, False, method=method)
        wanted = theirs(pipeline, row, negative_prompt=None, **{row.embedded: GUIDANCE}, **row.options)
    else:
        drawn = ours(model, method=method)
        wanted = theirs(pipeline, row, **{row.guidance: GUIDANCE}, **row.options)
    np.testing.assert_array_equal(drawn, wanted)
    assert drawn.std() > 1


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
