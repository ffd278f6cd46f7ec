"""Small nodes that say what they did, and words to write workflows of them in one line."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import threading
from collections import Counter
from typing import Any, Literal, NamedTuple

import numpy as np

import nodes
from engine.context import SILENT, Answer, Context, nobody
from engine.errors import Cancelled
from engine.node import Upgrade, conversion, node
from engine.registry import Registry
from engine.types import Artifact, Image, LoraName, ModelName, Steps, T, Value

Doc = dict[str, Any]

# -- what the nodes leave behind: `Diary.now` is new for every test, see `fresh`


class Diary:
    """What happened since the test began."""

    now: Diary

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ran: Counter[str] = Counter()
        self.order: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.barrier = threading.Barrier(2)
        self.inside = self.crowd = 0
        self.pressure = 0
        """Below this thrift there is not enough memory."""
        self.thrifts: list[int] = []
        self.world = 0

    def note(self, name: str) -> None:
        with self.lock:
            self.ran[name] += 1
            self.order.append(name)

    def gate(self, name: str) -> threading.Event:
        with self.lock:
            return self.gates.setdefault(name, threading.Event())


def fresh() -> Diary:
    """A diary for a test, in which the nodes write from now on."""
    Diary.now = Diary()
    return Diary.now


# -- nodes


class Thing(Value, frozen=True, eq=False):
    """Something with a size."""

    size: int


class Tool(Thing, frozen=True, eq=False):
    """A thing with a use."""

    use: str = "none"


class Picture(Value, frozen=True, eq=False):
    """What a thing looks like."""

    of: int


@node(category="test")
def work(name: str, value: int = 0) -> int:
    """Add one, and note the name."""
    Diary.now.note(name)
    return value + 1


@node(category="test", lane="inline")
def plus(a: int, b: int = 0) -> int:
    """Add whole numbers."""
    Diary.now.note("plus")
    return a + b


@node(category="test", lane="inline")
def half(a: float) -> float:
    """Divide by two; says what kind of number it got."""
    assert type(a) is float
    return a / 2


@node(category="test", lane="inline")
def whole(a: int) -> int:
    """The number itself; says that it is whole."""
    assert type(a) is int
    return a


@node(category="test", lane="inline")
def numbers(items: list[float]) -> float:
    """The sum of numbers, every one a float."""
    assert all(type(item) is float for item in items)
    return sum(items)


@node(category="test", lane="inline")
def same(a: T, b: T) -> list[T]:
    """Two values of one kind, as a list."""
    return [a, b]


@node(category="test", lane="inline")
def twins(value: int) -> list[int]:
    """A number twice."""
    return [value, value]


@node(category="test", lane="gpu")
def wear(model: ModelName, lora: LoraName) -> str:
    """Takes the names of two kinds of model."""
    return f"{model} with {lora}"


@node(category="test", lane="inline")
def limited(steps: Steps, way: Literal["slow", "fast"] = "slow") -> int:
    """Takes what has limits."""
    return steps


class Parts(NamedTuple):
    whole: int
    rest: float


@node(category="test", lane="inline")
def parts(value: float) -> Parts:
    """A number in two parts."""
    return Parts(int(value), value - int(value))


@node(
    category="test",
    lane="inline",
    version=3,
    upgrades=(
        Upgrade(to=2, rename={"x": "value"}, default={"factor": 10}, outputs={"result": "out"}),
        Upgrade(to=3, drop=("colour",)),
    ),
)
def scaled(value: int, factor: int = 1) -> int:
    """Multiply; its first version called the input x, its output result, and multiplied by ten."""
    return value * factor


@node(category="test", lane="inline")
def thing(size: int = 1) -> Thing:
    """A thing."""
    return Thing(size)


@node(category="test", lane="inline")
def tool(size: int = 1) -> Tool:
    """A tool, which is a thing."""
    return Tool(size, "hammer")


@node(category="test", lane="inline")
def look(at: Picture) -> int:
    """What is in the picture."""
    return at.of


@node(category="test", lane="inline")
def weigh(a: Thing) -> int:
    """How large a thing is."""
    assert isinstance(a, Thing)
    return a.size


@conversion
def thing_as_picture(source: Thing) -> Picture:
    """Look at a thing."""
    Diary.now.note("convert")
    return Picture(source.size)


@node(category="test")
def meet(name: str) -> str:
    """Return once somebody else is here at the same time."""
    Diary.now.barrier.wait(20)
    return name


@node(category="test", lane="gpu")
def alone(number: int) -> int:
    """Note how many are in here at once."""
    diary = Diary.now
    with diary.lock:
        diary.inside += 1
        diary.crowd = max(diary.crowd, diary.inside)
        diary.order.append(f"alone {number}")
    threading.Event().wait(0.01)
    with diary.lock:
        diary.inside -= 1
    return number


@node(category="test", lane="gpu")
def served(name: str, value: int = 0) -> int:
    """Take the only slot for a moment, once the gate is open."""
    Diary.now.gate("go").wait(20)
    Diary.now.note(name)
    return value


@node(category="test")
def hold(name: str, value: int = 0, ctx: Context = SILENT) -> int:
    """Go on when the gate of this name opens, or stop when cancelled."""
    diary = Diary.now
    diary.note(f"{name} began")
    diary.gate(f"{name} began").set()
    try:
        for _ in ctx.track(range(4000), total=4000):
            if diary.gate(name).wait(0.005):
                break
    except Cancelled:
        diary.note(f"{name} cancelled")
        diary.gate(f"{name} cancelled").set()
        raise
    diary.note(name)
    return value


@node(category="test")
def boom(value: int = 0) -> int:
    """Fail."""
    Diary.now.note("boom")
    raise ValueError(f"no good: {value}")


@node(category="test")
def endless(value: int, way: Literal["stop", "exit", "interrupt"]) -> int:
    """Fail in a way that is not only its own."""
    if way == "exit":
        sys.exit(3)
    if way == "interrupt":
        raise KeyboardInterrupt
    return int(next(iter(())))


@node(category="test", lane="inline")
def endless_inline(value: int) -> int:
    """End the program."""
    sys.exit(3)


@node(category="test")
async def endless_async(value: int) -> int:
    """End the program, while awaited."""
    sys.exit(3)


@node(category="test")
def greedy(name: str, value: int = 0, ctx: Context = SILENT) -> int:
    """Need much memory, less with thrift."""
    diary = Diary.now
    diary.note(name)
    diary.thrifts.append(ctx.thrift)
    if ctx.thrift < diary.pressure:
        raise MemoryError("you tried to allocate 2.00 MiB")
    return 100 * value + ctx.thrift


@node(category="test", lane="inline")
def spoil(items: list[int]) -> int:
    """Change a list that is not its own."""
    items.append(1)
    return sum(items)


@node(category="test", kind="effect")
def stamp(text: str) -> Artifact:
    """Change the world."""
    Diary.now.note(f"stamp {text}")
    return Artifact("0" * 62 + f"{len(text):02}", "text/plain", len(text), text)


@node(category="test", kind="source")
def clock() -> int:
    """Read the world, which never is the same twice."""
    Diary.now.note("clock")
    return Diary.now.ran["clock"]


def state_of_the_world(name: str) -> str:
    Diary.now.note(f"look at {name}")
    return str(Diary.now.world)


@node(category="test", kind="source", fingerprint=state_of_the_world)
def reading(name: str) -> int:
    """Read the world, which has a mark."""
    Diary.now.note(f"read {name}")
    return Diary.now.world


@node(category="test")
def painted(level: int, ctx: Context = SILENT) -> Image:
    """Paint a picture, showing it on the way."""
    picture = Image(np.full((8, 8, 3), level, np.uint8))
    for _ in ctx.track(range(2)):
        ctx.preview(picture)
    return picture


@node(category="test")
async def decide(options: list[str], answer: Answer = nobody) -> str:
    """Let somebody choose."""
    Diary.now.note("decide")
    return await answer("Which?", options, [])


@node(category="test", lane="inline")
def lie(value: int) -> int:
    """Return what was not declared."""
    return f"{value}"  # type: ignore[return-value]  # that is what is tested


# -- registries


def toys() -> Registry:
    """These nodes alone."""
    return Registry.of([sys.modules[__name__]])


def all_nodes() -> Registry:
    """These nodes and those that come with Tessera."""
    names = [m.name for m in pkgutil.iter_modules(nodes.__path__) if not m.name.startswith("_")]
    return Registry.of([*(importlib.import_module(f"nodes.{n}") for n in names), sys.modules[__name__]])


# -- words to write workflows with


class Wire(str):
    """Marks "step.output", or "#group", as a wire and not a text."""


def step(node: str, *, off: str = "", version: int = 0, **given: Any) -> Doc:
    """A step: values as they are, wires as Wire."""
    made: Doc = {"node": node}
    if version:
        made["version"] = version
    if values := {name: value for name, value in given.items() if not isinstance(value, Wire)}:
        made["values"] = values
    if wires := {name: str(value) for name, value in given.items() if isinstance(value, Wire)}:
        made["wires"] = wires
    return {**made, "off": off} if off else made


def group(steps: Doc, inputs: dict[str, str], output: str) -> Doc:
    """A group with one output."""
    to = {name: {"to": places.split()} for name, places in inputs.items()}
    return {"steps": steps, "inputs": to, "outputs": {"out": output}}


def workflow(
    outputs: dict[str, str] | None = None,
    *,
    groups: Doc | None = None,
    inputs: dict[str, str] | None = None,
    **steps: Doc,
) -> Doc:
    """A document; inputs as {"name": "step.input step.input"}."""
    made: Doc = {"tessera": 1, "steps": steps, "outputs": outputs or {}}
    if groups:
        made["groups"] = groups
    if inputs:
        made["inputs"] = {name: {"to": places.split()} for name, places in inputs.items()}
    return made
