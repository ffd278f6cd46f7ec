"""Weights in memory: what loads them, and which of them stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from engine.config import Settings
from engine.errors import MissingModel, OutOfMemory, Unsupported
from engine.machine import SMALL, default_limit, device, dtype_on, prepare, release
from engine.models import ModelFile, Models, models
from engine.types import Model
from engine.weights import SAFE, Kind, header, weights_of

Fn = TypeVar("Fn", bound=Callable[..., Any])

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, SMALL: 1}
Wear = Callable[[Any, Sequence[tuple[ModelFile, float]]], None]


class Place(Struct, frozen=True):
    """Where the weights of one part lie within a model's files."""

    folders: tuple[str, ...] = ("",)
    """Sub-folders of the diffusers layout; an empty name where the part is the whole file."""
    prefixes: tuple[str, ...] = ("",)
    """What its tensors' names start with in a single file."""
    alone: tuple[Kind, ...] = ()
    """Kinds of files that are nothing but this part."""


def whole(ref: Model) -> Place:
    """A part that has its files for itself."""
    return Place()


class Loader(Struct, frozen=True):
    """How one part of a model comes into memory. Declared on the function that does it."""

    part: type[Model]
    family: str = ""
    """Whose models it loads; empty for those of every family that has no loader of its own."""
    place: Callable[[Model], Place] = whole
    kinds: tuple[Kind, ...] = ("model",)
    """Kinds of files that it is found in."""
    wear: Wear | None = None
    """Puts exactly these LoRAs on what was loaded, and takes off what it wore before."""


def loader(
    part: type[Model],
    family: str = "",
    *,
    place: Callable[[Model], Place] = whole,
    kinds: tuple[Kind, ...] = ("model",),
    wear: Wear | None = None,
) -> Callable[[Fn], Fn]:
    """Declare a function (file, ref, device, dtype) → value as what loads a part of models.

    It serves one family, or without a name every family that has no loader of its own.
    """

    def declare(fn: Fn) -> Fn:
        fn.__dict__["__loader__"] = Loader(part, family, place, kinds, wear)
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
        turns: bool = False,
    ) -> None:
        self.models = models
        self.device = device
        self.dtype = dtype_on(device, dtype)
        self.turns = turns
        """Weights stay in the machine's memory, and come to the device layer by layer."""
        self.limit = limit_bytes or default_limit("cpu" if turns else device)
        self._loaders = {
            (one.part, one.family): (one, fn) for fn in loaders for one in [fn.__dict__["__loader__"]]
        }
        self._entries: dict[tuple[object, ...], Entry] = {}
        self._changed = threading.Condition()
        self._floor = 0.0
        self.loads = 0
        """Loads so far."""

    @classmethod
    def of(
        cls, settings: Settings, loaders: Iterable[Callable[..., Any]], models: Models, turns: bool = False
    ) -> Residency:
        """As the settings say, whose limit is for weights that stay on the device."""
        limit, kind = 0 if turns else settings.memory_limit, device(settings.device)
        return cls(loaders, models, device=kind, dtype=settings.dtype, limit_bytes=limit, turns=turns)

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
        dtype = dtype_on(self.device, ref.dtype if ref.dtype not in ("auto", SMALL) else self.dtype)
        key = (type(ref), ref.family, ref.sha256, ref.variant, dtype, ref.dtype == SMALL)
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
        found = self.models.locate(entry.ref.name, entry.ref.sha256, *about.kinds)
        file = msgspec.structs.replace(found, variant=entry.ref.variant)
        expected = estimate(file, about.place(entry.ref), SMALL if entry.ref.dtype == SMALL else dtype)
        self._reserve(entry, expected)
        started = time.perf_counter()
        entry.value = load(file, entry.ref, self.device, dtype)
        entry.seconds = time.perf_counter() - started
        self._reserve(entry, bytes_of(entry.value) or expected)
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
            for family in (ref.family, ""):
                if (found := self._loaders.get((part, family))) is not None:
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


def in_turns() -> bool:
    """Whether what is loaded here shall stay in the machine's memory, and come to the device in turns."""
    here = current.get()
    return here is not None and here.turns


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


def estimate(file: ModelFile, place: Place, dtype: str) -> int:
    """Bytes that a part will take in memory, from the headers of its files."""
    single = file.layout == "single_file"
    if file.kind in place.alone:
        place = Place()
    if single and file.path.suffix.lower() != SAFE:
        return file.bytes
    folders = [file.path / one for one in place.folders if (file.path / one).is_dir()] or [file.path]
    paths = (
        [file.path] if single else [path for folder in folders for path in weights_of(folder, file.variant)]
    )
    numbers = 0
    for path in paths:
        for name, tensor in header(path).items():
            if not single or name.startswith(place.prefixes):
                start, end = tensor.data_offsets
                numbers += (end - start) // WIDTH.get(tensor.dtype, 1)
    return numbers * BYTES[dtype]


WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
"""Bytes of one number in a safetensors file."""


def bytes_of(value: object) -> int:
    """Bytes of all weights in a module, or in a value that has modules or tuples of them; 0 if none."""
    fields = [] if hasattr(value, "parameters") else list(vars(value).values())
    modules = [value, *fields, *(one for field in fields if isinstance(field, tuple) for one in field)]
    found = [m for m in modules if hasattr(m, "parameters") and hasattr(m, "buffers")]
    return sum(t.numel() * t.element_size() for m in found for t in (*m.parameters(), *m.buffers()))
