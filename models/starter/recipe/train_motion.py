"""Train text to video: layers over time that make the frozen base's frames one clip."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from .base import kept
from .clips import FRAMES
from .denoise import mean, noised, some_steps
from .hogwild import Plan
from .motion import animated, load_base, new_adapter
from .moving import SLOW, Reel, reel
from .schooling import School, attend

PLAN = Plan("motion", 2_000, 1e-3, warm=60, hold=0.45, ema=0.99)
BATCH = 2
EMPTY = 0.1  # of the captions, so that guidance has something to move away from


class Animating(msgspec.Struct):
    """The lesson: the velocity of all frames at one random step, given the caption that tells the motion."""

    reel: Reel
    whole: list[int]  # the takes at full speed
    base: Any
    kept: Tensor
    device: str
    model: Any = None  # the base with the adapter in it

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; high noise, where motion is decided, is also told apart."""
        if self.model is None:
            self.model = animated(self.base.unet, model)
        index = rng.choice(self.whole, BATCH)
        clean = torch.from_numpy(np.stack([self.reel.latents[one] for one in index]).astype(np.float32))
        clean = clean.transpose(1, 2).to(self.device)  # (n, 4, frames, h, w)
        step = some_steps(rng, BATCH, 0.7).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        with torch.autocast(self.device, torch.bfloat16):
            guess = self.model(noisy, step, self._words(rng, index)).sample
        error = (guess.float() - velocity).square().flatten(1).mean(1)
        return error.mean(), {
            "loss": float(error.mean().detach()),
            "high": mean(error.detach()[step > 666]),
            "low": mean(error.detach()[step < 333]),
        }

    def _words(self, rng: np.random.Generator, index: Any) -> Tensor:
        """The encoded captions, once for every frame: (n * frames, 77, width)."""
        said = [str(rng.choice(self.reel.captions[one])) for one in index]
        told = ["" if rng.random() < EMPTY else caption for caption in said]
        tokenizer = self.base.tokenizer
        tokens = tokenizer(
            told,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            words: Tensor = self.base.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return words.repeat_interleave(FRAMES, 0)


def animating(checkpoints: Path, device: str) -> Animating:
    """The lesson, from the folders it reads."""
    base = load_base(checkpoints / "base" / "final").to(device)
    shelf = reel(checkpoints / "clips")
    whole = [index for index, bucket in enumerate(shelf.buckets) if bucket != SLOW]
    return Animating(shelf, whole, base, kept().to(device), device)


def start(checkpoints: Path) -> Any:
    """The adapter before its training."""
    return new_adapter(load_base(checkpoints / "base" / "final").unet)


def write(_: Path, adapter: Any, folder: Path) -> None:
    """Write the adapter in half precision."""
    adapter.half().save_pretrained(folder)


SCHOOL = School(plan=PLAN, build=start, lesson=animating, write=write, memory=torch.preserve_format)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
