"""Contact sheets of rows, in few colours, so that they stay small on the model card."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .canvas import Picture
from .sheet import sheet

_MOST = 60_000  # bytes


def page(rows: Sequence[Iterable[Picture]], path: Path, *, size: int = 128) -> None:
    """Write rows of pictures, all brought to one size."""
    fitted = [_fitted(picture, size) for row in rows for picture in row]
    sheet(fitted, path, columns=len(fitted) // len(rows))
    for colours in (256, 128, 96, 64, 48, 32, 24):
        with Image.open(path) as full:
            full.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= _MOST:
            return


def _fitted(picture: Picture, size: int) -> Picture:
    """A picture at a size, its pixels kept when it grows."""
    if picture.shape[0] == size:
        return picture
    way = cv2.INTER_NEAREST if picture.shape[0] < size else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)
