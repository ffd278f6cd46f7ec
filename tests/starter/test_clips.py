"""Clips: what should move moves, the rest stays."""

import numpy as np
import pytest
from recipe.canvas import truth
from recipe.clips import FRAMES, PHRASES, Clip, Motion, clip


def middle(shown: Clip, name: str, frame: int) -> tuple[float, float]:
    """The middle of the first thing of a name."""
    scene = shown.frames[frame]
    index = [thing.name for thing in scene.things].index(name)
    box = truth(scene).boxes[index]
    assert box is not None
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("motion", PHRASES)
def test_every_motion_moves_and_is_named(motion: Motion) -> None:
    shown = clip(4, motion)
    pictures = shown.paint()
    assert len(pictures) == FRAMES
    assert not np.array_equal(pictures[0], pictures[FRAMES // 3])
    assert any(phrase in shown.captions[0] for phrase in PHRASES[motion])


@pytest.mark.parametrize("seed", range(6))
def test_the_sun_rises(seed: int) -> None:
    shown = clip(seed, "sunrise")
    assert middle(shown, "sun", -1)[1] < middle(shown, "sun", 4)[1] - 8


@pytest.mark.parametrize("seed", range(4))
def test_a_boat_sails_to_the_right_over_a_still_sea(seed: int) -> None:
    shown = clip(seed, "sailing")
    assert middle(shown, "boat", -1)[0] > middle(shown, "boat", 0)[0] + 50
    first, last = shown.paint()[0].astype(int), shown.paint()[-1].astype(int)
    still = (truth(shown.frames[0]).owner < 0) & (truth(shown.frames[-1]).owner < 0)
    assert np.abs(first - last)[still].mean() < 1


def test_a_camera_that_pans_left_moves_the_land_right() -> None:
    shown = clip(2, "pan left")
    first, last = (paint.astype(float) for paint in (shown.paint()[0], shown.paint()[-1]))
    moved = np.abs(last[:, 30:] - first[:, :-30]).mean()
    assert moved < np.abs(last - first).mean() / 2


def test_a_walker_walks_and_keeps_its_clothes() -> None:
    shown = clip(9, "walking")
    start, end = (scene.things[0].keypoints[0][0] for scene in (shown.frames[0], shown.frames[-1]))
    assert end > start + 40
    assert len({scene.facts["shirt"] for scene in shown.frames}) == 1
