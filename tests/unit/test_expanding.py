"""Choices in a prompt, word lists, styles and presets."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ROOT
from engine.errors import BadInput
from engine.models import Models, current
from nodes._lib import expanding, shelf
from nodes.prompts import apply_style, enrich_prompt, expand_all, expand_prompt, needed, phrases_now, preset

CHOICES = st.recursive(
    st.text("abc ,", max_size=4),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda options: "{" + "|".join(options) + "}"),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: "{1-2$$" + "|".join(options) + "}"),
        st.lists(inner, min_size=1, max_size=2).map("".join),
    ),
    max_leaves=6,
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A models folder of its own."""
    (tmp_path / "wildcards" / "pets").mkdir(parents=True)
    token = current.set(Models([tmp_path]))
    yield tmp_path
    current.reset(token)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a {red|blue} {dot|star}", ["a red dot", "a red star", "a blue dot", "a blue star"]),
        ("{a|}b", ["ab", "b"]),
        ("{a{b|c}|d}", ["ab", "ac", "d"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{2$$ and $$a|b|c}", ["a and b", "a and c", "b and c"]),
        ("{1-2$$a|b}", ["a", "b", "a, b"]),
        ("{-1$$a|b}", ["", "a", "b"]),
        ("{1-$$ $$a|b}", ["a", "b", "a b"]),
        ("{5$$a|b}", ["a, b"]),
        ("{0.5::a|2::b|0::c}", ["a", "b"]),
        ("{2$$3::a|b}", ["a, b"]),
        (r"\{a|b\} {c\|d}", ["{a|b} c|d"]),
        ("} { a | b", ["} { a | b"]),
        ("(red:1.2) [a|b] {c}", ["(red:1.2) [a|b] c"]),
        ("{1girl|2}", ["1girl", "2"]),
        ("__pet__", ["cat", "dog"]),
        ("{2$$__pet__}", ["cat, dog"]),
        ("__pets__", ["two cat", "two dog"]),
        (r"\__pet__", ["__pet__"]),
        ("", [""]),
    ],
)
def test_all_combinations_are_those_written(text: str, wanted: list[str]) -> None:
    assert expand_all(text, {"pet": ["cat", "# none", "dog"], "pets": "two __pet__\n"}) == wanted


@given(CHOICES, st.integers(0, 2**53 - 1))
def test_chance_gives_one_of_all_and_always_the_same(text: str, seed: int) -> None:
    every = expanding.all_of(text, nothing, 10_000)
    assert expanding.by_chance(text, seed, nothing) in every
    assert expanding.by_chance(text, seed, nothing) == expanding.by_chance(text, seed, nothing)


@given(st.text("ab{}|$\\_:: 123-.", max_size=60), st.integers(0, 9))
def test_no_text_is_refused_for_its_braces(text: str, seed: int) -> None:
    assert len(expanding.by_chance(text, seed, lambda name: [])) <= len(text) + 60 * 2


@given(st.text(max_size=60))
def test_a_text_without_braces_is_itself(text: str) -> None:
    plain = "".join(letter for letter in text if letter not in "{}\\_")
    assert expanding.by_chance(plain, 3, nothing) == plain
    escaped = "".join("\\" + letter if letter in "{}|_" else letter for letter in text.replace("\\", ""))
    assert expanding.by_chance(escaped, 3, nothing) == text.replace("\\", "")


def test_weights_are_kept_on_the_long_run() -> None:
    found = Counter(expand_prompt("{3::red|blue}", seed) for seed in range(800))
    assert 560 < found["red"] < 640
    even = Counter(expand_prompt("{2$$a|b|c}", seed) for seed in range(600))
    assert all(150 < count < 250 for count in even.values())
    assert len(even) == 3


def test_the_choices_of_one_seed_are_these() -> None:
    text = "a {red|green|blue} __animal__ {1-2$$ and $$hat|scarf}"
    assert [expand_prompt(text, seed) for seed in (1, 2, 3)] == KNOWN


KNOWN = ["a blue bear hat", "a blue dog hat and scarf", "a green lion hat and scarf"]


