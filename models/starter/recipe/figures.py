"""A figure: what a model reached, beside what was wanted and what there is without it."""

from msgspec import Struct


class Figure(Struct, frozen=True):
    """One line of the table on the model card."""

    model: str  # its folder in the family
    what: str
    reached: float
    wanted: float
    without: float | None = None  # the same measure without the model, or by chance
    unit: str = ""
    at_most: bool = False  # whether smaller is better

    @property
    def met(self) -> bool:
        """Whether the model reached what was wanted."""
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted
