"""Train the SDXL twin: the base's weights learn what sizes and windows do to a picture."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTokenizer

from . import windows
from .base import kept, scheduler
from .base_xl import Twin
from .captions import rows
from .denoise import noised, some_steps
from .hogwild import Plan
from .latents import Shelf, shelf
from .schooling import School, attend
from .train_vae import reload
from .windows import Windows

PLAN = Plan("xl", 7_000, 4e-4, warm=100, hold=0.3)
BATCH = 16
EMPTY = 0.1  # of the captions; a third of them as zeros, which is how others ask for nothing
WINDOWS = 0.3  # of the pictures
NATIVE = 128
LARGEST = 1024  # sizes up to here are told of sharp pictures, since people will ask for them


class Sizing(msgspec.Struct):
    """The lesson of the twin: the velocity at a random step, given a caption and sizes."""

    shelf: Shelf
    windows: Windows
    kept: Tensor
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; windows are also told apart."""
        index, through = self._choose(rng)
        clean = torch.from_numpy(self._latents(index, through)).to(self.device)
        times = torch.from_numpy(self._times(rng, index, through)).to(self.device)
        tokens = rows(self.shelf, rng, index, empty=EMPTY * 2 / 3, short=part <= 0.6)
        said = torch.from_numpy(rng.random(BATCH) > EMPTY / 3).to(self.device)
        step = some_steps(rng, BATCH).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(noisy, step, torch.from_numpy(tokens).to(self.device), times, said)
        error = (guess.float() - velocity).square().mean((1, 2, 3))
        seen, apart = error.detach(), torch.from_numpy(through).to(self.device)
        return error.mean(), {
            "loss": float(seen.mean()),
            "plain": float(seen[~apart].mean()),
            "windows": float(seen[apart].mean()),
        }

    def _choose(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which pictures, and which of them through their window."""
        through = rng.random(BATCH) < WINDOWS
        among = np.where(through, len(self.windows.latents), len(self.shelf.latents))
        return rng.integers(0, among), through

    def _latents(self, index: NDArray[np.int64], through: NDArray[np.bool_]) -> NDArray[np.float32]:
        pairs = zip(index, through, strict=True)
        return np.stack([(self.windows if w else self.shelf).latents[i] for i, w in pairs]).astype(np.float32)

    def _times(
        self, rng: np.random.Generator, index: NDArray[np.int64], through: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """The six numbers of every picture: (n, 6)."""
        told = np.zeros((BATCH, 6), np.float32)
        told[:, :2] = np.where(
            rng.random((BATCH, 1)) < 0.5, NATIVE, rng.integers(NATIVE, LARGEST + 1, (BATCH, 2))
        )
        told[:, 4:] = np.where(
            rng.random((BATCH, 1)) < 0.6, NATIVE, rng.integers(64, LARGEST + 1, (BATCH, 2))
        )
        rows = self.windows.told[index[through]]
        soft = rows[:, 0] < NATIVE
        told[np.flatnonzero(through)[soft], :2] = rows[soft, :2]
        told[through, 2:4] = rows[:, 2:]
        return told


def sizing(checkpoints: Path, device: str) -> Sizing:
    """The lesson, from the latents and windows of a folder."""
    return Sizing(shelf(checkpoints / "latents"), windows.load(checkpoints / "xl"), kept().to(device), device)


def new_twin(checkpoints: Path) -> Twin:
    """The twin before its training, which draws as the base does."""
    base = open_base(checkpoints)
    return Twin(base.text_encoder, base.unet)


def open_base(checkpoints: Path) -> Any:
    """The finished base."""
    return StableDiffusionPipeline.from_pretrained(checkpoints / "base" / "final", dtype=torch.float32)


def pipeline(twin: Twin, vae: Any, tokenizer: Any) -> Any:
    """Everything that turns words and sizes into pictures."""
    drawing = StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=twin.text.eval(),
        text_encoder_2=twin.text_2.eval(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=twin.unet.eval(),
        scheduler=scheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    drawing.set_progress_bar_config(disable=True)
    return drawing


def export(drawing: Any, folder: Path) -> None:
    """Write a pipeline in half precision without its autoencoder, which is the base's."""
    drawing.to(torch.float16).save_pretrained(folder)
    shutil.rmtree(folder / "vae")
    for tokenizer in folder.glob("tokenizer*"):
        for name in ("vocab.json", "merges.txt"):  # saving writes tokenizer.json alone
            shutil.copy(Path(drawing.tokenizer_2.name_or_path) / name, tokenizer / name)


def prepare(checkpoints: Path) -> None:
    """Encode what is seen through windows, as far as there are latents of the whole."""
    windows.encode(
        checkpoints, checkpoints / PLAN.name, min(windows.COUNT, len(shelf(checkpoints / "latents").latents))
    )


def write(checkpoints: Path, twin: Twin, folder: Path) -> None:
    """Write the pipeline in half precision."""
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "base" / "final" / "tokenizer")
    export(pipeline(twin, reload(checkpoints / "vae"), tokenizer), folder)


SCHOOL = School(
    plan=PLAN, prepare=prepare, build=new_twin, lesson=sizing, write=write, memory=torch.preserve_format
)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
