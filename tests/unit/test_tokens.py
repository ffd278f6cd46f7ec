"""How long a prompt is, without the weights of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import ROOT
from engine.errors import Unsupported
from engine.models import ModelFile, Models
from engine.tokens import CLIP, Count, count, reader
from nodes.load import load_model
from nodes.text import count_tokens

STARTER = Models([ROOT / "models"]).find("starter")


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "",
        "a red circle",
        "a (red:1.2) circle, [cat:dog:0.5]",
        "one BREAK (two) [three|four five]",
        "word " * 160,
        "Ünïcode: 日本 \\(no mark\\) 12,5",
    ],
)
def test_it_is_as_long_as_the_model_itself_finds_it(text: str) -> None:
    found = count(STARTER, text)
    said = count_tokens(load_model("starter").text_encoder, text)
    assert (found.tokens - 2 * found.parts, found.parts, found.limit) == (said.tokens, said.parts, 77)


def test_words_of_a_file_that_brings_none_are_those_of_clip() -> None:
    from transformers import CLIPTokenizer

    theirs = CLIPTokenizer.from_pretrained(CLIP, local_files_only=True)
    for text in ("A happy, (blue) cat's 12 hats!! \U0001f600", "don't   stop\n me", "Ünïcode 日本"):
        assert (
            reader(CLIP).encode(text, add_special_tokens=False).ids
            == theirs(text, add_special_tokens=False).input_ids
        )
    file = ModelFile("one", "model", Path("one.safetensors"), "single_file", 1, "here")
    assert count(file, "a red (circle:1.3)") == Count(5, 77, 1)


def test_a_model_without_words_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="brings no tokenizer"):
        count(ModelFile("mute", "model", tmp_path, "diffusers", 1, "here"), "a")
