"""Seeds: several in a row, and the noise between two of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.node import node
from engine.types import MAX_SEED, Noise, Seed, slider

Pictures = Annotated[int, Meta(ge=1, le=1000, description="How many pictures.")]
Variation = Annotated[float, slider(0, 1, "0 is the picture of the seed, 1 that of the other one.")]


@node(category="sampling", lane="inline")
def seeds(first: Seed = 0, count: Pictures = 4) -> list[Seed]:
    """One seed after another, for several pictures of one prompt.

    Wired into `seed` of a sampler it draws a picture for each. Each is the very picture that its seed draws
    alone, so the one that pleases can be drawn again, larger or with more steps.
    """
    return [(first + index) % (MAX_SEED + 1) for index in range(count)]


@node(category="sampling", lane="inline")
def vary_seed(seed: Seed = 0, variation_seed: Seed = 1, variation_strength: Variation = 0.1) -> Noise:
    """The noise of a seed, a little on the way to that of another: the same picture with small changes.

    Wire it into `noise` of a sampler, where it takes the place of the seed. Up to 0.2 the picture stays what
    it is; further on it becomes that of `variation_seed`. Methods that add noise on the way take theirs from
    `seed` all along, but at strength 1, where only `variation_seed` counts.
    """
    if variation_strength == 1:
        return Noise(variation_seed, variation_seed)
    if variation_strength == 0 or seed == variation_seed:
        return Noise(seed, seed)
    return Noise(seed, variation_seed, variation_strength)
