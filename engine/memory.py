"""Weights in memory: residency, loaders, and what counts as out of memory."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from engine.config import Settings
from engine.errors import MissingModel, OutOfMemory, Unsupported
from engine.models import Kind, ModelFile, Models, header, models, weights_of
from engine.types import Model

Fn = TypeVar("Fn", bound=Callable[..., Any])

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
GPU_SHARE = 0.85
"""Of a GPU's own memory, for weights; the rest is for the pictures being made."""


Wear = Callable[[Any, Sequence[tuple[ModelFile, float]]], None]


class Loader(Struct, frozen=True):
    """How one part of a model comes into memory. Declared on the function that does it."""

    part: type[Model]
    family: str
    folder: str = ""
    """Its sub-folder in the diffusers layout; empty where the part is the whole file."""
    prefix: str = ""
    """What its tensors' names start with in a single file."""
    kinds: tuple[Kind, ...] = ("model",)
    """Kinds of files that it is found in."""
    wear: Wear | None = None
    """Puts exactly these LoRAs on what was loaded, and takes off what it wore before."""


def loader(
    part: type[Model],
    family: str,
    *,
    folder: str = "",
    prefix: str = "",
    kinds: tuple[Kind, ...] = ("model",),
    wear: Wear | None = None,
) -> Callable[[Fn], Fn]:
    """Declare a function (file, ref, device, dtype) → value as what loads a part of a family's models."""

    def declare(fn: Fn) -> Fn:
        fn.__dict__["__loader__"] = Loader(part, family, folder, prefix, kinds, wear)
        return fn

    return declare


class Held(Struct, frozen=True):
    """One thing that is resident, for people."""

    name: str
    part: str
    bytes: int
    pins: int
    seconds: float
    """What loading it cost."""


class Entry:
    """A resident, or one that is being loaded."""

    def __init__(self, ref: Model) -> None:
        self.ref = ref
        self.bytes = 0
        self.value: Any = None
        self.ready = False
        self.pins = 1
        self.users = 0
        self.worn: tuple[tuple[str, str, float], ...] | None = ()
        self.seconds = 0.0
        self.worth = 0.0


