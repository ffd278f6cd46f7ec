"""The scorer: it starts with what there is, learns, is written as CLIP is, and is measured rightly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recipe import copies, measure_clip, train_clip
from recipe.canvas import paint
from recipe.claims import claims, fits, truth
from recipe.draw import draw
from recipe.sight import worn
from recipe.train_vae import tensor
from transformers import CLIPTextModel

from tests.starter.falling import falls
from tests.starter.shelves import small_checkpoints


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_checkpoints(tmp_path_factory.mktemp("clip"), 24)
    copies.prepare(folder)
    return folder


def test_a_new_scorer_reads_as_the_base_does(checkpoints: Path) -> None:
    scorer, base = train_clip.new_scorer(checkpoints), checkpoints / "base" / "final"
    reader = CLIPTextModel.from_pretrained(base / "text_encoder", dtype=torch.float32).eval()
    tokens = torch.tensor([[5, 9, 12, reader.config.eos_token_id]])
    with torch.inference_mode():
        ours, theirs = scorer.clip.eval().text_model(tokens), reader(tokens)
    assert torch.allclose(ours.last_hidden_state, theirs.last_hidden_state, atol=1e-4)


def test_a_new_eye_tells_colours_and_places_apart(checkpoints: Path) -> None:
    eye = train_clip.new_scorer(checkpoints).clip.vision_model.eval()
    plain = np.full((2, 128, 128, 3), 120, np.uint8)
    plain[1] = (200, 40, 40)
    with torch.inference_mode():
        red, gray = eye.embeddings(tensor(plain[::-1].copy()))
    assert (red - gray)[1:].norm() > 1
    assert 0.02 < gray[1:].std(0).mean() < 2  # places differ though the picture is plain


def test_the_scorer_learns_and_loads_as_any_clip(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_clip, "BATCH", 8)
    torch.manual_seed(0)
    scorer = train_clip.new_scorer(checkpoints)
    assert falls(scorer, train_clip.matching(checkpoints, "cpu"))
    family = tmp_path
    train_clip.write(checkpoints, scorer.eval(), family / "clip")
    clip, processor = measure_clip.load(family / "clip")
    shown, said = [paint(draw(1)), paint(draw(2))], [["a red star", "a dog"], ["a blue sea", "a cat"]]
    again = measure_clip.marked(clip, processor, shown, said)
    tokens = processor.tokenizer(said[0], return_tensors="pt", padding=True).input_ids
    with torch.inference_mode():
        seen, read, _ = scorer.float()(tensor(shown[0][None]), tokens)
        scores = (scorer.clip.logit_scale.exp() * seen @ read.T)[0].numpy()
    assert np.allclose(scores, again[0], atol=0.05)
    assert (family / "clip" / "model.safetensors").stat().st_size < 3_600_000
    assert str(checkpoints) not in (family / "clip" / "config.json").read_text()
    assert len(measure_clip.figures(family, 6)) == 4


def test_of_ten_captions_the_first_alone_is_true() -> None:
    scenes = [draw(seed) for seed in range(20)]
    for scene, choices in zip(scenes, measure_clip.others(scenes), strict=True):
        true = truth(scene)
        assert len(set(choices)) == 10
        assert [fits(claims(one) or {}, true) for one in choices] == [True] + [False] * 9


def test_lies_of_a_scene_are_nine_and_never_its_own_caption() -> None:
    many = [measure_clip.lies(draw(seed)) for seed in range(20)]
    assert sum(len(one) == 10 for one in many) >= 16
    assert all(len(set(one)) == len(one) for one in many)


def test_worn_pictures_stay_what_they_were() -> None:
    shown = tensor(np.stack([paint(draw(seed)) for seed in range(4)]))
    rng = np.random.default_rng(0)
    changes = [float((worn(rng, shown) - shown).abs().mean()) for _ in range(30)]
    assert 0 in changes
    assert max(changes) > 0.02
    assert max(changes) < 0.25


def test_copies_go_on_where_a_stopped_run_was(checkpoints: Path, tmp_path: Path) -> None:
    for part in ("pictures", "vae"):
        (tmp_path / part).symlink_to(checkpoints / part)
    copies.prepare(tmp_path, 20)
    whole = np.array(copies.load(tmp_path))
    assert len(whole) == 20
    (tmp_path / "copies" / "copied").write_text("16")
    again = np.lib.format.open_memmap(tmp_path / "copies" / "copies.npy", "r+")
    again[16:] = 0
    again.flush()
    copies.prepare(tmp_path, 20)
    assert np.array_equal(copies.load(tmp_path), whole)
    copies.prepare(tmp_path, 24)
    assert len(copies.load(tmp_path)) == 24
