"""The judge sees in renders what was drawn."""

from random import Random

import numpy as np
from recipe.canvas import paint
from recipe.exam import Question, mark, questions
from recipe.judge import judge
from recipe.shapes import HELD_OUT, shapes


def test_the_judge_names_nearly_every_render_right() -> None:
    right = []
    for seed in range(80):
        scene = shapes(Random(seed), held_out=seed % 2 == 0)
        if scene.facts.get("relation") == "inside":
            continue
        seen = judge(paint(scene))
        drawn = sorted((thing.colour, thing.name) for thing in scene.things)
        right.append(
            seen.background == scene.facts["background"]
            and drawn == sorted((one.colour, one.shape) for one in seen.shapes)
        )
    assert np.mean(right) >= 0.97


def test_a_blank_wall_shows_nothing() -> None:
    assert judge(np.full((128, 128, 3), 140, np.uint8)).shapes == ()


def test_questions_ask_for_what_training_never_showed() -> None:
    asked = questions(50)
    assert all(pair in HELD_OUT for question in asked for pair in question.things)
    assert not any(pair in HELD_OUT for question in questions(50, held_out=False) for pair in question.things)
    assert asked == questions(50)


def test_marks_follow_the_pictures() -> None:
    scene = next(s for s in (shapes(Random(seed)) for seed in range(50)) if s.facts["group"] == "single")
    thing, wall = scene.things[0], scene.facts["background"]
    right = Question("", wall, ((thing.colour, thing.name),))
    wrong = Question(
        "",
        "red" if wall != "red" else "blue",
        ((thing.colour, "cross" if thing.name != "cross" else "star"),),
    )
    assert set(mark([right], [paint(scene)]).values()) == {1.0}
    assert mark([wrong], [paint(scene)]) == {"background": 0.0, "colour": 1.0, "shape": 0.0}
