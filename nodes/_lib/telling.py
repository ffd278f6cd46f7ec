"""Words from models: what a picture shows, which words fit it, and how a text goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from transformers import StoppingCriteriaList

from engine.context import Context
from engine.errors import BadInput
from engine.types import Image
from nodes._lib.transformer import Trained, chance, seen

AT_ONCE = 256
"""Words that are compared with a picture at once."""
ASK = "Describe this picture in one sentence."


class Watched:
    """Says after each word how far it is; a cancelled run ends here."""

    def __init__(self, ctx: Context, longest: int) -> None:
        self.ctx, self.longest, self.said = ctx, longest, 0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **rest: Any) -> torch.Tensor:
        self.said += 1
        self.ctx.check()
        self.ctx.progress(min(self.said / self.longest, 1.0))
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def watched(ctx: Context, longest: int) -> dict[str, Any]:
    return {"max_new_tokens": longest, "stopping_criteria": StoppingCriteriaList([Watched(ctx, longest)])}


# -- captions


def caption(
    held: Trained, image: Image, begin: str, *, longest: int, beams: int, seed: int | None, ctx: Context
) -> str:
    """What a picture shows: the likeliest words, or with a seed likely ones by chance."""
    chats = getattr(held.senses, "chat_template", None) is not None
    given = chat(held, image, begin) if chats else plain(held, image, begin)
    how = {"do_sample": False, "num_beams": beams} if seed is None else {"do_sample": True, "top_p": 0.9}
    with torch.inference_mode(), nullcontext() if seed is None else chance(seed, held.module.device):
        said = held.module.generate(**given, **how, **watched(ctx, longest))
    if chats:
        said = said[:, given["input_ids"].shape[1] :]
    return str(held.senses.batch_decode(said, skip_special_tokens=True)[0]).strip()


def plain(held: Trained, image: Image, begin: str) -> Any:
    return held.given(images=seen(image), **({"text": begin} if begin else {}))


def chat(held: Trained, image: Image, ask: str) -> Any:
    """The question as the model's makers write it, with the picture before it."""
    content = [{"type": "image"}, {"type": "text", "text": ask or ASK}]
    text = held.senses.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return held.given(images=[seen(image)], text=[text])


# -- words that fit


class Fit(NamedTuple):
    """How well words fit a picture."""

    likeness: list[float]
    """Of their directions: 1 the same, 0 nothing to do with each other"""
    scores: list[float]
    """0 to 1: among these words, or each by itself where the model was made so"""


def fit(held: Trained, image: Image, texts: Sequence[str], ctx: Context) -> Fit:
    """How well each text fits a picture."""
    alone = held.module.config.model_type.startswith("siglip")
    padding = "max_length" if alone else True
    logits, likeness = [], []
    for start in ctx.track(range(0, len(texts), AT_ONCE)):
        some = list(texts[start : start + AT_ONCE])
        given = held.given(images=seen(image), text=some, padding=padding, truncation=True)
        with torch.inference_mode():
            answer = held.module(**given)
        logits.append(answer.logits_per_image[0].float().cpu())
        shown, said = answer.image_embeds.float(), answer.text_embeds.float()
        likeness += torch.nn.functional.cosine_similarity(shown, said).tolist()
    scores = torch.cat(logits).sigmoid() if alone else torch.cat(logits).softmax(0)
    return Fit(likeness, scores.tolist())


# -- how a text goes on


def continued(
    held: Trained, prompt: str, *, longest: int, temperature: float | None, seed: int, ctx: Context
) -> str:
    """What the model adds to a text, up to the end of the line, without what the last token breaks off."""
    words = held.senses
    ids = words(prompt, return_tensors="pt").input_ids.to(torch.long)
    if not ids.shape[1]:
        ids = torch.tensor([[start_of(held)]])
    longest = min(longest, room(held) - ids.shape[1])
    if longest < 1:
        want = f"at most {room(held) - 1} tokens, which is what the model can read"
        raise BadInput("prompt", got=f"{ids.shape[1]} tokens", want=want, remedy="Say it in fewer words.")
    end = words.pad_token_id if words.pad_token_id is not None else words.eos_token_id
    how: dict[str, Any] = {"do_sample": temperature != 0, "pad_token_id": end}
    if temperature:
        how["temperature"] = temperature
    ids = ids.to(held.module.device)
    with torch.inference_mode(), chance(seed, held.module.device):
        said = held.module.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), **how, **watched(ctx, longest)
        )
    whole, before = (words.decode(row, skip_special_tokens=True) for row in (said[0], ids[0]))
    added, line, _ = str(whole[len(before) :]).partition("\n")
    broken_off = said.shape[1] - ids.shape[1] == longest and not line and not is_end(held, int(said[0, -1]))
    return (finished(added) if broken_off else added).rstrip()


def is_end(held: Trained, token: int) -> bool:
    """Whether the model says with this token that it has done."""
    ends = held.module.generation_config.eos_token_id
    return token in (ends if isinstance(ends, list) else [ends])


def finished(added: str) -> str:
    """Without its last phrase, or its last word if there is but one; as it is if that leaves nothing."""
    cut = max(added.rfind(mark) for mark in ",;.")
    kept = added[: cut if cut > 0 else max(added.rstrip().rfind(" "), 0)]
    return kept if kept.strip(" ,;.") else added


def start_of(held: Trained) -> int:
    """The token before the first word."""
    for token in (held.senses.bos_token_id, held.senses.eos_token_id):
        if token is not None:
            return int(token)
    raise BadInput("prompt", got="", want="at least a word", remedy="This model cannot begin by itself.")


def room(held: Trained) -> int:
    """Tokens that the model can read and write together."""
    return int(getattr(held.module.config, "max_position_embeddings", None) or 2048)


def phrases(added: str) -> list[str]:
    """What was added, piece by piece."""
    return [piece for piece in map(str.strip, re.split(r"[,;.]", added)) if piece]
