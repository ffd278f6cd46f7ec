"""Contact sheets with words above the pictures, in few colours, so that they stay small on the model card."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from .canvas import Picture

_LINES, _LINE = 4, 11  # lines above a picture, and the height of one in pixels
_MOST = 60_000  # bytes


def labelled(shown: Sequence[Picture], labels: Sequence[str], store: Path, columns: int = 8) -> None:
    """Write pictures, each under its words."""
    size, head = shown[0].shape[0], _LINES * _LINE + 4
    page = Image.new("RGB", (columns * size, -(-len(shown) // columns) * (size + head)), "white")
    pen = ImageDraw.Draw(page)
    for place, (picture, label) in enumerate(zip(shown, labels, strict=True)):
        x, y = place % columns * size, place // columns * (size + head)
        page.paste(Image.fromarray(picture), (x, y + head))
        lines = textwrap.wrap(label, size // 6, max_lines=_LINES)
        pen.multiline_text((x + 2, y + 1), "\n".join(lines), fill=0, font_size=10, spacing=1)
    for colours in (256, 128, 64, 32, 16):
        page.quantize(colours, dither=Image.Dither.NONE).save(store, optimize=True)
        if store.stat().st_size <= _MOST:
            return
