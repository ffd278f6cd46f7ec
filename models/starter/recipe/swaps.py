"""Captions made wrong by one word, so that a scorer must look at every one."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, pairwise
from random import Random

from .claims import HOMES, SETTINGS, SIDES, TIMES
from .draw import draw
from .faces import EXPRESSIONS, HEADS
from .land import TERRAINS
from .objects import NAMES as OBJECTS
from .palette import COLOURS
from .people import HAIR
from .pictures import FIRST_SEED
from .pose import NAMES as POSES
from .scene import Kind
from .shapes import PLACES, SHAPES
from .wording import plural

Group = tuple[str, ...]  # phrases that mean the same
_READ = 3000  # scenes whose captions show which words may stand side by side


def _each(*words: str) -> tuple[Group, ...]:
    return tuple((word,) for word in words)


_COLOURS, _SIDES, _TIMES = _each(*COLOURS), _each(*SIDES), tuple(TIMES.values())
# for each kind of scene, the words of which one is put for another
_CHOICES: dict[Kind, tuple[tuple[Group, ...], ...]] = {
    "shapes": (
        _COLOURS,
        _each(*SHAPES),
        _each(*map(plural, SHAPES)),
        _each("two", "three", "four"),
        _each("small", "large"),
        _each(*PLACES),
        (("to the left of",), ("to the right of",), ("above", "over"), ("below", "under"), ("inside",)),
    ),
    "face": (
        _COLOURS,
        _each(*HAIR),
        _each(*EXPRESSIONS),
        _each(*(head for head in HEADS if head not in ("man", "woman"))),
        _each("man", "woman"),
    ),
    "person": (
        _COLOURS,
        _each(*HAIR),
        _each(*POSES),
        _each("man", "woman", "child"),
        _SIDES,
        tuple(SETTINGS.values()),
    ),
    "object": (
        _COLOURS,
        _each(*OBJECTS),
        _SIDES,
        _each("looking left", "looking right"),
        _each(*HOMES),
    ),
    "land": (
        _COLOURS,
        _each(*TERRAINS),
        _each("sun", "moon"),
        _SIDES,
        _TIMES,
        _each("house", "tree", "rock", "car"),
    ),
}
_COLOURED = {
    _COLOURS,
    tuple(TIMES.values()),
    tuple(SETTINGS.values()),
    *(_each(*some) for some in (HAIR, HOMES, TERRAINS)),
}
_SIZE = re.compile(r"\b(?:small|little|tiny|large|big|huge) ")
_EXCHANGED = (COLOURS[0], SHAPES[0], "house")
_BOTH_SIDES = re.compile(r"on the (left|right)(?: and|,) .*on the (?!\1)(?:left|right)|on top and ")
_ARTICLE = re.compile(r"\ban? (?=(\w))")


def altered(rng: Random, caption: str, kind: Kind, count: int) -> list[str]:
    """Captions that say one thing otherwise: another word of its class, or two words exchanged."""
    many = list({*_replaced(caption, kind), *_exchanged(caption, kind)})
    many.sort()
    rng.shuffle(many)
    return list(islice((other for other in map(_articles, many) if _usual(caption, other)), count))


def reshaped(rng: Random, caption: str, kind: Kind) -> str:
    """The caption with its sizes left out and up to two forms made wrong; its colours stay true."""
    caption = _SIZE.sub("", caption)
    for _ in range(2):
        many = sorted({*_replaced(caption, kind, colours=False)})
        caption = rng.choice(many) if many else caption
    return _articles(caption)


@lru_cache(1)
def neighbours() -> frozenset[tuple[str, str]]:
    """Words that stand side by side in training captions; a pair that never does would give a lie away."""
    seen: set[tuple[str, str]] = set()
    for seed in range(FIRST_SEED, FIRST_SEED + _READ):
        for caption in draw(seed).captions[:2]:
            words = _words(caption)
            seen.update(pairwise(words))
    return frozenset(seen)


def _replaced(caption: str, kind: Kind, *, colours: bool = True) -> Iterator[str]:
    for groups in _CHOICES[kind]:
        if groups in _COLOURED and not colours:
            continue
        if groups[0][0] in PLACES and _BOTH_SIDES.search(caption):
            continue  # two things never stand on the same side
        if groups == _each(*OBJECTS) and " background" not in caption:
            continue  # few things stand in each other's places, and the place would tell
        same = {phrase: group for group in groups for phrase in group}
        for found in _pattern(groups).finditer(caption):
            for group in groups:
                if group is not same[found[0]] and not (
                    groups is _COLOURS and group[0] in caption.split(" ")
                ):
                    yield caption[: found.start()] + group[0] + caption[found.end() :]


def _exchanged(caption: str, kind: Kind) -> Iterator[str]:
    """What belongs to one thing said of another."""
    for groups in _CHOICES[kind]:
        found = list(_pattern(groups).finditer(caption))
        for place, one in enumerate(found):
            for two in found[place + 1 :]:
                if one[0] != two[0] and groups[0][0] in _EXCHANGED:
                    middle = caption[one.end() : two.start()]
                    yield caption[: one.start()] + two[0] + middle + one[0] + caption[two.end() :]


@lru_cache(64)
def _pattern(groups: tuple[Group, ...]) -> re.Pattern[str]:
    phrases = sorted((phrase for group in groups for phrase in group), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b")


def _articles(caption: str) -> str:
    return _ARTICLE.sub(lambda found: "an " if found[1] in "aeiou" else "a ", caption)


def _usual(caption: str, other: str) -> bool:
    """Whether no new pair of neighbours is one that no training caption has."""
    before, after = _words(caption), _words(other)
    old = set(pairwise(before))
    return all(pair in old or pair in neighbours() for pair in pairwise(after))


def _words(caption: str) -> list[str]:
    return ["^", *re.findall(r"\w+|,", caption), "$"]
