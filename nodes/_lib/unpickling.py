"""What the converting process does: read a pickle's tensors, write them as safetensors, say how it went."""

from __future__ import annotations

import json
import pickle
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

WRAPPINGS = ("state_dict", "params_ema", "params", "model_state_dict", "model", "module")
"""Under which key training programs keep the weights, what is best for drawing first."""
INVERSION = "string_to_param"
LEVELS = 3
GLOBAL = re.compile(r"(?:GLOBAL|global) ([\w.]+)")


class Refused(Exception):
    """The file is not only tensors."""


def main(file: str, into: str, memory: str) -> None:
    """Convert one file within so much memory."""
    limit(int(memory))
    try:
        found, left = weights(load(Path(file)))
        save_file(separate(found), into, metadata={"format": "pt"})
        size = sum(tensor.nbytes for tensor in found.values())
        said: dict[str, Any] = {"tensors": len(found), "bytes": size, "left": left[:50]}
    except Refused as error:
        said = {"refused": str(error)}
    except MemoryError:
        said = {"refused": "it needs more memory than its size explains"}
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError) as error:
        said = {"refused": f"it cannot be read ({first_line(error)})"}
    print(json.dumps(said), flush=True)


def load(file: Path) -> object:
    """What the pickle holds, if that is tensors and plain containers; nothing in it is called."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError as error:
        named = GLOBAL.search(str(error))
        what = f"also {named[1]}" if named else "something that is no tensor"
        raise Refused(f"it holds {what}, which could run code") from None


def weights(found: object, level: int = 0) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors by name, out of what training programs wrap them in; and what else there was."""
    if not isinstance(found, Mapping):
        raise Refused(f"it holds a {type(found).__name__}, not tensors by name")
    if isinstance(found.get(INVERSION), Mapping):
        return inversion(found)
    inner = next((key for key in WRAPPINGS if isinstance(found.get(key), Mapping)), None)
    if inner is not None and level < LEVELS:
        tensors, left = weights(found[inner], level + 1)
        return tensors, [*left, *(str(key) for key in found if key != inner)]
    flat = dict(flattened(found))
    tensors = {name: value for name, value in flat.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise Refused("it holds no tensors by name")
    return tensors, [name for name in flat if name not in tensors]


def flattened(found: Mapping[Any, Any], before: str = "", level: int = 0) -> Iterator[tuple[str, Any]]:
    """Names of nested dictionaries joined by dots."""
    for key, value in found.items():
        if isinstance(value, Mapping) and level < LEVELS:
            yield from flattened(value, f"{before}{key}.", level + 1)
        else:
            yield f"{before}{key}", value


def inversion(found: Mapping[Any, Any]) -> tuple[dict[str, torch.Tensor], list[str]]:
    """A textual inversion of Automatic1111, by the name that it has in safetensors."""
    values = [value for value in found[INVERSION].values() if isinstance(value, torch.Tensor)]
    if len(values) != 1:
        raise Refused(f"it holds {len(values)} words, not one")
    return {"emb_params": values[0].detach()}, [str(key) for key in found if key != INVERSION]


def separate(found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor with memory of its own, which safetensors asks for; the bits stay."""
    seen: set[int] = set()
    made: dict[str, torch.Tensor] = {}
    for name, tensor in found.items():
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise Refused(f"its {name} is not a plain tensor")
        plain = tensor.detach()
        storage = plain.untyped_storage()
        whole = storage.nbytes() == plain.nbytes and plain.is_contiguous()
        shared = storage.data_ptr() in seen
        seen.add(storage.data_ptr())
        made[name] = plain if whole and not shared else plain.clone(memory_format=torch.contiguous_format)
    return made


def limit(memory: int) -> None:
    """Allow so many bytes more than are in use now. Where a system has no such limit, time alone limits."""
    if sys.platform == "win32":
        return
    import resource

    with suppress(ValueError, OSError):
        now = int(Path("/proc/self/statm").read_text("ascii").split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (now + memory, now + memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]
