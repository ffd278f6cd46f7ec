"""How long a prompt is for a model, counted by the model's own tokenizer and without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.config import ROOT
from engine.errors import Unsupported
from engine.models import ModelFile
from engine.prompting import Part, literal, stages

CHUNK = 75
"""Tokens that CLIP reads at once, between its start and its end token."""
WHOLE = 2
"""The start and the end token."""
CLIP = ROOT / "nodes/_lib/configs/sd15/tokenizer"
"""The words of every CLIP of Stable Diffusion, for files that bring none."""
LONGEST = 1_000_000
"""Some tokenizers say that there is no limit by a very large one."""
WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP takes for a word, or a number, or marks."""


class Count(Struct, frozen=True):
    """The length of a prompt."""

    tokens: int
    """Words or parts of words, with the start and the end of each part."""
    limit: int
    """How many are read at once; 0 where the tokenizer does not say."""
    parts: int
    """How often that many are read, one after the other."""


class About(Struct, frozen=True):
    """What a tokenizer says of itself."""

    tokenizer_class: str = ""
    model_max_length: float = 0


def count(file: ModelFile, text: str) -> Count:
    """The longest reading of a prompt. Raises Unsupported if the model brings no tokenizer that is known."""
    folder = folder_of(file)
    about = msgspec.json.decode((folder / "tokenizer_config.json").read_bytes(), type=About)
    tokenizer = reader(folder)
    if not about.tokenizer_class.startswith("CLIP"):
        limit = int(about.model_max_length) if 0 < about.model_max_length < LONGEST else 0
        return Count(sum(rows(tokenizer, literal(text), LONGEST)), limit, 1)
    readings = [rows(tokenizer, turn, CHUNK) for stage in stages(text) for turn in stage.turns]
    longest = max(readings, key=sum)
    return Count(sum(longest) + WHOLE * len(longest), CHUNK + WHOLE, len(longest))


def rows(tokenizer: Any, parts: Sequence[Part], most: int) -> list[int]:
    """How many tokens are read at once, and then."""
    found: list[int] = []
    for part in parts:
        size = sum(len(tokenizer.encode(piece.text, add_special_tokens=False).ids) for piece in part)
        found += [most] * (size // most) + ([size % most] if size % most else [])
    return found or [0]


def folder_of(file: ModelFile) -> Path:
    """Where the words of a model are told."""
    if file.layout == "single_file":
        return CLIP
    for name in ("tokenizer", "tokenizer_2"):
        if (file.path / name / "tokenizer_config.json").is_file():
            return file.path / name
    raise Unsupported(f"The model {file.name} brings no tokenizer.", remedy="Count with another model.")


@lru_cache(maxsize=4)
def reader(folder: Path) -> Any:
    """The tokenizer of a folder, in either of the two forms they come in."""
    from tokenizers import Tokenizer

    if (whole := folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(whole))
    if not (folder / "merges.txt").is_file():
        raise Unsupported("The tokenizer of this model is in no known form.", remedy="Count with another.")
    return clip(folder)


def clip(folder: Path) -> Any:
    """CLIP's, from its words and how they are put together."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    pairs = models.BPE.from_file(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        end_of_word_suffix="</w>",
        unk_token="<|endoftext|>",
    )
    found = Tokenizer(pairs)
    found.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return found
