"""Write prompts: choose words by chance, wear a style, add phrases, take the settings of a preset."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.models import models
from engine.node import node
from engine.types import Guidance, Json, Pixels, Prompt, Seed, Steps, ui
from nodes.sample import Method, Spacing

if TYPE_CHECKING:
    from nodes._lib.shelf import Lists

ENTRIES = 1000
"""Lists that may be given at once."""

WordLists = Annotated[
    Json,
    Meta(
        description='Lists of your own by name, as {"pet": ["cat", "dog"]}; a text with an entry on each '
        "line will do as well."
    ),
]
Most = Annotated[int, Meta(ge=1, le=10_000, description="Stop with an error if there are more.")]
StyleName = Annotated[
    str,
    Meta(min_length=1, max_length=80, description="A style by its name.", extra_json_schema=ui("style")),
]
PresetName = Annotated[
    str,
    Meta(min_length=1, max_length=80, description="A preset by its name.", extra_json_schema=ui("preset")),
]


PhrasesName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        description="A collection of phrases by its name.",
        extra_json_schema=ui("phrases"),
    ),
]


class Styled(NamedTuple):
    prompt: Prompt
    negative: Prompt


class Enriched(NamedTuple):
    prompt: Prompt
    phrases: list[str]


class Preset(NamedTuple):
    width: Pixels
    height: Pixels
    steps: Steps
    guidance: Guidance
    method: Method
    spacing: Spacing


def needed(text: str, lists: object = None, **rest: object) -> str:
    """The lists that the text mentions, as they are now."""
    from nodes._lib import expanding

    found = expanding.mentioned(text, shelf(lists))
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() if found else ""


@node(category="prompts", kind="source", lane="io", fingerprint=needed)
def expand_prompt(text: Prompt, seed: Seed = 0, lists: WordLists = None) -> Prompt:
    """One prompt of many, by chance.

    `{red|green|blue}` is one of the three; `{2$$a|b|c}` two of them, `{1-2$$…}` one or two, `{2$$ and $$…}`
    with " and " between them instead of a comma; `{3::red|blue}` is red three times of four. `__animal__` is
    a line of the list `animal`: one given in `lists`, or the file `wildcards/animal.txt` of the models
    folder, or one that comes along. All of these may stand inside each other.

    The same seed gives the same prompt, as long as the lists stay the same.
    """
    from nodes._lib import expanding

    return expanding.by_chance(text, seed, shelf(lists))


@node(category="prompts", kind="source", lane="io", fingerprint=needed)
def expand_all(text: Prompt, lists: WordLists = None, most: Most = 100) -> list[Prompt]:
    """Every prompt that a text with choices stands for, as a list.

    It is written as for `expand_prompt`. The last choice changes fastest, and weights do not matter, but a
    choice of weight 0 is left out. A list on a wire draws one picture for each.
    """
    from nodes._lib import expanding

    return expanding.all_of(text, shelf(lists), most)


def style_now(style: str, **rest: object) -> str:
    """What the style is now."""
    from nodes._lib import shelf

    try:
        found = shelf.style(folders(), style)
    except BadInput as error:
        return str(error)
    return json.dumps([found.prompt, found.negative])


@node(category="prompts", kind="source", lane="io", fingerprint=style_now)
def apply_style(style: StyleName, prompt: Prompt, negative: Prompt = "") -> Styled:
    """Put the words of a style around a prompt, and what it avoids behind the negative prompt.

    Styles that come along are, among others, "photograph", "oil painting", "watercolor", "comic" and "pixel
    art"; your own go into `styles.json` in the models folder. Several can be applied one after another.
    """
    from nodes._lib import shelf

    found = shelf.style(folders(), style)
    around = found.prompt if "{prompt}" in found.prompt else joined("{prompt}", found.prompt)
    return Styled(around.replace("{prompt}", prompt), joined(negative, found.negative))


def phrases_now(kind: str, **rest: object) -> str:
    """What the phrases are now, and the lists that they mention."""
    from nodes._lib import shelf

    try:
        found = shelf.phrases(folders(), kind)
    except BadInput as error:
        return str(error)
    return json.dumps([found, needed(" ".join(found))])


@node(category="prompts", kind="source", lane="io", fingerprint=phrases_now)
def enrich_prompt(
    prompt: Prompt,
    kind: PhrasesName = "photo",
    count: Annotated[int, Meta(ge=0, le=20, description="Phrases to add, at most.")] = 3,
    seed: Seed = 0,
) -> Enriched:
    """Add a few phrases to a prompt, taken by chance from a collection; no model is asked.

    Every word of the prompt stays, and what it speaks of already is not said again: a phrase whose last word
    stands in the prompt is left out. The same seed adds the same phrases. Collections that come along are
    "photo", "painting", "drawing", "scene" and "starter"; your own go into `phrases.json` in the models
    folder. `phrases` has what was added.
    """
    from nodes._lib import expanding
    from nodes._lib import shelf as words

    luck, said = Random(seed), prompt.lower()
    known = words.phrases(folders(), kind)
    added: list[str] = []
    for place in luck.sample(range(len(known)), len(known)):
        phrase = expanding.by_chance(known[place], luck.getrandbits(32), shelf(None)).strip()
        if len(added) < count and phrase and not spoken_of(phrase, said):
            added.append(phrase)
            said += f", {phrase.lower()}"
    return Enriched(joined(prompt.strip(" ,"), *added), added)


def spoken_of(phrase: str, said: str) -> bool:
    """Whether the last word of a phrase, what it is about, has been said."""
    last = phrase.lower().split()[-1]
    return re.search(rf"(?<!\w){re.escape(last)}(?!\w)", said) is not None


def preset_now(name: str) -> str:
    """What the preset is now."""
    from nodes._lib import shelf

    try:
        return repr(shelf.preset(folders(), name))
    except BadInput as error:
        return str(error)


@node(category="prompts", kind="source", lane="io", fingerprint=preset_now)
def preset(name: PresetName) -> Preset:
    """Size, steps, guidance, method and spacing that suit a model or a purpose, by name.

    Presets that come along are, among others, "starter", "sd15", "sd15 portrait", "sdxl", "sdxl landscape";
    and for models that were taught to draw in few steps "sd15 lcm", "sdxl turbo", "sdxl lightning", "sd15
    hyper" and others, all in `docs/prompts.md`. Your own go into `presets.json` in the models folder.
    """
    from nodes._lib import shelf

    found = shelf.preset(folders(), name)
    return Preset(found.width, found.height, found.steps, found.guidance, found.method, found.spacing)


def joined(*words: str) -> str:
    return ", ".join(word for word in words if word.strip())


def folders() -> list[Path]:
    return list(models().folders)


def shelf(given: object) -> Lists:
    """The lists there are, those given among them."""
    from nodes._lib.shelf import Lists, lines

    known: dict[str, list[str]] = {}
    if given is not None and not isinstance(given, dict):
        raise BadInput("lists", got=given, want="an object", remedy='Write it like {"pet": ["cat", "dog"]}.')
    for name, entries in list((given or {}).items())[:ENTRIES]:
        several = entries.split("\n") if isinstance(entries, str) else entries
        if not isinstance(several, list) or not all(isinstance(entry, str) for entry in several):
            want = "a list of texts, or a text with an entry on each line"
            raise BadInput("lists", got=f"{name!r}: {entries}", want=want)
        known[name] = lines("\n".join(several))
    return Lists(folders(), known)
