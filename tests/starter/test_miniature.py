"""The whole recipe in small: from nothing to pictures that follow their prompts, in about a minute."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from recipe import pictures
from recipe.base import Base
from recipe.exam import mark, questions
from recipe.hogwild import Plan, averaged, train
from recipe.latents import encode, shelf, tokenize
from recipe.measure_base import generate
from recipe.train_base import denoising, pipeline
from recipe.train_vae import reload, tensor
from recipe.vae import new_vae, whiten
from transformers import CLIPTokenizer

CHANNELS = (32, 48, 48)
SIZE, BATCH = 64, 48  # small pictures take a quarter of the time
# one process, since two disturb each other most at the beginning of a run
PLAN = Plan("miniature", 170, 3e-3, warm=20, hold=0.5, ema=0.97, workers=1)


@pytest.mark.timeout(900)
def test_a_miniature_made_from_nothing_draws_the_colours_it_is_asked_for(tmp_path: Path) -> None:
    with one_thread():
        pictures.render(tmp_path / "pictures", 600, SIZE, kind="shapes")
        untrained_autoencoder(tmp_path)
        tokenize(tmp_path / "pictures", tmp_path / "latents")
        encode(tmp_path / "pictures", tmp_path / "vae", tmp_path / "latents")
        torch.manual_seed(1)
        base = Base(shelf(tmp_path / "latents").vocabulary, CHANNELS)
        train(base, functools.partial(denoising, tmp_path, "cpu", BATCH), PLAN, tmp_path / "base")
        losses = np.loadtxt(tmp_path / "base" / "log.csv", delimiter=",")[:, 1]
        assert losses[-3:].mean() < 0.6 * losses[:2].mean()
        asked = [question for question in questions(60) if len(question.things) == 1]
        tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "latents" / "tokenizer")
        drawing = pipeline(averaged(base, tmp_path / "base"), reload(tmp_path / "vae"), tokenizer)
        made = generate(drawing, [question.prompt for question in asked], steps=8, size=SIZE)
    right, luck = mark(asked, made), mark(asked, made[7:] + made[:7])
    assert right["background"] > 0.25
    assert right["background"] > luck["background"] + 0.15


def untrained_autoencoder(checkpoints: Path) -> None:
    """It keeps colours before any training; whitening makes its latents fit for a denoiser."""
    torch.manual_seed(0)
    vae = new_vae((8, 16, 16, 16)).eval()
    whiten(vae, tensor(np.asarray(pictures.load(checkpoints / "pictures")[:64])))
    vae.save_pretrained(checkpoints / "vae" / "final")


@contextmanager
def one_thread() -> Iterator[None]:
    """More only get into the way of the process that trains."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
