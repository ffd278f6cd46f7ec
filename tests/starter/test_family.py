"""The family that is here, measured in small: every model is nearly as good as its card says.

A model has its test as soon as its folder lies in models/starter; `measure.py --write` notes the figures
that it is held to. Until then it must only not be worse than chance, or than what there is without it.
"""

import math

import msgspec
import pytest
from recipe.figures import Figure
from recipe.measure import FAMILY, figures, known, there

COUNTS = {  # of samples of each sort: as many as half a minute allows
    **dict.fromkeys(("base", "xl"), 12),
    **dict.fromkeys(("image-to-video", "motion"), 7),  # one of each motion
    **dict.fromkeys(("upscaler", "captioner"), 16),
    **dict.fromkeys(("background", "depth", "pose", "face-restorer", "faces", "preview"), 24),
    "safety-text": 60,
}
USUAL = 8
DECIBELS, POINTS = 2.0, 20.0  # that a few pictures may lack, or cost more


def slack(told: Figure, count: int) -> float:
    """How far off a figure may be, measured on few: for a share, three deviations among a sixth of them."""
    if told.unit in ("dB", "points"):
        return DECIBELS if told.unit == "dB" else POINTS
    if told.unit or told.reached > 1:
        return 0.5 * told.reached
    share = min(max(told.reached, 0.05), 0.95)
    return 3 * math.sqrt(share * (1 - share) / max(1, count / 6))


def holds(line: Figure, told: Figure | None, count: int) -> bool:
    """Whether few samples agree with the card or, when it says nothing, are not worse than no model."""
    better = -1 if line.at_most else 1
    if math.isnan(line.reached) or (told is None and line.without is None):
        return True
    if told is None:
        return better * line.reached >= better * (line.without or 0.0)
    return better * line.reached >= better * told.reached - slack(told, count)


@pytest.mark.model
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", there(FAMILY))
def test_a_model_is_nearly_as_good_as_its_card_says(name: str) -> None:
    count = COUNTS.get(name, USUAL)
    card = {line.what: line for line in known(FAMILY) if line.model == name}
    found = figures(name, FAMILY, count)
    assert any(line.without is not None and line.reached != line.without for line in found)
    assert [line for line in found if not holds(line, card.get(line.what), count)] == []


def test_few_samples_may_be_a_little_off_but_not_far() -> None:
    share, cost = Figure("base", "colour", 0.95, 0.98, 0.1), Figure("base", "costs", 2.0, 3.0, unit="points")
    assert holds(msgspec.structs.replace(share, reached=0.75), share, 24)
    assert not holds(msgspec.structs.replace(share, reached=0.5), share, 24)
    much = msgspec.structs.replace(cost, reached=25.0, at_most=True)
    assert not holds(much, cost, 24)
    assert not holds(msgspec.structs.replace(share, reached=0.05), None, 24)
    assert holds(msgspec.structs.replace(share, reached=math.nan), share, 24)
