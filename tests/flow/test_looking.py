"""Examples with models that look at pictures or go on with words, run with tiny ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from PIL import Image
from recipe.canvas import paint, truth
from recipe.claims import claims
from recipe.control import people
from recipe.draw import draw
from recipe.judge import judge
from recipe.measure_captioner import exchanged, graded
from recipe.measure_control import correlation, placed
from recipe.scene import Scene

from engine.registry import Registry
from engine.service import Engine
from engine.types import Artifact
from tests import sights
from tests.engines import opened
from tests.flow.test_examples import done
from tests.flow.test_fetched import SMALL
from tests.flow.test_looks import png

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDTH, HEIGHT = 80, 56
RUNNER, KICKER = 8, 3
"""Seeds of drawings of people."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("looking")
    async with opened(folder, Registry.core(), models=[sights.make(folder / "models")]) as engine:
        yield engine


async def looked(engine: Engine, name: str, **inputs: Any) -> dict[str, Any]:
    """What a workflow gives for the picture."""
    return await ran(engine, name, picture=await engine.add_artifact(png(shown())), **inputs)


async def ran(engine: Engine, name: str, **inputs: Any) -> dict[str, Any]:
    """What a workflow gives, with its files opened."""
    job = await done(engine, name, inputs)
    assert job.state == "done", job.problem
    return {output: await opened_file(engine, value) for output, value in job.outputs.items()}


async def opened_file(engine: Engine, value: Any) -> Any:
    if isinstance(value, list):
        return [await opened_file(engine, item) for item in value]
    if not isinstance(value, dict) or "artifact" not in value:
        return value
    artifact = await engine.artifact(engine.assets.id_of("local", value["artifact"]["sha256"]))
    assert isinstance(artifact, Artifact)
    path, _ = await engine.artifact_path(engine.artifact_id(artifact, "local"))
    with Image.open(path) as picture:
        return np.asarray(picture)


def shown() -> NDArray[np.uint8]:
    return np.asarray(sights.picture().pixels, np.uint8)


async def test_fog_lies_where_it_is_far(engine: Engine) -> None:
    options: dict[str, Any] = {
        "depth_model": "depth_anything",
        "begins": 0.5,
        "full": 0.75,
        "colour": "white",
    }
    clear = await looked(engine, "fog_by_depth", **options, density=0, softness=0)
    np.testing.assert_array_equal(clear["picture"], shown())
    thick = await looked(engine, "fog_by_depth", **options, density=1, softness=3)
    near = thick["depth"][..., 0] / 255
    assert (thick["picture"][near < 0.24] == 255).all()
    np.testing.assert_array_equal(thick["picture"][near > 0.51], shown()[near > 0.51])


async def test_people_become_skeletons_and_points(engine: Engine) -> None:
    names: dict[str, Any] = {"finder": "rt_detr", "pose_model": "vitpose", "search": True}
    found = await looked(engine, "pose_of_people", **names, sure=0, joints=0, most=2)
    assert found["people"] == len(found["points"]) == 2
    assert all(len(person) == 17 for person in found["points"])
    assert found["picture"].shape == found["over"].shape == (HEIGHT, WIDTH, 3)
    assert found["picture"].any()
    nobody = await looked(engine, "pose_of_people", **names, sure=1)
    assert (nobody["people"], nobody["points"]) == (0, [])
    assert not nobody["picture"].any()


@pytest.mark.model
async def test_the_starter_sees_who_is_near_and_what_lies_behind(engine: Engine) -> None:
    """Of a drawing with a known depth, which it knows better than that what is lower is nearer."""
    scene = draw(RUNNER, "person")
    drawn, known = paint(scene), truth(scene)
    picture = await engine.add_artifact(png(drawn))
    found = await ran(engine, "fog_by_depth", picture=picture, density=1, softness=0)
    lower = np.repeat(np.arange(128.0)[:, None], 128, 1)
    assert correlation(found["depth"][..., 0], known.near) > 0.9
    assert correlation(lower, known.near) < 0.7
    hidden = np.abs(found["picture"].astype(float) - drawn).mean(2)
    assert hidden[known.mask(0)].mean() < 5 < 20 < hidden[known.near < 0.1].mean()


