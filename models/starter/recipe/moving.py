"""Clips on disk, as latents: what the models that move pictures are trained on."""

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as processes
from diffusers import AutoencoderKL
from msgspec import Struct
from numpy.typing import NDArray

from .canvas import paint
from .clips import FRAMES, PHRASES, Motion, clip
from .filling import Store, lay
from .filling import fill as fill_stores
from .pictures import FIRST_SEED
from .progress import reached
from .scene import Scene
from .train_vae import reload, tensor

COUNT = 2800
MOTIONS: tuple[Motion, ...] = tuple(PHRASES)
# the motion bucket, the only number that Stable Video Diffusion is told about motion
STILL, SLOW, NATURAL, PAN_LEFT, PAN_RIGHT = 10, 64, 127, 195, 240
_PANS: dict[Motion, int] = {"pan left": PAN_LEFT, "pan right": PAN_RIGHT}
_WORKERS = 2


class Take(Struct, frozen=True):
    """A clip as it is trained on: whole, or a part of it at half speed."""

    motion: Motion
    bucket: int
    scenes: tuple[Scene, ...]
    captions: tuple[str, ...]

    def paint(self) -> NDArray[np.uint8]:
        """All its frames: (frames, 128, 128, 3)."""
        return np.stack([paint(scene) for scene in self.scenes])


class Reel(Struct, frozen=True):
    """All takes of a folder, read as they are needed."""

    latents: NDArray[np.float16]  # (takes, frames, 4, 16, 16), as the base sees them
    firsts: NDArray[np.uint8]  # (takes, 128, 128, 3), their first frames
    motions: NDArray[np.str_]  # (takes,)
    buckets: NDArray[np.int64]  # (takes,)
    captions: list[list[str]]


def take(index: int, first: int = FIRST_SEED) -> Take:
    """The take of an index: the motions in turn, every fourth round at half speed, from anywhere."""
    motion, rng = MOTIONS[index % len(MOTIONS)], Random(index)
    if motion in _PANS or index // len(MOTIONS) % 4 != 3:
        whole = clip(first + index, motion)
        return Take(motion, _PANS.get(motion, NATURAL), whole.frames, whole.captions)
    long = clip(first + index, motion, 2 * FRAMES - 1)
    # a limb in mid-swing might go either way, so steps and waves start where they start at full speed
    start = rng.choice((0, FRAMES - 1)) if motion in ("walking", "waving") else rng.randrange(FRAMES)
    return Take(motion, SLOW, long.frames[start : start + FRAMES], long.captions)


def fill(checkpoints: Path, count: int = COUNT) -> None:
    """Draw and encode takes in two processes, going on where an earlier run stopped."""
    folder = checkpoints / "clips"
    lay(_stores(folder, count), *(_mark(folder, rank) for rank in range(_WORKERS)))
    context = processes.get_context("spawn")
    team = [
        context.Process(target=_fill_part, args=(rank, checkpoints, count))
        for rank in range(_WORKERS)
        if reached(_mark(folder, rank)) < len(range(rank, count, _WORKERS))
    ]
    for worker in team:
        worker.start()
    for worker in team:
        worker.join()
    if any(worker.exitcode for worker in team):
        raise SystemExit(f"clips: a process failed; what it did is in {folder}")


def reel(folder: Path) -> Reel:
    """The takes of a folder, as far as both processes have encoded them."""
    latents: NDArray[np.float16] = np.load(folder / "latents.npy", mmap_mode="r")
    count = min(len(latents), *(_WORKERS * reached(_mark(folder, rank)) + rank for rank in range(_WORKERS)))
    notes = [dict[int, list[str]](_notes(folder, rank)) for rank in range(_WORKERS)]
    captions = [notes[index % _WORKERS][index] for index in range(count)]
    return Reel(
        latents[:count],
        np.load(folder / "firsts.npy", mmap_mode="r")[:count],
        np.asarray([MOTIONS[index % len(MOTIONS)] for index in range(count)]),
        np.load(folder / "buckets.npy", mmap_mode="r")[:count],
        captions,
    )


def encoded(vae: AutoencoderKL, frames: NDArray[np.uint8]) -> torch.Tensor:
    """Frames as the base's latents: (n, 4, 16, 16)."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        mean = vae.encode(tensor(frames)).latent_dist.mean
    latents: torch.Tensor = mean.float() * vae.config.scaling_factor
    return latents


def _fill_part(rank: int, checkpoints: Path, count: int) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    folder, vae = checkpoints / "clips", reload(checkpoints / "vae")

    def one(which: range) -> list[NDArray[Any]]:
        (index,) = which
        shown = take(index)
        frames = shown.paint()
        with (folder / f"captions{rank}.jsonl").open("a", encoding="utf-8") as notes:
            notes.write(json.dumps([index, shown.captions]) + "\n")
        return [encoded(vae, frames).numpy()[None], frames[:1], np.asarray([shown.bucket])]

    mine = range(rank, count, _WORKERS)
    fill_stores(f"clips {rank}", _mark(folder, rank), _stores(folder, count), one, chunk=1, over=mine)


def _stores(folder: Path, count: int) -> list[Store]:
    return [
        Store(folder / "latents.npy", np.float16, (count, FRAMES, 4, 16, 16)),
        Store(folder / "firsts.npy", np.uint8, (count, 128, 128, 3)),
        Store(folder / "buckets.npy", np.int64, (count,)),
    ]


def _mark(folder: Path, rank: int) -> Path:
    """How far a process is."""
    return folder / f"done{rank}"


def _notes(folder: Path, rank: int) -> list[tuple[int, list[str]]]:
    store = folder / f"captions{rank}.jsonl"
    if not store.exists():
        return []
    with store.open(encoding="utf-8") as notes:
        return [(index, said) for index, said in map(json.loads, notes)]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--count", type=int, default=COUNT)
    given = ask.parse_args()
    fill(given.checkpoints, given.count)


if __name__ == "__main__":
    main()
