"""A node is read from its signature, or refused at import with the place and the remedy."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import pytest
from msgspec import Meta

from engine.annotations import describe
from engine.context import SILENT, Answer, Context, nobody
from engine.errors import BadDeclaration
from engine.node import NodeSpec, Upgrade, conversion, declared, input_schema, node, read
from engine.ports import Class, Either, ListOf, Menu, Nothing, Piece, Scalar, Var
from engine.types import A, B, Image, Json, Latent, Lazy, Mask, Model, Prompt, Seed, Steps, T, Vae, Value

IMAGE = Class(("Image", "Value"))
M = TypeVar("M", bound=Model)
N = TypeVar("N", int, str)


class Split(NamedTuple):
    left: Image
    right: Annotated[Image, Meta(description="The other half.")]


class Pair(NamedTuple, Generic[A, B]):
    first: A
    second: B


class Fancy(Latent, frozen=True, eq=False):
    pass


def spec_of(fn: Callable[..., Any], **options: Any) -> NodeSpec:
    return read(fn, category="test", **options).spec


def test_the_decorator_returns_the_very_function() -> None:
    def double(a: int) -> int:
        """Twice."""
        return 2 * a

    assert node(category="test")(double) is double
    assert double(4) == 8
    assert declared(double).run is double


def test_a_signature_is_the_whole_declaration() -> None:
    def blur_more(image: Image, steps: Steps = 20, seed: Seed = 0, ctx: Context = SILENT) -> Image:
        """Blur it.

        And then more.
        """
        return image

    spec = spec_of(blur_more)
    assert (spec.id, spec.title, spec.version, spec.kind, spec.lane) == (
        "blur_more",
        "Blur more",
        1,
        "pure",
        "cpu",
    )
    assert spec.help == "Blur it.\n\nAnd then more."
    image, steps, seed = spec.inputs
    assert image.type == IMAGE
    assert image.required
    assert steps.type == Scalar("int", ge=1, le=150)
    assert (steps.default, steps.required) == (20, False)
    assert "Denoising" in steps.help
    assert seed.ui == {"x-widget": "seed"}
    assert [(p.name, p.type) for p in spec.outputs] == [("out", IMAGE)]
    assert declared(node(category="test")(blur_more)).context == "ctx"


def test_the_fields_of_a_named_tuple_are_the_outputs() -> None:
    def split(image: Image) -> Split:
        """Cut."""
        return Split(image, image)

    outputs = spec_of(split).outputs
    assert [p.name for p in outputs] == ["left", "right"]
    assert outputs[1].help == "The other half."


def test_a_generic_named_tuple_takes_the_nodes_own_variables() -> None:
    def swap(a: A, b: B) -> Pair[B, A]:
        """Swap."""
        return Pair(b, a)

    assert [(p.name, p.type) for p in spec_of(swap).outputs] == [("first", Var("B")), ("second", Var("A"))]


def test_no_result_is_no_output() -> None:
    def drop(image: Image) -> None:
        """Drop."""

    assert spec_of(drop).outputs == ()


@pytest.mark.parametrize(
    ("hint", "type"),
    [
        (int, Scalar("int")),
        (bool, Scalar("bool")),
        (Json, Scalar("json")),
        (Prompt, Scalar("str", max_length=20_000)),
        (Literal["a", "b", 3], Menu(("a", "b", 3))),
        (float | None, Either((Scalar("float"), Nothing()))),
        (Literal["a"] | None, Either((Menu(("a",)), Nothing()))),
        (Literal["a", None], Either((Menu(("a",)), Nothing()))),
        (int | str, Either((Scalar("int"), Scalar("str")))),
        (Image | (Mask | None), Either((IMAGE, Class(("Mask", "Value")), Nothing()))),
        (list[Image], ListOf(IMAGE)),
        (list[Image] | None, Either((ListOf(IMAGE), Nothing()))),
        (T, Var("T")),
        (M, Var("M", Class(("Model", "Value")))),
        (N, Var("N", Either((Scalar("int"), Scalar("str"))))),
        (Vae, Class(("Vae", "Model", "Value"))),
        (Fancy, Class(("Fancy", "Latent", "Value"))),
        (Annotated[Steps, Meta(le=30)], Scalar("int", ge=1, le=30)),
    ],
)
def test_every_kind_of_annotation_becomes_data(hint: Any, type: object) -> None:
    assert describe(hint, {}, "here") == type


def test_pieces_of_graph_are_awaited_by_an_async_node() -> None:
    async def either_way(flag: bool, a: Lazy[T], body: Callable[[T, int], Awaitable[T]]) -> T:
        """One or the other."""
        return await a()

    spec = spec_of(either_way)
    assert spec.steers
    assert spec.lane == "io"
    assert spec.inputs[1].type == Piece((), Var("T"))
    assert spec.inputs[2].type == Piece((Var("T"), Scalar("int")), Var("T"))


async def test_a_node_that_asks_a_person_says_so() -> None:
    async def pick(options: list[str], ask: Answer = nobody) -> str:
        """Pick."""
        return await ask("Which?", options, ())

    found = read(pick, category="test")
    assert found.answer == "ask"
    assert found.spec.asks
    assert [p.name for p in found.spec.inputs] == ["options"]
    assert await pick(["x", "y"]) == "x"


def test_a_default_gets_the_exact_kind_of_its_input() -> None:
    def scale(by: float = 2, names: list[str] = ("a",)) -> None:  # type: ignore[assignment]  # a tuple is safe
        """Scale."""

    by, names = spec_of(scale).inputs
    assert type(by.default) is float
    assert names.default == ["a"]


def test_the_schema_of_an_input_tells_the_editor_everything() -> None:
    def take(steps: Steps = 20, image: Image | None = None) -> None:
        """Take."""

    steps, image = spec_of(take).inputs
    assert input_schema(steps) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 150,
        "description": "Denoising steps. More is slower and finer.",
        "default": 20,
    }
    assert input_schema(image) == {"anyOf": [{"x-port": "Image"}, {"type": "null"}], "default": None}


def test_a_source_may_have_a_fingerprint() -> None:
    def clock(zone: str = "UTC") -> str:
        """Tell the time."""
        return zone

    assert spec_of(clock, kind="source", fingerprint=lambda zone: zone).fingerprinted
    assert spec_of(clock, kind="source", fingerprint=lambda **inputs: "x").fingerprinted
    assert not spec_of(clock, kind="source").fingerprinted


def test_upgrades_are_kept_in_order() -> None:
    def take(a: int) -> None:
        """Take."""

    second, third = Upgrade(2, rename={"x": "a"}), Upgrade(3, drop=("y",))
    assert spec_of(take, version=3, upgrades=(third, second)).upgrades == (second, third)


def test_a_conversion_is_marked_for_the_planner() -> None:
    @conversion
    def mask_image(mask: Mask) -> Image:
        """A mask as a grey picture."""
        return Image(mask.pixels)

    assert declared(mask_image).spec.converts
    assert set(declared(mask_image).classes) == {"Mask", "Image"}


def test_specs_survive_the_way_through_another_process() -> None:
    def every(
        a: Image,
        b: M,
        d: Literal["x", 2, True],
        c: Annotated[int, Meta(ge=-(2**63), le=2**53)] = 2**53,
        e: float = 7,
        f: list[float] | None = None,
        g: Json = {"a": [1, None, 2.5]},  # noqa: B006
        h: str = "ü",
    ) -> Pair[M, Image]:
        """Everything."""
        return Pair(b, a)

    async def steer(body: Callable[[T], Awaitable[T]], start: T) -> T:
        """Steer."""
        return start

    for spec in (spec_of(every, version=2, upgrades=(Upgrade(2, default={"h": None}),)), spec_of(steer)):
        sent = msgspec.msgpack.encode(spec)
        back = msgspec.msgpack.decode(sent, type=NodeSpec)
        assert back == spec
        assert msgspec.msgpack.encode(back) == sent  # equal would also be said of 7 and 7.0


def test_a_function_without_the_decorator_is_no_node() -> None:
    with pytest.raises(BadDeclaration, match=r"spec_of is not a node\. Decorate it with @node"):
        declared(spec_of)


PRELUDE = """
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from msgspec import Meta
from engine.annotations import describe
from engine.context import SILENT, Answer, Context, nobody
from engine.node import Upgrade, conversion, node
from engine.types import Image, Json, Latent, Lazy, Steps, T
class Odd(NamedTuple):
    größe: int
