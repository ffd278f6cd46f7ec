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
    if family.spoken and not family.untold:
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
    return evened(found) if family.even else found


def evened(found: dict[str, Any]) -> dict[str, Any]:
    """Both prompts equally long: after the shorter one comes nothing, which its mask hides."""
    for name in [name for name in found if "negative_" + name in found]:
        sides = [side for side in (name, "negative_" + name) if found[side] is not None]
        longest = max((found[side].shape[1] for side in sides), default=0)
        for side in sides:
            value = found[side]
            empty = value.new_zeros((len(value), longest - value.shape[1], *value.shape[2:]))
            found[side] = torch.cat([value, empty], 1)
    return found


def together(every: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a pipeline is told of several pictures at once, whose prompts are equally long."""
    return {
        name: every[0][name] if name in SHARED else joined([one[name] for one in every], int(name in LAYERED))
        for name in every[0]
    }


LAYERED = ("prompt_embeds_llama3", "negative_prompt_embeds_llama3")
"""Words of which each layer of their reader tells: pictures lie along their second side."""


SHARED = ("text_ids",)
"""What is the same for all pictures: places, which depend on how long prompts are."""


def joined(values: Sequence[Any], side: int = 0) -> Any:
    if len(values) == 1 or values[0] is None:
        return values[0]
    if isinstance(values[0], list):
        return [one for value in values for one in value]
    return torch.cat(list(values), side)


SIDES = {"prompt": "wanted", "negative_prompt": "unwanted"}
"""What stands for the texts where a pipeline is handed what was read of them."""


def stand_ins(count: int) -> dict[str, Any]:
    """The same for so many pictures."""
    return SIDES if count == 1 else {name: [side] * count for name, side in SIDES.items()}


def reader(call: Spoken, said: dict[str, Any]) -> Callable[..., tuple[Any, ...]]:
    """In place of a pipeline's own reading: what has been read already."""

    def read(prompt: str | Sequence[str], *_: object, **__: object) -> tuple[Any, ...]:
        side = "" if SIDES["prompt"] in (prompt, prompt[0]) else "negative_"
        names = [name if name.startswith("negative_") else side + name for name in call.returns]
        return tuple(said.get(name) for name in names)

    return read


def guidance(family: Family, guidance: float, distilled: bool) -> dict[str, Any]:
    """How strictly to follow the prompt; a distilled model has learned that, and is told it as a number."""
    if distilled:
        return {family.embedded or family.guidance: guidance}
    return {family.guidance: guidance if guidance > 1 else family.unguided}


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
