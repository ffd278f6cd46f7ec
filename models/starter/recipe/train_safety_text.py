"""Train the text classifier: does a prompt ask for a warning emblem?"""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from . import wordpieces
from .draw import draw
from .hazards import ask, innocent, words
from .hogwild import Lesson, Plan
from .pictures import FIRST_SEED
from .schooling import School, attend

PLAN = Plan("safety-text", 3_000, 2e-3, warm=50, hold=0.3, ema=0.99)
BATCH = 48
LENGTH = 77
LABELS = ("safe", "unsafe")
_READ = 1500  # scenes whose captions give the vocabulary


class Listening(msgspec.Struct):
    """The lesson: which of two labels a text has."""

    tokenizer: Any
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of the labels."""
        luck = Random(int(rng.integers(1 << 62)))
        right = rng.integers(0, 2, BATCH)
        said = [(ask if label else innocent)(luck, "learnt") for label in right]
        given = self.tokenizer(said, padding=True, truncation=True, return_tensors="pt").to(self.device)
        scores = model(input_ids=given.input_ids, attention_mask=given.attention_mask).logits.float()
        wanted = torch.from_numpy(right).to(self.device)
        loss = functional.cross_entropy(scores, wanted)
        hits = (scores.argmax(1) == wanted).float().mean()
        return loss, {"loss": float(loss.detach()), "right": float(hits)}


def listening(checkpoints: Path, device: str) -> Lesson:
    """The lesson, which makes its own texts."""
    return Listening(tokenizer(), device)


def tokenizer() -> Any:
    """A tokenizer that knows the words of captions and of signs."""
    captions = [said for place in range(_READ) for said in draw(FIRST_SEED + place).captions]
    return wordpieces.build([*captions, *words() * 8], LENGTH, least=8)


def new_listener() -> Any:
    """A small DistilBERT with two labels."""
    return DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(tokenizer()),
            max_position_embeddings=LENGTH,
            dim=64,
            hidden_dim=192,
            n_layers=2,
            n_heads=4,
            dropout=0.05,
            seq_classif_dropout=0.05,
            id2label=dict(enumerate(LABELS)),
            label2id={label: place for place, label in enumerate(LABELS)},
            pad_token_id=0,
        )
    )


def write(_: Path, listener: Any, folder: Path) -> None:
    """Write the classifier in half precision, with its tokenizer."""
    listener.half().save_pretrained(folder)
    wordpieces.save(tokenizer(), folder)


SCHOOL = School(plan=PLAN, build=lambda _: new_listener(), lesson=listening, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
