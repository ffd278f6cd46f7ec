"""The models that look at pictures or make them clearer: that they learn, and load as others load them."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from diffusers import AutoencoderTiny
from recipe import large, pictures, seen
from recipe.canvas import paint, truth
from recipe.draw import draw
from recipe.hogwild import flushing
from recipe.outline import floats
from recipe.schooling import School
from recipe.seen import face_box, landmarks
from recipe.tokenizer import LENGTH
from recipe.train_background import SIDE, looked_at
from recipe.train_background import overlap as mask_overlap
from recipe.train_depth import agreement, estimate, normal
from recipe.train_faces import find, marked
from recipe.train_pose import HEAT, cut_out, spots
from recipe.train_upscaler import bicubic
from recipe.wear import likeness, shown, shrunk, unit
from spandrel import ModelLoader
from transformers import AutoImageProcessor, VitPoseForPoseEstimation

from engine.config import ROOT

PICTURES = 24
MEGABYTES = {  # of its weights as shipped, at most
    "upscaler": 1.6,
    "restorer": 1.0,
    "background": 1.6,
    "depth": 2.5,
    "pose": 2.0,
    "preview": 0.5,
    "faces": 0.5,
}
ONNX = ("background", "faces")


@pytest.fixture(scope="module", autouse=True)
def _as_in_training() -> Iterator[None]:
    """One thread, and no time for numbers near zero: the run is ten times as long with them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with flushing():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few drawn pictures, the truth about them, and latents."""
    folder = tmp_path_factory.mktemp("checkpoints")
    pictures.render(folder / "pictures", PICTURES)
    seen.prepare(folder)
    (folder / "vae").mkdir()
    (folder / "vae" / "final").symlink_to(ROOT / "models" / "starter" / "base" / "vae")
    large.prepare(folder, 2)
    latents = folder / "latents"
    latents.mkdir()
    rng = np.random.default_rng(0)
    np.save(latents / "latents.npy", rng.standard_normal((PICTURES, 4, 16, 16)).astype(np.float16))
    np.save(latents / "tokens.npy", np.zeros((PICTURES, 6, LENGTH), np.int16))
    np.save(latents / "lengths.npy", np.zeros((PICTURES, 6), np.int16))
    np.save(latents / "kinds.npy", np.asarray(pictures.kinds(folder / "pictures")))
    (latents / "encoded").write_text(str(PICTURES))
    (latents / "tokenizer").symlink_to(ROOT / "models" / "starter" / "base" / "tokenizer")
    return folder


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model as it is built, written in its layout."""
    folder = tmp_path_factory.mktemp("family")
    for name in MEGABYTES:
        school = taught(name).SCHOOL
        school.write(folder, built(school).eval(), folder / school.plan.name)
    return folder


def taught(name: str) -> Any:
    module: ModuleType = importlib.import_module(f"recipe.train_{name}")
    return module


def built(school: School) -> Any:
    torch.manual_seed(3)
    return school.build(Path())


@pytest.mark.parametrize("name", MEGABYTES)
def test_a_model_learns_what_it_is_shown(name: str, checkpoints: Path) -> None:
    school = taught(name).SCHOOL
    net = built(school).train()
    if name in ("upscaler", "restorer"):  # which start well: a little off, they must find back
        with torch.no_grad():
            weight = [layer for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)][-1].weight
            weight.add_(0.03 * torch.randn_like(weight))
    lesson = school.lesson(checkpoints, "cpu")
    losses = []
    for _ in range(3):
        torch.manual_seed(0)
        loss, figures = lesson.loss(net, np.random.default_rng(4), 0.2)
        assert all(np.isfinite(value) for value in figures.values())
        step(net, loss)
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def step(net: Any, loss: torch.Tensor) -> None:
    """Go down the slope by what would take a twentieth off the loss."""
    weights = list(net.parameters())
    slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    steep = sum(float(slope.square().sum()) for slope in slopes if slope is not None)
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            if slope is not None:
                weight.sub_(slope * (0.05 * float(loss) / steep))