""".strip()

WRONG = {
    # what the node's author wrote: (what is wrong, what to do)
    "def f(a: int) -> int: pass": ("no docstring", "its first line is the tooltip"),
    "def f(a) -> int: 'x'": ("input 'a' has no type", "Write `a: int`"),
    "def f(a: int): 'x'": ("no return type", "-> None"),
    "def f(*a: int) -> int: 'x'": ("'a' is not a named input", "list[T]"),
    "def f(a: int, /) -> int: 'x'": ("'a' is not a named input", "a name"),
    "def f(**a: int) -> int: 'x'": ("'a' is not a named input", "a name"),
    "def f(a: 'Nowhere') -> int: 'x'": ("'Nowhere' is not defined", "Import it at the top"),
    "def f(a: 'Image.Nowhere') -> int: 'x'": ("Nowhere", "Import it at the top"),
    "def f(größe: int) -> int: 'x'": ("'größe' is no input name", "ASCII"),
    "def f(a: int) -> Odd: 'x'": ("'größe' is no output name", "ASCII"),
    "def größe(a: int) -> int: 'x'": ("'größe' is no node name", "letters, digits"),
    "def f(a: dict) -> int: 'x'": ("input 'a': <class 'dict'> is no port type", "Use int, float"),
    "def f(a: Any) -> int: 'x'": ("input 'a': typing.Any is no port type", "Json"),
    "def f(a: list) -> int: 'x'": ("input 'a': <class 'list'> is no port type", "list[T]"),
    "def f(a: list[list[int]]) -> int: 'x'": ("a list of lists", "one plural"),
    "def f(a: list[int | list[int]]) -> int: 'x'": ("a list of lists", "one plural"),
    "async def f(a: list[Lazy[int]]) -> int: 'x'": ("a list of pieces", "one piece"),
    "async def f(a: Lazy[int] | None = None) -> int: 'x'": ("a piece of graph or", "just the piece"),
    "async def f(a: Callable[[int], int]) -> int: 'x'": ("no piece of graph", "Awaitable"),
    "async def f(a: Callable[..., Awaitable[int]]) -> int: 'x'": ("no piece of graph", "Awaitable"),
    "def f(a: Lazy[int]) -> int: 'x'": ("not async", "async def"),
    "def f(a: str, ask: Answer = nobody) -> str: 'x'": ("not async", "async def"),
    "async def f(a: int) -> Lazy[int]: 'x'": ("output 'out' is a piece of graph", "Return a value"),
    "def f(a: Literal[b'x']) -> int: 'x'": ("a menu of", "words, whole numbers"),
    "def f(a: Annotated[str, Meta(ge=1)]) -> int: 'x'": ("limits that cannot be", "lengths and patterns"),
    "def f(a: Annotated[int, Meta(ge=2**70)]) -> int: 'x'": ("limits that cannot be", "64 bits"),
    "def f(a: Annotated[list[int], Meta(max_length=2)]) -> int: 'x'": ("limits on list of", "number or text"),
    "def f(a: Image | None) -> int: 'x'": ("optional input 'a' has no default", "| None = None"),
    "def f(a: int = None) -> int: 'x'": ("the default of 'a' is None", "| None = None"),
    "def f(a: int = 'x') -> int: 'x'": ("the default of 'a' does not fit", "Want whole number"),
    "def f(a: int = True) -> int: 'x'": ("the default of 'a' does not fit", "Want whole number"),
    "def f(a: Steps = 0) -> int: 'x'": ("the default of 'a' does not fit", "Want whole number 1 to 150"),
    "def f(a: float = float('nan')) -> int: 'x'": ("the default of 'a' does not fit", "Want number"),
    "def f(a: Literal['x'] = 'y') -> int: 'x'": ("the default of 'a' does not fit", "Want one of x"),
    "def f(a: Image = 5) -> int: 'x'": ("the default of 'a' is no plain value", "leave it out"),
    "def f(a: int, ctx: Context) -> int: 'x'": ("'ctx' has no default", "= SILENT"),
    "async def f(a: int, ask: Answer) -> int: 'x'": ("'ask' has no default", "= nobody"),
    "def f(a: int) -> T: 'x'": ("output 'out' has type variable T that no input has", "on an input too"),
    "def f(a: int) -> tuple[int, int]: 'x'": ("returns a plain tuple", "NamedTuple"),
}


def declare(decorator: str, source: str) -> None:
    module = types.ModuleType("my_nodes")
    exec(f"{PRELUDE}\n{decorator}\n{source}", vars(module))


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_declaration_names_the_place_and_the_remedy(source: str) -> None:
    what, remedy = WRONG[source]
    with pytest.raises(BadDeclaration) as caught:
        declare("@node(category='test')", source)
    name = source.split("def ")[1].split("(")[0]
    assert f"my_nodes:{PRELUDE.count(chr(10)) + 2}, node {name!r}" in str(caught.value)
    assert what in str(caught.value)
    assert remedy in caught.value.remedy


WRONG_OPTIONS = {
    "category=''": ("no category", "@node(category="),
    "category='t', version=0": ("version 0", "whole number from 1"),
    "category='t', version=True": ("version True", "whole number from 1"),
    "category='t', kind='magic'": ("kind 'magic'", "pure"),
    "category='t', lane='fast'": ("lane 'fast'", "inline"),
    "category='t', id='a/b'": ("'a/b' is no node name", "letters, digits"),
    "category='t', fingerprint=lambda a: ''": ("a fingerprint on a pure node", 'kind="source"'),
    "category='t', kind='source', fingerprint=lambda b: ''": ("cannot be called", "**inputs"),
    "category='t', upgrades=(Upgrade(2),)": ("upgrades that lead nowhere", "2 to 1"),
    "category='t', version=3, upgrades=(Upgrade(2), Upgrade(2))": ("upgrades that lead nowhere", "once"),
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_wrong_options_name_the_place_and_the_remedy(options: str) -> None:
    what, remedy = WRONG_OPTIONS[options]
    with pytest.raises(BadDeclaration) as caught:
        declare(f"@node({options})", "def f(a: int) -> int: 'x'")
    assert "my_nodes:" in str(caught.value)
    assert what in str(caught.value)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("def f(a: int, b: int) -> int: 'x'", "one required input"),
        ("def f(a: int) -> None: 'x'", "one output"),
        ("def f(a: int = 1) -> int: 'x'", "one required input"),
        ("def f(a: list[int]) -> int: 'x'", "more than one value"),
    ],
)
def test_a_conversion_takes_one_value_and_gives_one(source: str, what: str) -> None:
    with pytest.raises(BadDeclaration, match=what):
        declare("@conversion", source)


def test_classes_on_ports_are_known_to_the_declaration() -> None:
    def take(a: list[Fancy], b: Image | None = None) -> Split:
        """Take."""
        raise NotImplementedError

    found: dict[str, type[Value]] = {"Fancy": Fancy, "Image": Image}
    assert read(take, category="test").classes == found
