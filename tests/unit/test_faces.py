"""Faces are found, turned upright, restored and put back; the rest of the picture stays bit for bit."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from spandrel.architectures.GFPGAN import GFPGAN

from engine import models
from engine.context import Context
from engine.errors import BadInput, Cancelled, Unsupported
from engine.types import Box, Face
from nodes.faces import (
    box,
    find_faces,
    load_face_finder,
    load_face_restorer,
    mask_boxes,
    restore_faces,
)
from tests.elders import elder
from tests.enhancers import LIGHTER, MARKS, SIDE, finder, lighter
from tests.pictured import KINDS, noise, plain

pytestmark = pytest.mark.usefixtures("residency")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("models")
    (top / "faces").mkdir()
    (top / "detectors").mkdir()
    lighter(top / "faces" / "small.safetensors", {"size": "128"})
    lighter(top / "faces" / "plain.safetensors", {})
    finder(top / "detectors" / "one.onnx")
    torch.manual_seed(0)
    state = {f"module.{name}": weight for name, weight in retina().state_dict().items()}
    save_file(state, top / "detectors" / "retina.safetensors")
    save_file({"a": torch.zeros(1)}, top / "detectors" / "other.safetensors")
    return top


def retina() -> Any:
    from facexlib.detection.retinaface import RetinaFace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RetinaFace("mobile0.25", device=torch.device("cpu"))


def numbers(array: Any) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)


def test_a_face_is_where_the_network_sees_it() -> None:
    found = find_faces(load_face_finder("one"), noise(SIDE, SIDE))
    [face] = found
    assert (face.left, face.top, face.width, face.height) == pytest.approx((32, 32, 64, 80), abs=0.1)
    np.testing.assert_allclose(numbers(face.marks), MARKS, atol=0.01)
    assert face.score == pytest.approx(0.9, abs=0.01)


def test_a_large_picture_is_looked_at_smaller_and_answered_in_its_own_pixels() -> None:
    finder = load_face_finder("one")
    [face] = find_faces(finder, noise(3 * SIDE, 3 * SIDE), sight=SIDE)
    np.testing.assert_allclose(numbers(face.marks), 3 * MARKS, atol=0.1)
    assert find_faces(finder, noise(SIDE, SIDE), sure=0.95) == []


def test_retinaface_says_what_facexlib_says() -> None:
    picture = noise(64, 48)
    torch.manual_seed(0)
    theirs = retina().requires_grad_(False)
    wanted = theirs.detect_faces(np.ascontiguousarray(picture.pixels[..., ::-1]), 0.3, 0.3)
    found = find_faces(load_face_finder("retina"), picture, sure=0.3, most=1000)
    assert len(found) == len([row for row in wanted if row[2] > row[0] and row[3] > row[1]]) > 0
    one = found[0]
    [row] = [row for row in wanted if row[0] == one.left and row[1] == one.top]
    assert (one.width, one.score) == pytest.approx((row[2] - row[0], row[4]), abs=1e-4)
    np.testing.assert_array_equal(numbers(one.marks).ravel(), numbers(row[5:]))


def test_marks_come_to_lie_where_networks_want_them() -> None:
    from nodes._lib import aligning

    angle, scale = np.radians(30), 2.5
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    marks = aligning.TEMPLATE * 512 @ turn.T + (40, 70)
    matrix = aligning.onto(Face(0, 0, 1, 1, marks=marks.astype(np.float32)), 512)
    found = marks @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(found, aligning.TEMPLATE * 512, atol=1e-3)
    theirs = cv2.estimateAffinePartial2D(marks, aligning.TEMPLATE * 512, method=cv2.LMEDS)[0]
    np.testing.assert_allclose(matrix, theirs, atol=1e-3)


def test_a_face_is_cut_and_put_back_in_the_same_place() -> None:
    from nodes._lib import aligning

    y, x = np.mgrid[0:160, 0:200]
    soft = np.stack([np.sin(x / 9) / 2 + 0.5, np.cos(y / 7) / 2 + 0.5, (x + y) / 360], 2).astype(np.float32)
    for scale in (0.5, 1.0, 3.0):
        matrix = aligning.onto(Face(0, 0, 1, 1, marks=MARKS * np.float32(scale) / 2 + 20), 256)
        cut = aligning.cut(soft, matrix, 256)
        for larger in (1, 2):
            canvas = soft.copy()
            aligning.put(canvas, cv2.resize(cut, (256 * larger,) * 2), matrix, 256, 1.0)
            assert np.abs(canvas - soft).max() < 0.03, (scale, larger)


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_only_the_face_changes(channels: int, dtype: Any) -> None:
    grey = (120, 120, 120, 200)[: channels if channels != 4 else 4]
    colour = grey if dtype == np.uint8 else tuple(value / 255 for value in grey)
    picture = plain(colour, SIDE, SIDE, dtype)
    found = restore_faces(load_face_restorer("small"), picture, load_face_finder("one"))
    top = 255 if dtype == np.uint8 else 1
    change = (numbers(found.image.pixels) - numbers(picture.pixels)) / top
    where = numbers(found.mask.pixels)
    assert found.image.pixels.dtype == dtype
    assert len(found.faces) == 1
    assert not change[where == 0].any()
    assert change[76, 64, 0] == pytest.approx(LIGHTER, abs=0.01)
    assert (where[76, 64], where[4, 4]) == pytest.approx((1, 0))
    np.testing.assert_allclose(change[..., 0], where * LIGHTER, atol=0.01)
    if channels == 4:
        assert not change[..., 3].any()


def test_fidelity_keeps_the_face_as_it_was() -> None:
    restorer, picture = load_face_restorer("small"), plain((100, 100, 100), SIDE, SIDE)
    boxes = [box(32, 32, 64, 64)]
    lights = [
        int(restore_faces(restorer, picture, boxes=boxes, fidelity=fidelity).image.pixels[64, 64, 0]) - 100
        for fidelity in (0.0, 0.5, 1.0)
    ]
    assert lights == pytest.approx([64, 32, 0], abs=1)


def test_only_the_faces_in_given_boxes_are_restored() -> None:
    restorer, picture = load_face_restorer("small"), plain((100, 100, 100), 300, SIDE)
    found = restore_faces(restorer, picture, boxes=[Box(220, 40, 50, 50)])
    changed = numbers(found.mask.pixels) > 0
    assert changed[65, 245]
    assert not changed[:, :180].any()
    none = restore_faces(restorer, picture, boxes=[])
    assert (none.faces, none.image.pixels.tobytes()) == ([], picture.pixels.tobytes())


def test_a_finder_beside_boxes_looks_for_the_eyes_in_them() -> None:
    from nodes._lib import finding

    [file] = [file for file in models.models().list("detector") if file.name == "one"]
    held, picture = finding.load(file, "cpu"), noise(SIDE, SIDE)
    within = finding.within(held, picture, Box(32, 32, 64, 80), 0.5, 640)
    assert isinstance(within, Face)
    np.testing.assert_allclose(numbers(within.marks), MARKS, atol=0.01)
    elsewhere = Box(0, 0, 128, 20)
    assert finding.within(held, picture, elsewhere, 0.5, 640) is elsewhere


def test_a_file_says_how_large_its_faces_are() -> None:
    assert [load_face_restorer(name).size for name in ("small", "plain")] == [128, 512]
    assert load_face_restorer("small").architecture == "Compact"


def test_the_pixels_are_those_of_gfpganer() -> None:
    """With small random weights of the architecture, shown an aligned face."""
    from nodes._lib import restoring

    torch.manual_seed(0)
    kind = elder("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
    sizes = {"out_size": 512, "num_style_feat": 32, "channel_multiplier": 1, "narrow": 0.0625}
    net = kind(**sizes, fix_decoder=False, input_is_latent=True, different_w=True, sft_half=True).eval()
    theirs = elder("gfpgan").GFPGANer.__new__(elder("gfpgan").GFPGANer)
    theirs.gfpgan, theirs.device, theirs.face_helper = net, torch.device("cpu"), Aligned()
    y, x = np.mgrid[0:512, 0:512]
    face = np.stack([x / 2, y / 2, (x + y) / 4], 2).astype(np.uint8)
    _, [wanted], _ = theirs.enhance(np.ascontiguousarray(face[..., ::-1]), has_aligned=True)
    held = SimpleNamespace(model=net, device=torch.device("cpu"), dtype=torch.float32)
    found = restoring.once(held, "GFPGAN", face.astype(np.float32) / np.float32(255))
    assert wanted.std() > 1
    np.testing.assert_array_equal(np.rint(found * 255).astype(np.uint8), wanted[..., ::-1])


class Aligned:
    """A face helper for faces that are aligned already."""

    def __init__(self) -> None:
        self.clean_all()

    def clean_all(self) -> None:
        self.cropped_faces: list[Any] = []
        self.restored_faces: list[Any] = []

    def add_restored_face(self, face: Any) -> None:
        self.restored_faces.append(face)


def test_the_published_gfpgan_has_the_names_that_are_loaded() -> None:
    kind = elder("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
    sizes = {"out_size": 512, "num_style_feat": 512, "channel_multiplier": 2, "narrow": 1}
    options: dict[str, Any] = {"fix_decoder": False, "input_is_latent": True, "different_w": True}
    with torch.device("meta"):
        published, ours = (net(**sizes, **options, sft_half=True).state_dict() for net in (kind, GFPGAN))
    assert {name: weight.shape for name, weight in published.items()} == {
        name: weight.shape for name, weight in ours.items()
    }
    assert len(published) == 285


def test_a_mask_of_boxes_marks_them_and_no_more() -> None:
    picture = plain((9, 9, 9), 60, 40)
    mask = numbers(
        mask_boxes(picture, [Box(10, 10, 20, 10), Box(50, 30, 30, 30)], "rectangle", grow=0.0).pixels
    )
    assert mask.sum() == 200 + 100
    assert (mask[15, 20], mask[35, 55], mask[5, 5]) == (1, 1, 0)
    round_ = numbers(mask_boxes(picture, [Box(10, 10, 20, 10)], grow=0.0).pixels)
    assert (round_[15, 20], round_[10, 10]) == (1, 0)


def test_what_is_missing_or_unknown_is_said() -> None:
    with pytest.raises(BadInput, match="finder"):
        restore_faces(load_face_restorer("small"), noise())
    with pytest.raises(Unsupported, match="no face finder"):
        find_faces(load_face_finder("other"), noise())


def test_a_cancel_stops_between_faces() -> None:
    stop = Context(cancelled=lambda: True)
    with pytest.raises(Cancelled):
        restore_faces(load_face_restorer("small"), noise(64, 64), boxes=[Box(0, 0, 9, 9)], ctx=stop)
