"""May this output feed that input: a table, and the laws behind it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Struct

from engine.ports import Class, Either, ListOf, Menu, Nothing, Piece, PortType, Scalar, Var
from engine.wires import Bound, Fit, fit, substitute

INT, FLOAT, STR, BOOL, JSON = (Scalar(name) for name in ("int", "float", "str", "bool", "json"))
NONE, T, U = Nothing(), Var("T"), Var("U")
IMAGE, LATENT = Class(("Image", "Value")), Class(("Latent", "Value"))
VALUE, FANCY = Class(("Value",)), Class(("Fancy", "Image", "Value"))
MODEL = Var("M", Class(("Model", "Value")))
VAE = Class(("Vae", "Model", "Value"))


def some(*options: PortType) -> Either:
    return Either(options)


class Case(Struct):
    """A row of the table, which the editor's tests read too."""

    source: PortType
    target: PortType
    fit: Fit | None


TABLE = msgspec.json.decode(Path(__file__).with_name("wires.json").read_bytes(), type=list[Case])


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_a_wire_fits_as_the_table_says(case: Case) -> None:
    assert fit(case.source, case.target) == case.fit


def bound_by(*wires: tuple[PortType, PortType]) -> Bound | None:
    bound: Bound = {}
    return bound if all(fit(source, target, bound) for source, target in wires) else None


def test_a_variable_stands_for_one_type_in_the_whole_node() -> None:
    assert bound_by((IMAGE, T), (IMAGE, T)) == {"T": IMAGE}
    assert bound_by((IMAGE, T), (LATENT, T)) is None
    assert bound_by((IMAGE, T), (LATENT, U)) == {"T": IMAGE, "U": LATENT}


@pytest.mark.parametrize("wires", [((INT, T), (FLOAT, T)), ((FLOAT, T), (INT, T))])
def test_a_variable_widens_to_what_holds_both(wires: tuple[tuple[PortType, PortType], ...]) -> None:
    assert bound_by(*wires) == {"T": FLOAT}


def test_a_mapped_list_binds_its_item() -> None:
    assert bound_by((ListOf(IMAGE), T)) == {"T": IMAGE}


def test_an_optional_variable_is_bound_to_what_is_left_without_none() -> None:
    assert bound_by((some(NONE, INT, STR), some(T, NONE))) == {"T": some(INT, STR)}
    assert bound_by((NONE, some(T, NONE))) == {}


def test_a_wire_that_does_not_fit_binds_nothing() -> None:
    bound: Bound = {}
    assert fit(some(IMAGE, ListOf(LATENT)), some(ListOf(T), FANCY), bound) is None
    assert bound == {}


def test_substitution_reaches_into_lists_unions_and_pieces() -> None:
    shape = Piece((ListOf(T), some(T, NONE)), U)
    assert substitute(shape, {"T": IMAGE}) == Piece((ListOf(IMAGE), some(IMAGE, NONE)), U)


classes = st.sampled_from([IMAGE, LATENT, VALUE, FANCY, VAE])
words: list[str | int] = ["a", "b", 1, 2]
menus = st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True).map(
    lambda options: Menu(tuple(options))
)
singles: st.SearchStrategy[PortType] = st.one_of(
    st.sampled_from([INT, FLOAT, STR, BOOL, JSON]), classes, menus
)
unions: st.SearchStrategy[PortType] = st.lists(
    st.one_of(singles, st.just(NONE)), min_size=2, max_size=3, unique=True
).map(lambda options: Either(tuple(options)))
items: st.SearchStrategy[PortType] = st.one_of(singles, unions)
anything: st.SearchStrategy[PortType] = st.one_of(items, items.map(ListOf))


@given(anything)
def test_every_type_fits_itself(t: PortType) -> None:
    assert fit(t, t) == "as is"


@given(items)
def test_a_list_goes_through_its_node_item_by_item(t: PortType) -> None:
    assume(fit(ListOf(t), t) != "as is")  # JSON takes the list whole
    assert fit(ListOf(t), t) == "map"


@given(items)
def test_one_value_makes_a_list_of_one(t: PortType) -> None:
    assert fit(t, ListOf(t)) == "wrap"


@given(anything, anything)
def test_lists_fit_lists_exactly_when_their_items_fit(a: PortType, b: PortType) -> None:
    assume(not isinstance(a, ListOf) and not isinstance(b, ListOf))
    assert (fit(ListOf(a), ListOf(b)) == "as is") == (fit(a, b) == "as is")


@given(items, items, items)
def test_a_way_through_another_type_is_a_way(a: PortType, b: PortType, c: PortType) -> None:
    if fit(a, b) == "as is" and fit(b, c) == "as is":
        assert fit(a, c) == "as is"


@given(singles, st.lists(items, min_size=1, max_size=3))
def test_a_union_takes_what_any_option_takes(source: PortType, options: list[PortType]) -> None:
    assert (fit(source, Either(tuple(options))) == "as is") == any(fit(source, o) == "as is" for o in options)


@given(st.lists(singles, min_size=1, max_size=3), items)
def test_a_union_fits_only_where_all_its_options_do(options: list[PortType], target: PortType) -> None:
    assert (fit(Either(tuple(options)), target) == "as is") == all(fit(o, target) == "as is" for o in options)


@given(items)
def test_a_variable_takes_any_one_type_and_becomes_it(t: PortType) -> None:
    bound: Bound = {}
    assert fit(t, T, bound) == "as is"
    assert substitute(T, bound) == t
