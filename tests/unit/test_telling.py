"""Models of words: captions, tags and richer prompts are what the library makes with the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from engine.context import Context
from engine.errors import BadInput, Cancelled, MissingModel, Unsupported
from nodes.tell import (
    caption_image,
    enhance_prompt,
    likeness,
    load_captioner,
    load_language_model,
    load_matcher,
    tag_image,
)
from tests import sights
from tests.sights import opened, picture

pytestmark = pytest.mark.usefixtures("residency")

TAGS = "red, a cat, blue circle, green hills, night, red"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sights.make(tmp_path_factory.mktemp("models"), "captions", "clip", "language")


def listening(heard: list[float], stop_at: int = 1000) -> Context:
    """Notes how far a node is, and cancels it when told."""
    return Context(progress=heard.append, cancelled=lambda: len(heard) >= stop_at)


# -- captions


def blip(folder: Path) -> tuple[Any, Any]:
    place = folder / "captions" / "blip"
    module = transformers.BlipForConditionalGeneration.from_pretrained(place, dtype=torch.float32).eval()
    return module, transformers.BlipProcessor.from_pretrained(place)


@pytest.mark.parametrize("begin", ["", "a red"])
@pytest.mark.parametrize("beams", [1, 3])
def test_a_caption_is_what_the_library_says(folder: Path, begin: str, beams: int) -> None:
    module, processor = blip(folder)
    given = processor(images=opened(picture()), **({"text": begin} if begin else {}), return_tensors="pt")
    said = module.generate(**given, max_new_tokens=12, do_sample=False, num_beams=beams)
    wanted = processor.batch_decode(said, skip_special_tokens=True)[0].strip()
    found = caption_image(load_captioner("blip"), picture(), begin, longest=12, beams=beams)
    assert found == wanted
    assert found
    assert found.startswith(begin)


def test_a_seed_says_it_differently_and_always_the_same() -> None:
    model = load_captioner("blip")
    told = [caption_image(model, picture(), longest=12, seed=seed) for seed in (1, 2, 3, 1)]
    assert told[0] == told[3]
    assert len(set(told)) > 1
    state = torch.random.get_rng_state()
    caption_image(model, picture(), longest=4, seed=5)
    assert torch.equal(state, torch.random.get_rng_state()), "chance is put back as it was"
    with pytest.raises(BadInput, match="beside a seed"):
        caption_image(model, picture(), beams=2, seed=1)


def test_a_model_that_chats_answers_without_the_question(folder: Path) -> None:
    place = folder / "captions" / "llava"
    processor = transformers.AutoProcessor.from_pretrained(place)
    module = transformers.AutoModelForImageTextToText.from_pretrained(place, dtype=torch.float32)
    content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    given = processor(images=[opened(picture())], text=[text], return_tensors="pt")
    said = module.generate(**given, max_new_tokens=8, do_sample=False)[:, given.input_ids.shape[1] :]
    wanted = processor.batch_decode(said, skip_special_tokens=True)[0].strip()
    found = caption_image(load_captioner("llava"), picture(), "What is it?", longest=8)
    assert found == wanted
    assert "What is it" not in found


def test_a_caption_tells_how_far_it_is_and_can_be_cancelled() -> None:
    model, heard = load_captioner("blip"), list[float]()
    caption_image(model, picture(), longest=6, ctx=listening(heard))
    assert heard == sorted(heard)
    assert 1 <= len(heard) <= 6
    with pytest.raises(Cancelled):
        caption_image(model, picture(), longest=12, seed=3, ctx=listening([], stop_at=2))


# -- tags


def test_tags_are_those_that_the_library_ranks_first(folder: Path) -> None:
    pipeline = transformers.pipeline(
        "zero-shot-image-classification", str(folder / "clip" / "clip"), dtype=torch.float32
    )
    words = list(dict.fromkeys(TAGS.split(", ")))
    wanted = pipeline(opened(picture()), candidate_labels=words, hypothesis_template="a picture of {}")
    found = tag_image(load_matcher("clip"), picture(), TAGS, most=10, least=0)
    assert found.tags == [one["label"] for one in wanted]
    np.testing.assert_allclose(found.scores, [one["score"] for one in wanted], atol=1e-5)
    assert sum(found.scores) == pytest.approx(1)
    assert found.text == ", ".join(found.tags)
    few = tag_image(load_matcher("clip"), picture(), TAGS.replace(", ", "\n"), most=2, least=0)
    assert few.tags == found.tags[:2]
    sure = tag_image(load_matcher("clip"), picture(), TAGS, least=found.scores[0])
    assert sure.tags == found.tags[:1]


def test_words_in_parts_are_ranked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes._lib import telling

    whole = tag_image(load_matcher("clip"), picture(), TAGS, least=0)
    monkeypatch.setattr(telling, "AT_ONCE", 2)
    parts = tag_image(load_matcher("clip"), picture(), TAGS, least=0)
    assert parts.tags == whole.tags
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-5)


def test_likeness_does_not_depend_on_other_words() -> None:
    model = load_matcher("clip")
    found = tag_image(model, picture(), TAGS, least=0)
    for tag, value in zip(found.tags, found.likeness, strict=True):
        assert -1 <= value <= 1
        assert likeness(model, picture(), f"a picture of {tag}") == pytest.approx(value, abs=1e-5)
    with pytest.raises(BadInput, match="1 to 5,000"):
        tag_image(model, picture(), " , ")


# -- prompts


@pytest.mark.parametrize("prompt", ["a red circle", "A smiling cat", "zorblax in the snow"])
def test_a_prompt_goes_on_as_the_librarys_pipeline_does(folder: Path, prompt: str) -> None:
    pipeline = transformers.pipeline(
        "text-generation", str(folder / "language" / "gpt2"), dtype=torch.float32
    )
    torch.manual_seed(7)
    wanted = pipeline(prompt)[0]["generated_text"].split("\n")[0].rstrip()
    found = enhance_prompt(load_language_model("gpt2"), prompt, longest=12, seed=7)
    assert wanted.startswith(found.prompt), "but for what the last token breaks off"
    assert found.prompt.startswith(prompt)
    assert "".join(found.phrases).replace(" ", "") == "".join(
        letter for letter in found.prompt[len(prompt) :] if letter not in " ,;."
    )


@pytest.mark.parametrize(
    ("added", "kept"),
    [
        (", soft light, highly deta", ", soft light"),
        (", by night; a re", ", by night"),
        (" on a blue backgr", " on a blue"),
        (" sunflo", " sunflo"),
        (", a", ", a"),
    ],
)
def test_what_is_broken_off_is_left_out(added: str, kept: str) -> None:
    from nodes._lib.telling import finished

    assert finished(added) == kept


def test_the_same_seed_adds_the_same_words_and_a_prompt_keeps_its_own() -> None:
    model = load_language_model("gpt2")
    found = [enhance_prompt(model, "a red circle,  ", longest=8, seed=seed).prompt for seed in (1, 2, 1)]
    assert found[0] == found[2] != found[1]
    assert all(one.startswith("a red circle") for one in found)
    likeliest = {
        enhance_prompt(model, "a cat", longest=8, temperature=0, seed=seed).prompt for seed in range(3)
    }
    assert len(likeliest) == 1
    assert enhance_prompt(model, "", longest=8, seed=3).prompt


def test_a_prompt_ends_where_the_model_can_read_no_more() -> None:
    model = load_language_model("gpt2")
    long = "a red circle on a blue background " * 4
    found = enhance_prompt(model, long, longest=1000)
    assert found.prompt.startswith(long.strip())
    with pytest.raises(BadInput, match="fewer words"):
        enhance_prompt(model, long * 6)


def test_writing_tells_how_far_it_is_and_can_be_cancelled() -> None:
    model = load_language_model("gpt2")
    with pytest.raises(Cancelled):
        enhance_prompt(model, "a cat", longest=20, temperature=0, ctx=listening([], stop_at=1))


def test_the_family_s_enhancer_is_fed_as_it_was_taught(folder: Path) -> None:
    shutil.copytree(folder / "language" / "gpt2", folder / "starter" / "enhancer")
    assert load_language_model().name == "starter-enhancer"
    shutil.copytree(folder / "captions" / "blip", folder / "starter" / "captioner")
    assert load_captioner().name == "starter-captioner"
    shutil.copytree(folder / "clip" / "clip", folder / "starter" / "clip")
    assert load_matcher().name == "starter-clip"


def test_missing_models_and_other_kinds_are_told(folder: Path) -> None:
    with pytest.raises(MissingModel, match="models fetch blip-base"):
        load_captioner("nobody")
    with pytest.raises(MissingModel, match=r"models/language, or run"):
        load_language_model("nobody")
    (folder / "language" / "eyes").symlink_to(folder / "clip" / "clip")
    with pytest.raises(Unsupported, match="no model that goes on with words: a CLIP"):
        load_language_model("eyes")
