"""Train the refiner: at little noise, it makes drawn pictures from themselves and from blurred ones."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from . import pictures
from .base import kept, scheduler
from .base_refiner import LAST, Refiner
from .canvas import Picture
from .captions import rows
from .denoise import noised, some_steps
from .hogwild import Plan
from .latents import Shelf, fill_latents, shelf
from .schooling import School, attend
from .train_vae import reload
from .train_xl import LARGEST, NATIVE, export, open_base

PLAN = Plan("xl-refiner", 3_200, 5e-4, warm=50, hold=0.4)
BATCH = 16
EMPTY = 0.1
COUNT = 3_000  # blurred pictures
BLURRED = 0.5  # of a batch


class Sharpening(msgspec.Struct):
    """The lesson of the refiner: the velocity towards the sharp picture."""

    shelf: Shelf
    blurred: NDArray[np.float16]  # (n, 4, 16, 16), of pictures 0 to n - 1 of the shelf
    kept: Tensor
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; sharp and blurred pictures are also told apart."""
        soft = rng.random(BATCH) < BLURRED
        index = rng.integers(0, np.where(soft, len(self.blurred), len(self.shelf.latents)))
        sharp = self._floats([self.shelf.latents[i] for i in index])
        shown = self._floats(
            [(self.blurred if s else self.shelf.latents)[i] for i, s in zip(index, soft, strict=True)]
        )
        step = (some_steps(rng, BATCH, 1.0) * LAST // 1000).to(self.device)
        left = self.kept[step]
        noisy, velocity = noised(shown, left)
        lost = 1 - left.view(-1, 1, 1, 1)
        # noisy = kept * sharp + lost * noise holds for a blurred picture too, if its blur counts as noise
        velocity = velocity + (shown - sharp) / lost.sqrt()
        tokens = rows(self.shelf, rng, index, empty=EMPTY, short=bool(rng.random() > 0.3))
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(noisy, step, torch.from_numpy(tokens).to(self.device), self._times(rng))
        error = (guess.float() - velocity).square().mean((1, 2, 3))
        apart = torch.from_numpy(soft).to(self.device)
        # the same error in the picture is a larger one in the velocity, the less noise there is
        error = torch.where(apart, error * (4 * lost.flatten()).clamp(max=1), error)
        seen = error.detach()
        return error.mean(), {
            "loss": float(seen.mean()),
            "sharp": float(seen[~apart].mean()),
            "blurred": float(seen[apart].mean()),
        }

    def _floats(self, rows: list[NDArray[np.float16]]) -> Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(self.device)

    def _times(self, rng: np.random.Generator) -> Tensor:
        """Size, window and score, which change nothing: the refiner always sharpens."""
        told = np.zeros((BATCH, 5), np.float32)
        told[:, :2] = np.where(
            rng.random((BATCH, 1)) < 0.5, NATIVE, rng.integers(64, LARGEST + 1, (BATCH, 2))
        )
        told[:, 4] = rng.uniform(0, 10, BATCH)
        return torch.from_numpy(told).to(self.device)


def blur(index: int, picture: Picture) -> Picture:
    """A picture as soft as a generated one, or softer."""
    rng = np.random.default_rng(index)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.2))), np.uint8)


def sharpening(checkpoints: Path, device: str) -> Sharpening:
    """The lesson, from the latents of a folder."""
    blurred = np.load(checkpoints / "xl-refiner" / "blurred.npy", mmap_mode="r")
    return Sharpening(shelf(checkpoints / "latents"), blurred, kept().to(device), device)


def new_refiner(checkpoints: Path) -> Refiner:
    """The refiner before its training."""
    reads = CLIPTextModelWithProjection.from_pretrained(
        checkpoints / "xl" / "final" / "text_encoder_2", dtype=torch.float32
    )
    return Refiner(reads, open_base(checkpoints).unet)


def pipeline(refiner: Refiner, vae: Any, tokenizer: Any) -> Any:
    """What takes over from the twin."""
    drawing = StableDiffusionXLImg2ImgPipeline(
        vae=vae,
        text_encoder=None,
        text_encoder_2=refiner.text_2.eval(),
        tokenizer=None,
        tokenizer_2=tokenizer,
        unet=refiner.unet.eval(),
        scheduler=scheduler(),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    drawing.set_progress_bar_config(disable=True)
    return drawing


def prepare(checkpoints: Path) -> None:
    """Encode blurred pictures, as far as there are latents of the sharp ones."""
    folder, drawn = checkpoints / PLAN.name, pictures.load(checkpoints / "pictures")
    count = min(COUNT, len(shelf(checkpoints / "latents").latents))

    def shown(which: range) -> NDArray[np.uint8]:
        return np.stack([blur(index, drawn[index]) for index in which])

    fill_latents(folder / "blurred.npy", folder / "encoded", count, checkpoints / "vae", shown)


def write(checkpoints: Path, refiner: Refiner, folder: Path) -> None:
    """Write the pipeline in half precision without its encoder, which is the twin's."""
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "base" / "final" / "tokenizer")
    export(pipeline(refiner, reload(checkpoints / "vae"), tokenizer), folder)
    shutil.rmtree(folder / "text_encoder_2")


SCHOOL = School(
    plan=PLAN,
    prepare=prepare,
    build=new_refiner,
    lesson=sharpening,
    write=write,
    memory=torch.preserve_format,
)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
