"""Read prompts with CLIP text encoders, word by word: weights, parts, layers."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from engine.prompting import NAMED, Part, Piece, literal
from nodes._lib.inversions import Vectors, fitting, in_place
from nodes._lib.rows import Clip, Family
from nodes._lib.turns import device_of
from nodes._lib.weighing import Marks, weighed

if TYPE_CHECKING:
    from engine.types import Array

CHUNK = 75
"""Words of a prompt that an encoder reads at once, between the start and the end token."""


class Token(NamedTuple):
    """A word or a part of one, as the tokenizer numbers it."""

    id: int
    weight: float
    learned: str = ""
    """The embedding whose vector stands here."""
    vector: torch.Tensor | None = None


class Reading(NamedTuple):
    """A prompt as it was read."""

    embeds: torch.Tensor  # (tokens, width)
    pooled: torch.Tensor | None = None  # (width,)
    more: Mapping[str, Array] = {}


@dataclass(frozen=True)
class Encoder:
    """One text encoder with its tokenizer."""

    module: Any
    tokenizer: Any
    about: Clip = field(default_factory=Clip)
    learned: Mapping[str, Vectors] = field(default_factory=dict)
    """Embeddings that prompts may name."""

    def tokens(self, parts: Sequence[Part]) -> list[list[Token]]:
        """What is read at once: the tokens of each part, 75 at most; an embedding is not cut."""
        found: list[list[Token]] = []
        for part in parts:
            row: list[Token] = []
            for group in (group for piece in part for group in self._groups(piece)):
                if len(row) + len(group) > CHUNK:
                    found.append(row)
                    row = []
                row += group
            found += [row] if row else []
        return found or [[]]

    def _groups(self, piece: Piece) -> Iterator[list[Token]]:
        """The tokens of a piece one by one, and those of an embedding together."""
        end = 0
        for name in NAMED.finditer(piece.text) if self.learned else ():
            yield from self._plain(piece.text[end : name.start()], piece.weight)
            end = name.end()
            fit = fitting(name[1], self.learned[name[1]], self.width, CHUNK)
            yield [Token(0, piece.weight, name[1], vector) for vector in fit]
        yield from self._plain(piece.text[end:], piece.weight)

    def _plain(self, text: str, weight: float) -> Iterator[list[Token]]:
        for id in self.tokenizer(text, add_special_tokens=False, truncation=False).input_ids:
            yield [Token(id, weight)]

    def read(self, tokens: list[Token], skip: int, marks: Marks) -> Reading:
        """(77, width), and the sum of it all."""
        learned = {n: token.vector for n, token in enumerate(tokens, 1) if token.vector is not None}
        with in_place(self.module, learned):
            embeds, pooled = self._read([token.id for token in tokens], skip)
        weights = [token.weight for token in tokens]
        return Reading(weighed(embeds, weights, marks, lambda: self._read([], skip)[0]), pooled)

    def _read(self, ids: list[int], skip: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        tokens = self.tokenizer
        row = [tokens.bos_token_id, *ids, tokens.eos_token_id]
        row += [tokens.pad_token_id] * (CHUNK + 2 - len(row))
        batch = torch.tensor([row], device=device_of(self.module))
        back = skip + self.about.early
        found = self.module(batch, output_hidden_states=bool(back))
        pooled = found[0][0] if self.about.pooled else None
        if not back:
            return found.last_hidden_state[0], pooled
        hidden = found.hidden_states[-(back + 1)]
        if self.about.early:
            return hidden[0], pooled
        inner = getattr(self.module, "text_model", self.module)
        return inner.final_layer_norm(hidden)[0], pooled

    @property
    def layers(self) -> int:
        return int(self.module.config.num_hidden_layers) - self.about.early

    @property
    def width(self) -> int:
        """Numbers that a word is made of."""
        return int(self.module.config.hidden_size)


@dataclass(frozen=True)
class Reader:
    """The text encoders of a model, side by side."""

    modules: tuple[Any, ...]
    encoders: tuple[Encoder, ...]
    family: Family
    silent: bool = False
    """Was taught with zeros, not with the empty prompt, where nothing is said."""
    marks: bool = True
    """Understands weights and BREAK."""

    def read(self, text: str, skip: int = 0) -> Reading:
        """A prompt of more than 75 tokens is read in parts."""
        return self.read_parts(literal(text), skip)

    def read_parts(self, parts: Sequence[Part], skip: int = 0, marks: Marks = "a1111") -> Reading:
        """(77 × parts, width); the sum is that of the first part."""
        with torch.no_grad():
            columns = [
                [encoder.read(tokens, skip, marks) for tokens in encoder.tokens(parts)]
                for encoder in self.encoders
            ]
            longest = max(map(len, columns))
            for column, encoder in zip(columns, self.encoders, strict=True):
                column += [encoder.read([], skip, marks)] * (longest - len(column))
            embeds = torch.cat([torch.cat([row.embeds for row in column]) for column in columns], -1)
        return Reading(embeds, columns[-1][0].pooled)

    def tokens(self, parts: Sequence[Part]) -> list[list[Token]]:
        """What is read at once, as the first encoder counts it."""
        return self.encoders[0].tokens(parts)

    def word(self, token: Token) -> str:
        """A token as it is written."""
        if token.learned:
            return f"embedding:{token.learned}"
        return str(self.encoders[0].tokenizer.decode([token.id])).strip()

    def knowing(self, learned: Mapping[str, Vectors]) -> Reader:
        """The same, for prompts that name these embeddings."""
        return replace(self, encoders=tuple(replace(one, learned=learned) for one in self.encoders))

    @functools.cached_property
    def empty(self) -> Reading:
        """What stands for saying nothing, read once."""
        found = self.read("")
        if not self.silent or found.pooled is None:
            return found
        return Reading(torch.zeros_like(found.embeds), torch.zeros_like(found.pooled))

    @property
    def layers(self) -> int:
        return min(encoder.layers for encoder in self.encoders)