@pytest.mark.model
async def test_the_starter_finds_the_joints_of_who_fills_the_picture(engine: Engine) -> None:
    """It needs no finder; what somebody else's joints would reach is beside it."""
    scenes = [draw(seed, "person") for seed in (RUNNER, KICKER)]
    pictures = [await engine.add_artifact(png(paint(scene))) for scene in scenes]
    found = [await ran(engine, "pose_of_people", picture=picture) for picture in pictures]
    assert [one["people"] for one in found] == [1, 1]
    seen = [[(128 * x, 128 * y) for x, y, _ in one["points"][0]] for one in found]
    wanted = [people(scene)[0] for scene in scenes]
    assert min(placed(*pair) for pair in zip(seen, wanted, strict=True)) > 0.9
    assert max(placed(*pair) for pair in zip(seen, wanted[::-1], strict=True)) < 0.5


@pytest.mark.model
async def test_only_what_is_named_is_drawn_anew(engine: Engine) -> None:
    options: dict[str, Any] = {
        **SMALL,
        "segmenter": "clipseg",
        "words": "a cat",
        "grow": 0,
        "edge": 0,
        "megapixels": 0.01,
    }
    del options["width"], options["height"]
    found = await looked(engine, "redraw_by_words", **options, threshold=0.5)
    picture, marked = found["picture"].astype(int), found["marked"].astype(int)
    untouched = await looked(engine, "redraw_by_words", **options, threshold=1)
    fitted = untouched["picture"].astype(int)
    np.testing.assert_array_equal(untouched["marked"], fitted)
    place = (marked != fitted).any(2)
    assert 0 < place.mean() < 1
    change = np.abs(picture - fitted)
    kept = ~place & (fitted[..., 0] < 250)  # red on red could not be told
    assert change[kept].max() <= 2, "where the mask is too faint to be seen in the mark"
    assert change[place].mean() > 3


async def test_things_are_framed_and_cut_out(engine: Engine) -> None:
    names = {"finder": "rt_detr", "outliner": "sam"}
    found = await looked(engine, "cut_out_things", **names, sure=0, most=2, margin=4)
    assert found["count"] == len(found["pieces"]) == 2
    assert (found["picture"] != shown()).any()
    for piece in found["pieces"]:
        assert piece.shape[2] == 4
        assert piece[..., 3].max() == 255, "the thing itself is there"
    nothing = await looked(engine, "cut_out_things", **names, sure=1)
    assert (nothing["count"], nothing["pieces"]) == (0, [])
    np.testing.assert_array_equal(nothing["picture"], shown())


async def test_what_is_pointed_at_is_cut_out(engine: Engine) -> None:
    found = await looked(
        engine, "cut_out_at", outliner="sam", points=[[0.3, 0.3]], avoid=[[0.9, 0.9]], edge=0
    )
    place = (found["marked"] != shown()).any(2)
    assert 0 < place.mean() < 1
    assert (found["picture"][~place][:, 3] == 0).all()
    np.testing.assert_array_equal(found["picture"][place][:, :3], shown()[place])
    assert isinstance(found["score"], float)


async def test_only_the_sky_is_another(engine: Engine) -> None:
    sky = await engine.add_artifact(png(np.full((30, 30, 3), (10, 20, 250), np.uint8)))
    options: dict[str, Any] = {"sky": sky, "parser": "segformer", "edge": 0, "light": 0}
    classes = await looked(engine, "scene_in_classes", parser="segformer", least=0)
    for name in classes["names"]:
        found = await looked(engine, "new_sky", **options, names=name.split(",")[0])
        blue = (found["picture"] == (10, 20, 250)).all(2)
        assert blue.mean() == pytest.approx(found["share"])
        np.testing.assert_array_equal(found["picture"][~blue], shown()[~blue])