class Residency:
    """Keeps the most valuable weights in memory, under a hard cap. Safe to use from many threads.

    Which goes first is decided by GreedyDual-Size: worth is the seconds of loading saved per byte, on top
    of a floor that rises with every eviction, so what is not used sinks.
    """

    def __init__(
        self,
        loaders: Iterable[Callable[..., Any]],
        models: Models,
        *,
        device: str = "cpu",
        dtype: str = "auto",
        limit_bytes: int = 0,
    ) -> None:
        self.models = models
        self.device = device
        self.dtype = dtype_on(device, dtype)
        self.limit = limit_bytes or default_limit(device)
        self._loaders = {
            (one.part, one.family): (one, fn) for fn in loaders for one in [fn.__dict__["__loader__"]]
        }
        self._entries: dict[tuple[object, ...], Entry] = {}
        self._changed = threading.Condition()
        self._floor = 0.0
        self.loads = 0
        """Loads so far."""

    @classmethod
    def of(cls, settings: Settings, loaders: Iterable[Callable[..., Any]], models: Models) -> Residency:
        """As the settings say."""
        limit, kind = settings.memory_limit, device(settings.device)
        return cls(loaders, models, device=kind, dtype=settings.dtype, limit_bytes=limit)

    @contextmanager
    def hold(self, ref: Model) -> Iterator[Any]:
        """The weights that `ref` means, with its LoRAs on, kept in memory while in use."""
        entry = self._pin(ref)
        try:
            self._dress(entry, ref)
            try:
                yield entry.value
            finally:
                with self._changed:
                    entry.users -= 1
        finally:
            with self._changed:
                entry.pins -= 1
                self._changed.notify_all()

    def _dress(self, entry: Entry, ref: Model) -> None:
        """Wait for those who use it in other clothes; then it wears what the reference says."""
        with self._changed:
            while entry.users and entry.worn != ref.loras:
                self._changed.wait()
            entry.users += 1
            if entry.worn == ref.loras:
                return
            entry.worn = None  # unknown while it changes, and if that fails half-way
        try:
            self._wear(entry, ref)
        except BaseException:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            entry.worn = ref.loras
            self._changed.notify_all()

    def _wear(self, entry: Entry, ref: Model) -> None:
        about, _ = self._loader(ref)
        if about.wear is None:
            text = f"A {type(ref).__name__} of {ref.family!r} takes no LoRA."
            raise Unsupported(text, remedy="Use them with a model that has them.")
        files = [(self.models.locate(name, sha, "lora"), weight) for name, sha, weight in ref.loras]
        about.wear(entry.value, files)

    def evict(self, all: bool = False) -> int:
        """Drop what is not in use: the least valuable one, or all. Returns the bytes freed."""
        with self._changed:
            idle = self._idle()
            dropped = sum(self._drop(key) for key in (idle if all else idle[:1]))
        release(self.device)
        return dropped

    def held(self) -> list[Held]:
        """What is in memory now, the most valuable first."""
        with self._changed:
            entries = sorted(self._entries.values(), key=lambda e: -e.worth)
        return [Held(e.ref.name, type(e.ref).__name__, e.bytes, e.pins, e.seconds) for e in entries]

    @property
    def bytes(self) -> int:
        """Bytes of weights in memory now."""
        with self._changed:
            return sum(entry.bytes for entry in self._entries.values())

    def _pin(self, ref: Model) -> Entry:
        dtype = dtype_on(self.device, ref.dtype if ref.dtype != "auto" else self.dtype)
        key = (type(ref), ref.family, ref.sha256, dtype)
        with self._changed:
            while (entry := self._entries.get(key)) is not None:
                if entry.ready:
                    entry.pins += 1
                    self._value(entry)
                    return entry
                self._changed.wait()  # somebody else is loading it
            entry = self._entries[key] = Entry(ref)
        try:
            self._load(entry, dtype)
        except BaseException:
            with self._changed:
                del self._entries[key]
                self._changed.notify_all()
            release(self.device)
            raise
        return entry

    def _load(self, entry: Entry, dtype: str) -> None:
        about, load = self._loader(entry.ref)
        file = self.models.locate(entry.ref.name, entry.ref.sha256, *about.kinds)
        self._reserve(entry, estimate(file, about, dtype))
        started = time.perf_counter()
        entry.value = load(file, entry.ref, self.device, dtype)
        entry.seconds = time.perf_counter() - started
        self._reserve(entry, bytes_of(entry.value))
        with self._changed:
            self._value(entry)
            entry.ready = True
            self.loads += 1
            self._changed.notify_all()

    def _reserve(self, entry: Entry, size: int) -> None:
        with self._changed:
            self._make_room(size - entry.bytes)
            entry.bytes = size

    def _value(self, entry: Entry) -> None:
        entry.worth = self._floor + entry.seconds / max(entry.bytes, 1)

    def _loader(self, ref: Model) -> tuple[Loader, Callable[..., Any]]:
        for part in type(ref).__mro__:
            if (found := self._loaders.get((part, ref.family))) is not None:
                return found
        raise MissingModel(
            f"Nothing here loads the {type(ref).__name__} of family {ref.family!r}.",
            remedy="Choose a model of another family.",
        )

    def _make_room(self, needed: int) -> None:
        free = self.limit - sum(entry.bytes for entry in self._entries.values())
        idle = self._idle()
        if needed > free + sum(self._entries[key].bytes for key in idle):
            text = (
                f"The weights need {needed / 1e6:.0f} MB; {max(free, 0) / 1e6:.0f} MB of the limit are free."
            )
            raise OutOfMemory(text, needed=needed, free=max(free, 0))
        evicted = False
        while needed > free:
            free += self._drop(idle.pop(0))
            evicted = True
        if evicted:
            release(self.device)

    def _idle(self) -> list[tuple[object, ...]]:
        """What may go, the least valuable first."""
        idle = [key for key, entry in self._entries.items() if entry.ready and not entry.pins]
        return sorted(idle, key=lambda key: self._entries[key].worth)

    def _drop(self, key: tuple[object, ...]) -> int:
        entry = self._entries.pop(key)
        self._floor = max(self._floor, entry.worth)
        entry.value = None
        return entry.bytes


current: ContextVar[Residency | None] = ContextVar("residency", default=None)
"""The residency of the worker that runs this node."""


def residency() -> Residency:
    """The residency of the worker that runs here; outside one, a lazily made one on this machine's device."""
    return current.get() or default_residency()


