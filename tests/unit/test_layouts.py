"""Real layouts: a diffusers folder, one file of Stable Diffusion 1.5, and the configurations that we ship."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import memory, models
from engine.errors import BadInput, MissingModel, Unsupported
from engine.models import content_of
from engine.types import Denoiser
from engine.weights import header
from nodes import load
from nodes._lib import families, parts, recognising
from nodes.latent import decode_latent, empty_latent, encode_image
from nodes.load import load_model
from nodes.sample import sample
from nodes.text import encode_text
from tests import tiny

pytestmark = pytest.mark.usefixtures("residency")

CONFIG = families.CONFIGS / "sd15"


def test_a_diffusers_folder_draws_from_prompt_to_picture() -> None:
    loaded = load_model("tiny")
    assert (loaded.denoiser.factor, loaded.denoiser.size, loaded.vae.factor) == (2, 16, 2)
    words = encode_text(loaded.text_encoder, "a red circle")
    drawn = sample(loaded.denoiser, words, empty_latent(loaded.denoiser), steps=2, seed=3)
    picture = decode_latent(loaded.vae, drawn.latent)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((16, 16, 3), np.dtype("uint8"))


def test_the_same_weights_under_another_name_are_the_same_model(folder: Path) -> None:
    first = load_model("tiny").denoiser
    (folder / "diffusers" / "tiny").rename(folder / "diffusers" / "other")
    try:
        second = load_model("other").denoiser
        assert first.sha256 == second.sha256 == content_of("model")(model="other")
        with memory.weights(first) as one, memory.weights(second) as two:  # found again, wherever it is now
            assert one is two
    finally:
        (folder / "diffusers" / "other").rename(folder / "diffusers" / "tiny")


def test_weights_that_changed_since_they_were_chosen_are_not_used() -> None:
    ref = msgspec.structs.replace(load_model("tiny").denoiser, sha256="0" * 64)
    with pytest.raises(MissingModel, match="changed"), memory.weights(ref):
        pass


def test_one_file_has_the_same_weights_as_the_folder_it_was_made_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder / "diffusers" / "tiny"
    file = tiny.single_file(source, tmp_path / "tiny.safetensors")
    found = models.ModelFile("tiny", "model", file, "single_file", file.stat().st_size, "here")
    assert families.SD15.single is not None
    single = msgspec.structs.replace(families.SD15.single, config=source)
    family = msgspec.structs.replace(families.SD15, single=single)
    monkeypatch.setitem(families.LATENTS, "sd15", families.Latents(config=source))
    loaded: dict[str, Any] = {
        "unet": parts.denoiser(found, family, "cpu", "float32").module,
        "vae": parts.vae(found, "sd15", "cpu", "float32"),
        "text_encoder": parts.reader(found, family, "cpu", "float32").modules[0],
    }
    for part, module in loaded.items():
        wanted, got = tiny.load(source / part), module.state_dict()
        assert set(wanted) == set(got)
        assert all(torch.equal(wanted[key], got[key]) for key in wanted), part


def test_one_file_of_a_model_that_fills_holes_sees_the_hole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    shutil.copytree(folder / "diffusers" / "tiny", source)
    plain = (source / "unet" / "config.json").read_bytes()
    tiny.unet(9).save_pretrained(source / "unet")
    file = tiny.single_file(source, tmp_path / "tiny.safetensors")
    wanted = tiny.load(source / "unet")
    (source / "unet" / "config.json").write_bytes(plain)  # which is for four channels, as ours of full size
    found = models.ModelFile("tiny", "model", file, "single_file", file.stat().st_size, "here")
    assert families.SD15.single is not None
    shapes = {name: about.shape for name, about in header(file).items()}
    first, *_ = families.SD15.single.signature
    out, _, *size = shapes[first]
    single = msgspec.structs.replace(families.SD15.single, config=source, signature={first: (out, 4, *size)})
    row = msgspec.structs.replace(families.SD15, single=single)
    monkeypatch.setattr(recognising, "FAMILIES", {"sd15": row})
    module = parts.denoiser(found, recognising.of_file(found), "cpu", "float32").module
    assert module.config.in_channels == 9
    assert all(torch.equal(wanted[key], value) for key, value in module.state_dict().items())


def test_the_size_of_a_part_is_known_before_it_is_loaded(folder: Path, tmp_path: Path) -> None:
    file = tiny.single_file(folder / "diffusers" / "tiny", tmp_path / "tiny.safetensors")
    single = models.ModelFile("tiny", "model", file, "single_file", file.stat().st_size, "here")
    place = load.place_of_denoiser(load_model("tiny").denoiser)
    wanted = memory.bytes_of(tiny.unet())
    assert memory.estimate(single, place, "float32") == wanted
    assert memory.estimate(models.models().find("tiny"), place, "float32") == wanted
    assert memory.estimate(models.models().find("tiny"), place, "bfloat16") == wanted // 2


def test_the_shipped_tokenizer_is_that_of_clip() -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(CONFIG / "tokenizer", local_files_only=True)
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_a_file_of_an_unknown_layout_is_refused_by_what_is_in_it(folder: Path) -> None:
    (folder / "checkpoints").mkdir(exist_ok=True)
    save_file({"double_blocks.0.weight": torch.zeros(1)}, folder / "checkpoints" / "odd.safetensors")
    with pytest.raises(Unsupported, match=r"double_blocks\.0\.weight.*Stable Diffusion 1\.5"):
        load_model("odd")


def test_a_folder_of_an_unknown_pipeline_is_refused_by_its_name(folder: Path) -> None:
    other = folder / "diffusers" / "amused"
    (other / "transformer").mkdir(parents=True)
    (other / "model_index.json").write_text('{"_class_name": "AmusedPipeline"}')
    save_file({"x": torch.zeros(1)}, other / "transformer" / "model.safetensors")
    with pytest.raises(Unsupported, match="AmusedPipeline"):
        load_model("amused")


def test_only_a_second_precision_is_loaded_when_there_is_no_first(folder: Path, tmp_path: Path) -> None:
    source = tiny.diffusers_folder(tmp_path / "half")
    for part in ("unet", "vae", "text_encoder"):
        file = next((source / part).glob("*.safetensors"))
        file.rename(file.with_suffix(".fp16.safetensors"))
    found = models.ModelFile("half", "model", source, "diffusers", 1, "here")
    assert parts.denoiser(found, families.SD15, "cpu", "float32").module.dtype == torch.float32
    assert parts.reader(found, families.SD15, "cpu", "float32").layers == 2


def test_of_weights_side_by_side_the_named_ones_are_read(folder: Path) -> None:
    place = tiny.diffusers_folder(folder / "diffusers" / "both")
    file = next((place / "unet").glob("*.safetensors"))
    doubled = {name: 2 * tensor for name, tensor in load_file(file).items()}
    save_file(doubled, file.with_suffix(".fp16.safetensors"))
    plain, other = load_model("both"), load_model("both", variant="fp16")
    for part in (other.denoiser, other.text_encoder, other.vae):
        assert part.variant == "fp16"
    with memory.weights(plain.denoiser) as one, memory.weights(other.denoiser) as two:
        first = next(iter(one.module.parameters()))
        assert torch.equal(next(iter(two.module.parameters())), 2 * first)
    with memory.weights(other.vae) as vae:  # which has only the plain one
        assert vae.dtype == torch.float32


def test_a_variant_that_is_not_there_is_refused_with_those_that_are(folder: Path) -> None:
    place = tiny.diffusers_folder(folder / "diffusers" / "two")
    file = next((place / "vae").glob("*.safetensors"))
    save_file(load_file(file), file.with_suffix(".bf16.safetensors"))
    with pytest.raises(BadInput, match=r"variant.*'two' has: bf16"):
        load_model("two", variant="fp16")
    with pytest.raises(BadInput, match="the plain one"):
        load_model("tiny", variant="fp16")


def test_a_prompt_of_another_models_width_is_refused() -> None:
    loaded = load_model("tiny")
    words = encode_text(loaded.text_encoder, "a circle")
    narrow = msgspec.structs.replace(words, embeds=words.embeds[:, :16])
    with pytest.raises(BadInput, match=r"positive.*16 wide.*32 wide"):
        sample(loaded.denoiser, narrow, empty_latent(loaded.denoiser), steps=1, guidance=1.0)


def test_thrift_decodes_in_tiles_and_samples_halves_without_changing_the_picture_much() -> None:
    from engine.context import Context
    from engine.types import Image

    loaded = load_model("tiny")
    words = encode_text(loaded.text_encoder, "a red circle")
    canvas = empty_latent(loaded.denoiser, 32, 32)
    rich = sample(loaded.denoiser, words, canvas, steps=2).latent
    thrifty = sample(loaded.denoiser, words, canvas, steps=2, ctx=Context(thrift=1)).latent
    assert np.allclose(rich.samples.astype(float), thrifty.samples.astype(float), atol=1e-3)
    whole = decode_latent(loaded.vae, rich, "float").pixels
    tiles = decode_latent(loaded.vae, rich, "float", Context(thrift=2)).pixels
    assert tiles.shape == whole.shape
    assert float(np.abs(tiles.astype(float) - whole.astype(float)).mean()) < 0.2
    with memory.weights(loaded.vae) as module:
        assert not module.use_tiling
    again = encode_image(loaded.vae, Image(whole), ctx=Context(thrift=1))
    assert again.samples.shape == rich.samples.shape


def test_a_reference_says_where_its_numbers_come_from() -> None:
    ref = load_model("tiny", "bfloat16").denoiser
    assert isinstance(ref, Denoiser)
    with memory.weights(ref) as held:
        assert held.module.dtype == torch.bfloat16
    assert header(models.models().find("tiny").path / "unet" / "diffusion_pytorch_model.safetensors")
