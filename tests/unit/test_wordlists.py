"""Words of a list are found however they are written, and not where they are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import GateClosed
from nodes._lib.wordlists import WordList
from nodes.safety import check_words

LIST = ["warning sign", "hazard*", "kilo", "", "# a remark", "zoo", "!hazard lights", "!kilo meter"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a warning sign in a field", ["warning sign"]),
        ("a WARNING   Sign", ["warning sign"]),
        ("a wárnïng sign", ["warning sign"]),
        ("a wаrning sіgn", ["warning sign"]),  # a and i are Cyrillic
        ("a ｗａｒｎｉｎｇ sign", ["warning sign"]),
        ("a warn\u200bing si\u00adgn", ["warning sign"]),
        ("a w4rn1ng s!gn", ["warning sign"]),
        ("a w.a.r.n.i.n.g sign", ["warning sign"]),
        ("a w a r n i n g sign", ["warning sign"]),
        ("a warning-sign, (hazardous:1.2)", ["warning sign", "hazard*"]),
        ("a warnnnning sign", ["warning sign"]),
        ("k1l0 of flour", ["kilo"]),
        ("kiIo", []),
        ("a zoo", ["zoo"]),
        ("a z00!", ["zoo"]),
        ("a zo", []),
        ("a sign of warning", []),
        ("a forewarning signal", []),
        ("hazard lights", []),
        ("hazard lights and hazards", ["hazard*"]),
        ("one kilo meter", []),
        ("kilometer", []),
        ("2 x 100 at 3 pm", []),
        ("", []),
    ],
)
def test_a_word_is_found_however_it_is_written(text: str, found: list[str]) -> None:
    assert WordList(LIST).found(text) == found


def test_the_node_takes_words_and_what_is_allowed() -> None:
    assert check_words("a bath bomb and a bomb", "bomb\n", "bath bomb") == (False, ["bomb"])
    assert check_words("a bath bomb", "bomb\n", "bath bomb") == (True, [])
    assert check_words("anything", "") == (True, [])


def test_a_list_is_read_anew_when_it_has_changed_and_must_be_there(tmp_path: Path) -> None:
    import os

    file = tmp_path / "words.txt"
    file.write_text("one\n", "utf-8")
    assert WordList.read(file).found("one two") == ["one"]
    file.write_text("two\n", "utf-8")
    os.utime(file, ns=(1, 1))
    assert WordList.read(file).found("one two") == ["two"]
    with pytest.raises(GateClosed, match="cannot be read"):
        WordList.read(tmp_path / "none.txt")
