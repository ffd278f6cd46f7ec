"""The example workflows give what their pages say, with other inputs as well as with their own."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from engine.config import ROOT
from engine.events import Job, Request
from engine.registry import Registry
from engine.service import Engine
from engine.types import Artifact
from tests.engines import ended, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 150.0

KNOWN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("two_numbers", {}, {
        "sum": 9.0, "difference": 5.0, "product": 14.0, "quotient": 3.5, "remainder": 1.0, "power": 49.0,
        "smaller": 2.0, "larger": 7.0, "distance": 5.0, "opposite": -7.0, "between": 4.5}),
    ("two_numbers", {"a": -9, "b": 4, "amount": 0.25}, {
        "sum": -5.0, "difference": -13.0, "product": -36.0, "quotient": -2.25, "remainder": 3.0,
        "power": 6561.0, "smaller": -9.0, "larger": 4.0, "distance": 13.0, "opposite": 9.0,
        "between": -5.75}),
    ("thermometer", {}, {
        "fahrenheit": 70.5, "below": 21.0, "above": 22.0, "whole": 21, "column": 83,
        "sentence": "It is 21 °C, which is 70.5 °F."}),
    ("thermometer", {"celsius": -40}, {
        "fahrenheit": -40.0, "below": -40.0, "above": -40.0, "whole": -40, "column": 0,
        "sentence": "It is -40 °C, which is -40 °F."}),
    ("leap_year", {}, {"leap": True, "sentence": "The year 2024 has a 29 February."}),
    ("leap_year", {"year": 2023}, {
        "leap": False, "sentence": "The year 2023 does not have a 29 February."}),
    ("leap_year", {"year": 1900}, {
        "leap": False, "sentence": "The year 1900 does not have a 29 February."}),
    ("leap_year", {"year": 1900, "old": True}, {
        "leap": True, "sentence": "The year 1900 has a 29 February."}),
    ("leap_year", {"year": 2000}, {"leap": True, "sentence": "The year 2000 has a 29 February."}),
    ("list_figures", {}, {
        "count": 6, "sum": 18.0, "mean": 3.0, "median": 2.75, "largest": 5.0, "smallest": 1.5,
        "rising": [1.5, 2.0, 2.5, 3.0, 4.0, 5.0], "best": [5.0, 4.0, 3.0]}),
    ("list_figures", {"marks": [1, 2], "late": [9], "best": 1}, {
        "count": 3, "sum": 12.0, "mean": 4.0, "median": 2.0, "largest": 9.0, "smallest": 1.0,
        "rising": [1.0, 2.0, 9.0], "best": [9.0]}),
    ("table_of_roots", {}, {"table": "0: 0.000\n1: 1.000\n2: 1.414\n3: 1.732\n4: 2.000"}),
    ("table_of_roots", {"first": 9, "last": 16, "count": 2, "digits": 1}, {"table": "9: 3.0\n16: 4.0"}),
    ("newtons_root", {}, {"root": 1.414214}),
    ("newtons_root", {"number": 144, "start": 5}, {"root": 12.0}),
    ("newtons_root", {"number": 9, "start": 3}, {"root": 3.0}),
    ("throw_dice", {}, {"throw": 11.0, "luck": 32.0}),
    ("throw_dice", {"seed": 1, "enough": 2}, {"throw": 10.0, "luck": 13.0}),
    ("throw_dice", {"enough": 12}, {"throw": 12.0, "luck": 32.0}),
    ("tidy_words", {}, {
        "tidy": "a red circle, blue background, soft light", "count": 3, "length": 41, "found": True,
        "changed": True}),
    ("tidy_words", {"text": "a, b", "find": "c"}, {
        "tidy": "a, b", "count": 2, "length": 4, "found": False, "changed": False}),
    ("size_in_words", {}, {
        "width": 640.0, "height": 480.0, "format": "landscape",
        "sentence": "640 by 480 is landscape with 0.31 megapixels."}),
    ("size_in_words", {"size": "2048 X 2048"}, {
        "width": 2048.0, "height": 2048.0, "format": "square",
        "sentence": "2048 by 2048 is square with 4.19 megapixels."}),
    ("size_in_words", {"size": " 480x640"}, {
        "width": 480.0, "height": 640.0, "format": "portrait",
        "sentence": "480 by 640 is portrait with 0.31 megapixels."}),
]  # fmt: skip

DRAWN: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "prompt_by_chance": ({"steps": 2}, (128, 128)),
    "many_prompts": ({"steps": 2, "prompts": ["a red circle", "green hills"]}, (268, 136)),
    "fade": ({"count": 3}, (400, 136)),
    "draw_until_bright": ({"enough": 0, "tries": 1}, (128, 128)),
    "ask_before_drawing": ({"steps": 2}, (128, 128)),
}
"""Inputs of each example that draws, and the size of its picture."""

EDITED = ("picture_edits", "measure_a_picture")
"""Examples that want a picture and no model."""

LOOKS = (
    *("borrow_colours", "colour_card", "develop_a_photo", "film_still", "grade_with_a_table", "pop_art"),
    *("quote_card", "room_to_paint", "six_looks", "social_formats", "sticker", "what_jpeg_costs"),
    "what_the_vae_loses",
)
"""Examples that `test_looks.py` tries."""

COMPOSED = (
    *("cut_out_figure", "light_leak", "stencil", "tile_by_tile", "clone_a_piece"),
    *("pan_across", "play_backwards", "how_was_it_made"),
)
"""Examples that `test_composing.py` tries."""

PROMPTED = (
    *("prompt_in_style", "every_choice", "between_two_prompts", "first_this_then_that"),
    *("louder_and_softer", "side_by_side", "inside_an_outline", "richer_prompt"),
)
"""Examples that `test_prompted.py` tries."""

TRACED = ("eight_guides", "ink_and_paper", "stick_figures")
"""Examples that `test_tracing.py` tries."""

MADE = (
    *("seamless_tile", "wide_in_windows", "six_ways_to_guide", "hires_fix", "variations", "batch"),
    *("where_steps_lie", "xyz_plot", "firmer_forms"),
)
"""Examples that `test_making.py` tries."""

REPAINTED = ("inpaint", "outpaint", "outline", "redraw_what_is_painted", "fill_what_is_erased")
"""Examples that `test_inpainting.py` tries."""

LOOKING = ("best_by_likeness", "enhance_a_prompt", "fog_by_depth", "pose_of_people", "caption_and_tags")
"""Examples that `test_looking.py` tries, with those of the fetched ones that look."""

COMPARED = ("compare_two_receipts",)
"""Examples that `test_receipts.py` tries."""

SCORED = ("rank_variants",)
"""Examples that `test_scores.py` tries."""

EXPLAINED = ("explain_a_picture", "redraw_a_word")
"""Examples that `test_explained.py` tries."""

PROVEN = ("sign_and_read", "mark_and_find")
"""Examples that `test_provenance.py` tries."""

GUIDED = (
    *("keep_the_lines", "keep_the_depth", "pose_a_figure", "figure_in_a_place"),
    *("with_and_without_a_lora", "large_and_refined"),
)
"""Examples that `test_guided.py` tries, with those of the fetched ones that guide."""

ENHANCED = (
    *("hide_places", "enlarge", "new_ground"),
    *("restore_faces", "redraw_faces", "rescue_a_photo"),
)
"""Examples that `test_enhanced.py` tries, with those of the fetched ones that enhance."""

CHECKED = ("safe_publish",)
"""Examples that `test_safety.py` tries."""

FETCHED: dict[str, tuple[str, ...]] = {
    "draw_like_a_picture": ("sd15", "ip-adapter-sd15", "ip-adapter-vision"),
    "follow_the_edges": ("sd15", "t2i-canny"),
    "pixel_art": ("sdxl", "lcm-lora-sdxl", "pixel-art-xl"),
    "enlarge_and_redraw": ("sd15", "realesrgan-x4plus"),
    "redraw_by_words": ("sd15", "clipseg"),
    "cut_out_things": ("rt-detr", "sam-base"),
    "cut_out_at": ("sam-base",),
    "new_sky": ("mask2former-ade",),
    "scene_in_classes": ("mask2former-ade",),
    "evaluate": ("aesthetic-linear", "clip-large", "yunet", "lpips-vgg", "vgg16"),
}
"""Examples that want weights which do not come along; `test_fetched.py` and others try tiny ones."""

EXAMPLES = {
    *(*FETCHED, *LOOKING, *DRAWN, *EDITED, *PROMPTED, *LOOKS, *COMPOSED, *MADE, *TRACED),
    *(*REPAINTED, *ENHANCED, *GUIDED, *SCORED, *PROVEN, *COMPARED, *CHECKED, *EXPLAINED),
    *(name for name, _, _ in KNOWN),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("examples"), Registry.core()) as engine:
        yield engine


@pytest.mark.parametrize(("name", "inputs", "outputs"), KNOWN)
async def test_an_example_gives_what_is_known(
    engine: Engine, name: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    assert await engine.run(name, **inputs) == outputs


@pytest.mark.model
@pytest.mark.parametrize("name", DRAWN)
async def test_an_example_draws_its_picture(engine: Engine, name: str) -> None:
    inputs, size = DRAWN[name]
    job = await done(engine, name, inputs)
    if name == "ask_before_drawing":
        [question] = job.questions
        assert question.options == ["red", "blue", "green"]
        await engine.answer(job.id, question.call, "green")
        job = await ended(engine, job, PATIENCE)
        assert job.outputs["choice"] == "green"
    pixels = await picture_of(engine, job, "picture" if "picture" in job.outputs else "sheet")
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.std() > 5, "a picture of one colour"


@pytest.mark.model
async def test_the_same_seed_asks_for_the_same_thing(engine: Engine) -> None:
    first, again, other = [
        (await engine.run("prompt_by_chance", steps=1, seed=seed))["prompt"] for seed in (7, 7, 4)
    ]
    assert first == again == "a yellow star on a blue background"
    assert other != first


def half_clear() -> bytes:
    """A red picture, 160 × 96, whose left half is transparent."""
    pixels = np.zeros((96, 160, 4), np.uint8)
    pixels[:, :] = (200, 40, 40, 255)
    pixels[:, :80, 3] = 0
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "png")
    return data.getvalue()


async def test_picture_edits_shows_the_square_what_is_clear_the_negative_and_the_mix(engine: Engine) -> None:
    job = await with_picture(engine, "picture_edits", side=64, amount=0.5)
    assert (job.outputs["width"], job.outputs["height"]) == (160, 96)
    pixels = await picture_of(engine, job, "sheet")
    row = pixels[4 + 32]  # through the middle of the four pictures, 64 wide with 4 between them
    right = [tuple(int(c) for c in row[4 + 68 * i + 48]) for i in range(4)]
    assert right == [(200, 40, 40), (0, 0, 0), (55, 215, 215), (128, 128, 128)]
    assert tuple(row[4 + 68 + 16]) == (255, 255, 255), "the left half is transparent"


async def test_a_picture_is_measured(engine: Engine) -> None:
    job = await with_picture(engine, "measure_a_picture")
    outputs = job.outputs
    assert outputs["brightness"] == pytest.approx((0.299 * 200 + 0.701 * 40) / 255)
    assert outputs["saturation"] == pytest.approx(160 / 255)
    assert (outputs["contrast"], outputs["sharpness"]) == pytest.approx((0, 0))
    assert outputs["sentence"] == "The picture has 160 × 96 pixels and is rather dark."
    job = await with_picture(engine, "measure_a_picture", limit=0.1)
    assert job.outputs["sentence"].endswith("rather bright.")


async def test_every_node_is_at_work_in_a_shipped_workflow() -> None:
    text = "".join(file.read_text("utf-8") for file in (ROOT / "workflows").rglob("*.json"))
    assert [name for name in Registry.core().nodes if f'"node": "{name}"' not in text] == []


async def test_each_workflow_has_its_place_in_the_gallery() -> None:
    """A section with a command that names its inputs rightly, and a small picture if it makes one."""
    page = (ROOT / "docs" / "workflows.md").read_text("utf-8")
    sections = {found[1]: found[2] for found in re.finditer(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", page, SECTION)}
    files = {file.stem: file for file in (ROOT / "workflows").rglob("*.json")}
    assert sections.keys() == files.keys()
    for name, section in sections.items():
        document = files[name].read_text("utf-8")
        inputs = json.loads(document)["inputs"]
        assert f"server.py run {name} " in section
        assert set(re.findall(r"--set (\w+)=", section)) <= inputs.keys(), name
        assert [given for given in inputs if f"`{given}`" not in section] == [], name
        pictures = re.findall(r"\]\((images/\w+\.png)\)", section)
        assert bool(pictures) == ('"save_image"' in document and name not in FETCHED), name
        wanted = re.findall(r"^python server.py models fetch (\S+)$", section, re.MULTILINE)
        assert set(wanted) == set(FETCHED.get(name, ())), name
        assert all(f'"{model}"' in document for model in wanted), name
        assert all((ROOT / "docs" / picture).stat().st_size < 150_000 for picture in pictures), name


SECTION = re.MULTILINE | re.DOTALL


async def with_picture(engine: Engine, name: str, **inputs: Any) -> Job:
    return await done(engine, name, {"picture": await engine.add_artifact(half_clear()), **inputs})


async def done(engine: Engine, name: str | dict[str, Any], inputs: dict[str, Any]) -> Job:
    """The job at its end, or at its question."""
    [job] = await engine.submit(Request(name, inputs))
    return await ended(engine, job, PATIENCE)


async def picture_of(engine: Engine, job: Job, output: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    assert job.state == "done", job.problem
    made = job.outputs[output]["artifact"]
    artifact = await engine.artifact(engine.assets.id_of("local", made["sha256"]))
    assert isinstance(artifact, Artifact)
    path, _ = await engine.artifact_path(engine.artifact_id(artifact, "local"))
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