async def test_a_scene_is_coloured_and_its_parts_are_told(engine: Engine) -> None:
    found = await looked(engine, "scene_in_classes", parser="mask2former", least=0, amount=1)
    assert set(found["names"]) <= set(sights.NAMES)
    assert found["shares"] == sorted(found["shares"], reverse=True)
    colours = np.unique(found["picture"].reshape(-1, 3), axis=0)
    assert len(found["names"]) <= len(colours) <= len(found["names"]) + 1, "and one for what has no name"


async def test_a_picture_is_told_in_words(engine: Engine) -> None:
    names = {"captioner": "blip", "matcher": "clip", "longest": 8}
    found = await looked(
        engine, "caption_and_tags", **names, words="red, a cat, blue circle", most=2, least=0
    )
    assert found["caption"]
    assert set(found["tags"].split(", ")) < {"red", "a cat", "blue circle"}
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert -1 <= found["likeness"] <= 1
    begun = await looked(engine, "caption_and_tags", **names, begin="a red")
    assert begun["caption"].startswith("a red")


@pytest.mark.model
async def test_the_starter_says_what_was_drawn(engine: Engine) -> None:
    """Beside it, what is right of captions of other pictures of the same kind."""
    scenes = [draw(seed) for seed in range(12)]
    pictures = [await engine.add_artifact(png(paint(scene))) for scene in scenes]
    found = [await ran(engine, "caption_and_tags", picture=picture) for picture in pictures]
    told = [one["caption"] for one in found]
    right, luck = graded(scenes, told), graded(scenes, exchanged(scenes, told))
    assert min(right["colour"], right["object"]) > 0.7
    assert max(luck["colour"], luck["object"]) < 0.4
    tags = [one["tags"].split(", ")[0].removeprefix("a ") for one in found]
    assert share_named(tags, scenes) > 0.7
    assert share_named(tags[1:] + tags[:1], scenes) < 0.4


def share_named(tags: list[str], scenes: list[Scene]) -> float:
    """The part of tags that are true of the scenes."""
    pairs = zip(tags, scenes, strict=True)
    return float(np.mean([tag in (scene.kind, *scene.captions[0].split()) for tag, scene in pairs]))


@pytest.mark.model
async def test_pictures_stand_in_the_order_in_which_they_fit(engine: Engine) -> None:
    options: dict[str, Any] = {**SMALL, "matcher": "clip", "prompt": "a red circle"}
    found = await ran(engine, "best_by_likeness", **options, count=3)
    assert found["scores"] == sorted(found["scores"], reverse=True)
    alone = await ran(engine, "best_by_likeness", **options, count=1, seed=found["seed"])
    np.testing.assert_array_equal(alone["picture"], found["picture"])
    assert alone["scores"] == [pytest.approx(found["scores"][0], abs=1e-5)]


@pytest.mark.model
async def test_a_prompt_goes_on_and_is_drawn(engine: Engine) -> None:
    options: dict[str, Any] = {**SMALL, "guidance": 4, "seed": 3}
    found = await ran(engine, "enhance_a_prompt", **options, writer="gpt2", prompt="a cat", longest=8)
    assert found["promptEnhanced"].startswith("a cat")
    assert len(found["promptEnhanced"]) > len("a cat")
    assert all(phrase in found["promptEnhanced"] for phrase in found["seedPhrases"])
    plain = await ran(engine, "text_to_image", **options, prompt=found["promptEnhanced"])
    np.testing.assert_array_equal(found["picture"], plain["picture"])


@pytest.mark.model
async def test_the_starter_s_writer_adds_what_its_pictures_then_show(engine: Engine) -> None:
    """Grounds that it names are drawn; without its words they hardly ever are."""
    shown, without = 0, 0
    for luck in range(1, 5):
        found = await ran(engine, "enhance_a_prompt", prompt="a red circle", luck=luck, steps=10)
        assert found["promptEnhanced"].startswith("a red circle ")
        said = (claims(found["promptEnhanced"]) or {})["background"]
        plain = found["sheet"][4:132, 4:132]
        shown += judge(found["picture"]).background == said
        without += judge(plain).background == said
    assert shown >= 3
    assert without <= 1
    again = await ran(engine, "enhance_a_prompt", prompt="a red circle", luck=4, steps=10)
    assert again["promptEnhanced"] == found["promptEnhanced"]