@pytest.mark.parametrize("name", MEGABYTES)
def test_a_written_model_is_as_small_as_promised(name: str, family: Path) -> None:
    folder = family / taught(name).PLAN.name
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size <= MEGABYTES[name] * 1e6


@pytest.mark.parametrize(
    ("name", "architecture", "factor"), [("upscaler", "ESRGAN", 4), ("restorer", "Compact", 1)]
)
def test_spandrel_loads_what_makes_pictures_clearer(
    name: str, architecture: str, factor: int, family: Path
) -> None:
    module = taught(name)
    net = built(module.SCHOOL).eval()
    found = ModelLoader("cpu").load_from_file(family / module.PLAN.name / module.FILE)
    assert (found.architecture.id, found.scale) == (architecture, factor)
    small = unit(shrunk(paint(draw(3)), 2)[None])
    with torch.inference_mode():
        assert (found(small) - net(small).clamp(0, 1)).abs().max() < 0.02


def test_an_untrained_upscaler_enlarges_smoothly_and_a_restorer_changes_nothing() -> None:
    wanted = np.stack([paint(draw(seed), 256) for seed in range(3)])
    small = np.stack([shrunk(picture) for picture in wanted])
    with torch.inference_mode():
        large_ = shown(built(taught("upscaler").SCHOOL)(unit(small)))
        same = built(taught("restorer").SCHOOL)(unit(small))
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert likeness(large_[inner], wanted[inner]) > likeness(bicubic(small)[inner], wanted[inner]) - 1
    assert torch.allclose(same, unit(small), atol=1e-5)


def test_the_background_remover_says_the_same_as_onnx(family: Path) -> None:
    module = taught("background")
    net = built(module.SCHOOL).eval()
    session = onnxruntime.InferenceSession(str(family / "background" / module.FILE))
    ready = looked_at(paint(draw(5, "object")), SIDE)[None].contiguous()
    (mask,) = session.run(None, {session.get_inputs()[0].name: ready.numpy()})
    with torch.inference_mode():
        wanted = net(ready)
    assert mask.shape == (1, 1, SIDE, SIDE)
    assert len(wanted) == 7
    assert np.abs(mask - wanted[0].numpy()).max() < 1e-3


def test_the_depth_estimator_loads_and_keeps_the_size_of_pictures(family: Path) -> None:
    net = built(taught("depth").SCHOOL).eval()
    picture = paint(draw(4, "land"))
    (near,) = estimate(family / "depth", [picture])
    with torch.inference_mode():
        wanted = net(normal(unit(picture[None]))).predicted_depth[0].numpy()
    assert near.shape == (128, 128)
    assert np.abs(near - wanted).max() < 0.02
    (wide,) = estimate(family / "depth", [paint(draw(4, "land"), 192)[:128]])
    assert wide.shape == (128, 192)


def test_the_pose_estimator_is_taught_in_the_processors_own_units(family: Path) -> None:
    scene = draw(2, "person")
    known = seen.person(scene)
    joints, (corner, end) = known[:17], known[17:]
    box = (float(corner[0]), float(corner[1]), float(end[0] - corner[0]), float(end[1] - corner[1]))
    processor = AutoImageProcessor.from_pretrained(family / "pose")
    ready = processor(paint(scene), boxes=[[list(box)]], return_tensors="pt").pixel_values
    crop, cells = cut_out(paint(scene), joints, box)
    assert (
        normal(unit(crop[None])) - ready
    ).abs().mean() < 0.04  # the one rounds to bytes, the other does not
    model = VitPoseForPoseEstimation.from_pretrained(family / "pose", dtype=torch.float32)
    with torch.inference_mode():
        answer = model(ready)
    assert answer.heatmaps.shape == (1, 17, HEAT, HEAT)
    answer.heatmaps = torch.from_numpy(spots(cells[None])[0])
    (found,) = processor.post_process_pose_estimation(answer, boxes=[[list(box)]])[0]
    inside = ((cells > 0) & (cells < HEAT - 1)).all(-1)
    assert np.abs(found["keypoints"].numpy() - joints)[inside].max() < 0.2


