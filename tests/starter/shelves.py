"""A shelf of a few drawn pictures and a base that knows nothing, to try lessons on."""

from pathlib import Path

import torch
from recipe import copies, latents, pictures, train_clip
from recipe.base import Base
from recipe.train_base import export, pipeline
from recipe.vae import new_vae
from transformers import CLIPTokenizer

CHANNELS = (16, 32, 32)


def small_checkpoints(folder: Path, count: int = 32) -> Path:
    """Everything that a lesson beside the base reads, drawn and untrained, in a moment."""
    torch.manual_seed(0)
    pictures.render(folder / "pictures", count)
    latents.tokenize(folder / "pictures", folder / "latents")
    vae = new_vae((8, 16, 16, 16)).eval()
    vae.save_pretrained(folder / "vae" / "final")
    latents.encode(folder / "pictures", folder / "vae", folder / "latents")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "latents" / "tokenizer")
    base = Base(len(tokenizer), CHANNELS)
    export(pipeline(base, vae, tokenizer), folder / "base" / "final")
    return folder


def scored_checkpoints(folder: Path, count: int) -> Path:
    """The same with an untrained scorer, whose eye others start with."""
    small_checkpoints(folder, count)
    copies.prepare(folder)
    train_clip.write(folder, train_clip.new_scorer(folder), folder / "clip" / "final")
    return folder
