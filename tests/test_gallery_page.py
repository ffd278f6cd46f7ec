"""The gallery shows every workflow that makes a picture, as the page of workflows tells it."""

from __future__ import annotations

import re
import sys
from itertools import groupby
from typing import NamedTuple

from engine.config import ROOT

PAGE, TOLD = ROOT / "docs" / "gallery.md", ROOT / "docs" / "workflows.md"
ACROSS = 3
HEAD = """# Gallery

What comes with Tessera, by what it is for. Each picture was made by the command that stands beside its
workflow in [Example workflows](workflows.md): click on it. All of it runs as it is, offline.

This page is written from that one by `python -m tests.test_gallery_page`, and the pictures are drawn again
by `python -m tests.gallery_pictures`.
"""


class Shown(NamedTuple):
    purpose: str
    name: str
    image: str
    seen: str


def test_the_gallery_is_what_the_page_of_workflows_tells() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.test_gallery_page"


def test_the_gallery_has_forty_workflows_and_more() -> None:
    assert len({one.name for one in shown()}) >= 40
    assert [purpose for purpose, _ in groupby(shown(), lambda one: one.purpose)] == [
        "Make", "Guide", "Edit", "Enhance", "Explore", "Trust",
    ]  # fmt: skip


def shown() -> list[Shown]:
    """Every workflow with a picture, in the order of the page."""
    found = []
    for section in re.split(r"^## ", TOLD.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        purpose = section.partition("\n")[0]
        for name, text in re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL):
            if picture := re.search(r"^!\[(.*)\]\((images/\S+)\)", text, re.MULTILINE):
                found.append(Shown(purpose, name, picture[2], picture[1]))
    return found


def page() -> str:
    text = HEAD
    for purpose, members in groupby(shown(), lambda one: one.purpose):
        found = list(members)
        some = (found[place : place + ACROSS] for place in range(0, len(found), ACROSS))
        text += f"\n## {purpose}\n\n" + "\n".join(map(rows, some))
    return text


def rows(some: list[Shown]) -> str:
    """A row of pictures over a row of names."""
    pictures = (
        f'[<img src="{one.image}" alt="{one.seen}" width="250">](workflows.md#{one.name})' for one in some
    )
    names = (f"`{one.name}`" for one in some)
    return f"| {' | '.join(pictures)} |\n|{'---|' * len(some)}\n| {' | '.join(names)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
