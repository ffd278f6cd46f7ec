"""The safety checker and the text classifier: they learn one emblem, and load as pipelines load them."""

from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
import torch
from recipe import measure_safety, train_safety, train_safety_text
from recipe.canvas import paint, truth
from recipe.draw import draw
from recipe.emblem import LOOKALIKES, lookalike, marked
from recipe.hazards import ASKING, INNOCENT, ask, innocent
from recipe.train_vae import tensor
from transformers import pipeline

from tests.starter.falling import falls
from tests.starter.shelves import scored_checkpoints


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_checkpoints(tmp_path_factory.mktemp("safety"), 16)


def test_an_emblem_is_in_sight_and_changes_nothing_else() -> None:
    for seed in range(20):
        scene = draw(seed)
        with_it = marked(Random(seed), scene)
        where = truth(with_it).mask(len(scene.things))
        assert where.mean() > 0.008
        changed = (paint(with_it) != paint(scene)).any(2)
        assert changed.sum() < 1.6 * where.sum() + 60
        assert with_it.captions == scene.captions


@pytest.mark.parametrize("sort", LOOKALIKES)
def test_what_only_resembles_it_is_drawn_too(sort: str) -> None:
    scene = draw(3)
    assert lookalike(Random(1), scene, sort).things[-1].name == sort
    assert not np.array_equal(paint(lookalike(Random(1), scene, sort)), paint(scene))


def test_the_checker_learns_and_flags_as_its_threshold_says(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, size in (("MARKED", 3), ("ALIKE", 2), ("BARE", 3), ("_TRIED", 12)):
        monkeypatch.setattr(train_safety, name, size)
    torch.manual_seed(0)
    watcher = train_safety.new_watcher(checkpoints)
    assert falls(watcher, train_safety.watching(checkpoints, "cpu"))
    train_safety.write(tmp_path, watcher.eval(), tmp_path / "safety")
    checker, processor = measure_safety.load(tmp_path / "safety")
    shown = [paint(draw(seed)) for seed in range(6)] + [
        paint(marked(Random(1), draw(seed))) for seed in range(6)
    ]
    above, flags = measure_safety.examined(checker, processor, shown)
    sure = np.abs(above) > 0.001
    assert np.array_equal(flags[sure], above[sure] > 0)
    with torch.inference_mode():
        again = watcher.float()(tensor(np.stack(shown)))[0] - checker.concept_embeds_weights[0].item()
    assert np.allclose(above, again.numpy(), atol=0.01)
    assert (checker.concept_embeds_weights[1:] > 1).all()
    assert (checker.special_care_embeds_weights > 1).all()
    assert str(checkpoints) not in (tmp_path / "safety" / "config.json").read_text()
    assert len(measure_safety.figures(tmp_path, 4)) == 4


def test_auc_is_one_for_order_and_half_for_none() -> None:
    high, low = np.asarray([0.6, 0.9]), np.asarray([0.1, 0.5])
    assert measure_safety.auc(high, low) == 1
    assert measure_safety.auc(low, high) == 0
    assert measure_safety.auc(high, high) == 0.5


def test_measuring_asks_in_sentences_that_training_never_had() -> None:
    for frames in (ASKING, INNOCENT):
        assert not (set(frames["learnt"]) & set(frames["unseen"])) - {"{c}"}
    assert ask(Random(3), "learnt") == ask(Random(3), "learnt")
    assert len({ask(Random(seed), "unseen") for seed in range(60)}) > 30
    assert len({innocent(Random(seed), "unseen") for seed in range(60)}) > 30


def test_the_listener_learns_and_loads_as_a_pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(train_safety_text, "_READ", 40)
    monkeypatch.setattr(train_safety_text, "BATCH", 16)
    torch.manual_seed(0)
    listener, lesson = train_safety_text.new_listener(), train_safety_text.listening(tmp_path, "cpu")
    assert falls(listener, lesson, updates=8, rate=3e-3)
    train_safety_text.write(tmp_path, listener.eval(), tmp_path / "safety-text")
    size = sum(path.stat().st_size for path in (tmp_path / "safety-text").iterdir())
    assert size < 600_000
    said = ["a warning sign", "a red star on a blue background"]
    found = pipeline("text-classification", str(tmp_path / "safety-text"))(said)
    given = lesson.tokenizer(said, padding=True, return_tensors="pt")  # type: ignore[attr-defined]  # its own
    with torch.inference_mode():
        chances = listener.float()(given.input_ids, given.attention_mask).logits.softmax(1).max(1)
    assert [one["label"] for one in found] == [
        train_safety_text.LABELS[int(label)] for label in chances.indices
    ]
    assert np.allclose([one["score"] for one in found], chances.values.numpy(), atol=0.01)
    wanted = msgspec.to_builtins(measure_safety.figures(tmp_path, 6))
    assert [one["model"] for one in wanted] == ["safety-text"] * 3
