"""Port types as data: what may be typed in, how it is said, and as JSON schema."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import ports
from engine.ports import Class, Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var

INT, FLOAT, STR, BOOL, JSON = (Scalar(name) for name in ("int", "float", "str", "bool", "json"))
IMAGE, FILE = Class(("Image", "Value")), Class(("Artifact", "Value"))
STEPS = Scalar("int", ge=1, le=150)


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        (1, INT, 1),
        (1, FLOAT, 1.0),
        (-0.0, FLOAT, -0.0),
        (2**60, FLOAT, float(2**60)),
        ("1", STR, "1"),
        (True, BOOL, True),
        ([1, {"a": None}], JSON, [1, {"a": None}]),
        (None, JSON, None),
        ("b", Menu(("a", "b")), "b"),
        (True, Menu((1, True)), True),
        ([1, 2.5], ListOf(FLOAT), [1.0, 2.5]),
        ((1,), ListOf(FLOAT), [1.0]),
        ([], ListOf(INT), []),
        (None, Either((STEPS, Nothing())), None),
        (7, Either((STEPS, Nothing())), 7),
        (1, Either((INT, FLOAT)), 1),
        (1.5, Either((INT, FLOAT)), 1.5),
        (200, Either((STEPS, Scalar("int", ge=200))), 200),
        ("abc", FILE, "abc"),
    ],
)
def test_a_typed_in_value_gets_its_exact_kind(value: object, kind: PortType, result: object) -> None:
    found = ports.convert(value, kind)
    assert (type(found), repr(found)) == (type(result), repr(result))


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ("1", INT, "Expected `int`"),
        (1.0, INT, "Expected `int`"),
        (True, INT, "Expected `int`"),
        (True, FLOAT, "Expected `float`"),
        (1, BOOL, "Expected `bool`"),
        (1, STR, "Expected `str`"),
        (None, INT, "Expected `int`"),
        (0, STEPS, ">= 1"),
        (151, STEPS, "<= 150"),
        (2**70, STEPS, "<= 150"),
        (10**400, FLOAT, "out of range"),
        (math.nan, FLOAT, "finite"),
        (math.inf, FLOAT, "finite"),
        ("c", Menu(("a", "b")), "one of a, b"),
        (1, Menu((True,)), "one of True"),
        (True, Menu((1,)), "one of 1"),
        (1, ListOf(INT), "list of whole number"),
        ("ab", ListOf(STR), "list of text"),
        ([1, "x"], ListOf(INT), "at item 1"),
        ("x", Either((STEPS, Nothing())), "whole number 1 to 150 or nothing"),
        ("x", Either((IMAGE, INT)), "Image or whole number"),
        ("x", IMAGE, "cannot be typed in"),
        ("x", Var("T"), "cannot be typed in"),
        ("x", Piece((), INT), "cannot be typed in"),
        (7, FILE, "Expected `str`"),
    ],
)
def test_a_wrong_value_is_refused_in_words(value: object, kind: PortType, says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        ports.convert(value, kind)
    assert says in str(caught.value)


small = st.integers(-(2**1000), 2**1000)
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.one_of(small, finite, st.text(), st.booleans(), st.none()))
def test_a_plain_value_is_of_one_kind_alone_but_a_whole_number_is_also_a_float(value: object) -> None:
    taken = set()
    for kind in (INT, FLOAT, STR, BOOL, Nothing()):
        try:
            taken.add(type(ports.convert(value, kind)))
        except msgspec.ValidationError:
            continue
    assert taken == ({int, float} if type(value) is int else {type(value)})


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (INT, True),
        (Menu(("a",)), True),
        (FILE, True),
        (IMAGE, False),
        (ListOf(FLOAT), True),
        (ListOf(IMAGE), False),
        (Either((IMAGE, Nothing())), False),
        (Either((IMAGE, STR)), True),
        (Var("T"), False),
        (Piece((), INT), False),
    ],
)
def test_a_form_shows_a_field_only_for_what_can_be_typed(kind: PortType, typed: bool) -> None:
    assert ports.typeable(kind) is typed


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (INT, "whole number"),
        (STEPS, "whole number 1 to 150"),
        (Scalar("int", ge=0, le=2**53 - 1), "whole number 0 to 9007199254740991"),
        (Scalar("float", gt=0), "number more than 0"),
        (Scalar("float", gt=0, lt=1), "number more than 0, less than 1"),
        (Scalar("float", gt=0, le=8), "number more than 0, up to 8"),
        (Scalar("float", ge=0, lt=1), "number from 0, less than 1"),
        (Scalar("float", ge=0.5), "number from 0.5"),
        (Scalar("float", le=2), "number up to 2"),
        (Scalar("int", ge=16, le=16384, multiple_of=8), "whole number 16 to 16384 in steps of 8"),
        (Scalar("str", min_length=1, max_length=20_000), "text at least 1 long at most 20000 long"),
        (Scalar("str", pattern="^a$"), "text matching ^a$"),
        (JSON, "JSON"),
        (Menu(("euler", "heun")), "one of euler, heun"),
        (ListOf(IMAGE), "list of Image"),
        (Either((IMAGE, Nothing())), "Image or nothing"),
        (Var("T"), "any (T)"),
        (Var("M", IMAGE), "Image (M)"),
        (Piece((INT,), IMAGE), "piece of graph (whole number) giving Image"),
    ],
)
def test_a_type_is_said_as_a_person_would(kind: PortType, words: str) -> None:
    assert ports.words(kind) == words


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (JSON, {}),
        (STEPS, {"type": "integer", "minimum": 1, "maximum": 150}),
        (Scalar("str", max_length=5), {"type": "string", "maxLength": 5}),
        (Menu(("b", "a")), {"enum": ["b", "a"]}),
        (ListOf(FLOAT), {"type": "array", "items": {"type": "number"}}),
        (Either((IMAGE, Nothing())), {"anyOf": [{"x-port": "Image"}, {"type": "null"}]}),
        (Var("T"), {"x-port": "T", "x-any": True}),
        (Piece((), INT), {"x-port": "piece of graph () giving whole number", "x-piece": True}),
    ],
)
def test_a_type_as_json_schema(kind: PortType, schema: dict[str, Any]) -> None:
    assert ports.schema(kind) == schema


def test_an_artifact_is_typed_in_by_its_id() -> None:
    assert ports.schema(FILE)["type"] == "string"
