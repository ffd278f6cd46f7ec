"""Word lists, styles, presets and phrases: those that come along, and those in the models folders."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.errors import BadInput
from engine.types import Guidance, Pixels, Prompt, Steps
from nodes.sample import Method, Spacing

OURS = Path(__file__).parent / "words"
LISTS = "wildcards"
"""The sub-folder of a models folder that has a text file for each list."""
LARGEST = 4 * 1024**2
"""Bytes of a file of words at most."""
MOST = 100_000
"""Lines of a list at most."""
NAME = re.compile(r"[^\W_]+(?:[_/-][^\W_]+)*")


class Style(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that go around a prompt."""

    prompt: Prompt = "{prompt}"
    """Where the prompt goes it says {prompt}; without that it goes before."""
    negative: Prompt = ""


class Preset(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that suit a model or a purpose."""

    width: Pixels
    height: Pixels
    steps: Steps
    guidance: Guidance
    method: Method
    spacing: Spacing = "model"


class Phrases(Struct, frozen=True, forbid_unknown_fields=True):
    """What can be added to a prompt."""

    phrases: list[Prompt]
    """Each may have choices and lists in it, as a prompt may."""


class Lists:
    """Lists of words by name: the given ones before those of the folders, those before ours."""

    def __init__(self, folders: Sequence[Path], given: Mapping[str, Sequence[str]] | None = None) -> None:
        self.folders = [*(folder / LISTS for folder in folders), OURS / LISTS]
        self.given = given or {}

    def __call__(self, name: str) -> list[str]:
        """The lines of a list. Raises BadInput for a name that is none."""
        if name in self.given:
            return list(self.given[name])
        for folder in self.folders if NAME.fullmatch(name) else ():
            path = folder / f"{name}.txt"
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                return lines(content(path))
        names = self.names()
        near = difflib.get_close_matches(name, names, 5, 0.5) or names[:20]
        raise BadInput(
            "text",
            got=f"__{name}__",
            want=f"a list among: {', '.join(near)}",
            remedy=f"Put {name}.txt into models/{LISTS}, give it in `lists`, or write \\__ for the marks.",
        )

    def names(self) -> list[str]:
        found = set(self.given)
        for folder in self.folders:
            found |= {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.txt")}
        return sorted(found)


def lines(text: str) -> list[str]:
    """A list has an entry on each line; empty lines and those that begin with # do not count."""
    found = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if len(found) > MOST:
        raise BadInput("lists", got=f"{len(found):,} lines", want=f"at most {MOST:,}")
    return found


def style(folders: Sequence[Path], name: str) -> Style:
    return chosen(folders, "styles.json", Style, "style", name)


def preset(folders: Sequence[Path], name: str) -> Preset:
    return chosen(folders, "presets.json", Preset, "name", name)


def phrases(folders: Sequence[Path], name: str) -> list[str]:
    return chosen(folders, "phrases.json", Phrases, "kind", name).phrases


Entry = TypeVar("Entry", Style, Preset, Phrases)


def chosen(folders: Sequence[Path], file: str, kind: type[Entry], place: str, name: str) -> Entry:
    """The entry of that name, from the first file that has it."""
    known: dict[str, Entry] = {}
    for folder in (*folders, OURS):
        if (path := folder / file).is_file():
            known = {**entries(path, kind), **known}
    if name in known:
        return known[name]
    remedy = f"Use one of these, or write your own into models/{file}."
    raise BadInput(place, got=name, want=f"one of: {', '.join(sorted(known))}", remedy=remedy)


def entries(path: Path, kind: type[Entry]) -> dict[str, Entry]:
    try:
        return msgspec.json.decode(content(path), type=dict[str, kind])  # type: ignore[valid-type]  # at run time
    except msgspec.MsgspecError as error:
        remedy = "See docs/prompts.md for how the file is written."
        raise BadInput(
            path.name, got=str(error), want="names and what they stand for", remedy=remedy
        ) from None


def content(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise BadInput(path.name, got="a larger file", want=f"at most {LARGEST // 1024**2} MB")
    return path.read_bytes().decode("utf-8-sig", "replace")
