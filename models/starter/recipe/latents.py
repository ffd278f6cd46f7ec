"""Latents and caption tokens on disk: what the denoisers are trained on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from . import pictures
from .draw import CAPTIONS
from .filling import Store, fill
from .hogwild import flushing
from .progress import reached
from .scene import Kind
from .tokenizer import LENGTH, build
from .train_vae import reload, tensor

_BATCH = 32


class Shelf(Struct, frozen=True):
    """Everything a denoiser learns from, read as it is needed."""

    latents: NDArray[np.float16]  # (pictures, 4, 16, 16)
    tokens: NDArray[np.int16]  # (pictures, captions, 77)
    lengths: NDArray[np.int16]  # (pictures, captions)
    kinds: NDArray[np.str_]  # (pictures,)
    vocabulary: int

    @property
    def empty(self) -> NDArray[np.int64]:
        """The tokens of no caption at all."""
        row = np.full(LENGTH, self.vocabulary - 1, np.int64)
        row[0] = self.vocabulary - 2
        return row

    def of_kind(self, kind: Kind) -> NDArray[np.int64]:
        """The pictures of one kind."""
        return np.flatnonzero(self.kinds == kind)


def encode(source: Path, vae_folder: Path, folder: Path) -> None:
    """Encode all pictures of a folder, going on where an earlier run stopped."""
    shown = pictures.load(source)
    fill_latents(
        folder / "latents.npy",
        folder / "encoded",
        len(shown),
        vae_folder,
        lambda which: np.asarray(shown[which.start : which.stop]),
        side=shown.shape[1] // 8,
    )


def fill_latents(
    path: Path,
    mark: Path,
    count: int,
    vae_folder: Path,
    shown: Callable[[range], NDArray[np.uint8]],
    *,
    side: int = 16,
) -> None:
    """Fill a file with the latents of `count` pictures, going on where an earlier run stopped."""
    vae = reload(vae_folder).to(memory_format=torch.channels_last)

    def some(which: range) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            means = vae.encode(tensor(shown(which))).latent_dist.mean
        return [(means * vae.config.scaling_factor).numpy()]

    store = Store(path, np.float16, (count, 4, side, side))
    with flushing():
        fill(mark.parent.name, mark, [store], some, chunk=_BATCH)


def tokenize(source: Path, folder: Path) -> None:
    """Train the tokenizer and write the tokens of every caption."""
    said = pictures.captions(source)
    tokenizer = build([caption for many in said for caption in many], folder / "tokenizer")
    flat = [caption for many in said for caption in many]
    coded = tokenizer(flat, padding="max_length", max_length=LENGTH, truncation=True)
    tokens = np.asarray(coded.input_ids, np.int16).reshape(len(said), CAPTIONS, LENGTH)
    np.save(folder / "tokens.npy", tokens)
    np.save(
        folder / "lengths.npy",
        np.asarray(coded.attention_mask).sum(-1).reshape(len(said), CAPTIONS).astype(np.int16),
    )
    np.save(folder / "kinds.npy", np.asarray(pictures.kinds(source)))


def shelf(folder: Path) -> Shelf:
    """The shelf of a folder, as far as it is encoded."""
    count = reached(folder / "encoded")
    latents: NDArray[np.float16] = np.load(folder / "latents.npy", mmap_mode="r")
    return Shelf(
        latents[:count],
        np.load(folder / "tokens.npy", mmap_mode="r")[:count],
        np.load(folder / "lengths.npy")[:count],
        np.load(folder / "kinds.npy")[:count],
        len(CLIPTokenizer.from_pretrained(folder / "tokenizer")),
    )


def colours(latents: NDArray[np.float16], shown: NDArray[np.uint8]) -> dict[str, object]:
    """The linear map from latents to colours (-1 to 1) for previews: four rows and an offset."""
    seen = latents.astype(np.float64).transpose(0, 2, 3, 1).reshape(-1, 4)
    means = shown.reshape(len(shown), 16, 8, 16, 8, 3).mean((2, 4)).reshape(-1, 3) / 127.5 - 1
    rows, *_ = np.linalg.lstsq(np.c_[seen, np.ones(len(seen))], means, rcond=None)
    left = means - np.c_[seen, np.ones(len(seen))] @ rows
    told = 1 - left.var() / means.var()
    how = f"Least squares from latents to the means of 8 x 8 pixels; the last row is added. R2 {told:.3f}."
    return {"latent_to_rgb": rows.round(4).tolist(), "how": how}


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    checkpoints = Path(sys.argv[1])
    if not (checkpoints / "latents" / "tokens.npy").exists():
        tokenize(checkpoints / "pictures", checkpoints / "latents")
    encode(checkpoints / "pictures", checkpoints / "vae", checkpoints / "latents")