def test_the_preview_decoder_takes_the_latents_of_the_base_as_they_are(family: Path) -> None:
    net = built(taught("preview").SCHOOL).eval()
    quick = AutoencoderTiny.from_pretrained(family / "preview", torch_dtype=torch.float32)
    latents = torch.randn(2, 4, 16, 16)
    with torch.inference_mode():
        made, coded = quick.decode(latents).sample, quick.encode(torch.zeros(1, 3, 128, 128)).latents
        assert (made - net.decode(latents).sample).abs().max() < 0.05
    assert made.shape == (2, 3, 128, 128)
    assert coded.shape == (1, 4, 16, 16)
    assert quick.config.scaling_factor == 1


def test_opencv_finds_faces_where_the_cells_say_them(family: Path, tmp_path: Path) -> None:
    """The finder learns what it must say of one face; OpenCV, reading it, must point at that face."""
    module = taught("faces")
    scene = draw(1, "face")
    marks, picture = landmarks(scene), paint(scene)
    net = built(module.SCHOOL).train()
    ready = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).permute(2, 0, 1)[None].float()
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(60):
        scores, places, wanted = module._matched(net.grids(ready), [marks[None]], 128)
        loss = scores.sum() / len(places) + 5 * (places - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
            part.reset_running_stats()
    with torch.no_grad():
        net.grids(ready)
    module.write(tmp_path, net.eval(), tmp_path / "faces")
    faces = find(tmp_path, [picture], 0.5)
    recall, _, off = marked(faces, [marks[None]])
    assert recall == 1
    assert off < 0.2
    assert find(family, [paint(draw(1, "land"), 192)])[0].shape[1] == 15


def test_truths_on_disk_are_those_of_the_scene(checkpoints: Path) -> None:
    known = seen.load(checkpoints)
    for index in range(PICTURES):
        where = truth(draw(pictures.FIRST_SEED + index))
        assert np.array_equal(known.fronts(np.asarray([index]))[0] > 0, where.owner >= 0)
        assert np.abs(known.near[index] / 255 - where.near).max() < 0.003
    assert (~np.isnan(known.faces[known.of("face", "person")])).all()
    assert np.isnan(known.faces[known.of("shapes")]).all()
    assert (~np.isnan(known.people[known.of("person")])).all()


def test_a_face_box_holds_its_marks_and_lies_on_the_head() -> None:
    for kind in ("face", "person"):
        for seed in range(8):
            scene = draw(seed, kind)
            marks = landmarks(scene)
            left, top, right, bottom = face_box(marks)
            assert (marks >= (left, top)).all()
            assert (marks <= (right, bottom)).all()
            inside = truth(scene).owner[int(top) : int(bottom), int(left) : int(right)]
            assert (inside >= 0).mean() > 0.7


def test_measures_tell_right_from_wrong() -> None:
    scenes = [draw(seed, "face") for seed in range(4)]
    marks = [landmarks(scene)[None] for scene in scenes]
    boxes = [face_box(one[0]) for one in marks]
    right = [
        floats([[*box[:2], *(box[2:] - box[:2]), *one.ravel(), 1]])
        for box, one in zip(boxes, marks, strict=True)
    ]
    assert marked(right, marks) == (1, 1, 0)
    assert marked([one + np.float32(60) for one in right], marks)[0] == 0
    assert marked([np.concatenate((one, one)) for one in right], marks)[1] == 0.5
    masks = [truth(scene).owner >= 0 for scene in scenes]
    assert mask_overlap(masks[0], masks[0]) == 1
    assert mask_overlap(masks[0], ~masks[0]) == 0
    near = torch.from_numpy(np.stack([truth(scene).near for scene in scenes]))
    assert (agreement(near, 2 * near + 1) > 0.99).all()
    assert (agreement(near, torch.rand_like(near)).abs() < 0.1).all()
    clear = np.stack([paint(scene) for scene in scenes])
    soft = bicubic(np.stack([shrunk(one) for one in clear]))
    assert likeness(clear, clear) > 60 > likeness(soft, clear) > likeness(soft[::-1], clear)
