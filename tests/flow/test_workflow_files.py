"""The shipped workflows: well written, complete, and planned without a problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.canonical import canonical
from engine.config import ROOT
from engine.planner import Planner
from engine.ports import JsonValue
from engine.registry import Registry
from engine.types import Artifact
from engine.workflow import parse, read

FILES = sorted((ROOT / "workflows").rglob("*.json"))
NEEDED: dict[str, dict[str, JsonValue]] = {
    "evaluate": {"images": ["a-picture"], "reference": "a-picture"},
    "image_to_image": {"picture": "a-picture"},
    "inpaint": {"picture": "a-picture"},
    "redraw_what_is_painted": {"picture": "a-picture", "mask": "a-picture"},
    "outline": {"picture": "a-picture"},
    "outpaint": {"picture": "a-picture"},
    "draw_like_a_picture": {"picture": "a-picture"},
    "follow_the_edges": {"picture": "a-picture"},
    "keep_the_lines": {"picture": "a-picture"},
    "keep_the_depth": {"picture": "a-picture"},
    "figure_in_a_place": {"picture": "a-picture"},
    "fill_what_is_erased": {"picture": "a-picture"},
    "enlarge": {"picture": "a-picture"},
    "enlarge_and_redraw": {"picture": "a-picture"},
    "restore_faces": {"picture": "a-picture"},
    "redraw_faces": {"picture": "a-picture"},
    "rescue_a_photo": {"picture": "a-picture"},
    "new_ground": {"picture": "a-picture", "ground": "a-picture"},
    "hide_places": {"picture": "a-picture"},
    "fog_by_depth": {"picture": "a-picture"},
    "pose_of_people": {"picture": "a-picture"},
    "redraw_by_words": {"picture": "a-picture"},
    "cut_out_things": {"picture": "a-picture"},
    "cut_out_at": {"picture": "a-picture"},
    "new_sky": {"picture": "a-picture", "sky": "a-picture"},
    "scene_in_classes": {"picture": "a-picture"},
    "caption_and_tags": {"picture": "a-picture"},
    "measure_a_picture": {"picture": "a-picture"},
    "picture_edits": {"picture": "a-picture"},
    "colour_card": {"picture": "a-picture"},
    "develop_a_photo": {"picture": "a-picture"},
    "film_still": {"picture": "a-picture"},
    "pop_art": {"picture": "a-picture"},
    "room_to_paint": {"picture": "a-picture"},
    "six_looks": {"picture": "a-picture"},
    "social_formats": {"picture": "a-picture"},
    "sticker": {"picture": "a-picture"},
    "what_jpeg_costs": {"picture": "a-picture"},
    "what_the_vae_loses": {"picture": "a-picture"},
    "borrow_colours": {"picture": "a-picture", "colours": "a-picture"},
    "grade_with_a_table": {"picture": "a-picture", "lut": "a-picture"},
    "cut_out_figure": {"picture": "a-picture"},
    "light_leak": {"picture": "a-picture"},
    "stencil": {"picture": "a-picture"},
    "tile_by_tile": {"picture": "a-picture"},
    "clone_a_piece": {"picture": "a-picture", "other": "a-picture"},
    "pan_across": {"picture": "a-picture"},
    "play_backwards": {"picture": "a-picture"},
    "how_was_it_made": {"picture": "a-picture"},
    "mark_and_find": {"picture": "a-picture"},
    "compare_two_receipts": {"first": "a-picture", "second": "a-picture"},
    "eight_guides": {"picture": "a-picture"},
    "ink_and_paper": {"picture": "a-picture"},
}
"""Named inputs without which a workflow cannot run."""
PICTURE = Artifact("0" * 64, "image/png", 1)

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(Registry.core())


def test_the_gallery_is_complete() -> None:
    assert {file.stem for file in FILES} >= {
        "text_to_image", "image_to_image", "seed_sweep", "prompt_matrix",
        "keep_the_best_of", "choose_with_me", "maths_example", "loop_example",
    }  # fmt: skip


def test_a_name_is_that_of_one_file_whatever_folder_it_is_in() -> None:
    assert len({file.stem for file in FILES}) == len(FILES)
    assert {len(file.relative_to(ROOT / "workflows").parts) for file in FILES} <= {1, 2}


@each_file
def test_a_shipped_workflow_is_written_canonically(file: Path) -> None:
    assert canonical(read(file.read_bytes())) == file.read_bytes()


@each_file
def test_a_shipped_workflow_has_a_plan_and_nothing_to_warn_of(file: Path, planner: Planner) -> None:
    inputs = NEEDED.get(file.stem, {})
    plan = planner.plan(parse(file.read_bytes()), inputs=inputs, files={"a-picture": PICTURE})
    assert plan.warnings == ()
    assert set(plan.types) == set(parse(file.read_bytes()).outputs)


@each_file
def test_a_shipped_workflow_presents_itself(file: Path, planner: Planner) -> None:
    workflow = parse(file.read_bytes())
    assert workflow.title
    assert workflow.outputs
    assert workflow.inputs
    for name, given in workflow.inputs.items():
        assert given.title, f"{name} has no title"
        for place in given.to:
            step, _, port = place.rpartition(".")
            spec = planner.spec(workflow.steps[step].node)
            assert spec is not None
            assert port in {p.name for p in spec.inputs}, place


@each_file
def test_a_shipped_workflow_is_of_the_present_versions(file: Path, planner: Planner) -> None:
    workflow = parse(file.read_bytes())
    for steps in (workflow.steps, *(group.steps for group in workflow.groups.values())):
        for name, step in steps.items():
            spec = planner.spec(step.node)
            assert step.node.startswith("group/") or (spec and step.version == spec.version), name


def test_text_to_image_has_the_inputs_that_everybody_expects() -> None:
    workflow = parse((ROOT / "workflows" / "text_to_image.json").read_bytes())
    assert list(workflow.inputs) == [
        "prompt", "negative", "model", "method", "seed", "steps", "guidance", "width", "height",
    ]  # fmt: skip
    assert workflow.outputs == {"picture": "save.out"}
