"""What an explanation says: sheets, masks, a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta

from engine import artifacts
from engine.errors import BadInput
from engine.node import node
from engine.types import Artifact, FileName, Image, Json, Mask, Text, Value
from nodes.explain import Explanation
from nodes.files import file_name, story

Words = Annotated[
    Text,
    Meta(description="Which words, separated by commas; empty takes all but little ones such as a, of, on."),
]
Contrast = Annotated[
    bool, Meta(description="Show what a word has more of than words have on average, not all of it.")
]
Side = Annotated[int, Meta(ge=64, le=1024, description="The longer side of each picture, in pixels.")]
Columns = Annotated[int, Meta(ge=1, le=20, description="Pictures in a row.")]

SHOWN = 40
"""Words on a sheet, if none are asked for by name."""
LITTLE = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "over",
        "the",
        "to",
        "under",
        "with",
    ]
)
"""Words that say little by themselves."""


class Influence(Value, frozen=True, eq=False):
    """How different a picture would be without each word of its prompt."""

    words: list[str]
    differences: list[float]
    """The mean distance of the colours in Lab."""


@node(category="explain", version=2)
def show_words(
    explanation: Explanation,
    image: Image,
    words: Words = "",
    contrast: Contrast = True,
    side: Side = 256,
    columns: Columns = 4,
) -> Image:
    """A sheet of a picture and, for each word, where it was heeded.

    A picture is dim where its word was not heeded and aglow where it was; the number, and the bar, is the
    part of all that was heeded of words. With `contrast` what all words share is taken away before, so that
    the places of different things come apart; without it the sheet shows the bare attention.

    Of a long prompt it shows the 40 words that were heeded most; name words to see others.
    """
    from nodes._lib import explaining

    parts = explaining.scores(explanation.maps)
    planes = explaining.heat(explanation.maps, contrast)
    most = max(parts)
    panels = [explaining.Panel(image, "picture")]
    numbers = chosen_words(explanation, words)
    if not words.strip():
        numbers = sorted(sorted(numbers, key=lambda number: -parts[number])[:SHOWN])
    for number in numbers:
        lit = explaining.lit(image, planes[number])
        share = parts[number]
        panels.append(explaining.Panel(lit, explanation.words[number], f"{share:.0%}", share / most))
    return explaining.sheet(panels, side, columns)


@node(category="explain")
def word_as_mask(
    explanation: Explanation, word: Annotated[Text, Meta(min_length=1)], contrast: Contrast = True
) -> Mask:
    """Where a word was heeded, as a mask as large as the picture: 1 where most, 0 where not.

    Use it to change in a picture what a word drew: wire it into an inpainting, or into any node that takes a
    mask. A word that stands several times in the prompt counts as one.
    """
    import numpy as np

    from nodes._lib import explaining

    chosen = chosen_words(explanation, word)
    planes = explaining.heat(explanation.maps, contrast)[chosen].sum(0)
    height, width = (side * explanation.factor for side in planes.shape)
    return Mask(np.clip(explaining.over(planes, width, height), 0, 1))


class GuidanceShown(NamedTuple):
    whole: Image
    steps: list[Image]
    lengths: list[float]


@node(category="explain")
def show_guidance(explanation: Explanation, image: Image) -> GuidanceShown:
    """Where the prompt moved a picture at each step: how far the answers with and without it are apart.

    `whole` is all steps together over the picture, `steps` each by itself on the same scale, `lengths` the
    mean of each. There is nothing to see at a guidance of 1, or where a model has its guidance built in:
    then it never says what it would draw without the prompt.
    """
    from nodes._lib import explaining

    planes = explanation.guidance
    if not len(planes):
        raise BadInput(
            "explanation",
            got="one without guidance",
            want="one of a picture that was drawn with guidance above 1, by a model that was asked for both",
            remedy="Raise the guidance in `explain`.",
        )
    most = float(planes.max()) or 1.0
    steps = [explaining.glow(plane / most, image.width, image.height) for plane in planes]
    whole = explaining.lit(image, planes.sum(0) - planes.sum(0).min())
    return GuidanceShown(whole, steps, [float(plane.mean()) for plane in planes])


class Reported(NamedTuple):
    report: Json
    sheet: Image
    heatmaps: list[Image]


@node(category="explain", version=2)
def report_explanation(
    explanation: Explanation,
    image: Image,
    influence: Influence | None = None,
    contrast: Contrast = True,
    side: Side = 192,
) -> Reported:
    """Put an explanation into words and pictures, to be kept with `save_explanation`.

    `report` has the words in order with their scores, what was looked at, how far the prompt moved each step,
    and with `influence` how different the picture would be without each word. `heatmaps` show the heat of
    each word in grey, all words of the prompt in order; `sheet` is that of `show_words`.
    """
    from engine.looks import shown
    from nodes._lib import explaining

    planes = explaining.heat(explanation.maps, contrast)
    heatmaps = [explaining.grey(plane, image.width, image.height) for plane in planes]
    sheet = show_words(explanation, image, contrast=contrast, side=side)
    told = {**report(explanation, influence), "look": f"pixels:{shown(image).hex()}"}
    return Reported(told, sheet, heatmaps)


class Saved(NamedTuple):
    report: Artifact
    overlay: Artifact
    heatmaps: list[Artifact]


@node(category="explain", kind="effect", lane="cpu")
def save_explanation(
    report: Json,
    sheet: Image,
    heatmaps: list[Image],
    picture: Artifact | None = None,
    name: FileName = "explanation",
) -> Saved:
    """Save an explanation: its report as JSON, the heat of each word, and the sheet of all.

    Wire the saved picture into `picture`: then the report names it, and is found from it over HTTP
    (`GET /api/artifacts/{id}/explanation`). In the file the report also has the digests of all these
    pictures.
    """
    from engine.pictures import picture_bytes

    if not isinstance(report, dict) or report.get("tessera") != REPORT:
        raise BadInput("report", got=report, want="what `report_explanation` gives")
    words = report["words"]
    if len(words) != len(heatmaps):
        raise BadInput("heatmaps", got=f"{len(heatmaps)}", want=f"one for each of {len(words)} words")

    def kept(shown: Image) -> Artifact:
        data = picture_bytes(shown, "png", metadata=story(None))
        return artifacts.keep(data, name=file_name(name, shown), mime="image/png")

    overlay, heats = kept(sheet), [kept(shown) for shown in heatmaps]
    told = {
        **report,
        "picture": picture.sha256 if picture else None,
        "overlay": overlay.sha256,
        "words": [{**word, "heatmap": heat.sha256} for word, heat in zip(words, heats, strict=True)],
    }
    data = json.dumps(told, ensure_ascii=False, indent=1).encode()
    return Saved(artifacts.keep(data, name=file_name(name, sheet), mime="application/json"), overlay, heats)


REPORT = "explanation"


def report(explanation: Explanation, influence: Influence | None) -> dict[str, object]:
    """An explanation as JSON, without its pictures."""
    from nodes._lib import explaining

    every = zip(explanation.words, explaining.scores(explanation.maps), strict=True)
    told: dict[str, object] = {
        "tessera": REPORT,
        "version": 1,
        "text": explanation.text,
        "made": explanation.made,
        "words": [{"word": word, "score": score} for word, score in every],
        "rest": float(explanation.rest.mean()),
        "layers": explanation.layers,
        "guidance": [float(plane.mean()) for plane in explanation.guidance],
    }
    if influence is not None:
        both = zip(influence.words, influence.differences, strict=True)
        told["left_out"] = [{"word": word, "difference": difference} for word, difference in both]
    return told


# -- words


def chosen_words(explanation: Explanation, words: str) -> list[int]:
    return chosen(explanation.words, words)


def chosen(known: Sequence[str], asked: str) -> list[int]:
    """The numbers of the words that are asked for, or of all but little ones."""
    wanted = [one.strip().lower() for one in asked.split(",") if one.strip()]
    for one in wanted:
        if one not in (word.lower() for word in known):
            raise BadInput("words", got=one, want=f"words of the prompt: {', '.join(known)}")
    if wanted:
        return [number for number, word in enumerate(known) if word.lower() in wanted]
    large = [number for number, word in enumerate(known) if word.lower() not in LITTLE]
    return large or list(range(len(known)))
