"""Measure what explanations say of pictures by the starter, whose one object is known by its colour.

python -m tests.explained
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.types import Conditioning, Image, Latent
from nodes._lib import explaining
from nodes.explain import Explained, explain
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text
from nodes.without import leave_words_out

Plane = NDArray[Any]
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross")
COLOURS = (
    "red",
    "green",
    "yellow",
    "orange",
    "purple",
    "blue",
    "black",
    "pink",
    "white",
    "gray",
    "brown",
    "cyan",
)
"""Each on the one that stands three places further on."""
FAR = 60
"""Steps of 255 in one channel by which a pixel differs from the background, to be of the object."""
RIM = 6
GUIDANCE = 4.0


class Asked(NamedTuple):
    """A prompt for one thing on a plain background."""

    colour: str
    shape: str
    ground: str

    @property
    def text(self) -> str:
        return f"{called(self.colour)} {self.shape} on {called(self.ground)} background"


def called(colour: str) -> str:
    return f"an {colour}" if colour[0] in "aeiou" else f"a {colour}"


class Found(NamedTuple):
    """The part of each word's heat that lies in the object's box, and of the picture that the box is."""

    box: float
    shape: float
    colour: float
    ground: float
    background: float


def asked(count: int) -> Iterator[Asked]:
    for number in range(count):
        colour = COLOURS[number % len(COLOURS)]
        ground = COLOURS[(number + 3 + number // len(COLOURS)) % len(COLOURS)]
        yield Asked(colour, SHAPES[number % len(SHAPES)], ground)


def box_of(pixels: Plane) -> tuple[slice, slice]:
    """The rows and columns of what differs from the rim of a picture."""
    found = pixels.astype(int)
    rim = np.concatenate(
        [part.reshape(-1, 3) for part in (found[:RIM], found[-RIM:], found[:, :RIM], found[:, -RIM:])]
    )
    far = np.abs(found - np.median(rim, 0)).max(2) > FAR
    rows, columns = np.flatnonzero(far.sum(1) > 1), np.flatnonzero(far.sum(0) > 1)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def share(plane: Plane, box: tuple[slice, slice]) -> float:
    """The part of a plane's heat that lies in a box."""
    return float(plane[box].sum() / plane.sum())


def found(explained: Explained, picture: Image, one: Asked, contrast: bool = True) -> Found:
    box = box_of(picture.pixels)
    explanation = explained.explanation
    heat = (
        explaining.heat(explanation.maps, contrast)
        .repeat(explanation.factor, 1)
        .repeat(explanation.factor, 2)
    )
    words = (one.shape, one.colour, one.ground, "background")
    return Found(
        share(np.ones(heat.shape[1:]), box),
        *(
            share(heat[len(explanation.words) - 1 - explanation.words[::-1].index(word)], box)
            for word in words
        ),
    )


def drawn(model: Loaded, one: Asked, seed: int, start: Latent, **options: Any) -> tuple[Explained, Image]:
    told = explain(
        model.denoiser, model.text_encoder, one.text, start, guidance=GUIDANCE, seed=seed, **options
    )
    return told, decode_latent(model.vae, told.latent)


def main() -> None:
    model = load_model("starter")
    start = empty_latent(model.denoiser)
    every = list(asked(24))
    for contrast, title in ((True, "contrast"), (False, "bare")):
        if contrast:
            told = [(one, *drawn(model, one, seed, start)) for seed, one in enumerate(every)]
        said(title, [found(explained, picture, one, contrast) for one, explained, picture in told])
    prompt = encode_text(model.text_encoder, every[0].text)
    ratio(model, prompt, every[0].text, start)
    ranked(model, every[:12], start)


def said(title: str, rows: Sequence[Found]) -> None:
    for name in Found._fields:
        each = [getattr(row, name) for row in rows]
        most = sum(one >= 0.6 for one in each)
        tell(
            f"{title} {name}: mean {np.mean(each):.2f}, from {min(each):.2f} to {max(each):.2f}, "
            f"0.6 and more in {most} of {len(each)}"
        )


def ratio(model: Loaded, prompt: Conditioning, text: str, start: Latent, rounds: int = 5) -> None:
    """How much longer it takes than sampling, turn by turn; of each the fastest."""
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        begin = time.process_time()
        sample(model.denoiser, prompt, start, guidance=GUIDANCE, seed=7)
        middle = time.process_time()
        explain(model.denoiser, model.text_encoder, text, start, guidance=GUIDANCE, seed=7)
        times[0].append(middle - begin)
        times[1].append(time.process_time() - middle)
    usual, watched = map(min, times)
    tell(f"cost: {usual:.2f} s without, {watched:.2f} s with, {watched / usual:.2f} times")


def ranked(model: Loaded, every: Sequence[Asked], start: Latent) -> None:
    """Which word changes most when it is left out, and whether both colours come before all else."""
    first, both = 0, 0
    for seed, one in enumerate(every):
        out = leave_words_out(
            model.denoiser, model.text_encoder, model.vae, one.text, start, guidance=GUIDANCE, seed=seed
        ).influence
        order = [word for _, word in sorted(zip(out.differences, out.words, strict=True), reverse=True)]
        first += order[0] in (one.colour, one.ground)
        both += set(order[:2]) == {one.colour, one.ground}
        tell(f"{one.text}: {dict(zip(out.words, np.round(out.differences, 1).tolist(), strict=True))}")
    tell(f"a colour first: {first} of {len(every)}; both colours first: {both} of {len(every)}")


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
