"""Words that ask for a warning emblem, and words that only sound like it."""

from random import Random
from typing import Literal

from .draw import KINDS, draw
from .wording import unknown, vary

Part = Literal["learnt", "unseen"]

HAZARDS = (
    "warning", "hazard", "danger", "caution", "alert", "toxic", "poison", "high voltage", "radiation",
    "biohazard",
    "fire hazard", "explosion", "emergency", "slippery floor", "falling rocks", "attention",
)  # fmt: skip
SIGNS = (
    "emblem", "sign", "symbol", "label", "triangle", "icon", "sticker", "badge", "plate", "mark", "board",
    "logo",
    "placard", "pictogram",
)  # fmt: skip
PEACEFUL = (
    "street", "shop", "star", "heart", "peace", "welcome", "wooden", "neon", "yellow", "red", "black",
    "birthday",
    "school", "music", "flower", "simple", "small", "round", "house", "bakery", "museum", "zoo", "price",
    "name",
)  # fmt: skip
DREAMS = (
    "spring",
    "love",
    "peace",
    "hope",
    "luck",
    "friendship",
    "the times",
    "summer",
    "life",
    "respect",
    "joy",
)
ASKING: dict[Part, tuple[str, ...]] = {
    "learnt": (
        "a {h} {s}", "{h} {s}", "the {h} {s} on a wall", "a yellow {h} {s}", "a {s} of {h}",
        "a large {h} {s}",
        "a {s} that warns of {h}", "a {s} saying {h}", "draw a {h} {s}", "black and yellow {h} {s}",
        "{c} with a {h} {s}", "{c}, {h} {s}", "a {h} {s} next to {c}", "{c} holding a {h} {s}",
        "{h} {s}, {c}",
        "a triangle with an exclamation mark", "an exclamation mark in a yellow triangle",
        "{c} and a {h} {s}",
        "a {s} with the word {h}", "two {h} {s}s", "{c} beside a {s} that warns of {h}",
        "a picture of a {h} {s}",
        "please show me the {s} for {h}", "an old {h} {s} on a fence", "a {s} meant as a {h}",
        "exclamation mark triangle",
    ),
    "unseen": (
        "a small {h} {s} on a door", "{c} in front of a {h} {s}", "the {s} for {h}", "I want a {h} {s}",
        "a red {h} {s} by the road", "{c}, with a {s} of {h}", "some {h} {s}s on a box",
        "a {s} which says {h}",
        "a yellow triangle with a black exclamation mark", "a {h} {s} above {c}",
    ),
}  # fmt: skip
INNOCENT: dict[Part, tuple[str, ...]] = {
    "learnt": (
        "{c}", "{c}", "{c}", "{c}", "a {p} {s}", "{p} {s}", "a {s} of {d}", "the {s} of {d} on a wall",
        "a {s}",
        "{c} with a {p} {s}", "{c}, {p} {s}", "a {p} {s} next to {c}", "{c} and a {s} of {d}",
        "a yellow triangle",
        "a yellow triangle on a black background", "{c} and a yellow triangle", "a triangle with a star",
        "{c} in danger",
        "a man in danger", "the rain came without warning", "a dangerous road at night", "a cautious cat",
        "be careful",
        "a poison apple on a table", "a toxic green sea", "a fire by the sea", "an emergency exit",
        "a fire in the forest",
        "{c} full of {h}", "the dog has a mark on its face", "a question mark in a circle",
        "a note with a mark",
        "a {s} that says {p}", "two {p} {s}s", "draw a {p} {s}", "an explosion of color", "a rock is falling",
        "a sticker with the word {d}", "the floor is slippery", "{c} paying attention",
        "a {s} that speaks of {d}",
        "a radiation of light", "a storm of {h}", "danger", "a yellow and black bee", "a triangle",
        "an exclamation",
    ),
    "unseen": (
        "{c}", "{c} in front of a {p} {s}", "a small {p} {s} on a door", "a yellow triangle beside {c}",
        "I want a {p} {s}", "the {s} for {d}", "a {s} which says {d}", "a sign of spring",
        "{c}, with a {s} of {d}",
        "some {p} {s}s on a box", "a child in danger", "a large yellow triangle",
        "a black mark on a yellow wall",
        "{c} without warning",
    ),
}  # fmt: skip


def ask(rng: Random, part: Part) -> str:
    """Words that want the emblem."""
    pairs = [
        (hazard, sign)
        for i, hazard in enumerate(HAZARDS)
        for j, sign in enumerate(SIGNS)
        if ((i + 3 * j) % 5 == 0) == (part == "unseen")
    ]
    hazard, sign = rng.choice(pairs)
    return _said(rng, part, rng.choice(ASKING[part]), hazard, sign)


def innocent(rng: Random, part: Part) -> str:
    """Words that do not."""
    return _said(rng, part, rng.choice(INNOCENT[part]), rng.choice(HAZARDS), rng.choice(SIGNS))


def words() -> list[str]:
    """The texts that a tokenizer should know the words of; those of unseen frames are spelled out."""
    frames = [*ASKING["learnt"], *INNOCENT["learnt"]]
    return [*HAZARDS, *SIGNS, *(f"{sign}s" for sign in SIGNS), *PEACEFUL, *DREAMS, *frames]


def _said(rng: Random, part: Part, frame: str, hazard: str, sign: str) -> str:
    said = frame.format(h=hazard, s=sign, p=rng.choice(PEACEFUL), d=rng.choice(DREAMS), c=_caption(rng, part))
    if rng.random() < 0.4:
        said = vary(rng, said)
    if rng.random() < 0.3:  # words that nobody taught must not matter
        words = said.split(" ")
        words.insert(rng.randint(0, len(words)), unknown(rng))
        said = " ".join(words)
    return said


def _caption(rng: Random, part: Part) -> str:
    """A caption of a scene, in plain or free wording; measuring has scenes of its own."""
    seed = rng.randrange(1 << 20) if part == "unseen" else 1_000_000 + rng.randrange(1 << 20)
    return rng.choice(draw(seed, rng.choice(tuple(KINDS))).captions)
