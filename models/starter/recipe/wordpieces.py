"""BERT's tokenizer for a small vocabulary: whole words that are common, letters for all others."""

import re
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import BertTokenizer

PAD, UNKNOWN, START, END, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORD = re.compile(r"[a-z]+|[0-9]")
_LETTERS = string.ascii_lowercase + string.digits


def build(texts: Iterable[str], length: int, least: int = 1) -> Any:
    """A tokenizer that knows the words that occur at least `least` times."""
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    known = sorted(word for word, count in counts.items() if count >= least and len(word) > 1)
    pieces = [*SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *",.'!?-", *known]
    return BertTokenizer(vocab={piece: place for place, piece in enumerate(pieces)}, model_max_length=length)


def save(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer, with the vocabulary that older loaders want beside it."""
    tokenizer.save_pretrained(folder)
    places = sorted(tokenizer.get_vocab().items(), key=lambda one: int(one[1]))
    (folder / "vocab.txt").write_text("\n".join(piece for piece, _ in places) + "\n")
