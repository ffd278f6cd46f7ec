"""The template gallery: what the docs tell of the shipped workflows, and small pictures of what they made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "workflows.md"
PICTURES = ROOT / "docs" / "images"
SIDE = 320  # pixels of the longer side
SECTION = re.compile(r"^## (.+)$", re.M)
WORKFLOW = re.compile(r"^### `(\w+)`\n\n(.+?)\n\n", re.M | re.S)
SENTENCE = re.compile(r"(.+?[.!?])(?=\s+[A-Z`\"]|$)", re.S)
MOST = 160  # characters of what one is for


def put(into: Path) -> None:
    """Write the list and the pictures into the folder of the built app."""
    from PIL import Image

    folder = into / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    found = list(told())
    for one in found:
        if one["pictured"]:
            with Image.open(PICTURES / f"{one['name']}.png") as opened:
                small = opened.convert("RGB")
                small.thumbnail((SIDE, SIDE))
                small.save(folder / f"{one['name']}.webp", quality=80)
    (into / "templates.json").write_text(json.dumps({"templates": found}))


def told() -> Iterator[dict[str, object]]:
    """Every shipped workflow that the docs tell of, in their order."""
    files = {path.stem: path for path in (ROOT / "workflows").rglob("*.json")}
    parts = SECTION.split(DOCS.read_text("utf-8"))
    for section, text in zip(parts[1::2], parts[2::2], strict=True):
        for name, about in WORKFLOW.findall(text):
            if name in files:
                yield {
                    "name": name,
                    "title": json.loads(files[name].read_text("utf-8")).get("title", name),
                    "section": section,
                    "says": first(about),
                    "pictured": (PICTURES / f"{name}.png").is_file(),
                }


def first(text: str) -> str:
    """The first sentence, without marks."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text.replace("\n", " ")).replace("`", "").replace("**", "")
    found = SENTENCE.match(plain)
    said = (found[1] if found else plain).strip()
    return said if len(said) <= MOST else said[:MOST].rsplit(" ", 1)[0] + "…"


def made_of() -> Iterator[Path]:
    """What the gallery follows from."""
    yield Path(__file__)
    yield DOCS
    yield from sorted((ROOT / "workflows").rglob("*.json"))
    yield from sorted(PICTURES.glob("*.png"))