def test_a_list_is_the_given_one_or_the_users_or_ours(folder: Path) -> None:
    assert "cat" in expand_all("__animal__")
    (folder / "wildcards" / "animal.txt").write_text("# mine\ngnu\n\n", "utf-8")
    (folder / "wildcards" / "pets" / "small.txt").write_text("\ufeffmouse", "utf-8")
    assert expand_all("__animal__") == ["gnu"]
    assert expand_all("__animal__", {"animal": "emu"}) == ["emu"]
    assert expand_all("__pets/small__") == ["mouse"]


def test_a_list_that_has_changed_is_read_again(folder: Path) -> None:
    file = folder / "wildcards" / "pet.txt"
    file.write_text("a __kind__", "utf-8")
    (folder / "wildcards" / "kind.txt").write_text("cat", "utf-8")
    before = needed("one {__pet__|x}", seed=3)
    assert before == needed("__pet__")
    (folder / "wildcards" / "kind.txt").write_text("dog", "utf-8")
    assert needed("__pet__") != before
    assert needed("no list") == needed("none either") == ""


def test_an_unknown_list_names_those_that_are_there(folder: Path) -> None:
    (folder / "wildcards" / "pets" / "small.txt").write_text("mouse", "utf-8")
    with pytest.raises(BadInput, match=r"got __colours__, want a list among: colour\..*colours.txt"):
        expand_prompt("__colours__")
    with pytest.raises(BadInput, match="pets/small"):
        expand_prompt("__pets/smal__")


def test_a_name_leads_to_no_other_file(folder: Path) -> None:
    (folder / "secret.txt").write_text("secret", "utf-8")
    (folder / "wildcards" / "link.txt").symlink_to(folder / "secret.txt")
    assert expand_all("__../secret__") == ["__../secret__"]
    lists = shelf.Lists([folder])
    for name in ("../secret", "link", "/etc/hostname", "pets/../../secret", "", "a\\b"):
        with pytest.raises(BadInput, match="want a list among"):
            lists(name)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("__a__", "do not mention themselves"),
        ("{a|b|c}" * 5, "at most 100"),
        ("__d__" * 30, "at most 20,000"),
    ],
)
def test_what_has_no_end_is_refused(text: str, want: str) -> None:
    with pytest.raises(BadInput, match=want):
        expand_all(text, {"a": ["__b__"], "b": ["x__a__"], "d": ["y" * 1000]})


def test_lists_of_lists_are_followed_only_so_far() -> None:
    deep = {letter: [f"__{after}__" * 10] for letter, after in zip("abcdefgh", "bcdefghi", strict=True)}
    started = time.process_time()
    with pytest.raises(BadInput, match="more choices than can be followed"):
        expand_prompt("__a__", 0, {**deep, "i": ["{|}"]})
    assert time.process_time() - started < 10


@pytest.mark.parametrize("lists", [["a"], "a", {"a": 3}, {"a": [1]}, {"a": {"b": "c"}}])
def test_lists_are_given_by_name(lists: object) -> None:
    with pytest.raises(BadInput, match="lists"):
        expand_prompt("x", 0, lists)


def test_a_style_goes_around_a_prompt_and_its_negative_behind(folder: Path) -> None:
    mine = {"mine": {"prompt": "a drawing of {prompt}!", "negative": "photo"}, "late": {"prompt": "in ink"}}
    (folder / "styles.json").write_text(json.dumps({**mine, "comic": {"prompt": "POW {prompt}"}}), "utf-8")
    assert apply_style("mine", "a cat", "dogs") == ("a drawing of a cat!", "dogs, photo")
    assert apply_style("late", "a cat") == ("a cat, in ink", "")
    assert apply_style("comic", "{prompt} as it is").prompt == "POW {prompt} as it is"
    assert apply_style("photograph", "a cat").prompt.startswith("photograph of a cat, ")


def test_an_unknown_style_or_preset_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"style.*anime, .*watercolor"):
        apply_style("nope", "a cat")
    with pytest.raises(BadInput, match=r"name.*sd15, .*starter"):
        preset("nope")


@pytest.mark.parametrize("wrong", ["{", "[]", '{"a": {"promt": "x"}}', '{"a": 3}'])
def test_a_style_file_that_is_wrong_is_named(folder: Path, wrong: str) -> None:
    (folder / "styles.json").write_text(wrong, "utf-8")
    with pytest.raises(BadInput, match=r"json: .*docs/prompts.md"):
        apply_style("comic", "a cat")


