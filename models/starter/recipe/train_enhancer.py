"""Train the prompt enhancer: from the beginning of a caption to details that the base can draw."""

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

from . import pictures
from .details import detailed, pair
from .hogwild import Lesson, Plan
from .schooling import School, attend
from .wording import FILLERS, OPENINGS, SYNONYMS

PLAN = Plan("enhancer", 5_000, 2e-3, warm=60, hold=0.3, ema=0.99)
BATCH = 64
LENGTH = 96
WIDTH, LAYERS, HEADS = 96, 3, 4
END = "<|endoftext|>"
_PLAIN = 2  # the first captions of a picture are in plain words
_LEAST = 10  # times that a word of its own must occur


class Enhancing(msgspec.Struct):
    """The lesson: the rest of a caption, after its beginning in anybody's words."""

    captions: list[str]
    tokenizer: Any
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of the words that are to be added."""
        luck = Random(int(rng.integers(1 << 62)))
        pairs = [pair(luck, luck.choice(self.captions)) for _ in range(BATCH)]
        whole = [begun + rest + END for begun, rest in pairs]
        given = self.tokenizer(whole, padding=True, truncation=True, return_tensors="pt")
        begun = torch.tensor([len(ids) for ids in self.tokenizer([one for one, _ in pairs]).input_ids])
        places = torch.arange(given.input_ids.shape[1])
        asked = (places[None] >= begun[:, None]) & (given.attention_mask > 0)
        labels = given.input_ids.masked_fill(~asked, -100)
        given = given.to(self.device)
        loss = model(
            input_ids=given.input_ids, attention_mask=given.attention_mask, labels=labels.to(self.device)
        ).loss
        return loss, {"loss": float(loss.detach())}


def enhancing(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the plain captions that have details."""
    return Enhancing([said for said in _plain(checkpoints) if detailed(said)], tokenizer(checkpoints), device)


def tokenizer(checkpoints: Path) -> Any:
    """A GPT-2 tokenizer in which every common word is one token."""
    counts = Counter(word for said in _plain(checkpoints) for word in re.findall(r"[a-z]+", said))
    spoken = " ".join(
        [*FILLERS, *OPENINGS, *SYNONYMS, *(said for many in SYNONYMS.values() for said in many)]
    )
    words = sorted(
        {word for word, count in counts.items() if count >= _LEAST} | set(re.findall("[a-z]+", spoken))
    )
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=6000,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator([" ".join([word] * 30) for word in words], trainer)
    learnt = json.loads(bpe.to_str())["model"]
    merges = [tuple(one.split(" ")) if isinstance(one, str) else tuple(one) for one in learnt["merges"]]
    return GPT2Tokenizer(
        vocab={**learnt["vocab"], END: len(learnt["vocab"])},
        merges=merges,
        add_prefix_space=True,
        pad_token=END,
        model_max_length=LENGTH,
    )


def new_enhancer(checkpoints: Path) -> Any:
    """A small GPT-2."""
    words = tokenizer(checkpoints)
    enhancer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words),
            n_positions=LENGTH,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.06,  # the usual 0.02 is for wide models
            bos_token_id=words.eos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.eos_token_id,
        )
    )
    enhancer.set_attn_implementation("eager")  # faster backwards on a CPU
    return enhancer


def write(checkpoints: Path, enhancer: Any, folder: Path) -> None:
    """Write the enhancer in half precision, with its tokenizer and the way it chooses words."""
    words = tokenizer(checkpoints)
    enhancer.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.8,
        top_p=0.9,
        max_new_tokens=40,
        bos_token_id=words.eos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id,
    )
    enhancer.half().save_pretrained(folder)
    words.save_pretrained(folder)
    learnt = json.loads(words.backend_tokenizer.to_str())["model"]  # older loaders want these two
    (folder / "vocab.json").write_text(json.dumps(words.get_vocab(), ensure_ascii=False))
    lines = [one if isinstance(one, str) else " ".join(one) for one in learnt["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n")


def _plain(checkpoints: Path) -> list[str]:
    return [said for many in pictures.captions(checkpoints / "pictures") for said in many[:_PLAIN]]


SCHOOL = School(plan=PLAN, build=new_enhancer, lesson=enhancing, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
