"""Read a prompt: words become what a model understands."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.errors import BadInput
from engine.memory import weights
from engine.node import node
from engine.types import Conditioning, Prompt, TextEncoder

Skip = Annotated[
    int,
    Meta(
        ge=0,
        le=23,
        description="Last layers of the encoder to leave out; what others call clip skip 2 is 1 here.",
    ),
]


@node(category="prompts", lane="gpu")
def encode_text(encoder: TextEncoder, text: Prompt, skip: Skip = 0) -> Conditioning:
    """Read a prompt with a model's text encoder.

    A prompt of up to 75 tokens (a token is a word or a part of one) is read at once, exactly as the model's
    own pipeline does it. A longer one is read in parts of 75 tokens that are put one after another, so
    nothing is cut off, but words in different parts do not see each other.
    """
    from nodes._lib.arrays import array

    with weights(encoder) as reader:
        if skip >= reader.layers:
            raise BadInput(
                "skip", got=skip, want=f"0 to {reader.layers - 1}", remedy="This encoder has no more."
            )
        embeds = reader.read(text, skip)
    return Conditioning(array(embeds), encoder.family)
