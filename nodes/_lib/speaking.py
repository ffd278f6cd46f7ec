"""Read prompts as a family's own pipeline does, with only its parts for that in memory."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from engine.errors import BadInput
from engine.prompting import Part, literal
from nodes._lib.reading import Reading, Token
from nodes._lib.rows import Family, Spoken
from nodes._lib.turns import device_of
from nodes._lib.weighing import Marks

if TYPE_CHECKING:
    from engine.types import Array


@dataclass(frozen=True)
class Speaker:
    """A pipeline that only reads. It takes a text as it stands: brackets are brackets."""

    modules: tuple[Any, ...]
    pipeline: Any
    family: Family
    marks: bool = False

    def read(self, text: str) -> Reading:
        """Everything that the pipeline makes of a text."""
        if self.family.structured and text:
            check_structure(text)
        found: dict[str, Any] = {}
        for call in self.family.spoken:
            found |= self._said(call, text)
        if self.family.listed:
            found = {name: value[0][None] for name, value in found.items()}
        pooled = found.pop("pooled_prompt_embeds", None)
        more = {name: kept(value) for name, value in found.items() if name != self.family.embeds}
        return Reading(found[self.family.embeds][0], None if pooled is None else pooled[0], more)

    def read_parts(self, parts: Sequence[Part], skip: int = 0, marks: Marks = "off") -> Reading:
        """The same, of a text that has been taken apart."""
        return self.read(joined(parts))

    def tokens(self, parts: Sequence[Part]) -> list[list[Token]]:
        """The tokens of a text, as the first tokenizer counts them."""
        ids = self._tokenizer(joined(parts), add_special_tokens=False).input_ids
        return [[Token(id, 1.0) for id in ids]]

    def word(self, token: Token) -> str:
        """A token as it is written."""
        return str(self._tokenizer.decode([token.id])).strip()

    @functools.cached_property
    def empty(self) -> Reading:
        """The empty prompt, read once."""
        return self.read("")

    @property
    def layers(self) -> int:
        return 1

    @property
    def _tokenizer(self) -> Any:
        found = getattr(self.pipeline, "tokenizer", None)
        return found if found is not None else self.pipeline.processor.tokenizer

    def _said(self, call: Spoken, text: str) -> dict[str, Any]:
        method = getattr(self.pipeline, call.method)
        given = {
            **usual(type(self.pipeline)),
            **dict.fromkeys(("prompt_2", "prompt_3", "prompt_4")),  # the same text for every encoder
            "prompt": text,
            "device": device_of(self.modules[0]),
            "do_classifier_free_guidance": self.family.apart,
            **({"negative_prompt": text} if self.family.apart else {}),
            **call.options,
        }
        taken = {name: given[name] for name in inspect.signature(method).parameters if name in given}
        try:
            with torch.no_grad():
                found = method(**taken)
        except (ValueError, IndexError) as error:
            raise BadInput(
                "text", got=text[:80], want=f"a text that {self.family.title} can read", remedy=str(error)
            ) from None
        found = found if isinstance(found, tuple) else (found,)
        return {
            name: value
            for name, value in zip(call.returns, found, strict=True)
            if name and value is not None and (self.family.apart or not name.startswith("negative_"))
        }


def check_structure(text: str) -> None:
    """Raise BadInput unless a text is a description in JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(
            "text",
            got=text[:80],
            want="a description in JSON",
            remedy='Write it like {"short_description": "a red circle", "background_setting": "blue"}.',
        )


def joined(parts: Sequence[Part]) -> str:
    return " ".join("".join(piece.text for piece in part) for part in parts or literal(""))


def usual(kind: Any) -> dict[str, Any]:
    """What a pipeline says to its own reading when nobody says otherwise."""
    given = inspect.signature(kind.__call__).parameters
    return {
        name: about.default
        for name, about in given.items()
        if about.default not in (inspect.Parameter.empty, None) and "prompt" not in name
    }


def kept(value: Any) -> Array:
    """What travels besides the words: numbers as they are, fractions in float32; a list as one array."""
    found = torch.stack(list(value)) if isinstance(value, (list, tuple)) else value
    found = found.float() if found.is_floating_point() else found
    return np.ascontiguousarray(found.cpu().numpy())
