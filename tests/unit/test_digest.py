"""Content digests: different values never share one, equal ones always do."""

from __future__ import annotations

import math
import struct
import sys
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from engine.digest import call_key, digest, digest_of_list, key_prefix
from engine.types import Artifact, Box, Image, Mask, Model, Vae

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(st.characters(codec=None)),
    st.binary(),
)
plain: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
arrays = arrays_of.arrays(
    arrays_of.scalar_dtypes() | arrays_of.unicode_string_dtypes() | arrays_of.byte_string_dtypes(),
    arrays_of.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
).filter(lambda array: array.dtype.char not in "gG")


def spelled(value: Any) -> Any:
    """A value as a hashable that is equal for the same value only: with types, and floats by their bits."""
    if isinstance(value, float):
        return ("float", struct.pack("<d", value))
    if isinstance(value, list):
        return ("list", tuple(map(spelled, value)))
    if isinstance(value, dict):
        return ("dict", frozenset((key, spelled(item)) for key, item in value.items()))
    return (type(value).__name__, value)


@given(plain, plain)
def test_two_values_share_a_digest_only_if_they_are_the_same(a: Any, b: Any) -> None:
    assert (digest(a) == digest(b)) == (spelled(a) == spelled(b))


def test_values_that_python_calls_equal_or_that_look_alike_differ() -> None:
    values: list[Any] = [
        1, 1.0, True, "1", b"1", [1], [[1]], [1, 1], {"1": 1}, 0, 0.0, -0.0, False, None, "", b"", [], {},
        [None], [[], []], [[[]]], ["a", "b"], ["ab"], {"a": "b"}, [["a", "b"]],
        math.nan, math.inf, -math.inf, "nan",
        msgspec.UNSET, 2**63, 2.0**63, -1, "a", "\ud83d\ude00", "\U0001f600",
    ]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)


def test_whole_numbers_of_any_size_have_a_digest() -> None:
    assert digest(10**5000) != digest(10**5000 + 1)
    assert digest(-(10**5000)) != digest(10**5000)


def test_a_dictionary_is_known_by_its_content_and_not_by_its_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


def test_a_tuple_is_a_list_that_cannot_change() -> None:
    assert digest((1, "a")) == digest([1, "a"])


@given(st.lists(scalars, max_size=5))
def test_a_list_can_be_digested_from_the_digests_of_its_items(items: list[Any]) -> None:
    assert digest_of_list([digest(item) for item in items]) == digest(items)


@given(arrays, arrays)
def test_arrays_share_a_digest_only_by_item_type_shape_and_content(a: Any, b: Any) -> None:
    x, y = (array.astype(array.dtype.newbyteorder("<")) for array in (a, b))
    same = (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
    assert (digest(a) == digest(b)) == same


def test_an_array_is_known_by_what_it_holds_and_not_by_how_it_lies_in_memory() -> None:
    a = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert (
        digest(a)
        == digest(np.asfortranarray(a))
        == digest(a.astype(">i4"))
        == digest(np.repeat(a, 2, 0)[::2])
    )
    assert (
        len({digest(x) for x in (a, a.T, a.reshape(4, 3), a.astype(np.uint32), a.ravel(), a.tolist())}) == 6
    )


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.ma.masked_array([1, 2], [False, True]),
        np.zeros(2, [("a", "i4"), ("b", "i4")]),
        np.zeros(2, np.longdouble),
        {1, 2},
        bytearray(b"a"),
        object(),
        1j,
    ],
)
def test_what_has_no_unambiguous_content_has_no_digest(value: Any) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        digest(value)


def test_values_are_known_by_class_and_content() -> None:
    pixels = np.zeros((2, 2), np.float32)
    assert digest(Mask(pixels)) == digest(Mask(pixels.copy()))
    assert len({digest(Mask(pixels)), digest(Image(pixels)), digest(pixels), digest(None)}) == 4


def test_a_file_is_known_by_its_bytes_and_a_model_by_its_hash_and_options() -> None:
    assert digest(Artifact("ab", "image/png", 3, name="x")) == digest(
        Artifact("ab", "image/png", 3, name="y")
    )
    model = Model("a", "sd15", "00")
    assert digest(model) == digest(Model("renamed", "sd15", "00")) != digest(Vae("a", "sd15", "00"))
    assert digest(model) != digest(Model("a", "sd15", "00", loras=(("l", "11", 1.0),)))


@given(st.lists(st.tuples(st.text(max_size=3), st.binary(min_size=16, max_size=16)), max_size=3, unique=True))
def test_calls_share_a_key_only_if_node_version_inputs_and_epoch_agree(
    inputs: list[tuple[str, bytes]],
) -> None:
    names, digests = tuple(n for n, _ in inputs), [d for _, d in inputs]
    key = call_key(key_prefix("add", 1, names, "cpu"), digests)
    others = {
        call_key(key_prefix("add", 2, names, "cpu"), digests),
        call_key(key_prefix("sub", 1, names, "cpu"), digests),
        call_key(key_prefix("add", 1, names, "cuda"), digests),
        call_key(key_prefix("add", 1, (*names, "x"), "cpu"), digests),
        call_key(key_prefix("add", 1, names, "cpu"), [*digests, bytes(16)]),
    }
    assert len(others) == 5
    assert key not in others
    assert key == call_key(key_prefix("add", 1, names, "cpu"), list(digests))


def test_values_are_read_while_a_thread_imports_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest([Box(1, 2, 3, 4), "a"])
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))  # as far as it got
    assert digest([Box(1, 2, 3, 4), "a"]) == before
