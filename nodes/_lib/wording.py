"""What a pipeline is told of one picture: prompts, guidance and sizes, as its keyword arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from engine.types import Conditioning
from nodes._lib.arrays import tensor
from nodes._lib.rows import Family, Spoken

SCORES = (6.0, 2.5)
"""How beautiful the picture shall be, and the one it shall not be, as the refiner's makers chose it."""


def words(
    family: Family, positive: Conditioning, negative: Conditioning | None, like: torch.Tensor
) -> dict[str, Any]:
    """The prompts; numbers in the precision of `like`."""
    found = {name: laid(value, like, family) for name, value in arrays(family, positive).items()}
    if family.spoken:
        found["negative_prompt"] = (
            None  # some pipelines have a text as default, beside which they take no other
        )
    if negative is None:
        return found
    for name, value in arrays(family, negative).items():
        found["negative_" + name] = laid(value, like, family)
    for name in arrays(family, positive):
        if (own := negative.more.get("negative_" + name)) is not None:
            found["negative_" + name] = laid(own, like, family)
    return found


SIDES = {"prompt": "wanted", "negative_prompt": "unwanted"}
"""What stands for the texts where a pipeline is handed what was read of them."""


def reader(call: Spoken, said: dict[str, Any]) -> Callable[..., tuple[Any, ...]]:
    """In place of a pipeline's own reading: what has been read already."""

    def read(prompt: Sequence[str], **_: object) -> tuple[Any, ...]:
        side = "" if prompt[0] == SIDES["prompt"] else "negative_"
        return tuple(said[side + name] for name in call.returns)

    return read


def guidance(family: Family, guidance: float, distilled: bool) -> dict[str, Any]:
    """How strictly to follow the prompt; a distilled model has learned that, and is told it as a number."""
    return {(family.embedded if distilled else "") or family.guidance: guidance}


def arrays(family: Family, prompt: Conditioning) -> dict[str, Any]:
    """What a prompt is made of, by the names that the pipeline has for it."""
    found: dict[str, Any] = {family.embeds: prompt.embeds[None]}
    if prompt.pooled is not None:
        found["pooled_prompt_embeds"] = prompt.pooled[None]
    return found | {name: value for name, value in prompt.more.items() if name in family.others}


def laid(value: Any, like: torch.Tensor, family: Family) -> Any:
    found = tensor(value)
    found = found.to(like) if found.is_floating_point() else found.to(like.device)
    return list(found) if family.listed else found


def alike(positive: Conditioning, negative: Conditioning) -> tuple[Conditioning, Conditioning]:
    """Both prompts equally long: the shorter one is said again."""
    import msgspec

    from nodes._lib.following import repeated

    longest = max(len(positive.embeds), len(negative.embeds))
    one, two = (
        prompt
        if len(prompt.embeds) == longest
        else msgspec.structs.replace(prompt, embeds=repeated(prompt.embeds, longest))
        for prompt in (positive, negative)
    )
    return one, two


def sizes(
    family: Family, positive: Conditioning, negative: Conditioning | None, height: int, width: int
) -> dict[str, Any]:
    """What a family is told besides the prompts; what prompts do not say is the plain case."""
    if not family.told:
        return {}
    scored = family.told == "score"
    said = hints(positive)
    found: dict[str, Any] = dict(described(said, height, width, SCORES[0] if scored else None))
    unsaid = hints(negative) if negative is not None else {}
    if scored or unsaid:
        said.pop("aesthetic_score", None)
        other = described({**said, **unsaid}, height, width, SCORES[1] if scored else None)
        found |= {"negative_" + name: value for name, value in other.items()}
    return found


HINTS = ("original_size", "crops_coords_top_left", "target_size", "aesthetic_score")


Sizes = dict[str, tuple[float, ...]]


def hints(prompt: Conditioning) -> Sizes:
    """What a prompt says about the picture's sizes."""
    return {name: tuple(map(float, prompt.more[name])) for name in HINTS if name in prompt.more}


def described(said: Sizes, height: int, width: int, score: float | None) -> Sizes:
    """Sizes as numbers; in place of the target size the refiner has learned a score."""
    found = {
        "original_size": said.get("original_size", (height, width)),
        "crops_coords_top_left": said.get("crops_coords_top_left", (0, 0)),
        "target_size": said.get("target_size", (height, width)),
    }
    if score is not None:
        found["target_size"] = said.get("aesthetic_score", (score,))
    return found
