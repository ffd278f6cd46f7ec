"""Leave words out: what a picture would be without each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.node import node
from engine.types import (
    Conditioning,
    Denoiser,
    Guidance,
    Guide,
    Image,
    Latent,
    Prompt,
    Seed,
    Steps,
    Strength,
    TextEncoder,
    Vae,
)
from nodes.explain import check_parts, no_step, said
from nodes.explained import Influence, Words, chosen
from nodes.latent import decode_latent
from nodes.sample import Method, Spacing, drawn, way_of
from nodes.text import Marks, Skip, conditioning, learned_words

AtOnce = Annotated[
    int,
    Meta(ge=1, le=64, description="Pictures drawn at a time: more is faster on a graphics card, and larger."),
]


class LeftOut(NamedTuple):
    image: Image
    influence: Influence
    images: list[Image]
    captions: list[str]


@node(category="explain", kind="source", lane="gpu", fingerprint=learned_words)
def leave_words_out(
    model: Denoiser,
    encoder: TextEncoder,
    vae: Vae,
    text: Prompt,
    start: Latent,
    negative: Conditioning | None = None,
    steps: Steps = 20,
    guidance: Guidance = 7.0,
    method: Method = "euler",
    spacing: Spacing = "model",
    strength: Strength = 1.0,
    seed: Seed = 0,
    guides: list[Guide] | None = None,
    skip: Skip = 0,
    marks: Marks = "a1111",
    words: Words = "",
    at_once: AtOnce = 4,
    ctx: Context = SILENT,
) -> LeftOut:
    """Draw a picture again without each word of its prompt, from the same noise, and tell how it differs.

    This is what a word causes, where `explain` tells what was listened to; it takes as many times longer as
    there are words. `images` are the pictures in the order of the words, each without one, `captions` say
    which and how far from the whole prompt's `image` its colours are: the mean distance in Lab, where 2 can
    just be seen and 100 is black from white. A word that others say again changes little when it is left out.
    """
    from nodes._lib import explaining, hearing

    with weights(encoder) as held:
        reader, parts = said(held, text, marks)
        known = hearing.words_of(reader, parts)
        if not known:
            raise BadInput("text", got=text, want="at least one word")
        numbers = chosen(known, words)
        every = [parts, *(hearing.without(reader, parts, number) for number in numbers)]
        prompts = [conditioning(reader.read_parts(one, skip, marks), encoder) for one in every]
    check_parts(model, prompts[0], start, negative, guides)
    way = way_of(method, spacing, steps, strength, guidance, seed)
    if way is None:
        raise no_step(strength)
    latents: list[Latent] = []
    for batch in batches(model, prompts, negative, 1 if ctx.thrift else at_once):
        here = part_of(ctx, len(latents), len(batch), len(prompts))
        latents += drawn(model, batch, start, negative, way, guides or (), here)
    whole, *others = (decode_latent(vae, latent) for latent in latents)
    differences = [explaining.apart(whole, other) for other in others]
    left = [known[number] for number in numbers]
    captions = [f"no {word}: {far:.0f}" for word, far in zip(left, differences, strict=True)]
    return LeftOut(whole, Influence(left, differences), others, captions)


def part_of(ctx: Context, done: int, count: int, total: int) -> Context:
    """The words that a node says while it draws so many of all pictures; a cancel is heard at each step."""
    return Context(lambda part: ctx.progress((done + part * count) / total), ctx.preview, thrift=ctx.thrift)


def batches(
    model: Denoiser, prompts: Sequence[Conditioning], negative: Conditioning | None, size: int
) -> Iterator[Sequence[Conditioning]]:
    """Prompts that can be drawn at a time; one by one where a denoiser must know which picture it draws."""
    from nodes._lib import families, regions

    alike = len({prompt.embeds.shape for prompt in prompts}) == 1
    plain = negative is None or regions.plain(negative)
    if model.tweaks or not alike or not plain or families.family(model.family).handed:
        size = 1
    for first in range(0, len(prompts), size):
        yield prompts[first : first + size]
