"""Train the scorer: pictures find their captions, also among captions that are wrong in one word."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTextModel, CLIPTokenizer

from . import copies, pictures
from .draw import CAPTIONS
from .hogwild import Lesson, Plan
from .net import Net
from .scene import Kind
from .schooling import School, attend
from .sight import WIDTH, image_processor, open_eye, vision_config, worn
from .swaps import altered
from .train_vae import tensor

PLAN = Plan("clip", 5_500, 1.5e-3, warm=100, hold=0.3, ema=0.995, weight_decay=0.02)
BATCH = 48
LIES = 2  # captions wrong in one word, for every picture
ALIKE = 0.7  # of the batches show one kind of scene, whose captions are hard to tell apart
COPIES = 0.15  # of the batches show pictures that went through the autoencoder
LONGEST = 32  # tokens; few captions have more
_WORD = re.compile(r"[a-z]+")


class Scorer(Net):
    """The scorer, and a head that lists the words of a caption: it teaches the eye, and is not kept."""

    def __init__(self, clip: Any, words: int) -> None:
        super().__init__()
        self.clip = clip
        self.words = nn.Linear(WIDTH, words)

    def forward(self, shown: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Directions of pictures (n, width) and texts (m, width), and scores of words (n, words)."""
        seen = self.clip.vision_model(shown).pooler_output
        read = self.clip.text_projection(self.clip.text_model(tokens).pooler_output)
        return (
            functional.normalize(self.clip.visual_projection(seen).float(), dim=1),
            functional.normalize(read.float(), dim=1),
            self.words(seen).float(),
        )


class Matching(msgspec.Struct):
    """The lesson of the scorer: which caption belongs to which picture."""

    pictures: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    captions: list[list[str]]
    kinds: list[Kind]
    words: NDArray[np.bool_]  # (pictures, words)
    groups: list[NDArray[np.int64]]  # the pictures of every kind
    tokenizer: Any
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far pictures are from finding their captions, and captions their pictures."""
        index, source = self._choose(rng)
        shown = worn(rng, tensor(np.asarray(source[index])).to(self.device))
        said = [self.captions[place][int(rng.integers(CAPTIONS))] for place in index]
        luck = Random(int(rng.integers(1 << 62)))
        lies = [
            lie
            for place, one in zip(index, said, strict=True)
            for lie in altered(luck, one, self.kinds[place], LIES)
        ]
        tokens = self.tokenizer(
            said + lies, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).input_ids
        with torch.autocast(self.device, torch.bfloat16):
            seen, read, words = model(shown, tokens.to(self.device))
        scores = model.clip.logit_scale.clamp(max=4.6).exp() * seen @ read.T
        right = torch.arange(len(index), device=self.device)
        found = functional.cross_entropy(scores, right)
        back = functional.cross_entropy(scores[:, : len(index)].T, right)
        known = torch.from_numpy(self.words[index]).float().to(self.device)
        listed = functional.binary_cross_entropy_with_logits(words, known, reduction="sum") / len(index)
        return found + back + 0.2 * listed, {
            "found": float(found.detach()),
            "first": float((scores.detach().argmax(1) == right).float().mean()),
            "words": float(listed.detach()),
        }

    def _choose(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        source = self.copies if rng.random() < COPIES else self.pictures
        every = np.arange(len(source))
        if rng.random() < ALIKE:
            every = self.groups[int(rng.choice(len(self.groups), p=self._shares()))]
            every = every[every < len(source)]
        return np.sort(rng.choice(every, BATCH, replace=len(every) < BATCH)), source

    def _shares(self) -> NDArray[np.float64]:
        sizes = np.asarray([len(group) for group in self.groups], np.float64)
        return np.asarray(sizes / sizes.sum())


def matching(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from drawn pictures and their copies."""
    shown = pictures.load(checkpoints / "pictures")
    captions, kinds = pictures.captions(checkpoints / "pictures"), pictures.kinds(checkpoints / "pictures")
    _, words = vocabulary(checkpoints)
    named = np.asarray(kinds)
    return Matching(
        shown,
        copies.load(checkpoints),
        captions,
        [msgspec.convert(kind, Kind) for kind in kinds],
        words,
        [np.flatnonzero(named == kind) for kind in np.unique(named)],
        CLIPTokenizer.from_pretrained(checkpoints / "base" / "final" / "tokenizer"),
        device,
    )


def vocabulary(checkpoints: Path) -> tuple[list[str], NDArray[np.bool_]]:
    """The words of plain captions, and which of them each picture's captions have."""
    said = [
        {word for caption in many[:2] for word in _WORD.findall(caption)}
        for many in pictures.captions(checkpoints / "pictures")
    ]
    counts = Counter(word for words in said for word in words)
    names = sorted(word for word, count in counts.items() if 0.001 * len(said) < count < 0.9 * len(said))
    places = {word: place for place, word in enumerate(names)}
    table = np.zeros((len(said), len(names)), np.bool_)
    for row, words in enumerate(said):
        table[row, [places[word] for word in words if word in places]] = True
    return names, table


def new_scorer(checkpoints: Path) -> Scorer:
    """A scorer that reads as the base reads, and sees the main patterns of pictures."""
    reader = CLIPTextModel.from_pretrained(
        checkpoints / "base" / "final" / "text_encoder", dtype=torch.float32
    )
    text = bare(reader.config) | {"projection_dim": WIDTH}
    clip = CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision_config().to_dict(), projection_dim=WIDTH)
    )
    clip.set_attn_implementation("eager")  # the backward pass of the fused one is four times slower on a CPU
    clip.text_model.load_state_dict(reader.state_dict())
    open_eye(clip.vision_model, pictures.load(checkpoints / "pictures"))
    names, _ = vocabulary(checkpoints)
    scorer = Scorer(clip, len(names))
    nn.init.constant_(scorer.words.bias, -3.0)  # few of the words are in a caption
    return scorer


def bare(config: Any) -> dict[str, Any]:
    """A configuration without notes about where it was read."""
    return {name: value for name, value in config.to_dict().items() if not name.startswith("_")}


def write(checkpoints: Path, scorer: Scorer, folder: Path) -> None:
    """Write the scorer in half precision, with its processor."""
    tokenizer = checkpoints / "base" / "final" / "tokenizer"
    scorer.clip.half().save_pretrained(folder)
    CLIPProcessor(image_processor(), CLIPTokenizer.from_pretrained(tokenizer)).save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):  # older loaders want these beside tokenizer.json
        (folder / name).write_text((tokenizer / name).read_text())


SCHOOL = School(plan=PLAN, prepare=copies.prepare, build=new_scorer, lesson=matching, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
