"""Plain English for scenes: the same fact said in many ways, among words that mean nothing."""

import re
from random import Random

SYNONYMS: dict[str, tuple[str, ...]] = {
    "gray": ("grey",),
    "purple": ("violet",),
    "cyan": ("turquoise",),
    "large": ("big", "huge"),
    "small": ("little", "tiny"),
    "circle": ("disc", "round ball"),
    "two": ("2", "a pair of"),
    "three": ("3",),
    "four": ("4",),
    "person": ("figure", "human"),
    "man": ("guy",),
    "woman": ("lady",),
    "child": ("kid",),
    "shirt": ("sweater", "jumper"),
    "pants": ("trousers",),
    "happy": ("smiling", "cheerful"),
    "sad": ("unhappy",),
    "angry": ("furious",),
    "surprised": ("astonished", "amazed"),
    "sleepy": ("sleeping", "tired"),
    "running": ("jogging",),
    "sunset": ("dusk",),
    "sea": ("ocean",),
    "mountains": ("peaks",),
    "forest": ("woods",),
    "house": ("cottage", "home"),
    "boat": ("ship", "sailing boat"),
    "car": ("automobile",),
    "bunny": ("rabbit",),
    "dog": ("puppy",),
    "cat": ("kitten",),
    "horse": ("pony",),
    "snow": ("white snow",),
    "wearing": ("dressed in",),
    "glasses": ("spectacles",),
}
OPENINGS = (
    "a picture of", "a drawing of", "a photo of", "an image of", "an illustration of", "a painting of",
    "there is", "I want to see", "please draw", "show me", "a nice picture of", "this is",
)  # fmt: skip
FILLERS = (
    "masterpiece", "best quality", "highly detailed", "beautiful", "cute", "nice", "lovely", "digital art",
    "cartoon", "sharp", "soft light", "bright", "colorful", "simple", "clean", "vector art", "very pretty",
    "4k", "hd", "trending", "minimal", "warm light", "children's book", "high resolution", "professional",
    "stunning", "award winning", "sharp focus", "realistic", "in the style of a poster",
)  # fmt: skip
_WALLS = (
    " in front of {} wall",
    " against {} background",
    " on {} backdrop",
    ", {} background",
    " against {} wall",
)
_ARTICLES = re.compile(r"\b(a|an|the) ")
_BACKGROUND = re.compile(r" on (an? \w+) background")


def an(phrase: str) -> str:
    """A phrase with its indefinite article."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def plural(noun: str) -> str:
    """More than one of a noun."""
    return noun + ("es" if noun.endswith(("s", "x", "ch")) else "s")


def listed(phrases: list[str]) -> str:
    """Phrases joined as in speech."""
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def vary(rng: Random, caption: str) -> str:
    """A caption as somebody else might have written it."""
    said = _other_words(rng, caption)
    if rng.random() < 0.08:
        said = _ARTICLES.sub("", said)
    if rng.random() < 0.15:
        said = f"{rng.choice(OPENINGS)} {said}"
    if rng.random() < 0.2:
        said = _filled(rng, said)
    if rng.random() < 0.14:
        said = _with_unknown(rng, said)
    return said


def unknown(rng: Random) -> str:
    """A word that no caption knows."""
    return "".join(
        rng.choice("aeiou" if i % 2 else "bcdfghjklmnpqrstvwxyz") for i in range(rng.randint(3, 8))
    )


def _other_words(rng: Random, caption: str) -> str:
    if rng.random() < 0.35:
        caption = _BACKGROUND.sub(lambda found: _wall(rng, found[1]), caption)
    return " ".join(_synonym(rng, word) for word in caption.split(" "))


def _wall(rng: Random, colour: str) -> str:
    wall = rng.choice(_WALLS)
    return wall.format(colour.split(" ")[1] if wall.startswith(",") else colour)


def _synonym(rng: Random, word: str) -> str:
    bare = word.rstrip(",")
    if bare not in SYNONYMS or rng.random() > 0.25:
        return word
    return rng.choice(SYNONYMS[bare]) + word[len(bare) :]


def _filled(rng: Random, caption: str) -> str:
    words = ", ".join(rng.sample(FILLERS, rng.randint(1, 4)))
    return f"{caption}, {words}" if rng.random() < 0.75 else f"{words}, {caption}"


def _with_unknown(rng: Random, caption: str) -> str:
    words = caption.split(" ")
    for _ in range(rng.choice((1, 1, 2, 3))):
        words.insert(rng.randint(0, len(words)), unknown(rng))
    return " ".join(words)
