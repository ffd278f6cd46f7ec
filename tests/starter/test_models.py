"""The models: what they are before training, and that they learn."""

import functools
import importlib
import json
import os
import shutil
from pathlib import Path

import links
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from recipe import pictures
from recipe.base import Base, kept
from recipe.figures import Figure
from recipe.hogwild import Plan, train
from recipe.measure import FAMILY, MEASURES, SHEETS, alone, contact, keep, known, there
from recipe.ship import LIMIT, ship, weight
from recipe.tokenizer import build
from recipe.train_vae import Copying, measure, tensor, unseen
from recipe.vae import new_vae, whiten
from transformers import CLIPTextModelWithProjection


def test_pictures_go_on_where_a_stopped_run_was(tmp_path: Path) -> None:
    pictures.render(tmp_path / "whole", 30)
    whole = pictures.load(tmp_path / "whole")
    (tmp_path / "whole" / "drawn").write_text("20")
    before = pictures.captions(tmp_path / "whole")
    pictures.render(tmp_path / "whole", 30)
    assert len(whole) == 30
    assert len(before) == 20
    assert len(pictures.captions(tmp_path / "whole")) == 30
    assert len((tmp_path / "whole" / "scenes.jsonl").read_text().splitlines()) == 30


def test_a_new_autoencoder_already_keeps_colours() -> None:
    torch.manual_seed(0)
    quality, copies = measure(new_vae().eval(), unseen(8))
    assert copies.shape == (8, 128, 128, 3)
    assert quality > 18


def test_whitening_changes_latents_but_no_picture() -> None:
    torch.manual_seed(0)
    vae, shown = new_vae().eval(), unseen(16)
    before = measure(vae, shown)[1].astype(int)
    whiten(vae, tensor(shown))
    after = measure(vae, shown)[1].astype(int)
    assert np.abs(before - after).max() <= 1
    with torch.inference_mode():
        flat = vae.encode(tensor(shown)).latent_dist.mean.permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(torch.cov(flat), torch.eye(4), atol=0.02)


@pytest.mark.soak
def test_an_autoencoder_learns_within_a_minute(tmp_path: Path) -> None:
    pictures.render(tmp_path / "pictures", 40)
    torch.manual_seed(0)
    vae, shown = new_vae((8, 16, 16, 16)).to(memory_format=torch.channels_last), unseen(8)
    before = measure(vae.eval(), shown)[0]
    lesson = functools.partial(Copying, tmp_path / "pictures", "cpu")
    train(vae, lesson, Plan("small", 120, 1e-3, warm=20, ema=0.9), tmp_path / "vae")
    assert measure(vae.eval(), shown)[0] > before + 0.5


