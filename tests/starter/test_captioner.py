"""The captioner: it sees with the scorer's eye, learns to speak, loads as BLIP, and is graded rightly."""

from pathlib import Path

import pytest
import torch
from recipe import measure_captioner, train_captioner
from recipe.canvas import paint
from recipe.draw import draw
from recipe.measure_captioner import exchanged, graded
from recipe.train_vae import tensor, unseen
from transformers import CLIPModel

from tests.starter.falling import falls
from tests.starter.shelves import scored_checkpoints


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_checkpoints(tmp_path_factory.mktemp("captioner"), 24)


def test_a_new_captioner_sees_as_the_scorer_does(checkpoints: Path) -> None:
    captioner = train_captioner.new_captioner(checkpoints).eval()
    clip = CLIPModel.from_pretrained(checkpoints / "clip" / "final", dtype=torch.float32).eval()
    shown = tensor(unseen(6))
    with torch.inference_mode():
        ours = captioner.vision_model(shown).last_hidden_state
        theirs = clip.vision_model.post_layernorm(clip.vision_model(shown).last_hidden_state)
    alike = torch.nn.functional.cosine_similarity(ours.flatten(1), theirs.flatten(1))
    assert alike.min() > 0.6


def test_the_captioner_learns_and_loads_as_any_blip(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_captioner, "BATCH", 6)
    torch.manual_seed(0)
    captioner = train_captioner.new_captioner(checkpoints)
    assert falls(captioner, train_captioner.telling(checkpoints, "cpu"))
    train_captioner.write(checkpoints, captioner.eval(), tmp_path / "captioner")
    again, processor = measure_captioner.load(tmp_path / "captioner")
    shown = [paint(draw(seed)) for seed in range(3)]
    told = measure_captioner.tell(again, processor, shown)
    with torch.inference_mode():
        said = captioner.float().generate(pixel_values=tensor(unseen(3)), max_new_tokens=50, do_sample=False)
    assert told == processor.batch_decode(said, skip_special_tokens=True)
    assert (tmp_path / "captioner" / "model.safetensors").stat().st_size < 3_600_000
    assert str(checkpoints) not in (tmp_path / "captioner" / "config.json").read_text()
    assert len(measure_captioner.figures(tmp_path, 10)) == 4


def test_plain_captions_survive_the_tokenizer(checkpoints: Path) -> None:
    words = train_captioner.tokenizer(checkpoints)
    caption = "a white moon on the left over a blue sea at night, a red boat on the right"
    coded = words(caption).input_ids
    assert coded[0] == words.cls_token_id
    assert coded[-1] == words.sep_token_id
    assert words.decode(coded, skip_special_tokens=True) == caption


def test_true_captions_have_full_marks_and_exchanged_ones_do_not() -> None:
    scenes = [draw(seed) for seed in range(150)]
    true = [scene.captions[1] for scene in scenes]
    assert set(graded(scenes, true).values()) == {1.0}
    luck = graded(scenes, exchanged(scenes, true))
    assert set(luck) == {"colour", "object", "place", "manner"}
    assert max(luck.values()) < 0.35
    assert set(graded(scenes, ["words of no meaning"] * 150).values()) == {0.0}
