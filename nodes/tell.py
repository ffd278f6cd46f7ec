"""Models of words: say what a picture shows, tag it, and make prompts richer."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.models import content_of
from engine.node import node
from engine.types import (
    Captioner,
    Fraction,
    Image,
    LanguageModel,
    Matcher,
    Prompt,
    Seed,
    Text,
    model_name,
    ui,
)
from nodes.load import Precision
from nodes.prompts import Enriched
from nodes.see import chosen

CaptionerName = Annotated[str, model_name("caption", "A captioner")]
MatcherName = Annotated[str, model_name("clip", "A CLIP")]
LanguageName = Annotated[str, model_name("language", "A language model")]

Longest = Annotated[
    int, Meta(ge=1, le=1000, description="Tokens at most; a token is a word or a part of one.")
]
MOST_TAGS = 5000


class Tagged(NamedTuple):
    text: str
    tags: list[str]
    scores: list[float]
    likeness: list[float]


# -- which model


@node(category="look", kind="source", lane="io", fingerprint=content_of("caption"))
def load_captioner(model: CaptionerName = "starter-captioner", dtype: Precision = "auto") -> Captioner:
    """Choose a model that says what a picture shows: BLIP, GIT, or a newer one that chats about pictures.

    `model` is the name of a folder in `captions` of the models folder, as transformers saves it, or the id of
    a Hugging Face repository in the local cache. Models that bring code of their own are refused.
    """
    return chosen(Captioner, model, dtype)


@node(category="look", kind="source", lane="io", fingerprint=content_of("clip"))
def load_matcher(model: MatcherName = "starter-clip", dtype: Precision = "auto") -> Matcher:
    """Choose a model that tells how well words fit a picture.

    `model` is the name of a CLIP or a SigLIP, a folder in `clip` of the models folder, as transformers saves
    it.
    """
    return chosen(Matcher, model, dtype)


@node(category="prompts", kind="source", lane="io", fingerprint=content_of("language"))
def load_language_model(model: LanguageName = "starter-enhancer", dtype: Precision = "auto") -> LanguageModel:
    """Choose a model that goes on with a text, for `enhance_prompt`: GPT-2 and whatever came after it.

    `model` is the name of a folder in `language` of the models folder, as transformers saves it. One that was
    trained on prompts adds what prompts have; any other goes on as if they were prose.
    """
    return chosen(LanguageModel, model, dtype)


# -- words about a picture


@node(category="look", lane="gpu")
def caption_image(
    model: Captioner,
    image: Image,
    begin: Annotated[
        str,
        Meta(
            max_length=2000, description="Words the caption begins with; of a model that chats, what to ask."
        ),
    ] = "",
    longest: Longest = 50,
    beams: Annotated[int, Meta(ge=1, le=16, description="Ways to say it that are followed at once.")] = 1,
    seed: Seed | None = None,
    ctx: Context = SILENT,
) -> Text:
    """Say in words what a picture shows.

    Without a seed it is what the model thinks likeliest, always the same; more `beams` look further ahead and
    take longer. With a seed likely words are taken by chance, so that another seed says it differently.
    """
    if seed is not None and beams > 1:
        raise BadInput("beams", got=beams, want="1 beside a seed", remedy="Leave the seed out.")
    from nodes._lib import telling

    with weights(model) as held:
        return telling.caption(held, image, begin, longest=longest, beams=beams, seed=seed, ctx=ctx)


@node(category="look", lane="gpu")
def tag_image(
    model: Matcher,
    image: Image,
    words: Annotated[
        str,
        Meta(
            max_length=200_000,
            description="Words to choose from, with commas or line breaks between.",
            extra_json_schema=ui("text"),
        ),
    ],
    around: Annotated[
        str, Meta(max_length=200, pattern=r"\{word\}", description="The sentence that each word is put into.")
    ] = "a picture of {word}",
    most: Annotated[int, Meta(ge=1, le=100, description="Tags at most.")] = 5,
    least: Annotated[Fraction, Meta(description="Words of a lower score are left out.")] = 0.05,
    ctx: Context = SILENT,
) -> Tagged:
    """Choose from a list the words that fit a picture best.

    With models of the CLIP layout the scores of all words together are 1, so they compare the words with each
    other; with SigLIP each word has a score of its own. `likeness` does not depend on the other words.
    """
    known = list(dict.fromkeys(word for word in map(str.strip, words.replace("\n", ",").split(",")) if word))
    if not 1 <= len(known) <= MOST_TAGS:
        raise BadInput("words", got=f"{len(known)} words", want=f"1 to {MOST_TAGS:,}")
    from nodes._lib import telling

    with weights(model) as held:
        found = telling.fit(held, image, [around.replace("{word}", word) for word in known], ctx)
    order = sorted(range(len(known)), key=lambda place: -found.scores[place])[:most]
    best = [place for place in order if found.scores[place] >= least]
    tags = [known[place] for place in best]
    likeness, scores = ([values[place] for place in best] for values in found)
    return Tagged(", ".join(tags), tags, scores, likeness)


@node(category="look", lane="gpu")
def likeness(model: Matcher, image: Image, text: Prompt, ctx: Context = SILENT) -> float:
    """How well a text fits a picture: 1 is all, 0 nothing to do with each other.

    Use it to choose among pictures of one prompt. What is good depends on the model: most make 0.2 to 0.35
    of what fits well.
    """
    from nodes._lib import telling

    with weights(model) as held:
        return telling.fit(held, image, [text], ctx).likeness[0]


# -- prompts


@node(category="prompts", lane="gpu")
def enhance_prompt(
    model: LanguageModel,
    prompt: Prompt,
    longest: Longest = 40,
    temperature: Annotated[
        float,
        Meta(
            ge=0,
            le=2,
            description="0 adds what is likeliest, more is more surprising; left out, the model's own.",
        ),
    ]
    | None = None,
    seed: Seed = 0,
    ctx: Context = SILENT,
) -> Enriched:
    """Let a language model go on with a prompt. Every word of the prompt stays.

    The same seed adds the same words. What `longest` would break off in the middle is left out. `phrases` has
    what was added, piece by piece; nothing, where the model thinks that the prompt is complete. Without a
    model, `enrich_prompt` adds phrases of a collection.
    """
    from nodes._lib import telling

    begun = prompt.strip().rstrip(", ")
    with weights(model) as held:
        added = telling.continued(held, begun, longest=longest, temperature=temperature, seed=seed, ctx=ctx)
    return Enriched(begun + added, telling.phrases(added))
