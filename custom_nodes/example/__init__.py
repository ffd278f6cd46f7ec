"""Two small nodes, written to be read: copy this folder to start a pack of your own."""

from .colours import palette
from .light import vignette

__all__ = ["palette", "vignette"]
