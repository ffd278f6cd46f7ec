"""A VAE of its own: found by name, known by its numbers, the same pixels as through its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import BadInput, MissingModel, Unsupported
from engine.memory import Residency, estimate
from engine.types import Image
from nodes import load
from nodes.latent import decode_latent, encode_image
from nodes.load import load_model, load_vae
from tests import tiny

pytestmark = pytest.mark.usefixtures("residency")

SHARED = "decoder.conv_in.weight"


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """A tiny model, and VAEs of other weights: a folder, one scaled like SDXL's, single files."""
    torch.manual_seed(5)
    other = tiny.vae()
    other.save_pretrained(folder / "vae" / "other")
    other.register_to_config(scaling_factor=0.13025)
    other.save_pretrained(folder / "vae" / "xl")
    other.register_to_config(latent_channels=5)
    other.save_pretrained(folder / "vae" / "strange")
    save_file({SHARED: torch.zeros(512, 4, 3, 3)}, folder / "vae" / "single.safetensors")
    save_file({f"first_stage_model.{SHARED}": torch.zeros(512, 4, 3, 3)}, folder / "vae" / "old.safetensors")
    save_file({"something": torch.zeros(1)}, folder / "vae" / "nothing.safetensors")
    return folder


def picture() -> Image:
    return Image(np.random.default_rng(1).integers(0, 255, (16, 16, 3), dtype=np.uint8))


def test_the_vae_of_a_model_gives_the_pixels_of_that_model() -> None:
    own, alone = load_model("tiny").vae, load_vae("tiny/vae")
    assert (alone.family, alone.factor) == (own.family, own.factor)
    through = [decode_latent(vae, encode_image(vae, picture())).pixels for vae in (own, alone)]
    assert np.array_equal(through[0], through[1])


def test_another_vae_gives_other_pixels_of_the_same_latent() -> None:
    latent = encode_image(load_model("tiny").vae, picture())
    assert not np.array_equal(
        decode_latent(load_vae("other"), latent).pixels, decode_latent(load_vae("tiny/vae"), latent).pixels
    )


def test_a_folder_says_itself_whose_latents_it_reads() -> None:
    assert [load_vae(name).family for name in ("other", "xl")] == ["sd15", "sdxl"]
    assert load_vae("other", family="sdxl").family == "sdxl"
    with pytest.raises(Unsupported, match="'strange' is of no family"):
        load_vae("strange")


@pytest.mark.parametrize("name", ["single", "old"])
def test_a_single_file_that_fits_several_families_asks(name: str) -> None:
    with pytest.raises(BadInput, match=r"family.*sd15 or sdxl.*choose"):
        load_vae(name)
    vae = load_vae(name, family="sdxl")
    assert (vae.family, vae.factor) == ("sdxl", 8)
    with pytest.raises(Unsupported, match="no family"):
        load_vae("nothing")


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_single_file_loads_by_the_names_of_its_first_release(
    folder: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny VAE in the old names, with its own configuration in the place of the family's."""
    from nodes._lib import families

    if not (folder / "whole.safetensors").exists():
        tiny.single_file(folder / "diffusers" / "tiny", folder / "whole.safetensors")
    tensors = {k: v for k, v in tiny.load(folder).items() if k.startswith("first_stage_model.")}
    named = {prefix + name.removeprefix("first_stage_model."): value for name, value in tensors.items()}
    file = folder / "vae" / f"file{len(prefix)}.safetensors"
    save_file(named, file)
    row = families.Latents(config=folder / "diffusers" / "tiny")
    monkeypatch.setattr(families, "LATENTS", families.LATENTS)
    monkeypatch.setitem(families.LATENTS, "sd15", row)
    alone = load_vae(file.stem, family="sd15")
    latent = encode_image(load_model("tiny").vae, picture())
    wanted = decode_latent(load_model("tiny").vae, latent).pixels
    assert np.array_equal(decode_latent(alone, latent).pixels, wanted)


def test_its_size_is_known_before_it_is_loaded(residency: Residency) -> None:
    file = residency.models.find("other", "vae")
    ref = load_vae("other")
    weights = sum(p.numel() for p in tiny.vae().parameters())
    assert estimate(file, load.place_of_vae(ref), "float32") == 4 * weights


def test_a_missing_vae_names_those_that_are_here() -> None:
    with pytest.raises(MissingModel, match=r"no vae named 'othr'.*other"):
        load_vae("othr")
    with pytest.raises(MissingModel, match=r"`python server.py models fetch vae-ft-mse`"):
        load_vae("vae-ft-mse")
