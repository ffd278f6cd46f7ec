"""Models that look: what our nodes find is what the library finds with the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from engine.errors import BadInput, MissingModel, Unsupported
from engine.memory import Residency
from engine.models import Models, content_of
from engine.types import Box, DepthModel, Image
from engine.weights import kind_of
from nodes.pose import draw_pose
from nodes.see import (
    estimate_depth,
    estimate_poses,
    find_things,
    load_depth_model,
    load_finder,
    load_outliner,
    load_pose_model,
    load_scene_parser,
    outline_at,
    parse_scene,
)
from tests import sights
from tests.sights import opened, picture

pytestmark = pytest.mark.usefixtures("residency")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sights.make(tmp_path_factory.mktemp("models"))


# -- depth


@pytest.mark.parametrize("name", ["depth_anything", "dpt", "glpn"])
def test_depth_is_what_the_library_estimates(folder: Path, name: str) -> None:
    pipeline = transformers.pipeline("depth-estimation", str(folder / "depth" / name), dtype=torch.float32)
    wanted = pipeline(opened(picture()))["predicted_depth"].numpy()
    found = estimate_depth(load_depth_model(name), picture())
    exact: Any = found.exact.pixels
    values = found.farthest + exact[..., 0] * (found.nearest - found.farthest)
    np.testing.assert_allclose(values, wanted, atol=1e-4 * np.abs(wanted).max())
    assert (found.nearest > found.farthest) == (name != "glpn"), "GLPN measures how far, the others how near"
    shown: Any = found.image.pixels
    assert shown.shape == (56, 80, 3)
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.abs(shown[..., 0] / 255 - exact[..., 0]).max() < 0.003


def test_pictures_of_every_kind_have_a_depth() -> None:
    model = load_depth_model("depth_anything")
    colours: Any = picture().pixels
    wanted: Any = estimate_depth(model, picture()).exact.pixels
    for same in (colours.astype(np.float32) / 255, np.dstack([colours, np.full((56, 80), 255, np.uint8)])):
        found: Any = estimate_depth(model, Image(same)).exact.pixels
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    grey = Image(np.ascontiguousarray(colours[..., :1]))
    assert estimate_depth(model, grey).image.pixels.shape == (56, 80, 3)


# -- poses


def test_poses_are_what_the_library_estimates(folder: Path) -> None:
    boxes = [Box(4, 4, 30, 48), Box(40, 6, 36, 44)]
    place = folder / "pose" / "vitpose"
    processor = transformers.AutoImageProcessor.from_pretrained(place)
    module = transformers.VitPoseForPoseEstimation.from_pretrained(place, dtype=torch.float32)
    around = [[[box.left, box.top, box.width, box.height] for box in boxes]]
    with torch.inference_mode():
        answer = module(**processor(opened(picture()), boxes=around, return_tensors="pt"))
    wanted = processor.post_process_pose_estimation(answer, boxes=around)[0]
    found = estimate_poses(load_pose_model("vitpose"), picture(), boxes)
    assert len(found) == 2
    for ours, theirs in zip(found, wanted, strict=True):
        joints: Any = ours.joints
        np.testing.assert_allclose(joints, theirs["keypoints"].numpy(), atol=1e-3)
        scores: Any = ours.scores
        np.testing.assert_allclose(scores, np.clip(theirs["scores"].numpy(), 0, 1), atol=1e-5)
        assert (ours.width, ours.height) == (80, 56)
    assert draw_pose(found, least=0).pixels.shape == (56, 80, 3)


def test_without_boxes_the_whole_picture_is_one_person() -> None:
    model = load_pose_model("vitpose")
    [alone] = estimate_poses(model, picture())
    [boxed] = estimate_poses(model, picture(), [Box(0, 0, 80, 56)])
    np.testing.assert_array_equal(np.asarray(alone.joints), np.asarray(boxed.joints))
    assert estimate_poses(model, picture(), []) == []
    with pytest.raises(BadInput, match="some pixels"):
        estimate_poses(model, picture(), [Box(3, 3, 0, 9)])


def test_many_people_are_looked_at_a_few_at_a_time() -> None:
    model = load_pose_model("vitpose")
    boxes = [Box(at, 2, 30, 50) for at in range(0, 40, 2)]
    found = estimate_poses(model, picture(), boxes)
    assert len(found) == 20
    [last] = estimate_poses(model, picture(), boxes[-1:])
    np.testing.assert_allclose(np.asarray(found[-1].joints, float), np.asarray(last.joints, float), atol=1e-3)


def test_experts_and_other_skeletons(folder: Path) -> None:
    torch.manual_seed(0)
    sights.vitpose(folder / "pose" / "experts", experts=3)
    assert len(estimate_poses(load_pose_model("experts"), picture())) == 1
    sights.vitpose(folder / "pose" / "hand", joints=21)
    with pytest.raises(Unsupported, match="21 joints"):
        estimate_poses(load_pose_model("hand"), picture())


# -- things and areas


def test_things_are_what_the_library_finds(folder: Path) -> None:
    pipeline = transformers.pipeline(
        "object-detection", str(folder / "finders" / "rt_detr"), dtype=torch.float32
    )
    wanted = pipeline(opened(picture()), threshold=0.3)
    found = find_things(load_finder("rt_detr"), picture(), least=0.3)
    assert found
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)
    theirs = {(one["label"], round(one["score"], 4)) for one in wanted}
    assert {(box.label, round(box.score, 4)) for box in found} <= theirs
    for box in found:
        assert 0 <= box.left <= box.left + box.width <= 80
        assert 0 <= box.top <= box.top + box.height <= 56


def test_only_things_that_are_asked_for_are_found() -> None:
    model = load_finder("rt_detr")
    every = find_things(model, picture(), least=0.0)
    some = find_things(model, picture(), "Person, house cat", least=0.0)
    assert {box.label for box in some} <= {"person", "cat, house cat"}
    [surest] = find_things(model, picture(), "person, cat", least=0.0, most=1)
    assert surest.score == some[0].score
    assert len(some) == len([box for box in every if box.label in ("person", "cat, house cat")])
    with pytest.raises(BadInput, match=r"persn.*person"):
        find_things(model, picture(), "persn")


@pytest.mark.parametrize("name", ["segformer", "mask2former"])
def test_areas_are_what_the_library_finds(folder: Path, name: str) -> None:
    place = folder / "segmenters" / name
    pipeline = transformers.pipeline("image-segmentation", str(place), dtype=torch.float32)
    theirs = {
        one["label"]: np.asarray(one["mask"]) > 0 for one in pipeline(opened(picture()), subtask="semantic")
    }
    found = parse_scene(load_scene_parser(name), picture(), least=0)
    assert set(found.names) == {label for label, mask in theirs.items() if mask.any()}
    for label, mask, share in zip(found.names, found.masks, found.shares, strict=True):
        np.testing.assert_array_equal(np.asarray(mask.pixels) == 1, theirs[label])
        assert share == pytest.approx(theirs[label].mean())
        colours = np.asarray(found.image.pixels)[theirs[label]]
        assert (colours == colours[0]).all()
    assert found.shares == sorted(found.shares, reverse=True)
    assert np.stack([np.asarray(mask.pixels) for mask in found.masks]).sum(0).max() == 1


def test_areas_by_name_come_in_their_order_also_those_that_are_not_there() -> None:
    model = load_scene_parser("segformer")
    every = parse_scene(model, picture(), least=0)
    asked = parse_scene(model, picture(), "tree, cat, sky, wall, person")
    assert asked.names == ["tree", "cat, house cat", "sky", "wall", "person"]
    for name, mask, share in zip(asked.names, asked.masks, asked.shares, strict=True):
        assert np.asarray(mask.pixels).mean() == pytest.approx(share, abs=1e-6)
        assert (share > 0) == (name in every.names)


def test_the_colours_of_classes_are_those_of_pascal_voc() -> None:
    from nodes._lib.seeing import PALETTE

    first = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128)]
    assert [tuple(colour) for colour in PALETTE[:6].tolist()] == first
    assert len({tuple(colour) for colour in PALETTE.tolist()}) == 256


def test_an_outline_is_the_one_that_the_library_finds(folder: Path) -> None:
    place = folder / "segmenters" / "sam"
    processor = transformers.SamProcessor.from_pretrained(place)
    module = transformers.SamModel.from_pretrained(place, dtype=torch.float32)
    given = processor(
        opened(picture()), input_points=[[[[20, 14], [60, 42]]]], input_labels=[[[1, 0]]],
        return_tensors="pt",
    )  # fmt: skip
    sizes = given["original_sizes"], given["reshaped_input_sizes"]
    with torch.inference_mode():
        answer = module(**{name: value for name, value in given.items() if "sizes" not in name})
    masks = processor.post_process_masks(answer.pred_masks, *sizes)[0][0]
    best = int(answer.iou_scores[0, 0].argmax())
    model = load_outliner("sam")
    found = outline_at(model, picture(), points=[[0.25, 0.25]], avoid=[[0.75, 0.75]])
    np.testing.assert_array_equal(np.asarray(found.mask.pixels) == 1, masks[best].numpy())
    assert found.score == pytest.approx(float(answer.iou_scores[0, 0, best]), abs=1e-5)
    assert outline_at(model, picture(), box=Box(8, 8, 40, 40)).mask.pixels.shape == (56, 80)
    for wrong in (None, [[0.5, 2]], [[0.5]], "middle"):
        with pytest.raises(BadInput, match="points"):
            outline_at(model, picture(), points=wrong)


# -- which model


def test_a_folder_says_what_it_is_for(folder: Path) -> None:
    wanted = {"finders": "finder", "segmenters": "segmenter", "captions": "caption"}
    for kind, makers in sights.KINDS.items():
        for maker in makers:
            assert kind_of(folder / kind / maker.__name__) == wanted.get(kind, kind), maker.__name__


def test_folders_of_the_family_go_by_their_names(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "starter").mkdir()
    (tmp_path / "starter" / "depth").symlink_to(folder / "depth" / "dpt")
    found = Models([tmp_path, folder], hub=tmp_path / "hub").find("starter-depth", "depth")
    assert found.source == "comes with Tessera"


def test_folders_of_the_hub_go_by_their_ids(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--maker--small" / "snapshots" / "one"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(folder / "depth" / "dpt")
    here = Models([folder], hub=tmp_path)
    assert here.find("maker/small", "depth").source == "Hugging Face cache"
    with pytest.raises(MissingModel, match="is of kind 'depth': load it as that"):
        here.find("maker/small", "pose")


def test_a_model_is_loaded_once_and_known_by_content(residency: Residency) -> None:
    model = load_depth_model("dpt")
    assert model.sha256 == content_of("depth")(model="dpt")
    assert model.sha256 != content_of("depth")(model="glpn")
    estimate_depth(model, picture())
    estimate_depth(model, picture(1))
    assert residency.loads == 1
    [held] = residency.held()
    size = model.bytes
    assert 0.8 * size < held.bytes < 1.2 * size


def test_a_missing_model_says_where_to_get_one() -> None:
    with pytest.raises(
        MissingModel, match=r"models/depth, or run `python server.py models fetch depth-anything-v2-small`"
    ):
        load_depth_model("nothing")
    with pytest.raises(MissingModel, match=r"models fetch NAME` .*: clipseg, mask2former-ade, sam-base"):
        load_outliner("nothing")
    with pytest.raises(MissingModel, match=r"make -C models/starter pose`.*models fetch vitpose-base`"):
        load_pose_model()


def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "depth" / "poses").symlink_to(folder / "pose" / "vitpose")
    with pytest.raises(Unsupported, match="no model that estimates depth: a VitPose is of another kind"):
        load_depth_model("poses")
    with pytest.raises(Unsupported, match="no model that names every pixel: a Sam"):
        load_scene_parser("sam")


def test_a_model_with_code_of_its_own_is_refused(folder: Path) -> None:
    place = folder / "depth" / "foreign"
    place.mkdir()
    code = {"AutoConfig": "code.Config", "AutoModelForDepthEstimation": "code.Model"}
    about = {"model_type": "foreign", "architectures": ["ForeignForDepthEstimation"], "auto_map": code}
    (place / "config.json").write_text(json.dumps(about), "utf-8")
    (place / "code.py").write_text("raise SystemExit('run')\n", "utf-8")
    (place / "model.safetensors").symlink_to(folder / "depth" / "dpt" / "model.safetensors")
    with pytest.raises(Unsupported, match="foreign"):
        load_depth_model("foreign")


def test_a_model_without_all_its_weights_is_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    place = folder / "depth" / "torn"
    place.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (place / name).write_bytes((folder / "depth" / "dpt" / name).read_bytes())
    whole = load_file(folder / "depth" / "dpt" / "model.safetensors")
    save_file(
        {name: value for name, value in whole.items() if "head" not in name}, place / "model.safetensors"
    )
    with pytest.raises(Unsupported, match="lacks the weights of head"):
        estimate_depth(load_depth_model("torn"), picture())


def test_a_single_file_is_refused(folder: Path) -> None:
    (folder / "depth" / "alone.safetensors").write_bytes(
        (folder / "depth" / "dpt" / "model.safetensors").read_bytes()
    )
    with pytest.raises(Unsupported, match="single file"):
        load_depth_model("alone")


def test_a_changed_folder_is_another_model(folder: Path) -> None:
    stale = DepthModel("dpt", "transformers", "0" * 64)
    with pytest.raises(MissingModel, match="has changed"):
        estimate_depth(stale, picture())
