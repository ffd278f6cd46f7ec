"""Single files of full size: every name finds its place, and the configurations are those of the makers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from engine.models import ModelFile
from nodes._lib import families, parts, recognising
from nodes._lib.families import FAMILIES, SDXL, Family
from nodes.latent import decode_latent, empty_latent
from nodes.load import load_model
from nodes.sample import sample
from nodes.text import encode_text
from tests import singles, twins

SINGLES = [row for row in FAMILIES.values() if row.single is not None]


@pytest.mark.parametrize("row", SINGLES, ids=lambda row: str(row.name))
def test_one_file_holds_the_same_weights_as_the_folder(
    row: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written by hand-made names, and read by diffusers' conversion from our loader."""
    pipeline = twins.make(row.name)
    pipeline.save_pretrained(tmp_path / "folder")
    file = tmp_path / "one.safetensors"
    tensors = singles.single(row, dict(pipeline.components))
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, file)
    found = ModelFile("one", "model", file, "single_file", file.stat().st_size, "here")
    assert row.single is not None
    small = msgspec.structs.replace(
        row, single=msgspec.structs.replace(row.single, config=tmp_path / "folder")
    )
    monkeypatch.setitem(families.LATENTS, row.latents, families.Latents(config=tmp_path / "folder"))
    same(parts.denoiser(found, small, "cpu", "float32").module, pipeline.unet)
    same(parts.vae(found, row.latents, "cpu", "float32"), pipeline.vae)
    reader = parts.reader(found, small, "cpu", "float32")
    for clip, module in zip(row.clips, reader.modules, strict=True):
        same(module, getattr(pipeline, clip.folder))


def same(found: Any, wanted: Any) -> None:
    ours, theirs = found.state_dict(), wanted.state_dict()
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


NUMBERS = {
    "sd15": (859_520_964, 123_060_480),
    "sd2": (865_910_724, 340_387_840),
    "sdxl": (2_567_463_684, 123_060_480 + 694_659_840),
    "sdxl-refiner": (2_259_526_660, 694_659_840),
}
"""Parameters of the denoiser and of the text encoders, as their makers count them."""


@pytest.mark.parametrize("row", SINGLES, ids=lambda row: str(row.name))
def test_a_full_size_file_is_recognised_and_every_name_in_it_finds_its_place(
    row: Family, tmp_path: Path
) -> None:
    """Shapes alone: the file has the names that the layout prescribes, its weights are a hole in the disk.

    What is proven is that the shipped configurations make models of the published size, and that the
    conversion maps the names of the layout, all of them, onto exactly the names and shapes of these models.
    """
    assert row.single is not None
    whole = full_size(row)
    encoders = [whole[clip.folder] for clip in row.clips]
    counted = (count(whole["unet"]), sum(map(count, encoders)))
    assert counted == NUMBERS[row.name]
    names = singles.single(row, whole)
    place = as_file(tmp_path / "full.safetensors", {name: tuple(t.shape) for name, t in names.items()})
    facts = recognising.facts(place)
    assert (facts.family.name, facts.channels, facts.factor) == (row.name, 4, 8)
    assert facts.prediction == ("v_prediction" if row.name == "sd2" else "epsilon")
    config = dict(whole["unet"].config)
    fits(convert_ldm_unet_checkpoint(dict(names), config), whole["unet"])
    fits(convert_ldm_vae_checkpoint(dict(names), dict(whole["vae"].config)), whole["vae"])
    for clip, module in zip(row.clips, encoders, strict=True):
        if clip.pad:
            found = convert_open_clip_checkpoint(module, dict(names), clip.prefix + "model.")
        else:
            found = convert_ldm_clip_checkpoint(dict(names))
        fits({name.removeprefix("text_model."): value for name, value in found.items()}, module)


def full_size(row: Family) -> dict[str, Any]:
    assert row.single is not None
    folder = row.single.config
    with torch.device("meta"):
        found: dict[str, Any] = {
            "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet")),
            "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae")),
        }
        for clip in row.clips:
            kind = CLIPTextModelWithProjection if clip.pooled else CLIPTextModel
            found[clip.folder] = kind(CLIPTextConfig.from_pretrained(folder / clip.folder))
    return found


def count(module: Any) -> int:
    return sum(weight.numel() for weight in module.parameters())


def fits(found: dict[str, Any], module: Any) -> None:
    wanted = {name.removeprefix("text_model."): value.shape for name, value in module.state_dict().items()}
    assert {name: value.shape for name, value in found.items()} == wanted


def as_file(path: Path, shapes: dict[str, tuple[int, ...]]) -> ModelFile:
    """A safetensors file of zeros that takes no room on the disk."""
    start, entries = 0, {}
    for name, shape in shapes.items():
        end = start + 2 * int(np.prod(shape))
        entries[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
        start = end
    head = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(8 + len(head) + start)
    return ModelFile(path.stem, "model", path, "single_file", path.stat().st_size, "here")


@pytest.mark.parametrize(("name", "numbers"), [("sd15", 361_279_120), ("sdxl", 1_251_014_160)])
def test_a_full_size_controlnet_is_recognised(name: str, numbers: int, tmp_path: Path) -> None:
    config = families.CONFIGS / f"controlnet-{name}"
    with torch.device("meta"):
        net = ControlNetModel.from_config(ControlNetModel.load_config(config))
    assert count(net) == numbers
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    assert recognising.of_controlnet(as_file(tmp_path / "net.safetensors", shapes)) == name


def test_marks_in_a_file_say_how_it_was_taught(tmp_path: Path) -> None:
    shapes = {**(SDXL.single.signature if SDXL.single else {}), "v_pred": (1,), "ztsnr": (1,)}
    facts = recognising.facts(as_file(tmp_path / "v.safetensors", shapes))
    assert facts.prediction == "v_prediction"
    assert recognising.schedule_of(as_file(tmp_path / "v.safetensors", shapes), SDXL)[
        "rescale_betas_zero_snr"
    ]


@pytest.mark.soak
@pytest.mark.usefixtures("residency")
def test_a_full_size_file_draws(folder: Path) -> None:
    """Stable Diffusion 1.5 as it was published, but for what it has learned: two steps at 256 × 256."""
    row = FAMILIES["sd15"]
    names = singles.single(row, full_size(row))
    (folder / "checkpoints").mkdir(exist_ok=True)
    file = as_file(
        folder / "checkpoints" / "full.safetensors", {name: tuple(t.shape) for name, t in names.items()}
    )
    noise = np.random.default_rng(0).normal(0, 0.02, 2**24 + 1).astype(np.float16).tobytes()
    begin = file.bytes - 2 * sum(int(np.prod(t.shape)) for t in names.values())
    with file.path.open("r+b") as stream:
        stream.seek(begin)
        for left in range(file.bytes - begin, 0, -len(noise)):
            stream.write(noise[:left])
    model = load_model("full", "float32")
    start = empty_latent(model.denoiser, 256, 256)
    found = sample(model.denoiser, encode_text(model.text_encoder, "a red circle"), start, steps=2, seed=1)
    pixels = decode_latent(model.vae, found.latent).pixels
    assert pixels.shape == (256, 256, 3)
    assert found.latent.samples.std() > 0.1
