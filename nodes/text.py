"""Read a prompt: words become what a model understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import weights
from engine.models import content
from engine.node import node
from engine.types import Conditioning, Prompt, Stage, TextEncoder

if TYPE_CHECKING:
    from nodes._lib.reading import Reader, Reading

Skip = Annotated[
    int,
    Meta(
        ge=0,
        le=23,
        description="Last layers of the encoder to leave out; what others call clip skip 2 is 1 here.",
    ),
]
Marks = Annotated[
    Literal["a1111", "comfyui", "off"],
    Meta(
        description="Whose way of weighing marked words; 'off' reads brackets, BREAK and all marks as words."
    ),
]


class Counted(NamedTuple):
    tokens: int
    parts: int
    pieces: list[str]


def learned_words(text: Prompt, marks: Marks = "a1111", **inputs: object) -> str:
    """What the embeddings hold that the text names."""
    from engine import prompting

    names = prompting.mentioned(text) if marks != "off" else []
    return " ".join(content(name, "embedding") for name in names)


@node(category="prompts", kind="source", lane="gpu", fingerprint=learned_words)
def encode_text(
    encoder: TextEncoder, text: Prompt, skip: Skip = 0, marks: Marks = "a1111", ctx: Context = SILENT
) -> Conditioning:
    """Read a prompt with a model's text encoder.

    Marks say more than words: `(word:1.2)` counts more, `(word)` is 1.1, `[word]` a little less;
    `[cat:dog:0.5]` is a cat for half of the steps and then a dog, `[cat|dog]` each at every other step;
    `BREAK` begins a new part; `\\(` is a bracket that is none of these. `embedding:NAME` is a textual
    inversion from the folder `embeddings` of the models folder.

    A prompt of up to 75 tokens (a token is a word or a part of one) is read at once, exactly as the model's
    own pipeline does it. A longer one is read in parts of 75 tokens that are put one after another, so
    nothing is cut off, but words in different parts do not see each other.

    All this is for models that read with CLIP: Stable Diffusion 1.5, 2 and XL. Others are read by their own
    pipelines, which take a text as it stands, brackets and all.
    """
    from engine import prompting

    with weights(encoder) as held:
        reader = taught(held, text, marks)
        said = prompting.stages(text, marks != "off" and reader.marks)
        if skip >= reader.layers:
            raise BadInput(
                "skip", got=skip, want=f"0 to {reader.layers - 1}", remedy="This encoder has no more."
            )

        def read(parts: list[prompting.Part]) -> Conditioning:
            ctx.check()
            return conditioning(reader.read_parts(parts, skip, marks), encoder)

        stages = [Stage(stage.since, tuple(read(turn) for turn in stage.turns)) for stage in said]
    first = stages[0].turns[0]
    changes = len(stages) > 1 or len(stages[0].turns) > 1
    return msgspec.structs.replace(first, stages=tuple(stages)) if changes else first


def taught(reader: Reader, text: str, marks: Marks) -> Reader:
    """The reader, with the embeddings that a text names."""
    from engine import prompting
    from nodes._lib import inversions

    names = prompting.mentioned(text) if marks != "off" else []
    if not names:
        return reader
    if not reader.marks:
        raise BadInput(
            "text",
            got=f"embedding:{names[0]}",
            want="words alone: this model reads prompts in its own way",
            remedy="Leave it out.",
        )
    return reader.knowing(inversions.found_for(names))


def conditioning(reading: Reading, encoder: TextEncoder) -> Conditioning:
    """What was read, as it travels on wires."""
    from nodes._lib.arrays import array

    return Conditioning(
        array(reading.embeds),
        encoder.family,
        pooled=None if reading.pooled is None else array(reading.pooled),
        encoder=encoder,
        more=dict(reading.more),
    )


@node(category="prompts", kind="source", lane="gpu", fingerprint=learned_words)
def count_tokens(encoder: TextEncoder, text: Prompt, marks: Marks = "a1111") -> Counted:
    """How many tokens a prompt has for a text encoder, and where it is cut.

    `pieces` are the words, or parts of words, that the encoder knows it by. An encoder reads 75 of them at
    once: a longer prompt has several `parts`, and so has one with BREAK. Marks are not counted, and of a
    prompt that changes while a picture is drawn the longest reading is.
    """
    from engine import prompting

    with weights(encoder) as held:
        reader = taught(held, text, marks)
        said = prompting.stages(text, marks != "off" and reader.marks)
        readings = [turn for stage in said for turn in stage.turns]
        rows = max(map(reader.tokens, readings), key=lambda rows: sum(map(len, rows)))
        pieces = [reader.word(token) for row in rows for token in row]
    return Counted(len(pieces), len(rows), pieces)
