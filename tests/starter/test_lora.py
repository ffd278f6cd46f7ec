"""LoRAs: styles, characters, the marks for them, and files that both kinds of loader read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from recipe import marks, pictures, train_marks
from recipe.base import Base, kept
from recipe.canvas import Picture, paint, truth
from recipe.characters import CHARACTERS, character
from recipe.draw import CAPTIONS, draw
from recipe.export import save
from recipe.latents import Shelf
from recipe.marks import CHOICES, Marker, read, truths
from recipe.measure_base import generate
from recipe.measure_lora import followed, ordinary, wall, worn
from recipe.styles import STYLES
from recipe.tokenizer import LENGTH, build
from recipe.train_base import pipeline
from recipe.train_lora import Habit, export, new_lora, prepare
from recipe.train_vae import tensor
from recipe.vae import new_vae
from transformers import CLIPTokenizer


@pytest.mark.parametrize("name", CHARACTERS)
def test_a_character_is_named_seen_and_repeatable(name: str) -> None:
    for seed in range(12):
        scene = character(name, seed)
        assert all(name in caption for caption in scene.captions)
        assert len(scene.captions) == CAPTIONS
        assert truth(scene).boxes[0] is not None
        assert np.array_equal(paint(scene), paint(character(name, seed)))


def test_a_wall_behind_a_character_has_its_colour() -> None:
    scenes = [character(name, seed) for name in CHARACTERS for seed in range(40)]
    walls = [scene for scene in scenes if scene.facts["background"]]
    assert np.mean([wall(paint(scene)) == scene.facts["background"] for scene in walls]) > 0.95


def test_styles_take_the_colours_or_the_light() -> None:
    for seed in range(6):
        picture = paint(draw(seed))
        drawn, lit = STYLES["pencil"](picture), STYLES["neon"](picture)
        assert np.ptp(drawn.astype(int), axis=2).max() < 30
        assert drawn.mean() > 120
        assert np.median(lit) < 0.6 * max(90.0, float(np.median(picture)))


def test_a_marker_learns_to_tell_styles_apart(tmp_path: Path) -> None:
    pictures.render(tmp_path / "pictures", 60)
    torch.manual_seed(0)
    marker, rng = Marker(8), np.random.default_rng(0)
    lesson = train_marks.marking(tmp_path, "cpu")
    optimiser, losses = torch.optim.AdamW(marker.parameters(), 3e-3), []
    for _ in range(9):
        loss, figures = lesson.loss(marker, rng, 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(figures["loss"])
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_notes_of_pictures_give_the_same_answers_as_their_scenes(tmp_path: Path) -> None:
    pictures.render(tmp_path / "pictures", 80)
    lesson = train_marks.marking(tmp_path, "cpu")
    for index in range(80):
        scene = draw(pictures.FIRST_SEED + index)
        assert np.array_equal(lesson.right[index], truths("plain", scene)), scene.captions


def test_a_marker_is_written_and_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    marker = Marker().eval()
    save(marker, tmp_path / marks.FILE)
    shown = tensor(np.stack([paint(draw(seed)) for seed in range(4)]))
    assert read(marks.load(tmp_path), shown)[0].keys() == CHOICES.keys()
    assert (tmp_path / "marks.safetensors").stat().st_size < 500_000


def test_following_is_measured_by_what_was_asked() -> None:
    scenes = ordinary(30)
    right = [_ideal(scene) for scene in scenes]
    assert {scene.kind for scene in scenes} == {"person", "shapes", "object"}
    assert followed(scenes, right) == 1
    assert followed(scenes, right[3:] + right[:3]) < 0.4


def test_a_lora_learns_and_both_of_its_files_draw_the_same(tmp_path: Path) -> None:
    base = _tiny_base(tmp_path)
    torch.manual_seed(0)
    unet = new_lora(tmp_path).train()
    words = len(base.tokenizer)
    lesson = _habit(base.text_encoder, words)
    trained = [weight for weight in unet.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in trained) < 200_000
    optimiser, losses = torch.optim.AdamW(trained, 5e-3), []
    for _ in range(4):
        torch.manual_seed(7)
        loss, _ = lesson.loss(unet, np.random.default_rng(7), 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    export(unet.eval(), tmp_path / "lora", "zib")
    prompts = ["a red circle on a blue background"]
    plain = _first(base, prompts)
    on = worn(base, tmp_path / "lora", prompts, steps=3)[0].astype(int)
    other = worn(base, tmp_path / "lora", prompts, "zib.kohya.safetensors", steps=3)[0].astype(int)
    assert np.abs(on - plain).max() > 0
    assert np.abs(on - other).max() <= 1
    assert np.array_equal(_first(base, prompts), plain)
    assert (tmp_path / "lora" / "pytorch_lora_weights.safetensors").stat().st_size <= 400_000


def test_what_a_character_is_learnt_from_is_prepared_once(tmp_path: Path) -> None:
    _tiny_base(tmp_path)
    prepare("tiko", tmp_path, 4)
    folder = tmp_path / "lora-tiko"
    assert np.load(folder / "latents.npy").shape == (4, 4, 16, 16)
    assert np.load(folder / "tokens.npy").shape == (4, CAPTIONS, LENGTH)
    before = (folder / "latents.npy").stat().st_mtime_ns
    prepare("tiko", tmp_path, 4)
    assert (folder / "latents.npy").stat().st_mtime_ns == before


def _first(base: Any, prompts: list[str]) -> Picture:
    return generate(base, prompts, steps=3)[0]


def _ideal(scene: Any) -> dict[str, str]:
    """What a marker without fault would say."""
    told = truths("plain", scene)
    return {name: choices[told[place]] for place, (name, choices) in enumerate(CHOICES.items())}


def _habit(text: Any, words: int) -> Habit:
    rng = np.random.default_rng(0)
    rows = np.full((8, CAPTIONS, LENGTH), words - 1, np.int16)
    rows[..., 0] = words - 2
    rows[..., 1:9] = rng.integers(0, words - 2, (8, CAPTIONS, 8))
    latents = rng.normal(size=(8, 4, 16, 16)).astype(np.float16)
    shelf = Shelf(latents, rows, np.full((8, CAPTIONS), 10, np.int16), np.asarray(["shapes"] * 8), words)
    return Habit(shelf, latents + np.float16(0.5), rows, 0.3, text.eval(), kept(), "cpu")


def _tiny_base(checkpoints: Path) -> Any:
    """An untrained base where training looks for the finished one."""
    torch.manual_seed(0)
    build(["a red circle on a blue background"] * 60, checkpoints / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "tokenizer")
    base = pipeline(Base(len(tokenizer)), new_vae((8, 16, 16, 16)), tokenizer)
    base.save_pretrained(checkpoints / "base" / "final")
    base.vae.save_pretrained(checkpoints / "vae" / "final")
    found = StableDiffusionPipeline.from_pretrained(checkpoints / "base" / "final", dtype=torch.float32)
    found.set_progress_bar_config(disable=True)
    return found