def test_every_word_of_a_caption_is_one_token(tmp_path: Path) -> None:
    tokenizer = build(["a red circle on a blue background"] * 60, tmp_path)
    assert len(tokenizer("a red circle on a blue background").input_ids) == 9
    assert tokenizer("zyxqw").input_ids[1:-1]
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == len(tokenizer) - 1
    assert {"vocab.json", "merges.txt", "tokenizer.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_base_answers_in_the_shape_of_its_latents() -> None:
    base = Base(500)
    answer = base(torch.zeros(2, 4, 16, 16), torch.tensor([1, 900]), torch.zeros(2, 77, dtype=torch.long))
    assert answer.shape == (2, 4, 16, 16)
    left = kept()
    assert left[0] > 0.999
    assert left[-1] < 0.01


def test_figures_are_written_into_the_card_and_those_of_other_models_stay(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(
        "# Card\n\n<!-- figures: written by measure.py -->\nold\n<!-- end of figures -->\n\nEnd.\n"
    )
    keep(
        [
            Figure("base", "colour", 0.99, 0.98, 0.1),
            Figure("base", "costs", 4.2, 3, unit="points", at_most=True),
        ],
        tmp_path,
    )
    keep([Figure("upscaler", "clean", 3.4, 3.0, unit="dB")], tmp_path)
    text = card.read_text()
    assert "| base | colour | 0.99 | 0.10 | ≥ 0.98 |" in text
    assert "| base | costs | 4.2 points (missed) |  | ≤ 3.0 points |" in text
    assert "| upscaler | clean | 3.4 dB |  | ≥ 3.0 dB |" in text
    assert text.endswith("<!-- end of figures -->\n\nEnd.\n")
    keep([Figure("base", "colour", 0.5, 0.98)], tmp_path)
    assert "0.99" not in card.read_text()
    assert "upscaler" in card.read_text()
    assert [line.model for line in known(tmp_path)] == ["base", "upscaler"]
    (tmp_path / SHEETS).mkdir()
    (tmp_path / SHEETS / "base.jpg").touch()
    keep([Figure("base", "colour", 0.5, 0.98)], tmp_path)
    assert "![base](sheets/base.jpg)" in card.read_text()
    assert "![upscaler]" not in card.read_text()


def test_only_finished_models_are_shipped_and_never_more_than_there_is_room_for(tmp_path: Path) -> None:
    final = tmp_path / "checkpoints" / "small" / "final"
    final.mkdir(parents=True)
    (final / "model.safetensors").write_bytes(b"1234")
    (final / "model.safetensors").chmod(0o600)
    ship(tmp_path / "checkpoints", tmp_path / "family", ["small"])
    assert weight(tmp_path / "family") == 4
    assert (tmp_path / "family" / "small" / "model.safetensors").stat().st_mode & 0o777 == 0o644
    with pytest.raises(SystemExit, match="other is not finished"):
        ship(tmp_path / "checkpoints", tmp_path / "family", ["other"])


def test_the_family_stays_small_enough_to_be_cloned() -> None:
    assert weight(FAMILY) <= LIMIT


def test_a_shipped_model_forgets_where_it_was_trained(tmp_path: Path) -> None:
    final = tmp_path / "checkpoints" / "small" / "final"
    (final / "vae").mkdir(parents=True)
    (final / "vae" / "config.json").write_text('{"act_fn": "silu", "_name_or_path": "../trained/vae/final"}')
    ship(tmp_path / "checkpoints", tmp_path / "family", ["small"])
    assert json.loads((tmp_path / "family" / "small" / "vae" / "config.json").read_text()) == {
        "act_fn": "silu"
    }
    assert [path for path in FAMILY.rglob("config.json") if "_name_or_path" in path.read_text()] == []


def test_a_pipeline_without_an_autoencoder_is_given_the_base_s_by_reference(tmp_path: Path) -> None:
    family, final = tmp_path / "family", tmp_path / "checkpoints" / "large" / "final"
    shutil.copytree(FAMILY / "base", family / "base")
    final.mkdir(parents=True)
    (final / "model_index.json").write_text('{"vae": ["diffusers", "AutoencoderKL"]}')
    before = weight(family)
    for _ in range(2):
        ship(tmp_path / "checkpoints", family, ["large"])
    AutoencoderKL.from_pretrained(family / "large" / "vae")
    [link] = (family / "large" / "vae").glob("*.safetensors")
    assert not link.readlink().is_absolute()
    assert weight(family) - before < 3000


def test_a_refiner_without_an_encoder_is_given_the_twin_s(tmp_path: Path) -> None:
    family, final = tmp_path / "family", tmp_path / "checkpoints" / "refiner" / "final"
    shutil.copytree(FAMILY / "xl" / "text_encoder_2", family / "xl" / "text_encoder_2")
    final.mkdir(parents=True)
    (final / "model_index.json").write_text('{"text_encoder_2": ["transformers", "CLIPTextModel"]}')
    ship(tmp_path / "checkpoints", family, ["refiner"])
    mine, its = (
        CLIPTextModelWithProjection.from_pretrained(family / name / "text_encoder_2").state_dict()
        for name in ("refiner", "xl")
    )
    assert all(torch.equal(mine[name], its[name]) for name in its)
    assert (family / "refiner" / "text_encoder_2" / "model.safetensors").is_symlink()


def test_links_that_came_as_plain_files_are_links_again_and_nothing_else_is_touched(tmp_path: Path) -> None:
    shutil.copytree(FAMILY / "base" / "vae", tmp_path / "base" / "vae")
    shutil.copytree(FAMILY / "xl" / "vae", tmp_path / "xl" / "vae", symlinks=True)
    path = tmp_path / "xl" / "vae" / "diffusion_pytorch_model.safetensors"
    held = os.fsencode(path.readlink())
    path.unlink()
    path.write_bytes(held)  # what git leaves where there are no links
    others = {"own": b"1234", "nowhere": b"../base/nothing.safetensors", "outside": b"/etc/passwd"}
    for name, said in others.items():
        (tmp_path / f"{name}.safetensors").write_bytes(said)
    assert links.mend(tmp_path) == [path]
    assert path.samefile(tmp_path / "base" / "vae" / path.name)
    AutoencoderKL.from_pretrained(tmp_path / "xl" / "vae")
    assert {name: (tmp_path / f"{name}.safetensors").read_bytes() for name in others} == others
    assert links.mend(tmp_path) == []


def test_what_judges_a_model_is_shipped_with_it(tmp_path: Path) -> None:
    for name in ("lora-zib", "marks"):
        (tmp_path / "checkpoints" / name / "final").mkdir(parents=True)
    ship(tmp_path / "checkpoints", tmp_path / "family", ["lora-zib"])
    assert {path.name for path in (tmp_path / "family").iterdir()} == {"lora-zib", "marks"}


def test_a_model_is_measured_beside_what_it_needs_alone(tmp_path: Path) -> None:
    for name in ("base", "depth", "controlnet-depth", "controlnet-canny", "xl"):
        (tmp_path / name).mkdir()
    assert there(tmp_path) == ["base", "controlnet-canny", "controlnet-depth", "depth", "xl"]
    with alone("controlnet-depth", tmp_path) as few:
        assert {path.name for path in few.iterdir()} == {"base", "controlnet-depth", "depth"}
    with alone("base", tmp_path) as few:
        assert {path.name for path in few.iterdir()} == {"base"}


@pytest.mark.parametrize("name", MEASURES)
def test_every_model_can_be_measured_and_shown(name: str) -> None:
    found = importlib.import_module(f"recipe.{MEASURES[name].module}")
    assert callable(found.figures)
    assert not MEASURES[name].seen or found.contact.__doc__


def test_what_has_no_pictures_has_no_sheet(tmp_path: Path) -> None:
    contact("safety-text", tmp_path)
    assert not (tmp_path / SHEETS).exists()
