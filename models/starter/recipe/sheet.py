"""Contact sheets: many pictures on one, to be looked at."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from .canvas import Picture


def sheet(pictures: Sequence[Picture], path: Path, *, columns: int = 8, labels: Sequence[str] = ()) -> None:
    """Write pictures side by side, with a label above each where given."""
    size = pictures[0].shape[0]
    head = 24 if labels else 0
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * size, rows * (size + head)), "white")
    pen = ImageDraw.Draw(page)
    for index, picture in enumerate(pictures):
        x, y = index % columns * size, index // columns * (size + head)
        page.paste(Image.fromarray(picture), (x, y + head))
        if labels:
            pen.text((x + 1, y), "\n".join(textwrap.wrap(labels[index], size // 6)[:2]), fill=0, font_size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)
