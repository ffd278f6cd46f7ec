"""Short prompts and the details that make full captions of them."""

import re
from random import Random

from .palette import COLOURS
from .pose import NAMES as POSES
from .wording import OPENINGS, vary

# words with which a new phrase begins: people stop writing before one of them
_STARTS = (
    "on", "in", "at", "with", "wearing", "looking", "over", "above", "and", "during", "by", "outdoors",
    "under", "to",
    "inside", "below", "next", "beside", *{pose.split(" ")[0] for pose in POSES},
)  # fmt: skip
_DROPPED = re.compile(rf"\b(?:{'|'.join(COLOURS)}|small|large|snowy) (?=\w+$)")
_DETAILED = re.compile(r"\b(?:on|in|at|by|during|under|outdoors|with)\b|, ")


def pair(rng: Random, caption: str) -> tuple[str, str]:
    """The beginning of a caption as somebody may have written it, and its plain rest, which may be empty."""
    words = caption.split(" ")
    cuts = [place for place in range(1, len(words)) if _ends(words, place)]
    if rng.random() < 0.15:
        cuts = list(range(1, len(words)))
    cut = rng.choice(cuts) if cuts and rng.random() < 0.96 else len(words)
    begun = " ".join(words[:cut])
    comma = begun.endswith(",")
    rest = ("," if comma else "") + "".join(f" {word}" for word in words[cut:])
    return _written(rng, begun.rstrip(",")), rest


def beginnings(caption: str) -> list[str]:
    """The short prompts that a caption may have been."""
    words = caption.split(" ")
    return [" ".join(words[:place]).rstrip(",") for place in range(1, len(words)) if _ends(words, place)]


def detailed(caption: str) -> bool:
    """Whether a caption says more than what there is."""
    return bool(_DETAILED.search(caption))


def _ends(words: list[str], place: int) -> bool:
    """Whether a phrase ends before a word: one with a noun, and none of two that `and` joins."""
    return (
        place >= 2
        and (words[place] in _STARTS or words[place - 1].endswith(","))
        and words[place - 1] not in _OPEN
    )


_OPEN = (*_STARTS, "a", "an", "the", *COLOURS)


def _written(rng: Random, begun: str) -> str:
    """As somebody may have written it: without a colour, with capitals, in other words."""
    if rng.random() < 0.2:
        begun = re.sub(r"^(an?) (?=(\w))", _article, _DROPPED.sub("", begun))
    if rng.random() < 0.35:
        begun = vary(rng, begun)
    elif rng.random() < 0.1:
        begun = f"{rng.choice(OPENINGS)} {begun}"
    return begun.capitalize() if rng.random() < 0.1 else begun


def _article(found: re.Match[str]) -> str:
    return "an " if found[2] in "aeiou" else "a "
