"""Textual inversions: in place of their word, whoever wrote the file, with the weights of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import BadInput, MissingModel, Unsupported
from engine.types import Conditioning, TextEncoder
from nodes.load import Loaded
from nodes.text import count_tokens, encode_text, learned_words
from tests.pipelines import quiet

pytestmark = pytest.mark.usefixtures("residency")

WIDTH = 32
TWO = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """A tiny model, and the same embedding in every layout."""
    place = folder / "embeddings"
    (place / "mine").mkdir(parents=True)
    save_file({"<cat>": TWO[0].clone()}, place / "one.safetensors")
    save_file({"emb_params": TWO}, place / "cat.safetensors")
    save_file({"<cat>": TWO}, place / "mine" / "cat-2.1.safetensors")
    save_file({"clip_g": torch.zeros(2, 80), "clip_l": TWO}, place / "xl.safetensors")
    save_file({"emb_params": torch.zeros(1, 768)}, place / "other.safetensors")
    save_file({"emb_params": torch.zeros(76, WIDTH)}, place / "long.safetensors")
    save_file({"emb_params": torch.randn(40, WIDTH)}, place / "forty.safetensors")
    save_file({"a": TWO, "b": TWO.clone()}, place / "strange.safetensors")
    return folder


@pytest.fixture
def encoder(model: Loaded) -> TextEncoder:
    return model.text_encoder


def same(a: Conditioning, b: Conditioning) -> bool:
    return np.array_equal(a.embeds, b.embeds)


def test_it_is_read_as_diffusers_reads_it(folder: Path, encoder: TextEncoder) -> None:
    pipeline = quiet("StableDiffusionPipeline", folder / "diffusers" / "tiny")
    pipeline.load_textual_inversion({"<cat>": TWO}, token="<cat>")
    wanted, _ = pipeline.encode_prompt("a <cat> on a hill", "cpu", 1, False)
    found = encode_text(encoder, "a embedding:cat on a hill")
    assert np.abs(found.embeds - wanted[0].detach().numpy()).max() < 1e-6


@pytest.mark.parametrize("name", ["mine/cat-2.1", "xl"])
def test_every_layout_means_the_same(encoder: TextEncoder, name: str) -> None:
    wanted = encode_text(encoder, "a embedding:cat, on a hill")
    assert same(encode_text(encoder, f"a embedding:{name}, on a hill"), wanted)


def test_nothing_of_it_stays_in_the_encoder(encoder: TextEncoder) -> None:
    before = encode_text(encoder, "a cat")
    encode_text(encoder, "a embedding:cat")
    assert same(encode_text(encoder, "a cat"), before)
    assert not same(encode_text(encoder, "a embedding:cat"), before)
    assert not same(encode_text(encoder, "a embedding:one"), encode_text(encoder, "a embedding:cat"))


def test_weights_and_switches_apply(encoder: TextEncoder) -> None:
    plain = encode_text(encoder, "embedding:cat")
    assert same(encode_text(encoder, "(embedding:cat:1.0)"), plain)
    assert not same(encode_text(encoder, "(embedding:cat:1.3)"), plain)
    assert same(encode_text(encoder, "(embedding:cat)"), encode_text(encoder, "(embedding:cat:1.1)"))
    switched = encode_text(encoder, r"[a dog:embedding\:cat:0.5]")
    assert same(switched.stages[1].turns[0], plain)


def test_its_vectors_are_counted(encoder: TextEncoder) -> None:
    assert count_tokens(encoder, "embedding:cat") == (2, 1, ["embedding:cat"] * 2)
    alone = count_tokens(encoder, "a on a hill").tokens
    assert count_tokens(encoder, "a embedding:one on a hill").tokens == alone + 1


def test_it_is_never_cut_in_two(encoder: TextEncoder) -> None:
    counted = count_tokens(encoder, "embedding:forty embedding:forty a")
    assert counted.parts == 2
    apart = encode_text(encoder, "embedding:forty BREAK embedding:forty a")
    assert same(encode_text(encoder, "embedding:forty embedding:forty a"), apart)


def test_another_content_is_another_prompt(folder: Path) -> None:
    file = folder / "embeddings" / "changing.safetensors"
    save_file({"emb_params": TWO}, file)
    first = learned_words("a embedding:changing")
    save_file({"emb_params": TWO + 1}, file)
    assert learned_words("a embedding:changing") != first
    assert learned_words("a cat") == learned_words("a embedding:changing", marks="off") == ""


def test_without_marks_it_is_words(encoder: TextEncoder) -> None:
    assert "embedding:cat" not in count_tokens(encoder, "embedding:cat", "off").pieces


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("catt", MissingModel, r"no embedding named 'catt'.*cat"),
        ("other", BadInput, "768 numbers, want vectors of 32"),
        ("long", BadInput, "76 vectors, want 1 to 75"),
        ("strange", Unsupported, "2 tensors, which is no layout"),
    ],
)
def test_what_does_not_fit_is_refused(
    encoder: TextEncoder, name: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        encode_text(encoder, f"a embedding:{name}")
