"""Explain a picture while it is drawn: which word was heeded where, and how far the prompt moved it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput, Unsupported
from engine.memory import weights
from engine.node import node
from engine.types import (
    Conditioning,
    Denoiser,
    Fraction,
    Guidance,
    Guide,
    Latent,
    Noise,
    Prompt,
    Schedule,
    Seed,
    Steps,
    Strength,
    TextEncoder,
    Value,
)
from nodes.sample import EndStep, Method, Spacing, StartStep, check, check_guide, drawn, way_of
from nodes.text import Marks, Skip, conditioning, learned_words, taught

if TYPE_CHECKING:
    from engine.prompting import Part
    from engine.types import Array
    from nodes._lib.hearing import Word
    from nodes._lib.heeding import Eyes
    from nodes._lib.parts import Denoising
    from nodes._lib.reading import Reader


class Explanation(Value, frozen=True, eq=False):
    """How much each place of a picture heeded each word while it was drawn."""

    text: str
    words: list[str]
    maps: Array
    """words × height × width, float32: the part of a place's attention that a word had"""
    rest: Array
    """height × width, float32: the part that no word had: filling, marks, and the picture itself"""
    guidance: Array
    """steps × height × width, float32: how far the prompt moved the answer of each step"""
    layers: list[str]
    """The layers that were looked at."""
    factor: int
    """Pixels along a place."""
    made: dict[str, str]
    """By what, and how."""


class Explained(NamedTuple):
    latent: Latent
    seed: Seed
    explanation: Explanation


@node(category="explain", kind="source", lane="gpu", fingerprint=learned_words)
def explain(
    model: Denoiser,
    encoder: TextEncoder,
    text: Prompt,
    start: Latent,
    negative: Conditioning | None = None,
    steps: Steps = 20,
    guidance: Guidance = 7.0,
    method: Method = "euler",
    spacing: Spacing = "model",
    strength: Strength = 1.0,
    start_step: StartStep = 0,
    end_step: EndStep | None = None,
    seed: Seed = 0,
    guides: list[Guide] | None = None,
    noise: Noise | None = None,
    schedule: Schedule | None = None,
    skip: Skip = 0,
    marks: Marks = "a1111",
    from_step: Annotated[Fraction, Meta(description="The part of the steps before it looks.")] = 0.0,
    to_step: Annotated[Fraction, Meta(description="The part of the steps after which it stops.")] = 1.0,
    from_layer: Annotated[Fraction, Meta(description="The part of the layers to leave out at first.")] = 0.0,
    to_layer: Annotated[Fraction, Meta(description="The part of the layers after which it stops.")] = 1.0,
    middle: Annotated[
        bool, Meta(description="Look at the middle block of a UNet, too, which has few places.")
    ] = False,
    ctx: Context = SILENT,
) -> Explained:
    """Sample like `sample`, and see on the way which word is heeded where.

    The latent is to the bit what `sample` gives for the same prompt, settings and seed; it takes about a
    quarter longer. `encoder` and `text` stand in for the prompt, since it must know the words.

    Each place of a picture divides its attention among the words at every step and in every layer; the
    explanation is the mean of that. Early steps decide what is where, late ones how it looks; the first
    layers of a UNet see fine detail, then the whole, the last ones the detail again. Its middle block has so
    few places that it says little of where, and is left out (as in DAAM, Tang et al. 2023). Where the
    model's attention is joint, as in Flux, what a place heeds of the picture itself is no word's.

    What a word was heeded says where it was listened to, not what it caused: for that see `leave_words_out`.
    """
    import numpy as np

    from nodes._lib import families, hearing

    if from_step >= to_step:
        raise BadInput("to_step", got=to_step, want=f"more than from_step, {from_step}")
    if from_layer >= to_layer:
        raise BadInput("to_layer", got=to_layer, want=f"more than from_layer, {from_layer}")
    with weights(encoder) as held:
        reader, parts = said(held, text, marks)
        words = hearing.heard(reader, parts)
        positive = conditioning(reader.read_parts(parts, skip, marks), encoder)
    if not words:
        raise BadInput("text", got=text, want="at least one word")
    check_parts(model, positive, start, negative, guides)
    way = way_of(
        method, spacing, steps, strength, guidance, seed,
        start_step=start_step, end_step=end_step, noise=noise, schedule=schedule,
    )  # fmt: skip
    if way is None:
        raise no_step(strength)
    found: list[Eyes] = []

    def watched(wanted: Conditioning, held: Denoising) -> Eyes:
        found.append(eyes_for(held, positive, wanted, words, from_step, to_step))
        return found[0]

    [latent] = drawn(model, [positive], start, negative, way, guides or (), ctx, watched)
    [eyes] = found
    layers = [layer for layer in eyes.layers() if middle or "mid_block" not in layer] or eyes.layers()
    if not layers:
        raise Unsupported(
            f"An explanation is not available for {families.family(model.family).title}: "
            "nothing in its attention tells words from the picture.",
            remedy="Use `leave_words_out`, which works for every model.",
        )
    chosen = layers[int(from_layer * len(layers)) : max(1, -int(-to_layer * len(layers) // 1))]
    maps = eyes.maps(chosen).numpy()
    steps_seen = [one.numpy() for one in eyes.guidance]
    made = {
        "model": model.name, "sha256": model.sha256, "family": model.family, "method": method,
        "steps": str(way.steps), "guidance": f"{guidance:g}", "seed": str(way.seed),
        "seen": f"steps {from_step:g} to {to_step:g}, layers {from_layer:g} to {to_layer:g}",
    }  # fmt: skip
    explanation = Explanation(
        text, [word.text for word in words], maps[:-1], maps[-1],
        np.stack(steps_seen) if steps_seen else np.zeros((0, *maps.shape[1:]), np.float32),
        chosen, start.factor, made,
    )  # fmt: skip
    return Explained(latent, way.seed, explanation)


# -- how it is asked


def said(held: Reader, text: str, marks: Marks) -> tuple[Reader, Sequence[Part]]:
    """What a prompt says, and who reads it; only a prompt that stays the same can be explained."""
    from engine import prompting

    reader = taught(held, text, marks)
    stages = prompting.stages(text, marks != "off" and reader.marks)
    if len(stages) > 1 or len(stages[0].turns) > 1:
        raise BadInput(
            "text",
            got="a prompt that changes while the picture is drawn",
            want="one that stays the same",
            remedy="Take out what looks like [a:b:0.5] or [a|b].",
        )
    return reader, stages[0].turns[0]


def check_parts(
    model: Denoiser,
    positive: Conditioning,
    start: Latent,
    negative: Conditioning | None,
    guides: Sequence[Guide] | None,
) -> None:
    """Refuse parts that do not fit the model."""
    check(model, positive, start, negative)
    for guide in guides or ():
        check_guide(model, guide)


def no_step(strength: float) -> BadInput:
    return BadInput("strength", got=strength, want="enough for one step", remedy="Raise it.")


def eyes_for(
    held: Denoising,
    positive: Conditioning,
    wanted: Conditioning,
    words: Sequence[Word],
    start: float,
    end: float,
) -> Eyes:
    """Eyes for a prompt as it is heard; it may have been said again to be as long as the other one."""
    from nodes._lib import heeding
    from nodes._lib.arrays import tensor

    once, length = len(positive.embeds), len(wanted.embeds)
    again = range(0, length if length > once else 1, once)
    rows = [[row + more for more in again for row in word.rows] for word in words]
    return heeding.Eyes(held.family.heard, held.family.cells, tensor(wanted.embeds), rows, start, end)
