"""Colours by name, and the small arithmetic that shades them."""

from random import Random

Colour = tuple[float, float, float]  # sRGB, 0 to 255

PALETTE: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 215, 50),
    "green": (50, 165, 70),
    "blue": (40, 95, 215),
    "purple": (125, 60, 175),
    "pink": (248, 140, 185),
    "brown": (125, 80, 45),
    "white": (246, 246, 246),
    "black": (28, 28, 32),
    "gray": (140, 142, 148),
    "cyan": (70, 205, 220),
}
COLOURS = tuple(PALETTE)
WHITE: Colour = (255, 255, 255)


def mix(a: Colour, b: Colour, part: float) -> Colour:
    """`a` with `part` of it replaced by `b`."""
    return (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part, a[2] + (b[2] - a[2]) * part)


def dim(colour: Colour, factor: float) -> Colour:
    """A darker (or, above 1, brighter) colour of the same hue."""
    return (_clip(colour[0] * factor), _clip(colour[1] * factor), _clip(colour[2] * factor))


def jitter(rng: Random, colour: Colour, amount: float = 8) -> Colour:
    """A near neighbour of a colour, so that no name means one exact value."""
    red, green, blue = (_clip(value + rng.uniform(-amount, amount)) for value in colour)
    return (red, green, blue)


def named(rng: Random, name: str) -> Colour:
    """One of the many colours a name stands for."""
    return jitter(rng, PALETTE[name], 4 if name in ("white", "gray", "black") else 9)


def other(rng: Random, *taken: str, among: tuple[str, ...] = COLOURS) -> str:
    """A colour name that is none of those taken."""
    return rng.choice([name for name in among if name not in taken])


def _clip(value: float) -> float:
    return min(255.0, max(0.0, value))
