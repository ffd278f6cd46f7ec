"""Contact sheets: many pictures on one, to be looked at, small enough for the model card."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .canvas import Picture

MOST = 60_000
"""Bytes of a sheet on the card; a lower quality of JPEG, then fewer pixels, bring it there."""

_LINES, _LINE = 4, 11  # lines above a picture, and the height of one in pixels
_QUALITIES, _SCALES = (92, 85, 75, 65), (1.0, 0.75, 0.5)


def page(rows: Sequence[Iterable[Picture]], path: Path, *, size: int = 128) -> None:
    """Write rows of pictures, each row as long as the first."""
    shown = [picture for row in rows for picture in row]
    sheet(shown, path, columns=len(shown) // len(rows), size=size)


def sheet(
    pictures: Sequence[Picture],
    path: Path,
    *,
    columns: int = 8,
    labels: Sequence[str] = (),
    size: int = 128,
    most: int = MOST,
) -> None:
    """Write pictures side by side, all brought to one size, under their labels where there are any."""
    said = [textwrap.wrap(label, size // 6, max_lines=_LINES) for label in labels]
    head = _LINE * max(map(len, said)) + 4 if said else 0
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * size, rows * (size + head)), "white")
    pen = ImageDraw.Draw(whole)
    for place, picture in enumerate(pictures):
        x, y = place % columns * size, place // columns * (size + head)
        whole.paste(Image.fromarray(_fitted(picture, size)), (x, y + head))
        if said:
            pen.multiline_text((x + 2, y + 1), "\n".join(said[place]), fill=0, font_size=10, spacing=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(whole, path, most)


def _fitted(picture: Picture, size: int) -> Picture:
    """A picture at a size, its pixels kept when it grows."""
    if picture.shape[0] == size:
        return picture
    way = cv2.INTER_NEAREST if picture.shape[0] < size else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)


def _save(whole: Image.Image, path: Path, most: int) -> None:
    for scale in _SCALES:
        smaller = whole.resize((int(whole.width * scale), int(whole.height * scale)), Image.Resampling.BOX)
        for quality in _QUALITIES:
            smaller.save(path, "JPEG", quality=quality, optimize=True, subsampling=0)
            if path.stat().st_size <= most:
                return
