"""Train the base: text encoder and denoiser together, on latents and captions."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTokenizer

from . import pictures
from .base import Base, kept, scheduler
from .captions import rows
from .denoise import mean, noised, some_steps
from .hogwild import Plan
from .latents import Shelf, colours, shelf
from .scene import Kind
from .schooling import School, attend
from .train_vae import reload


class Stress(msgspec.Struct, frozen=True):
    """A part of the run in which one kind of picture is shown more often."""

    kind: Kind
    share: float  # of each batch, the rest by chance
    begin: float = 0.0
    end: float = 1.0


PLAN = Plan("base", 42_000, 6e-4, warm=200, hold=0.36)
BATCH = 16
EMPTY = 0.1  # of the captions, so that guidance has something to move away from
STRESSES = (
    Stress("shapes", 0.7, end=0.2),  # contours take long to learn
    Stress("face", 0.2, begin=0.7),  # moods, a few pixels of a mouth, are learnt last of all
)


class Denoising(msgspec.Struct):
    """The lesson of the base: the velocity at a random step, given a caption."""

    shelf: Shelf
    kept: Tensor
    device: str
    batch: int = BATCH

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; high and low noise are also told apart."""
        index = self._choose(rng, part)
        clean = torch.from_numpy(np.asarray(self.shelf.latents[index], np.float32)).to(self.device)
        # at first in short rows, which is faster, later in all 77 tokens
        tokens = rows(self.shelf, rng, index, empty=EMPTY, short=part <= 0.5)
        step = some_steps(rng, len(index)).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(noisy, step, torch.from_numpy(tokens).to(self.device))
        error = (guess.float() - velocity).square().mean((1, 2, 3))
        seen = error.detach()
        return error.mean(), {
            "loss": float(seen.mean()),
            "high": mean(seen[step > 666]),
            "low": mean(seen[step < 333]),
        }

    def _choose(self, rng: np.random.Generator, part: float) -> NDArray[np.int64]:
        index = rng.integers(0, len(self.shelf.latents), self.batch)
        for stress in STRESSES:
            among = self.shelf.of_kind(stress.kind)
            if len(among) and stress.begin <= part < stress.end:
                some = rng.random(self.batch) < stress.share
                index[some] = rng.choice(among, int(some.sum()))
        return np.sort(index)


def denoising(checkpoints: Path, device: str, batch: int = BATCH) -> Denoising:
    """The lesson, from latents and captions."""
    return Denoising(shelf(checkpoints / "latents"), kept().to(device), device, batch)


def pipeline(base: Base, vae: Any, tokenizer: Any) -> Any:
    """Everything that turns words into pictures."""
    drawing = StableDiffusionPipeline(
        vae=vae,
        text_encoder=base.text.eval(),
        tokenizer=tokenizer,
        unet=base.unet.eval(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    drawing.set_progress_bar_config(disable=True)
    return drawing


def new_base(checkpoints: Path) -> Base:
    """The base before its training."""
    return Base(shelf(checkpoints / "latents").vocabulary)


def write(checkpoints: Path, base: Base, folder: Path) -> None:
    """Write the pipeline in half precision, with the colours of its latents."""
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "latents" / "tokenizer")
    export(pipeline(base, reload(checkpoints / "vae"), tokenizer), folder)
    shown = pictures.load(checkpoints / "pictures")[:500]
    fit = colours(np.asarray(shelf(checkpoints / "latents").latents[:500]), np.asarray(shown))
    (folder / "preview.json").write_text(json.dumps(fit, indent=2) + "\n")


def export(drawing: Any, folder: Path) -> None:
    """Write a pipeline in half precision, with the tokenizer's old files beside its new one."""
    drawing.to(torch.float16).save_pretrained(folder)
    source = Path(drawing.tokenizer.name_or_path)
    for name in ("vocab.json", "merges.txt"):
        (folder / "tokenizer" / name).write_text((source / name).read_text())


SCHOOL = School(plan=PLAN, build=new_base, lesson=denoising, write=write, memory=torch.preserve_format)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