@contextmanager
def weights(ref: Model) -> Iterator[Any]:
    """The weights that a model reference means, for as long as they are used."""
    with residency().hold(ref) as value:
        yield value


@cache
def default_residency() -> Residency:
    from engine.registry import Registry

    prepare()
    return Residency(Registry.core().loaders, models(), device=device())


def prepare(threads: int = 0) -> None:
    """Set a worker up before torch is used: offline, deterministic, one thread count for its whole life."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        DO_NOT_TRACK="1",
        TOKENIZERS_PARALLELISM="false",
        CUBLAS_WORKSPACE_CONFIG=":4096:8",
    )
    import torch

    # With a thread on every core, each operation waits for the slowest: 5 times slower beside any other work.
    torch.set_num_threads(threads or max(1, min(8, cores() - 1)))
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def warm() -> None:
    """Import the parts of the model libraries that nearly every picture needs; they take seconds."""
    import diffusers.models.autoencoders.autoencoder_kl
    import diffusers.models.unets.unet_2d_condition
    import diffusers.schedulers  # noqa: F401
    import transformers.models.clip.modeling_clip
    import transformers.models.clip.tokenization_clip  # noqa: F401


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def device(wanted: str = "auto") -> str:
    """The kind of device to compute on: what is wanted, or the best there is."""
    if wanted != "auto":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "xpu" if hasattr(torch, "xpu") and torch.xpu.is_available() else "cpu"


def dtype_on(device: str, wanted: str = "auto") -> str:
    """The number format to compute in. A CPU is 160 times slower in float16, so it takes float32."""
    if device == "cpu":
        return "bfloat16" if wanted == "bfloat16" else "float32"
    return "float16" if wanted == "auto" else wanted


def estimate(file: ModelFile, about: Loader, dtype: str) -> int:
    """Bytes that a part will take in memory, from the headers of its files."""
    if file.layout == "single_file":
        found = [header(file.path)]
    else:
        found = [header(path) for path in weights_of(file.path / about.folder)]
    numbers = 0
    for tensors in found:
        for name, tensor in tensors.items():
            if file.layout == "diffusers" or name.startswith(about.prefix):
                start, end = tensor.data_offsets
                numbers += (end - start) // WIDTH.get(tensor.dtype, 1)
    return numbers * BYTES[dtype]


WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
"""Bytes of one number in a safetensors file."""


def bytes_of(value: object) -> int:
    """Bytes of all weights in a module, or in a value that has modules as fields."""
    modules = [value, *vars(value).values()] if not hasattr(value, "parameters") else [value]
    found = [m for m in modules if hasattr(m, "parameters") and hasattr(m, "buffers")]
    return sum(t.numel() * t.element_size() for m in found for t in (*m.parameters(), *m.buffers()))


def default_limit(device: str) -> int:
    """Most of a GPU's own memory, or half of what this process may use."""
    if device == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory * GPU_SHARE)
    return total_memory() // 2


def total_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the container's if that is less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            total = min(total, int(Path(limit).read_text("ascii")))
    return total


def memory_now() -> int:
    """Bytes of memory that this process holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def memory_peak() -> int:
    """The most bytes of memory that this process ever held."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def release(device: str) -> None:
    """Give memory that nothing uses back to the system."""
    gc.collect()
    if device in ("cuda", "mps", "xpu"):
        import torch

        getattr(torch, device).empty_cache()
    elif sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim and needs none
            ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    if isinstance(error, MemoryError):
        return True
    if type(error).__name__ == "OutOfMemoryError" and type(error).__module__.startswith("torch"):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(
        sign in text
        for sign in ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
    )


def environment(device: str, dtype: str = "auto") -> dict[str, str | int]:
    """What a receipt says about the machine: libraries, device, number format, threads."""
    import torch

    return {
        "python": sys.version.split()[0],
        "torch": version("torch"),
        "diffusers": version("diffusers"),
        "transformers": version("transformers"),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "dtype": dtype_on(device, dtype),
        "threads": torch.get_num_threads(),
    }


def epoch(device: str, dtype: str = "auto") -> str:
    """What changes numbers besides the inputs: a part of the key of every call that uses torch."""
    libraries = [f"{name} {'.'.join(version(name).split('.')[:2])}" for name in ("torch", "diffusers")]
    return " ".join([*libraries, device, dtype_on(device, dtype)])