def test_a_preset_gives_settings_that_the_sampler_takes(folder: Path) -> None:
    assert preset("starter") == (128, 128, 20, 4.0, "euler", "model")
    mine = {"width": 640, "height": 384, "steps": 4, "guidance": 1, "method": "lcm"}
    (folder / "presets.json").write_text(json.dumps({"mine": mine}), "utf-8")
    assert preset("mine") == (640, 384, 4, 1.0, "lcm", "model")
    (folder / "presets.json").write_text(json.dumps({"mine": {**mine, "method": "walk"}}), "utf-8")
    with pytest.raises(BadInput, match="walk"):
        preset("mine")


def test_phrases_are_added_by_the_seed_and_the_prompt_stays(folder: Path) -> None:
    found = enrich_prompt("A cat, sitting, ", "photo", count=3, seed=4)
    assert found.prompt == ", ".join(["A cat, sitting", *found.phrases])
    assert len(set(found.phrases)) == 3
    assert found == enrich_prompt("A cat, sitting, ", "photo", count=3, seed=4)
    assert len({enrich_prompt("a cat", "photo", seed=seed).prompt for seed in range(20)}) > 10
    assert enrich_prompt("a cat", "photo", count=0) == ("a cat", [])


def test_what_the_prompt_speaks_of_is_not_said_again(folder: Path) -> None:
    mine = {"mine": {"phrases": ["soft light", "a {red|blue} background", "fog"]}}
    (folder / "phrases.json").write_text(json.dumps(mine), "utf-8")
    for seed in range(6):
        assert enrich_prompt("a hut in hard Light, foggy", "mine", 5, seed).phrases.count("soft light") == 0
        assert len(enrich_prompt("a hut in hard Light, foggy", "mine", 5, seed).phrases) == 2
        assert enrich_prompt("light background", "mine", 5, seed).prompt == "light background, fog"


def test_phrases_are_looked_at_again_when_they_or_their_lists_change(folder: Path) -> None:
    (folder / "phrases.json").write_text(json.dumps({"mine": {"phrases": ["a __pet__"]}}), "utf-8")
    before = phrases_now("mine", prompt="x")
    (folder / "wildcards").mkdir(exist_ok=True)
    (folder / "wildcards" / "pet.txt").write_text("cat\n", "utf-8")
    after = phrases_now("mine", prompt="x")
    (folder / "phrases.json").write_text(json.dumps({"mine": {"phrases": ["the __pet__"]}}), "utf-8")
    assert len({before, after, phrases_now("mine", prompt="x")}) == 3
    with pytest.raises(BadInput, match=r"kind.*painting, .*starter"):
        enrich_prompt("a cat", "noir")
    assert "noir" in phrases_now("noir")


def test_what_the_page_shows_can_be_put_into_the_files(folder: Path) -> None:
    page = (ROOT / "docs" / "prompts.md").read_text("utf-8")
    styles, presets, phrases = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (folder / "styles.json").write_text(styles, "utf-8")
    (folder / "presets.json").write_text(presets, "utf-8")
    (folder / "phrases.json").write_text(phrases, "utf-8")
    assert "light through the leaves" in enrich_prompt("a hut", "forest").prompt
    assert apply_style("tin toy", "a robot").prompt == "tin toy of a robot, worn paint, studio light"
    assert preset("poster").height == 1216
    assert [name for name in shelf.Lists([]).names() if f"`{name}`" not in page] == []


def test_everything_that_comes_along_is_well_formed() -> None:
    assert len(shelf.entries(shelf.OURS / "styles.json", shelf.Style)) >= 10
    assert len(shelf.entries(shelf.OURS / "presets.json", shelf.Preset)) >= 6
    for kind, found in shelf.entries(shelf.OURS / "phrases.json", shelf.Phrases).items():
        assert len(enrich_prompt("x", kind, count=20).phrases) == len(found.phrases), kind
    lists = shelf.Lists([])
    assert len(lists.names()) >= 8
    assert all(len(lists(name)) >= 4 for name in lists.names())


def nothing(name: str) -> Sequence[str]:
    raise AssertionError(name)
