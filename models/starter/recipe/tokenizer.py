"""The tokenizer: CLIP's byte pairs, trained so that every word of the captions is one token."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from .palette import COLOURS
from .wording import FILLERS, OPENINGS, SYNONYMS

LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"
_WORD = re.compile(r"[a-z]+|[0-9]+|,|'")
# words that people write although no caption has them
_COMMON = (
    "portrait boy girl animal city street river lake sky cloud field indoors outdoors morning sunrise "
    "summer winter rain low blurry bad worst watermark text ugly deformed noise dark front back side view "
    "close up of and with in on at by from to near far very tiny tall round square flat black and white "
    "moving walking sailing rising panning camera slowly slow fast turning left right up down flying bag "
    "tree trees houses boats dogs cats people men women children smile frown "
)


def build(captions: list[str], folder: Path) -> Any:
    """Train a tokenizer on captions and write it as vocab.json and merges.txt."""
    words = vocabulary(captions)
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    bpe.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=6000, min_frequency=2, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator([" ".join([word] * 30) for word in words], trainer)
    merges = json.loads(bpe.to_str())["model"]["merges"]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
    letters = list(_letters().values())
    tokens = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *(pair.replace(" ", "") for pair in pairs),
        START,
        END,
    ]
    ids = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")
    kept = {name: (folder / name).read_text() for name in ("vocab.json", "merges.txt")}
    CLIPTokenizer.from_pretrained(folder, model_max_length=LENGTH).save_pretrained(folder)
    for name, text in kept.items():  # saving writes tokenizer.json alone, and older loaders want these
        (folder / name).write_text(text)
    return CLIPTokenizer.from_pretrained(folder)


def vocabulary(captions: list[str]) -> list[str]:
    """The words worth a token of their own."""
    seen = Counter(word for caption in captions for word in _WORD.findall(caption.lower()))
    known = " ".join(
        [
            *COLOURS,
            *FILLERS,
            *OPENINGS,
            *SYNONYMS,
            *(said for many in SYNONYMS.values() for said in many),
            _COMMON,
        ]
    )
    return sorted({word for word, count in seen.items() if count >= 60} | set(_WORD.findall(known.lower())))


def _letters() -> dict[int, str]:
    """A printable letter for each byte, as byte-level BPE has them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    rest = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + index) for index, byte in enumerate(rest)}
