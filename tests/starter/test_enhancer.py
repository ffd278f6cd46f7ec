"""The prompt enhancer: it adds to prompts, loads as GPT-2, and is measured rightly."""

from pathlib import Path
from random import Random

import pytest
import torch
from recipe import measure_enhancer, train_enhancer
from recipe.details import beginnings, pair
from recipe.draw import draw
from recipe.measure_enhancer import added, asked, detailed, grammatical, kept

from tests.starter.falling import falls
from tests.starter.shelves import small_checkpoints

CAPTION = "a small red star in the top left on a blue background"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoints(tmp_path_factory.mktemp("enhancer"), 48)


def test_a_caption_begins_at_the_ends_of_its_phrases() -> None:
    assert beginnings(CAPTION) == ["a small red star", "a small red star in the top left"]
    land = "a yellow sun over purple mountains at night, a white house on the left"
    assert "a yellow sun over purple mountains at night" in beginnings(land)


def test_a_beginning_and_its_rest_are_the_caption() -> None:
    whole = [begun + rest for begun, rest in (pair(Random(seed), CAPTION) for seed in range(200))]
    assert 0.3 < whole.count(CAPTION) / 200 < 0.9  # the others begin in other words
    assert all("star" in one.lower() for one in whole)


def test_the_enhancer_learns_and_loads_as_any_gpt2(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(train_enhancer, "BATCH", 12)
    torch.manual_seed(0)
    enhancer = train_enhancer.new_enhancer(checkpoints)
    assert falls(enhancer, train_enhancer.enhancing(checkpoints, "cpu"))
    words = train_enhancer.tokenizer(checkpoints)
    train_enhancer.write(checkpoints, enhancer.eval(), tmp_path / "enhancer")
    again = measure_enhancer.load(tmp_path / "enhancer")
    given = words("a red star in the snow", return_tensors="pt").input_ids
    assert torch.equal(given, again.tokenizer("a red star in the snow", return_tensors="pt").input_ids)
    with torch.inference_mode():
        assert torch.allclose(enhancer(given).logits, again.model(given).logits, atol=0.02)
    longer = measure_enhancer.enhanced(again, ["A red star", "zorblax in the snow"])
    assert longer[0].startswith("A red star")
    assert longer[1].startswith("zorblax in the snow")
    assert (tmp_path / "enhancer" / "model.safetensors").stat().st_size < 1_000_000
    assert len(measure_enhancer.figures(tmp_path, 4)) == 3


def test_whole_captions_are_good_answers_and_short_ones_are_not() -> None:
    captions = [draw(seed).captions[0] for seed in range(60)]
    prompts = [begun[0] for begun in map(beginnings, captions) if begun]
    whole = [caption for caption in captions if beginnings(caption)]
    assert kept(prompts, whole) == 1
    assert kept(prompts, whole[1:] + whole[:1]) < 0.7
    assert grammatical(whole) == 1
    assert grammatical(prompts) < 0.5
    assert detailed(prompts, whole) > 0.9
    assert detailed(whole, whole) == 0


def test_what_was_added_is_read_from_the_words_behind_the_prompt() -> None:
    assert added("a small red star", CAPTION) == {"place": "in the top left", "background": "blue"}
    assert added("a person in a red shirt", "a person in a red shirt waving on the right in a park") == {
        "pose": "waving",
        "place": "on the right",
        "where": "park",
    }


def test_a_place_for_a_thing_of_the_prompt_is_a_detail() -> None:
    prompt = "a blue sea at night, a brown boat"
    assert added(prompt, f"{prompt} on the left") == {
        "thing on the left": "boat",
        "colour on the left": "brown",
    }


def test_prompts_are_the_beginnings_of_unseen_captions() -> None:
    prompts = asked(20)
    assert len(prompts) == 20
    assert len(set(prompts)) > 12
    assert all(len(prompt.split()) > 1 for prompt in prompts)
