"""Nodes found, by id; what clashes is refused and named."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest

from engine.errors import BadDeclaration
from engine.node import conversion, declared, node
from engine.ports import Class, ListOf, Scalar
from engine.registry import Entry, Failed, Pack, Registry, in_pack, palette, palette_entry
from engine.types import Image, Latent, Lazy, Mask, Steps, T, Value


class Depth(Image, frozen=True, eq=False):
    pass


@node(category="test", version=2)
def brighten(image: Image, steps: Steps = 3, mode: Literal["soft", "hard"] = "soft") -> Image:
    """Make it brighter.

    Much brighter.
    """
    return image


@node(category="test")
async def maybe(flag: bool, value: Lazy[T]) -> T:
    """Await it or not."""
    return await value()


@conversion
def image_mask(image: Image) -> Mask:
    """A picture as a mask."""
    return Mask(image.pixels)


@conversion
def depth_mask(depth: Depth) -> Mask:
    """A depth picture as a mask."""
    return Mask(depth.pixels)


def fetch(model: object) -> object:
    return model


fetch.__dict__["__loader__"] = "test"

HERE = sys.modules[__name__]
IMAGE, MASK, LATENT = (Class((name, "Value")) for name in ("Image", "Mask", "Latent"))
DEPTH = Class(("Depth", "Image", "Value"))


def module(name: str, *functions: Callable[..., Any]) -> types.ModuleType:
    """A module that declares these functions itself."""
    made = types.ModuleType(name)
    for fn in functions:
        fn.__module__ = name
        setattr(made, fn.__name__, fn)
    return made


def simple(category: str = "test", **options: Any) -> Callable[..., Any]:
    @node(category=category, **options)
    def simple(a: int) -> int:
        """Give it back."""
        return a

    return simple


def pack_of(name: str, *functions: Callable[..., Any], epoch: str = "1") -> Pack:
    return in_pack(name, [module(f"custom_nodes.{name}", *functions)], epoch)


def test_the_nodes_of_a_module_are_known_by_id() -> None:
    registry = Registry.of([HERE])
    assert set(registry.nodes) == {"brighten", "maybe", "image_mask", "depth_mask"}
    found = registry.get("brighten")
    assert found is not None
    assert found.declared is declared(brighten)
    assert registry.get("darken") is None


def test_a_node_that_a_module_only_imports_is_declared_once() -> None:
    other = types.ModuleType("other")
    other.__dict__["brighten"] = brighten
    assert set(Registry.of([other]).nodes) == set()
    assert len(Registry.of([HERE, other]).nodes) == 4


def test_two_nodes_of_one_id_are_refused_with_both_places() -> None:
    with pytest.raises(BadDeclaration) as caught:
        Registry.of([module("one", simple()), module("two", simple())])
    assert "'simple'" in str(caught.value)
    assert "one:" in str(caught.value)
    assert "two:" in str(caught.value)


def test_the_nodes_that_come_along_all_import_without_torch() -> None:
    code = "import sys, engine.registry as r; print(len(r.Registry.core().nodes), 'torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    count, torch = said.split()
    assert int(count) > 20
    assert torch == "False"


def test_a_registry_cannot_be_changed() -> None:
    registry = Registry.of([HERE])
    with pytest.raises(TypeError):
        registry.nodes["x"] = registry.nodes["brighten"]  # type: ignore[index]  # that is the point


def test_nodes_of_a_pack_carry_its_name() -> None:
    registry = Registry.of([HERE]).with_packs([pack_of("mine", simple(), epoch="abc")])
    found = registry.get("mine/simple")
    assert found is not None
    assert (found.pack, found.epoch, found.spec.id) == ("mine", "abc", "mine/simple")
    assert found.declared is not None
    assert found.declared.spec.id == "mine/simple"
    assert registry.get("simple") is None
    assert registry.get("brighten") is not None


def test_a_described_pack_is_known_without_its_functions() -> None:
    spec = msgspec.structs.replace(declared(brighten).spec, id="far/brighten")
    registry = Registry().with_packs([Pack("far", "1", (Entry(spec, "far", "1"),))])
    assert registry.nodes["far/brighten"].declared is None


def test_a_failed_pack_is_listed_with_its_reason_and_stops_nothing() -> None:
    registry = Registry.of([HERE]).with_packs([Failed("bad", "it is broken"), pack_of("good", simple())])
    assert registry.failed == (Failed("bad", "it is broken"),)
    assert "good/simple" in registry.nodes


def test_two_nodes_of_one_id_in_a_pack_are_refused() -> None:
    other = simple(id="simple")
    other.__name__ = "other"
    with pytest.raises(BadDeclaration, match="Two nodes are named 'mine/simple'"):
        pack_of("mine", simple(), other)


def test_a_second_pack_of_one_name_fails_alone() -> None:
    registry = Registry().with_packs([pack_of(name, simple()) for name in ("mine", "mine", "other")])
    assert set(registry.nodes) == {"mine/simple", "other/simple"}
    assert [f.pack for f in registry.failed] == ["mine"]


def test_classes_of_values_are_found_by_their_port_type() -> None:
    registry = Registry.of([HERE])
    assert registry.classes["Depth"] is Depth
    assert registry.classes["Latent"] is Latent
    assert registry.classes["Value"] is Value


def test_two_classes_of_one_name_are_refused() -> None:
    class Image(Value, frozen=True):
        pass

    other = types.ModuleType(Image.__module__)
    other.__dict__["Image"] = Image
    with pytest.raises(BadDeclaration, match=r"Two classes are named 'Image': in engine\.types and in"):
        Registry.of([other])


def test_functions_that_load_weights_are_found() -> None:
    assert Registry.of([HERE]).loaders == (fetch,)


def test_the_digest_follows_specs_and_sources() -> None:
    plain = Registry.of([HERE])
    assert plain.digest == Registry.of([HERE]).digest
    described = {
        registry.digest
        for registry in (
            plain,
            plain.with_packs([pack_of("mine", simple())]),
            plain.with_packs([pack_of("mine", simple(), epoch="2")]),
            plain.with_packs([pack_of("mine", simple(version=2))]),
        )
    }
    assert len(described) == 4


def test_a_misspelt_id_finds_its_neighbours() -> None:
    registry = Registry.of([HERE])
    assert registry.nearest("brigthen") == ["brighten"]
    assert registry.nearest("Brighten") == ["brighten"]
    assert registry.nearest("mask") == ["depth_mask", "image_mask"]
    assert registry.nearest("mask", 1) == ["depth_mask"]
    assert registry.nearest("qqq") == []


def conversion_between(source: Any, target: Any) -> str | None:
    found = Registry.of([HERE]).conversion(source, target)
    return found.spec.id if found else None


def test_a_conversion_is_found_where_it_helps() -> None:
    assert conversion_between(IMAGE, MASK) == "image_mask"
    assert conversion_between(ListOf(IMAGE), MASK) == "image_mask"
    assert conversion_between(ListOf(IMAGE), ListOf(MASK)) == "image_mask"
    assert conversion_between(LATENT, MASK) is None
    assert conversion_between(MASK, IMAGE) is None
    assert conversion_between(Scalar("int"), MASK) is None


def test_the_conversion_of_the_very_class_comes_before_that_of_its_base() -> None:
    assert conversion_between(DEPTH, MASK) == "depth_mask"


def test_the_palette_shows_a_node_as_an_editor_needs_it() -> None:
    registry = Registry.of([HERE]).with_packs([pack_of("mine", simple())])
    assert palette_entry(registry.nodes["brighten"]) == {
        "id": "brighten",
        "version": 2,
        "title": "Brighten",
        "help": "Make it brighter.\n\nMuch brighter.",
        "category": "test",
        "kind": "pure",
        "lane": "cpu",
        "inputs": [
            {
                "name": "image",
                "schema": {"x-port": "Image"},
                "type": "Image",
                "port": {"type": "class", "ancestry": ["Image", "Value"]},
                "required": True,
            },
            {
                "name": "steps",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 150,
                    "description": "Denoising steps. More is slower and finer.",
                    "default": 3,
                },
                "type": "whole number 1 to 150",
                "port": {"type": "scalar", "name": "int", "ge": 1, "le": 150},
                "required": False,
                "default": 3,
            },
            {
                "name": "mode",
                "schema": {"enum": ["soft", "hard"], "default": "soft"},
                "type": "one of soft, hard",
                "port": {"type": "menu", "options": ["soft", "hard"]},
                "required": False,
                "default": "soft",
            },
        ],
        "outputs": [
            {"name": "out", "type": "Image", "port": {"type": "class", "ancestry": ["Image", "Value"]}}
        ],
    }
    assert palette_entry(registry.nodes["maybe"])["inputs"][1]["piece"] is True
    assert palette_entry(registry.nodes["mine/simple"])["pack"] == "mine"


def test_the_palette_lists_every_node_and_what_failed_as_plain_json() -> None:
    registry = Registry.core().with_packs([Failed("bad", "it is broken")])
    shown = palette(registry)
    assert [node["id"] for node in shown["nodes"]] == sorted(registry.nodes)
    assert shown["failed"] == [{"pack": "bad", "reason": "it is broken"}]
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown
