"""Words that were learned later: textual inversions, which a prompt names as `embedding:NAME`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import safe_open

from engine.errors import BadInput, Unsupported
from engine.models import ModelFile, models
from engine.weights import header

TOWERS = ("clip_l", "clip_g")
"""How files for SDXL call what is for each of its encoders."""
Vectors = Mapping[str, torch.Tensor]
"""What a file holds: (count, width) by the names of its tensors."""


def found_for(names: Iterable[str]) -> dict[str, Vectors]:
    """Each of them, from the folder of embeddings. Raises MissingModel with the nearest names."""
    here = models()
    return {name: vectors(here.find(name, "embedding")) for name in names}


def vectors(file: ModelFile) -> dict[str, torch.Tensor]:
    """The tensors of a file, whoever wrote it: A1111, diffusers, or the trainers for SDXL."""
    shapes = {name: about.shape for name, about in header(file.path).items()}
    fit = [name for name, shape in shapes.items() if len(shape) in (1, 2)]
    wanted = [name for name in TOWERS if name in fit] or fit
    if not wanted or (len(wanted) > 1 and wanted[0] not in TOWERS):
        raise Unsupported(
            f"Embedding {file.name!r} has {len(shapes)} tensors, which is no layout that is known.",
            remedy="Use one in safetensors of A1111, diffusers, or SDXL's clip_l and clip_g.",
        )
    with safe_open(file.path, "pt") as opened:
        return {name: torch.atleast_2d(opened.get_tensor(name)) for name in wanted}


def fitting(name: str, known: Vectors, width: int, most: int) -> torch.Tensor:
    """What one encoder reads in place of the name. Raises BadInput if it was made for others."""
    fit = next((found for found in known.values() if found.shape[1] == width), None)
    if fit is None:
        widths = " and ".join(str(found.shape[1]) for found in known.values())
        raise BadInput(
            "text",
            got=f"embedding:{name}, whose vectors have {widths} numbers",
            want=f"vectors of {width} numbers, as this model's",
            remedy="Use an embedding that was trained for this family of models.",
        )
    if not 1 <= len(fit) <= most:
        raise BadInput("text", got=f"embedding:{name} with {len(fit)} vectors", want=f"1 to {most}")
    return fit


@contextmanager
def in_place(module: Any, learned: Mapping[int, torch.Tensor]) -> Iterator[None]:
    """Let an encoder see these vectors, by their positions, in place of what its words mean."""
    if not learned:
        yield
        return

    def put(_: Any, __: Any, seen: torch.Tensor) -> torch.Tensor:
        changed = seen.clone()
        for position, vector in learned.items():
            changed[0, position] = vector.to(seen)
        return changed

    hook = module.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()
