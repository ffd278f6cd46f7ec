"""Sums of prompts: mix them, line them up, let one follow another, and give each its place."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Conditioning, Fraction, Mask, slider, ui

Amount = Annotated[
    float,
    slider(0, 1, "0 is the first prompt, 1 the second."),
]
Factor = Annotated[
    float,
    slider(-10, 10, "1 leaves it as it is.", step=0.05),
]
Weight = Annotated[
    float,
    slider(0, 10, "How much it counts beside other prompts in the same place.", step=0.05),
]
Edge = Annotated[
    float,
    slider(0, 1, "A part of the picture's width or height: 0 is left or top, 1 right or bottom."),
]
Side = Annotated[
    float,
    Meta(
        gt=0,
        le=1,
        description="A part of the picture's width or height; 1 is all of it.",
        extra_json_schema=ui("slider", step=0.01),
    ),
]
Length = Annotated[int, Meta(ge=1, le=16_384, description="A width or height, in pixels.")]
Offset = Annotated[int, Meta(ge=0, le=16_384, description="Pixels that were cut off on this side.")]
Score = Annotated[float, Meta(ge=0, le=10, description="How beautiful: 6 is the usual, 2.5 what to avoid.")]


@node(category="prompts")
def average_prompts(a: Conditioning, b: Conditioning, amount: Amount = 0.5) -> Conditioning:
    """Mix two prompts: something between the one and the other.

    A prompt that is shorter is said again until it is as long. In the middle between two things the picture
    often shows a creature of both; a list of amounts makes a row of pictures from one to the other.
    """
    from nodes._lib import following

    check_alike(a, b)
    if amount in (0.0, 1.0):
        return (a, b)[int(amount)]
    return following.both(lambda one, two: following.averaged(one, two, amount), a, b)


@node(category="prompts")
def concatenate_prompts(a: Conditioning, b: Conditioning) -> Conditioning:
    """Put the words of one prompt behind those of another.

    Unlike one text with both, neither is read in the light of the other; it is what `BREAK` in a prompt does.
    """
    from nodes._lib import following

    check_alike(a, b)
    return following.both(following.followed, a, b)


@node(category="prompts")
def scale_prompt(prompt: Conditioning, factor: Factor = 1.0) -> Conditioning:
    """Make all words of a prompt weigh more or less.

    Around 0.8 to 1.3 it does what it says; far from 1 a model meets what it never learned.
    """
    from nodes._lib import following

    check_words(prompt, "prompt")
    return following.each(lambda one: following.scaled(one, factor), prompt)


@node(category="prompts")
def zero_prompt(prompt: Conditioning) -> Conditioning:
    """A prompt that says nothing at all: only zeros, as long as the given one.

    That is less than the empty prompt, which a text encoder reads too. Some models were taught with it as
    their negative prompt.
    """
    from nodes._lib import following

    check_words(prompt, "prompt")
    return following.each(lambda one: following.scaled(one, 0.0), prompt)


@node(category="prompts")
def switch_prompts(first: Conditioning, then: Conditioning, at: Fraction = 0.5) -> Conditioning:
    """One prompt for the first part of the steps, another for the rest.

    `at` is the part of the steps after which it changes: early steps decide what is where, late ones how it
    looks. Inside a prompt `[first:then:0.5]` says the same.
    """
    from nodes._lib import following

    check_alike(first, then, "first", "then")
    return following.switched(first, then, at)


@node(category="prompts")
def limit_to_area(
    prompt: Conditioning,
    left: Edge = 0.0,
    top: Edge = 0.0,
    width: Side = 0.5,
    height: Side = 1.0,
    softness: Fraction = 0.0,
    strength: Weight = 1.0,
) -> Conditioning:
    """Let a prompt apply only in a rectangle of the picture.

    All is in parts of the picture, so `left` 0.5, `width` 0.5 is its right half, at any size. `softness` is
    how wide the edge fades, also as a part of the picture. Put several places together with
    `combine_prompts`; where no prompt applies the model draws what it likes.
    """
    from nodes._lib import following

    if left >= 1 or top >= 1:
        name, got = ("left", left) if left >= 1 else ("top", top)
        raise BadInput(name, got=got, want="less than 1", remedy="Begin within the picture.")
    mask = following.area(left, top, width, height, softness)
    return limited(prompt, mask, strength)


@node(category="prompts")
def limit_to_mask(prompt: Conditioning, mask: Mask, strength: Weight = 1.0) -> Conditioning:
    """Let a prompt apply only where a mask is white.

    The mask is laid over the whole picture, whatever its size; grey applies in part. Put several places
    together with `combine_prompts`; where no prompt applies the model draws what it likes.
    """
    if not mask.pixels.size:
        raise BadInput("mask", got="an empty mask", want="one that has pixels")
    return limited(prompt, mask.pixels, strength)


@node(category="prompts")
def combine_prompts(
    a: Conditioning, b: Conditioning, c: Conditioning | None = None, d: Conditioning | None = None
) -> Conditioning:
    """Let several prompts apply at once, each in its own place.

    Give each its place with `limit_to_area` or `limit_to_mask` first; one without a place applies everywhere.
    Where several apply, each counts by its strength. Every prompt more costs the time of one more picture at
    each step. For more than four combine what was combined.
    """
    given = {name: prompt for name, prompt in zip("abcd", (a, b, c, d), strict=True) if prompt is not None}
    for name, prompt in given.items():
        check_kind(a, prompt, name)
    apart = [one for p in given.values() for one in (msgspec.structs.replace(p, also=()), *p.also)]
    return msgspec.structs.replace(apart[0], also=tuple(apart[1:]))


@node(category="prompts")
def set_sizes(
    prompt: Conditioning,
    width: Length | None = None,
    height: Length | None = None,
    left: Offset = 0,
    top: Offset = 0,
    target_width: Length | None = None,
    target_height: Length | None = None,
    aesthetic_score: Score | None = None,
) -> Conditioning:
    """Tell a model of the kind of Stable Diffusion XL what picture it shall draw as if from: sizes, crops.

    It was taught with pictures of all sizes, and was told them. `width` and `height` are those of the picture
    before it was scaled and cropped: 256 gives the soft look of an enlarged small one, 2048 finer details.
    `left` and `top` say how much was cut off there: at 0 things stand whole and in the middle. The target is
    the size that the picture was scaled to. What is left out is the size that is drawn.

    The refiner was told a score for beauty in place of the target. A negative prompt may be told other
    numbers, such as small sizes; without any it is told the same. Do this last, right before the sampler.
    """
    import numpy as np

    from nodes._lib import families

    family = families.family(prompt.family)
    if not family.told:
        raise BadInput(
            "prompt",
            got=f"a prompt for {family.title}",
            want="one for a model that is told sizes",
            remedy="Leave this step out.",
        )
    target = sides("target_width", target_width, "target_height", target_height)
    scored = () if aesthetic_score is None else (aesthetic_score,)
    untold, given = ("target_width", target) if family.told == "score" else ("aesthetic_score", scored)
    if given:
        raise BadInput(
            untold,
            got=given[-1],
            want=f"nothing, since {family.title} never heard of it",
            remedy="Leave it out.",
        )
    said = {
        "original_size": sides("width", width, "height", height),
        "crops_coords_top_left": (top, left),
        "target_size": target,
        "aesthetic_score": scored,
    }
    more = {name: np.asarray(value, np.float32) for name, value in said.items() if value}
    return msgspec.structs.replace(prompt, more={**prompt.more, **more})


def sides(across: str, width: int | None, down: str, height: int | None) -> tuple[int, ...]:
    """Height and width, or nothing. Raises BadInput for one without the other."""
    if width is None and height is None:
        return ()
    if width is None or height is None:
        name, other = (across, down) if width is None else (down, across)
        raise BadInput(
            name, got="nothing", want=f"a number, as {other} is given", remedy="Give both or none."
        )
    return (height, width)


def limited(prompt: Conditioning, mask: object, strength: float) -> Conditioning:
    check_placed(prompt, "prompt")
    check_whole(prompt, "prompt", "Give each prompt its place first, and combine them then.")
    return msgspec.structs.replace(prompt, mask=mask, strength=strength)


def check_alike(a: Conditioning, b: Conditioning, *names: str) -> None:
    """Both of one model and for the whole picture."""
    one, two = names or ("a", "b")
    for name, prompt in ((one, a), (two, b)):
        check_words(prompt, name)
        check_whole(prompt, name, "Do this first, and give prompts their places afterwards.")
    check_kind(a, b, two)


def check_words(prompt: Conditioning, name: str) -> None:
    """Raise BadInput for a prompt that only its own pipeline understands."""
    from nodes._lib.families import FAMILIES

    if (row := FAMILIES.get(prompt.family)) is not None and not row.clips:
        raise BadInput(
            name,
            got=f"a prompt for {row.title}",
            want="one that was read word by word",
            remedy="Say it in one text instead.",
        )


def check_placed(prompt: Conditioning, name: str) -> None:
    """Raise BadInput for a prompt of a family that hears one prompt for the whole picture."""
    from nodes._lib.families import FAMILIES

    if (row := FAMILIES.get(prompt.family)) is not None and not row.guided:
        check_words(prompt, name)


def check_whole(prompt: Conditioning, name: str, remedy: str) -> None:
    if prompt.mask is not None or prompt.also:
        raise BadInput(
            name, got="a prompt for a part of the picture", want="one for all of it", remedy=remedy
        )


def check_kind(a: Conditioning, b: Conditioning, name: str) -> None:
    if (a.family, a.embeds.shape[-1]) != (b.family, b.embeds.shape[-1]):
        raise BadInput(
            name,
            got=f"of family {b.family!r}, {b.embeds.shape[-1]} wide",
            want=f"family {a.family!r}, {a.embeds.shape[-1]} wide, like the first",
            remedy="Encode all prompts with the same text encoder.",
        )
