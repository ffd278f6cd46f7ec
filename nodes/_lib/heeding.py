"""How much each place of a picture heeds each word, watched while it is drawn."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from nodes._lib import doubles
from nodes._lib.rows import Heard
from nodes._lib.windows import Sides, Window
from nodes._lib.wraps import Around

AT_ONCE = 2**24
"""Numbers of an attention map that are computed at a time."""
COARSEST = 7
"""Halvings of a picture at most."""


class Call(NamedTuple):
    """One call of a denoiser that is being watched."""

    row: int
    """The picture of the batch that is told of the words."""
    view: Window


class Eyes:
    """What is seen of a run, layer by layer; a double of a denoiser has the same eyes."""

    def __init__(
        self,
        heard: Heard,
        cells: int,
        wanted: torch.Tensor,
        words: Sequence[Sequence[int]],
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        self.heard, self.cells = heard, cells
        self.wanted, self.words = wanted, words
        self.start, self.end = start, end
        self.step, self.steps = 0, 1
        self.call: Call | None = None
        self.seen: dict[tuple[str, Place], Seen] = {}
        self.answers: dict[Place, Answers] = {}
        self.guidance: list[torch.Tensor] = []

    def __deepcopy__(self, memo: object) -> Eyes:
        return self

    def begin(self, shape: Sequence[int], steps: int) -> None:
        """A way of so many steps over latents of this shape: 1 × channels × height × width."""
        self.channels, self.size, self.steps = shape[1], (shape[2], shape[3]), steps

    def stepping(self, after: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
        """What happens after each step, and then the next one is looked at."""

        def walked(latents: Any, step: int) -> Any:
            self.guidance += self._guided()
            self.answers = {}
            self.step = step + 1
            return after(latents, step)

        return walked

    @property
    def open(self) -> bool:
        """Whether this step counts; at least one does."""
        return self.start * self.steps < self.step + 1 and self.step < self.end * self.steps

    def on(self, module: Any) -> Any:
        """A double of a denoiser whose attention is watched."""
        found = doubles.double(module)
        for name, layer in found.named_modules():
            # what refines the picture or the words alone has nothing to say of both
            if hasattr(layer, "processor") and hasattr(layer, "to_q") and "refiner" not in name:
                layer.forward = functools.partial(watched, self, name, layer.forward)
        return found

    def row(self, words: Any) -> int | None:
        """Which picture of a batch is told what is to be drawn, if any is."""
        found = None
        for place, one in enumerate(words):
            length = min(len(one), len(self.wanted))
            if torch.equal(one[:length], self.wanted[:length].to(one)):
                found = place
        return found

    @contextmanager
    def looking(self, row: int | None, view: Window) -> Iterator[None]:
        self.call = None if row is None or not self.open else Call(row, view)
        try:
            yield
        finally:
            self.call = None

    def saw(self, name: str, call: Call, query: Any, key: Any, mask: Any, scale: float | None) -> None:
        """One layer has looked: queries and keys are (heads, places, width) of one picture."""
        height, width = len(call.view.rows) // self.cells, len(call.view.columns) // self.cells
        laid = self._laid(query.shape[-2], key.shape[-2], height * width)
        if laid is None:
            return
        places, first = laid
        query = query[:, places]
        grid = sides(query.shape[-2], height, width)
        if grid is None:
            return
        owner = self._owner(key.shape[-2], first).to(query.device)
        found = heeded(
            query, key, mask if mask is None or mask.shape[-2] == 1 else mask[..., places, :], owner, scale
        )
        kept = self.seen.setdefault((name, place(call.view)), Seen(call.view))
        kept.total = kept.total + found.T.reshape(-1, *grid).cpu()
        kept.count += 1

    def _laid(self, queries: int, keys: int, places: int) -> tuple[slice, int] | None:
        """Which queries are places of the picture, and which key is the first word; None if neither are."""
        if self.heard.where == "apart":
            return slice(None), 0
        if queries != keys or keys <= places:
            return None
        if self.heard.where == "before":
            return slice(keys - places, None), self.heard.lead
        return slice(0, places), -(-places // self.heard.multiple) * self.heard.multiple

    def _owner(self, keys: int, first: int) -> torch.Tensor:
        """keys × (words + 1): to which word a key belongs, and in the last column whether to none."""
        found = torch.zeros(keys, len(self.words) + 1)
        for number, rows in enumerate(self.words):
            found[[first + row for row in rows if first + row < keys], number] = 1
        found[:, -1] = 1 - found.sum(1).clamp(max=1)
        return found

    def answered(self, wanted: bool, answer: torch.Tensor, view: Window) -> None:
        """What a denoiser said with the words, or without."""
        found = self.answers.setdefault(place(view), Answers(view, [], []))
        (found.wanted if wanted else found.unwanted).append(answer)

    def _guided(self) -> list[torch.Tensor]:
        """How far the words moved the answer of this step, height × width, if it was asked once for both."""
        every = list(self.answers.values())
        if not every or any(len(one.wanted) != 1 or len(one.unwanted) != 1 for one in every):
            return []
        parts = [(one.view, self._moved(one)[None]) for one in every]
        return [blended(parts, self.size)[0]]

    def _moved(self, answers: Answers) -> torch.Tensor:
        """How long the change is in each cell, of a picture or of a row of patches."""
        change = (answers.wanted[0].float() - answers.unwanted[0].float()).cpu()
        height, width = len(answers.view.rows), len(answers.view.columns)
        if change.ndim == 2:
            grid = height // self.cells, width // self.cells
            long = change.norm(dim=-1)[: grid[0] * grid[1]].reshape(1, *grid)
        else:
            long = change[: self.channels].reshape(-1, *change.shape[-2:]).norm(dim=0)[None]
        return enlarged(long, (height, width))[0]

    def layers(self) -> list[str]:
        """The layers that look at words, in the order in which they do."""
        return list(dict.fromkeys(name for name, _ in self.seen))

    def maps(self, layers: Sequence[str]) -> torch.Tensor:
        """(words + 1) × height × width: how much each cell heeds each word, and last what is no word."""
        return blended(
            [
                (seen.view, enlarged(seen.total / seen.count, (len(seen.view.rows), len(seen.view.columns))))
                for (name, _), seen in self.seen.items()
                if name in layers
            ],
            self.size,
        )


class Seen:
    """The sum of what one layer saw through one window."""

    def __init__(self, view: Window) -> None:
        self.view = view
        self.total = torch.zeros(())
        self.count = 0


class Answers(NamedTuple):
    """What was said in one step of what one window shows."""

    view: Window
    wanted: list[torch.Tensor]
    unwanted: list[torch.Tensor]


Place = tuple[int, ...]


def place(view: Window) -> Place:
    """What tells a window from the others."""
    return int(view.rows[0]), int(view.columns[0])


def enlarged(planes: torch.Tensor, size: Sides) -> torch.Tensor:
    """Planes × height × width, as fine as a picture."""
    return functional.interpolate(planes[None], size, mode="bilinear")[0]


def blended(parts: Sequence[tuple[Window, torch.Tensor]], size: Sides) -> torch.Tensor:
    """The mean of what windows show, where they show it."""
    total, count = torch.zeros(len(parts[0][1]), *size), torch.zeros(size)
    for view, planes in parts:
        rows, columns = view.rows[:, None].cpu(), view.columns.cpu()
        total[:, rows, columns] += planes
        count[rows, columns] += 1
    return total / count.clamp(min=1)


def sides(count: int, height: int, width: int) -> Sides | None:
    """The height and width of a picture of so many places, after so many halvings as it takes."""
    for _ in range(COARSEST):
        if height * width == count:
            return height, width
        height, width = -(-height // 2), -(-width // 2)
    return None


def heeded(query: Any, key: Any, mask: Any, owner: torch.Tensor, scale: float | None) -> torch.Tensor:
    """places × columns of `owner`: the part of each place's attention, the mean of all heads."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    found = torch.zeros(query.shape[-2], owner.shape[1], device=query.device)
    step = max(1, AT_ONCE // key.shape[-2])
    for head in range(len(query)):
        for begin in range(0, query.shape[-2], step):
            part = slice(begin, begin + step)
            logits = scale * (query[head, part].float() @ key[head].float().T)
            if mask is not None:
                here = mask[min(head, len(mask) - 1)]
                here = here if here.shape[0] == 1 else here[part]
                logits = logits.masked_fill(~here, -math.inf) if here.dtype == torch.bool else logits + here
            found[part] += logits.softmax(-1) @ owner
    return found / len(query)


def watched(eyes: Eyes, name: str, usual: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """A layer's own attention; what it compares is looked at on the way."""
    places = given[0] if given else named.get("hidden_states")
    words = given[1] if len(given) > 1 else named.get("encoder_hidden_states")
    if eyes.call is None or (eyes.heard.where == "apart" and (words is None or words is places)):
        return usual(*given, **named)
    with Catching(eyes, name, eyes.call):
        return usual(*given, **named)


class Catching(TorchFunctionMode):  # type: ignore[misc]  # torch gives it no type
    """Sees the first comparison of queries with keys; everything is computed as without it."""

    def __init__(self, eyes: Eyes, name: str, call: Call) -> None:
        super().__init__()
        self.eyes, self.name, self.call = eyes, name, call
        self.done = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention and not self.done:
            self.done = True
            self.look(*args, **kwargs)
        return func(*args, **kwargs)

    def look(
        self, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> None:  # fmt: skip
        row = self.call.row
        key = key[row].repeat_interleave(query.shape[1] // key.shape[1], 0)
        mask = None if attn_mask is None else attn_mask[min(row, len(attn_mask) - 1)]
        self.eyes.saw(self.name, self.call, query[row], key, mask, scale)


class Seeing(Around):
    """A denoiser that says to the eyes which picture of a batch hears the words, and what it answers."""

    def __init__(self, inner: Any, eyes: Eyes, view: Window) -> None:
        super().__init__(inner)
        self.eyes, self.view = eyes, view
        self.signature = inspect.signature(inner.forward)

    def forward(self, *given: Any, **named: Any) -> Any:
        words = self.signature.bind(*given, **named).arguments[self.eyes.heard.argument]
        row = self.eyes.row(words)
        with self.eyes.looking(row, self.view):
            found = self.inner(*given, **named)
        for place, answer in enumerate(found[0]):
            self.eyes.answered(place == row, answer, self.view)
        return found
